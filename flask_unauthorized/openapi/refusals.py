"""The refusals that an operation may respond with: 400, 401, 403, 429 and 503, with their headers and bodies.

The examples of ``WWW-Authenticate`` are made by `ChallengeSet`, as the responses are. A value that is new in each
response, such as a nonce, is replaced by a word.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from flask import Flask, Request

from ..authentication.cross_site import SAFE_METHODS
from ..errors import (
    AuthError,
    AuthUnavailable,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    MalformedCredentials,
    MissingCredentials,
    StepUpRequired,
    TooManyAttempts,
    Unauthorized,
)
from ..loaders.signed_tokens import SignedTokens
from ..loaders.static_tokens import StaticTokens
from ..policy.challenges import ChallengeSet
from ..policy.configuration import Configuration
from ..policy.requirement import Requirement, challenge_scopes_of
from ..policy.routes import Route
from ..policy.settings import Settings
from ..responses.error_handler import find_app_handler
from ..schemes.base import FLASK_SESSION, REMEMBER_COOKIE, AnyScheme
from ..schemes.loader_chain import loaders_of
from ..wire import Challenge
from .document import Document
from .security import MAX_ALTERNATIVES, is_cut

_CLASSES: Final[Mapping[int, type[AuthError]]] = {
    400: MalformedCredentials, 401: Unauthorized, 403: Forbidden, 429: TooManyAttempts, 503: AuthUnavailable,
}  # fmt: skip
"""By status the class of the refusals. Its name is that of the response in ``components``."""
_TEXTS: Final[Mapping[int, str]] = {
    400: "The credentials are malformed, or more than one was sent.",
    401: "Valid credentials are missing. `WWW-Authenticate` says which ones are accepted.",
    403: "The caller is not allowed to do this.",
    429: "Too many attempts. `Retry-After` says in how many seconds to try again.",
    503: "The credentials can't be checked now. `Retry-After` says in how many seconds to try again.",
}
_NEW_EACH_TIME: Final = frozenset({"nonce", "opaque"})
"""Parameters of challenges whose values differ from response to response."""


class Refusal(NamedTuple):
    """One refusal of an operation.

    Attributes:
        status: The status code.
        sentences: What a caller needs, beyond the text that belongs to the status.
        challenges: Examples of ``WWW-Authenticate``.
        always: Whether each such response has a challenge.
        sends_nonce: Whether a response may have ``DPoP-Nonce``.
        own_body: Whether the app makes the body, so that nothing is known of it.
    """

    status: int
    sentences: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    always: bool = False
    sends_nonce: bool = False
    own_body: bool = False


class Refusals:
    """Knows the refusals of one app.

    Args:
        app: The app.
        configuration: The configuration of its `Auth`.
        settings: The settings of the app.
        realm: The realm of schemes without their own.
        request: An empty request, for schemes that look at it.
    """

    def __init__(
        self, app: Flask, configuration: Configuration, settings: Settings, realm: str, request: Request
    ) -> None:
        self._app = app
        self._configuration = configuration
        self._settings = settings
        self._realm = realm
        self._request = request
        self._sets: dict[Any, ChallengeSet] = {}

    def of_routes(self, routes: Sequence[Route], method: str) -> list[Refusal]:
        """Return the refusals of an operation, by status. Several routes of one path are taken together."""
        by_status: dict[int, Refusal] = {}
        for route in routes:
            for one in self._of_route(route, method):
                known = by_status.get(one.status)
                by_status[one.status] = one if known is None else _joined(known, one)
        return [by_status[status] for status in sorted(by_status)]

    def _of_route(self, route: Route, method: str) -> Iterator[Refusal]:
        required = route.requirement
        if required is None or route.state not in ("guarded", "optional", "conditional"):
            return
        if any(map(_may_be_malformed, route.schemes)) or len(route.schemes) > 1:
            yield self._refusal(route, 400, (), self._challenges_of_malformed(route, required))
        sends_nonce = any(scheme.responds() and scheme.proves_key for scheme in route.schemes)
        login = tuple(_login(required))
        yield self._refusal(route, 401, login, self._challenges(route, required), sends_nonce=sends_nonce)
        reasons = tuple(self._reasons(route, required, method))
        if reasons:
            challenges = self._challenges_of_forbidden(route, required)
            yield self._refusal(route, 403, reasons, challenges, always=False)
        if any(scheme.throttle is not None for scheme in route.schemes):
            yield self._refusal(route, 429, (), (), always=False)
        if any(map(_may_be_unavailable, route.schemes)):
            yield self._refusal(route, 503, (), (), always=False)

    def _refusal(
        self, route: Route, status: int, sentences: tuple[str, ...], challenges: Iterable[str], *,
        always: bool = True, sends_nonce: bool = False,
    ) -> Refusal:  # fmt: skip
        names = route.endpoint.split(".")[:-1]
        blueprints = [".".join(names[:length]) for length in range(len(names), 0, -1)]
        handler = find_app_handler(self._app, _CLASSES[status](), blueprints)
        shown = tuple(dict.fromkeys(challenges))
        # Instances of flask-restx and flask-restful put their own method here, which makes the bodies.
        own_body = handler is not None or "handle_user_exception" in vars(self._app)
        return Refusal(status, sentences, shown, always, sends_nonce, own_body)

    def _reasons(self, route: Route, required: Requirement, method: str) -> Iterator[str]:
        """Give the reasons for a 403, as sentences."""
        yield from _permissions(required, len(route.schemes))
        from_browsers = [scheme for scheme in route.schemes if scheme.ambient or scheme.prompts]
        if method not in SAFE_METHODS and from_browsers:
            yield "Browsers must send it from a page of this site."
        elif any(not scheme.cross_site_reads for scheme in from_browsers):
            yield "Pages of other sites can't load it."
        if self._settings.require_https:
            yield "Use HTTPS."
        if route.resource is not None and route.resource.origins is not None:
            yield "Scripts of other origins can't send it."

    # --- examples of challenges

    def _set(self, route: Route, required: Requirement) -> ChallengeSet:
        key = required, route.schemes, route.resource
        if key not in self._sets:
            self._sets[key] = ChallengeSet(
                required,
                route.schemes,
                realm=self._realm,
                challenge_order=self._configuration.challenge_order,
                scopes=challenge_scopes_of(required.scopes),
                resource=route.resource,
            )
        return self._sets[key]

    def _challenges(self, route: Route, required: Requirement) -> Iterator[str]:
        """Give the values for a caller who sends nothing, and for rejected credentials of each scheme."""
        yield from self._lines(route, required, MissingCredentials(), None)
        for scheme in self._set(route, required).schemes:
            yield from self._lines(route, required, InvalidCredentials(), scheme)
            if required.acr or required.max_age is not None:
                error = StepUpRequired(acr_values=required.acr, max_age=required.max_age)
                yield from self._lines(route, required, error, scheme)

    def _challenges_of_malformed(self, route: Route, required: Requirement) -> Iterator[str]:
        for scheme in filter(_may_be_malformed, self._set(route, required).schemes):
            yield from self._lines(route, required, MalformedCredentials(), scheme)

    def _challenges_of_forbidden(self, route: Route, required: Requirement) -> Iterator[str]:
        scopes = challenge_scopes_of(required.scopes)
        for scheme in self._set(route, required).schemes if scopes or required.authorization_details else ():
            yield from self._lines(route, required, InsufficientScope(scopes=scopes), scheme)

    def _lines(
        self, route: Route, required: Requirement, error: AuthError, attempted: AnyScheme | None
    ) -> Iterator[str]:
        """Give the values of ``WWW-Authenticate`` of a refusal, one for each line; none if a scheme can't make them."""
        error.one_line = self._settings.one_line
        try:
            challenges = self._set(route, required).for_error(error, attempted, self._request)
        except Exception:  # A scheme of the app may need more of a request than an empty one has.
            return
        error.challenges = tuple(map(_without_new_values, challenges))
        yield from (value for name, value in error.auth_headers() if name == "WWW-Authenticate")

    # --- what the document says

    def write(self, document: Document, refusal: Refusal) -> dict[str, Any]:
        """Put a refusal into the parts of a document, and return the reference to it."""
        response: dict[str, Any] = {"description": " ".join((_TEXTS[refusal.status], *refusal.sentences))}
        response["headers"] = headers_of(refusal, is_swagger=document.version.is_swagger)
        if not response["headers"]:
            del response["headers"]
        if not refusal.own_body:
            response.update(self._body(document))
        return document.add("responses", _CLASSES[refusal.status].__name__, response)

    def _body(self, document: Document) -> dict[str, Any]:
        """Return what describes the bodies. Nothing is known of what a renderer of the app writes."""
        renderers = self._configuration.renderers
        if document.version.is_swagger:
            return {} if renderers else {"schema": document.add("schemas", "Refusal", _JSON)}
        schemas: dict[str, Any] = {}
        for media_type in self._configuration.media_types:
            if media_type in renderers:
                schemas[media_type] = {}
            elif media_type == "application/json":
                schemas[media_type] = document.add("schemas", "Refusal", _JSON)
            elif media_type == "application/problem+json":
                schemas[media_type] = document.add("schemas", "RefusalProblem", _PROBLEM)
            else:
                schemas[media_type] = {"type": "string"}
        return {"content": {media_type: {"schema": schema} for media_type, schema in schemas.items()}}


