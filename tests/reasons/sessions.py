"""Sessions: dead ones, users whom the loader doesn't know, and logins and logouts from other sites."""

from collections.abc import Sequence
from typing import Any

from flask_unauthorized import Auth, AuthError, Bearer, Identity, SessionCookie
from flask_unauthorized.schemes.session.record import SESSION_KEY
from flask_unauthorized.stores.memory import MemoryStore
from tests.helpers import bearer_header

from . import Row
from .refusing import NOW, app_of, clock, signaled

EVIL = {"Origin": "https://evil.example"}


class Browser:
    """A browser whose user is logged in."""

    def __init__(self, **options: Any) -> None:
        self.users: set[str] = {"ada"}
        scheme = SessionCookie(lambda subject: subject if subject in self.users else None, **options)
        auth = self.auth = Auth(scheme, Bearer(lambda token: "a program"))
        app = self.app = app_of(auth)
        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        app.add_url_rule("/login", "login", lambda: auth.login("ada", from_origins=["https://id.example"]).subject,
                         methods=["POST"])  # fmt: skip
        app.add_url_rule("/remember", "remember", lambda: auth.login("ada", remember=True).subject, methods=["POST"])
        app.add_url_rule("/provider", "provider", lambda: auth.login("ada", issuer="https://id.ex", sid="1").subject,
                         methods=["POST"])  # fmt: skip
        app.add_url_rule("/confirm", "confirm", lambda: auth.confirm().subject, methods=["POST"])
        app.add_url_rule("/logout", "logout", lambda: auth.logout() or "out", methods=["POST"])
        self.client = app.test_client()
        assert self.client.post("/login").status_code == 200
        assert self.client.get("/").status_code == 200

    def change(self, **changes: Any) -> None:
        """Change the login in the session, and leave its signature right."""
        with self.client.session_transaction() as session:
            session[SESSION_KEY] = {**session[SESSION_KEY], **changes}

    def ask(self, path: str = "/", method: str = "GET", **given: Any) -> AuthError:
        return signaled(self.app, lambda: self.client.open(path, method=method, **given))


def of_a_deleted_user() -> AuthError:
    browser = Browser()
    browser.users.clear()
    return browser.ask()


def of_a_copied_cookie() -> AuthError:
    browser = Browser(store=MemoryStore())
    cookie = browser.client.get_cookie("session")
    assert cookie is not None
    browser.client.post("/logout")
    browser.client.set_cookie("session", cookie.value)
    return browser.ask()


def of_a_login_of_nobody() -> AuthError:
    browser = Browser()
    browser.users.clear()
    return browser.ask("/login", "POST")


def of_a_session_later(later: float, **options: Any) -> Any:
    def run() -> AuthError:
        with clock(NOW):
            browser = Browser(**options)
        with clock(NOW + later):
            return browser.ask()

    return run


def of_a_session_that_was_changed(**changes: Any) -> Any:
    def run() -> AuthError:
        browser = Browser()
        browser.change(**changes)
        return browser.ask()

    return run


def of_another_secret_key() -> AuthError:
    browser = Browser()
    browser.app.secret_key = "another secret of thirty-two characters"
    return browser.ask()


class Remembering(Browser):
    """A browser whose user is remembered."""

    cookie = "session_remember"

    def __init__(self, **options: Any) -> None:
        self.store = MemoryStore()
        super().__init__(**{"store": self.store, "remember": 30 * 86400, **options})
        self.kept = self.session = ""

    def log_in(self) -> None:
        assert self.client.post("/remember").status_code == 200

    def value(self) -> str:
        cookie = self.client.get_cookie(self.cookie)
        assert cookie is not None
        return str(cookie.value)

    def restart(self) -> None:
        self.client.delete_cookie("session")

    def present(self, value: str) -> AuthError:
        self.restart()
        self.client.set_cookie(self.cookie, value)
        return self.ask()

    def entries(self, purpose: str) -> list[str]:
        return [key for key in self.store._entries if key.split(":")[1] == purpose]


