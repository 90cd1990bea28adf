"""What the tests of OpenAPI documents share."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from flask import Flask

from flask_unauthorized import Auth

HEADS: dict[str, dict[str, str]] = {
    "2.0": {"swagger": "2.0"},
    "3.0": {"openapi": "3.0.3"},
    "3.1": {"openapi": "3.1.0"},
    "3.2": {"openapi": "3.2.0"},
}


def written(paths: Iterable[str] | dict[str, Any], version: str = "3.1", **members: Any) -> dict[str, Any]:
    """A document as an author or a library writes it, who knows nothing of guards: ``"GET /notes"``."""
    found: dict[str, dict[str, Any]] = {}
    given = paths if isinstance(paths, dict) else dict.fromkeys(paths, None)
    for line, operation in given.items():
        method, path = line.split(" ")
        content = {"responses": {"200": {"description": "in"}}} if operation is None else operation
        found.setdefault(path, {})[method.lower()] = content
    return {**HEADS[version], "info": {"title": "Shop", "version": "1"}, "paths": found, **members}


@pytest.fixture
def site() -> Callable[..., tuple[Flask, Auth[Any]]]:
    """A factory of apps: schemes, and guards by rule, ``site(bearer, {"GET /notes": {"scopes": {"a"}}})``.

    A guard is ``None`` for an open view, ``"public"``, ``"optional"``, or the demands of ``login_required``.
    """

    def make(*schemes: Any, views: dict[str, Any], auth_options: Any = None, **config: Any) -> tuple[Flask, Auth[Any]]:
        app = Flask("shop", static_folder=None)
        app.config.update({"TESTING": True, "SECRET_KEY": "a secret of thirty-two characters", **config})
        auth: Auth[Any] = Auth(*schemes, app=app, **(auth_options or {}))
        for number, (line, guard) in enumerate(views.items()):
            method, _, rule = line.partition(" ")

            def view(**arguments: Any) -> str:
                return "in"

            guarded: Any = view
            if guard == "public":
                guarded = auth.public(view)
            elif guard == "optional":
                guarded = auth.login_optional(view)
            elif guard is not None:
                guarded = auth.login_required(**guard)(view)
            app.add_url_rule(rule, f"view{number}", guarded, methods=[method])
        return app, auth

    return make
