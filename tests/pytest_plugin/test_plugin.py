"""The pytest plugin, in test suites of its own."""

import subprocess
import sys
from importlib.metadata import entry_points
from inspect import isfunction
from pathlib import Path

import pytest
from flask import Flask, abort
from werkzeug.test import Client

from flask_unauthorized import Auth, AuthUnavailable, Bearer
from flask_unauthorized.pytest_plugin import clients
from flask_unauthorized.pytest_plugin.outage import outage
from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore

# An editable install of another checkout has no entry point, so the module is named then.
INSTALLED = any(one.name == "unauthorized" for one in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "flask_unauthorized.pytest_plugin")
BARE = """
import pytest
from flask import Flask, abort

GOOD = {"Authorization": "Bearer good"}
bare = Flask("bare")
bare.add_url_rule("/", "view", lambda: abort(401))
"""
APPS = f"""{BARE}
from datetime import timedelta
from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.stores.memory import MemoryStore

class Down(Exception):
    def __init__(self, first, second): ...

auth = Auth(Bearer({{"good": Identity("ada", expires_at=4_000_000_000)}}.get), unavailable=[Down])
ours = Flask("ours")
ours.testing = True
auth.init_app(ours)
ours.add_url_rule("/", "view", auth.login_required(lambda: "view"))
"""


def run(folder: Path, tests: str, *options: str, ini: str = "", apps: str = APPS) -> str:
    (folder / "test_suite.py").write_text(apps + tests, encoding="utf-8")
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *PLUGIN, *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    return done.stdout + done.stderr


TEST = """
def test_bare():
    assert bare.test_client().get("/", headers=GOOD).status_code == 401
"""


OF_MODULE = "pytestmark = pytest.mark.unauthorized_lint"


@pytest.mark.parametrize(
    ("options", "ini", "marker", "outcome"),
    [
        ((), "", "", "1 passed in"),
        (("--unauthorized-lint=fail",), "", "", "1 failed"),
        (("--unauthorized-lint=warn",), "", "", "1 passed, 1 warning"),
        ((), "unauthorized_lint = fail", "", "1 failed"),
        (("--unauthorized-lint=off",), "unauthorized_lint = fail", "", "1 passed in"),
        ((), "", '@pytest.mark.unauthorized_lint("fail")', "1 failed"),
        (("--unauthorized-lint=fail",), "", '@pytest.mark.unauthorized_lint("off")', "1 passed in"),
        (("--unauthorized-lint=fail",), "", '@pytest.mark.unauthorized_lint(ignore={"W1"})', "1 passed in"),
        (("--unauthorized-lint=fail",), "", '@pytest.mark.unauthorized_lint(ignore="W1")', "1 passed in"),
        (("--unauthorized-lint=fail",), "", '@pytest.mark.unauthorized_lint(ignore={"W2"})', "1 failed"),
        (("--unauthorized-lint=fail", "--strict-markers"), "", '@pytest.mark.unauthorized_lint("fail")', "1 failed"),
        # The mark of a test comes before that of its module, and both lists of findings to ignore count.
        ((), "", f'{OF_MODULE}("fail")\n@pytest.mark.unauthorized_lint("off")', "1 passed in"),
        ((), "", f'{OF_MODULE}("off")\n@pytest.mark.unauthorized_lint("fail")', "1 failed"),
        ((), "", f'{OF_MODULE}(ignore="W1")\n@pytest.mark.unauthorized_lint("fail")', "1 passed in"),
        ((), "unauthorized_lint = on", "", "write off, warn or fail"),
        (("-p", "no:unauthorized", "-p", "no:flask_unauthorized.pytest_plugin"), "", "", "1 passed in"),
    ],
)
def test_it_is_off_until_it_is_switched_on(options, ini, marker, outcome, tmp_path):
    printed = run(tmp_path, f"\n{marker}{TEST}", *options, ini=ini, apps=BARE)
    assert outcome in printed, printed
    if outcome == "1 failed":
        assert "error W1: GET / -> 401: a 401 without a challenge." in printed


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ('("loud")', "the mode of the marker unauthorized_lint is 'loud': write off, warn or fail"),
        (
            '("fail", ignore={"W99", "W1"})',
            "ignore of the marker unauthorized_lint has 'W99', which the linter does not know: write",
        ),
        ('("warn", ignore="w1")', "has 'w1', which the linter does not know: write some of W1, W2"),
    ],
)
def test_a_typo_in_the_marker_is_one_error(marker, says, tmp_path):
    printed = run(tmp_path, f"\n@pytest.mark.unauthorized_lint{marker}{TEST}\ndef test_other(): ...", apps=BARE)
    assert says in printed, printed
    assert "1 passed, 1 error" in printed, printed
    assert "KeyError" not in printed


def test_the_first_line_of_a_failure_has_the_finding(tmp_path):
    printed = run(tmp_path, TEST, "--unauthorized-lint=fail", apps=BARE)
    assert "FAILED test_suite.py::test_bare - Failed: unauthorized lint: error W1: GET / " in printed, printed


