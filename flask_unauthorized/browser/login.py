"""People in browsers: logging in and out, the way to the login page, and the way back."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, quote, unquote

from flask import Response, after_this_request, session

from ..authentication.authenticate import State, is_cross_site, is_handshake, is_unsafe, site_of, verified
from ..errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    CrossSiteRequest,
    MalformedCredentials,
    Unauthorized,
    shown,
)
from ..identity import Identity
from ..policy.plan import AnyScheme, Plan
from ..rendering.negotiation import is_page_load, names_page
from ..responses.guard import no_store
from ..runtime.app_state import state_of
from ..runtime.context import plan_in_force, real_app, real_request, state_for
from ..schemes.base import query_values
from ..schemes.origins import trusted
from ..schemes.session_cookie import KEY, SessionCookie, is_own_path
from ..wire.fetch_metadata import is_script

if TYPE_CHECKING:
    from flask import Request

MAX_NEXT: Final = 2048
"""Longest way back that is kept, in bytes."""
FRESH: Final = 60
"""Seconds after a repeated login in which a step-up doesn't lead to the login page again: it would do so for ever."""
_SEGMENT_CHARACTERS: Final = "/:@!$&'()*+,;=~"  # what may stand in a path (RFC 3986 §3.3)
_PATH_CHARACTERS: Final = _SEGMENT_CHARACTERS + "%?#"  # and with octets that are written as %20, a query, a fragment
_OF_PROXIES: Final = frozenset({"basic", "digest", "negotiate", "ntlm"})
"""Schemes for which browsers open a box, and whose credentials they repeat by themselves."""


class Sessions:
    """What `Auth` does for people who log in with a `SessionCookie`."""

    schemes: tuple[AnyScheme, ...]

    def login(
        self,
        who: Any,
        *,
        acr: str | None = None,
        auth_time: float | None = None,
        keep: Iterable[str] = (),
        from_origins: Iterable[str] = (),
    ) -> Identity:
        """Logs the caller of this request in, and returns the `Identity` that the scheme's loader gives for them.

        The session begins anew: only the keys in ``keep`` stay in it. A request from another site is refused with 403
        (login CSRF), unless its origin is in ``from_origins``.

        Args:
            who: An `Identity` with a subject, a subject, or a user object.
            acr: The class of the login, for views with ``acr=``. Default: that of the `Identity`.
            auth_time: When the user authenticated, in seconds since 1970, for views with ``max_age=``. Default: that of
                the `Identity`, else now.
            keep: Keys of the session that stay.
            from_origins: Origins of identity providers whose pages post their answer to you
                (``response_mode=form_post``, SAML), such as ``"https://idp.example"``. Check the provider's ``state``
                yourself.

        Raises:
            AuthError: If the loader refuses ``who``. The previous user of this session is then logged out. With
                `AuthUnavailable` the session stays as it was.
            TypeError: If ``who`` names no user.
            ConfigurationError: If ``from_origins`` holds a value that is not an origin.
        """
        scheme = self._session_scheme()
        request = real_request()
        origins = trusted(from_origins, "from_origins")
        if is_unsafe(request) and _origin_of(request) not in origins:
            trusts = origins | scheme.trusted_origins
            _refuse_cross_site(request, scheme, "login", "from_origins= or trusted_origins=", trusts)
        state = state_for(request)
        known = _is_known(state, scheme)
        if isinstance(who, Identity):
            acr = who.acr if acr is None else acr
            auth_time = who.auth_time if auth_time is None else auth_time
        login = scheme.new_login(scheme.subject_of(who), acr, auth_time)
        _forget_caller(state, request, scheme)
        state.tried = scheme
        try:
            identity = verified(scheme, login, request, state)
        except AuthUnavailable:  # the user may well be valid, so the previous one isn't logged out
            raise
        except AuthError:
            scheme.end(request, known=known)
            raise
        kept = {name: session[name] for name in keep if name in session and name != KEY}
        try:
            scheme.begin(login, request, known=known)
        except Exception:  # The session in this browser is still the one of before, and so is the caller.
            _forget_caller(state, request, scheme)
            raise
        session.update(kept)
        state.identity = identity
        state.scheme = state.entered = scheme
        return identity

    def logout(self) -> None:
        """Logs the caller of this request out, and empties the session; with a store its copies end too.

        A request from another site is refused with 403. Call it in a view for POST. Raises `AuthUnavailable` where the
        store can't be asked: this browser is logged out all the same.
        """
        scheme = self._session_scheme()
        request = real_request()
        _refuse_cross_site(request, scheme, "logout", "trusted_origins=", scheme.trusted_origins)
        state = state_for(request)
        try:
            scheme.end(request, known=_is_known(state, scheme))
        finally:  # Last, because a loader may ask who is calling.
            _forget_caller(state, request, scheme)

    def end_sessions(self, who: Any) -> None:
        """Ends all sessions that a user has begun until now, on all devices: after a change of the password.

        ``who`` as in `login`. Needs a store, and an app context: the sessions are those of the app's realm. Raises
        `ConfigurationError`, `TypeError`, and `AuthUnavailable`.
        """
        scheme = self._session_scheme()
        state_of(real_app()).prepare()  # A command has no request, and the realm must be known.
        scheme.end_all(scheme.subject_of(who))

    def next_url(self, default: str | None = None) -> str:
        """Where to send the caller after the login: ``next`` of this request where it is a path of this app.

        ``default`` for anything else; where that is ``None``, the app's own root (``/`` where ``SCRIPT_NAME`` is not a
        path). To be used once `login` was called:
        ``return redirect(auth.next_url())``.
        """
        request = real_request()
        scheme = self._session_scheme()
        given = {*_values(request, "next"), *request.form.getlist("next")}
        target = given.pop() if len(given) == 1 else ""
        if _is_inside(target, request) and unquote(_path_of(target)) not in _own_pages(scheme):
            return quote(target, safe=_PATH_CHARACTERS)
        if default is not None:
            return default
        root = f"{_root(request)}/"
        return root if _is_inside(root, request) else "/"

    def _session_scheme(self) -> SessionCookie:
        found = [scheme for scheme in self.schemes if isinstance(scheme, SessionCookie)]
        if len(found) != 1:
            raise ConfigurationError(
                f"this Auth has {len(found)} SessionCookie schemes, and logging in needs one: "
                "Auth(SessionCookie(load_user))"
            )
        return found[0]


