"""OpenAPI documents before two judges: openapi-spec-validator, and Schemathesis, which sends requests by them."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

if os.environ.get("CI") != "true":
    for name in ("openapi_spec_validator", "schemathesis"):
        pytest.importorskip(name, reason="nox -s neighbours")

import schemathesis  # after the skip
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import CHECKS as CHECKS_BY_NAME
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, DPoP, Identity, SessionCookie, any_of
from flask_unauthorized.openapi.own import make_document
from flask_unauthorized.openapi.versions import KNOWN
from flask_unauthorized.runtime.app_state import app_state_of

from ..openapi.conftest import written
from ..openapi.test_refusals import random_apps

ROOT = Path(__file__).parents[2]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(made=random_apps)
def test_documents_of_random_apps_are_valid(made: Any) -> None:
    app, auth = made
    for version in KNOWN:
        validate(make_document(app_state_of(app), version))
    given = written([f"GET {rule}" for rule in {route.rule for route in auth.routes(app)}])
    validate(auth.openapi(given))


def test_documents_of_all_schemes_are_valid() -> None:
    def load(*credentials: str) -> None:
        return None

    app = Flask("shop")
    app.secret_key = "a secret of thirty-two characters"
    flows = {"clientCredentials": {"tokenUrl": "https://id.example/token", "scopes": {"a": "read"}}}
    bearer = Bearer(load, openapi={"type": "oauth2", "flows": flows})
    auth: Auth[Any] = Auth(
        bearer, Basic(load), Digest(load), DPoP(load, origin="https://a.example"), APIKey(load),
        APIKey(load, cookie="key"), SessionCookie(load), app=app,
    )  # fmt: skip
    app.add_url_rule("/all", "all", auth.login_required(scopes={"a", any_of("b", "c")}, roles={"x"})(lambda: "in"))
    app.add_url_rule("/maybe/<int:number>", "maybe", auth.login_optional(lambda number: "in"), methods=["GET", "PUT"])
    for version in KNOWN:
        validate(make_document(app_state_of(app), version))


def load_app(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.app


@pytest.mark.parametrize("example", ["quickstart.py", "step_up.py"])
def test_documents_of_the_examples_are_valid(example: str) -> None:
    app = load_app(ROOT / "examples" / example)
    for version in KNOWN:
        document = make_document(app_state_of(app), version)
        assert any(
            "401" in operation["responses"] for item in document["paths"].values() for operation in item.values()
        )
        validate(document)


# --- Schemathesis

GUESSED = pytest.mark.tells_secrets(
    "log", "signal", "header", "body", because="Schemathesis also sends credentials that are words of the source"
)
CHECKS = ("ignored_auth", "status_code_conformance", "response_headers_conformance", "response_schema_conformance")


def make_shop() -> tuple[Flask, dict[str, Any]]:
    """Return an app, and its document with the responses of the views, as an author writes them."""
    callers = {"good": Identity("g", scopes={"notes:read"}), "poor": Identity("p")}
    app = Flask("shop", static_folder=None)
    auth: Auth[Any] = Auth(Bearer(callers.get), APIKey(callers.get), app=app)

    @app.get("/notes/<int:number>")
    @auth.login_required
    def note(number: int) -> Any:
        return {"number": number}

    @app.get("/scoped")
    @auth.login_required(scopes={"notes:read"})
    def scoped() -> Any:
        return {}

    @app.get("/maybe")
    @auth.login_optional
    def maybe() -> Any:
        return {}

    @app.get("/open")
    @auth.public
    def open_() -> Any:
        return {}

    number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    document = written(["GET /notes/{number}", "GET /scoped", "GET /maybe", "GET /open"])
    document["paths"]["/notes/{number}"]["parameters"] = [number]
    for item in document["paths"].values():
        item["get"]["responses"]["200"]["content"] = {"application/json": {"schema": {"type": "object"}}}
    return app, auth.openapi(document, app=app)


def failures_of(app: Flask, document: dict[str, Any], **headers: str) -> set[str]:
    """Return what Schemathesis finds, by the name of the failure."""
    load_all_checks()
    checks = [CHECKS_BY_NAME.get_one(name) for name in CHECKS]
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    found: set[str] = set()
    for operation in schema.get_all_operations():

        @settings(deadline=None, max_examples=10, database=None, suppress_health_check=[*HealthCheck])
        @given(case=operation.ok().as_strategy())
        def run(case: Any) -> None:
            try:
                case.call_and_validate(headers=headers or None, checks=checks)
            except FailureGroup as group:
                found.update(type(one).__name__ for one in group.exceptions)
            except Failure as failure:
                found.add(type(failure).__name__)

        run()
    return found


@GUESSED
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer good"}, {"Authorization": "Bearer poor"}])
def test_schemathesis_finds_no_fault(headers: dict[str, str]) -> None:
    app, document = make_shop()
    assert failures_of(app, document, **headers) == set()


@GUESSED
def test_schemathesis_finds_a_guard_that_is_gone() -> None:
    app, document = make_shop()
    app.view_functions["scoped"] = dict
    assert "IgnoredAuth" in failures_of(app, document, Authorization="Bearer good")


@GUESSED
def test_schemathesis_finds_a_refusal_that_is_not_documented() -> None:
    app, document = make_shop()
    del document["paths"]["/scoped"]["get"]["responses"]["401"]
    assert "UndefinedStatusCode" in failures_of(app, document)


@GUESSED
def test_schemathesis_finds_a_challenge_that_is_missing() -> None:
    app, document = make_shop()
    app.config["UNAUTHORIZED_GUARD"] = "off"

    @app.after_request
    def strip(response: Any) -> Any:
        del response.headers["WWW-Authenticate"]
        return response

    assert "MissingHeaders" in failures_of(app, document)
