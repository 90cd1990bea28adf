"""docs/moving/flask-httpauth.md names every word of Flask-HTTPAuth, and its programs and traps are as it says."""

import base64
import inspect
import re

import pytest
from flask import Blueprint, Flask, g, render_template_string, request

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, Identity, MalformedCredentials, any_of
from flask_unauthorized.testing import acting_as
from tests.digest_client import challenge, sent

from .moving import Page, unknown_names, words

flask_httpauth = pytest.importorskip("flask_httpauth")

PAGE = Page("flask-httpauth.md")
PROGRAMS = [block for block in PAGE.blocks("python") if not block.startswith("# a part of")]
CLASSES = {
    name: item for name, item in vars(flask_httpauth).items() if getattr(item, "__module__", "") == "flask_httpauth"
}
ADA, WRONG = "Basic ada:correct horse", "Basic ada:wrong"


def their_names():
    """Classes, their public attributes, and what they leave in ``g`` and in the session."""
    basic = flask_httpauth.HTTPBasicAuth()
    for name, kind in CLASSES.items():
        yield name
        made = kind(basic) if kind is flask_httpauth.MultiAuth else kind()
        yield from (attribute for attribute in dir(made) if not attribute.startswith("_"))
    source = inspect.getsource(flask_httpauth)
    yield from re.findall(r"\bg\.(\w+)", source)
    yield from re.findall(r'session\["(\w+)"\]', source)
    yield from re.findall(r"config\W{1,6}([A-Z_]{4,})", source)


def their_arguments():
    """The arguments of classes and decorators."""
    for kind in CLASSES.values():
        yield from inspect.signature(kind).parameters
        yield from inspect.signature(kind.login_required).parameters


def test_every_name_of_theirs_has_a_row():
    cells = [row[0] for row in PAGE.tables("Flask-HTTPAuth", "here")]
    assert sorted(set(their_names()) - words(cells, arguments=False)) == []
    assert sorted(set(their_arguments()) - {"self", "f"} - words(cells, arguments=True)) == []


def test_the_list_of_their_names_is_not_empty():
    expected = {"HTTPDigestAuth", "use_ha1_pw", "verify_token", "flask_httpauth_user", "auth_nonce", "main_auth"}
    assert expected <= set(their_names())
    assert {"optional", "role", "realm", "qop"} <= set(their_arguments())


def test_every_name_of_ours_exists():
    assert unknown_names(row[1] for row in PAGE.tables("Flask-HTTPAuth", "here")) == []
    assert unknown_names(row[-1] for row in PAGE.tables("situation")) == []


def test_a_name_that_does_not_exist_is_found():
    cells = [
        "`auth.curent_user()`", "`Basic(empty_pasword=True)`", "`@auth.login_required(role={1})`", "`Basik()`",
        "`UNAUTHORIZED_REALMS`", "`Auth.login_requird`", "`auth.logout(cleer=True)`",
    ]  # fmt: skip
    assert [problem.partition(": ")[0] for problem in unknown_names(cells)] == sorted(cell.strip("`") for cell in cells)


def test_the_diff_is_that_of_both_programs():
    PAGE.check_diff("before/app.py", "after/app.py", 1)


def field(credentials):
    """``Authorization`` for a cell such as ``Basic ada:correct horse``."""
    if credentials == "none":
        return {}
    scheme, value = credentials.strip("`").split(" ", 1)
    encoded = base64.b64encode(value.encode()).decode() if scheme in ("Basic", "Other") else value
    return {"Authorization": f"{scheme} {encoded}"}


def run(program):
    scope = {"__name__": "app"}
    exec(compile(program, "app.py", "exec"), scope)
    return scope


def ask(app, method, path, headers):
    return app.test_client().open(path, method=method, headers=headers)


@pytest.mark.parametrize("row", PAGE.tables("request", "credentials"), ids=lambda row: f"{row[0]} {row[1]}")
def test_both_apps_respond_as_the_page_says(row):
    asked, credentials, *expected = row
    method, path = asked.strip("`").split()
    before, after = (ask(run(program)["app"], method, path, field(credentials)) for program in PROGRAMS[:2])
    for response, cell in zip((before, after), expected, strict=True):
        lines = response.headers.getlist("WWW-Authenticate")
        shown = re.findall(r"`([^`]+)`", cell)
        error = [code for code in shown if code.startswith("error=")]
        assert response.status_code == int(re.search(r"\d+", cell)[0])
        assert [line.split()[0] for line in lines] == [code for code in shown if code not in error]
        assert re.findall(r'error="[a-z_]+"', " ".join(lines)) == error
        assert all('realm="Authentication Required"' in line for line in lines)
    if before.status_code == after.status_code:
        assert before.json == after.json


