"""What the page says of single neighbours, beyond the tables that all of them share."""

import base64
from datetime import timedelta

import pytest

from flask_unauthorized.testing import assert_unauthorized
from tests.independent import independent

from .harness import CHALLENGE, EXPOSE, bearer, modules, new_app

MODULES = modules()


def _password(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def serve(name):
    """The module of a neighbour, and its app next to ours."""
    module = MODULES[name]
    app = new_app(module.NEIGHBOURS[0])
    app.testing = True
    return module, app, module.together(app)


def test_flask_login_pages_take_its_session_and_the_api_our_token():
    login, app, _ = serve("login")
    client = app.test_client()
    app.add_url_rule("/login", "login", lambda: str(login.login_user(login.User("ada"))))
    assert client.get("/login").text == "True"
    assert client.get("/page").text == "Hello ada"
    assert_unauthorized(client.get("/api/notes"), scheme="Bearer", error=None)
    assert_unauthorized(app.test_client().get("/page", headers=bearer("ada")))
    assert app.test_client().get("/api/notes", headers=bearer("ada")).json == {"owner": "ada"}


@pytest.mark.parametrize("kind", ["expired", "nonsense", "other_key"])
def test_jwt_extended_says_what_was_wrong_with_its_token(kind):
    jwt, app, _ = serve("jwt_extended")
    lifetime = timedelta(seconds=-1) if kind == "expired" else timedelta(hours=1)
    key, app.config["JWT_SECRET_KEY"] = app.config["SECRET_KEY"], "another key of thirty-two characters"
    with app.app_context():
        token = "nonsense" if kind == "nonsense" else jwt.create_access_token("ada", expires_delta=lifetime)
    if kind == "expired":
        key = app.config["JWT_SECRET_KEY"]
    app.config["JWT_SECRET_KEY"] = key
    challenge = assert_unauthorized(app.test_client().get("/notes", headers=bearer(token)), error="invalid_token")
    assert ("expired" in challenge.get("error_description")) == (kind == "expired")


def test_http_auth_views_can_move_one_by_one():
    _, app, _ = serve("http_auth")
    client = app.test_client()
    good, bad = _password("ada", "correct horse"), _password("ada", "wrong")
    assert client.get("/old", headers=good).text == "Hello ada"
    assert client.get("/old-token", headers=bearer("ada")).text == "Hello ada"
    for headers in (good, bearer("ada")):
        assert client.get("/notes", headers=headers).json == {"owner": "ada"}
    assert_unauthorized(client.get("/notes", headers=bad), scheme="Basic")
    refused = client.get("/old", headers=bad)
    assert refused.headers.getlist(CHALLENGE) == ['Basic realm="Authentication Required"']


def test_authlibs_views_can_move_one_by_one():
    _, app, _ = serve("authlib_oauth")
    client = app.test_client()
    assert client.get("/old", headers=bearer("ada")).json == {"owner": "ada"}
    ((scheme, params),) = independent(*client.get("/old").headers.getlist(CHALLENGE))
    assert (scheme, params["realm"], params["error"]) == ("bearer", "shop", "missing_authorization")
    for token in ("old", "gone"):
        assert_unauthorized(client.get("/notes", headers=bearer(token)), scheme="Bearer", error="invalid_token")


def test_flask_restful_cannot_replace_our_challenge_by_its_own():
    restful = MODULES["restful"]
    app = new_app(restful.NEIGHBOURS[0])
    auth = restful.Auth(restful.Bearer(restful.load), app=app)

    class Guarded(restful.Resource):
        method_decorators = [auth.login_required]

        def get(self):
            return "inside"

    restful.Api(app, serve_challenge_on_401=True).add_resource(Guarded, "/")
    response = app.test_client().get("/", headers=bearer("nobodys"))
    assert assert_unauthorized(response, error="invalid_token").scheme == "Bearer"
    assert len(response.headers.getlist(CHALLENGE)) == 1
    assert set(response.json) == {"message"}


def test_flask_restx_documents_what_we_guard_to_those_who_may_come_in():
    _, app, _ = serve("restx")
    client = app.test_client()
    assert_unauthorized(client.get("/swagger.json"), scheme="Bearer", error=None)
    document = client.get("/swagger.json", headers=bearer("ada")).json
    assert set(document["paths"]["/notes"]) >= {"get", "post", "delete"}


def test_flask_smorest_still_documents_what_we_guard():
    _, app, _ = serve("smorest")
    paths = app.test_client().get("/docs/openapi.json").json["paths"]
    assert set(paths["/notes/"]) >= {"get", "post", "delete"}
    assert "/inside/" in paths
    assert app.test_client().get("/notes/").json == {"code": 401, "status": "Unauthorized"}


def test_apiflask_still_documents_what_we_guard_and_sends_all_schemes():
    _, app, _ = serve("api_flask")
    client = app.test_client()
    paths = client.get("/openapi.json").json["paths"]
    assert "get" in paths["/notes"]
    assert set(paths["/write"]) >= {"post", "delete"}
    response = client.get("/notes")
    assert [scheme for scheme, _ in independent(*response.headers.getlist(CHALLENGE))] == ["basic", "bearer"]
    assert response.json == {"detail": {}, "message": "Unauthorized"}


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize(("path", "method"), [("/api/notes", "GET"), ("/write", "POST")])
def test_flask_cors_answers_preflights_and_app_wide_lets_scripts_read_the_refusal(path, method, protected):
    cors, app, auth = serve("cors")
    if protected:
        auth.protect(app, public={"static"})
    client = app.test_client()
    preflight = client.options(path, headers={**cors.PREFLIGHT, "Access-Control-Request-Method": method})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == cors.ORIGIN["Origin"]
    assert "authorization" in preflight.headers["Access-Control-Allow-Headers"].lower()
    assert method in preflight.headers["Access-Control-Allow-Methods"]
    accepted = client.open(path, method=method, headers={**cors.ORIGIN, **bearer("ada")})
    assert accepted.json == {"owner": "ada"}
    assert accepted.headers["Access-Control-Allow-Origin"] == cors.ORIGIN["Origin"]
    refused = client.open(path, method=method, headers=cors.ORIGIN)
    assert_unauthorized(refused, scheme="Bearer", error=None)
    readable = {"Access-Control-Allow-Origin": cors.ORIGIN["Origin"], EXPOSE: "WWW-Authenticate"}
    for name, value in readable.items():
        assert refused.headers.get(name) == (value if path == "/api/notes" else None)


def test_flask_admin_is_closed_but_for_its_files():
    _, app, _ = serve("admin")
    client = app.test_client()
    for rule in app.url_map.iter_rules():
        if "GET" in rule.methods and not rule.arguments:
            assert_unauthorized(client.get(rule.rule), scheme="Bearer", error=None)
    with client.get("/admin/static/admin/css/bootstrap4/admin.css") as file:
        assert file.status_code == 200


def test_flask_admins_menu_shows_what_the_caller_may_see():
    _, app, _ = serve("admin")
    client = app.test_client()
    for subject, shown in (("ada", True), ("bob", False)):
        assert ('href="/admin/orders/"' in client.get("/admin/", headers=bearer(subject)).text) == shown
