"""The lines of the log: a handler, a filter or a factory of records that fails costs the line, never the request."""

import ast
import logging
from pathlib import Path

import pytest

import flask_unauthorized
from flask_unauthorized import Auth, AuthUnavailable, Basic, Bearer, MissingCredentials, signals
from flask_unauthorized.events import log_event
from flask_unauthorized.logs import log
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.throttle import Throttle

LOGGER = logging.getLogger("flask_unauthorized")
PACKAGE = Path(flask_unauthorized.__file__).parent


class Failure(Exception):
    pass


def fail(*args, **kwargs):
    raise Failure("the log server is down")


class FailingHandler(logging.Handler):
    emit = fail


class FailingFilter(logging.Filter):
    filter = fail


class FailingOnce(logging.Filter):
    """Fails for the first record, so that the ERROR about it is seen."""

    failed = False

    def filter(self, record):
        if not self.failed:
            self.failed = True
            fail()
        return True


@pytest.fixture
def break_log():
    """Let logging fail in one of three ways."""
    undo = []

    def use(kind):
        if kind == "factory":
            undo.append(lambda factory=logging.getLogRecordFactory(): logging.setLogRecordFactory(factory))
            logging.setLogRecordFactory(fail)
        elif issubclass(kind, logging.Handler):
            fault = kind()
            LOGGER.addHandler(fault)
            undo.append(lambda: LOGGER.removeHandler(fault))
        else:
            fault = kind()
            LOGGER.addFilter(fault)
            undo.append(lambda: LOGGER.removeFilter(fault))

    yield use
    for one in undo:
        one()


class Broken:
    """A lazily translated text that can't be rendered."""

    __str__ = __len__ = __mod__ = fail


def down(*args):
    raise AuthUnavailable(reason="the database is down")


# Each place makes an app whose request makes a line that is no security event, and says what the client gets.


def outage(make_app, tmp_path):
    """A throttle that goes on without its store: WARNING."""
    throttle = Throttle(SQLiteStore(tmp_path), on_outage="allow")  # a folder
    auth = Auth(Basic(lambda name, password: True, throttle=throttle))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    auth.check(app)
    return app, {"auth": ("ada", "right horse")}, 200


def unidentified(make_app, tmp_path):
    """An open page whose caller can't be looked up: WARNING."""
    auth = Auth(Bearer(down))
    app = make_app(auth)
    app.add_url_rule("/", "view", lambda: f"{auth.get_identity()}")
    return app, {"headers": {"Authorization": "Bearer abc"}}, 200


def plain_http(make_app, tmp_path):
    """Credentials over plain HTTP: WARNING."""
    auth = Auth(Bearer(lambda token: token))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    sent = {"headers": {"Authorization": "Bearer abc"}, "environ_overrides": {"REMOTE_ADDR": "203.0.113.7"}}
    return app, sent, 200


def late(make_app, tmp_path):
    """A decorator above the guard responds: WARNING."""
    auth = Auth(Bearer(lambda token: token))
    app = make_app(auth)

    def view():
        return "in"

    guarded = auth.login_required(view)

    def cached():
        return "from a cache"

    cached.__wrapped__ = guarded
    app.add_url_rule("/", "view", cached)
    return app, {}, 401


def lazy_text(make_app, tmp_path):
    """A text that can't be rendered: ERROR with a traceback."""
    auth = Auth(Bearer(lambda token: token))
    app = make_app(auth)

    def view():
        raise MissingCredentials(Broken())

    app.add_url_rule("/", "view", auth.public(view))
    return app, {}, 401


def renderer(make_app, tmp_path):
    """A renderer that fails: ERROR with a traceback."""
    auth = Auth(Bearer(lambda token: token))
    app = make_app(auth)
    auth.renderer("application/json")(fail)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    return app, {}, 401


PLACES = [outage, unidentified, plain_http, late, lazy_text, renderer]


@pytest.mark.parametrize("kind", [FailingHandler, FailingFilter, "factory"])
@pytest.mark.parametrize("place", PLACES)
def test_a_failing_log_costs_no_request(make_app, tmp_path, break_log, capsys, place, kind):
    app, sent, status = place(make_app, tmp_path)
    client = app.test_client()
    break_log(kind)
    assert client.get("/", **sent).status_code == status
    assert "was not logged, because a log handler or a filter failed" in capsys.readouterr().err


@pytest.mark.parametrize("place", PLACES)
def test_the_lines_are_there_when_logging_works(make_app, tmp_path, caplog, place):
    """Otherwise the test above would prove nothing."""
    app, sent, status = place(make_app, tmp_path)
    caplog.set_level(logging.WARNING, LOGGER.name)
    assert app.test_client().get("/", **sent).status_code == status
    assert any(not hasattr(one, "event") and one.levelno >= logging.WARNING for one in caplog.records)


def test_a_failing_receiver_and_a_failing_log_at_once(make_app, break_log):
    auth = Auth(Bearer(lambda token: token))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    break_log(FailingHandler)
    with signals.refused.connected_to(fail):
        assert app.test_client().get("/").status_code == 401


