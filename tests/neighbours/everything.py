"""All of the neighbours in one app: the class of APIFlask, and everybody else in it.

But for connexion 3 and flask-openapi3, which bring app classes of their own.
"""

from typing import Any

import flask_restful
import flask_restx
import flask_smorest
from apiflask import HTTPTokenAuth
from authlib.integrations.flask_oauth2 import ResourceProtector
from flask import Blueprint, abort
from flask.views import MethodView
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_babel import Babel
from flask_caching import Cache
from flask_cors import CORS
from flask_httpauth import HTTPBasicAuth
from flask_jwt_extended import JWTManager, jwt_required
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, login_required
from flask_sock import Sock
from flask_socketio import SocketIO
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect

from flask_unauthorized import Auth, Bearer

from .api_flask import make
from .authlib_oauth import Tokens
from .cors import ORIGIN, PREFLIGHT
from .harness import OURS, Ask, Guarded, Neighbour, bearer, load
from .http_auth import check_password
from .login import User
from .smorest import SETTINGS


def extensions(app: Any) -> flask_smorest.Api:
    """Those that take the app; returns the one that takes blueprints of its own."""
    app.config.update(SETTINGS, JWT_SECRET_KEY="a key of at least thirty-two bytes")
    CORS(app)
    JWTManager(app)
    LoginManager(app).user_loader(User)
    Babel(app)
    Limiter(get_remote_address, app=app, default_limits=["1000 per minute"], storage_uri="memory://")
    Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    Talisman(app, force_https=False)
    CSRFProtect(app)
    Sock(app).route("/socket")(lambda ws: ws.send("hello"))
    SocketIO(app, async_mode="threading")
    return flask_smorest.Api(app)


def hello() -> str:
    return "hello"


class _Resource(flask_restful.Resource):
    def get(self):
        flask_restful.abort(401, message="Log in, please.")


class _Page(BaseView):
    def is_accessible(self):
        return False

    def inaccessible_callback(self, name, **kwargs):
        abort(401)

    @expose("/")
    def index(self):
        return "inside"


def _build(app: Any) -> None:
    smorest = extensions(app)
    basic, token, protector = HTTPBasicAuth(), HTTPTokenAuth(), ResourceProtector()
    basic.verify_password(check_password)
    token.verify_token(lambda token: token if token == "ada" else None)
    protector.register_token_validator(Tokens("shop"))
    guards = {
        "login": login_required, "jwt": jwt_required(), "basic": basic.login_required, "oauth": protector("read"),
        "apiflask": app.auth_required(token),
    }  # fmt: skip
    for name, guard in guards.items():
        app.add_url_rule(f"/{name}", name, guard(lambda: "hello"))

    restful, restx = Blueprint("restful", __name__), Blueprint("restx", __name__)
    flask_restful.Api(restful).add_resource(_Resource, "/restful")

    @flask_restx.Api(restx, doc=False).route("/restx")
    class InRestx(flask_restx.Resource):
        def get(self):
            flask_restx.abort(401, "Log in, please.")

    own = flask_smorest.Blueprint("smorest", __name__)

    @own.route("/smorest")
    class InSmorest(MethodView):
        def get(self):
            flask_smorest.abort(401, message="Log in, please.")

    app.register_blueprint(restful)
    app.register_blueprint(restx)
    smorest.register_blueprint(own)
    Admin(app).add_view(_Page(endpoint="page"))


def together(app):  # app = APIFlask(__name__), with CORS, JWTManager, LoginManager and the rest
    auth = Auth(Bearer(load))
    auth.init_app(app)
    smorest = extensions(app)
    restful, restx = Blueprint("restful", __name__), Blueprint("restx", __name__)
    own = flask_smorest.Blueprint("smorest", __name__)

    class InRestful(flask_restful.Resource):
        method_decorators = [auth.login_required(scopes={"write"})]

        def get(self):
            return {"owner": auth.identity.subject}

    flask_restful.Api(restful).add_resource(InRestful, "/restful")

    @flask_restx.Api(restx, doc=False).route("/restx")
    class InRestx(flask_restx.Resource):
        @auth.login_required(scopes={"write"})
        def get(self):
            return {"owner": auth.identity.subject}

    @own.route("/smorest")
    class InSmorest(MethodView):
        decorators = [auth.login_required(scopes={"write"})]

        def get(self):
            return {"owner": auth.identity.subject}

    class Index(AdminIndexView):
        @expose("/")
        @auth.login_required(scopes={"write"})
        def index(self):
            return super().index()

    app.add_url_rule("/plain", view_func=auth.login_required(hello))
    app.register_blueprint(restful)
    app.register_blueprint(restx)
    smorest.register_blueprint(own)
    Admin(app, index_view=Index())
    return auth


NEIGHBOURS = (
    Neighbour(
        name="All of them in one app",
        package="",
        build=_build,
        asks=(
            Ask("a preflight", "/jwt", 200, headers=PREFLIGHT, method="OPTIONS"),
            Ask("no such path", "/nowhere", 404),
            Ask("Flask-Login", "/login", 401, OURS),
            Ask("Flask-JWT-Extended, from another origin", "/jwt", 401, OURS, ORIGIN),
            Ask("Flask-HTTPAuth", "/basic", 401),
            Ask("Authlib", "/oauth", 401, OURS),
            Ask("Authlib, a good token", "/oauth", 200, headers=bearer("ada")),
            Ask("APIFlask", "/apiflask", 401),
            Ask("APIFlask, a good token", "/apiflask", 200, headers=bearer("ada")),
            Ask("flask-restful", "/restful", 401, OURS),
            Ask("flask-restx", "/restx", 401, OURS),
            Ask("flask-smorest", "/smorest", 401, OURS),
            Ask("Flask-Admin", "/admin/page/", 401, OURS),
        ),
        together=together,
        guarded=(
            Guarded("/plain"),
            Guarded("/restful", "scopes"),
            Guarded("/restx", "scopes"),
            Guarded("/smorest", "scopes"),
            Guarded("/admin/", "scopes"),
        ),
        make=make,
        advice="Only connexion 3 and flask-openapi3 are missing, which bring app classes of their own. Nothing more is "
        "needed. Two handlers for `HTTPException` meet here, and that of flask-smorest, which "
        "came last, loses the challenge of Authlib's error.",
    ),
)
