"""WebSockets on a real server: whoever may not come in is refused before the handshake, other sites included (F-03)."""

import base64
import json

import pytest

from flask_unauthorized import Auth, Basic, Bearer
from flask_unauthorized.wire import parse_challenges

from .handshakes import handshake, request, serving
from .harness import CHALLENGE, bearer, load, modules, new_app

MODULES = modules()  # or all of this is skipped
import simple_websocket  # noqa: E402
from flask_socketio import SocketIO  # noqa: E402

EVIL = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "websocket"}
SIBLING = {"Origin": "https://blog.example.com", "Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "websocket"}
PATHS = pytest.mark.parametrize("path", ["/ws", "/live/ws"], ids=["by decorator", "by protect"])


@pytest.fixture
def port():
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


@pytest.mark.parametrize("guard", ["required", "optional", "protect"])
def test_a_page_of_another_site_gets_none_with_a_password_that_the_browser_repeats(guard):  # F-03
    sock = MODULES["sock"]
    app = new_app(sock.NEIGHBOURS[0])
    auth = Auth(Basic(lambda name, password: (name, password) == ("ada", "correct horse")), app=app)

    def ws(ws):
        ws.send("inside")

    if guard == "protect":
        auth.protect(app)
    else:
        ws = (auth.login_required if guard == "required" else auth.login_optional)(ws)
    sock.Sock(app).route("/ws")(ws)
    password = {"Authorization": "Basic " + base64.b64encode(b"ada:correct horse").decode()}
    wrong = {"Authorization": "Basic " + base64.b64encode(b"ada:wrong").decode()}
    with serving(app) as port:
        own = {"Origin": f"http://127.0.0.1:{port}"}
        for headers, status in (  # the first request of the process is one of another site
            ({**password, **EVIL}, 403), ({**password, **own}, 101), (password, 101), ({**wrong, **own}, 401),
            ({**password, **SIBLING}, 403), ({}, 101 if guard == "optional" else 401),
        ):  # fmt: skip
            assert handshake(port, "/ws", headers).status == status


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
        self.send("40")
        self.said = self._read()

    def send(self, text):
        """Sends one packet; the server has handled it when this returns."""
        assert request(self._port, "POST", self._url, self._headers, text.encode()).status == 200

    def _read(self):
        return request(self._port, "GET", self._url, self._headers).data.decode()

    def emit(self, event):
        """The server's answer to an event, or what it sends in place of one."""
        self.send(f'420["{event}"]')
        got = self._read()
        return json.loads(got.removeprefix("430"))[0] if got.startswith("430") else got


@pytest.fixture(params=[False, True], ids=["", "always_connect"])
def socket_port(request, monkeypatch):
    module = MODULES["socket_io"]
    monkeypatch.setitem(module.SETTINGS, "always_connect", request.param)
    app = new_app(module.NEIGHBOURS[0])
    module.together(app)
    app.extensions["socketio"].on("trusting")(lambda: app.trusted.append(True))  # it leaves the question to connect
    app.trusted = []
    with serving(app) as port:
        yield port, app.trusted


def test_socket_io_lets_in_who_may_come_in_and_judges_each_event(socket_port):
    port, trusted = socket_port
    ada, bob, session = (Socket(port, headers) for headers in (bearer("ada"), bearer("bob"), cookie(port)))
    for client, name in ((ada, "ada"), (bob, "bob"), (session, "ada")):
        assert client.said.startswith("40{")
        assert client.emit("notes") == {"owner": name}
    assert ada.emit("write") == {"owner": "ada"}
    assert bob.emit("write")["status"] == 403
    ada.send('42["trusting"]')
    assert trusted == [True]


def test_socket_io_serves_no_event_with_a_token_that_was_revoked_since_the_handshake(monkeypatch):
    module, valid = MODULES["socket_io"], {"ada"}
    monkeypatch.setattr(module, "load", lambda token: token if token in valid else None)
    app = new_app(module.NEIGHBOURS[0])
    module.together(app)
    with serving(app) as port:
        ada = Socket(port, bearer("ada"))
        assert ada.emit("notes") == {"owner": "ada"}
        valid.clear()
        assert ada.emit("notes")["status"] == 401


@pytest.mark.parametrize("headers", [{}, bearer("eve")])
def test_socket_io_refuses_the_rest_and_serves_it_no_event(socket_port, headers):
    port, trusted = socket_port
    refused = Socket(port, headers)
    refused.send('42["trusting"]')
    assert trusted == []
    told = refused.said.rpartition("\x1e")[2]  # with always_connect, after a first packet that let the client in
    assert told[:2] in {"41", "44"}
    if told.startswith("44"):
        assert json.loads(told[2:])["data"] == {"status": 401}


def test_socket_io_refuses_another_site(socket_port):
    port, _ = socket_port
    mine = cookie(port)
    polling = request(port, "GET", "/socket.io/?EIO=4&transport=polling", {**mine, **EVIL})
    assert polling.status == 400  # its own check: cors_allowed_origins
    assert handshake(port, "/socket.io/?EIO=4&transport=websocket", {**mine, **EVIL}).status == 400


def test_socket_io_that_takes_all_origins_is_refused_by_us_for_websockets_alone(monkeypatch):  # F-03
    module = MODULES["socket_io"]
    monkeypatch.setitem(module.SETTINGS, "cors_allowed_origins", "*")
    app = new_app(module.NEIGHBOURS[0])
    module.together(app)
    with serving(app) as port:
        mine = cookie(port)
        assert Socket(port, {**mine, **EVIL, "Sec-Fetch-Mode": "cors"}).said.startswith("40{")
        for headers, said in (({**mine, **EVIL}, "44{"), ({**bearer("ada"), **EVIL}, "40{")):
            client = simple_websocket.Client(
                f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket", headers=headers
            )
            assert client.receive(timeout=5).startswith("0{")
            client.send("40")
            assert client.receive(timeout=5).startswith(said)
            client.close()


@pytest.mark.parametrize("always_connect", [False, True])
def test_socket_io_without_the_error_handler_lets_a_refused_client_in_only_where_it_always_connects(
    monkeypatch, always_connect
):
    app = new_app(MODULES["socket_io"].NEIGHBOURS[0])
    auth = Auth(Bearer(load), app=app)
    socketio = SocketIO(app, async_mode="threading", async_handlers=False, always_connect=always_connect)
    served = []
    socketio.on("connect")(auth.login_required(lambda data: None))
    socketio.on("trusting")(lambda: served.append(True))
    with serving(app) as port:
        url = "/socket.io/?EIO=4&transport=polling"
        sid = json.loads(request(port, "GET", url).data[1:])["sid"]
        for packet in ("40", '42["trusting"]'):
            request(port, "POST", f"{url}&sid={sid}", body=packet.encode())
    assert served == ([True] if always_connect else [])


def test_socket_io_routes_answer_as_ever(socket_port):
    port, _ = socket_port
    answer = request(port, "GET", "/notes", bearer("ada"))
    assert (answer.status, json.loads(answer.data)) == (200, {"owner": "ada"})
    assert request(port, "GET", "/notes").status == 401
