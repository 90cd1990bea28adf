"""`SessionCookie`: callers who logged in, by Flask's session."""

import logging
import math
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import Context, ContextVar
from operator import itemgetter
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from flask import Flask, Request, current_app, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from werkzeug.routing import BuildError

from ..arguments import explains_arguments, near_endpoint
from ..errors import AuthError, ConfigurationError, InvalidCredentials, configured_seconds
from ..identity import Identity
from ..stores.base import MAX_LIFETIME, Store, checked_store
from ..wire import Challenge
from .base import Loader, Scheme, error_params, warn_of_default_realm, warn_once
from .origins import trusted
from .secret_keys import secret_keys

log: Final = logging.getLogger("flask_unauthorized")
KEY: Final = "_unauthorized"
"""The key of the session under which the login stands."""
_FIELDS: Final = ("sub", "at", "acr", "sid", "begun", "seen", "again", "realm")
_NAMES: Final = frozenset(_FIELDS)
_real_session: Final = session._get_current_object  # type: ignore[attr-defined]  # a LocalProxy has it
_values: Final = itemgetter(*_FIELDS)
_NUMBERS: Final = (float, int)  # as JSON tells them; no bool
MAX_ENDED: Final = 100
"""Most sessions of one user that the store remembers as ended, one by one.

Beyond that number a logout ends all sessions of the user, so that no user can fill the store by logging in and out.
"""
_SEEN_EVERY: Final = 60
"""Seconds between two notes of when the session was used, at most: each one is a cookie to send."""
_SKEW: Final = 60
"""How far the clocks of two machines may be apart, in seconds, where one ends what the other began."""
KEPT_QUERY: Final = frozenset({"lang", "page", "q", "sort", "tab"})
"""Names of parameters that say what a page shows, and hold no secret."""
_DEFAULTS: Final = "give its variables a default for all requests with @app.url_defaults"
_builds_url: Final = ContextVar("_builds_url", default=False)
_ENDED: Final = "ended"
"""What the store holds for an ended session; a claim alone, of a logout that failed, is something else."""
_ENDED_REASON: Final = "Cookie: the session was ended by logout() or end_sessions(), as store= knows: log in again"
_WEAK: Final = frozenset({"dev", "secret", "change me", "changeme", "secret key", "secret_key", "key"})


class Login:
    """A login as the session tells it. Its ``repr`` shows nothing.

    ``at`` is when the user authenticated (elsewhere perhaps, and earlier), ``begun`` when the session began, ``seen``
    when it was used last, each in seconds since 1970; ``again`` says that it took the place of another login, and
    ``realm`` where it is good: another app with the same key, or the next tenant, has other users of that name.
    """

    __slots__ = ("acr", "again", "at", "begun", "realm", "seen", "sid", "subject")

    def __init__(
        self, subject: str, at: float, acr: str | None, sid: str, begun: float, seen: float, again: bool, realm: str
    ) -> None:
        self.subject = subject
        self.at = at
        self.acr = acr
        self.sid = sid
        self.begun = begun
        self.seen = seen
        self.again = again
        self.realm = realm

    def __repr__(self) -> str:
        return "<Login>"

    def content(self) -> dict[str, Any]:
        """What the session keeps, as JSON can."""
        values = (self.subject, self.at, self.acr, self.sid, self.begun, self.seen, self.again, self.realm)
        return dict(zip(_FIELDS, values, strict=True))


