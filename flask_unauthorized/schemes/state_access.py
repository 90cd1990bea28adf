"""What a scheme may know of the app and of the request that it serves.

A scheme object is shared by apps and requests, so it stores nothing about them in itself. What it needs to know is held
by two objects that layers above create: the app's state in ``app.extensions``, and the request's state in an attribute
of the request object. A scheme can't import their classes, because imports point down only.

This module is the one place where both sides meet:

1. It spells the two keys under which the objects are found. No other module does, and a test holds that.
2. It declares the parts that schemes use as types: `ReadableAppState` and `SchemeState`. The classes of the layers
   above derive from them, so that the type checker compares both sides.
3. Its functions look things up. Schemes call these functions instead of ``getattr(request, "…")``, which neither the
   type checker nor the layer test can follow.

A request has a state as soon as the extension is asked who is calling. Challenges are also made without a request, in
``auth.check()``; then there is no state, and the defaults apply.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final, Generic, Protocol, TypeVar

from flask import Flask, Request

from ..errors import ConfigurationError
from ..logs import log
from ..wire.grammar import DEFAULT_CREDENTIAL_LIMIT
from .base import Scheme

EXTENSION: Final = "unauthorized"
"""The key of ``app.extensions`` under which an app's state is found."""
REQUEST_STATE: Final = "_unauthorized"
"""The private attribute of the request object that holds the state of the request."""
RESPONSE_LEFT: Final = "_unauthorized_response_left"
"""A private attribute of the request object. Most requests to open routes have no state that could hold it."""


class BodyNotRead(Exception):
    """Raised by a scheme that needs the body, while `may_read_body` is false. It says nothing about the caller."""


class ReadableAppState(Protocol):
    """The part of an app's state that schemes read."""

    @property
    def schemes(self) -> Sequence[Scheme[Any]]:
        """All schemes of the app's `Auth`."""
        ...

    realm: str
    """The realm of schemes without their own."""
    realm_is_default: bool
    """Whether that realm follows from the app's name, because no realm was set."""
    logged_once: set[object]
    """Keys of the messages that were logged, and aren't logged again."""
    token_issuers: dict[str, bool]
    """The issuers of JWTs, and whether the app says how it tells their users apart."""

    def is_guarded(self, endpoint: str) -> bool:
        """Return whether callers of an endpoint must authenticate."""
        ...


class PlanInForce(Protocol):
    """The part of a plan that schemes read."""

    realm: str
    max_credentials: int


P = TypeVar("P", bound=PlanInForce)
V = TypeVar("V")


class SchemeState(Generic[P]):
    """The part of a request's state that schemes read and write.

    The defaults are attributes of the class. Setting them on each request would cost more than reading credentials.
    """

    plan: P | None = None
    """The plan by which the request is authenticated, or was authenticated last."""
    kept_by_scheme: dict[Scheme[Any], Any] | None = None
    """By scheme, what `Scheme.verify` or `Scheme.challenges` remember for `Scheme.respond`."""
    may_read_body: bool = True
    """Whether `Scheme.read` and `Scheme.verify` may read a body that no code has read yet."""
    dropped_reason: str | None = None
    """Why `Scheme.read` dropped what came: the private reason of a refusal for lack of credentials."""


def readable_app_state(app: Flask) -> ReadableAppState:
    """Return the state of an app that an `Auth` serves.

    Args:
        app: The app, or Flask's proxy ``current_app``.

    Raises:
        ConfigurationError: If no `Auth` serves the app.
    """
    state: ReadableAppState | None = app.extensions.get(EXTENSION)
    if state is None:
        raise no_auth_error(app)
    return state


def no_auth_error(app: Flask) -> ConfigurationError:
    """Return the error for an app that no `Auth` serves."""
    return ConfigurationError(f"no Auth serves the app {app.name!r}: call auth.init_app(app) when making it")


def scheme_state(request: Request) -> SchemeState[Any] | None:
    """Return the state of a request, or ``None`` if the extension hasn't been asked who is calling."""
    state: SchemeState[Any] | None = getattr(request, REQUEST_STATE, None)
    return state


def has_response_left(request: Request) -> bool:
    """Return whether the guard has seen the response, so that no header can be set any more."""
    return hasattr(request, RESPONSE_LEFT)


def remember_for_response(scheme: Scheme[Any], request: Request, value: object) -> None:
    """Remember ``value`` until `Scheme.respond` of the same request.

    It replaces an earlier value of the same scheme. Challenges are also made without a state of the request, such as in
    ``auth.check()``. Nothing is remembered then, because no `Scheme.respond` follows.
    """
    state = scheme_state(request)
    if state is None:
        return
    if state.kept_by_scheme is None:
        state.kept_by_scheme = {scheme: value}
    else:
        state.kept_by_scheme[scheme] = value


