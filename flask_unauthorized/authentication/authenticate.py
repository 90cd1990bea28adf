"""Judging one request: plan + request -> `Identity`, or an `AuthError` with its challenges."""

import logging
from collections.abc import Mapping
from numbers import Number
from time import time
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, Final, NamedTuple, TypeVar

from flask import Request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from ..errors import (
    AuthError,
    ConfigurationError,
    CrossSiteRequest,
    ExpiredCredentials,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    MalformedCredentials,
    MissingCredentials,
    StepUpRequired,
    fixed_wording,
    shown,
)
from ..identity import BareIdentity, Identity, dated
from ..policy.plan import AnyScheme, Plan, keep
from ..schemes.base import check_size
from ..wire import Challenge
from ..wire.fetch_metadata import is_script
from ..wire.grammar import GrammarError, is_token, read_elements

log: Final = logging.getLogger("flask_unauthorized")
MAX_CLOCK_SKEW: Final = 60
"""How far in the future a login time may lie before it counts as wrong, in seconds."""

SEND_ONE: Final = "More than one credential was sent. Send one."
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
E = TypeVar("E", bound=AuthError)


class Refusal:
    """A refusal to be repeated: class and fields, never the exception, whose traceback would keep frames alive."""

    __slots__ = ("fields", "kind")

    def __init__(self, error: AuthError) -> None:
        self.kind = type(error)
        self.fields = vars(error).copy()

    def again(self) -> AuthError:
        error = self.kind.__new__(self.kind)
        error.__dict__.update(self.fields)
        return error


class State:
    """What one request has come to: lives on the real request object, and nowhere else.

    The defaults are the class's: setting ten attributes on each request would cost more than reading the credentials.
    """

    app: Any
    plan: Plan | None = None  # judged last, met or not
    met: Plan | None = None  # the plan that the identity met
    identity: Identity | None = None
    scheme: AnyScheme | None = None
    tried: AnyScheme | None = None
    results: dict[AnyScheme, Identity | Refusal] | None = None
    verifying: AnyScheme | None = None  # the scheme whose loader runs at this moment
    quiet: "Identified | None" = None  # what a question without a refusal came to
    earlier: tuple[Plan, ...] = ()  # met before the view demanded more, or logged its caller in or out
    acting: Identity | None = None  # who a test's client stands for: see testing.acting_as
    announced: Identity | None = None  # by the signal
    refused: tuple[int, tuple[tuple[str, str], ...]] | None = None
    sent: list[tuple[str, str]] | None = None  # all header lines of the refusal as we rendered it
    page: tuple[Any, bytes] | None = None  # the refusal page: the response, and the body that we gave it
    rendering = False
    number: int | None = None  # of this request among those that were refused
    entered: AnyScheme | None = None  # by login() in this request: it decides from there on
    shared = False  # the view allows shared caches to keep its answer
    unshared = False  # the answer is no cache's, whatever an after_request function says: login, logout, redirect
    foreign = False  # the error that was handled last isn't ours: abort(401), another extension

    def has_met(self, plan: Plan) -> bool:
        """Whether this request met ``plan`` at any time: a view may log its caller out, or demand more."""
        return self.met is plan or plan in self.earlier

    def note_met(self) -> None:
        """Remembers the plan that was met, before another one takes its place."""
        if self.met is not None:
            self.earlier = (*self.earlier, self.met)


class Identified(NamedTuple):
    """What `identify` came to: the caller, with the scheme that was used, or the refusal that was not raised."""

    identity: Identity | None
    scheme: AnyScheme | None
    refusal: Refusal | None


def judge(plan: Plan, request: Request, state: State) -> Identity | None:
    """Who is calling, if that meets the plan; ``None`` only where the plan is optional and nothing was sent.

    Raises an `AuthError`, to which `complete` gives its challenges. The order is fixed: syntax (400), our availability
    (503), authenticity, key binding, expiry, step-up (401), scope and role (403). Nothing is set on ``state`` before
    the last step but what was tried.
    """
    if state.met is plan:
        return state.identity
    state.plan = plan
    state.tried = None
    if plan.screens:
        _screen(plan, request.environ)
    selected = select(plan, request, state)
    if selected is not None:
        scheme, credentials = selected
        if request.environ.get("wsgi.url_scheme") != "https" and plan.owner.watches and not _is_local(request):
            plan.owner.warn_of_plain_http()
        identity = verified(scheme, credentials, request, state)
    elif state.acting is not None:
        scheme, identity = plan.schemes[0], state.acting
    elif plan.optional and state.identity is None:
        state.met = plan
        return None
    else:
        raise MissingCredentials(reason=plan.missing_reason)
    if plan.demands or identity.expires_at is not None:
        _meets(plan, identity)
    state.identity = identity
    state.scheme = scheme
    state.met = plan
    return identity


