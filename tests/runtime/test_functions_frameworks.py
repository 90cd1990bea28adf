"""Functions frameworks: an outer app has the request, and hands it to ours (F-65)."""

import re
from pathlib import Path

import pytest
from flask import Flask, request

from flask_unauthorized.testing import assert_sound

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "servers.md"


@pytest.fixture
def ask():
    """A client of functions-framework, as far as it matters: a Flask app that calls the function with its request."""
    text = PAGE.read_text(encoding="utf-8").partition("## Functions that replace the request's headers\n")[2]
    scope = {"__name__": "main"}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], scope)
    outer = Flask("functions_framework")

    def view(path):
        return scope["handle"](request._get_current_object())

    outer.add_url_rule("/", "root", view, defaults={"path": ""}, methods=["GET", "POST"])
    outer.add_url_rule("/<path:path>", "run", view, methods=["GET", "POST"])
    return outer.test_client()


def test_the_recipe_lets_valid_tokens_in(ask):
    accepted = ask.post("/notes", headers={"Authorization": "Bearer demo-token-of-ada-0123456789"}, data="a body")
    assert (accepted.status_code, accepted.json) == (200, {"owner": "ada"})


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer wrong"}])
def test_the_recipe_passes_refusals_on(ask, sent):
    refused = ask.post("/notes", headers=sent)
    assert refused.status_code == 401
    (challenge,) = assert_sound(refused)
    assert dict(challenge.params)["realm"] == "notes"
    assert ("error" in dict(challenge.params)) == bool(sent)
    assert refused.headers["Cache-Control"] == "no-store"


def test_the_recipe_keeps_the_apps_own_answers(ask):
    assert ask.post("/nowhere").status_code == 404
    assert ask.get("/notes").status_code == 405
    assert ask.options("/notes").status_code == 200
