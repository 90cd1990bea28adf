"""Why a request was refused, for the developer: in debug mode, or with ``UNAUTHORIZED_EXPLAIN``.

The explanation names what was sent, which level of the app demands what, what each scheme in force found, which
specification decides, and a command that would send the right credentials. It names fields and schemes of the request
and none of their values, because a client may put a secret anywhere. Only the reason may quote a value that can't be a
secret, such as an origin. Even the name of a scheme is shown only if it is a well-known one: a client that forgets the
scheme sends its secret where the name belongs.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from flask import Request
from werkzeug.exceptions import HTTPException

from .. import errors
from ..errors import AuthError, AuthUnavailable
from ..errors.snapshot import ErrorSnapshot
from ..errors.text import MAX_REASON, as_text
from ..policy.plan import Plan
from ..policy.unless import known_as_dropped
from ..rendering.problem import Explanation, SchemeDiagnosis
from ..runtime.refuse import plan_in_force
from ..runtime.request_state import RequestState, real_app
from ..schemes.base import REMEMBER_COOKIE, AnyScheme, query_values
from ..schemes.session.remember_cookie import cookie_name
from ..schemes.session.scheme import SessionCookie
from ..wire.rules import SPELLINGS, spell_field_name

_RFC: Final = "https://www.rfc-editor.org/rfc/rfc"
_UNAUTHORIZED: Final = ("RFC 9110 §15.5.2, 401 Unauthorized", f"{_RFC}9110#section-15.5.2")
_SPECIFICATIONS: Final[dict[type[AuthError], tuple[str, str]]] = {
    errors.StepUpRequired: ("RFC 9470 §3, authentication requirements", f"{_RFC}9470#section-3"),
    errors.Unauthorized: _UNAUTHORIZED,
    errors.MalformedCredentials: ("RFC 9110 §11.6.2, Authorization", f"{_RFC}9110#section-11.6.2"),
    errors.Forbidden: ("RFC 9110 §15.5.4, 403 Forbidden", f"{_RFC}9110#section-15.5.4"),
    errors.TooManyAttempts: ("RFC 6585 §4, 429 Too Many Requests", f"{_RFC}6585#section-4"),
    errors.AuthUnavailable: ("RFC 9110 §15.6.4, 503 Service Unavailable", f"{_RFC}9110#section-15.6.4"),
    AuthError: ("RFC 9110 §11, HTTP Authentication", f"{_RFC}9110#section-11"),
}
_KNOWN_SCHEMES: Final = frozenset({*SPELLINGS, "ntlm", "token"})


def explain(error: AuthError, request: Request, state: RequestState) -> Explanation:
    """Return what was sent, what was demanded, what each scheme in force found, and what to send instead."""
    plan = plan_in_force(request, state)
    of_scheme = {} if state.attempted_scheme is None else state.attempted_scheme.specification
    specification, url = of_scheme.get(error.error or "") or next(
        _SPECIFICATIONS[kind] for kind in type(error).__mro__ if kind in _SPECIFICATIONS
    )
    return Explanation(
        reason=_reason(error),
        sent=tuple(_sent(request, plan)) or ("nothing that a scheme in force reads",),
        required=state.app_state.effective.sources(
            request.endpoint,
            plan,
            request.method,
            {*known_as_dropped(state.unless_results or (), state.unless_results)},
        ),
        schemes=tuple(
            SchemeDiagnosis(scheme.name, _finding(scheme, error, state, request), _command(scheme, request))
            for scheme in plan.schemes
        ),
        challenges=tuple(": ".join(line) for line in error.auth_headers() if line[0] == "WWW-Authenticate")
        or ("no challenge",),
        specification=specification,
        specification_url=url,
    )


def _reason(error: AuthError) -> str:
    if isinstance(error, AuthUnavailable):
        return "The loader could not reach what it depends on; the log says more."
    text = (as_text(error.reason) or error.message)[:MAX_REASON]
    return "".join(character if character.isprintable() else "?" for character in text)


def _sent(request: Request, plan: Plan) -> Iterator[str]:
    raw = request.environ.get("HTTP_AUTHORIZATION")
    if raw:
        name = raw.strip(" \t").partition(" ")[0]
        known = name.lower() in _KNOWN_SCHEMES or name.lower() in plan.by_name
        yield f"Authorization: {name} …" if known else "Authorization, without a scheme that is known here"
    for scheme in plan.schemes:
        yield from _in_other_fields(scheme, request)
    yield from dict.fromkeys(
        f"{name}: …"
        for scheme in plan.schemes
        for name in scheme.varies
        if name != "Authorization" and _has_field(name, request)
    )


def _in_other_fields(scheme: AnyScheme, request: Request) -> Iterator[str]:
    """Yield what was sent for a scheme in other fields than ``Authorization``, without values."""
    for where, name in _reads(scheme):
        if where == "header" and _has_field(name, request):
            yield f"{spell_field_name(name)}: …"
        elif where == "cookie" and name in request.cookies:
            yield f"Cookie: {name}=…"
        elif where == "query" and _in_query(name, request):
            yield f"?{name}=…"
        elif where == "environ" and request.environ.get(name):
            yield f"{name} of the server"


def _reads(scheme: AnyScheme) -> tuple[tuple[str, str], ...]:
    """Return where a scheme looks; the session's cookies by the names that they have in this app."""
    if isinstance(scheme, SessionCookie):
        app = real_app()
        names = [app.config["SESSION_COOKIE_NAME"], *((cookie_name(app),) if REMEMBER_COOKIE in scheme.reads else ())]
        return tuple(("cookie", name) for name in names)
    return scheme.reads


