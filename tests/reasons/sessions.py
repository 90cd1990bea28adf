"""Sessions: dead ones, users whom the loader doesn't know, and logins and logouts from other sites."""

from typing import Any

from flask_unauthorized import Auth, AuthError, SessionCookie
from flask_unauthorized.schemes.session_record import SESSION_KEY
from flask_unauthorized.stores.memory import MemoryStore

from . import Row
from .refusing import NOW, app_of, clock, signaled

EVIL = {"Origin": "https://evil.example"}


class Browser:
    """A browser whose user is logged in."""

    def __init__(self, **options: Any) -> None:
        self.users: set[str] = {"ada"}
        auth = self.auth = Auth(SessionCookie(lambda subject: subject if subject in self.users else None, **options))
        app = self.app = app_of(auth)
        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        app.add_url_rule("/login", "login", lambda: auth.login("ada", from_origins=["https://id.example"]).subject,
                         methods=["POST"])  # fmt: skip
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


UNKNOWN = "the loader of Cookie returned None for the subject of the session"
ROWS = [
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