def identify(plan: Plan, request: Request, state: State) -> Identified:
    """Who is calling by the credentials that ``plan`` reads, without refusing anybody and without asking for more.

    Asked once per request. Required HTTPS, the resource's origins and the time of expiry count; scopes, roles and
    step-up don't. Credentials for a loader that can't be told from another one's are nobody's. An exception of the
    loader is raised the first time; after it nobody is known.
    """
    if state.quiet is None:
        state.quiet = Identified(None, None, None)
        plan_before, tried_before = state.plan, state.tried
        try:
            state.quiet = _identify(plan, request, state)
        except AuthError as error:
            state.quiet = Identified(None, state.tried, Refusal(error))
        except HTTPException:  # a body that is too long or broken: whoever reads it answers that
            pass
        finally:
            state.plan, state.tried = plan_before, tried_before
    return state.quiet


def _identify(plan: Plan, request: Request, state: State) -> Identified:
    if plan.screens:
        _screen(plan, request.environ)
    state.plan = plan  # a scheme may ask for the realm in force
    selected = select(plan, request, state)
    if selected is None:
        return Identified(state.acting, plan.schemes[0] if state.acting is not None else None, None)
    scheme, credentials = selected
    if scheme in plan.ambiguous:
        log.debug("%s: several schemes of the Auth read what was sent as %s", request.endpoint, scheme.name)
        return Identified(None, None, None)
    identity = verified(scheme, credentials, request, state)
    if identity.expires_at is not None:
        _check_expiry(identity)
    return Identified(identity, scheme, None)


def _screen(plan: Plan, environ: Mapping[str, Any]) -> None:
    """Refuses before anything else what comes over plain HTTP, or from a site that the resource doesn't trust (MCP)."""
    if plan.https_only and environ.get("wsgi.url_scheme") != "https":
        raise Forbidden(
            "Use HTTPS.",
            reason="the request came over plain HTTP, and UNAUTHORIZED_REQUIRE_HTTPS is on: behind a proxy that ends "
            "TLS use ProxyFix",
        )
    origin = environ.get("HTTP_ORIGIN")
    if plan.origins is not None and origin is not None and origin.lower() not in plan.origins:
        raise CrossSiteRequest(
            "This request came from another site, whose origin is not in origins= of the resource.",
            reason=f"Origin is {shown(origin, 80)}, expected one of {shown(plan.origins, 120)}: origins= of the "
            "resource",
        )


def complete(error: AuthError, plan: Plan, state: State, request: Request) -> None:
    """Gives ``error`` the challenges in force, and records it, so that the guard can restore its headers."""
    tried = state.tried
    if tried is not None:
        error.scheme = tried.name
    error.one_line = state.app.settings.one_line or is_script(request.environ)
    wording = fixed_wording(error) if plan.steady else None
    known = plan.told.get((wording, tried, error.one_line))
    if known is not None:
        error.challenges, state.refused = known
        return
    error.challenges = _challenges(error, plan, tried, request)
    state.refused = (getattr(error, "code", 0), tuple(error.auth_headers()))
    if wording is not None:
        keep(plan.told, (wording, tried, error.one_line), (error.challenges, state.refused))


def _challenges(error: AuthError, plan: Plan, tried: AnyScheme | None, request: Request) -> tuple[Challenge, ...]:
    status = getattr(error, "code", None)
    if status == 400 and tried is None:
        # Nobody can say which scheme was meant, so each one tells the error (RFC 9449 §7.2 does the same).
        return tuple(c for scheme in plan.schemes for c in plan.challenges(scheme, error, request))
    if tried is None and status == 401 and plan.unasked and not plan.silent:
        return plan.unasked
    if status in (400, 401):
        return plan.in_force(error, tried, request)
    if isinstance(error, InsufficientScope) and tried is not None:
        told = plan.challenges(tried, error, request)
        return tuple(challenge for challenge in told if challenge.get("error") is not None)
    return ()


# --- selection: what was sent, for which scheme


