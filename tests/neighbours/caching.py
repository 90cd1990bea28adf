"""Flask-Caching: an answer is kept under a key that knows nothing of the caller, unless it is told."""

from flask import Flask, request
from flask import abort as flask_abort
from flask_caching import Cache

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


def _build(app: Flask) -> None:
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    app.add_url_rule("/open", "open", cache.cached()(lambda: "open"))
    app.add_url_rule("/abort", "abort", cache.cached()(lambda: flask_abort(401)))
    app.add_url_rule("/returned", "returned", cache.cached()(lambda: ({"message": "Log in."}, 401)))


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})

    def per_caller(*args, **kwargs):
        identity = auth.get_identity()
        return repr((identity and identity.subject, request.full_path))

    @app.get("/notes")
    @auth.login_required  # above the cache
    @cache.cached(make_cache_key=per_caller)  # with the caller in the key
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @auth.login_required(scopes={"write"})
    @cache.cached(make_cache_key=per_caller)
    def write():
        return {"owner": auth.identity.subject}

    @cache.memoize()
    def report(subject):  # the caller is an argument, so it is in the key
        return {"owner": subject}

    @app.get("/report")
    @auth.login_required
    def reports():
        return report(auth.identity.subject)

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Caching",
        package="flask-caching",
        build=_build,
        asks=(
            Ask("a cached view", "/open", 200),
            Ask("a cached `abort(401)`", "/abort", 401, OURS, page=True),
            Ask("a cached `return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes"), Guarded("/report"), Guarded("/again", "abort")),
        advice="Put `@cache.cached` below the extension's decorator, and the caller into its key. Its usual key "
        "is the path, so one caller would get what another one was shown. Above the decorator it would "
        "answer callers who haven't been judged, so `auth.check` and the first request refuse that order."
        " They can't see every cache, such as one in flask-restful's `method_decorators` or one of your "
        "own. Such a cache is found when it answers: a 2xx or 304 is judged before it leaves, and the log"
        " names the endpoint. Under `protect` alone the order is right, but you must change the key "
        "yourself. Flask-Caching also caches what a view raises, such as `abort(403)`: pass "
        "`response_filter`, or put the caller into the key.\n\n"
        "An open page that shows who is calling needs the caller in its key, too: `make_cache_key` may call "
        "`auth.get_identity()`. Without it, everyone gets the page of the caller who came first, and no check finds "
        "that. With it, cached responses to known callers are `private`, and all of them have `Vary`.",
    ),
)
