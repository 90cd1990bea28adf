"""flask_unauthorized, in all the ways that the peers are measured in, and with more schemes and routes."""

from collections.abc import Callable, Sequence
from typing import Any

from flask import Flask, Request

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Challenge, Identity, Scheme
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle

from .base import (
    ALL,
    BASIC_REQUESTS,
    MULTI_REQUESTS,
    OPEN,
    READ,
    REFUSALS,
    WRITE,
    Contender,
    View,
    asking,
    new_view,
    password_check,
    token_check,
    with_handler,
)
from .none import ROUTES
from .ours_people import CONTENDERS as FOR_PEOPLE

Schemes = Callable[[], Sequence[Scheme[Any]]]


class Ticket(Scheme[str]):
    """A scheme as users write them, in ``Authorization`` under a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.reads = (("authorization", name.lower()),)
        super().__init__(_token_check())

    def read(self, request: Request, rest: str | None) -> str | None:
        return rest or None

    def verify(self, credentials: str, request: Request) -> object:
        return self.load(credentials)

    def challenges(self, realm: str, error: Exception | None, request: Request) -> tuple[Challenge, ...]:
        return (Challenge(self.name, {"realm": realm}),)


def _identity(name: str) -> Identity:
    return Identity(name, scopes={READ})


def _token_check() -> Callable[[str], Any]:
    return token_check(_identity)


def token_schemes() -> list[Scheme[Any]]:
    """One Bearer scheme."""
    return [Bearer(_token_check())]


def _basic() -> list[Scheme[Any]]:
    return [Basic(password_check(_identity))]


def _basic_throttled() -> list[Scheme[Any]]:
    return [Basic(password_check(_identity), throttle=Throttle(MemoryStore(single_process=True)))]


def _three() -> list[Scheme[Any]]:
    return [*token_schemes(), *_basic(), APIKey(_token_check())]


def _in_authorization() -> list[Scheme[Any]]:
    return [*token_schemes(), *_basic(), *(Ticket(f"Ticket-{number}") for number in range(4))]


def _mixed() -> list[Scheme[Any]]:
    return [*_three(), APIKey(_token_check(), header="X-Device-Key"), Ticket("Ticket-1"), Ticket("Ticket-2")]


def demanding(auth: Auth[Any], demand: str) -> Callable[[View], View]:
    """Our decorator for one demand."""
    if demand == "optional":
        return auth.login_optional
    if demand in OPEN:
        return lambda view: asking(auth.get_identity, view) if demand == "asks" else view
    scopes = {"held": {READ}, "lacking": {WRITE}}.get(demand)
    return auth.login_required(scopes=scopes) if scopes else auth.login_required


def _guard(schemes: Schemes, routes: int = 1) -> Callable[[Flask, View, str], View]:
    def guard(app: Flask, view: View, demand: str) -> View:
        decorate = demanding(Auth(*schemes(), app=app), demand)
        for number in range(1, routes):
            app.add_url_rule(f"/other/{number}", f"other-{number}", decorate(new_view()))
        return decorate(view)

    return guard


def _protect(app: Flask, view: View, demand: str) -> View:
    Auth(*token_schemes(), app=app).protect(app)
    return view


def _first(count: int, schemes: Schemes) -> Schemes:
    return lambda: schemes()[:count]


CONTENDERS = (
    Contender("ours.bearer", "**flask_unauthorized, Bearer**", _guard(token_schemes), (*ALL, *OPEN)),
    Contender(
        "ours.protect", "**flask_unauthorized, Bearer by `protect(app)`**", _protect, ("accepted", "missing", "wrong")
    ),
    Contender(
        "ours.bearer-handler",
        "**flask_unauthorized, Bearer, a handler for `HTTPException`**",
        with_handler(_guard(token_schemes)),
        REFUSALS,
    ),
    Contender(
        "ours.basic",
        "**flask_unauthorized, Basic**",
        _guard(_basic),
        ("accepted", *REFUSALS),
        requests=lambda app: BASIC_REQUESTS,
    ),
    Contender(
        "ours.basic-throttled",
        "flask_unauthorized, Basic with a throttle",
        _guard(_basic_throttled),
        ("accepted",),
        requests=lambda app: BASIC_REQUESTS,
    ),
    Contender(
        "ours.three",
        "**flask_unauthorized, three schemes**",
        _guard(_three),
        ("accepted", "basic", "key", *REFUSALS),
        requests=lambda app: MULTI_REQUESTS,
    ),
    *FOR_PEOPLE,
    *(
        Contender(f"ours.authorization-{count}", f"{count}", _guard(_first(count, _in_authorization)), ("accepted",))
        for count in range(1, 7)
    ),
    *(
        Contender(f"ours.mixed-{count}", f"{count}", _guard(_first(count, _mixed)), ("accepted",))
        for count in range(3, 7)  # the first two are those of the other row
    ),
    *(
        Contender(f"ours.routes-{routes}", f"{routes} protected routes", _guard(token_schemes, routes), ("accepted",))
        for routes in ROUTES
    ),
)