def select(plan: Plan, request: Request, state: State) -> tuple[AnyScheme, Any] | None:
    """The scheme that decides, with its credentials; ``None`` where nothing was sent for a scheme in force."""
    if plan.ambient and state.entered in plan.ambient:
        state.tried = state.entered
        return state.entered, None  # verified already
    raw = request.environ.get("HTTP_AUTHORIZATION")
    scheme = None
    credentials = None
    if raw:
        if len(raw) > plan.max_credentials:
            check_size("Authorization", raw, plan.max_credentials)
        name, _, rest = raw.partition(" ")
        scheme = plan.by_name.get(name) or plan.by_name.get(name.lower())
        if scheme is None:
            scheme, rest = _odd(raw, plan, state)
        rest = rest.strip(" \t")
        if not rest:
            scheme = None  # a scheme's name alone is no credential
        if scheme is not None:
            state.tried = scheme
            try:
                credentials = scheme.read(request, rest)
            except MalformedCredentials:
                state.tried = None if _hides_another(rest.partition(",")[2], plan) else scheme
                raise
            # Browsers repeat a password by themselves, as they do cookies; under another name only a script sends it.
            if scheme.prompts and is_unsafe(request) and not _is_alias(raw, scheme):
                _check_site(request, scheme)
    if plan.elsewhere:
        return _other_carriers(plan, request, state, scheme, credentials)
    return None if scheme is None or credentials is None else (scheme, credentials)


def _other_carriers(
    plan: Plan, request: Request, state: State, scheme: AnyScheme | None, credentials: Any
) -> tuple[AnyScheme, Any] | None:
    found = None if scheme is None or credentials is None else (scheme, credentials)
    for other in plan.carriers:
        if other is scheme:
            continue
        state.tried = other
        sent = other.read(request, None)
        if sent is None:
            continue
        if found is not None:
            state.tried = None
            raise MalformedCredentials(
                SEND_ONE,
                reason=f"credentials for {found[0].name} and {other.name} came in one request, expected one of them",
            )
        found = other, sent
    state.tried = None if found is None else found[0]
    return found or _ambient(plan, request, state)


def _ambient(plan: Plan, request: Request, state: State) -> tuple[AnyScheme, Any] | None:
    """Credentials that the browser sent by itself: they count on unsafe methods from the own site only."""
    for scheme in plan.ambient:
        state.tried = scheme
        sent = scheme.read(request, None)
        if sent is not None:
            if is_unsafe(request):
                _check_site(request, scheme)
            return scheme, sent
    state.tried = None
    return None


def is_unsafe(request: Request) -> bool:
    """Whether credentials that the browser adds by itself count from the own site only.

    Unsafe methods (RFC 9110 §9.2.1), and the handshake of a WebSocket: a GET, but a page of another site can send and
    read over what it opens (RFC 6455 §10.2).
    """
    return request.method not in SAFE_METHODS or is_handshake(request)


def is_handshake(request: Request) -> bool:
    """Whether the request opens a WebSocket, or came to a rule that is for WebSockets."""
    if getattr(request.url_rule, "websocket", False):
        return True
    upgrade = request.environ.get("HTTP_UPGRADE")
    return upgrade is not None and "websocket" in (name.strip().lower() for name in upgrade.split(","))


def _is_alias(raw: str, scheme: AnyScheme) -> bool:
    return raw.strip(" \t").partition(" ")[0].lower() != scheme.name.lower()


def _check_site(request: Request, scheme: AnyScheme) -> None:
    """Refuses what a page of another site sends with credentials that the browser adds by itself."""
    if is_cross_site(request, scheme):
        raise CrossSiteRequest(
            reason=f"the request with {scheme.name} came from another site: {site_of(request)}, expected one of "
            f"{shown(scheme.trusted_origins, 80)} of trusted_origins="
        )


def site_of(request: Request) -> str:
    """What a browser said of the page that sent the request, for a reason."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    return f"Origin is {shown(origin, 80)} and Sec-Fetch-Site {shown(site, 20)}"


def is_cross_site(request: Request, scheme: AnyScheme) -> bool:
    """By Fetch Metadata, else by ``Origin``; neither sent is no browser of this decade."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() in scheme.trusted_origins:
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    if origin is None:
        return False
    own = _ORIGIN_SCHEMES.get(request.scheme, request.scheme)
    return origin.lower() != f"{own}://{request.host}".lower()


