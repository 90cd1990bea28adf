"""What Chromium writes into its console, and shows, for the entries of docs/symptoms.md that quote it."""

import threading

import pytest
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from flask_unauthorized import Auth, Bearer, SessionCookie
from tests.docs.symptoms import ENTRIES

from .test_browser import Browser, started


class Console(Browser):
    """A `Browser` whose console is read."""

    def __init__(self, reads, writes):
        self.written = []
        super().__init__(reads, writes)
        for domain in ("Log", "Network"):
            self.call(f"{domain}.enable")

    def _receive(self):
        message = super()._receive()
        if message.get("method") == "Log.entryAdded":
            self.written.append(message["params"]["entry"]["text"])
        return message


class Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass


def app_with_symptoms():
    app = Flask("symptoms")
    app.config["SECRET_KEY"] = "a secret of thirty-two characters"
    people, programs = SessionCookie(lambda name: name, login_view="login"), Bearer({"good": "ada"}.get)
    auth = Auth(people, programs, realm="notes")
    auth.init_app(app)

    @app.before_request
    def refuse_preflights():
        if request.path == "/preflight":
            auth.require(via=programs)

    @app.after_request
    def allow_origins(response):
        if request.path == "/preflight":
            response.headers.update(
                {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "authorization"}
            )
        return response

    app.add_url_rule("/page", "page", lambda: "<!doctype html><title>page</title>page")
    app.add_url_rule("/preflight", "preflight", lambda: "open")
    app.add_url_rule("/no-cors", "no-cors", auth.login_required(via=programs)(lambda: "notes"))
    app.add_url_rule("/feed", "feed", auth.login_required(lambda: ""), websocket=True)
    return app, auth


@pytest.fixture
def port():
    app, auth = app_with_symptoms()
    app.add_url_rule("/login", "login", auth.public(lambda: ("", 302, {"Location": "/account"})))
    app.add_url_rule("/account", "account", auth.login_required(lambda: "account"))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def console(tmp_path, port):
    with started(tmp_path, Console) as found:
        found.open(f"http://localhost:{port}/page")
        yield found


def quoted(entry, start):
    """The text in backticks of an entry that begins with ``start``."""
    text = ENTRIES[entry]
    begin = text.index(f"`{start}") + 1
    return text[begin : text.index("`", begin)]


@pytest.mark.parametrize(
    ("entry", "path", "start"),
    [
        ("cors-the-preflight-options-is-401", "preflight", "Response to preflight"),
        ("flask-cors-no-cors-headers-on-the-401", "no-cors", "No 'Access-Control"),
    ],
)
def test_the_console_says_why_a_script_of_another_origin_reads_nothing(console, port, entry, path, start):
    headers = "{headers: {Authorization: 'Bearer good'}}" if path == "preflight" else "{}"
    script = f"fetch('http://127.0.0.1:{port}/{path}', {headers}).then(a => a.status, e => e.name)"
    assert console.run(script) == "TypeError"
    console.run("new Promise(done => setTimeout(done, 200))")
    assert any(quoted(entry, start).rstrip(".") in line for line in console.written), console.written


def test_the_console_says_that_a_websocket_failed(console, port):
    script = f"new Promise(done => {{ new WebSocket('ws://localhost:{port}/feed').onclose = e => done(e.code) }})"
    assert console.run(script) == 1006
    console.run("new Promise(done => setTimeout(done, 200))")
    (line,) = [line for line in console.written if "WebSocket" in line]
    assert quoted("401-or-403-from-a-websocket", "failed: HTTP") in line


def test_the_browser_ends_a_loop_of_redirects(console, port):
    shown = console.open(f"http://localhost:{port}/account")
    assert quoted("redirect-loop-between-a-page-and-the-login-page", "ERR_") in shown
