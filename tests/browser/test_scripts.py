"""A browser's scripts: no password box by accident, a true challenge all the same, and refusals that they can read."""

import base64

import pytest

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Digest, Identity, SessionCookie
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges
from tests.independent import independent

from .conftest import KEY, PAGE

# As browsers send them (clients.md, "Browsers and scripts"), and as libraries do.
SCRIPTS = {
    "fetch": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty", "Accept": "*/*"},
    "img": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "same-origin", "Accept": "image/avif,image/webp,*/*;q=0.8"},
    "same-origin": {"Sec-Fetch-Mode": "same-origin", "Sec-Fetch-Site": "same-origin"},
    "websocket": {"Sec-Fetch-Mode": "websocket", "Sec-Fetch-Site": "same-origin"},
    "jquery": {"X-Requested-With": "XMLHttpRequest", **PAGE},
    "htmx": {"HX-Request": "true", "HX-Current-URL": "http://localhost/", "Accept": "*/*"},
    "htmx-boosted": {"HX-Request": "true", "HX-Boosted": "true", **PAGE},
}
NO_SCRIPTS = {
    "navigation": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", **PAGE},
    "link": {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site", **PAGE},
    "plain-http": PAGE,
    "curl": {"Accept": "*/*"},
    "node": {"Sec-Fetch-Mode": "cors", "Accept": "*/*"},
    "nothing": {},
}
BOXES = {"basic", "digest", "negotiate", "ntlm"}
EVERYBODY = [*((headers, True) for headers in SCRIPTS.values()), *((headers, False) for headers in NO_SCRIPTS.values())]
NAMES = [*SCRIPTS, *NO_SCRIPTS]


def _check(name, password):
    return password == "pass"


def _password(word="pass", scheme="XBasic"):
    return {"Authorization": f"{scheme} " + base64.b64encode(f"ada:{word}".encode()).decode()}


def _basic(**options):
    return Basic(_check, **{"script_alias": "XBasic", **options})


def _digest():
    return Digest(lambda user: None)


@pytest.fixture
def serve(make_app):
    def make(*schemes, **config):
        auth = Auth(*schemes, realm="shop")
        app = make_app(auth, SECRET_KEY=KEY, **config)

        @app.route("/page", methods=["GET", "POST"])
        @auth.login_required
        def page():
            return f"{auth.identity.subject} by {auth.scheme.name}"

        app.add_url_rule("/bare", "bare", lambda: ("", 401))
        app.add_url_rule("/login", "login", auth.public(lambda: "form"))
        return app

    return make


def offered(response):
    assert response.status_code == 401
    return [challenge.scheme for challenge in parse_challenges(response.headers.getlist("WWW-Authenticate"))]


# --- the alias


@pytest.mark.rfc("F-07", "F-09")
@pytest.mark.parametrize("path", ["/page", "/bare"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("headers", "script"), EVERYBODY, ids=NAMES)
def test_a_script_is_offered_the_alias_and_a_page_the_scheme(serve, headers, script, method, path):
    refused = serve(_basic()).test_client().open(path, method=method, headers=headers)
    assert refused.status_code == 401
    name = "XBasic" if script else "Basic"
    assert refused.headers.getlist("WWW-Authenticate") == [f'{name} realm="shop", charset="UTF-8"']
    assert refused.location is None


@pytest.mark.parametrize("name", ["XBasic", "xbasic", "XBASIC", "Basic", "basic"])
@pytest.mark.parametrize("headers", [SCRIPTS["fetch"], NO_SCRIPTS["navigation"], {}])
def test_the_alias_is_no_lie(serve, name, headers):
    client = serve(_basic()).test_client()
    assert client.get("/page", headers={**headers, **_password(scheme=name)}).text == "ada by Basic"


@pytest.mark.parametrize("bad", ["XBasic !", "XBasic", "XBasic YWRh", _password("wrong")["Authorization"]])
def test_bad_credentials_under_the_alias_are_refused_like_others(serve, bad):
    client = serve(_basic()).test_client()
    refused = client.get("/page", headers={**SCRIPTS["fetch"], "Authorization": bad})
    assert offered(refused) == ["XBasic"]
    refused = client.get("/page", headers={"Authorization": bad})
    assert offered(refused) == ["Basic"]


def test_the_alias_and_the_scheme_at_once_are_two_credentials(serve):
    client = serve(_basic()).test_client()
    both = f"{_password()['Authorization']}, {_password(scheme='Basic')['Authorization']}"
    assert client.get("/page", headers={"Authorization": both}).status_code == 400


def test_without_an_alias_its_name_is_nothing(serve):
    client = serve(Basic(_check)).test_client()
    assert_unauthorized(client.get("/page", headers=_password()), scheme="Basic", error=None)


def _others():
    return {
        "bearer": (Bearer(lambda token: None),),
        "key": (APIKey(lambda key: None),),
        "session": (SessionCookie(lambda name: Identity(name), login_view="login"),),
        "digest": (_digest(),),
        "all": (_digest(), Bearer(lambda token: None), SessionCookie(lambda name: Identity(name), login_view="login")),
    }


@pytest.mark.rfc("F-07", "F-09")
@pytest.mark.parametrize("path", ["/page", "/bare"])
@pytest.mark.parametrize("alias", ["XBasic", None])
@pytest.mark.parametrize("others", list(_others()))
@pytest.mark.parametrize("headers", SCRIPTS.values(), ids=list(SCRIPTS))
def test_no_box_opens_for_a_script_and_it_has_one_line_that_is_true(serve, headers, others, alias, path):
    schemes = _others()[others]
    refused = serve(_basic(script_alias=alias), *schemes).test_client().get(path, headers=headers)
    (line,) = refused.headers.getlist("WWW-Authenticate")
    names = [name for name, _ in independent(line)]
    silent = [scheme.name.lower() for scheme in schemes if not scheme.prompts]
    if alias is not None:
        assert sorted(names) == sorted([alias.lower(), *silent])
    elif silent:
        assert names == silent
    else:  # Basic and Digest alone, and no alias: the 401 needs a challenge
        assert set(names) == {"basic", "digest"}
    if alias is not None or silent:
        assert BOXES.isdisjoint(names)


@pytest.mark.parametrize("others", list(_others()))
@pytest.mark.parametrize("headers", [NO_SCRIPTS["curl"], NO_SCRIPTS["node"], {}])
def test_a_program_is_offered_everything(serve, headers, others):
    schemes = _others()[others]
    refused = serve(_basic(), *schemes).test_client().get("/page", headers=headers)
    assert set(offered(refused)) == {"Basic", *(scheme.name for scheme in schemes)}
    assert "XBasic" not in str(refused.headers)


def test_a_script_that_failed_with_a_password_is_told_what_else_there_is(serve):
    client = serve(Basic(_check), Bearer(lambda token: None)).test_client()
    assert offered(client.get("/page", headers={**SCRIPTS["fetch"], **_password("no", "Basic")})) == ["Bearer"]


@pytest.mark.parametrize("alias", ["Basic", "basic", "Bearer", "digest", "x basic", "", "é", 5])
def test_what_cannot_be_an_alias(alias):
    with pytest.raises(ConfigurationError, match="script_alias"):
        Basic(_check, script_alias=alias)


def test_two_passwords_with_one_alias_in_one_view(serve):
    with pytest.raises(ConfigurationError, match="both read"):
        serve(_basic(), Basic(_check, script_alias="xbasic")).test_client().get("/page")


@pytest.mark.parametrize(
    ("schemes", "differs"),
    [
        (lambda: (_basic(),), True),
        (lambda: (Basic(_check), Bearer(lambda token: None)), True),
        (lambda: (SessionCookie(lambda name: None, login_view="login"),), True),
        (lambda: (SessionCookie(lambda name: None),), False),
        (lambda: (Basic(_check),), False),
        (lambda: (Bearer(lambda token: None),), False),
        (lambda: (Basic(_check), _digest()), False),
    ],
)
@pytest.mark.parametrize("path", ["/page", "/bare"])
def test_cac_05_vary_names_what_the_choice_depends_on(serve, schemes, differs, path):
    for headers in (SCRIPTS["fetch"], NO_SCRIPTS["curl"]):
        refused = serve(*schemes()).test_client().get(path, headers=headers)
        named = [name.strip() for name in refused.headers["Vary"].split(",")]
        assert len(named) == len(set(named))
        fields = {"Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Requested-With", "HX-Request"}
        assert fields & set(named) == (fields if differs else set())
        assert path == "/bare" or "Accept" in named


def test_a_script_is_answered_in_its_own_format(serve):
    client = serve(_basic()).test_client()
    assert client.get("/page", headers=SCRIPTS["fetch"]).mimetype == "application/json"
    assert client.get("/page", headers=SCRIPTS["htmx-boosted"]).mimetype == "text/html"


# --- other origins

ORIGIN = "https://page.example"
FETCH = {"Origin": ORIGIN, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site", "Accept": "*/*"}
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "cross-site",
}


def _allow(app, **more):
    """What flask-cors does, and what people write by hand."""

    @app.after_request
    def cors(response):
        response.headers["Access-Control-Allow-Origin"] = ORIGIN
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers.update(more)
        response.vary.add("Origin")
        return response


@pytest.fixture
def api(serve):
    """An app that has pages with a login and an API on the same routes, for a page of another origin that it trusts."""
    session = SessionCookie(lambda name: Identity(name), login_view="login", trusted_origins=[ORIGIN])
    app = serve(session, Bearer(lambda token: None))
    auth = app.extensions["unauthorized"].configuration.decorations.auth_ref()
    app.add_url_rule("/in", "in", lambda: auth.login("ada").subject, methods=["POST"])
    app.add_url_rule("/out", "out", lambda: auth.logout() or "out", methods=["POST"])
    _allow(app)
    return app


@pytest.mark.rfc("F-01", "F-02", "F-10")
@pytest.mark.parametrize("logged_in", [False, True])
def test_a_preflight_passes_with_sessions_in_force(api, logged_in):
    client = api.test_client()
    if logged_in:
        client.post("/in")
    answer = client.options("/page", headers=PREFLIGHT)
    assert answer.status_code == 200
    assert "POST" in answer.headers["Allow"]
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "WWW-Authenticate" not in answer.headers
    assert answer.location is None
    assert "Set-Cookie" not in answer.headers


@pytest.mark.rfc("F-03", "F-05", "F-06")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_script_of_another_origin_reads_the_refusal(api, method):
    refused = api.test_client().open("/page", method=method, headers=FETCH)
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert refused.headers["Access-Control-Allow-Credentials"] == "true"
    assert refused.headers["Access-Control-Expose-Headers"] == "WWW-Authenticate"
    (line,) = refused.headers.getlist("WWW-Authenticate")
    assert {name for name, _ in independent(line)} == {"cookie", "bearer"}
    named = [name.strip() for name in refused.headers["Vary"].split(",")]
    assert "Origin" in named
    assert "Cookie" in named


def test_a_trusted_page_works_with_the_session(api):
    client = api.test_client()
    assert client.post("/in", headers=FETCH).text == "ada"
    done = client.post("/page", headers=FETCH)
    assert done.text == "ada by Cookie"
    assert "private" in done.headers["Cache-Control"]
    assert client.post("/page", headers={**FETCH, "Origin": "https://other.example"}).status_code == 403
    assert client.post("/out", headers=FETCH).text == "out"
    assert client.post("/page", headers=FETCH).status_code == 401


def test_a_403_for_another_site_exposes_nothing_that_is_not_there(api):
    client = api.test_client()
    client.post("/in")
    refused = client.post("/page", headers={**FETCH, "Origin": "https://other.example"})
    assert refused.status_code == 403
    assert "Access-Control-Expose-Headers" not in refused.headers


@pytest.mark.rfc("F-03", "F-05")
def test_a_redirect_opens_nothing_to_other_origins(api):
    """A navigation is no CORS request: what the app says of origins stays, and nothing is added."""
    redirected = api.test_client().get("/page", headers=NO_SCRIPTS["link"])
    assert redirected.status_code == 302
    assert "Access-Control-Expose-Headers" not in redirected.headers


@pytest.mark.rfc("F-02", "F-10")
def test_a_preflight_passes_where_the_whole_app_is_protected(make_app):
    auth = Auth(SessionCookie(lambda name: None, login_view="login"))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/login", "login", auth.public(lambda: "form"))
    app.add_url_rule("/page", "page", lambda: "in", methods=["POST", "OPTIONS"])
    app.add_url_rule("/auto", "auto", lambda: "in", methods=["POST"])
    auth.protect(app)
    _allow(app)
    for path in ("/page", "/auto"):
        answer = app.test_client().options(path, headers=PREFLIGHT)
        assert (answer.status_code, answer.text) == (200, "")
        assert app.test_client().post(path, headers=FETCH).status_code == 401