_TEXT: Final = {"type": "string"}
_JSON: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "message"],
    "properties": {"error": _TEXT, "message": _TEXT},
}
_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "error": _TEXT,
        "scope": _TEXT,
        "acr_values": _TEXT,
        "max_age": {"type": "integer"},
        "retry_after": {"type": "integer"},
    },
}


def headers_of(refusal: Refusal, *, is_swagger: bool) -> dict[str, Any]:
    """Return the Header Objects of a refusal by name."""
    headers: dict[str, Any] = {}
    if refusal.challenges or refusal.always:
        text = "The credentials that are accepted (RFC 9110 §11.6.1)."
        headers["WWW-Authenticate"] = _header(text, "string", refusal.challenges, refusal.always, is_swagger)
    if refusal.status in (429, 503):
        text = "Seconds until the next attempt makes sense (RFC 9110 §10.2.3)."
        headers["Retry-After"] = _header(text, "integer", (), refusal.status == 503, is_swagger)
    if refusal.sends_nonce:
        text = "The nonce for the next DPoP proof (RFC 9449 §8)."
        headers["DPoP-Nonce"] = _header(text, "string", (), False, is_swagger)
    return headers


def _header(text: str, kind: str, examples: Sequence[str], required: bool, is_swagger: bool) -> dict[str, Any]:
    if is_swagger:
        return {"description": text, "type": kind}
    header: dict[str, Any] = {"description": text, "schema": {"type": kind}}
    if required:
        header["required"] = True
    if examples:
        header["examples"] = dict(_named(examples))
    return header


