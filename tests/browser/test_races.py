"""Races of remembered logins: threads of one process, and 8 processes with 8 threads each, about one cookie."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from flask_unauthorized.authentication import authorization
from flask_unauthorized.stores.memory import MemoryStore
from tests.stores.racing import store_of
from tests.stores.servers import redis_server

from . import racing
from .racing import NAME

PROCESSES = 8
SERIES = 2


@pytest.fixture
def now(monkeypatch):
    """The time, to be moved. It stands still, so that a slow machine changes nothing."""
    found = [time.time()]
    for module in (time, authorization):
        monkeypatch.setattr(module, "time", lambda: found[0])
    return found


@contextmanager
def processes(kind, address):
    """A function that presents a cookie in all processes at once."""
    command = [sys.executable, "-m", "tests.browser.racing", kind, address]
    with ExitStack() as stack:
        running = []
        for _ in range(PROCESSES):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(process.wait)
            stack.callback(process.stdout.close)
            stack.callback(process.stdin.close)  # which ends it
            running.append(process)
        assert [process.stdout.readline() for process in running] == ["ready\n"] * PROCESSES

        def present_everywhere(now, value):
            for process in running:
                process.stdin.write(json.dumps([now, value]) + "\n")
                process.stdin.flush()
            found = [json.loads(process.stdout.readline()) for process in running]
            answers = [tuple(map(str, answer)) for answer, _, _ in found for answer in answer]
            return answers, sum(warnings for _, warnings, _ in found), sum(heard for _, _, heard in found)

        yield present_everywhere


@contextmanager
def threads(app):
    """The same with 64 threads of this process."""
    counting = racing.Counting()

    def present(_, value):
        counting.warnings = counting.signals = 0
        found = racing.present(app, value, 64)
        return [tuple(map(str, answer)) for answer in found], counting.warnings, counting.signals

    try:
        yield present
    finally:
        counting.close()


def race(app, present_everywhere, now, name):
    """One series: a rotation, repetitions, the next rotation, and a theft. Return who was first."""
    owner = app.test_client()
    while owner.post(f"/login/{name}").status_code == 503:  # SQLite is busy
        pass
    first = owner.get_cookie(NAME).value
    now[0] += 3700
    rotated, *_ = present_everywhere(now[0], first)
    issued = [new for _, _, new in rotated if new != "None"]
    assert len(issued) == 1
    assert {status for status, _, _ in rotated} == {"200"}
    assert len({login for _, login, _ in rotated}) == 1
    now[0] += 20
    repeated, *_ = present_everywhere(now[0], first)
    assert set(repeated) == {("200", rotated[0][1], "None")}
    now[0] += 3700
    confirmed, *_ = present_everywhere(now[0], issued[0])
    assert Counter(new == "None" for _, _, new in confirmed) == {True: 63, False: 1}
    assert len({login for _, login, _ in confirmed}) == 1
    assert confirmed[0][1] != rotated[0][1]
    (current,) = [new for _, _, new in confirmed if new != "None"]
    session = app.test_client()
    session.set_cookie(NAME, current)
    assert session.get("/which").status_code == 200  # a repetition, or a rotation
    now[0] += 32
    stolen, warnings, heard = present_everywhere(now[0], first)
    assert {status for status, _, _ in stolen} == {"401"}
    assert (warnings, heard) == (1, 1)
    assert session.get("/which").status_code == 401
    owner.set_cookie(NAME, current)
    assert owner.get("/which").status_code == 401


@pytest.fixture(params=["sqlite", "redis"])
def shared(request, tmp_path):
    if request.param == "sqlite":
        yield "sqlite", str(tmp_path / "races.db")
    else:
        with redis_server(tmp_path) as url:
            yield "redis", url


def test_one_cookie_in_all_processes(shared, now):
    app, _ = racing.site(store_of(*shared))
    with processes(*shared) as present_everywhere:
        for number in range(SERIES):
            race(app, present_everywhere, now, f"ada{number}")


def test_one_cookie_in_all_threads(now):
    app, _ = racing.site(MemoryStore())
    with threads(app) as present_everywhere:
        for number in range(SERIES):
            race(app, present_everywhere, now, f"ada{number}")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_logins_of_one_user_at_once_are_all_listed(tmp_path, kind):
    app, auth = racing.site(MemoryStore() if kind == "memory" else store_of(kind, str(tmp_path / "list.db")))
    together = threading.Barrier(8)

    def log_in(_):
        client = app.test_client()
        together.wait(60)
        while client.post("/login/ada").status_code == 503:
            pass
        return client.get("/which").json[1]

    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(log_in, range(8)))
    with app.app_context():
        assert len(auth.sessions("ada")) == len(set(begun)) == 8