class SessionCookie(Scheme[Login]):
    """Authenticates people in browsers by Flask's session, after ``auth.login()``.

    The loader gets the subject, a ``str``, on each request, and returns what any loader may return. A user whom you
    delete or lock is therefore logged out at their next request. The session holds the subject, and nothing else of
    the user that could become outdated.

    - ``login_view``: the endpoint of the login page (or, where that is elsewhere, its URL). A browser that opens a page
      is redirected there, and ``auth.next_url()`` leads back; scripts and programs get the 401. ``logout_view`` is the
      endpoint of the logout, to which ``next_url()`` never leads.
    - ``lifetime``, ``idle``: seconds from the login, and from the last request (``None``: no limit), by this server's
      clock.
    - ``store``: remembers which sessions were ended. Flask's session lies in the cookie, so without a store a copied
      cookie stays valid until its lifetime has passed, even after a logout. With a store ``auth.logout()`` ends it, and
      ``auth.end_sessions(subject)`` ends all sessions of a user.
    - ``subject``: makes the subject of a user object, for ``auth.login(user)``; default its ``get_id()``.
    - ``trusted_origins``: other sites whose pages may send unsafe requests with the cookie; all others get 403.
      Those of apps and extensions count too (``capacitor://localhost``).
    - ``keep_query``: names of query parameters. The query goes into ``next`` if all its parameters are named here; else
      only the path does, for addresses are logged, and a query may hold a secret.

    The challenge is the private scheme ``Cookie realm="…", form-action="/login", cookie-name="session"``: none is
    registered for cookies, and a 401 needs one.
    """

    name = "Cookie"
    reads = (("cookie", "session"),)
    ambient = True
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
        lifetime: int = 12 * 3600,
        idle: int | None = 3600,
        store: Store | None = None,
        subject: Callable[[Any], str] | None = None,
        trusted_origins: Iterable[str] = (),
        keep_query: Iterable[str] = KEPT_QUERY,
    ) -> None:
        super().__init__(loader, realm=realm)
        self.login_view = _view_name("login_view", login_view)
        self.depends_on_script = login_view is not None  # pages are sent there, scripts are not
        self.logout_view = _view_name("logout_view", logout_view)
        self.lifetime = configured_seconds("lifetime", lifetime, least=1)
        self.idle = None if idle is None else configured_seconds("idle", idle, least=1)
        self.store = None if store is None else checked_store(store)
        self._subject = subject
        self.trusted_origins = trusted(trusted_origins)
        self.keep_query = _checked_names(keep_query)

    # --- what a scheme does

    def check(self, app: Flask) -> None:
        super().check(app)
        _check_alone(app)
        if isinstance(app.session_interface, SecureCookieSessionInterface):
            _check_keys(app)
            self._check_age(app)
        _check_cookie(app)
        _check_interface(app)
        if self.store is not None:
            self.store.check()
            self.store.check_processes(app, "SessionCookie: ended sessions")
            warn_of_default_realm(self, app, "Sessions")
        if self.login_view is not None and not _is_url(self.login_view):
            _check_page(app, "login_view", self.login_view)
            self._check_login_view(app, self.login_view)
            _try_page(app, "login_view", self.login_view)
        if self.logout_view is not None:
            _check_page(app, "logout_view", self.logout_view)
            _try_page(app, "logout_view", self.logout_view)

    def read(self, request: Request, rest: str | None) -> Login | None:
        content = _real_session().get(KEY)
        if content is None:
            return None
        login = _login_in(content)
        if login is None or not self._is_alive(login) or login.realm != self._realm():
            self.forget()  # it is no credential any more (RFC 9110 §11.4), and its cookie goes
            return None
        return login

    def verify(self, credentials: Login, request: Request) -> object | None:
        try:
            if self._was_ended(credentials, request):
                raise InvalidCredentials(reason=_ENDED_REASON)
            found: object = self.load(credentials.subject)
        except InvalidCredentials:
            self.forget()
            raise
        if found is None or found is False:
            self.forget()
            return found
        now = time.time()
        if self.idle is not None and now - credentials.seen > min(_SEEN_EVERY, self.idle / 4):
            credentials.seen = now
            session[KEY] = credentials.content()
        return found

    def subject(self, credentials: Login) -> str | None:
        return credentials.subject

    def login_of(self, credentials: Login) -> tuple[float, str | None]:
        return credentials.at, credentials.acr

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        page = self.login_url()
        form = () if page is None or not _is_sendable(page) else (("form-action", page),)
        cookie = ("cookie-name", current_app.config["SESSION_COOKIE_NAME"])
        return (Challenge(self.name, (("realm", realm), *form, cookie, *error_params(error))),)

    # --- the login in the session

    def login_url(self, way_back: str | None = None) -> str | None:
        """Where the login page is, with ``way_back`` as its ``next``.

        ``None`` if there is no login page, or if it has no URL in this request.
        """
        if self.login_view is None:
            return None
        given = {} if way_back is None else {"next": way_back}
        if not _is_url(self.login_view):
            return _url_of("login_view", self.login_view, given)
        return self.login_view + (f"{'&' if '?' in self.login_view else '?'}{urlencode(given)}" if given else "")

    def logout_url(self) -> str | None:
        """Where the logout page is; ``None`` if none was named, or if it has no URL in this request."""
        return None if self.logout_view is None else _url_of("logout_view", self.logout_view, {})

    def subject_of(self, who: Any) -> str:
        """The subject of an identity, a user object or a subject. Raises `TypeError`."""
        if isinstance(who, Identity):
            if "iss" in who.claims:
                raise TypeError(
                    "login() was given the identity of a token, and another issuer may have another user of that name: "
                    "give it your own user, or a subject that names the issuer as well"
                )
            found = who.subject
        elif isinstance(who, str):
            found = who
        elif self._subject is not None:
            found = self.ask("subject=", self._subject, who)
        else:
            found = self.ask("get_id()", who.get_id) if hasattr(who, "get_id") else None
        if not isinstance(found, str) or not found:
            raise TypeError(
                f"login() takes an Identity with a subject, a subject or a user with get_id(), not "
                f"{type(who).__name__}: SessionCookie(subject=lambda user: str(user.id)) says what names your users"
            )
        return found

    def new_login(self, subject: str, acr: str | None, auth_time: float | None) -> Login:
        """A login that begins now, and is in no session yet. Raises `TypeError`, and `AuthUnavailable`."""
        if acr is not None and not isinstance(acr, str):
            raise TypeError(f"acr must be a str, not {type(acr).__name__}")
        if auth_time is not None and not _is_time(auth_time):
            raise TypeError(f"auth_time must be a number of seconds since 1970, not {auth_time!r}")
        now = time.time()
        at = now if auth_time is None else auth_time
        again = self._current() is not None
        realm = self._realm()
        return Login(subject, at, acr, secrets.token_urlsafe(16), self._begin_time(subject), now, again, realm)

    def begin(self, login: Login, request: Request, *, known: bool = False) -> None:
        """Puts a login into the session, in place of everything that was there.

        Content that somebody else prepared must not survive. ``known`` as in `end`.
        """
        if self._end_copies(request, known):
            login.begun = self._begin_time(login.subject)
        session.clear()
        session[KEY] = login.content()
        _renew_id()

    def end(self, request: Request, *, known: bool = False) -> None:
        """Ends the session in this browser; with a store also for everybody who copied its cookie.

        ``known`` says that the loader has accepted the user of this session in this request, so it isn't asked again.
        """
        try:
            self._end_copies(request, known)
        finally:  # The user may leave the browser now, whatever the store responds.
            _renew_id()
            session.clear()

    def _end_copies(self, request: Request, known: bool) -> bool:
        """Ends the login of this session in the store. Returns whether that ended all sessions of its user.

        Only a login that would be accepted now ends anything. Dead cookies lie in backups, logs and other people's
        hands; if they counted, whoever posts one could end sessions that its user has begun since.
        """
        login = self._current()
        if login is None or self.store is None or self._was_ended(login, request):
            return False
        accepted = True
        try:
            if not known:
                found: object = self.load(login.subject)
                accepted = found is not None and found is not False
        except AuthError as error:  # If the loader is unavailable, the user may exist, and wants the session to end.
            accepted = not isinstance(error, InvalidCredentials)
        finally:  # If the loader is broken, the session ends as well, and the exception passes.
            all_ended = accepted and self._note_end(login, self.store)
        return all_ended

    def _note_end(self, login: Login, store: Store) -> bool:
        """Writes the end of a session to the store. Returns whether that ended all sessions of its user.

        Several logouts with copies of one cookie count once, also at the same time: one of them gets the claim.
        """
        key, user = _store_key(login.realm, login.sid), _store_key(login.realm, login.subject)
        life = self._kept_for(login.begun)
        flooded = store.get("sessions-flooded", user) is not None
        if not flooded and store.claim("session-ended", key, life):
            count_life = self._kept_for(time.time())
            flooded = store.increment("sessions-ended", user, count_life) > MAX_ENDED
            if flooded:
                store.put("sessions-flooded", user, "1", count_life)
        if flooded:
            self.end_all(login.subject)
        else:  # Also without the claim, because the request that holds it may have failed since.
            store.put("session-ended", key, _ENDED, life)
        return flooded

    def end_all(self, subject: str) -> None:
        """Ends all sessions that ``subject`` has begun until now, in this realm."""
        if self.store is None:
            raise ConfigurationError("end_sessions() needs a store: SessionCookie(load, store=SQLiteStore(path))")
        # The clock of this machine may be behind that of the machine where a session began. The mark never goes back,
        # because a session may have begun just after the last mark.
        last = self._mark(subject)
        mark = time.time() + _SKEW
        if last is not None and mark <= last:
            mark = math.nextafter(last, math.inf)
        self.store.put("session-not-before", _store_key(self._realm(), subject), repr(mark), self._kept_for(mark))

    def forget(self) -> None:
        """Takes the login out of the session, which keeps what else is in it."""
        session.pop(KEY, None)

    # --- inside

    def _current(self) -> Login | None:
        """The login in the session if it is alive and of this realm. Asks neither store nor loader."""
        login = _login_in(session.get(KEY))
        return login if login is not None and self._is_alive(login) and login.realm == self._realm() else None

    def _begin_time(self, subject: str) -> float:
        """When a session of ``subject`` begins that begins now.

        That is later than the mark of `end_all`, which may be of this moment, or by a clock that is ahead of this one.
        """
        now = time.time()
        mark = self._mark(subject)
        return now if mark is None or now > mark else math.nextafter(mark, math.inf)

    def _kept_for(self, begun: float) -> float:
        """How long the store keeps what ends the sessions that began until ``begun``, in seconds: as long as they live.

        The clock of another machine may be behind this one, so that they live longer there.
        """
        return min(begun + self.lifetime - time.time() + _SKEW + 1, MAX_LIFETIME)

    def _is_alive(self, login: Login) -> bool:
        now = time.time()
        idle = self.idle is not None and now > login.seen + self.idle
        return not idle and now <= login.begun + self.lifetime

    def _was_ended(self, login: Login, request: Request) -> bool:
        if self.store is None:
            return False
        self.store.check_workers(request.environ)
        if self.store.get("session-ended", _store_key(login.realm, login.sid)) == _ENDED:
            return True
        mark = self.store.get("session-not-before", _store_key(login.realm, login.subject))
        # A login from the future, when the clock went back, may be older than the mark all the same.
        return mark is not None and not float(mark) < login.begun <= time.time() + 2 * _SKEW

    def _mark(self, subject: str) -> float | None:
        """Since when the sessions of ``subject`` count."""
        mark = None if self.store is None else self.store.get("session-not-before", _store_key(self._realm(), subject))
        return None if mark is None else float(mark)

    def _realm(self) -> str:
        realm: str = current_app.extensions["unauthorized"].realm if self.realm is None else self.realm
        return realm

    def _check_age(self, app: Flask) -> None:
        """Warns if Flask's own limit ends sessions earlier than this scheme says."""
        limit = app.permanent_session_lifetime.total_seconds()
        # Flask refuses a cookie that it signed longer ago. Use signs it anew only if there is an ``idle``.
        option, seconds = ("lifetime", self.lifetime) if self.idle is None else ("idle", self.idle)
        if seconds > limit and self.lifetime > limit:
            log.warning(
                "SessionCookie(%s=%d) is longer than PERMANENT_SESSION_LIFETIME, so sessions end after %d seconds: set "
                "PERMANENT_SESSION_LIFETIME to %d or more",
                option,
                seconds,
                limit,
                seconds,
            )

    def _check_login_view(self, app: Flask, endpoint: str) -> None:
        demanded = app.extensions["unauthorized"].effective(endpoint)
        if demanded is not None and not demanded.optional:
            raise ConfigurationError(
                f"login_view={endpoint!r} demands a login itself, so that nobody could log in: mark it @auth.public"
            )