def _has_field(name: str, request: Request) -> bool:
    return "HTTP_" + name.upper().replace("-", "_") in request.environ


def _in_query(name: str, request: Request) -> bool:
    try:
        return bool(query_values(request, name))
    except AuthError:  # it cannot be read, which is what is being explained
        return True


def _finding(scheme: AnyScheme, error: AuthError, state: RequestState, request: Request) -> str:
    result = (state.verification_results or {}).get(scheme)
    if isinstance(result, ErrorSnapshot):
        return _reason(result.restore())
    if result is not None:
        return "The credentials are valid."
    if scheme is state.attempted_scheme:
        return _reason(error)
    named = (request.environ.get("HTTP_AUTHORIZATION") or "").strip(" \t").partition(" ")[0].lower()
    sent = ("authorization", named) in scheme.reads or any(_in_other_fields(scheme, request))
    if not sent:
        return "Nothing was sent for it."
    if isinstance(error, errors.MissingCredentials) and state.dropped_reason is not None:
        return _reason(error)  # The scheme saw it, and treated it like nothing.
    return "It was not asked, because something else was decided before."


def _command(scheme: AnyScheme, request: Request) -> str:
    """Return a command that sends credentials, to be filled in. It leaves out the query: a token may be there."""
    try:
        address = request.base_url
    except (HTTPException, ValueError):  # a host that the app doesn't trust
        address = request.path
    method = () if request.method in ("GET", "HEAD") else ("-X", request.method)
    return shlex.join(("curl", "-i", *method, *curl_options_of(scheme), address))


def curl_options_of(scheme: AnyScheme) -> tuple[str, ...]:
    """Return the options that make curl send credentials: those of the scheme, else for the first place it reads."""
    if scheme.curl_options is not None:
        return scheme.curl_options
    where, name = _reads(scheme)[0]
    if where == "environ":
        return ()
    if where == "authorization":
        return "-H", f"Authorization: {scheme.name} CREDENTIALS"
    if where == "header":
        return "-H", f"{spell_field_name(name)}: CREDENTIALS"
    if where == "cookie":
        return "-b", f"{name}=KEY"
    return ("--url-query" if where == "query" else "--data-urlencode"), f"{name}=KEY"
