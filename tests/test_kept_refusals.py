"""Refusals that only their class decides are kept ready: nothing of one request may show in the next."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from flask import Flask, Response, request

from flask_unauthorized import Auth, AuthError, Basic, Bearer, Identity, abort_forbidden, abort_unauthorized
from flask_unauthorized.policy.challenges import MAX_CACHED
from flask_unauthorized.runtime.refuse import plan_in_force
from flask_unauthorized.runtime.request_state import state_for

MakeApp = Callable[..., Flask]
GOOD = {"Authorization": "Bearer good"}


def _auth() -> Auth[Any]:
    return Auth(Bearer({"good": Identity("ada")}.get), Basic({}.get, realm="console"))


@pytest.fixture
def auth() -> Auth[Any]:
    return Auth(Bearer({"good": Identity("ada")}.get))


def test_what_a_hook_changes_in_one_answer_is_not_in_the_next(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))

    @app.after_request
    def change(response: Response) -> Response:
        if "change" in request.args:
            response.headers["X-Only-Here"] = "yes"
            response.headers.remove("Vary")
            response.set_data(b"changed")
        return response

    client = app.test_client()
    first, changed, last = client.get("/"), client.get("/?change"), client.get("/")
    assert changed.data == b"changed"
    assert changed.headers["Content-Length"] == "7"
    assert "X-Only-Here" in changed.headers
    assert (first.data, list(first.headers)) == (last.data, list(last.headers))


def test_what_a_decorator_above_says_counts_for_this_request_only(make_app: MakeApp, auth: Auth[Any]) -> None:
    def outer(view: Callable[[], str]) -> Callable[[], str]:
        @wraps(view)
        def run() -> str:
            try:
                return view()
            except AuthError as error:
                if "own" in request.args:
                    error.description = "Ask Grace."  # type: ignore[attr-defined]  # all refusals have one
                raise

        return run

    app = make_app(auth)
    app.add_url_rule("/", view_func=outer(auth.login_required(lambda: "")))
    client = app.test_client()
    texts = [client.get(path).get_json()["message"] for path in ("/", "/?own", "/", "/?own")]
    assert texts[1] == texts[3] == "Ask Grace."
    assert texts[0] == texts[2] != "Ask Grace."


def test_a_message_of_the_app_is_not_kept_for_others(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)

    @app.get("/<text>")
    @auth.login_required
    def view(text: str) -> str:
        abort_unauthorized(None if text == "none" else text)

    client = app.test_client()
    messages = [client.get(f"/{text}", headers=GOOD).get_json()["message"] for text in ("one", "none", "two", "none")]
    assert messages[0] == "one"
    assert messages[2] == "two"
    assert messages[1] == messages[3] == "Authentication is required to access this resource."


def test_scripts_and_others_get_their_own_answers_in_any_order(make_app: MakeApp) -> None:
    """A script isn't offered what opens a password box (Basic), where there is another scheme."""
    auth = _auth()
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        assert len(client.get("/").headers.getlist("WWW-Authenticate")) == 2
        script = client.get("/", headers={"X-Requested-With": "XMLHttpRequest"})
        assert [line.split()[0] for line in script.headers.getlist("WWW-Authenticate")] == ["Bearer"]


def test_the_scheme_that_was_tried_is_the_one_that_is_told(make_app: MakeApp) -> None:
    auth = _auth()
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        told = client.get("/", headers={"Authorization": "Bearer wrong"}).headers.getlist("WWW-Authenticate")
        assert any(line.startswith("Bearer") and 'error="invalid_token"' in line for line in told)
        told = client.get("/", headers={"Authorization": "Basic !"}).headers.getlist("WWW-Authenticate")
        assert not any("error=" in line for line in told)
        told = client.get("/").headers.getlist("WWW-Authenticate")
        assert not any("error=" in line for line in told)


def test_each_media_type_is_kept_for_itself(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        for media in ("application/json", "application/problem+json", "text/plain", "text/html"):
            assert client.get("/", headers={"Accept": media}).mimetype == media


def test_a_response_class_of_the_app_makes_each_body(make_app: MakeApp, auth: Auth[Any]) -> None:
    class Counting(Response):
        made = 0

        def set_data(self, value: bytes | str) -> None:
            Counting.made += 1
            super().set_data(value)

    app = make_app(auth)
    app.response_class = Counting
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    bodies = {client.get("/").data for _ in range(3)}
    assert Counting.made == 3
    assert len(bodies) == 1


def test_ever_new_scopes_are_not_kept_for_ever(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    kept: list[int] = []

    @app.get("/<int:number>")
    @auth.login_required
    def view(number: int) -> str:
        plan = plan_in_force(request, state_for(request))
        kept.append(max(len(plan.challenges.header_cache), len(plan.challenges.response_cache)))
        abort_forbidden(scopes={f"notes:{number}"})

    client = app.test_client()
    for number in range(MAX_CACHED + 10):
        answer = client.get(f"/{number}", headers=GOOD)
        assert f'scope="notes:{number}"' in answer.headers["WWW-Authenticate"]
    assert max(kept) <= MAX_CACHED
