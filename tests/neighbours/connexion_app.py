"""connexion 3: ASGI around Flask. It answers what its own middleware refuses, and every HTTPException of Flask."""

import asyncio
import threading
from functools import cache
from typing import Any

import connexion
from a2wsgi import ASGIMiddleware
from connexion.exceptions import OAuthResponseProblem
from connexion.resolver import Resolver
from flask import Flask
from flask import abort as flask_abort
from werkzeug.exceptions import HTTPException

from flask_unauthorized import Auth, Bearer, Challenge, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, bearer, load


def check(token: str) -> dict[str, str] | None:
    """What connexion's own security asks: the claims of a token."""
    return {"sub": token} if token == "ada" else None


def specification(*names: str) -> dict[str, Any]:
    """A document with a GET for each name; of connexion's own security is what is called ``secured``."""
    answers = {"responses": {"200": {"description": "What was asked for."}}}
    scheme = {"type": "http", "scheme": "bearer", "x-bearerInfoFunc": f"{__name__}.check"}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Shop", "version": "1"},
        "components": {"securitySchemes": {"token": scheme}},
        "paths": {
            f"/{name}": {
                "get": {"operationId": name, "security": [{"token": []}] if name == "secured" else [], **answers}
            }
            for name in names
        },
    }


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """One loop for all apps, in a thread of its own; a loop that goes with its app would leave tasks behind."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return loop


def make(name: str) -> Flask:
    connexion_app = connexion.FlaskApp(name)
    app = connexion_app.app
    app.extensions["connexion"] = connexion_app
    # Flask's test client then asks the whole of it.
    app.wsgi_app = ASGIMiddleware(connexion_app, wait_time=5, loop=_loop())
    return app  # type: ignore[no-any-return]  # connexion isn't typed here


def add_api(app: Flask, **views: Any) -> None:
    app.extensions["connexion"].add_api(specification(*views), resolver=Resolver(views.__getitem__))


def _build(app: Flask) -> None:
    add_api(
        app,
        secured=lambda: {"owner": "ada"},
        aborts=lambda: flask_abort(401),
        returned=lambda: ({"message": "Log in."}, 401),
    )


def together(app):  # app = connexion_app.app, connexion_app = connexion.FlaskApp(__name__)
    connexion_app = app.extensions["connexion"]  # where the tests keep it
    auth = Auth(Bearer(load))
    auth.init_app(app)

    @app.errorhandler(HTTPException)  # in place of connexion's, which raises it out of Flask; the body is the same
    def problem(error):
        body = {"type": "about:blank", "title": error.name, "detail": error.description, "status": error.code}
        return body, error.code, {"Content-Type": "application/problem+json"}

    def unauthorized(request, error):  # for connexion's own security, whose 401 Flask never sees
        rejected = {"error": "invalid_token"} if isinstance(error, OAuthResponseProblem) else {}
        challenge = Challenge("Bearer", {"realm": "shop", **rejected})
        error.headers = {"WWW-Authenticate": str(challenge), "Cache-Control": "no-store"}
        return error.to_problem()

    connexion_app.add_error_handler(connexion.exceptions.Unauthorized, unauthorized)

    @auth.login_required
    def notes():
        return {"owner": auth.identity.subject}

    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    def again():
        abort_unauthorized("Sign in again.")

    def secured():  # by connexion's own security, in the document
        return {"owner": "ada"}

    add_api(app, notes=notes, write=write, again=again, secured=secured)
    return auth


NEIGHBOURS = (
    Neighbour(
        name="connexion 3",
        package="connexion",
        build=_build,
        asks=(
            Ask("its own security, a good token", "/secured", 200, headers=bearer("ada")),
            Ask("no such path", "/nowhere", 404),
            Ask("its own security, nothing sent", "/secured", 401, outside=True),
            Ask("its own security, a wrong token", "/secured", 401, headers=bearer("eve"), outside=True),
            Ask("`abort(401)`", "/aborts", 401, outside=True),
            Ask("`return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes"), Guarded("/again", "abort")),
        make=make,
        advice="Connexion raises every `HTTPException` of Flask out of Flask, and answers it itself, without "
        "headers. So refusals keep their status there, but lose their challenge. To keep it, replace "
        "connexion's handler with your own, as below. Connexion's own security answers before Flask is "
        "called. Use the extension's decorators for such operations, or add the challenge with "
        "`add_error_handler`. Connexion also validates parameters and bodies before Flask, so callers who"
        " are not logged in get 400 for a request that is not valid.",
    ),
)
