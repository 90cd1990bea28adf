"""An app factory with two blueprints, two schemes, deny by default, and one open view.

Run: ``python -m flask --app examples.factory run``
"""

from flask import Flask

from . import api, console
from .auth import auth


def create_app() -> Flask:
    """The app; may be called more than once, as tests do."""
    app = Flask(__name__)
    auth.init_app(app)
    auth.protect(api.blueprint)
    auth.protect(console.blueprint, via=console.password, roles={"operator"})
    app.register_blueprint(api.blueprint)
    app.register_blueprint(console.blueprint)
    auth.check(app)
    return app
