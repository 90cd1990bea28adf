"""One request: from a plan and what was sent to an `Identity`, or to an `AuthError`.

The order of judgment is fixed, because each response says something else to the client:

1. preconditions: HTTPS, and the origins of the resource (403);
2. selection: which credentials decide; broken syntax is 400;
3. verification: availability (503), authenticity, key binding (401);
4. authorization: expiry, step-up (401), scopes, roles and ``authorization_details`` (403).

A plan that the request has satisfied before is not judged again. The identity is set only when all steps have passed,
so an error page never shows a caller who was refused with 401. `verification` and `authorization` are modules of their
own. Preconditions and selection stand here, because most refusals end in them.

How credentials are selected:

- ``Authorization`` is read once, raw. Its scheme's name is looked up among the schemes in force. A scheme that isn't in
  force is ignored, and so is a scheme's name alone.
- Then come schemes that read another field, and that the caller chose to send. Two credentials that the caller chose to
  send are malformed: it is open which one was meant.
- Credentials that browsers send by themselves (cookies) count only if nothing else was sent.

``state.attempted_scheme`` says at each step which scheme an error would be about. The size limit comes before a scheme
reads. Selection asks no loader, no store and no network.
"""

from collections.abc import Mapping
from typing import Any, Final

from flask import Request

from ..errors import CrossSiteRequest, Forbidden, MalformedCredentials, MissingCredentials
from ..errors.codes import with_code
from ..errors.text import MAX_REASON, shown
from ..identity import Identity
from ..policy.plan import Plan
from ..schemes.base import SEND_ONE, AnyScheme, check_size
from ..wire.grammar import GrammarError, is_token, read_elements
from ..wire.rules import SPELLINGS
from .authorization import authorize
from .cross_site import check_read, check_site, is_unsafe
from .state import AuthenticationState
from .verification import verify

# Names of schemes that clients send, registered or not.
_KNOWN: Final = SPELLINGS | {"jwt": "JWT", "ntlm": "NTLM", "token": "Token"}


def authenticate_request(plan: Plan, request: Request, state: AuthenticationState) -> Identity | None:
    """Return the caller, if they meet the plan; ``None`` only if the plan is optional and nothing was sent.

    Raises:
        AuthError: Without challenges. `runtime.refuse.handle_refusal` attaches them.
    """
    if state.satisfied_plan is plan:
        return state.identity
    state.plan = plan
    state.attempted_scheme = None
    if plan.has_preconditions:
        check_preconditions(plan, request.environ)
    selected = select(plan, request, state)
    if selected is not None:
        scheme, credentials = selected
        if plan.plain_http.pending and request.environ.get("wsgi.url_scheme") != "https":
            plan.plain_http.check(request.environ)
        identity = verify(scheme, credentials, request, state)
    elif state.test_identity is not None:
        scheme, identity = plan.schemes[0], state.test_identity
    elif plan.optional and state.identity is None:
        state.satisfied_plan = plan
        return None
    else:
        raise MissingCredentials(reason=state.dropped_reason or _missing_reason(plan, request.environ))
    if plan.has_requirements | identity.is_restricted or identity.expires_at is not None:
        authorize(plan, identity)
    state.identity = identity
    state.scheme = scheme
    state.satisfied_plan = plan
    return identity


def _missing_reason(plan: Plan, environ: Mapping[str, Any]) -> str:
    """Return where the schemes in force look, and what ``Authorization`` holds instead.

    A word that isn't the name of a known scheme may be a token whose scheme was forgotten, so it isn't shown. If no
    scheme in force reads ``Authorization``, such as with ``via=people``, only a known scheme is worth a word.
    """
    raw = environ.get("HTTP_AUTHORIZATION")
    if not raw:
        return plan.missing_reason
    name, _, rest = raw.strip(" \t").partition(" ")
    known = plan.by_name[name.lower()].name if name.lower() in plan.by_name else _KNOWN.get(name.lower())
    if not plan.by_name and known is None:
        return plan.missing_reason
    if rest.strip(" \t"):
        found = "credentials of another scheme" if known is None else f"credentials of {known}"
    elif known is not None:
        found = f"the name {known} alone"
    else:
        found = f"one word ({len(raw)} characters) without the name of a scheme before it"
    return f"{plan.missing_reason} (Authorization holds {found})"[:MAX_REASON]


def check_preconditions(plan: Plan, environ: Mapping[str, Any]) -> None:
    """Refuse what comes over plain HTTP, or from a site that the resource doesn't trust (MCP).

    Raises:
        Forbidden: 403.
        CrossSiteRequest: 403.
    """
    if plan.https_only and environ.get("wsgi.url_scheme") != "https":
        raise with_code(
            Forbidden(
                "Use HTTPS.",
                reason="the request came over plain HTTP, and UNAUTHORIZED_REQUIRE_HTTPS is on: behind a proxy that "
                "ends TLS use ProxyFix",
            ),
            "plain_http",
        )
    origin = environ.get("HTTP_ORIGIN")
    if plan.origins is not None and origin is not None and origin.lower() not in plan.origins:
        raise CrossSiteRequest(
            "This request came from another site, whose origin is not in origins= of the resource.",
            reason=f"Origin is {shown(origin, 80)}, expected one of {shown(plan.origins, 120)}: origins= of the "
            "resource",
        )