# --- the traps, in the order of the page


def check(name, password):
    return name if (name, password) in (("ada", "correct horse"), ("ada", "pé")) else None


def theirs(auth, load, view=lambda: "in", **demands):
    """An app of Flask-HTTPAuth with one guarded view."""
    app = Flask("theirs")
    (auth.verify_token if isinstance(auth, flask_httpauth.HTTPTokenAuth) else auth.verify_password)(load)
    app.add_url_rule("/", "view", auth.login_required(**demands)(view), methods=["GET", "POST"])
    return app


def ours(scheme, view=lambda: "in", guard=None, **demands):
    app = Flask("ours")
    auth = Auth(scheme, app=app)
    app.add_url_rule("/", "view", (guard or auth.login_required)(**demands)(view), methods=["GET", "POST"])
    return app


def test_a_script_of_another_origin():
    crossing = {**field(ADA), "Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    apps = (
        theirs(flask_httpauth.HTTPBasicAuth(), check),
        ours(Basic(check)),
        ours(Basic(check, trusted_origins={"http://localhost:3000"})),
    )
    assert [ask(app, "POST", "/", crossing).status_code for app in apps] == [200, 403, 200]
    for app in (ours(Bearer(lambda token: token)), ours(APIKey(lambda key: key, header="X-API-Key"))):
        needs_none = {"Authorization": "Bearer ada", "X-API-Key": "ada", "Origin": "http://localhost:3000"}
        assert ask(app, "POST", "/", needs_none).status_code == 200


def test_one_of_several_roles():
    basic = flask_httpauth.HTTPBasicAuth()
    basic.get_user_roles(lambda user: ["admin"])
    app = Flask("ours")
    auth = Auth(Basic(lambda name, password: Identity(name, roles={"admin"})), app=app)
    for path, roles in (("/all", {"admin", "user"}), ("/any", any_of("admin", "user"))):
        app.add_url_rule(path, path, auth.login_required(roles=roles)(lambda: "in"))
    assert ask(theirs(basic, check, role=["admin", "user"]), "GET", "/", field(ADA)).status_code == 200
    assert ask(theirs(basic, check, role=[["admin", "user"]]), "GET", "/", field(ADA)).status_code == 403
    assert [ask(app, "GET", path, field(ADA)).status_code for path in ("/all", "/any")] == [403, 200]


@pytest.mark.parametrize("roles", [[], ["admin"], ["user"], ["moderator"], ["user", "moderator"]])
def test_one_role_or_two_others(roles):
    basic, demanded = flask_httpauth.HTTPBasicAuth(), {any_of("admin", "user"), any_of("admin", "moderator")}
    basic.get_user_roles(lambda user: roles)
    before = theirs(basic, check, role=["admin", ["user", "moderator"]])
    after = ours(Basic(lambda name, password: Identity(name, roles=roles)), roles=demanded)
    expected = 200 if "admin" in roles or len(roles) == 2 else 403
    assert [ask(app, "GET", "/", field(ADA)).status_code for app in (before, after)] == [expected, expected]


def test_a_view_of_some_schemes():
    basic, bearer, key = Basic(check), Bearer(lambda token: token), APIKey(lambda key: key, header="X-API-Key")
    app = Flask("ours")
    auth = Auth(basic, bearer, key, app=app)
    app.add_url_rule("/all", "all", auth.login_required(lambda: auth.identity.subject))
    app.add_url_rule("/some", "some", auth.login_required(via=(basic, bearer))(lambda: auth.identity.subject))
    app.add_url_rule("/optional", "optional", auth.login_optional(via=basic)(lambda: f"{auth.get_identity()}"))
    lamp = {"X-API-Key": "lamp"}
    assert ask(app, "GET", "/all", lamp).text == "lamp"
    assert ask(app, "GET", "/some", lamp).status_code == 401
    assert ask(app, "GET", "/some", {"Authorization": "Bearer ada"}).text == "ada"
    assert ask(app, "GET", "/optional", lamp).text == "None"


@pytest.mark.parametrize(("credentials", "seen"), [("none", ("", "")), ("Basic token:", ("token", ""))])
def test_what_the_callback_of_passwords_gets(credentials, seen):
    calls = []

    def load(*given):
        calls.append(given)

    assert ask(theirs(flask_httpauth.HTTPBasicAuth(), load), "GET", "/", field(credentials)).status_code == 401
    assert calls == [seen]
    calls.clear()
    assert ask(ours(Basic(load)), "GET", "/", field(credentials)).status_code == 401
    assert calls == []
    assert ask(ours(Basic(load, empty_password=True)), "GET", "/", field(credentials)).status_code == 401
    assert calls == ([] if credentials == "none" else [seen])