# A page that opens a WebSocket sends its own origin (RFC 6455 §10.2); some servers name the scheme of the URL instead.
_ORIGIN_SCHEMES = {"ws": "http", "wss": "https"}


def _odd(raw: str, plan: Plan, state: State) -> tuple[AnyScheme | None, str]:
    """The scheme of a field that the table didn't know at once: another scheme's, or broken."""
    name, _, rest = raw.strip(" \t").partition(" ")
    scheme = plan.by_name.get(name.lower())
    if scheme is not None or not name:
        return scheme, rest
    if not is_token(name):
        raise MalformedCredentials(
            reason=f"Authorization ({len(raw)} characters) doesn't begin with the name of a scheme and a blank, "
            "expected such as 'Bearer ' (RFC 9110 section 11.4)"
        )
    # Another scheme counts as nothing sent, unless a server joined two lines and one of ours is hidden behind it.
    if "," in rest and _hides_another(rest, plan):
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


def _hides_another(rest: str, plan: Plan) -> bool:
    """Whether an element of a list names a scheme in force: then nobody can say which credentials were meant."""
    return any(part.strip(" \t").partition(" ")[0].lower() in plan.by_name for part in rest.split(","))


# --- verification


def _is_local(request: Request) -> bool:
    """Whether it came from the same machine. A peer that the server doesn't name (load balancers) may be anybody."""
    peer = str(request.environ.get("REMOTE_ADDR", ""))
    return peer.removeprefix("::ffff:").startswith("127.") or peer == "::1"


def verified(scheme: AnyScheme, credentials: Any, request: Request, state: State) -> Identity:
    """The identity behind the credentials; the loader is asked once per request, and a refusal stays one."""
    results = state.results
    known = None if results is None else results.get(scheme)
    if known is None:
        state.verifying = scheme
        try:
            result = scheme.verify(credentials, request)
            known = result if type(result) is Identity else to_identity(result, scheme, credentials)
            if known.confirmation is not None or scheme.proves_key:
                scheme.prove(known, credentials, request)
            if scheme.knows_login:
                known = dated(known, *scheme.login_of(credentials))
        except AuthError as error:
            state.results = {**(results or {}), scheme: Refusal(error)}
            raise
        finally:
            state.verifying = None
        state.results = {scheme: known} if results is None else {**results, scheme: known}
    elif isinstance(known, Refusal):
        raise known.again()
    return known


def to_identity(result: object, scheme: AnyScheme, credentials: Any) -> Identity:
    """What a loader returned, as an identity. Refuses ``None``; `TypeError` for what cannot be a user."""
    if isinstance(result, Identity):
        return result
    if result is None or (result is False and scheme.names_subject):
        raise InvalidCredentials(reason=scheme.rejections[result])
    subject = scheme.subject(credentials) if scheme.names_subject else None
    if result is True and scheme.names_subject:
        if subject is None:
            raise InvalidCredentials(
                reason=f"the loader of {scheme.name} returned True for an empty name, expected a name in the "
                "credentials"
            )
        return BareIdentity(subject)
    kind = type(result)
    if kind in _NUMBERS:
        return BareIdentity(_number_as_subject(result, scheme))
    if kind is str and not result and not subject and scheme.names_subject:
        # The client's mistake, not the loader's.
        raise InvalidCredentials(
            reason=f"the loader of {scheme.name} returned '' for an empty name, expected a name in the credentials"
        )
    if kind is str and result:
        return BareIdentity(result)  # type: ignore[arg-type]  # kind is str
    if isinstance(result, _NO_USER_BASES):
        return _odd_result(result, scheme)
    # An iterator is the cursor or the result of a query, which is there for every token. A future is told by its shape,
    # because importing its class costs more than importing this package.
    if kind is tuple or hasattr(kind, "__next__") or hasattr(kind, "__anext__") or hasattr(kind, "add_done_callback"):
        raise _no_user(result, scheme)
    return BareIdentity(subject, user=result)


def _odd_result(result: object, scheme: AnyScheme) -> BareIdentity:
    """What stands for a loader's answer that isn't a user object. Raises `TypeError` for nearly all of them."""
    if isinstance(result, Number) and not isinstance(result, bool):
        return BareIdentity(_number_as_subject(result, scheme))
    text = str.__str__(result) if isinstance(result, str) else ""  # `str` of a member of an enum gives its name
    if not text:
        raise _no_user(result, scheme)
    return BareIdentity(text, user=result)


