"""Flask-Login, Flask-Limiter, Flask-Caching and flask-cors, which many apps have together."""

from flask import Flask, render_template_string, request
from flask import abort as flask_abort
from flask_caching import Cache
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user, login_required, login_user

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .cors import ORIGIN, PREFLIGHT
from .harness import OURS, Ask, Guarded, Neighbour, bearer, load
from .login import User, sign_in

_PAGE = "{% if current_user.is_authenticated %}Hello {{ current_user.id }}{% else %}Hello stranger{% endif %}"


def extensions(app: Flask) -> tuple[LoginManager, Limiter, Cache]:
    """The four, and two pages for people."""
    CORS(app, resources={"/api/*": {"origins": "https://page.example"}})
    manager = LoginManager(app)
    manager.user_loader(User)
    limiter = Limiter(get_remote_address, app=app, default_limits=["1000 per minute"], storage_uri="memory://")
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})

    @app.post("/login")
    def login():
        login_user(User("ada"), remember=request.json.get("remember", False))
        return "", 302, {"Location": "/me"}

    @app.get("/")
    def index():
        return render_template_string(_PAGE)

    @app.get("/me")
    @login_required
    def me():
        return f"Hello {current_user.id}"

    return manager, limiter, cache


def _build(app: Flask) -> None:
    _, limiter, cache = extensions(app)
    app.add_url_rule("/api/abort", "abort", lambda: flask_abort(401))

    @app.get("/api/news")
    @cache.cached()
    def news():
        return {"news": []}

    @app.get("/api/busy")
    @limiter.limit("1 per minute", cost=2)  # over the limit at once
    def busy():
        return "never"


def together(app):
    manager, limiter, cache = extensions(app)  # in any order, before or after init_app
    manager.unauthorized_handler(abort_unauthorized)
    auth = Auth(Bearer(load))
    auth.init_app(app)

    def caller():
        return auth.identity.subject

    def per_caller(*args, **kwargs):
        return f"{auth.identity.subject} {request.full_path}"

    @app.get("/api/notes")
    @auth.login_required
    @limiter.limit("3 per hour", key_func=caller)  # by caller: below the guard
    @cache.cached(make_cache_key=per_caller)  # and the cache below the limit, so that a cached answer counts
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/api/write")
    @limiter.limit("500 per minute")  # by address: above the guard
    @auth.login_required(scopes={"write"})
    @cache.cached(make_cache_key=per_caller)
    def write():
        return {"owner": auth.identity.subject}

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Login, Flask-Limiter, Flask-Caching and flask-cors in one app",
        package="",
        build=_build,
        asks=(
            Ask("an open page", "/", 200),
            Ask("an open page, logged in", "/", 200, login=sign_in),
            Ask("a page for people, logged in", "/me", 200, login=sign_in),
            Ask("a cached answer, from another origin", "/api/news", 200, headers=ORIGIN),
            Ask("a preflight", "/api/abort", 200, headers=PREFLIGHT, method="OPTIONS"),
            Ask("over the limit", "/api/busy", 429, headers={**ORIGIN, **bearer("ada")}),
            Ask("a page for people, nothing sent", "/me", 401, OURS, page=True),
            Ask("`abort(401)`, from another origin", "/api/abort", 401, OURS, ORIGIN, page=True),
        ),
        together=together,
        guarded=(Guarded("/api/notes"), Guarded("/api/write", "scopes"), Guarded("/me", "abort")),
        advice="From the outside in: the route, the extension's decorator, a limit by caller, the cache with the"
        " caller in its key. Or the route, a limit by address, the extension's decorator, the cache.",
    ),
)
