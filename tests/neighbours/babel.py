"""Flask-Babel: texts in the language of the caller, also those that are translated only when they are shown."""

from flask import Flask, request
from flask import abort as flask_abort
from flask_babel import Babel, gettext, lazy_gettext

from flask_unauthorized import Auth, Bearer, abort_forbidden, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


def language():
    return request.accept_languages.best_match(["en", "de"], "en")


def _build(app: Flask) -> None:
    Babel(app, locale_selector=language)
    app.add_url_rule("/open", "open", lambda: gettext("Hello"))
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))
    app.add_url_rule("/returned", "returned", lambda: ({"message": gettext("Log in.")}, 401))


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    Babel(app, locale_selector=language)
    expired = lazy_gettext("Sign in again.")  # translated for each caller anew

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @auth.login_required
    def write():
        if "write" not in auth.identity.scopes:
            abort_forbidden(lazy_gettext("You may not write here."), scopes={"write"})
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized(expired)

    @app.get("/plain")
    def plain():
        flask_abort(401, description=expired)

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Babel",
        package="flask-babel",
        build=_build,
        asks=(
            Ask("an open view", "/open", 200, headers={"Accept-Language": "de"}),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes"), Guarded("/again", "abort")),
        advice="You can give lazy strings to `abort_unauthorized`, `abort_forbidden`, `abort` and `auth.texts`. "
        "They are translated when the response is written. Realms stay plain strings, because clients "
        "store passwords by realm. The extension's own texts follow `Accept-Language`, not Babel's "
        "`locale_selector`. A `locale_selector` may ask for `current_user` on every page. Flask-Babel calls it once "
        "per request, so a loader that translates while it verifies fixes the language of strangers for that request. "
        "Flask-Admin uses Flask-Babel if it is installed. Then call `Babel(app)` "
        "before `Admin(app)`, or its pages are 500, with or without `init_app`.",
    ),
)
