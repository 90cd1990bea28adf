"""Without a library: the bare view that all others are measured against, and the decorator written by hand."""

from by_hand import token_required
from flask import Flask, session

from .base import NAME, READ, WRITE, Contender, View, by_token, new_view
from .exchanges import cookie_requests

ROUTES = (10, 100, 1000)


def _bare(app: Flask, view: View, demand: str) -> View:
    return view


def _bare_with_session(app: Flask, view: View, demand: str) -> View:
    def log_in() -> str:
        session["name"] = NAME
        return "hello"

    app.add_url_rule("/log-in", "log_in", log_in)
    return view


def _bare_among(routes: int) -> Contender:
    def guard(app: Flask, view: View, demand: str) -> View:
        for number in range(1, routes):
            app.add_url_rule(f"/other/{number}", f"other-{number}", new_view())
        return view

    return Contender(f"none.routes-{routes}", f"bare view, {routes} routes", guard, ("accepted",))


def _by_hand(app: Flask, view: View, demand: str) -> View:
    return token_required(by_token(), {"held": READ, "lacking": WRITE}.get(demand))(view)


CONTENDERS = (
    Contender("none.bare", "bare view", _bare, ("accepted",)),
    Contender(
        "none.session",
        "bare view, Flask's session unread",
        _bare_with_session,
        ("accepted", "wrong"),
        requests=cookie_requests,
        statuses={"wrong": 200},
    ),
    Contender(
        "none.by_hand",
        "by hand: decorator and abort()",
        _by_hand,
        ("accepted", "held", "missing", "wrong", "forbidden"),
        rival="ours.bearer",
    ),
    *(_bare_among(routes) for routes in ROUTES),
)