def _named(examples: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Give a name for each example: that of its scheme, with a number if several have one."""
    counted: dict[str, int] = {}
    for value in examples:
        name = value.partition(" ")[0]
        counted[name] = counted.get(name, 0) + 1
        yield name if counted[name] == 1 else f"{name}_{counted[name]}", {"value": value}


def _joined(first: Refusal, second: Refusal) -> Refusal:
    return Refusal(
        first.status,
        tuple(dict.fromkeys((*first.sentences, *second.sentences))),
        tuple(dict.fromkeys((*first.challenges, *second.challenges))),
        first.always and second.always,
        first.sends_nonce or second.sends_nonce,
        first.own_body or second.own_body,
    )


def _without_new_values(challenge: Challenge) -> Challenge:
    """Return a challenge with a word in place of each value that is new in each response."""
    if not _NEW_EACH_TIME.intersection(name.lower() for name in challenge):
        return challenge
    params = [(name, name.upper() if name.lower() in _NEW_EACH_TIME else value) for name, value in challenge.params]
    return Challenge(challenge.scheme, params)


def _permissions(required: Requirement, schemes: int) -> Iterator[str]:
    for what, groups in (("scope", required.scopes), ("role", required.roles)):
        for group in sorted(groups):
            yield f"It needs the {what} {' or '.join(f'`{name}`' for name in group)}."
    if required.authorization_details:
        yield "The `authorization_details` of the token must allow it."
    if is_cut(required, schemes):
        yield f"More than {MAX_ALTERNATIVES} combinations will do; `security` names the first of each choice."


def _login(required: Requirement) -> Iterator[str]:
    if required.acr:
        yield f"It needs a login of the class {' or '.join(f'`{name}`' for name in required.acr)}."
    for group in sorted(required.amr):
        yield f"It needs a login by {' or '.join(f'`{name}`' for name in group)}."
    if required.max_age is not None:
        yield f"It needs a login that is at most {required.max_age} seconds old."


def _may_be_malformed(scheme: AnyScheme) -> bool:
    return any(read not in (FLASK_SESSION, REMEMBER_COOKIE) for read in scheme.reads)


def _may_be_unavailable(scheme: AnyScheme) -> bool:
    """Return whether a check of credentials may need what can fail: a store, a server, a processor that is busy."""
    if scheme._unavailable or scheme.throttle is not None or getattr(scheme, "store", None) is not None:
        return True
    ours = __name__.partition(".")[0]
    return any(
        type(one).__module__.partition(".")[0] == ours and not isinstance(one, (StaticTokens, SignedTokens))
        for one in loaders_of(scheme)
    )
