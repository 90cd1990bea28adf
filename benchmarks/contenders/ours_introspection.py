"""flask_unauthorized with introspection: the server was asked once, and its answer is kept."""

import json
import time
from collections.abc import Mapping

from flask import Flask

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.introspection import Introspection

from .base import NAME, READ, TOKEN, Contender, View


def _answer(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> bytes:
    if form["token"] != TOKEN:
        return b'{"active": false}'
    return json.dumps({"active": True, "sub": NAME, "scope": READ, "exp": int(time.time()) + 86_400}).encode()


def _guard(app: Flask, view: View, demand: str) -> View:
    loader = Introspection(
        "https://id.example/introspect",
        client_id="api",
        client_secret="s3cret",
        audience=None,
        cache=600,
        post=_answer,
    )
    return Auth(Bearer(loader), app=app).login_required(view)


CONTENDERS = (
    Contender(
        "ours_introspection.kept",
        "**flask_unauthorized, introspection, kept**",
        _guard,
        ("accepted", "missing", "wrong"),
    ),
)
