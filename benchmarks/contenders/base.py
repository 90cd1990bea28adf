"""What all contenders share: callers, credentials, the view, the cases, and how a request is sent."""

import base64
import io
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.exceptions import HTTPException

READ = "notes:read"  # what every caller may
WRITE = "notes:write"  # what none may
PASSWORD = "correct horse battery staple"
NAMES = [f"user-{number:03}" for number in range(100)]
TOKENS = {f"{name}.6f1c0de5a2b94c7e8d3b1a097f5e4c2d": name for name in NAMES}
TOKEN, NAME = next((token, name) for token, name in TOKENS.items() if name == "user-042")
KEY_HEADER = "X-API-Key"

Environ = dict[str, Any]
Entry = tuple[str, str]  # the key of a contender, and the name of a case
BARE: Entry = ("none.bare", "accepted")
View = Callable[[], str]
Series = Callable[[int], list[Environ]]
"""Makes so many requests that differ, or that are good for a minute only: before they are timed."""


@dataclass(frozen=True)
class Caller:
    """Who is behind a token or a name: the same for all contenders but ours, which has its `Identity` for it."""

    name: str
    scopes: tuple[str, ...] = (READ,)


def by_token(make: Callable[[str], Any] = Caller) -> dict[str, Any]:
    """The one table of tokens, with the objects that a library wants to have as callers."""
    return {token: make(name) for token, name in TOKENS.items()}


def password_check(make: Callable[[str], Any] = Caller) -> Callable[[str, str], Any]:
    """A check of names and passwords without a hash, which would drown all else: the caller, or ``None``."""
    callers = {name: make(name) for name in NAMES}
    passwords = dict.fromkeys(NAMES, PASSWORD)

    def check(name: str, password: str) -> Any:
        return callers[name] if passwords.get(name) == password else None

    return check


def token_check(make: Callable[[str], Any] = Caller) -> Callable[[str], Any]:
    """The look-up of a token: the caller, or ``None``."""
    tokens = by_token(make)

    def look_up(token: str) -> Any:
        return tokens.get(token)

    return look_up


# --- requests

_ENVIRON = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "RAW_URI": "/",
    "SERVER_NAME": "app.example",
    "SERVER_PORT": "443",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "203.0.113.7",
    "HTTP_HOST": "app.example",
    "HTTP_ACCEPT": "*/*",
    "HTTP_USER_AGENT": "benchmark/1.0",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "https",
    "wsgi.input": io.BytesIO(),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}


def basic(password: str) -> Environ:
    """Basic credentials of the one caller."""
    sent = base64.b64encode(f"{NAME}:{password}".encode()).decode()
    return {"HTTP_AUTHORIZATION": f"Basic {sent}"}


def bearer(token: str) -> Environ:
    """A Bearer token."""
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


BEARER_REQUESTS = {"good": bearer(TOKEN), "wrong": bearer(TOKEN[:-1] + "0")}
BASIC_REQUESTS = {"good": basic(PASSWORD), "wrong": basic("wrong horse")}
MULTI_REQUESTS = {
    **BEARER_REQUESTS,
    "basic": basic(PASSWORD),
    "key": {"HTTP_" + KEY_HEADER.upper().replace("-", "_"): TOKEN},
}


def sender(app: Flask, added: Environ) -> Callable[[], None]:
    """A function that sends one request as a WSGI server would, without a socket."""
    environ = {**_ENVIRON, **added}

    def send() -> None:
        answered = app(environ.copy(), _start_response)
        for _ in answered:
            pass
        answered.close()

    return send


def sender_of_next(app: Flask, waiting: deque[Environ]) -> Callable[[], None]:
    """The same for requests that differ, which must be ``waiting``."""

    def send() -> None:
        environ = _ENVIRON.copy()
        environ.update(waiting.popleft())
        answered = app(environ, _start_response)
        for _ in answered:
            pass
        answered.close()

    return send


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
    pass