def login_redirect(error: AuthError, request: "Request", state: State, plan: Plan) -> Response | None:
    """The redirect to the login page for a browser that opens a page; ``None`` for other clients, who get the 401."""
    scheme = _with_login_page(plan)
    if scheme is None or not isinstance(error, Unauthorized) or not is_navigation(request):
        return None
    if _was_chosen(request, state) or _would_loop(request, scheme):
        return None
    target = scheme.login_url(_way_back(request, scheme))
    if target is None:  # it has no URL in this request: `SessionCookie.login_url` has logged why
        return None
    response: Response = real_app().response_class(status=302)
    response.headers["Location"] = target
    response.headers["Vary"] = plan.refusal_vary
    state.unshared = True
    no_store(response)
    return response


def login_page(plan: Plan, request: "Request") -> str | None:
    """The address of the login page of a view, for its refusal page to link to; for a page with the way back."""
    scheme = _with_login_page(plan)
    if scheme is None:
        return None
    return scheme.login_url(_way_back(request, scheme) if request.method in ("GET", "HEAD") else None)


def is_navigation(request: "Request") -> bool:
    """Whether a browser opens a page: by Fetch Metadata, else by an ``Accept`` that only pages are asked for with.

    A download (``<a download>``) is a navigation without a destination that asks for no HTML: the browser would save
    the login page under the file's name.
    """
    environ = request.environ
    if request.method not in ("GET", "HEAD") or is_handshake(request) or is_script(environ):
        return False
    mode, accept = environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_ACCEPT")
    if mode is None:
        return is_page_load(accept)
    return bool(mode == "navigate") and (environ.get("HTTP_SEC_FETCH_DEST") != "empty" or names_page(accept))


def _with_login_page(plan: Plan) -> SessionCookie | None:
    return next((s for s in plan.schemes if isinstance(s, SessionCookie) and s.login_view is not None), None)


