"""`SessionCookie`: people in browsers, authenticated by Flask's session.

``auth.login()`` writes a `LoginRecord` into the session, and this scheme reads it on each request:

1. `SessionCookie.read` returns the record if it is whole, of this realm, and neither too old nor idle for too long. Any
   other record is removed from the session, because it isn't a credential any more, and the cookie should go. The
   request is treated like one without credentials; only its private reason says why.
2. `SessionCookie.verify` asks the store whether the session has ended, then the loader for the user. A rejected user is
   removed from the session. An accepted one is noted as active, at most once in
   `USE_INTERVAL` seconds, because each
   note sends the cookie again.

These rules hold for logins and logouts:

- A login replaces everything in the session, and a session on the server gets a new id. Nothing that someone else
  planted before the login survives it (session fixation).
- A logout ends copies of the cookie only if the session would be accepted now. Dead cookies lie in backups and logs. If
  they counted, anyone who sends one could end sessions that its user has begun since.
- A logout empties the session in this browser in any case, even if store or loader fail.

The other parts have modules of their own: `session_record` (what the session holds), `session_entries` (what the store
remembers), `devices` (what it remembers of a login),
`page_urls` (the login page and the logout page), and `session_settings` (checks of Flask's settings).
"""

import secrets
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from flask import Flask, Request, current_app, session
from flask import request as request_proxy
from flask.sessions import SecureCookieSessionInterface

from ..arguments import explains_arguments, validated_flag, validated_whole_seconds
from ..errors import AuthError, ConfigurationError, InvalidCredentials, SessionStolen
from ..errors.text import shown
from ..identity import Identity
from ..stores.base import Store, validated_store
from ..wire import Challenge
from ..wire.fetch_metadata import HTMX_FIELDS
from .base import FLASK_SESSION, REMEMBER_COOKIE, Loader, Scheme, error_params
from .devices import Device, DeviceSession, label_of, public_id
from .origins import validated_origins
from .page_urls import build_url, check_page, is_absolute_url, validated_view, warn_if_unbuildable
from .remember_cookie import PresentedCookie
from .remembered_logins import CookieChange, RememberedLogins
from .session_entries import FoundDevice, SessionEntries, use_interval
from .session_record import SESSION_KEY, LoginRecord, is_time, read_record
from .session_settings import (
    check_secret_key,
    check_session_cookie,
    warn_of_exposed_cookie,
    warn_of_session_fixation,
    warn_of_shorter_lifetime,
)
from .state_access import readable_app_state, scheme_state, warn_of_default_realm

_real_session: Final = session._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_real_request: Final = request_proxy._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_real_app: Final = current_app._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
SHOWN_PARAMETERS: Final = frozenset({"lang", "page", "q", "sort", "tab"})
"""Names of query parameters that say what a page shows, and hold no secret."""


_ENDED_REASON: Final = "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"