def remembered(change: Any, **options: Any) -> Any:
    """A request by a remembered user whose session has ended, after a change."""

    def run() -> AuthError:
        with clock(NOW):
            browser = Remembering(**options)
            browser.log_in()
            found = change(browser)
            return found if isinstance(found, AuthError) else browser.present(browser.value())

    return run


def steal(browser: Remembering) -> AuthError:
    copied = browser.value()
    for later in (100, 200):
        with clock(NOW + later):
            browser.restart()
            assert browser.client.get("/").status_code == 200
    with clock(NOW + 231):
        kept, session = browser.value(), browser.client.get_cookie("session")
        assert session is not None
        browser.kept, browser.session = kept, session.value
        return browser.present(copied)


def log_out_and_present(browser: Remembering) -> AuthError:
    kept = browser.value()
    browser.client.post("/logout")
    return browser.present(kept)


def guess(browser: Remembering) -> AuthError:
    return browser.present(browser.value()[:-43] + "a" * 43)


def stolen_session(browser: Remembering) -> AuthError:
    steal(browser)
    with clock(NOW + 232):
        browser.client.set_cookie("session", browser.session)
        return browser.ask()


def stolen_cookie_again(browser: Remembering) -> AuthError:
    steal(browser)
    with clock(NOW + 232):
        return browser.present(browser.kept)


def wipe(browser: Remembering) -> None:
    browser.store._entries.clear()
    browser.store._sweep_queue.clear()


def later(browser: Remembering) -> AuthError:
    kept = browser.value()
    with clock(NOW + 30 * 86400 + 1):
        return browser.present(kept)


def end_all_and_present(browser: Remembering) -> AuthError:
    kept = browser.value()
    for key in browser.entries("sessions"):
        browser.store._entries[key] = (browser.store._entries[key][0], "[]")
    with browser.app.app_context():
        browser.auth.end_sessions("ada")
    return browser.present(kept)


def replace_entry(purpose: str, text: str) -> Any:
    def change(browser: Remembering) -> AuthError | None:
        for key in browser.entries(purpose):
            browser.store._entries[key] = (browser.store._entries[key][0], text)
        return browser.ask("/remember", "POST") if purpose == "sessions" else None

    return change


def never_replace(browser: Remembering) -> None:
    browser.store.__class__ = type("Contended", (MemoryStore,), {"_replace": lambda *args: False})


def while_others_change(purpose: str, path: str) -> Any:
    """A request during which others change entries of one purpose again and again."""

    def replace(store: MemoryStore, key: str, *args: Any) -> bool:
        return f":{purpose}:" not in key and MemoryStore._replace(store, key, *args)

    def run(browser: Remembering) -> AuthError:
        browser.store.__class__ = type("Contended", (MemoryStore,), {"_replace": replace})
        return browser.ask(path, "POST")

    return run


def stolen_while_others_change(browser: Remembering) -> AuthError:
    copied = browser.value()
    for later in (100, 200):
        with clock(NOW + later):
            browser.restart()
            assert browser.client.get("/").status_code == 200
    with clock(NOW + 231):
        browser.restart()
        browser.client.set_cookie(browser.cookie, copied)
        return while_others_change("session", "/login")(browser)


def confirm_anonymously() -> AuthError:
    browser = Browser()
    with browser.app.test_request_context(method="POST"):
        browser.client.delete_cookie("session")
    return signaled(browser.app, lambda: browser.client.post("/confirm", headers={"Authorization": "Bearer x"}))


def asked_by_cookie(token: str | None, ask: Any) -> AuthError:
    """What an open view asks, for a caller with a token of an issuer, or for an anonymous one."""
    auth: Auth[Any] = Auth(
        SessionCookie(str, store=MemoryStore()),
        Bearer(lambda token: Identity("ada", claims={"iss": "https://id.example"})),
    )
    app = app_of(auth)
    app.add_url_rule("/", "view", auth.login_optional(lambda: str(ask(auth))))
    headers = {} if token is None else bearer_header(token)
    return signaled(app, lambda: app.test_client().get("/", headers=headers))