def test_a_failed_assertion_shows_the_test_and_no_source_of_the_package(tmp_path):
    tests = """
from flask_unauthorized import testing

def test_unauthorized(): testing.assert_unauthorized(ours.test_client().get("/", headers=GOOD))
def test_sound(): testing.assert_sound(bare.test_client().get("/"))
def test_forbidden(): testing.assert_forbidden(ours.test_client().get("/"))
def test_offers(): testing.assert_challenge(ours.test_client().get("/")).offers("Basic")
def test_guarded(): testing.assert_all_guarded(ours)
"""
    printed = run(tmp_path, tests)
    assert "5 failed" in printed, printed
    assert printed.count("test_suite.py:") >= 5
    assert "testing.py:" not in printed
    assert "def _check" not in printed


def test_until_then_it_imports_nothing_of_the_package(tmp_path):
    tests = """
import sys

def test_modules():
    mine = {name for name in sys.modules if name.startswith("flask_unauthorized")}
    assert mine == {"flask_unauthorized", "flask_unauthorized.lazy_names", "flask_unauthorized.pytest_plugin"}
    assert not {"flask", "werkzeug"} & {*sys.modules}
"""
    assert "1 passed" in run(tmp_path, tests, apps="")


def test_findings_of_fixtures_count_and_a_failure_stays_first(tmp_path):
    tests = """
@pytest.fixture
def early():
    bare.test_client().get("/")

@pytest.fixture
def late():
    yield
    bare.test_client().get("/")

def test_early(early): ...
def test_late(late): ...
def test_own_failure():
    bare.test_client().get("/")
    assert 1 == 2, "the failure of the test"
def test_after_it():
    ours.test_client().get("/")
"""
    printed = run(tmp_path, tests, "--unauthorized-lint=fail")
    assert "2 failed, 2 passed, 1 error" in printed, printed
    assert "the failure of the test" in printed
    assert "Captured unauthorized lint call" in printed


def test_clients_are_as_they_were_after_the_test(tmp_path):
    tests = """
from werkzeug.test import Client
before = Client.run_wsgi_app

@pytest.mark.unauthorized_lint("warn")
def test_within():
    assert Client.run_wsgi_app is not before

def test_after():
    assert Client.run_wsgi_app is before
"""
    assert "2 passed" in run(tmp_path, tests)


@pytest.mark.parametrize(
    ("module", "body"),
    [
        (
            "httpx",
            """
    import httpx
    with httpx.Client(transport=httpx.WSGITransport(bare), base_url="http://a.example") as client:
        assert client.get("/").status_code == 401
""",
        ),
        (
            "httpx",
            """
    import asyncio, httpx
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body"})
    async def ask():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.example") as client:
            assert (await client.get("/")).status_code == 401
    asyncio.run(ask())
""",
        ),
        (
            "starlette",
            """
    from starlette.testclient import TestClient
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body"})
    assert TestClient(app).get("/").status_code == 401
""",
        ),
        (
            "django",
            """
    assert django.test.Client().get("/").status_code == 401
""",
        ),
    ],
    ids=["httpx-wsgi", "httpx-asgi", "starlette", "django"],
)
def test_other_clients_are_listened_to(module, body, tmp_path):
    pytest.importorskip(module, reason="nox -s neighbours")
    head = {
        "django": """
import django.test
from django.conf import settings
from django.http import HttpResponse
from django.urls import path
urlpatterns = [path("", lambda request: HttpResponse("x", status=401))]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x" * 50)
django.setup()
""",
        "starlette": "import warnings\nwarnings.simplefilter('ignore')\nimport starlette.testclient\n",
        "httpx": "import httpx\n",
    }[module]
    tests = f"{head}\ndef test_view():\n{body}"
    printed = run(tmp_path, tests, "--unauthorized-lint=fail", apps=BARE)
    assert "1 failed" in printed, printed
    assert "error W1: GET / -> 401" in printed


