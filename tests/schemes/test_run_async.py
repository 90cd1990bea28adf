"""Async loaders: who waits for them, and where."""

import threading

import pytest
from flask import Flask, request

from flask_unauthorized import Auth, Bearer


def test_the_apps_own_way_of_waiting_is_used(make_app):
    """A subclass of Flask may run coroutines in a loop of its own (Flask's docs, async)."""
    ran = []

    class App(Flask):
        def async_to_sync(self, function):
            ran.append(function)
            return super().async_to_sync(function)

    async def load(token):
        return "ada"

    auth = Auth(Bearer(load))
    app = App("own")
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "in"
    assert len(ran) == 1


def test_a_loader_in_a_running_loop_works_in_a_thread_that_has_a_name(make_app):
    seen = []

    async def load(token):
        seen.append(threading.current_thread().name)
        if token == "broken":
            raise KeyError("broken")
        return "ada"

    auth = Auth(Bearer(load))
    app = make_app(auth)

    async def view():
        return auth.require().subject + request.path

    app.add_url_rule("/", "view", view)
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "ada/"
    assert seen == ["flask_unauthorized loader"]
    with pytest.raises(KeyError, match="broken"):
        app.test_client().get("/", headers={"Authorization": "Bearer broken"})