@pytest.mark.parametrize("kind", [FailingHandler, FailingFilter, "factory"])
def test_warnings_of_the_set_up_do_not_break_the_first_request(break_log, kind):
    """The set-up is checked in it, so each of its warnings is made in a request."""
    from flask import Flask

    from flask_unauthorized.loaders import StaticTokens

    app = Flask("notes")
    auth = Auth(Bearer(StaticTokens({"short": "ada"})), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    break_log(kind)
    client = app.test_client()
    assert client.get("/", headers={"Authorization": "Bearer short"}).status_code == 200
    assert client.get("/").status_code == 401


def test_one_error_names_the_lost_line(caplog, break_log):
    break_log(FailingOnce)
    log.warning("the key set of %s is old", "https://id.example")
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "ERROR",
        'the line "the key set of https://id.example is old" was not logged, because a log handler or a filter failed',
    )
    assert record.exc_info[0] is Failure


@pytest.mark.parametrize("chained", [False, True])
def test_the_error_shows_no_exception_of_the_app(monkeypatch, break_log, chained):
    """The text of an exception of the app may hold a secret, so it isn't shown as the context of the failure."""

    class FailingTwice(FailingOnce):
        def filter(self, record):
            if self.failed:
                return True
            try:
                return super().filter(record)
            except Failure as error:
                if chained:
                    raise OSError("no socket") from error
                raise OSError("no socket")

    shown = []
    monkeypatch.setattr(LOGGER, "handle", lambda record, handle=LOGGER.handle: handle(record) or shown.append(record))
    break_log(FailingTwice)
    try:
        raise ValueError("password=hunter2 in the URL")
    except ValueError:
        log.warning("the database can't be reached")
    text = logging.Formatter().format(shown[0])
    assert "OSError: no socket" in text
    assert "the log server is down" in text
    assert "hunter2" not in text
    assert "Apart" not in text  # what hides that exception is no news for the reader


class FailingFormat(logging.StreamHandler):
    """A handler of the standard library whose formatter fails: `logging.Handler.handleError` prints the traceback."""

    def format(self, record):
        fail()


@pytest.mark.parametrize("is_event", [False, True])
def test_a_handler_that_reports_its_own_failure_shows_no_exception_of_the_app(capsys, break_log, is_event):
    break_log(FailingFormat)
    try:
        raise ValueError("password=hunter2 in the URL")
    except ValueError:
        if is_event:
            log_event(logging.CRITICAL, "misconfigured", "a mistake")
        else:
            log.error("a mistake")
    shown = capsys.readouterr().err
    assert "the log server is down" in shown
    assert "hunter2" not in shown


def test_a_line_shows_the_exception_that_it_is_about_even_if_it_is_lost(capsys, break_log):
    break_log(FailingHandler)
    try:
        raise ValueError("a mistake of the app")
    except ValueError:
        log.exception("a receiver failed")
    assert "a mistake of the app" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["debug", "info", "warning", "error", "exception"])
def test_a_line_names_its_place_and_level(caplog, name):
    caplog.set_level(logging.DEBUG, LOGGER.name)
    try:
        raise ValueError("a mistake of the app")
    except ValueError:
        getattr(log, name)("%d of %d", 1, 2)
    (record,) = caplog.records
    assert (record.name, record.getMessage(), record.filename) == ("flask_unauthorized", "1 of 2", "test_logs.py")
    assert record.funcName == "test_a_line_names_its_place_and_level"
    assert record.levelname == {"exception": "ERROR"}.get(name, name.upper())
    assert bool(record.exc_info) is (name == "exception")


def test_a_line_below_the_level_costs_nothing(caplog, break_log):
    caplog.set_level(logging.WARNING, LOGGER.name)
    break_log("factory")
    log.info("%d", "not a number")


def test_all_of_the_package_writes_lines_in_this_way():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name == "logging.getLogger" or node.value.id == "LOGGER":
                    found.setdefault(path.name, set()).add(name)
    del found["logs.py"]
    assert found.pop("events.py") == {"LOGGER.isEnabledFor", "LOGGER.makeRecord", "LOGGER.name", "LOGGER.handle"}
    # The linter is for any WSGI app. It has a logger of its own, and tests/lint holds what happens if that one fails.
    assert found.pop("middleware.py") == {"logging.getLogger", "LOGGER.log"}
    # asvs.py asks whether the logger is disabled. Nothing else but levels is read.
    assert found.pop("asvs.py") == {"LOGGER.disabled", "LOGGER.getEffectiveLevel", "LOGGER.manager"}
    # explain's ask.py logs the refusals that it asks for at DEBUG, by a filter that it takes away again.
    assert found.pop("ask.py") == {"LOGGER.addFilter", "LOGGER.removeFilter", "LOGGER.isEnabledFor"}
    assert set().union(*found.values()) == {"LOGGER.isEnabledFor", "LOGGER.level"}
