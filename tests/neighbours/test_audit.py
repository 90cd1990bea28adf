"""``flask unauthorized audit`` on apps of other extensions."""

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.cli import commands

flask_admin = pytest.importorskip("flask_admin")
flask_babel = pytest.importorskip("flask_babel")


def audit(app):
    """Return the exit status and the output."""
    done = app.test_cli_runner().invoke(commands, ["audit"], obj=ScriptInfo(create_app=lambda: app))
    return done.exit_code, done.output


def test_pages_of_flask_admin_are_open_until_the_app_is_protected():
    app = Flask("shop", static_folder=None)
    app.config["SECRET_KEY"] = "a secret"
    flask_babel.Babel(app)
    auth = Auth(Bearer({}.get), app=app)
    flask_admin.Admin(app)
    code, output = audit(app)
    assert code == 1
    assert "A12 error  GET /admin/: a page of Flask-Admin is open" in output
    assert "protect(public={'admin.index':" in output
    assert "A1 error  GET /admin/" not in output
    auth.protect(app)
    code, output = audit(app)
    assert code == 0, output
    assert app.test_client().get("/admin/").status_code == 401