def test_the_handler_of_401_and_its_status():
    apps = theirs(flask_httpauth.HTTPBasicAuth(), check), ours(Basic(check))
    for app in apps:
        app.register_error_handler(401, lambda error: ("of the app", 418))
    assert [ask(app, "GET", "/", {}).status_code for app in apps] == [401, 418]
    basic = flask_httpauth.HTTPBasicAuth()
    basic.error_handler(lambda status: ("", 418))
    assert ask(theirs(basic, check), "GET", "/", {}).status_code == 418


def test_the_body_without_a_handler():
    apps = theirs(flask_httpauth.HTTPBasicAuth(), check), ours(Basic(check))
    before, after = (ask(app, "GET", "/", {}) for app in apps)
    assert (before.text, before.mimetype) == ("Unauthorized Access", "text/html")
    assert after.mimetype == "application/json"


@pytest.mark.tells_secrets("header", because="Flask-HTTPAuth sends a nonce in its challenge")
@pytest.mark.parametrize("line", ["Bearer a b", 'Digest username="ada"'])
def test_malformed_credentials_and_handlers(line):
    kinds = {
        "Bearer": (flask_httpauth.HTTPTokenAuth(), Bearer(lambda token: token)),
        "Digest": (flask_httpauth.HTTPDigestAuth(), Digest(lambda name: "secret")),
    }
    old, scheme = kinds[line.split()[0]]
    before = Flask("theirs")
    before.secret_key = "a secret of thirty-two characters"
    if line.startswith("Bearer"):
        old.verify_token(lambda token: None)
    else:
        old.get_password(lambda name: "secret")
    old.error_handler(lambda status: (f"mine {status}", status))
    before.add_url_rule("/", "view", old.login_required(lambda: "in"))
    assert ask(before, "GET", "/", {"Authorization": line}).text == "mine 401"
    for error, text in ((401, None), (MalformedCredentials, "mine 400")):
        app = Flask("ours")
        app.secret_key = "a secret of thirty-two characters"
        app.add_url_rule("/", "view", Auth(scheme, app=app).login_required(lambda: "in"))
        app.register_error_handler(error, lambda error: (f"mine {error.code}", error.code))
        response = ask(app, "GET", "/", {"Authorization": line})
        assert response.status_code == 400
        assert (response.text == text) is (text is not None)


def test_the_fields_of_responses():
    app = Flask("ours")
    basic, key = Basic(check), APIKey(lambda key: key, header="X-API-Key")
    auth = Auth(basic, key, app=app)
    app.add_url_rule("/basic", "basic", auth.login_required(via=basic)(lambda: "in"))
    app.add_url_rule("/key", "key", auth.login_required(via=key)(lambda: "in"))
    app.add_url_rule("/optional", "optional", auth.login_optional(via=basic)(lambda: "in"))
    before = ask(theirs(flask_httpauth.HTTPBasicAuth(), check), "GET", "/", {})
    assert not {"Cache-Control", "Vary"} & {name for name, _ in before.headers}
    refused = ask(app, "GET", "/basic", {})
    assert refused.headers["Cache-Control"] == "no-store"
    assert "Authorization" in refused.vary
    assert 'charset="UTF-8"' in refused.headers["WWW-Authenticate"]
    assert "Authorization" in ask(app, "GET", "/optional", {}).vary
    accepted = ask(app, "GET", "/key", {"X-API-Key": "lamp"})
    assert accepted.headers["Cache-Control"] == "private"
    assert "X-API-Key" in accepted.vary


def test_the_caller_of_an_open_view():
    basic = flask_httpauth.HTTPBasicAuth()
    app = theirs(basic, check)
    app.add_url_rule("/open", "open", lambda: f"{basic.current_user()}")
    assert ask(app, "GET", "/open", field(ADA)).text == "None"


class User:
    pass


def test_the_caller_of_an_open_view_here_and_a_callback_that_raises():
    app = Flask("ours")
    user = User()
    auth = Auth(Basic(lambda name, password: {"ada": user}[name]), app=app)
    app.add_url_rule("/open", "open", lambda: f"{auth.get_user() is user}")
    assert ask(app, "GET", "/open", field(ADA)).text == "True"
    assert ask(app, "GET", "/open", {}).text == "False"
    assert ask(app, "GET", "/open", field("Basic eve:x")).status_code == 500