# --- selection


def select(plan: Plan, request: Request, state: AuthenticationState) -> tuple[AnyScheme, Any] | None:
    """Return the scheme that decides with its credentials; ``None`` if nothing was sent for a scheme in force.

    Raises:
        MalformedCredentials: For broken syntax, two credentials at once, and credentials that are too long.
        CrossSiteRequest: For credentials that a browser added to an unsafe request of another site's page, or to any
            request if the scheme says so.
    """
    if plan.implicit_schemes and state.login_scheme in plan.implicit_schemes:
        state.attempted_scheme = state.login_scheme
        return state.login_scheme, None  # Auth.login has verified them
    raw = request.environ.get("HTTP_AUTHORIZATION")
    found = _select_from_authorization(raw, plan, request, state) if raw else None
    state.dropped_reason = None  # it may be that of another plan
    return _select_from_other_fields(plan, request, state, found) if plan.reads_other_fields else found


def _select_from_authorization(
    raw: str, plan: Plan, request: Request, state: AuthenticationState
) -> tuple[AnyScheme, Any] | None:
    if len(raw) > plan.max_credentials:
        check_size("Authorization", raw, plan.max_credentials)
    name, _, rest = raw.partition(" ")
    scheme = plan.by_name.get(name)
    if scheme is None:
        scheme, rest = _find_unmatched_scheme(raw, plan)
    rest = rest.strip(" \t")
    if scheme is None or not rest:
        return None
    state.attempted_scheme = scheme
    try:
        credentials = scheme.read(request, rest)
    except MalformedCredentials as error:
        if not _contains_second_credential(rest.partition(",")[2], plan):
            raise
        state.attempted_scheme = None
        raise MalformedCredentials(SEND_ONE, reason=error.reason) from None
    if scheme in plan.prompting_schemes and is_unsafe(request):
        _check_repeated_password(raw, request, scheme)
    return None if credentials is None else (scheme, credentials)


def _select_from_other_fields(
    plan: Plan, request: Request, state: AuthenticationState, found: tuple[AnyScheme, Any] | None
) -> tuple[AnyScheme, Any] | None:
    authorized = None if found is None else found[0]
    for scheme in plan.explicit_schemes:
        if scheme is authorized:
            continue
        state.attempted_scheme = scheme
        credentials = scheme.read(request, None)
        if credentials is None:
            continue
        if found is not None:
            state.attempted_scheme = None
            raise MalformedCredentials(
                SEND_ONE,
                reason=f"credentials for {found[0].name} and {scheme.name} came in one request, expected one of them",
            )
        found = scheme, credentials
    if found is None:
        for scheme in plan.implicit_schemes:
            state.attempted_scheme = scheme
            credentials = scheme.read(request, None)
            if credentials is not None:
                if is_unsafe(request):
                    check_site(request, scheme)
                elif not scheme.cross_site_reads:
                    check_read(request, scheme)
                found = scheme, credentials
                break
    state.attempted_scheme = None if found is None else found[0]
    return found


def _check_repeated_password(raw: str, request: Request, scheme: AnyScheme) -> None:
    """Refuse a password that a browser repeats by itself, if a page of another site sent the unsafe request.

    Browsers repeat it under the scheme's own name. Under another name only a program sends it.
    """
    if raw.strip(" \t").partition(" ")[0].lower() == scheme.name.lower():
        check_site(request, scheme)


def _find_unmatched_scheme(raw: str, plan: Plan) -> tuple[AnyScheme | None, str]:
    """Return the scheme of a field whose first word the table doesn't have, with the rest of the field.

    The field may begin with blanks, belong to a scheme that isn't in force, or be broken.
    """
    name, _, rest = raw.strip(" \t").partition(" ")
    scheme = plan.by_name.get(name.lower())
    if scheme is not None or not name:
        return scheme, rest
    if not is_token(name):
        raise MalformedCredentials(
            reason=f"Authorization ({len(raw)} characters) doesn't begin with the name of a scheme and a blank, "
            "expected such as 'Bearer ' (RFC 9110 section 11.4)"
        )
    # Another scheme is ignored, unless a server joined two lines and a scheme in force is hidden behind it.
    if "," in rest and _contains_second_credential(rest, plan):
        try:
            joined = len(read_elements(raw, plan.max_credentials)) > 1
        except GrammarError:
            joined = True
        if joined:
            raise MalformedCredentials(
                SEND_ONE,
                reason="Authorization holds two credentials with a comma between them, expected one: a client or a "
                "server joined two fields",
            )
    return None, ""


def _contains_second_credential(rest: str, plan: Plan) -> bool:
    """Return whether an element of a list begins with the name of a scheme in force: it is open which was meant."""
    return any(part.strip(" \t").partition(" ")[0].lower() in plan.by_name for part in rest.split(","))