def _no_user(result: object, scheme: AnyScheme) -> TypeError:
    kind = type(result)
    fix = "return an Identity, your user object, a non-empty subject, or None for no"
    if hasattr(kind, "__next__"):
        fix = f"it is there whether or not a user was found. Take the first row out of it, and {fix}"
    what = "an empty str" if isinstance(result, str) else f"a {kind.__name__}"
    return TypeError(f"the loader of {scheme.name} returned {what}, which cannot be a user: {fix}")


def _number_as_subject(number: Any, scheme: AnyScheme) -> str:
    """A positive ``int`` is the id of a row; `TypeError` for what may as well mean no."""
    if scheme.names_subject:
        raise TypeError(
            f"the loader of {scheme.name} returned {number!r}, which could mean no, or be an id: return True or False, "
            "None for no, or str(id)"
        )
    if not isinstance(number, int) or number <= 0:
        raise TypeError(
            f"the loader of {scheme.name} returned {number!r}, which could mean no, or be an id: return None for no, a "
            "positive int or str(id) as the subject, an Identity, or your user object"
        )
    return str(int(number))


_NUMBERS = frozenset({int, float, complex})
# No plain tuple either, but a named tuple may well be a user.
_NO_USER_BASES = (
    str, Number, bytes, bytearray, list, set, frozenset, type, type(NotImplemented), type(Ellipsis), FunctionType,
    MethodType, BuiltinFunctionType, BaseException, Response, Mapping,
)  # fmt: skip


# --- what the plan demands of the identity


def _check_expiry(identity: Identity) -> None:
    if identity.expires_at is not None and identity.expires_at <= time():
        raise ExpiredCredentials(
            reason=f"expires_at has passed: it is {shown(identity.expires_at)}, and now {time():.0f}"
        )


def _meets(plan: Plan, identity: Identity) -> None:
    if identity.expires_at is not None:
        _check_expiry(identity)
    if plan.steps_up:
        _check_login(plan, identity)
    if plan.scope_groups or plan.role_groups:
        _check_permissions(plan, identity)


def _check_login(plan: Plan, identity: Identity) -> None:
    """RFC 9470: a login without a known time or class counts as too old or too weak."""
    reason = None
    if plan.acr and identity.acr not in plan.acr:
        reason = f"acr is {shown(identity.acr)}, and acr= of the view accepts {shown(list(plan.acr))}"
    elif plan.max_age is not None:
        now = time()
        at = identity.auth_time
        if at is None:
            reason = f"the time of the login is unknown (auth_time), and max_age={plan.max_age} of the view needs it"
        elif at > now + MAX_CLOCK_SKEW:
            reason = f"the time of the login lies in the future: auth_time is {shown(at)}, and now {now:.0f}"
        elif at < now - plan.max_age:
            reason = (
                f"the login is too old: auth_time is {shown(at)}, now {now:.0f}, and max_age={plan.max_age} of the view"
            )
    if reason is not None:
        raise StepUpRequired(reason=reason, acr_values=plan.acr, max_age=plan.max_age)


def _check_permissions(plan: Plan, identity: Identity) -> None:
    for accepted in plan.scope_groups:
        if accepted.isdisjoint(identity.scopes):
            _bare_is_a_mistake(plan, identity)
            reason = (
                f"none of {shown(accepted)} is granted: the scopes of the credentials are {shown(identity.scopes)}, "
                "and scopes= of the view asks for others"
            )
            raise InsufficientScope(reason=reason, scopes=plan.named_scopes)
    for roles in plan.role_groups:
        if roles.isdisjoint(identity.roles):
            _bare_is_a_mistake(plan, identity)
            raise Forbidden(
                reason=f"none of the roles {shown(roles)} is held: the caller has {shown(identity.roles)}, by "
                "roles_claim= or the loader, and roles= of the view asks for others"
            )


def _bare_is_a_mistake(plan: Plan, identity: Identity) -> None:
    """A loader that returns a bare user can never meet scopes or roles: the developer's mistake."""
    if isinstance(identity, BareIdentity):
        text = (
            f"{plan.requirement!r} demands scopes or roles, but the loader returned a bare user or subject: "
            "return Identity(subject, scopes=…, roles=…, user=…)"
        )
        if plan.strict:
            raise ConfigurationError(text)
        log.error("%s", text)
