"""A child process doesn't wait for a lock that another thread of its parent held when it was forked."""

import os
import signal
import threading

import pytest

from flask_unauthorized.responses.drain import _drains
from tests.helpers import bearer_header

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on Windows"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]
ADA = bearer_header("good")


def in_child(lock, run):
    """Return the exit code of a child that calls ``run``: 0 if it returned true. Another thread holds the lock."""
    holding, done = threading.Event(), threading.Event()

    def hold():
        with lock:
            holding.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait()
    try:
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # ends a child that waits forever
            try:
                os._exit(0 if run() else 2)
            finally:
                os._exit(1)
    finally:
        done.set()
        thread.join()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def make_guarded(auth, make_app):
    app = make_app(auth)
    for path in ("/first", "/second"):
        app.add_url_rule(path, path[1:], auth.login_required(lambda: "ok"))
    return app


def test_a_fork_before_the_first_request_while_the_parent_checks_the_set_up(auth, make_app):
    app = make_guarded(auth, make_app)
    lock = app.extensions["unauthorized"]._lock
    assert in_child(lock, lambda: app.test_client().get("/first", headers=ADA).status_code == 200) == 0


def test_a_fork_while_the_parent_compiles_a_plan(auth, make_app):
    app = make_guarded(auth, make_app)
    assert app.test_client().get("/first", headers=ADA).status_code == 200
    lock = app.extensions["unauthorized"].plans._lock
    assert in_child(lock, lambda: app.test_client().get("/second", headers=ADA).status_code == 200) == 0


def test_a_fork_while_the_parent_counts_unread_bodies():
    _drains.begin()  # a body that a thread of the parent reads
    try:
        assert in_child(_drains._lock, lambda: _drains.reading == 0 and _drains.begin()) == 0
    finally:
        _drains.finish(may_wait=True)