class SessionCookie(Scheme[LoginRecord | PresentedCookie]):
    """Authenticate people in browsers by Flask's session, after ``auth.login()``.

    The loader gets the subject, a ``str``, on each request, and returns what any loader may return. A user whom you
    delete or lock is therefore logged out at their next request. The session holds the subject, and no other data of
    the user that could become outdated.

    The challenge is the private scheme ``Cookie realm="…", form-action="/login", cookie-name="session"``. No scheme is
    registered for cookies, and a 401 needs a challenge (RFC 9110 §11.6.1).

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
            too, and ``auth.end_sessions(subject)`` ends all sessions of a user.
        remember: How long ``auth.login(user, remember=True)`` remembers a login, by a second cookie: seconds or a
            `timedelta`, counted from the login. The cookie opens a new session when ``lifetime`` or ``idle`` has ended
            the last one. It needs a store that can replace an entry, as those of this package can. ``None``: logins
            aren't remembered.
        subject: Returns the subject of a user object, for ``auth.login(user)``. Default: the user's ``get_id()``.
        trusted_origins: Other sites whose pages may send unsafe requests with the cookie. All others get 403. Origins
            of apps and browser extensions are possible (``capacitor://localhost``).
        keep_query: Names of query parameters. The way back to a page includes its query only if all its parameters are
            named here, because addresses are logged, and a query may hold a secret.
        redirect_posts: Also redirect browsers that send a form to the login page (303). What they sent is lost, and
            the way back is the page with the form.
        htmx: Lead people to the login page whose page asks by htmx: the 401 gets ``HX-Redirect``.

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
        store: Store | None = None,
        remember: int | timedelta | None = None,
        subject: Callable[[Any], str] | None = None,
        trusted_origins: Iterable[str] = (),
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
        self.store = None if store is None else validated_store(store)
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
        check_session_cookie(app)
        warn_of_exposed_cookie(app)
        warn_of_session_fixation(app)
        if self.remember is not None:
            self.device_entries("remember=")
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
        content = _real_session().get(SESSION_KEY)
        if content is None:
            return None if self._remembered is None else self._remembered.read(request, self._realm())
        login = read_record(content)
        if login is None or not self._is_alive(login) or login.realm != self._realm():
            if login is None or login.realm == self._realm():
                self.forget()  # It isn't a credential any more (RFC 9110 §11.4). An app of another realm may share it.
            state = scheme_state(request)
            if state is not None:
                state.dropped_reason = self._dropped_reason(login)
            return None if self._remembered is None else self._remembered.read(request, self._realm())
        return login

    def verify(self, credentials: LoginRecord | PresentedCookie, request: Request) -> object | None:
        if isinstance(credentials, PresentedCookie):
            return self._verify_cookie(credentials, request)
        try:
            if self._entries is not None and self._was_ended(credentials, request):
                raise InvalidCredentials(reason=_ENDED_REASON)
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
                self._entries.note_use(credentials, _label)
            if self.idle is not None:
                credentials.last_used = now
                session[SESSION_KEY] = credentials.to_session()
        return user

    def _verify_cookie(self, cookie: PresentedCookie, request: Request) -> object:
        assert self._remembered is not None
        assert self.store is not None
        self.store.check_workers(request.environ)
        return self._remembered.verify(cookie, request, _open_session)

    def subject(self, credentials: LoginRecord | PresentedCookie) -> str | None:
        return credentials.subject

    def login_of(self, credentials: LoginRecord | PresentedCookie) -> tuple[float, str | None]:
        return credentials.auth_time, credentials.acr

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        page = self.login_url()
        form: tuple[tuple[str, str], ...] = ()
        if page is not None and page.isascii() and page.isprintable():
            form = (("form-action", page),)
        cookie = ("cookie-name", current_app.config["SESSION_COOKIE_NAME"])
        return (Challenge(self.name, (("realm", realm), *form, cookie, *error_params(error))),)

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

    # --- logging in and out

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

    def new_login(self, subject: str, acr: str | None, auth_time: float | None) -> LoginRecord:
        """Return the record of a login that begins now. It isn't in the session yet.

        Args:
            subject: The user's subject.
            acr: The class of the login.
            auth_time: When the user authenticated, in seconds since 1970. ``None`` means now.

        Raises:
            AuthUnavailable: If the store can't be asked.
            TypeError: If ``acr`` or ``auth_time`` has the wrong type.
        """
        if acr is not None and not isinstance(acr, str):
            raise TypeError(f"acr must be a str, not {type(acr).__name__}")
        if auth_time is not None and not is_time(auth_time):
            raise TypeError(f"auth_time must be a number of seconds since 1970, not {auth_time!r}")
        now = time.time()
        realm = self._realm()
        return LoginRecord(
            subject,
            auth_time=now if auth_time is None else auth_time,
            acr=acr,
            session_id=secrets.token_urlsafe(16),
            begun=self._begin_time(subject),
            last_used=now,
            is_repeated=self._current() is not None,
            realm=realm,
        )

    def check_login(self, *, remember: bool, issuer: str | None, sid: str | None) -> None:
        """Check arguments of `Auth.login`, before anything is changed.

        Raises:
            ConfigurationError: If the scheme doesn't remember logins, or if no store lists devices.
            TypeError: If an argument has the wrong type, or if there is ``sid`` without ``issuer``.
        """
        for name, value in (("issuer", issuer), ("sid", sid)):
            if value is not None and (not isinstance(value, str) or not value):
                raise TypeError(f"{name} must be a non-empty str or None, not {value!r}")
        if sid is not None and issuer is None:
            raise TypeError("sid= needs issuer=, because two providers may have a session of one name")
        if issuer is not None:
            self.device_entries("login(issuer=)")
        if validated_flag("remember", remember) and self._remembered is None:
            raise ConfigurationError(
                "login(remember=True) needs a scheme that remembers logins: "
                "SessionCookie(load, store=SQLiteStore(path), remember=timedelta(days=30))"
            )

    def begin(
        self,
        login: LoginRecord,
        request: Request,
        *,
        remember: bool = False,
        issuer: str | None = None,
        sid: str | None = None,
        user_was_loaded: bool = False,
    ) -> None:
        """Put a login into the session, in place of everything that was there. ``session.permanent`` stays.

        Args:
            login: What `new_login` returned.
            request: The request.
            remember: Whether the login is remembered.
            issuer: The identity provider where the user logged in.
            sid: The session there.
            user_was_loaded: As in `end`.
        """
        device = Device(subject=login.subject, created=login.begun, label=_label(), issuer=issuer, sid=sid)
        secret = self._remembered.begin(device, login) if remember and self._remembered is not None else None
        replaced = self._logins_of(request)
        self._enter(login, device, replaced[0].session_id if replaced else None)
        if self._end_copies(replaced, request, user_was_loaded):
            # All sessions of the user ended, this login included, unless it begins later.
            login.begun = device.created = self._begin_time(login.subject)
            self._enter(login, device)
        is_permanent = getattr(session, "permanent", False)
        session.clear()
        if is_permanent:
            session.permanent = True
        session[SESSION_KEY] = login.to_session()
        _renew_id()
        if self._remembered is None:
            return
        if secret is None:
            self._remembered.drop(request, login.realm, if_sent=True)
        else:
            self._remembered.send(request, login, device, secret)

    def end(self, request: Request, *, user_was_loaded: bool = False) -> None:
        """End the session in this browser. With a store, also end all copies of its cookie.

        Args:
            request: The request.
            user_was_loaded: Whether the loader has accepted the user of this session in this request. It isn't called
                again then.
        """
        try:
            self._end_copies(self._logins_of(request), request, user_was_loaded)
        finally:  # The user may leave the browser now, whatever the store responds.
            _renew_id()
            session.clear()
            if self._remembered is not None:
                self._remembered.drop(request, self._realm(), if_sent=False)

    def confirmed_login(self, current: LoginRecord, acr: str | None) -> LoginRecord:
        """Return the record of a login that its user has confirmed now. It has a new id, and isn't in the session yet.

        Args:
            current: The login in the session.
            acr: The class of the login from now on. ``None`` leaves it as it is.

        Raises:
            TypeError: If ``acr`` has the wrong type.
        """
        if acr is not None and not isinstance(acr, str):
            raise TypeError(f"acr must be a str, not {type(acr).__name__}")
        now = time.time()
        return LoginRecord(
            current.subject,
            auth_time=now,
            acr=current.acr if acr is None else acr,
            session_id=secrets.token_urlsafe(16),
            begun=current.begun,  # So it ends with all sessions of the user that began before.
            last_used=now,
            is_repeated=True,
            realm=current.realm,
        )

    def renew(self, current: LoginRecord, login: LoginRecord, request: Request) -> None:
        """Put a confirmed login into the session in place of ``current``, whose copies end. Other content stays.

        A remembered login moves along: its cookie gets a new id and a new secret. Its sessions have the time and the
        class of the original login, because a confirmation holds for the session in which it was made.

        Args:
            current: The login in the session.
            login: What `confirmed_login` returned.
            request: The request.

        Raises:
            AuthUnavailable: If the store can't be asked. The session stays as it was.
            InvalidCredentials: If the login has ended in the meantime.
        """
        device = self._device_of(current, login)
        secret: str | None = None
        if device is not None:
            if device.is_remembered and self._remembered is not None:
                secret = self._remembered.renew(device)
            self._enter(login, device, current.session_id)
        if self._entries is not None and self._entries.end(current):
            login.begun = self._begin_time(login.subject)
            if device is not None:
                device.created = login.begun
                self._enter(login, device)
        session[SESSION_KEY] = login.to_session()
        _renew_id()
        if device is not None and secret is not None and self._remembered is not None:
            self._remembered.send(request, login, device, secret)

    def _device_of(self, current: LoginRecord, login: LoginRecord) -> Device | None:
        """Return the device of the current login, which a confirmation moves to another id; ``None`` without a list."""
        if self._entries is None or not self._entries.lists_devices:
            return None
        entry, found = self._entries.find(current.realm, current.session_id)
        if found is not None:
            return found.device
        if entry is not None:
            raise InvalidCredentials(reason=_ENDED_REASON)
        return Device(subject=login.subject, created=login.begun, label=_label())

    def cookie_change(self, request: Request) -> CookieChange | None:
        """Return what the response to a request does to the remember cookie; ``None`` if nothing."""
        return None if self._remembered is None else self._remembered.change_of(request)

    def end_all(self, subject: str) -> None:
        """End all sessions that a user has begun until now, in this realm.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If there is no store.
        """
        if self._entries is None:
            raise ConfigurationError("end_sessions() needs a store: SessionCookie(load, store=SQLiteStore(path))")
        self._entries.end_all(subject, self._realm())

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

    def sessions_of(self, subject: str, current: LoginRecord | None) -> list[DeviceSession]:
        """Return the devices of a user that are alive, the newest use first.

        Args:
            subject: The user.
            current: The login in the session of this request, or ``None``.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If no store lists devices.
        """
        found = self.device_entries("sessions()").devices(subject, self._realm())
        current_id = None if current is None else current.session_id
        return sorted(
            (
                DeviceSession(
                    public_id(session_id), device.created, seen, device.is_remembered, session_id == current_id,
                    device.label,
                )
                for session_id, seen, device in found
            ),
            key=lambda shown: (-shown.last_seen, -shown.created),
        )  # fmt: skip

    def end_session(self, shown_id: str, subject: str) -> bool:
        """End one device of a user. Return whether it was alive.

        Args:
            shown_id: `DeviceSession.id`.
            subject: The user. The devices of others stay.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If no store lists devices.
        """
        entries, realm = self.device_entries("end_session()"), self._realm()
        return any(
            entries.end_found(found, realm)
            for found in entries.devices(subject, realm)
            if public_id(found.session_id) == shown_id
        )

    def end_by_provider(self, issuer: str, *, sid: str | None = None, subject: str | None = None) -> int:
        """End devices whose users logged in at an identity provider, in this realm.

        Args:
            issuer: The provider, as `Auth.login` was given it.
            sid: The session at the provider. Only devices that were begun with it end.
            subject: The user. Without ``sid``, all devices of the user end that were begun with this provider. With
                ``sid``, only devices of this user end.

        Returns:
            How many devices ended.

        Raises:
            AuthUnavailable: If the store can't be asked.
            ConfigurationError: If no store lists devices.
            TypeError: If neither ``sid`` nor ``subject`` is given.
        """
        entries, realm = self.device_entries("a logout by the provider"), self._realm()
        if sid is not None:
            found: Iterable[FoundDevice] = entries.devices_at_provider(issuer, sid, realm)
        elif subject is not None:
            found = entries.devices(subject, realm)
        else:
            raise TypeError("end_by_provider() needs sid= or subject=: otherwise it is open whose devices end")
        return sum(
            entries.end_found(one, realm)
            for one in found
            if one.device.issuer == issuer and subject in (None, one.device.subject)
        )

    def current_login(self) -> LoginRecord | None:
        """Return the login in the session, if it is of this realm and alive. Neither store nor loader is asked."""
        return self._current()

    # --- inside

    def _enter(self, login: LoginRecord, device: Device, replaced_id: str | None = None) -> None:
        if self._entries is not None and self._entries.lists_devices:
            self._entries.enter(login, device, replaced_id)

    def _logins_of(self, request: Request) -> list[LoginRecord]:
        """Return the logins that this browser has: that of its session, and that of its remember cookie."""
        login = self._current()
        found = [] if login is None else [login]
        if self._remembered is not None:
            remembered = self._remembered.find_login(request, self._realm())
            if remembered is not None and (login is None or remembered.session_id != login.session_id):
                found.append(remembered)
        return found

    def _forget_rejected(self, login: LoginRecord) -> None:
        """Remove a login from the session. One that `Auth.login` tries isn't there: the previous one ends by `end`."""
        current = read_record(session.get(SESSION_KEY))
        if current is not None and current.session_id == login.session_id:
            self.forget()

    def _end_copies(self, logins: list[LoginRecord], request: Request, user_was_loaded: bool) -> bool:
        """End logins in the store. Return whether that ended all sessions of a user."""
        return any([self._end_copies_of(login, request, user_was_loaded) for login in logins])  # noqa: C419  # all end

    def _end_copies_of(self, login: LoginRecord, request: Request, user_was_loaded: bool) -> bool:
        if self._entries is None:
            return False
        try:
            if self._was_ended(login, request):
                return False
        except SessionStolen:
            return False
        accepted = True
        try:
            if not user_was_loaded:
                user: object = self.load(login.subject)
                accepted = user is not None and user is not False
        except AuthError as error:  # If the loader is unavailable, the user may exist, and wants the session to end.
            accepted = not isinstance(error, InvalidCredentials)
        finally:  # If the loader is broken, the session ends as well, and the exception passes.
            all_ended = accepted and self._entries.end(login)
        return all_ended

    def _current(self) -> LoginRecord | None:
        """Return the login in the session if it is of this realm and alive. Neither store nor loader is asked."""
        login = read_record(session.get(SESSION_KEY))
        return login if login is not None and self._is_alive(login) and login.realm == self._realm() else None

    def _is_alive(self, login: LoginRecord) -> bool:
        now = time.time()
        is_idle = self.idle is not None and now > login.last_used + self.idle
        return not is_idle and now <= login.begun + self.lifetime

    def _dropped_reason(self, login: LoginRecord | None) -> str:
        if login is None:
            return "Cookie: the login in the session is not as auth.login() writes it: log in again"
        realm = self._realm()
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

    def _begin_time(self, subject: str) -> float:
        return time.time() if self._entries is None else self._entries.begin_time(subject, self._realm())

    def _realm(self) -> str:
        return readable_app_state(_real_app()).realm if self.realm is None else self.realm


def _open_session(login: LoginRecord, is_new: bool) -> None:
    """Put a login into the session whose content stays. One that isn't new leaves the session as unmodified as it was.

    So the response to a repeated request sends no session cookie because of it.
    """
    was_modified = session.modified
    session[SESSION_KEY] = login.to_session()
    if is_new:
        _renew_id()
    elif not was_modified:
        session.modified = False


def _label() -> str:
    """Return the name of the device that sent this request."""
    return label_of(_real_request().headers.get("User-Agent"))


def _renew_id() -> None:
    """Give a session on the server a new id, if its interface can do that (Flask-Session).

    Call it while the session has content: an empty one keeps its id there, which an attacker may have planted.
    """
    renew = getattr(current_app.session_interface, "regenerate", None)
    if callable(renew) and session:
        renew(session)


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
        return (
            f"{takes}{'None' if who is None else 'an anonymous caller'}: pass the user whom you looked up, or guard "
            "the view with @auth.login_required and pass auth.identity"
        )
    if isinstance(who, int) and not isinstance(who, bool):
        return f"{takes}int: subjects are texts, so write str(user.id)"
    return f"{takes}{type(who).__name__}: SessionCookie(subject=lambda user: str(user.id)) says what names your users"
