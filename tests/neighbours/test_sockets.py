"""WebSockets on a real server: whoever may not come in is refused before the handshake, other sites included (F-03)."""

import json

import pytest

from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges

from .handshakes import handshake, request, serving
from .harness import CHALLENGE, bearer, modules, new_app

MODULES = modules()
EVIL = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "websocket"}
SIBLING = {"Origin": "https://blog.example.com", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "websocket"}
PATHS = pytest.mark.parametrize("path", ["/ws", "/live/ws"], ids=["by decorator", "by protect"])


@pytest.fixture(params=["flask-sock"])
def port(request):
    app = new_app(MODULES["sock"].NEIGHBOURS[0])
    MODULES["sock"].together(app)
    with serving(app) as port:
        yield port


def cookie(port):
    """The cookie of a browser that has logged in."""
    answer = request(port, "POST", "/login", {"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 200
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


@PATHS
def test_a_caller_who_may_come_in_gets_a_socket(port, path):  # F-03
    origin = {"Origin": f"http://127.0.0.1:{port}"}
    for headers in (bearer("ada"), {**cookie(port), **origin}, {**cookie(port), "Sec-Fetch-Site": "same-origin"}):
        answer = handshake(port, path, headers)
        assert (answer.status, answer.data) == (101, b"Hello ada")


@PATHS
@pytest.mark.parametrize("headers", [EVIL, SIBLING, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_a_page_of_another_site_gets_none_with_the_visitors_cookie(port, path, headers):  # F-03
    answer = handshake(port, path, {**cookie(port), **headers})
    assert answer.status == 403
    assert answer.headers[CHALLENGE] is None
    assert b"Hello" not in answer.data
    assert handshake(port, path, {**bearer("ada"), **headers}).status == 101  # no browser sends that by itself


@PATHS
@pytest.mark.parametrize(("headers", "error"), [({}, None), (bearer("eve"), "invalid_token")])
def test_the_refusal_comes_before_the_handshake(port, path, headers, error):  # F-03
    answer = handshake(port, path, headers)
    assert answer.status == 401
    assert answer.headers["Upgrade"] is None
    challenges = {one.scheme: one for line in answer.headers.get_all(CHALLENGE) for one in parse_challenges(line)}
    assert challenges["Bearer"].get("error") == error
    assert json.loads(answer.data)["error"] == "Unauthorized"


def test_a_socket_that_needs_a_scope_is_403_without_it(port):
    answer = handshake(port, "/ws/write", bearer("bob"))
    assert (answer.status, answer.headers["Upgrade"]) == (403, None)
    (challenge,) = parse_challenges(answer.headers[CHALLENGE])
    assert (challenge.get("error"), challenge.get("scope")) == ("insufficient_scope", "write")
    assert handshake(port, "/ws/write", bearer("ada")).data == b"written"


@PATHS
def test_without_a_handshake_the_path_of_a_socket_shows_nothing(port, path):
    assert request(port, "GET", path, bearer("ada")).status == 400


def test_the_order_of_sock_and_auth_does_not_matter():
    sock = MODULES["sock"]
    app = new_app(sock.NEIGHBOURS[0])
    sockets = sock.Sock()
    auth = sock.Auth(sock.Bearer(sock.load))

    @sockets.route("/ws")
    @auth.login_required
    def ws(ws):
        ws.send("inside")

    sockets.init_app(app)  # its routes live in a blueprint then
    auth.init_app(app)
    with serving(app) as port:
        assert handshake(port, "/ws").status == 401
        assert handshake(port, "/ws", bearer("ada")).data == b"inside"


# --- Socket.IO


class Socket:
    """A client of Socket.IO that polls; ``said`` is the answer to its CONNECT: ``40`` let in, ``44`` refused."""

    def __init__(self, port, headers):
        self._port, self._headers = port, headers
        self._url = "/socket.io/?EIO=4&transport=polling"
        opened = request(port, "GET", self._url, headers)
        assert opened.status == 200, opened
        self._url += "&sid=" + json.loads(opened.data[1:])["sid"]
        self._send("40")
        self.said = self._read()

    def _send(self, text):
        assert request(self._port, "POST", self._url, self._headers, text.encode()).status == 200

    def _read(self):
        return request(self._port, "GET", self._url, self._headers).data.decode()

    def emit(self, event):
        """The server's answer to an event, or what it sends in place of one."""
        self._send(f'420["{event}"]')
        got = self._read()
        return json.loads(got.removeprefix("430"))[0] if got.startswith("430") else got


@pytest.fixture(params=[False, True], ids=["", "always_connect"])
def socket_port(request, monkeypatch):
    module = MODULES["socket_io"]
    monkeypatch.setitem(module.SETTINGS, "always_connect", request.param)
    app = new_app(module.NEIGHBOURS[0])
    module.together(app)
    with serving(app) as port:
        yield port


def test_socket_io_lets_in_who_may_come_in_and_judges_each_event(socket_port):
    ada, bob = (Socket(socket_port, bearer(name)) for name in ("ada", "bob"))
    assert (ada.said[:2], bob.said[:2]) == ("40", "40")
    assert ada.emit("notes") == {"owner": "ada"}
    assert ada.emit("write") == {"owner": "ada"}
    assert bob.emit("notes") == {"owner": "bob"}
    assert bob.emit("write")["status"] == 403
    session = Socket(socket_port, cookie(socket_port))
    assert session.emit("notes") == {"owner": "ada"}


@pytest.mark.parametrize("headers", [{}, bearer("eve")])
def test_socket_io_refuses_the_rest_and_serves_it_no_event(socket_port, headers):
    refused = Socket(socket_port, headers)
    kind, _, told = refused.said.rpartition("\x1e")[2].partition("{")
    assert kind in {"44", "41", "40"}
    assert "owner" not in str(refused.emit("notes"))
    if kind == "44":
        assert json.loads("{" + told)["status"] == 401


def test_socket_io_refuses_another_site(socket_port):
    mine = cookie(socket_port)
    polling = request(socket_port, "GET", "/socket.io/?EIO=4&transport=polling", {**mine, **EVIL})
    assert polling.status == 400  # its own check: cors_allowed_origins
    assert handshake(socket_port, "/socket.io/?EIO=4&transport=websocket", {**mine, **EVIL}).status == 400


def test_socket_io_routes_answer_as_ever(socket_port):
    answer = request(socket_port, "GET", "/notes", bearer("ada"))
    assert (answer.status, json.loads(answer.data)) == (200, {"owner": "ada"})
    assert request(socket_port, "GET", "/notes").status == 401
