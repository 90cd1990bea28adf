"""The middleware: it reports, and changes nothing."""

import asyncio
import logging
from http import HTTPStatus
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from flask import Flask, abort, stream_with_context

from flask_unauthorized import Auth, Bearer, SessionCookie
from flask_unauthorized.lint import ASGILinter, Linter, LintError, middleware


def served(app, **environ):
    """A response as a strict server reads it."""
    environ = {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        **environ,
    }
    setup_testing_defaults(environ)
    started = []

    def start_response(status, headers, exc_info=None):
        started[:] = [status, headers]
        return lambda data: None

    body = validator(app)(environ, start_response)
    try:
        return started[0], started[1], b"".join(body)
    finally:
        body.close()


def bare():
    app = Flask("bare")
    app.add_url_rule("/", "view", lambda: abort(401))
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/stream", "stream", lambda: (stream_with_context(iter(["a", "b"])), 401))
    return app


@pytest.mark.parametrize("path", ["/", "/open", "/stream", "/missing"])
def test_no_byte_changes(path):
    found = []
    assert served(Linter(bare().wsgi_app, found.append), PATH_INFO=path) == served(bare().wsgi_app, PATH_INFO=path)
    assert {finding.id for finding in found} == ({"W1", "C1"} if path in ("/", "/stream") else set())


def test_nothing_is_found_on_ours():
    app = Flask("ours")
    auth = Auth(Bearer(lambda token: None), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "view"))
    found = []
    assert served(Linter(app.wsgi_app, found.append))[0] == "401 UNAUTHORIZED"
    assert served(Linter(app.wsgi_app, found.append), HTTP_AUTHORIZATION="Bearer two words")[0] == "400 BAD REQUEST"
    assert found == []


def test_nothing_is_found_on_ours_for_a_script():
    app = Flask("ours")
    app.secret_key = "a secret of thirty-two characters"
    auth = Auth(Bearer(lambda token: None), SessionCookie(lambda name: None, store=None), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "view"))
    found = []
    script = {"HTTP_SEC_FETCH_MODE": "cors", "HTTP_SEC_FETCH_SITE": "same-origin"}
    status, headers, *_ = served(Linter(app.wsgi_app, found.append), **script)
    assert status == "401 UNAUTHORIZED"
    (line,) = [value for name, value in headers if name == "WWW-Authenticate"]
    assert "Bearer" in line
    assert "Cookie" in line
    assert found == []


def test_the_log_has_each_finding_once_for_each_path(caplog):
    app = Linter(bare().wsgi_app, ignore={"C1"})
    for path in ("/", "/", "/stream"):
        served(app, PATH_INFO=path, QUERY_STRING="token=s3cret", HTTP_AUTHORIZATION="Bearer s3cret")
    lines = [record for record in caplog.records if record.name == "flask_unauthorized.lint"]
    assert [record.getMessage().split(":")[1] for record in lines] == [" GET / -> 401", " GET /stream -> 401"]
    assert {record.levelno for record in lines} == {logging.ERROR}
    assert "s3cret" not in caplog.text


def test_methods_are_told_apart_and_the_number_of_lines_is_bounded(caplog, monkeypatch):
    monkeypatch.setattr(middleware, "_MAX_REPORTED", 3)
    app = Linter(bare().wsgi_app, ignore={"C1"})
    for method, path in (("GET", "/"), ("HEAD", "/"), ("GET", "/stream"), ("HEAD", "/stream")):
        served(app, REQUEST_METHOD=method, PATH_INFO=path)
    shown = [record.getMessage().split(":")[1] for record in caplog.records]
    assert shown == [" GET / -> 401", " HEAD / -> 401", " GET /stream -> 401"]


def test_a_handler_of_the_log_that_fails_costs_no_request():
    class Failing(logging.Handler):
        def emit(self, record):
            raise RuntimeError("disk full")

    logger, handler = logging.getLogger("flask_unauthorized.lint"), Failing()
    logger.addHandler(handler)
    try:
        assert served(Linter(bare().wsgi_app))[0] == "401 UNAUTHORIZED"
    finally:
        logger.removeHandler(handler)