def test_the_fixture(tmp_path):
    tests = """
def test_callers_and_refusals(unauthorized):
    assert unauthorized.acting_as(ours, "bob").get("/").status_code == 200
    assert unauthorized.refusals == []
    ours.test_client().get("/", headers={"Authorization": "Bearer wrong"})
    (refusal,) = unauthorized.refusals
    assert (refusal.status, refusal.method, refusal.path) == (401, "GET", "/")
    assert type(refusal.error).__name__ == "InvalidCredentials"
    assert refusal.reason and refusal.reason_code

def test_refusals_begin_anew(unauthorized):
    assert unauthorized.refusals == []
    assert unauthorized.findings == []

@pytest.mark.unauthorized_lint("warn", ignore={"W1"})
def test_findings(unauthorized):
    bare.test_client().get("/")
    assert [finding.id for finding in unauthorized.findings] == ["C1"]

def test_outage(unauthorized):
    client = ours.test_client()
    with unauthorized.down(ours):
        response = client.get("/", headers=GOOD)
        assert response.status_code == 503
        assert "WWW-Authenticate" not in response.headers
        assert client.get("/").status_code == 401
    assert client.get("/", headers=GOOD).status_code == 200

def test_an_error_that_the_app_does_not_list(unauthorized):
    ours.testing = False
    try:
        with unauthorized.down(ours, OSError("x")):
            assert ours.test_client().get("/", headers=GOOD).status_code == 500
    finally:
        ours.testing = True

def test_stores(unauthorized):
    from flask_unauthorized import AuthUnavailable
    store = MemoryStore(single_process=True)
    with unauthorized.down(ours):
        with pytest.raises(AuthUnavailable):
            store.claim("a", "b", 10)
    assert store.claim("a", "b", 10)

def test_clock(unauthorized):
    import datetime, time
    from flask_unauthorized.loaders.stored.records import TokenRecord
    client = ours.test_client()
    store = MemoryStore(single_process=True)
    assert store.claim("a", "b", 3600)
    assert client.get("/", headers=GOOD).status_code == 200
    unauthorized.clock.advance(timedelta(hours=1.1))
    assert store.claim("a", "b", 3600)
    unauthorized.clock.advance(4_000_000_000)
    assert client.get("/", headers=GOOD).status_code == 401
    for impossible in (-1, float("nan"), float("inf"), timedelta(seconds=-1)):
        with pytest.raises(ValueError, match="can't move by"):
            unauthorized.clock.advance(impossible)

def test_the_time_is_back():
    import time
    assert time.time() < 4_000_000_000
    assert type(time.time).__name__ == "builtin_function_or_method"
"""
    printed = run(tmp_path, tests, "-W", "error")
    assert "8 passed" in printed, printed


def test_what_another_tool_has_replaced_since_is_left_alone(tmp_path):
    """Tools such as freezegun begin before ``advance()`` and end before the fixture, or last for a session."""
    tests = """
import time
from werkzeug.test import Client
real, send = time.time, Client.run_wsgi_app

def frozen():
    raise AssertionError("the other tool has ended")

def test_a_tool_that_ends_first(unauthorized):
    time.time = frozen
    unauthorized.clock.advance(60)
    time.time = real

def test_the_time_is_that_of_the_process():
    assert time.time is real

@pytest.mark.unauthorized_lint("warn")
def test_a_tool_that_stays():
    inner = Client.run_wsgi_app
    assert inner is not send
    def of_another_tool(*args, **kwargs):
        return inner(*args, **kwargs)
    Client.run_wsgi_app = of_another_tool

def test_its_method_is_still_there():
    assert Client.run_wsgi_app.__name__ == "of_another_tool"
    assert bare.test_client().get("/").status_code == 401
    Client.run_wsgi_app = send
"""
    printed = run(tmp_path, tests, "-W", "error")
    assert "4 passed" in printed, printed


def test_a_failure_shows_the_warnings_beside_the_error_and_no_note(tmp_path):
    tests = """
@bare.get("/scope")
def scope():
    return "x", 401, {"WWW-Authenticate": 'Bearer error="insufficient_scope"'}

def test_scope():
    bare.test_client().get("/scope")
"""
    printed = run(tmp_path, tests, "--unauthorized-lint=fail", apps=BARE)
    assert "1 failed" in printed
    assert [found in printed for found in ("error W5", "warning W4", "note C1")] == [True, True, False]


@pytest.fixture
def bare():
    app = Flask("bare")
    app.add_url_rule("/", "view", lambda: abort(401))
    return app.test_client()


def test_a_response_that_the_linter_fails_on_reaches_the_test(bare, monkeypatch):
    def fail(exchange):
        raise KeyError("a bug of the linter")

    monkeypatch.setattr(clients, "lint_exchange", fail)
    recorder = clients.Recorder(frozenset())
    recorder.start()
    try:
        assert bare.get("/").status_code == 401
    finally:
        recorder.stop()
    assert recorder.take() == []


def test_a_method_that_another_tool_has_kept_records_nothing_after_the_test(bare, monkeypatch):
    recorder = clients.Recorder(frozenset())
    recorder.start()
    kept = Client.run_wsgi_app
    bare.get("/")
    assert {finding.id for finding in recorder.take()} == {"W1", "C1"}
    recorder.stop()
    monkeypatch.setattr(Client, "run_wsgi_app", kept)
    assert bare.get("/").status_code == 401
    assert recorder.take() == []


def test_every_operation_of_a_store_fails_in_an_outage():
    app = Flask("down")
    Auth(Bearer({}.get), app=app)
    store = MemoryStore(single_process=True)
    operations = [
        name for name, value in vars(Store).items()
        if isfunction(value) and not name.startswith(("_", "check"))
    ]  # fmt: skip
    assert len(operations) >= 10
    with outage(app):
        for name in operations:
            with pytest.raises(AuthUnavailable):
                getattr(store, name)("a", "b", 1)