def _store_key(realm: str, name: str) -> str:
    """A key for what belongs to ``realm``: the length keeps two realms apart that begin alike."""
    return f"{len(realm)}:{realm}{name}"


def _login_in(content: Any) -> Login | None:
    """The login in a session; ``None`` for what `SessionCookie.begin` didn't write."""
    if not isinstance(content, Mapping) or content.keys() != _NAMES:
        return None
    subject, at, acr, sid, begun, seen, again, realm = _values(content)
    texts = isinstance(subject, str) and subject and isinstance(sid, str) and isinstance(realm, str)
    whole = texts and (acr is None or isinstance(acr, str)) and isinstance(again, bool)
    whole = whole and _is_time(at) and _is_time(begun) and _is_time(seen)
    return Login(subject, at, acr, sid, begun, seen, again, realm) if whole else None


def _is_time(value: Any) -> bool:
    return type(value) in _NUMBERS and abs(value) < 1e11  # not NaN, not infinity


def _renew_id() -> None:
    """Gives a session that lies on the server a new id, where its interface can (Flask-Session).

    To be called while something is in the session: an empty one keeps its id there, which somebody may have planted.
    """
    renew = getattr(current_app.session_interface, "regenerate", None)
    if callable(renew) and session:
        renew(session)


def is_own_path(target: str) -> bool:
    """Whether every browser reads ``target`` as a path of the own origin (URL standard)."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target:
        return False
    return target.isprintable() and not any(character.isspace() for character in target)


def _url_of(option: str, endpoint: str, values: dict[str, str]) -> str | None:
    """The URL of an endpoint in this request; ``None``, and an ERROR once for each endpoint, if it cannot be built.

    A refusal must not fail because of it. What the app's ``url_defaults`` functions raise isn't logged: it may hold
    what the client sent.
    """
    if _builds_url.get():  # one of these functions asks who is calling, and is refused
        return None
    root = request.script_root
    if root and not is_own_path(root):  # url_for() would make it the beginning of a URL, of another host perhaps
        _log_missing(option, endpoint, "SCRIPT_NAME is not a path", "check the prefix that your proxy sends")
        return None
    token = _builds_url.set(True)
    try:
        return url_for(endpoint, **values)  # type: ignore[arg-type]  # a value of the query, not of an option
    except Exception as error:  # BuildError, and whatever a function of the app raises
        # The text of a BuildError has the names of the missing variables, and no values.
        why = str(error) if type(error) is BuildError else f"{type(error).__name__} was raised"
        _log_missing(option, endpoint, why, _DEFAULTS)
        return None
    finally:
        _builds_url.reset(token)


def _log_missing(option: str, endpoint: str, why: str, fix: str) -> None:
    logged: set[tuple[str | None, str, str]] = current_app.extensions["unauthorized"].missing_urls
    key = request.endpoint, option, fix  # what a client can cause doesn't hide what the app does
    if key not in logged:
        logged.add(key)
        log.error("%s=%r has no URL in requests for endpoint %r (%s): %s", option, endpoint, request.endpoint, why, fix)


def _try_page(app: Flask, option: str, endpoint: str) -> None:
    """Warns of a page that has no URL in requests for views outside of its blueprint."""
    if _builds_url.get() or not any(app.url_default_functions.values()):
        return  # without these functions `_check_page` has seen that nothing is missing

    def build() -> str:
        # In an empty context, so that nothing is left in the caller's: Flask would run teardown functions for it.
        app.test_request_context().push()
        _builds_url.set(True)
        request.url_rule = None
        for function in app.url_value_preprocessors.get(None, ()):
            with suppress(Exception):
                function(None, {})
        values: dict[str, Any] = {}
        app.inject_url_defaults(endpoint, values)
        return app.url_map.bind("localhost").build(endpoint, values)

    try:
        Context().run(build)
    except Exception as error:  # whatever a function of the app raises
        why = type(error).__name__
        log.warning("%s=%r has no URL outside of its blueprint (%s was raised): %s", option, endpoint, why, _DEFAULTS)


def _checked_names(names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str):
        raise TypeError(f'keep_query={names!r} is a bare string: write {{"{names}"}}')
    found = tuple(names)
    for name in found:
        if not isinstance(name, str):
            raise TypeError(f"keep_query must hold str, not {type(name).__name__}")
    return frozenset(found)


def _view_name(option: str, view: str | None) -> str | None:
    if view is not None and not isinstance(view, str):
        fix = f": write {view.__name__!r}" if hasattr(view, "__name__") else ""
        raise TypeError(f"{option} must be the name of an endpoint, not {view!r}{fix}")
    return view


def _is_url(view: str) -> bool:
    return view.startswith(("https://", "http://"))


def _is_sendable(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _check_page(app: Flask, option: str, endpoint: str) -> None:
    if endpoint not in app.view_functions:
        near = near_endpoint(app, endpoint)
        if near is not None:
            raise ConfigurationError(
                f"{option}={endpoint!r} is no endpoint of the app {app.name!r}: did you mean {near!r}?"
            )
        raise ConfigurationError(
            f"{option}={endpoint!r} is no endpoint of the app {app.name!r}: write the name of the view's "
            "function, with the blueprint's before it" + (", or an absolute URL" if option == "login_view" else "")
        )
    rules = [rule for rule in app.url_map.iter_rules(endpoint) if not rule.build_only]
    needed = [sorted(rule.arguments - set(rule.defaults or ())) for rule in rules]
    blueprints = endpoint.split(".")[:-1]
    fillers = {None, *(".".join(blueprints[: depth + 1]) for depth in range(len(blueprints)))}
    if all(needed) and not any(app.url_default_functions.get(name) for name in fillers):
        raise ConfigurationError(
            f"{option}={endpoint!r} has an address with {', '.join(needed[0]) if needed else 'nothing to match'}, "
            "which only @app.url_defaults could fill in: name a view whose address has no variable"
        )


def _check_alone(app: Flask) -> None:
    """Refuses two `SessionCookie` schemes: there is one session, and `login` couldn't tell for which one it is."""
    count = sum(isinstance(scheme, SessionCookie) for scheme in app.extensions["unauthorized"].auth.schemes)
    if count > 1:
        raise ConfigurationError(
            f"this Auth has {count} SessionCookie schemes, and logging in needs exactly one. For two kinds of users, "
            "give its loader subjects such as 'staff:7' and 'customer:7', and tell the kinds apart by roles"
        )