def test_raise_is_for_tests_and_closes_the_body():
    closed = []

    class Body(list):
        def close(self):
            closed.append(True)

    def app(environ, start_response):
        start_response("401 Unauthorized", [])
        return Body([b"x"])

    with pytest.raises(LintError, match="W1") as failure:
        Linter(app, "raise")({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert [finding.id for finding in failure.value.findings] == ["W1"]  # notes don't raise
    assert closed == [True]


def test_the_last_start_of_a_response_counts():
    def app(environ, start_response):
        start_response("401 Unauthorized", [])
        try:
            raise RuntimeError("x")
        except RuntimeError as error:
            start_response("500 Internal Server Error", [], (type(error), error, None))
        return [b""]

    found = []
    Linter(app, found.append)({"REQUEST_METHOD": "GET"}, lambda *_: None)
    assert found == []


def test_an_app_that_is_a_generator_starts_late():
    def app(environ, start_response):
        start_response("401 Unauthorized", [])
        yield b"x"

    found = []
    assert [*Linter(app, found.append)({"REQUEST_METHOD": "GET"}, lambda *_: None)] == [b"x"]
    assert [finding.id for finding in found] == ["W1", "C1"]


def test_where_to_report_is_checked_at_once():
    with pytest.raises(TypeError, match="on_finding must be"):
        Linter(bare().wsgi_app, "print")


def _sent_by(app, scope):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, None, send))
    return sent


def test_the_asgi_form_reports_and_changes_nothing():
    messages = [
        {"type": "http.response.start", "status": 401, "headers": [(b"cache-control", b"no-store")]},
        {"type": "http.response.body", "body": b"x"},
    ]

    async def app(scope, receive, send):
        for message in messages:
            await send(message)

    found = []
    scope = {"type": "http", "method": "GET", "path": "/caf\xe9", "query_string": b"a=b", "headers": [(b"a", b"b")]}
    assert _sent_by(ASGILinter(app, found.append), scope) == messages
    assert [(finding.id, finding.path) for finding in found] == [("W1", "/caf%C3%A9")]
    found.clear()
    assert _sent_by(ASGILinter(app, found.append), {"type": "websocket"}) == messages
    assert found == []


def test_the_asgi_form_reads_what_a_server_may_read_once():
    """ASGI allows an iterator of fields, and any int as status, such as an HTTPStatus."""

    async def app(scope, receive, send):
        headers = iter([(b"www-authenticate", b'Bearer realm="a"'), (b"cache-control", b"no-store")])
        await send({"type": "http.response.start", "status": HTTPStatus.UNAUTHORIZED, "headers": headers})

    found = []
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    (start,) = _sent_by(ASGILinter(app, found.append), scope)
    assert [*start["headers"]] == [(b"www-authenticate", b'Bearer realm="a"'), (b"cache-control", b"no-store")]
    assert found == []


@pytest.mark.parametrize("path", ["/\udcff", "/\u4e2d"])
def test_a_path_that_no_encoding_fits_costs_no_request(path, caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})

    caplog.set_level("INFO", "flask_unauthorized.lint")
    assert len(_sent_by(ASGILinter(app), {"type": "http", "method": "GET", "path": path, "headers": []})) == 1

    def wsgi_app(environ, start_response):
        start_response("401 UNAUTHORIZED", [])
        return [b"x"]

    assert Linter(wsgi_app)({"REQUEST_METHOD": "GET", "PATH_INFO": path}, lambda *_: None) == [b"x"]
    assert {record.levelname for record in caplog.records} <= {"ERROR", "INFO"}
    assert any("W1" in record.getMessage() for record in caplog.records)


def test_an_exchange_that_cannot_be_made_costs_no_request(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})

    # A server that leaves out the method breaks ASGI, and its requests still get their responses.
    assert len(_sent_by(ASGILinter(app), {"type": "http", "path": "/"})) == 1
    assert "a finding of the linter was not logged" in caplog.text
