"""A mistake in the set-up that the first request finds: open routes work, guarded ones are 500 (F-47)."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.cli import ScriptInfo
from flask.views import MethodView

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity
from flask_unauthorized.cli import commands

GOOD = {"Authorization": "Bearer good"}


def auth_of() -> Auth[Any]:
    return Auth(Bearer({"good": Identity("ada")}.get))


def wrong_setting(app: Flask, auth: Auth[Any]) -> None:
    app.config["UNAUTHORIZED_GUARD"] = "loose"


def wrong_order(app: Flask, auth: Auth[Any]) -> None:
    auth.login_required(app.get("/late")(lambda: "open by mistake"))


def wrong_text(app: Flask, auth: Auth[Any]) -> None:
    auth.texts["en"]["missing.title"] = 5  # type: ignore[assignment]


def unknown_name(app: Flask, auth: Auth[Any]) -> None:
    blueprint = Blueprint("part", __name__)
    auth.protect(blueprint, public={"nowhere"})
    blueprint.add_url_rule("/part", "part", lambda: "part")
    app.register_blueprint(blueprint)


def unmet_demand(app: Flask, auth: Auth[Any]) -> None:
    blueprint = Blueprint("strict", __name__)
    auth.protect(blueprint, acr="one")
    blueprint.add_url_rule("/strict", "v", auth.login_required(acr="two")(lambda: "never"))
    app.register_blueprint(blueprint)


MISTAKES: dict[str, Callable[[Flask, Auth[Any]], None]] = {
    "setting": wrong_setting,
    "order": wrong_order,
    "text": wrong_text,
    "public name": unknown_name,
    "acr": unmet_demand,
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_open_routes_still_work(make_app: Any, mistake: str, caplog: pytest.LogCaptureFixture) -> None:
    auth = auth_of()
    app = make_app(auth, TESTING=False, PROPAGATE_EXCEPTIONS=False)

    class Item(MethodView):
        @auth.login_required
        def get(self) -> str:
            return "guarded method"

    app.add_url_rule("/health", "health", lambda: "fine")
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: "guarded"))
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: "optional"))
    app.add_url_rule("/above", "above", functools.wraps(view := auth.login_required(lambda: ""))(lambda: view()))
    app.add_url_rule("/method", view_func=Item.as_view("method"))
    MISTAKES[mistake](app, auth)
    with pytest.raises(ConfigurationError):
        auth.check(app)
    client = app.test_client()
    paths = {"/health": 200, "/guarded": 500, "/optional": 500, "/above": 500, "/method": 500, "/nowhere": 404}
    paths |= {"/late": 500} if mistake == "order" else {}
    paths |= {"/part": 500} if mistake == "public name" else {}
    for _ in range(2):
        assert {path: client.get(path, headers=GOOD).status_code for path in paths} == paths
    critical = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert len(critical) == 1


def test_all_of_a_protected_app_is_500(make_app: Any) -> None:
    auth = auth_of()
    app = make_app(auth, TESTING=False, PROPAGATE_EXCEPTIONS=False)
    auth.protect(app, public={"static", "typo"})
    app.add_url_rule("/", "v", lambda: "secret")
    assert app.test_client().get("/", headers=GOOD).status_code == 500


def test_init_app_finds_wrong_settings(make_app: Any) -> None:
    with pytest.raises(ConfigurationError, match="UNAUTHORIZED_REALM"):
        make_app(auth_of(), UNAUTHORIZED_RELAM="x")


def test_the_command_checks_a_deploy(make_app: Any) -> None:
    auth = auth_of()
    app = make_app(auth)
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: "guarded"))
    info = ScriptInfo(create_app=lambda: app)
    fine = app.test_cli_runner().invoke(commands, ["check"], obj=info)
    assert (fine.exit_code, fine.output) == (0, "The set-up is valid: 1 of 2 endpoints are guarded.\n")
    wrong_order(app, auth)
    found = app.test_cli_runner().invoke(commands, ["check"], obj=info)
    assert found.exit_code == 1
    assert "registered without its guard" in found.output


def test_the_command_says_that_no_auth_serves_the_app() -> None:
    app = Flask("bare")
    found = app.test_cli_runner().invoke(commands, ["check"], obj=ScriptInfo(create_app=lambda: app))
    assert found.exit_code == 1
    assert found.output == "Error: no Auth serves the app 'bare': call auth.init_app(app) when making it\n"


def test_a_guarded_view_without_init_app_says_so_alone() -> None:
    app = Flask("bare")
    app.testing = True
    app.add_url_rule("/", "v", auth_of().login_required(lambda: ""))
    with pytest.raises(ConfigurationError, match=r"call auth\.init_app\(app\)") as caught:
        app.test_client().get("/")
    assert caught.value.__context__ is None