def test_a_user_on_g_and_true():
    user = User()

    def load(name, password):
        g.user = user
        return True

    app = Flask("ours")
    auth = Auth(Basic(load), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: f"{g.user is user} {auth.identity.subject}"))
    app.add_url_rule("/user", "user", auth.login_required(lambda: f"{auth.user}"))
    assert ask(app, "GET", "/", field(ADA)).text == "True ada"
    assert ask(app, "GET", "/user", field(ADA)).status_code == 500


@pytest.mark.parametrize(("token", "status"), [("a:b", 400), ("a b", 400), ("a,b", 400), ("aZ9-._~+/=", 200)])
def test_the_characters_of_tokens(token, status):
    headers = {"Authorization": f"Bearer {token}"}
    assert ask(theirs(flask_httpauth.HTTPTokenAuth(), lambda token: "ada"), "GET", "/", headers).status_code == 200
    assert ask(ours(Bearer(lambda token: "ada")), "GET", "/", headers).status_code == status


@pytest.mark.parametrize(("key", "status"), [("a:b c", 200), ("a,b", 400)])
def test_the_characters_of_keys(key, status):
    old = flask_httpauth.HTTPTokenAuth(header="X-API-Key")
    assert ask(theirs(old, lambda key: "ada"), "GET", "/", {"X-API-Key": key}).status_code == 200
    assert (
        ask(ours(APIKey(lambda key: "ada", header="X-API-Key")), "GET", "/", {"X-API-Key": key}).status_code == status
    )


def test_another_name_of_the_scheme():
    form = {"Authorization": field(ADA)["Authorization"].replace("Basic", "Form")}
    apps = theirs(flask_httpauth.HTTPBasicAuth(), check), ours(Basic(check)), ours(Basic(check, script_alias="Form"))
    assert [ask(app, "GET", "/", form).status_code for app in apps] == [200, 401, 200]


def test_passwords_in_latin_1():
    headers = {"Authorization": "Basic " + base64.b64encode("ada:pé".encode("latin-1")).decode()}
    apps = theirs(flask_httpauth.HTTPBasicAuth(), check), ours(Basic(check)), ours(Basic(check, latin1=True))
    assert [ask(app, "GET", "/", headers).status_code for app in apps] == [200, 401, 200]


@pytest.mark.parametrize(("ordered", "first"), [(False, "Basic"), (True, "Bearer")])
def test_the_first_of_several_challenges(ordered, first):
    before = Flask("theirs")
    multi = flask_httpauth.MultiAuth(flask_httpauth.HTTPTokenAuth(), flask_httpauth.HTTPBasicAuth())
    before.add_url_rule("/", "view", multi.login_required(lambda: "in"))
    assert ask(before, "GET", "/", {}).headers["WWW-Authenticate"].split()[0] == "Bearer"
    bearer, basic, after = Bearer(lambda token: None), Basic(check), Flask("ours")
    auth = Auth(bearer, basic, challenge_order=[bearer, basic] if ordered else None, app=after)
    after.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert ask(after, "GET", "/", {}).headers.getlist("WWW-Authenticate")[0].split()[0] == first


def test_no_password_box_for_scripts():
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
    app = Flask("ours")
    auth = Auth(Basic(check), Bearer(lambda token: None), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert ask(app, "GET", "/", script).headers.getlist("WWW-Authenticate") == ['Bearer realm="ours"']
    alone = ask(ours(Basic(check, script_alias="XBasic")), "GET", "/", script)
    assert alone.headers["WWW-Authenticate"].startswith("XBasic ")


def test_options_that_a_view_handles():
    old, app = flask_httpauth.HTTPBasicAuth(), Flask("both")
    old.verify_password(check)
    auth = Auth(Basic(check), app=app)
    more = {"methods": ["OPTIONS"], "provide_automatic_options": False}
    app.add_url_rule("/old", "old", old.login_required(lambda: "in"), **more)
    app.add_url_rule("/new", "new", auth.login_required(lambda: "in"), **more)
    app.add_url_rule("/flask", "flask", auth.login_required(lambda: "in"))
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    asked = (("/old", {}), ("/new", {}), ("/new", preflight), ("/flask", {}))
    assert [ask(app, "OPTIONS", path, headers).status_code for path, headers in asked] == [200, 401, 200, 200]


def test_options_in_a_guarded_blueprint():
    old, app = flask_httpauth.HTTPBasicAuth(), Flask("both")
    auth = Auth(Basic(check), app=app)
    guards = {"old": old.login_required, "new": auth.login_required, "protected": None}
    for name, guard in guards.items():
        blueprint = Blueprint(name, name)
        if guard is None:
            auth.protect(blueprint)
        else:
            blueprint.before_request(guard(lambda: None))
        blueprint.add_url_rule(f"/{name}", "view", lambda: "in")
        app.register_blueprint(blueprint)
    assert [ask(app, "OPTIONS", f"/{name}", {}).status_code for name in guards] == [200, 401, 200]
    assert [ask(app, "GET", f"/{name}", {}).status_code for name in guards] == [401, 401, 401]
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "GET"}
    assert ask(app, "OPTIONS", "/new", preflight).status_code == 200


