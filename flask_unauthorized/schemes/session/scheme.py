"""`SessionCookie`: people in browsers, authenticated by Flask's session.

``auth.login()`` writes a `LoginRecord` into the session, and this scheme reads it on each request:

1. `SessionCookie.read` returns the record if it is whole, of this realm, and neither too old nor idle for too long. Any
   other record is removed from the session, because it isn't a credential any more. The
   request is treated like one without credentials; only its private reason says why.
2. `SessionCookie.verify` asks the store whether the session has ended, then the loader for the user. A rejected user is
   removed from the session. The use of an accepted session is noted at most once in `USE_INTERVAL` seconds, because
   each note sends the cookie again.
3. If the session holds no live login, both steps are taken with the remember cookie; see `remembered_logins`.

A scheme changes a session only where it reads it: it removes what isn't a credential any more, and notes the use.
Everything else that happens to a session is in `lifecycle`.
"""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from flask import Flask, Request, Response, current_app, session
from flask.sessions import SecureCookieSessionInterface

from ...arguments import Omitted, explains_arguments, validated_flag, validated_whole_seconds
from ...errors import AuthError, ConfigurationError, InvalidCredentials, SessionStolen
from ...errors.text import shown
from ...identity import Identity, with_login
from ...stores.base import Store, validated_store
from ...wire import Challenge
from ...wire.fetch_metadata import HTMX_FIELDS
from ..base import FLASK_SESSION, REMEMBER_COOKIE, Loader, Scheme, error_params
from ..origins import validated_origins
from ..state_access import readable_app_state, scheme_state, warn_of_default_realm
from .devices import StoredDevice, public_id
from .entries import SessionEntries, session_ended, use_interval
from .flask_session import device_label
from .page_urls import build_url, check_page, is_absolute_url, validated_view, warn_if_unbuildable
from .record import SESSION_KEY, LoginRecord, read_record
from .remember_cookie import PresentedCookie
from .remembered_logins import CookieChange, RememberedLogins
from .settings import (
    check_secret_key,
    check_session_cookie,
    mention_sha1,
    warn_of_copied_cookies,
    warn_of_exposed_cookie,
    warn_of_session_fixation,
    warn_of_short_memory,
    warn_of_shorter_lifetime,
)

_real_session: Final = session._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_real_app: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
SHOWN_PARAMETERS: Final = frozenset({"lang", "page", "q", "sort", "tab"})
"""Names of query parameters that say what a page shows, and hold no secret."""
_NO_STORE: Final[Any] = Omitted("<no store>")
"""The default of ``store=``. It works like ``None``, which says that the app does without a store on purpose."""


