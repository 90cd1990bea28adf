"""The page of the linter, made from what it finds: ``python -m tests.neighbours.linter`` writes it."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, abort

from flask_unauthorized import Auth, Basic, Bearer, Identity
from flask_unauthorized.lint.catalog import RULES, Finding
from flask_unauthorized.lint.comparisons import compare
from flask_unauthorized.lint.exchange import Exchange
from flask_unauthorized.lint.responses import exchange_of
from flask_unauthorized.lint.rules import lint_exchange

from .table import required_version

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "linter.md"
COMMAND = "python -m tests.neighbours.linter"
_INTRODUCTION = f"""\
# Linter

This page shows what the [linter](../guides/linter.md) finds in apps that use other libraries, and in the same app with
this extension. Each app is the shortest one that its documentation shows. The table has the challenges as they were
sent.

- `{COMMAND}` writes this page, and a test fails if it is stale. The apps are in
  `tests/neighbours/linter.py`.
- The line below a table has what only the four requests together show.
- Errors break a rule of a standard. Warnings are against its advice. Notes may be intended.
"""
_COLUMNS = "| request | status | challenge | found |\n|---|---|---|---|"
_REQUESTS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("nothing sent", {}),
    ("a wrong token", {"Authorization": "Bearer wrong"}),
    ("a wrong password", {"Authorization": "Basic YWRhOndyb25n"}),
    ("another scheme", {"Authorization": "Other wrong"}),
)
_AS_PROBED = {"nothing sent": "nothing", "a wrong token": "wrong token", "a wrong password": "wrong password"}


class Peer(NamedTuple):
    """An app, and how to get a client of it."""

    title: str
    package: str
    client: Callable[[], Any]
    about: str


def _bare() -> Any:
    app = Flask("shop")
    app.add_url_rule("/", "view", lambda: abort(401))
    return app.test_client()


def _http_auth() -> Any:
    from flask_httpauth import HTTPBasicAuth

    app, auth = Flask("shop"), HTTPBasicAuth(realm='the "shop"')
    auth.verify_password(lambda name, password: None)
    app.add_url_rule("/", "view", auth.login_required(lambda: "shop"))
    return app.test_client()


def _http_auth_tokens() -> Any:
    from flask_httpauth import HTTPTokenAuth

    app, auth = Flask("shop"), HTTPTokenAuth(realm="shop")
    auth.verify_token(lambda token: None)
    app.add_url_rule("/", "view", auth.login_required(lambda: "shop"))
    return app.test_client()


def _jwt_extended() -> Any:
    from flask_jwt_extended import JWTManager, jwt_required

    app = Flask("shop")
    app.config["JWT_SECRET_KEY"] = "a secret of thirty-two characters"
    JWTManager(app)
    app.add_url_rule("/", "view", jwt_required()(lambda: "shop"))
    return app.test_client()


def _authlib() -> Any:
    from authlib.integrations.flask_oauth2 import ResourceProtector
    from authlib.oauth2.rfc6750 import BearerTokenValidator

    class Validator(BearerTokenValidator):  # type: ignore[misc]
        def authenticate_token(self, token_string: str) -> None:
            return None

    app, protect = Flask("shop"), ResourceProtector()
    protect.register_token_validator(Validator())
    app.add_url_rule("/", "view", protect()(lambda: "shop"))
    return app.test_client()


def _fastapi(scheme: str) -> Callable[[], Any]:
    def client() -> Any:
        from fastapi import Depends, FastAPI, HTTPException, security
        from starlette.testclient import TestClient

        app, taken = FastAPI(), getattr(security, scheme)()

        def view(credentials: Any = Depends(taken)) -> None:
            raise HTTPException(401, "wrong")

        app.get("/")(view)
        return TestClient(app)

    return client


def _ours() -> Any:
    app = Flask("shop")
    auth = Auth(Bearer({"good": Identity("ada")}.get), Basic(lambda name, password: None), realm='the "shop"', app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "shop"))
    return app.test_client()


OURS = Peer("flask_unauthorized", "", _ours, "The same app with `Bearer` and `Basic`.")
PEERS = (
    Peer("Flask alone", "", _bare, "The view calls `abort(401)`."),
    Peer("Flask-HTTPAuth, passwords", "flask-httpauth", _http_auth, 'The realm is `the "shop"`.'),
    Peer("Flask-HTTPAuth, tokens", "flask-httpauth", _http_auth_tokens, "`HTTPTokenAuth` with its defaults."),
    Peer("Flask-JWT-Extended", "flask-jwt-extended", _jwt_extended, "`jwt_required()` with its defaults."),
    Peer("Authlib", "authlib", _authlib, "`ResourceProtector` with a `BearerTokenValidator`."),
    Peer(
        "FastAPI, HTTPBearer",
        "fastapi",
        _fastapi("HTTPBearer"),
        "The view raises `HTTPException(401)` for a wrong token, without headers.",
    ),
    Peer("FastAPI, HTTPDigest", "fastapi", _fastapi("HTTPDigest"), "The class for Digest, with its defaults."),
)


def exchanges(peer: Peer) -> dict[str, Exchange]:
    """The requests of the page with their responses, by title."""
    client = peer.client()
    return {title: exchange_of(client.get("/", headers=headers)) for title, headers in _REQUESTS}


def page() -> str:
    """The page as it should be."""
    parts = [_INTRODUCTION]
    for peer in (*PEERS, OURS):
        tested = f"Tested with `{required_version(peer.package)}`. " if peer.package else ""
        found = exchanges(peer)
        rows = [_row(title, exchange) for title, exchange in found.items()]
        together = _said(compare({_AS_PROBED[title]: one for title, one in found.items() if title in _AS_PROBED}))
        parts += [f"## {peer.title}\n", f"{tested}{peer.about}\n", "\n".join([_COLUMNS, *rows]) + "\n"]
        parts.append(f"Together: {together}.\n")
    parts += ["## All findings\n", _all_rules()]
    return "\n".join(parts)


def _row(title: str, exchange: Exchange) -> str:
    challenges = "<br>".join(f"`{line}`" for line in exchange.lines("www-authenticate")) or "none"
    return f"| {title} | {exchange.status} | {challenges} | {_said(lint_exchange(exchange))} |"


def _said(found: list[Finding]) -> str:
    return "<br>".join(f"{one.level} {one.id}: {one.message}" for one in found) or "nothing"


def _all_rules() -> str:
    rows = [f"| {name} | {rule.level} | {rule.title} | {rule.see} | {rule.fix} |" for name, rule in RULES.items()]
    return "\n".join(["| id | level | what | source | fix |", "|---|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    logging.disable()
    PAGE.write_text(page(), encoding="utf-8")
