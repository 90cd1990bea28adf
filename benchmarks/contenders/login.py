"""Flask-Login: with a token by its request_loader, and with a session."""

from flask import Flask, Request
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user

from .base import NAMES, OPEN, TOKEN, Caller, Contender, View, asking, by_token, token_check
from .exchanges import cookie_requests


class Member(Caller, UserMixin):
    """What Flask-Login asks of a user."""

    def get_id(self) -> str:
        return self.name


def _by_request(app: Flask, view: View, demand: str) -> View:
    look_up = token_check(Member)

    def load(request: Request) -> Member | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return look_up(token) if scheme.lower() == "bearer" else None

    LoginManager(app).request_loader(load)
    if demand in OPEN:
        return asking(lambda: current_user.is_authenticated, view) if demand == "asks" else view
    return login_required(view)


def _by_session(app: Flask, view: View, demand: str) -> View:
    members = {name: Member(name) for name in NAMES}

    def load(name: str) -> Member | None:
        return members.get(name)

    LoginManager(app).user_loader(load)

    def log_in() -> str:
        login_user(by_token(Member)[TOKEN])
        return "hello"

    app.add_url_rule("/log-in", "log_in", log_in)
    return login_required(view)


_CASES = ("accepted", "missing", "wrong")

CONTENDERS = (
    Contender("login.request", "Flask-Login, request_loader", _by_request, (*_CASES, *OPEN), rival="ours.bearer"),
    Contender(
        "login.session", "Flask-Login, session", _by_session, _CASES, requests=cookie_requests, rival="ours.session"
    ),
)