def confirm_during(mark: str) -> Any:
    """A confirmation whose former session is ended when the next one is entered."""

    def run(browser: Remembering) -> AuthError:
        class Ending(MemoryStore):
            def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
                if ":session:" in key and old is None:
                    for other in [one for one in self._entries if ":session:" in one]:
                        MemoryStore._put(self, other, mark, 60)
                return super()._replace(key, old, new, lifetime)

        browser.store.__class__ = Ending
        return browser.ask("/confirm", "POST")

    return run


def end_while_listed(browser: Remembering) -> AuthError:
    """A login that a logout ends while others change the list of the user's devices."""
    attempts: list[str] = []

    class Ending(MemoryStore):
        def _replace(self, key: str, old: str | None, new: str, lifetime: float) -> bool:
            if ":sessions:" in key and not attempts:
                attempts.append(key)
                for other in [one for one in self._entries if ":session:" in one]:
                    MemoryStore._put(self, other, "ended", 60)
                return False
            return super()._replace(key, old, new, lifetime)

    browser.store.__class__ = Ending
    return browser.ask("/login", "POST")


def log_out_at_the_provider_during_a_login(browser: Remembering) -> AuthError:
    """A login at whose end the provider has logged the user out."""
    marks: list[str] = []

    class Ending(MemoryStore):
        def _get(self, key: str) -> str | None:
            if ":provider-logout:" in key:
                marks.append(key)
                return str(len(marks))
            return super()._get(key)

        def _get_many(self, keys: Sequence[str]) -> list[str | None]:
            return [self._get(key) for key in keys]

    browser.store.__class__ = Ending
    return browser.ask("/provider", "POST")


def confirm_after_the_end(browser: Remembering) -> AuthError:
    asked: list[str] = []

    def load(name: str) -> str:
        asked.append(name)
        if len(asked) == 2:  # The first time the caller is judged, the second time the user is confirmed.
            shown = browser.auth.sessions("ada")[0].id
            for scheme in browser.auth.schemes:
                if isinstance(scheme, SessionCookie):
                    scheme.end_session(shown, "ada")
        return name

    browser.auth.schemes[0]._loader = load
    return browser.ask("/confirm", "POST")


