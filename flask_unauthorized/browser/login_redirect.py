"""The redirect to the login page, in place of a 401.

A 401 shows people an error page, although all they need is a form. Programs, on the other hand, need the 401: behind a
redirect they would read the login page as the resource. So the redirect is sent only if all of this holds:

1. The view accepts a `SessionCookie` with ``login_view``, and the refusal is a 401. A 400, 403 or 503 wouldn't go away
   by logging in. Neither may it be `SessionStolen`, because people should read why their login was ended.
2. The request is a navigation (`is_navigation`): a browser opens a page and will show whatever comes back. Forms that
   are sent by an unsafe method count with ``redirect_posts=True`` only. They get 303, because the login page must be
   fetched by GET (RFC 9110 §15.4.4). What was sent is lost, so the way back is the page with the form (``Referer``).
3. The caller sent no explicit credentials. A program that sent an API key or a token must learn that it was rejected.
   Credentials that browsers repeat by themselves, such as a password for a proxy on the way, aren't explicit.
4. The redirect wouldn't loop. If a step-up still fails after the user has just logged in again, the login page can't
   meet the demand, and sending the user there again would never end.
5. The login page has a URL in this request. A refusal never fails because a redirect can't be built.
6. If a proxy asks whether a request may pass, the login page lies on the host of that request, and the proxy passes on
   redirects. nginx doesn't, and gets the URL with the 401.

With ``htmx=True``, conditions 1 and 3 to 5 also lead people to the login page whose page asks by htmx:

- Their 401 gets ``HX-Redirect``, which htmx follows whatever the status is (`htmx_redirect`). The way back is the page
  around the fragment (``HX-Current-URL``). For a boosted link or form, it is that of a browser without htmx.
- Where htmx restores a page of its history, it doesn't read that field. It shows the page to which a redirect leads, so
  such a request counts as a navigation.

A view with ``redirect=False`` leads no caller to the login page.

Every other request gets the 401 with its challenges. Both depend on the same request fields, so both name them in
``Vary``. Neither may be cached: after the login the same address has another response.

The refusal page links to the login page too (`login_page_url`), unless the view has ``redirect=False``. People see that
page in spite of these rules, for example after a POST, or if a redirect would loop.
"""

import time
from typing import TYPE_CHECKING, Final

from flask import Request, Response

from ..authentication.cross_site import is_websocket_handshake
from ..errors import AuthError, SessionStolen, Unauthorized
from ..forward_auth.forwarded import forwarded_request
from ..policy.plan import Plan
from ..rendering.negotiation import accepts_html, is_page_load
from ..runtime.request_state import RequestState, real_app
from ..schemes.session.record import LoginRecord
from ..wire.fetch_metadata import is_script
from .next_url import path_of_page, return_path

if TYPE_CHECKING:
    from ..schemes.session.scheme import SessionCookie

LOOP_WINDOW: Final = 60
"""Seconds after a repeated login in which a failed step-up doesn't lead to the login page again."""
_REPEATED_BY_BROWSERS: Final = frozenset({"basic", "digest", "negotiate", "ntlm"})
"""Schemes for which browsers open a password box, and whose credentials they then repeat by themselves."""


def login_redirect(error: AuthError, request: Request, state: RequestState, plan: Plan) -> Response | None:
    """Return the redirect to the login page; ``None`` for callers who get the 401."""
    scheme = _scheme_with_login_page(plan)
    if scheme is None or not (
        _restores_history(scheme, request) or is_navigation(request, unsafe=scheme.redirect_posts)
    ):
        return None
    target = _target(error, scheme, _way_back(scheme, request), request, state)
    if target is None:
        return None
    forwarded = forwarded_request(request.environ)
    if forwarded is not None:
        forwarded.login_url = target
        if not forwarded.takes_all_statuses:
            return None
    response: Response = real_app().response_class(status=302 if request.method in ("GET", "HEAD") else 303)
    response.headers["Location"] = target
    response.headers["Vary"] = plan.challenges.vary_header_on_refusal
    response.headers["Cache-Control"] = "no-store"
    state.no_store = True
    state.login_redirect = response
    return response


