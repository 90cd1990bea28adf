"""The handshake of a WebSocket: a GET by which a page of another site could write and read (RFC 6455 §10.2)."""

import base64
import functools
from typing import Any

import pytest
from flask import Flask, session

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, Identity, SessionCookie
from tests.digest_client import ADA, challenge, sent

HANDSHAKE = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
UPGRADE = {"Upgrade": "h2c, WebSocket"}  # without Connection: Werkzeug's routing takes it for an ordinary request
HERE = {"Origin": "http://localhost"}
EVIL = [
    {"Origin": "https://evil.example"},
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "websocket"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "websocket"},
    {"Origin": "null"},
]
BASIC = {"Authorization": "Basic " + base64.b64encode(b"ada:pw").decode()}


class Served:
    """An app with one WebSocket route and one ordinary route below one kind of credentials."""

    def __init__(self, make_app: Any, kind: str, guard: str = "decorator", **options: Any) -> None:
        self.kind = kind
        self.entered: list[str] = []
        if kind == "session":
            scheme: Any = SessionCookie(lambda subject: Identity(subject), **options)
        elif kind == "key":
            scheme = APIKey(lambda key: Identity("ada"), cookie="key", **options)
        elif kind == "basic":
            scheme = Basic(lambda name, password: password == "pw", **options)
        else:
            scheme = Digest(lambda name: ADA, realm="r", **options)
        self.auth = Auth(scheme, Bearer(lambda token: Identity("ada") if token == "good" else None))
        self.app: Flask = make_app(self.auth, SECRET_KEY="0123456789abcdef0123456789abcdef")
        if guard == "protect":
            self.auth.protect(self.app)
        self.app.add_url_rule("/in", "login", self.auth.public(lambda: self.auth.login("ada") and ""), methods=["POST"])
        decorate = (lambda view: view) if guard == "protect" else self.auth.login_required
        self.app.add_url_rule("/ws", "ws", self.upgrading(decorate(lambda: "secret")), websocket=True)
        self.app.add_url_rule("/plain", "plain", decorate(lambda: "secret"))
        self.client = self.app.test_client()
        if kind == "session":
            assert self.client.post("/in").status_code == 200
        elif kind == "key":
            self.client.set_cookie("key", "k")

    def upgrading(self, view: Any) -> Any:
        """What flask-sock's decorator does: it answers the handshake before it calls the view."""

        @functools.wraps(view)
        def run() -> Any:
            self.entered.append("upgraded")
            return view()

        return run

    def ask(self, path: str, **headers: str) -> int:
        headers = {**(HANDSHAKE if path == "/ws" else UPGRADE), **headers}
        if self.kind == "basic":
            headers.update(BASIC)
        if self.kind == "digest":
            told = next(
                line for line in self.client.get("/plain").headers.getlist("WWW-Authenticate") if "Digest" in line
            )
            headers.update(sent(challenge(told), uri=path))
        url = "ws://localhost" + path if path == "/ws" else path
        return self.client.get(url, headers=headers).status_code


KINDS = ("session", "key", "basic", "digest")


@pytest.mark.parametrize("guard", ["decorator", "protect"])
@pytest.mark.parametrize("path", ["/ws", "/plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_pages_of_other_sites_open_no_websocket(make_app: Any, kind: str, path: str, guard: str) -> None:
    # F-03
    served = Served(make_app, kind, guard)
    for headers in EVIL:
        assert served.ask(path, **headers) == 403
    assert served.entered == []
    assert served.ask(path, **HERE) == 200
    assert served.ask(path) == 200  # a program
    assert served.ask(path, **HERE, **{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "websocket"}) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_trusted_origins_may_open_a_websocket(make_app: Any, kind: str) -> None:
    served = Served(make_app, kind, trusted_origins={"https://friend.example"})
    assert served.ask("/ws", Origin="https://friend.example") == 200
    assert served.ask("/ws", Origin="https://evil.example") == 403


@pytest.mark.parametrize("guard", ["decorator", "protect"])
def test_a_handshake_is_judged_before_it_is_answered(make_app: Any, guard: str) -> None:
    # F-03: flask-sock's wrapper has upgraded before a decorator below it could refuse.
    served = Served(make_app, "basic", guard)
    served.kind = "none"
    for headers, status in (({}, 401), ({"Authorization": "Bearer bad"}, 401), ({"Authorization": "Bearer good"}, 200)):
        assert served.ask("/ws", **headers) == status
    assert served.entered == ["upgraded"]


def test_an_upgrade_field_does_not_move_the_judgment(make_app: Any) -> None:
    # F-03: the client must not choose where it is judged, or a limiter above the guard would count nothing.
    auth = Auth(Basic(lambda name, password: password == "pw"))
    app = make_app(auth)
    hits: list[int] = []

    def limit(view: Any) -> Any:
        @functools.wraps(view)
        def run() -> Any:
            hits.append(1)
            return ("slow down", 429) if len(hits) > 2 else view()

        return run

    app.add_url_rule("/", "v", limit(auth.login_required(lambda: "in")))
    wrong = {"Authorization": "Basic " + base64.b64encode(b"ada:no").decode(), **UPGRADE}
    assert [app.test_client().get("/", headers=wrong).status_code for _ in range(4)] == [401, 401, 429, 429]


def test_a_cross_site_handshake_neither_logs_in_nor_out(make_app: Any) -> None:
    app = make_app(auth := Auth(SessionCookie(lambda subject: Identity(subject))), SECRET_KEY="0123456789abcdef" * 2)
    app.add_url_rule("/ws", "ws", auth.public(lambda: auth.login("ada") and "in"), websocket=True)
    client = app.test_client()
    assert client.get("ws://localhost/ws", headers={**HANDSHAKE, **EVIL[0]}).status_code == 403
    with client:
        assert client.get("ws://localhost/ws", headers={**HANDSHAKE, **HERE}).status_code == 200
        assert session


def test_a_handshake_is_never_sent_to_the_login_page(make_app: Any) -> None:
    people = SessionCookie(lambda subject: Identity(subject), login_view="login")
    auth = Auth(people)
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")
    app.add_url_rule("/login", "login", auth.public(lambda: ""))
    app.add_url_rule("/ws", "ws", auth.login_required(lambda: ""), websocket=True)
    accept = {"Accept": "text/html,application/xhtml+xml"}
    assert app.test_client().get("ws://localhost/ws", headers={**HANDSHAKE, **accept}).status_code == 401