def test_two_lines_of_authorization():
    two = [("Authorization", field(ADA)["Authorization"]), ("Authorization", "Bearer x")]
    apps = theirs(flask_httpauth.HTTPBasicAuth(), check), ours(Basic(check))
    assert [ask(app, "GET", "/", two).status_code for app in apps] == [200, 400]


def test_above_the_route():
    old, app = flask_httpauth.HTTPBasicAuth(), Flask("theirs")

    @old.login_required
    @app.get("/")
    def view():
        return "open"

    assert ask(app, "GET", "/", {}).text == "open"


# --- word by word, where a table says more than a name


def test_the_caller_in_templates_and_the_secret():
    def view():
        is_there = request.authorization.password == "correct horse"
        return render_template_string("{{ current_user.subject }} {{ is_there }}", is_there=is_there)

    assert ask(ours(Basic(check), view), "GET", "/", field(ADA)).text == "ada True"


def test_a_stored_ha1_stays_valid():
    old = flask_httpauth.HTTPDigestAuth(use_ha1_pw=True)
    ha1 = old.generate_ha1("ada", "correct horse")
    digest = Digest(lambda name: {"MD5": ha1}, realm="Authentication Required", algorithms=("MD5",))
    assert digest.hashes("ada", "correct horse") == {"MD5": ha1}
    app = ours(digest)
    app.secret_key = "a secret of thirty-two characters"
    told = challenge(ask(app, "GET", "/", {}).headers["WWW-Authenticate"])
    assert ask(app, "GET", "/", sent(told, password="correct horse")).status_code == 200


# --- both in one app


def test_both_side_by_side():
    app = run(PAGE.program("Both side by side for a while"))["app"]
    for path in ("/old", "/new"):
        assert ask(app, "GET", path, field(ADA)).json == {"you": "ada"}
        refused = ask(app, "GET", path, field(WRONG))
        assert refused.headers["WWW-Authenticate"].startswith('Basic realm="Authentication Required"')
        assert (refused.status_code, refused.headers["Cache-Control"]) == (401, "no-store")
    assert ask(app, "GET", "/old", {}).text == "Unauthorized Access"


def test_the_objects_that_apifairy_documents():
    basic, bearer = Basic(check), Bearer(lambda token: "ada" if token == "good" else None)
    app = Flask("site")
    scope = {"auth": Auth(basic, bearer, app=app), "basic": basic, "bearer": bearer}
    exec(PAGE.fragment("Both side by side for a while"), scope)
    app.add_url_rule("/basic", "basic", scope["basic_auth"].login_required()(lambda: "in"))
    app.add_url_rule("/token", "token", scope["token_auth"].login_required()(lambda: "in"))
    good = {"Authorization": "Bearer good"}
    asked = (("/basic", field(ADA)), ("/basic", good), ("/token", good), ("/token", field(ADA)))
    assert [ask(app, "GET", path, headers).status_code for path, headers in asked] == [200, 401, 200, 401]


def test_the_handler_of_one_blueprint():
    auth = Auth(basic := Basic(check))
    api, app = Blueprint("api", __name__, url_prefix="/api"), Flask("site")
    auth.init_app(app)
    api.before_request(auth.login_required(via=basic)(lambda: None))
    api.add_url_rule("/", "view", lambda: "in")
    api.register_error_handler(401, lambda error: ({"status": error.code}, error.code))
    app.add_url_rule("/", "page", auth.login_required(lambda: "in"))
    app.register_blueprint(api)
    assert ask(app, "GET", "/api/", {}).json == {"status": 401}
    assert ask(app, "GET", "/", {}).json["error"] == "Unauthorized"
    assert ask(app, "GET", "/api/", field(ADA)).text == "in"


def test_acting_as_puts_nothing_on_g():
    def load(name, password):
        g.user = name
        return name

    app = ours(Basic(load), lambda: f"{'user' in g}")
    app.testing = True
    assert ask(app, "GET", "/", field(ADA)).text == "True"
    assert acting_as(app, "ada").get("/").text == "False"