def _was_chosen(request: "Request", state: State) -> bool:
    """Whether the caller sent credentials of their own: a program, which must be told that they failed.

    Not those for a proxy on the way, which a browser repeats with each request and which nobody asked for here.
    """
    if state.tried is not None and not state.tried.ambient:
        return True
    raw = request.environ.get("HTTP_AUTHORIZATION")
    return raw is not None and raw.strip(" \t").partition(" ")[0].lower() not in _OF_PROXIES


def _would_loop(request: "Request", scheme: SessionCookie) -> bool:
    """Whether the user logged in again within the last minute and still failed step-up; a redirect would loop."""
    login = scheme.read(request, None)
    return login is not None and login.again and time.time() < login.begun + FRESH


def _way_back(request: "Request", scheme: SessionCookie) -> str | None:
    """Path and query of the page; without a query that may hold a secret, for addresses are logged."""
    path = _root(request) + quote(request.environ.get("PATH_INFO", "").encode("latin-1"), safe=_SEGMENT_CHARACTERS)
    query = request.query_string.decode("latin-1")
    target = f"{path}?{query}" if query.isascii() and _is_kept(query, scheme.keep_query) else path
    return target if _is_inside(target, request) else None


def _is_kept(query: str, names: frozenset[str]) -> bool:
    """Whether there is a query, and ``names`` has the names of all its parameters.

    A part without ``=`` is a name as well. Some frameworks separate parameters by semicolons too.
    """
    found = {name for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}
    return bool(found) and found <= names


def _values(request: "Request", name: str) -> list[str]:
    try:
        return query_values(request, name)
    except MalformedCredentials:  # octets that are not UTF-8
        return []


def _is_inside(target: str, request: "Request") -> bool:
    """Whether ``target`` is a path of this app for every browser: no other host, and no other app of this one."""
    if not is_own_path(target) or len(target.encode(errors="replace")) > MAX_NEXT:
        return False
    path = quote(_path_of(target), safe=_PATH_CHARACTERS)
    if any(segment in (".", "..") for segment in path.lower().replace("%2e", ".").split("/")):
        return False
    root = _root(request)
    return path == root or path.startswith(f"{root}/")


def _path_of(target: str) -> str:
    return target.partition("#")[0].partition("?")[0]


def _root(request: "Request") -> str:
    """Where the app is mounted, as it stands in an address; empty for the root of the host."""
    return quote(request.script_root, safe=_SEGMENT_CHARACTERS)


def _own_pages(scheme: SessionCookie) -> set[str]:
    """The paths of the login page and the logout page, which are no targets after a login."""
    return {unquote(page) for page in (scheme.login_url(), scheme.logout_url()) if page is not None}


def _refuse_cross_site(
    request: "Request", scheme: SessionCookie, action: str, setting: str, trusts: frozenset[str]
) -> None:
    if is_cross_site(request, scheme):
        raise CrossSiteRequest(
            f"This {action} came from another site, whose origin is not in {setting}.",
            reason=f"the {action} came from another site: {site_of(request)}, expected one of {shown(trusts, 80)} of "
            f"{setting}",
        )


def _origin_of(request: "Request") -> str | None:
    """The origin of the page that sent the request, as the Fetch standard serializes it, in lower case."""
    origin = request.headers.get("Origin")
    return None if origin is None else origin.lower()


def _is_known(state: State, scheme: SessionCookie) -> bool:
    """Whether the loader has accepted the user of the session in this request."""
    return isinstance((state.results or {}).get(scheme), Identity)


def _forget_caller(state: State, request: "Request", scheme: SessionCookie) -> None:
    """Another caller from here on. What other schemes found stays: a proof counts once."""
    state.note_met()  # the guard of this view was met by who called it
    state.met = state.identity = state.scheme = state.tried = state.entered = state.quiet = None
    state.announced = state.refused = None
    state.results = {other: found for other, found in (state.results or {}).items() if other is not scheme}
    state.plan = plan_in_force(request, state)  # so that the guard looks at the answer
    state.unshared = True
    after_this_request(no_store)
