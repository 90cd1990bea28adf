"""flask-openapi3: views whose arguments are validated from their annotations, before decorators below the route."""

from flask import abort as flask_abort
from flask_openapi3 import APIBlueprint, OpenAPI
from pydantic import BaseModel

from flask_unauthorized import Auth, Bearer, abort_unauthorized

from .harness import OURS, Ask, Guarded, Neighbour, load


class Page(BaseModel):
    number: int = 1


def make(name: str) -> OpenAPI:
    return OpenAPI(name)


def _build(app: OpenAPI) -> None:
    @app.get("/list")
    def listed(query: Page):
        return {"page": query.number}

    @app.get("/abort")
    def aborts(query: Page):
        flask_abort(401)

    @app.get("/returned")
    def returned():
        return {"message": "Log in."}, 401


def together(app):  # app = OpenAPI(__name__)
    auth = Auth(Bearer(load))
    auth.init_app(app)

    @app.get("/notes")
    @auth.login_required  # a query that is not valid is 422 here, for callers who are not logged in as well
    def notes(query: Page):
        return {"owner": auth.identity.subject, "page": query.number}

    private = APIBlueprint("private", __name__, url_prefix="/private")

    @private.get("/notes")
    def private_notes(query: Page):
        return {"owner": auth.identity.subject, "page": query.number}

    @private.get("/write")
    @auth.login_required(scopes={"write"})
    def write():
        return {"owner": auth.identity.subject}

    @app.get("/again")
    def again():
        abort_unauthorized("Sign in again.")

    auth.protect(private)  # judged before the query is validated: 401, then 422
    app.register_api(private)
    return auth


NEIGHBOURS = (
    Neighbour(
        name="flask-openapi3",
        package="flask-openapi3",
        build=_build,
        asks=(
            Ask("an open view", "/list?number=2", 200),
            Ask("a query that is not valid", "/list?number=two", 422),
            Ask("its document", "/openapi/openapi.json", 200),
            Ask("`abort(401)`", "/abort", 401, OURS, page=True),
            Ask("`return {…}, 401`", "/returned", 401, OURS),
        ),
        together=together,
        guarded=(
            Guarded("/notes"),
            Guarded("/private/notes"),
            Guarded("/private/write", "scopes"),
            Guarded("/again", "abort"),
        ),
        make=make,
        advice="It validates the request before it calls what stands below the route. A decorator therefore judges "
        "after the validation: callers who are not logged in get 422 for a request that is not valid. Use `protect` on "
        "the app or on an `APIBlueprint` to judge first. `protect(app)` closes its documents as well; name their "
        "endpoints in `public` to keep them open.",
    ),
)
