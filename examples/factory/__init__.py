"""An app factory with two blueprints, two schemes, and deny by default.

Run: ``pip install . && python -m examples.factory``. ``flask --app examples.factory run`` works as well.
"""

from flask import Flask

from . import api, console
from .auth import auth


def create_app() -> Flask:
    """Return a new app. Tests call this more than once."""
    app = Flask(__name__)
    auth.init_app(app)
    auth.protect(api.blueprint)
    auth.protect(console.blueprint, via=console.password, roles={"operator"})
    app.register_blueprint(api.blueprint)
    app.register_blueprint(console.blueprint)
    app.add_url_rule("/", "index", index)
    auth.check(app)
    return app


@auth.public
def index() -> str:
    """Return the only page that needs no login."""
    return '<!doctype html><html lang="en"><title>Devices</title><a href="/console/">Console for operators</a>'