class SessionCookie(Scheme[LoginRecord | PresentedCookie]):
    """Authenticate people in browsers by Flask's session, after ``auth.login()``.

    The loader gets the subject, a ``str``, on each request, and returns what any loader may return. A user whom you
    delete or lock is therefore logged out at their next request. The session holds the subject, and no other data of
    the user that could become outdated.

    The challenge is the private scheme ``Cookie realm="…", form-action="/login", cookie-name="session"``. No scheme is
    registered for cookies, and a 401 needs a challenge (RFC 9110 §11.6.1).

    Example:
        Redirect people to ``/login``, and end copies of the cookie at a logout::

            from flask_unauthorized import Auth, SessionCookie
            from flask_unauthorized.stores.sqlite import SQLiteStore

            sessions = SessionCookie(find_user, login_view="login", store=SQLiteStore("sessions.db"))
            auth = Auth(sessions, app=app)

            @app.get("/login")
            def login():
                return '<form method="post"><input name="name"><input name="password" type="password"></form>'

    Args:
        loader: Gets the subject, returns the user.
        realm: The realm in which logins are valid. Default: that of the app.
        login_view: The endpoint of the login page, or its URL if it is elsewhere. A browser that opens a page is
            redirected there, and ``auth.next_url()`` leads back. Scripts and programs get the 401.
        logout_view: The endpoint of the logout. ``auth.next_url()`` never leads there.
        lifetime: The time from the login until the session ends, by this server's clock: seconds or a `timedelta`.
        idle: The time from the last request until the session ends: seconds or a `timedelta`. ``None``: no limit.
        store: Remembers which sessions have ended. Flask's session lies in the cookie. Without a store, a copied cookie
            stays valid until its lifetime has passed, even after a logout. With a store, ``auth.logout()`` ends copies
            too, and ``auth.end_sessions(subject)`` ends all sessions of a user. ``auth.check()`` warns of a missing
            store, unless you write ``store=None``.
        remember: How long ``auth.login(user, remember=True)`` remembers a login, by a second cookie: seconds or a
            `timedelta`, counted from the login. The cookie opens a new session when ``lifetime`` or ``idle`` has ended
            the last one. It needs a store that can replace an entry, as those of this package can. ``None``: logins
            aren't remembered.
        subject: Returns the subject of a user object, for ``auth.login(user)``. Default: the user's ``get_id()``.
        trusted_origins: Other sites whose pages may send unsafe requests with the cookie. All others get 403. With
            ``cross_site_reads=False``, their scripts may also read, if they send ``Origin`` (CORS). Origins of apps and
            browser extensions are possible (``capacitor://localhost``).
        cross_site_reads: Whether pages of other sites may load something with the cookie, such as a picture. With
            ``False`` they get 403, unless they only open a page. Responses to accepted requests then have
            ``Cross-Origin-Resource-Policy: same-origin``, unless the app has set the field.
        keep_query: Names of query parameters. The way back to a page includes its query only if all its parameters are
            named here, because addresses are logged, and a query may hold a secret.
        redirect_posts: Also redirect browsers that send a form to the login page (303). What they sent is lost, and
            the way back is the page with the form.
        htmx: For pages that use htmx: the 401 gets ``HX-Redirect``, so that htmx opens the login page.

    Raises:
        ConfigurationError: If a value is out of range, or isn't an origin.
        TypeError: If a value has the wrong type.
    """

    name = "Cookie"
    reads: tuple[tuple[str, str], ...] = (FLASK_SESSION,)
    ambient = True
    credential_kind = "session"
    static = False
    needs_loader = True
    names_subject: ClassVar[bool] = True
    _credential = "the subject of the session"
    knows_login: ClassVar[bool] = True

    @explains_arguments()
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        login_view: str | None = None,
        logout_view: str | None = None,
        lifetime: int | timedelta = 12 * 3600,
        idle: int | timedelta | None = 3600,
        store: Store | None = _NO_STORE,
        remember: int | timedelta | None = None,
        subject: Callable[[Any], str] | None = None,
        trusted_origins: Iterable[str] = (),
        cross_site_reads: bool = True,
        keep_query: Iterable[str] = SHOWN_PARAMETERS,
        redirect_posts: bool = False,
        htmx: bool = False,
    ) -> None:
        super().__init__(loader, realm=realm)
        self.login_view = validated_view("login_view", login_view)
        self.depends_on_script = login_view is not None  # pages are redirected, scripts aren't
        self.logout_view = validated_view("logout_view", logout_view)
        self.lifetime = validated_whole_seconds("lifetime", lifetime, least=1)
        self.idle = None if idle is None else validated_whole_seconds("idle", idle, least=1)
        self._accepts_no_store = store is None
        self.store = None if store is None or store is _NO_STORE else validated_store(store)
        self._use_interval = use_interval(self.idle)
        self.remember = None if remember is None else validated_whole_seconds("remember", remember, least=1)
        self._entries: SessionEntries | None = None
        self._remembered: RememberedLogins | None = None
        if self.store is not None:
            self._entries = SessionEntries(self.store, self.lifetime, self.idle, self.remember)
            if self.remember is not None:
                self._remembered = RememberedLogins(self, self._entries, self.remember)
                self.reads = (FLASK_SESSION, REMEMBER_COOKIE)
        self._subject = subject
        self.trusted_origins = validated_origins(trusted_origins)
        self.cross_site_reads = validated_flag("cross_site_reads", cross_site_reads)
        self.keep_query = _validated_names(keep_query)
        self.redirect_posts = validated_flag("redirect_posts", redirect_posts)
        self.htmx = validated_flag("htmx", htmx)
        for option in ("redirect_posts", "htmx"):
            if getattr(self, option) and login_view is None:
                raise ConfigurationError(f"{option}=True needs a login page: set login_view=")
        self.login_redirect_varies = (*(("Referer",) if redirect_posts else ()), *(HTMX_FIELDS if htmx else ()))

    # --- the interface of a scheme

    def check(self, app: Flask) -> None:
        super().check(app)
        count = sum(isinstance(scheme, SessionCookie) for scheme in readable_app_state(app).schemes)
        if count > 1:  # There is one session, so login() can't know for which scheme it is.
            raise ConfigurationError(
                f"this Auth has {count} SessionCookie schemes, and logging in needs exactly one. For two kinds of "
                "users, give its loader subjects such as 'staff:7' and 'customer:7', and tell the kinds apart by roles"
            )
        if isinstance(app.session_interface, SecureCookieSessionInterface):
            check_secret_key(app)
            warn_of_shorter_lifetime(app, self.lifetime, self.idle)
            mention_sha1(app)
            if self.store is None and not self._accepts_no_store:
                warn_of_copied_cookies(app)
        check_session_cookie(app)
        warn_of_exposed_cookie(app)
        warn_of_session_fixation(app)
        if self.remember is not None:
            self.device_entries("remember=")
            warn_of_short_memory(app, self.remember)
        if self.store is not None:
            self.store.check()
            self._check_processes(app, self.store)
            warn_of_default_realm(self, app, "Sessions")
        if self.login_view is not None and not is_absolute_url(self.login_view):
            check_page(app, "login_view", self.login_view)
            if readable_app_state(app).is_guarded(self.login_view):
                raise ConfigurationError(
                    f"login_view={self.login_view!r} demands a login itself, so that no user could log in: mark it "
                    "@auth.public"
                )
            warn_if_unbuildable(app, "login_view", self.login_view)
        if self.logout_view is not None:
            check_page(app, "logout_view", self.logout_view)
            warn_if_unbuildable(app, "logout_view", self.logout_view)

    def read(self, request: Request, rest: str | None) -> LoginRecord | PresentedCookie | None:
        current = _real_session()
        content = current.get(SESSION_KEY)
        if content is None:
            if not current and request.cookies:
                self._note_unreadable_cookie(request)
            return None if self._remembered is None else self._remembered.read(request, self.realm_in_force())
        login = read_record(content)
        if login is None or not self._is_alive(login) or login.realm != self.realm_in_force():
            if login is None or login.realm == self.realm_in_force():
                self.forget()  # It isn't a credential any more (RFC 9110 §11.4). An app of another realm may share it.
            state = scheme_state(request)
            if state is not None:
                state.dropped_reason = self._dropped_reason(login)
            return None if self._remembered is None else self._remembered.read(request, self.realm_in_force())
        return login

    def verify(self, credentials: LoginRecord | PresentedCookie, request: Request) -> object | None:
        if isinstance(credentials, PresentedCookie):
            return self._verify_cookie(credentials, request)
        try:
            if self._entries is not None and self._was_ended(credentials, request):
                raise session_ended()
            user: object = self.load(credentials.subject)
        except SessionStolen:  # The session stays, so that the next page says it as well. A login replaces it.
            raise
        except InvalidCredentials:
            self._forget_rejected(credentials)
            raise
        if user is None or user is False:
            self._forget_rejected(credentials)
            return user
        now = time.time()
        if now - credentials.last_used > self._use_interval:  # Most requests need to note nothing.
            if self._entries is not None and self._entries.lists_devices:
                self._entries.note_use(credentials, device_label)
            if self.idle is not None:
                credentials.last_used = now
                session[SESSION_KEY] = credentials.to_session()
        return user

    def _verify_cookie(self, cookie: PresentedCookie, request: Request) -> object:
        assert self._remembered is not None
        assert self.store is not None
        self.store.check_workers(request.environ)
        return self._remembered.verify(cookie, request)

    def subject(self, credentials: LoginRecord | PresentedCookie) -> str | None:
        return credentials.subject

    def login_of(self, credentials: LoginRecord | PresentedCookie) -> tuple[float, str | None]:
        return credentials.auth_time, credentials.acr

    def identity_with_login(self, identity: Identity, credentials: LoginRecord | PresentedCookie) -> Identity:
        auth_time, acr = self.login_of(credentials)
        issuer = credentials.issuer
        if issuer is not None and identity.subject != credentials.subject:
            issuer = None  # It names the subject of the login, and the loader gave another one.
        return with_login(identity, auth_time, acr, credentials.amr, issuer)

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        page = self.login_url()
        form: tuple[tuple[str, str], ...] = ()
        if page is not None and page.isascii() and page.isprintable():
            form = (("form-action", page),)
        cookie = ("cookie-name", current_app.config["SESSION_COOKIE_NAME"])
        return (Challenge(self.name, (("realm", realm), *form, cookie, *error_params(error))),)

    def responds(self) -> bool:
        return not self.cross_site_reads

    def respond(self, response: Response, accepted: bool) -> None:
        if accepted:
            response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")

    # --- the pages

    def login_url(self, way_back: str | None = None) -> str | None:
        """Return the URL of the login page.

        Args:
            way_back: The value of its parameter ``next``.

        Returns:
            The URL. ``None`` if there is no login page, or if it has no URL in this request.
        """
        if self.login_view is None:
            return None
        query = {} if way_back is None else {"next": way_back}
        if not is_absolute_url(self.login_view):
            return build_url("login_view", self.login_view, query)
        return self.login_view + (f"{'&' if '?' in self.login_view else '?'}{urlencode(query)}" if query else "")

    def logout_url(self) -> str | None:
        """Return the URL of the logout; ``None`` if there is none, or if it has no URL in this request."""
        return None if self.logout_view is None else build_url("logout_view", self.logout_view, {})

    # --- logins

    def _check_processes(self, app: Flask, store: Store) -> None:
        """Warn if processes don't share the store. With ``remember``, people notice that as a lost login."""
        if self.remember is None:
            store.check_processes(app, "SessionCookie: ended sessions")
        else:
            store.check_processes(
                app,
                "SessionCookie: ended sessions and remembered logins",
                consequence="another process accepts ended sessions again and forgets remembered logins, as this one "
                "does after a restart",
            )

    def subject_of(self, who: Any, call: str = "login()") -> str:
        """Return the subject of a user.

        Args:
            who: An `Identity`, a subject, or a user object.
            call: The method that needs the user, for the message.

        Raises:
            TypeError: If ``who`` has no subject, or is the identity of a token: another issuer may have another user of
                the same name.
        """
        if isinstance(who, Identity):
            if "iss" in who.claims:
                raise TypeError(
                    f"{call} was given the identity of a token, and another issuer may have another user of that name: "
                    "give it your own user, or a subject that names the issuer as well"
                )
            found = who.subject
        elif isinstance(who, str):
            found = who
        elif self._subject is not None:
            found = self.call_option("subject=", self._subject, who)
        else:
            found = self.call_option("get_id()", who.get_id) if hasattr(who, "get_id") else None
        if not isinstance(found, str) or not found:
            raise TypeError(_names_no_user_message(who, call))
        return found

    def cookie_change(self, request: Request) -> CookieChange | None:
        """Return what the response to a request does to the remember cookie; ``None`` if nothing."""
        return None if self._remembered is None else self._remembered.change_of(request)

    def public_session_id(self) -> str | None:
        login = self.current_login()
        return None if login is None else public_id(login.session_id)

    def end_all(self, subject: str) -> None:
        """End all sessions that a user has begun until now, in this realm.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If there is no store.
        """
        if self._entries is None:
            raise ConfigurationError("end_sessions() needs a store: SessionCookie(load, store=SQLiteStore(path))")
        self._entries.end_all(subject, self.realm_in_force())

    def end_all_users(self) -> None:
        """End all sessions that any user has begun until now, in this realm.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If there is no store.
        """
        if self._entries is None:
            raise ConfigurationError("end_all_sessions() needs a store: SessionCookie(load, store=SQLiteStore(path))")
        self._entries.end_all_users(self.realm_in_force())

    def forget(self) -> None:
        """Remove the login from the session. Other content of the session stays."""
        session.pop(SESSION_KEY, None)

    # --- devices

    def device_entries(self, use: str) -> SessionEntries:
        """Return what the store remembers of devices.

        Args:
            use: What needs it, for the message, such as ``"sessions()"``.

        Raises:
            ConfigurationError: If no store lists devices.
        """
        if self._entries is None:
            raise ConfigurationError(f"{use} needs a store: SessionCookie(load, store=SQLiteStore(path))")
        if not self._entries.lists_devices:
            raise ConfigurationError(
                f"{use} needs a store that can replace an entry atomically, and {type(self.store).__name__} can't: "
                "implement _replace() in it, or use SQLiteStore, RedisStore or MemoryStore"
            )
        return self._entries

    def end_session(self, shown_id: str, subject: str) -> bool:
        """End one device of a user. Return whether it was alive.

        Args:
            shown_id: `DeviceSession.id`.
            subject: The user. The devices of others stay.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If no store lists devices.
        """
        entries, realm = self.device_entries("end_session()"), self.realm_in_force()
        return any(
            entries.end_found(found, realm)
            for found in entries.devices(subject, realm)
            if public_id(found.session_id) == shown_id
        )

    def end_by_provider(
        self, issuer: str, *, sid: str | None = None, subject: str | None = None
    ) -> list[tuple[str, str]]:
        """End devices whose users logged in at an identity provider, in this realm.

        Args:
            issuer: The provider, as `Auth.login` was given it.
            sid: The session at the provider. Only devices that were begun with it end.
            subject: The user. Without ``sid``, all devices of the user end that were begun with this provider. With
                ``sid``, only devices of this user end.

        Returns:
            Of each device that ended, its user and its id as `Auth.sessions` lists it.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If no store lists devices.
            TypeError: If neither ``sid`` nor ``subject`` is given.
        """
        entries, realm = self.device_entries("a logout by the provider"), self.realm_in_force()
        if sid is None and subject is None:
            raise TypeError("end_by_provider() needs sid= or subject=: they say whose devices end")
        entries.note_provider_logout(realm, issuer, sid=sid, subject=subject)
        if sid is not None:
            found: Iterable[StoredDevice] = entries.devices_at_provider(issuer, sid, realm)
        else:
            found = entries.devices(subject or "", realm)
        return [
            (one.device.subject, public_id(one.session_id))
            for one in found
            if one.device.issuer == issuer and subject in (None, one.device.subject) and entries.end_found(one, realm)
        ]

    def current_login(self) -> LoginRecord | None:
        """Return the login in the session if it is of this realm and alive. Neither store nor loader is asked."""
        login = read_record(session.get(SESSION_KEY))
        return login if login is not None and self._is_alive(login) and login.realm == self.realm_in_force() else None

    # --- inside

    def _forget_rejected(self, login: LoginRecord) -> None:
        """Remove a login from the session. One that `Auth.login` tries isn't there: the previous one ends by `end`."""
        current = read_record(session.get(SESSION_KEY))
        if current is not None and current.session_id == login.session_id:
            self.forget()

    def _is_alive(self, login: LoginRecord) -> bool:
        now = time.time()
        is_idle = self.idle is not None and now > login.last_used + self.idle
        return not is_idle and now <= login.begun + self.lifetime

    def _note_unreadable_cookie(self, request: Request) -> None:
        """Note that the session's cookie came, and that Flask opened an empty session."""
        app = _real_app()
        name = app.session_interface.get_cookie_name(app)
        state = scheme_state(request)
        if state is not None and name in request.cookies:
            state.dropped_reason = (
                f"Cookie: the cookie {shown(name)} came, but Flask's session is empty: the cookie was signed with "
                "another SECRET_KEY, or the session has ended"
            )

    def _dropped_reason(self, login: LoginRecord | None) -> str:
        if login is None:
            return "Cookie: the login in the session is not as auth.login() writes it: log in again"
        realm = self.realm_in_force()
        if login.realm != realm:
            return (
                f"Cookie: the session is of the realm {shown(login.realm)}, and the realm in force is {shown(realm)} "
                "(realm= of the scheme, of Auth, or UNAUTHORIZED_REALM)"
            )
        age = time.time() - login.begun
        if age > self.lifetime:
            return f"Cookie: the session began {age:.0f} s ago, and lifetime={self.lifetime}: log in again"
        unused = time.time() - login.last_used
        return f"Cookie: the session was last used {unused:.0f} s ago, and idle={self.idle}: log in again"

    def _was_ended(self, login: LoginRecord, request: Request) -> bool:
        if self.store is None or self._entries is None:
            return False
        self.store.check_workers(request.environ)
        return self._entries.was_ended(login)

    def realm_in_force(self) -> str:
        """Return the realm of logins in the current app."""
        return readable_app_state(_real_app()).realm if self.realm is None else self.realm


def _validated_names(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise TypeError(f'keep_query={names!r} is a bare string: write {{"{names}"}}')
    found = tuple(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"keep_query must hold str, not {type(name).__name__}")
    return frozenset(found)


def _names_no_user_message(who: Any, call: str) -> str:
    """Say what to pass in place of a value that names no user."""
    takes = f"{call} takes an Identity with a subject, a subject or a user with get_id(), not "
    if isinstance(who, str):
        return f"{takes}an empty str: pass the subject that your loader gets"
    if isinstance(who, Identity):
        return f"{takes}an Identity without one: write Identity(str(user.id), user=user)"
    if who is None or getattr(who, "is_anonymous", None) is True:
        given = "None" if who is None else "an anonymous caller"
        return (
            f"{takes}{given}: pass the user whom you looked up, or guard the view with @auth.login_required and pass "
            "auth.identity"
        )
    if isinstance(who, int) and not isinstance(who, bool):
        return f"{takes}int: subjects are texts, so write str(user.id)"
    return f"{takes}{type(who).__name__}: SessionCookie(subject=lambda user: str(user.id)) says what names your users"
