"""Flask-Talisman: HTTPS for everything, and the headers of a page."""

from flask import Flask
from flask import abort as flask_abort
from flask_talisman import Talisman

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load

_HTTPS = {"X-Forwarded-Proto": "https"}  # Talisman believes it


def _build(app: Flask) -> None:
    Talisman(app)
    app.add_url_rule("/open", "open", lambda: "open")
    app.add_url_rule("/abort", "abort", lambda: flask_abort(401))
    app.add_url_rule("/returned", "returned", lambda: ("<p>Log in.</p>", 401))


def together(app):
    auth = Auth(Bearer(load))
    auth.init_app(app)
    talisman = Talisman(app, force_https=False)  # in production leave force_https alone

    @app.get("/notes")
    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @app.get("/write")
    @talisman(frame_options="DENY")  # above or below ours
    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    return auth


NEIGHBOURS = (
    Neighbour(
        name="Flask-Talisman",
        package="flask-talisman",
        build=_build,
        asks=(
            Ask("plain HTTP: to HTTPS, before anybody is asked to log in", "/abort", 302),
            Ask("an open view", "/open", 200, headers=_HTTPS),
            Ask("`abort(401)`", "/abort", 401, OURS, _HTTPS, page=True),
            Ask("`abort(401)`, from a browser", "/abort", 401, OURS, {**_HTTPS, "Accept": "text/html"}, page=True),
            Ask("`return …, 401`", "/returned", 401, OURS, _HTTPS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes"), Guarded("/again", "abort")),
        advice="The order of set-up does not matter. Talisman redirects plain HTTP before any view is judged, so"
        " the extension does not read credentials there. Its headers are on refusals, too. If the "
        "extension makes the body of a 401, the `Content-Security-Policy` is that of its page, because "
        "Talisman's would block the page's style.",
    ),
)