def htmx_redirect(error: AuthError, request: Request, state: RequestState, plan: Plan) -> str | None:
    """Return the value of ``HX-Redirect`` for a refusal; ``None`` for requests that htmx didn't send."""
    scheme = _scheme_with_login_page(plan)
    environ = request.environ
    if scheme is None or not scheme.htmx or environ.get("HTTP_HX_REQUEST") != "true" or not is_script(environ):
        return None
    way_back = (
        _way_back(scheme, request)
        if environ.get("HTTP_HX_BOOSTED") == "true"
        else path_of_page(scheme, request, environ.get("HTTP_HX_CURRENT_URL"))
    )
    return _target(error, scheme, way_back, request, state)


def _target(
    error: AuthError, scheme: "SessionCookie", way_back: str | None, request: Request, state: RequestState
) -> str | None:
    """Return the URL of the login page, if a login would help; ``None`` for callers who get the plain 401."""
    if not isinstance(error, Unauthorized) or isinstance(error, SessionStolen):
        return None
    if _sent_explicit_credentials(request, state) or _redirect_would_loop(scheme, request):
        return None
    target = scheme.login_url(way_back)
    if target is None:  # `SessionCookie.login_url` has logged why.
        return None
    # The way back is a path. If a proxy asks, it is of use only on the host of the original request. The URL is
    # absolute, because Traefik resolves a relative one against the address where it asks the app.
    forwarded = forwarded_request(request.environ)
    return target if forwarded is None else forwarded.login_target(target)


def _way_back(scheme: "SessionCookie", request: Request) -> str | None:
    """Return the path of the requested page; of the page with the form, for a form that was sent."""
    if request.method in ("GET", "HEAD"):
        return return_path(scheme, request)
    return path_of_page(scheme, request, request.environ.get("HTTP_REFERER"))


def _restores_history(scheme: "SessionCookie", request: Request) -> bool:
    """Return whether htmx asks for a page of its history, which its cache doesn't have any more."""
    environ = request.environ
    return scheme.htmx and environ.get("HTTP_HX_HISTORY_RESTORE_REQUEST") == "true" and is_script(environ)


def login_page_url(plan: Plan, request: Request) -> str | None:
    """Return the URL of the view's login page; ``None`` if it has none.

    It holds the way back if the request can be repeated by following a link.
    """
    scheme = _scheme_with_login_page(plan)
    if scheme is None:
        return None
    return scheme.login_url(return_path(scheme, request) if request.method in ("GET", "HEAD") else None)


def is_navigation(request: Request, *, unsafe: bool = False) -> bool:
    """Return whether a browser opens a page: by Fetch Metadata, else by an ``Accept`` that only pages are asked with.

    ``unsafe`` says that forms count, which browsers send by an unsafe method.

    A download (``<a download>``) is a navigation without a destination whose ``Accept`` names no HTML. The browser
    would save the login page under the name of the file, so a download doesn't count.
    """
    environ = request.environ
    if (request.method not in ("GET", "HEAD") and not unsafe) or is_websocket_handshake(request) or is_script(environ):
        return False
    mode, accept = environ.get("HTTP_SEC_FETCH_MODE"), environ.get("HTTP_ACCEPT")
    if mode is None:
        return is_page_load(accept)
    return bool(mode == "navigate") and (environ.get("HTTP_SEC_FETCH_DEST") != "empty" or accepts_html(accept))


def _scheme_with_login_page(plan: Plan) -> "SessionCookie | None":
    if not plan.requirement.redirect:
        return None
    for scheme in plan.implicit_schemes:
        if scheme.login_view is not None:
            from ..schemes.session.scheme import SessionCookie  # imported here: apps without sessions don't load it

            if isinstance(scheme, SessionCookie):
                return scheme
    return None


def _sent_explicit_credentials(request: Request, state: RequestState) -> bool:
    """Return whether the caller chose to send credentials, so that the browser didn't add them by itself."""
    if state.attempted_scheme is not None and not state.attempted_scheme.ambient:
        return True
    raw = request.environ.get("HTTP_AUTHORIZATION")
    return raw is not None and raw.strip(" \t").partition(" ")[0].lower() not in _REPEATED_BY_BROWSERS


def _redirect_would_loop(scheme: "SessionCookie", request: Request) -> bool:
    """Return whether the user has just logged in again and still failed step-up."""
    login = scheme.read(request, None)
    if not isinstance(login, LoginRecord) or not login.is_repeated:
        return False
    now = time.time()
    return now < max(login.begun, min(login.auth_time, now)) + LOOP_WINDOW  # `Auth.confirm` changes only auth_time.