def _check_interface(app: Flask) -> None:
    interface = app.session_interface
    if isinstance(interface, SecureCookieSessionInterface) or callable(getattr(interface, "regenerate", None)):
        return
    warn_once(
        app,
        f"{type(interface).__name__} has no regenerate(session). If it stores sessions on the server, their ids aren't "
        "renewed at login, so an attacker who planted an id is logged in as well (session fixation)",
    )


def _check_keys(app: Flask) -> None:
    newest = secret_keys(app, "SessionCookie")[-1]
    if (len(newest) < 16 or newest.decode("latin-1").lower() in _WEAK) and not app.testing:
        text = "SECRET_KEY is short or well-known, so anyone can guess it and log in: use secrets.token_hex()"
        warn_once(app, text)


def _check_cookie(app: Flask) -> None:
    """Refuses what gives the session away, and tells of what might (RFC 6265bis §8)."""
    name, secure = app.config["SESSION_COOKIE_NAME"], app.config["SESSION_COOKIE_SECURE"]
    same_site = app.config["SESSION_COOKIE_SAMESITE"]
    if not app.config["SESSION_COOKIE_HTTPONLY"]:
        raise ConfigurationError("SESSION_COOKIE_HTTPONLY is False: any script in a page could take the session")
    if same_site == "None" and not secure:
        raise ConfigurationError(
            "SESSION_COOKIE_SAMESITE='None' needs SESSION_COOKIE_SECURE: browsers drop it otherwise"
        )
    if name.startswith(("__Host-", "__Secure-")) and not secure:
        raise ConfigurationError(
            f"SESSION_COOKIE_NAME={name!r} needs SESSION_COOKIE_SECURE: browsers drop it otherwise"
        )
    elsewhere = app.config["SESSION_COOKIE_DOMAIN"] or app.config["SESSION_COOKIE_PATH"] not in (None, "/")
    if name.startswith("__Host-") and (elsewhere or app.config["APPLICATION_ROOT"] != "/"):
        raise ConfigurationError(f"SESSION_COOKIE_NAME={name!r} allows no domain, and no path but /")
    if app.debug or app.testing:
        return
    if not secure:
        text = "SESSION_COOKIE_SECURE is False: the session goes over plain HTTP too, where anybody can copy it"
        warn_once(app, text)
    if same_site is None:
        warn_once(app, "SESSION_COOKIE_SAMESITE is not set, and browsers differ: set it to 'Lax'")