def remembered_for_response(scheme: Scheme[Any], request: Request, kind: type[V]) -> V | None:
    """Return what `remember_for_response` got, ``None`` if nothing of type ``kind``."""
    state = scheme_state(request)
    if state is None or state.kept_by_scheme is None:
        return None
    value = state.kept_by_scheme.get(scheme)
    return value if isinstance(value, kind) else None


def realm_in_force(scheme: Scheme[Any], request: Request) -> str:
    """Return the realm of ``scheme`` for ``request``: the scheme's own realm, else that of the app that serves."""
    state: SchemeState[PlanInForce] | None = getattr(request, REQUEST_STATE, None)  # scheme_state, without its call
    if scheme.realm is not None or state is None or state.plan is None:
        return scheme.realm or ""
    return state.plan.realm


def max_credentials(request: Request) -> int:
    """Return how many bytes a credential may have: ``UNAUTHORIZED_MAX_CREDENTIALS`` of the app that serves.

    Schemes check this for other carriers only. The length of ``Authorization`` is checked before `Scheme.read`.
    """
    state: SchemeState[PlanInForce] | None = getattr(request, REQUEST_STATE, None)  # scheme_state, without its call
    return DEFAULT_CREDENTIAL_LIMIT if state is None or state.plan is None else state.plan.max_credentials


def may_read_body(request: Request) -> bool:
    """Return whether a scheme may read the body, or raises `BodyNotRead` if it can't do without.

    Code that asks who is calling before the view runs must leave the body to the view, which may stream it, or not read
    it at all. A body that Werkzeug has cached or parsed may always be used.
    """
    state = scheme_state(request)
    return state is None or state.may_read_body or not {"_cached_data", "form"}.isdisjoint(vars(request))


def warn_once(app: Flask, text: str) -> None:
    """Log a warning of `Scheme.check` once for each app.

    ``check`` runs for every scheme object, and again when the first request comes.
    """
    logged = readable_app_state(app).logged_once
    if text not in logged:
        logged.add(text)
        log.warning("%s", text)


def note_token_issuer(app: Flask, issuer: str, tells_users_apart: bool) -> None:
    """Note an issuer of tokens. Warn once if there are several, whose users the app may confuse."""
    known = readable_app_state(app).token_issuers
    known[issuer] = known.get(issuer, True) and tells_users_apart
    if len(known) > 1 and not all(known.values()):
        warn_once(
            app,
            "JWT: the app accepts tokens of several issuers, and two of them may give one sub to different users: "
            "look users up with user=, or name them by identity.key and write user=None",
        )


def mention_once(app: Flask, text: str) -> None:
    """Log a remark of `Scheme.check` at INFO once for each app."""
    logged = readable_app_state(app).logged_once
    if text not in logged:
        logged.add(text)
        log.info("%s", text)


def warn_of_switch(app: Flask, text: str) -> None:
    """Log once for each app that a switch weakens it. The app's tests aren't told, because they may use it on purpose.

    docs/guides/security.md lists all such switches.

    Args:
        app: The app.
        text: The switch as it is written, what it costs, and the fix.
    """
    if not app.testing:
        warn_once(app, text)


def warn_of_default_realm(scheme: Scheme[Any], app: Flask, dependents: str) -> None:
    """Warn if ``scheme`` has the default realm, because renaming the app would end ``dependents``.

    Args:
        scheme: The scheme whose data depend on the realm.
        app: The app that the scheme serves.
        dependents: What depends on the realm, as the beginning of a sentence: ``"Stored hashes"``.
    """
    app_state = readable_app_state(app)
    realm = app_state.realm
    if scheme.realm is None and app_state.realm_is_default:
        warn_once(
            app,
            f"{type(scheme).__name__} uses the default realm {realm!r}, which follows from the name of the app "
            f"{app.name!r}. {dependents} depend on it: set realm={realm!r}, so that they survive if the app is renamed",
        )


def suggest_endpoint(app: Flask, name: str, prefix: str = "") -> str | None:
    """Return the endpoint that the developer may have meant by ``name``.

    That is the endpoint of a route with this path, or a view of a blueprint that was named without its blueprint, or
    the endpoint with the most similar name.

    Args:
        app: The app whose endpoints are compared.
        name: What the developer wrote.
        prefix: Consider only endpoints that begin with it, such as ``"blueprint."``.

    Returns:
        The endpoint without ``prefix``; ``None`` if none is similar.
    """
    known = [endpoint.removeprefix(prefix) for endpoint in app.view_functions if endpoint.startswith(prefix)]
    for rule in app.url_map.iter_rules():
        if rule.rule == name and rule.endpoint.startswith(prefix):
            return str(rule.endpoint).removeprefix(prefix)
    in_blueprints = [endpoint for endpoint in known if endpoint.rpartition(".")[2] == name]
    near = in_blueprints if len(in_blueprints) == 1 else get_close_matches(name, known, n=1)
    return near[0] if near else None
