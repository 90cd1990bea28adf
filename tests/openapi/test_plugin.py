"""`AuthPlugin` completes the documents of apispec."""

import subprocess
import sys
from typing import Any

import pytest
from flask import Flask

pytest.importorskip("apispec", reason="the extra test has it")

from apispec import APISpec  # after the skip
from apispec.exceptions import DuplicateComponentNameError

from flask_unauthorized import APIKey, Auth, Bearer, ConfigurationError
from flask_unauthorized.openapi import AuthPlugin

VERSIONS = ["2.0", "3.0.3", "3.1.0"]
READ: dict[str, Any] = {"get": {"responses": {"200": {"description": "in"}}}}


def load(token):
    return None


def new_spec(*plugins, version="3.1.0"):
    return APISpec("Shop", "1", version, plugins=plugins)


def new_app(name="shop"):
    app = Flask(name, static_folder=None)
    return app, Auth(Bearer(load), app=app)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_document_is_that_of_auth_openapi(version):
    app, auth = new_app()
    app.add_url_rule("/notes", "notes", auth.login_required(scopes={"a"})(lambda: "in"))
    spec, plain = new_spec(AuthPlugin(auth, app), version=version), new_spec(version=version)
    for one in (spec, plain):
        one.path("/notes", operations=READ)
    assert spec.to_dict() == spec.to_dict() == auth.openapi(plain.to_dict()) != plain.to_dict()


def test_views_guards_and_components_that_come_later_count():
    app, auth = new_app()
    spec = new_spec(AuthPlugin(auth))
    spec.path("/notes", operations=READ)
    spec.path("/late", operations=READ)
    assert "security" not in spec.to_dict()["paths"]["/notes"]["get"]
    app.add_url_rule("/notes", "notes", lambda: "in")
    app.add_url_rule("/late", "late", auth.login_required(lambda: "in"))
    assert "security" not in spec.to_dict()["paths"]["/notes"]["get"]
    auth.protect(app)
    token = {"type": "http", "scheme": "bearer", "description": "From the portal."}
    spec.components.security_scheme("token", token)
    document = spec.to_dict()
    assert document["components"]["securitySchemes"] == {"token": token}
    for path in ("/notes", "/late"):
        assert document["paths"][path]["get"]["security"] == [{"token": []}]


def test_what_the_spec_holds_is_not_changed():
    app, auth = new_app()
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    spec = new_spec(AuthPlugin(auth, app))
    spec.path("/notes", operations=READ)
    spec.to_dict()
    spec.components.security_scheme("Bearer", {"type": "http", "scheme": "bearer"})  # no name is taken
    assert "security" not in APISpec.to_dict(spec)["paths"]["/notes"]["get"]
    with pytest.raises(DuplicateComponentNameError):
        spec.components.security_scheme("Bearer", {"type": "http", "scheme": "bearer"})


def test_a_prefix_and_options_of_the_spec():
    app, auth = new_app()
    app.add_url_rule("/api/notes", "notes", auth.login_required(lambda: "in"))
    by_prefix = new_spec(AuthPlugin(auth, app, prefix="/api"))
    by_servers = APISpec("a", "1", "3.1.0", plugins=[AuthPlugin(auth, app)], servers=[{"url": "/api"}])
    neither = new_spec(AuthPlugin(auth, app))
    found = []
    for spec in (by_prefix, by_servers, neither):
        spec.path("/notes", operations=READ)
        found.append(spec.to_dict()["paths"]["/notes"]["get"].get("security"))
    assert found == [[{"Bearer": []}], [{"Bearer": []}], None]


def test_one_plugin_in_two_specs_and_one_auth_with_two_apps():
    auth = Auth(Bearer(load))
    first, second = Flask("first"), Flask("second")
    for app in (first, second):
        auth.init_app(app)
    first.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    second.add_url_rule("/notes", "notes", auth.public(lambda: "in"))

    def security(spec):
        return spec.to_dict()["paths"]["/notes"]["get"]["security"]

    current = AuthPlugin(auth)
    shared, again = new_spec(current), new_spec(current)
    named = {app: new_spec(AuthPlugin(auth, app)) for app in (first, second)}
    for spec in (shared, again, *named.values()):
        spec.path("/notes", operations=READ)
    for app, expected in ((first, [{"Bearer": []}]), (second, [])):
        assert security(named[app]) == expected
        with app.app_context():
            assert security(shared) == security(again) == expected
    with pytest.raises(ConfigurationError, match="serves 2 apps"):
        shared.to_dict()


def test_another_scheme_of_the_same_name_is_a_mistake():
    app = Flask("shop")
    auth = Auth(APIKey(load), app=app)
    app.add_url_rule("/notes", "notes", auth.login_required(lambda: "in"))
    spec = new_spec(AuthPlugin(auth))
    spec.path("/notes", operations=READ)
    spec.components.security_scheme("ApiKey", {"type": "apiKey", "in": "query", "name": "k"})
    with pytest.raises(ConfigurationError, match=r"'ApiKey' already.*openapi_name"):
        spec.to_dict()


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        ((None,), {}, "takes an Auth, not None: write AuthPlugin(auth)"),
        ((Flask("app"),), {}, "takes an Auth, not <Flask 'app'>"),
        (("auth", "app"), {}, "takes a Flask app, not 'app': write AuthPlugin(auth, app)"),
        (("auth",), {"prefix": "api"}, "begins with a slash, such as \"/api\", not 'api'"),
        (("auth",), {"prefix": None}, 'such as "/api", not None'),
    ],
)
def test_wrong_arguments(arguments, options, says):
    _, auth = new_app()
    given = [auth if one == "auth" else one for one in arguments]
    with pytest.raises(TypeError) as caught:
        AuthPlugin(*given, **options)
    assert says in str(caught.value)


def test_without_apispec_the_error_names_it_and_documents_are_still_made():
    program = (
        "import sys; sys.modules['apispec'] = None\n"
        "from flask import Flask\n"
        "from flask_unauthorized import Auth, Bearer\n"
        "import flask_unauthorized.openapi\n"
        "app = Flask('shop')\n"
        "Auth(Bearer(lambda token: None), app=app).openapi({'openapi': '3.1.0', 'paths': {}})\n"
        "try:\n    from flask_unauthorized.openapi import AuthPlugin\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "AuthPlugin needs apispec: pip install apispec\n"
