"""What a scheme may know of the app and the request that it serves.

A scheme object is shared by apps and requests, so it keeps nothing of them in itself. The app's state and the state of
the request are made by layers above. Here stand the parts of both that schemes read, as types, and the two keys under
which they are found. No other module spells these keys.
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from flask import Flask, Request

from ..errors import ConfigurationError
from ..wire.grammar import MAX_AUTHORIZATION
from .base import Scheme

EXTENSION: Final = "unauthorized"
"""The key of ``app.extensions`` under which an app's state is found."""
REQUEST_STATE: Final = "_unauthorized"
"""The private attribute of the request object that holds the state of the request."""


class ServingApp(Protocol):
    """The part of an app's state that schemes read."""

    @property
    def schemes(self) -> Sequence[Scheme[Any]]:
        """All schemes of the app's `Auth`."""

    realm: str
    """The realm of schemes without their own."""
    realm_is_default: bool
    """Whether the realm follows from the app's name."""
    logged_once: set[object]
    """What was logged and isn't logged again."""

    def is_guarded(self, endpoint: str) -> bool:
        """Return whether an endpoint demands a caller."""


class PlanInForce(Protocol):
    """The part of a plan that schemes read."""

    realm: str
    max_credentials: int


P = TypeVar("P", bound=PlanInForce)
V = TypeVar("V")


class SchemeState(Generic[P]):
    """The part of a request's state that schemes read and write.

    The defaults belong to the class, because setting them on each request would cost more than reading credentials.
    """

    plan: P | None = None
    """The plan by which the request is judged, or was judged last."""
    kept_by_scheme: dict[Scheme[Any], Any] | None = None
    """What a scheme keeps from `Scheme.verify` or `Scheme.challenges` for `Scheme.respond`."""


def serving_app(app: Flask) -> ServingApp:
    """Return the state of an app that an `Auth` serves.

    Raises:
        ConfigurationError: If no `Auth` serves the app.
    """
    found: ServingApp | None = app.extensions.get(EXTENSION)
    if found is None:
        raise ConfigurationError(f"no Auth serves the app {app.name!r}: call auth.init_app(app) when making it")
    return found


def scheme_state(request: Request) -> SchemeState[Any] | None:
    """Return the state of a request, ``None`` where nobody has asked who is calling yet."""
    state: SchemeState[Any] | None = getattr(request, REQUEST_STATE, None)
    return state


def remember_for_response(scheme: Scheme[Any], request: Request, value: object) -> None:
    """Remember ``value`` until `Scheme.respond` of the same request.

    It replaces an earlier value of the same scheme. Challenges are also made where no request has a state, such as in
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
    """Return the realm of ``scheme`` while ``request`` is judged: its own, else the app's."""
    state = scheme_state(request)
    if scheme.realm is not None or state is None or state.plan is None:
        return scheme.realm or ""
    realm: str = state.plan.realm
    return realm


def max_credentials(request: Request) -> int:
    """Return how many bytes a credential may have: ``UNAUTHORIZED_MAX_CREDENTIALS`` of the app that serves.

    Of what comes in ``Authorization`` the length was checked before `Scheme.read`.
    """
    state = scheme_state(request)
    size: int = MAX_AUTHORIZATION if state is None or state.plan is None else state.plan.max_credentials
    return size