class Answer(NamedTuple):
    """What an app answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer(app: Flask, added: Environ) -> Answer:
    """Sends one request, and keeps the answer."""
    started: list[Any] = []
    answered = app({**_ENVIRON, **added}, lambda status, headers, exc_info=None: started.extend((status, headers)))
    body = b"".join(answered)
    answered.close()
    return Answer(int(started[0].split()[0]), started[1], body)


# --- cases and contenders


class Case(NamedTuple):
    """What is demanded, what is sent, and the status that is due."""

    title: str
    demand: str
    sent: str | None
    status: int


CASES = {
    "accepted": Case("Accepted", "login", "good", 200),
    "basic": Case("Accepted by the second scheme, Basic", "login", "basic", 200),
    "key": Case("Accepted by the third scheme, an API key", "login", "key", 200),
    "held": Case("Accepted, a scope or role demanded", "held", "good", 200),
    "optional": Case("Login optional, nothing sent", "optional", None, 200),
    "open": Case("Open page, credentials sent, and no code asks who is calling", "open", "good", 200),
    "asks": Case("Open page that asks who is calling", "asks", "good", 200),
    "missing": Case("401, nothing sent", "login", None, 401),
    "wrong": Case("401, wrong credentials", "login", "wrong", 401),
    "forbidden": Case("403, scope or role lacking", "lacking", "good", 403),
}
OPEN = ("open", "asks")
ALL = ("accepted", "held", "optional", "missing", "wrong", "forbidden")
REFUSALS = ("missing", "wrong", "forbidden")


@dataclass(frozen=True)
class Contender:
    """One way to protect a view."""

    key: str  # begins with the name of its module
    label: str
    guard: Callable[[Flask, View, str], View]
    """Sets up the app, and returns the view guarded by a demand: ``login``, ``held``, ``lacking``, ``optional``,
    ``open``, or ``asks`` for an open view that asks who is calling."""
    cases: tuple[str, ...]
    requests: Callable[[Flask], Mapping[str, Environ | Series]] = lambda app: BEARER_REQUESTS
    rival: str = ""  # the contender of ours that does the same
    statuses: Mapping[str, int] = field(default_factory=dict)
    """Where a library answers something else than the status that is due."""


class Ready(NamedTuple):
    """A contender's app for one case, which has answered as it should."""

    key: str
    case: str
    send: Callable[[], None]
    answer: Answer
    series: Series | None  # where requests differ
    waiting: deque[Environ]  # those that were made and not sent yet

    def provide(self, count: int) -> None:
        """Makes the next ``count`` requests ready, so that only sending them is measured."""
        if self.series is not None:
            self.waiting.clear()
            self.waiting.extend(self.series(count))


def prepare(contender: Contender, case: str) -> Ready:
    """Builds the app and checks its answers. Raises `AssertionError` where one isn't as it should be."""
    demand, sent = CASES[case].demand, CASES[case].sent
    app = new_app()
    app.add_url_rule("/", "view", contender.guard(app, new_view(), demand))
    added = contender.requests(app)[sent] if sent else {}
    due = contender.statuses.get(case, CASES[case].status)
    for one in added(3) if callable(added) else [added] * 3:  # the first one is special in more than one library
        got = answer(app, one)
        if got.status != due or (due == 200) != (got.body == b"hello"):
            raise AssertionError(f"{contender.key} answered {case} with {got}, but {due} is due")
    waiting: deque[Environ] = deque()
    if callable(added):
        return Ready(contender.key, case, sender_of_next(app, waiting), got, added, waiting)
    return Ready(contender.key, case, sender(app, added), got, None, waiting)


def new_app() -> Flask:
    """An app without debug, testing or static files."""
    app = Flask("benchmark", static_folder=None)
    app.config.update(SECRET_KEY="a key of the benchmark, thirty-two bytes or more", DEBUG=False, TESTING=False)
    return app


def asking(ask: Callable[[], Any], view: View) -> View:
    """An open view that asks who is calling."""

    def asks() -> str:
        if not ask():
            raise AssertionError("the caller is not known")
        return view()

    return asks


def with_handler(guard: Callable[[Flask, View, str], View]) -> Callable[[Flask, View, str], View]:
    """The same in an app that renders each ``HTTPException`` itself, as many do."""

    def guard_with_handler(app: Flask, view: View, demand: str) -> View:
        app.register_error_handler(HTTPException, _render)
        return guard(app, view, demand)

    return guard_with_handler


def _render(error: HTTPException) -> tuple[str, int]:
    return error.name, error.code or 500


def new_view() -> View:
    """The view that everybody protects."""

    def view() -> str:
        return "hello"

    return view