FOREIGN = "the store holds an entry of a session that this library didn't write: give each app a prefix= of its own"
STOLEN = "Cookie: the remember cookie of this login was used in two places, so it may have been stolen: log in again"
CONTENDED = "too many requests changed the sessions of one user at the same time: they may try again"
UNKNOWN = "the loader of Cookie returned None for the subject of the session"
ROWS = [
    Row(
        "a cookie that was signed with another key", of_another_secret_key, 401,
        "Cookie: the cookie 'session' came, but Flask's session is empty: the cookie was signed with another "
        "SECRET_KEY, or the session has ended",
    ),
    Row("a deleted user", of_a_deleted_user, 401, UNKNOWN),
    Row("a login of an unknown user", of_a_login_of_nobody, 401, UNKNOWN),
    Row(
        "a session that has ended", of_a_copied_cookie, 401,
        "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again",
    ),
    Row(
        "an idle session", of_a_session_later(61, idle=60), 401,
        "Cookie: the session was last used 61 s ago, and idle=60: log in again",
    ),
    Row(
        "a session that is too old", of_a_session_later(601, idle=None, lifetime=600), 401,
        "Cookie: the session began 601 s ago, and lifetime=600: log in again",
    ),
    Row("a stolen remember cookie", remembered(steal), 401, STOLEN),
    Row("a stolen remember cookie once more", remembered(stolen_cookie_again), 401, STOLEN),
    Row("a session of a stolen login", remembered(stolen_session), 401, STOLEN),
    Row(
        "a remembered login that ended", remembered(log_out_and_present), 401,
        "Cookie: the remembered login was ended by logout(), end_session() or end_sessions(): log in again",
    ),
    Row("a secret of another series", remembered(guess), 401,
        "Cookie: the secret of the remember cookie was never issued: log in again"),
    Row("a remembered login that is unknown", remembered(wipe), 401,
        "Cookie: the remembered login is not in store=: log in again"),
    Row("a remembered login that is too old", remembered(later), 401,
        "Cookie: the login is not remembered any more (remember=): log in again"),
    Row("a remembered login that ended with all", remembered(end_all_and_present), 401,
        "Cookie: the remembered login was ended by end_sessions(): log in again"),
    Row("an entry of another program", remembered(replace_entry("session", "1 x")), 503, FOREIGN),
    Row("a list of another program", remembered(replace_entry("sessions", "x")), 503, FOREIGN),
    Row("too many changes at once", remembered(never_replace), 503, CONTENDED),
    Row("too many changes of a list", remembered(while_others_change("sessions", "/login")), 503, CONTENDED),
    Row("too many changes of a provider's list", remembered(while_others_change("provider-session", "/provider")), 503,
        CONTENDED),
    Row("too many changes of a login that ends", remembered(while_others_change("session", "/logout")), 503, CONTENDED),
    Row("too many changes of a login that is stolen", remembered(stolen_while_others_change), 503, CONTENDED),
    Row("a confirmation without a session", confirm_anonymously, 401,
        "confirm() was called, and the caller has no login of the SessionCookie: call login() first"),
    Row(
        "a confirmation by an anonymous caller", lambda: asked_by_cookie(None, lambda auth: auth.confirm()), 401,
        "confirm() was called by an anonymous caller: guard the view with login_required",
    ),
    Row(
        "the end of a session by an anonymous caller",
        lambda: asked_by_cookie(None, lambda auth: auth.end_session("x")), 401,
        "end_session() was called by an anonymous caller, without a user: guard the view with login_required",
    ),
    Row(
        "the end of a session by a token", lambda: asked_by_cookie("x", lambda auth: auth.end_session("x")), 401,
        "end_session() was called without a user, and the caller has no login of the SessionCookie: call login() "
        "first, or name the user",
    ),
    Row("a confirmation during a theft", remembered(confirm_during("stolen")), 401, STOLEN),
    Row("a confirmation during a logout", remembered(confirm_during("ended")), 401,
        "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"),
    Row("a login that ends while it is listed", remembered(end_while_listed), 401,
        "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"),
    Row("a login during a logout at the provider", remembered(log_out_at_the_provider_during_a_login), 401,
        "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"),
    Row("a confirmation of a login that ended meanwhile", remembered(confirm_after_the_end), 401,
        "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"),
    Row(
        "a session of another realm", of_a_session_that_was_changed(realm="tenant"), 401,
        "Cookie: the session is of the realm 'tenant', and the realm in force is 'shop' (realm= of the scheme, of "
        "Auth, or UNAUTHORIZED_REALM)",
    ),
    Row(
        "a session with another content", of_a_session_that_was_changed(sub=7), 401,
        "Cookie: the login in the session is not as auth.login() writes it: log in again",
    ),
    Row(
        "a picture in a page of another site",
        lambda: Browser(cross_site_reads=False, trusted_origins=["https://app.example"]).ask(
            headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}), 403,
        "a page of another site loads this with Cookie (Sec-Fetch-Mode 'no-cors'), and cross_site_reads=False: Origin "
        "is None and Sec-Fetch-Site 'cross-site', expected one of ['https://app.example'] of trusted_origins=",
    ),
    Row(
        "a login from another site",
        lambda: Browser(trusted_origins=["https://app.example"]).ask("/login", "POST", headers=EVIL), 403,
        "the login came from another site: Origin is 'https://evil.example' and Sec-Fetch-Site None, expected one of "
        "['https://app.example', 'https://id.example'] of from_origins= or trusted_origins=",
    ),
    Row(
        "a logout from another site", lambda: Browser().ask("/logout", "POST", headers=EVIL), 403,
        "the logout came from another site: Origin is 'https://evil.example' and Sec-Fetch-Site None, expected one of "
        "[] of trusted_origins=",
    ),
]  # fmt: skip
