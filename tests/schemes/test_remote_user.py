"""RemoteUser: REMOTE_USER of the server, and X-Forwarded-User of named proxies. Forged names never log anybody in."""

import logging
from types import SimpleNamespace

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import APIKey, Auth, Bearer, ConfigurationError, Identity, SessionCookie
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.testing import assert_sound, assert_unauthorized

from .challenges import parse_challenges

PROXY, STRANGER = {"REMOTE_ADDR": "10.0.0.7"}, {"REMOTE_ADDR": "192.0.2.1"}
WAYS = {
    "server": ({}, "REMOTE_USER"),
    "proxy": ({"header": "X-Forwarded-User", "proxies": ["10.0.0.0/24"]}, "HTTP_X_FORWARDED_USER"),
}


def as_environ(name: str) -> str:
    """A name as servers put it into the environ (PEP 3333)."""
    return name.encode().decode("latin-1")


@pytest.fixture
def build(make_app):
    """An app with one RemoteUser; ``send(name)`` is a request for which the server or the proxy has found ``name``."""

    def make(way="server", answer=lambda name: True, *, more=(), **options):
        arguments, key = WAYS[way]
        seen, ran = [], []

        def load(name):
            seen.append(name)
            return answer(name)

        auth = Auth(RemoteUser(load, **arguments, **options), *more, realm="intranet")
        app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")

        @app.route("/", methods=["GET", "POST"])
        @auth.login_required
        def view():
            ran.append(auth.identity)
            return {"who": auth.identity.subject}

        @app.get("/optional")
        @auth.login_optional
        def optional():
            return {"who": getattr(auth.get_identity(), "subject", None)}

        @app.get("/write")
        @auth.login_required(scopes={"write"})
        def write():
            return "written"

        def send(name=None, path="/", method="GET", headers=(), **environ):
            given = {**PROXY, **environ} if name is None else {**PROXY, key: as_environ(name), **environ}
            client = app.test_client(use_cookies=False)
            return client.open(path, method=method, headers=dict(headers), environ_overrides=given)

        return SimpleNamespace(app=app, auth=auth, send=send, seen=seen, ran=ran)

    return make


# --- names


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name", ["ada", "ada@EXAMPLE.COM", "EXAMPLE\\ada", "Ada Lovelace", "zoë", "Зоя", "山田", "O'Brien", "a+b%20", "0"]
)
def test_the_loader_gets_the_name_as_the_server_found_it(build, way, name):
    served = build(way)
    assert served.send(name).json == {"who": name}
    assert served.seen == [name]


def test_a_name_of_a_certificate_has_commas(build):
    assert build().send("CN=Ada,O=Example").json == {"who": "CN=Ada,O=Example"}


def test_a_name_that_a_middleware_has_decoded(build):
    served = build()
    client = served.app.test_client()
    assert client.get("/", environ_overrides={"REMOTE_USER": "山田"}).json == {"who": "山田"}


def test_names_that_look_alike_stay_different(build):
    """No normalization: two accounts of the server never become one."""
    served = build()
    composed, decomposed = "zo\u00eb", "zoe\u0308"
    assert [served.send(name).json["who"] for name in (composed, decomposed)] == [composed, decomposed]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [None, ""])
def test_no_name_is_nothing_sent(build, way, name):
    served = build(way)
    response = served.send(name)
    assert_sound(response, schemes=["RemoteUser"])
    assert (response.status_code, parse_challenges(response)) == (401, [("RemoteUser", {"realm": "intranet"})])
    assert served.send(name, "/optional").json == {"who": None}
    assert served.seen == []


def test_blanks_in_a_field_are_nothing_sent(build):
    served = build("proxy")
    assert served.send(" \t ").status_code == 401
    assert served.send(" ada ").json == {"who": "ada"}
    assert served.seen == ["ada"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "name",
    ["ada\x00", "ada\r\nX: y", "a\x1bda", "ada\x7f", "ada\u2028", "a\u202eda", "ada\u00a0", "\u0085ada", "a" * 1025],
    ids=ascii,
)
def test_names_with_control_characters_and_long_names_are_malformed(build, way, name):
    served = build(way)
    response = served.send(name)
    assert response.status_code == 400
    assert_sound(response, schemes=["RemoteUser"])
    assert served.seen == []


@pytest.mark.parametrize("octets", ["zo\xeb", "\xff", "\xc3", "\xed\xa0\x80", "\xc0\x80"], ids=ascii)
def test_what_is_not_utf_8_is_malformed(build, octets):
    served = build()
    response = served.app.test_client().get("/", environ_overrides={"REMOTE_USER": octets})
    assert (response.status_code, served.seen) == (400, [])


@pytest.mark.parametrize("name", [" ada", "ada ", " "])
def test_blanks_around_a_name_of_the_server_are_no_part_of_another_name(build, name):
    served = build()
    assert (served.send(name).status_code, served.seen) == (400, [])


# --- what a loader may return


@pytest.mark.parametrize(
    ("answer", "who"), [(True, "ada"), ("7", "7"), (Identity("ada", scopes={"x"}), "ada"), (object(), "ada")]
)
def test_what_the_loader_returns(build, answer, who):
    assert build(answer=lambda name: answer).send("ada").json == {"who": who}


@pytest.mark.parametrize("answer", [None, False])
def test_a_rejected_name_is_401(build, answer):
    served = build(answer=lambda name: answer)
    challenge = assert_unauthorized(served.send("ada"), scheme="RemoteUser", error="invalid_token")
    assert challenge.get("realm") == "intranet"
    assert served.ran == []


def test_a_number_of_the_loader_is_a_mistake(build):
    served = build(answer=lambda name: 1)
    with pytest.raises(TypeError, match="RemoteUser returned 1, which could mean no"):
        served.send("ada")


def test_a_missing_scope_is_403_without_a_challenge_that_helps(build):
    response = build(answer=lambda name: Identity(name)).send("ada", "/write")
    assert response.status_code == 403
    assert_sound(response)


def test_without_a_loader_the_set_up_fails(make_app):
    auth = Auth(RemoteUser())
    app = make_app(auth)
    with pytest.raises(ConfigurationError, match="RemoteUser has no loader"):
        auth.check(app)


# --- forged names


@pytest.mark.rfc("S-05")
@pytest.mark.parametrize(
    "header",
    ["Remote-User", "REMOTE-USER", "Remote_User", "X-Remote-User", "X-Forwarded-User", "Http-Remote-User", "User"],
)
def test_no_field_is_remote_user(build, header):
    """REQ-21: a field never becomes a key without HTTP_."""
    served = build()
    response = served.send(headers={header: "admin"})
    assert (response.status_code, served.seen) == (401, [])


@pytest.mark.rfc("S-05")
@pytest.mark.parametrize(
    "peer",
    ["192.0.2.1", "10.0.1.7", "::1", "::ffff:192.0.2.1", "unknown", "10.0.0.7:80", "10.0.0.7, 192.0.2.1", "010.0.0.7",
     "", "localhost", "<local>", None],
)  # fmt: skip
def test_a_field_of_another_peer_is_nothing_sent(build, peer):
    """REQ-21: whatever it has, so that its sender learns nothing."""
    served = build("proxy")
    for name in ("admin", "a,b", "\x00"):
        response = served.send(name, REMOTE_ADDR=peer)
        assert (response.status_code, parse_challenges(response)) == (401, [("RemoteUser", {"realm": "intranet"})])
        assert served.send(name, "/optional", REMOTE_ADDR=peer).json == {"who": None}
    assert served.seen == []


@pytest.mark.parametrize("peer", ["10.0.0.7", "::ffff:10.0.0.7"])
def test_a_field_of_a_named_proxy(build, peer):
    assert build("proxy").send("ada", REMOTE_ADDR=peer).json == {"who": "ada"}


def test_the_field_of_another_name_does_not_count(build):
    served = build("proxy")
    for header in ("X-Forwarded-User2", "X-Remote-User", "Forwarded-User", "X-Forwarded-Users"):
        assert served.send(headers={header: "admin"}).status_code == 401
    assert served.send(REMOTE_USER="admin").status_code == 401
    assert served.seen == []


@pytest.mark.parametrize("joined", ["ada,admin", "ada, admin", ",admin", "ada,", "ada,ada"])
def test_repeated_fields_are_malformed(build, joined):
    served = build("proxy")
    assert (served.send(joined).status_code, served.seen) == (400, [])


def test_behind_proxy_fix_the_proxy_itself_is_compared(build):
    served = build("proxy")
    served.app.wsgi_app = ProxyFix(served.app.wsgi_app)
    client_address = {"X-Forwarded-For": "192.0.2.1"}
    assert served.send("ada", headers=client_address).json == {"who": "ada"}
    forged = {"X-Forwarded-For": "10.0.0.7"}
    assert served.send("admin", headers=forged, **STRANGER).status_code == 401
    assert served.seen == ["ada"]


def test_a_request_that_is_not_named_is_one_warning(build, caplog):
    caplog.set_level(logging.DEBUG)
    served = build("proxy")
    for number in range(3):
        served.send("admin-name", REMOTE_ADDR=f"192.0.2.{number}")
    found = [(record.levelname, record.getMessage()) for record in caplog.records if "came from" in record.msg or (
        record.args and "was ignored" in record.getMessage() and record.levelname != "INFO")]  # fmt: skip
    assert [level for level, _ in found] == ["WARNING", "DEBUG", "DEBUG"]
    assert found[0][1] == (
        "X-Forwarded-User came from '192.0.2.0', which is not in proxies=, so it was ignored: if that is your proxy, "
        "name it; if not, clients reach the app directly"
    )
    assert "admin-name" not in caplog.text


# --- browsers repeat it


@pytest.mark.parametrize("way", WAYS)
def test_unsafe_requests_of_other_sites_are_refused(build, way):
    served = build(way, trusted_origins=["https://app.example"])
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    refused = served.send("ada", method="POST", headers=evil)
    assert (refused.status_code, served.seen) == (403, [])
    assert served.send("ada", headers=evil).status_code == 200
    for fine in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}):
        assert served.send("ada", method="POST", headers=fine).status_code == 200


def test_explicit_credentials_decide(build):
    """REQ-07: a wrong token isn't rescued by what the browser repeats."""
    served = build(more=(Bearer({"good": "grace"}.get),))
    assert served.send("ada").json == {"who": "ada"}
    assert served.send("ada", headers={"Authorization": "Bearer good"}).json == {"who": "grace"}
    assert served.send("ada", headers={"Authorization": "Bearer bad"}).status_code == 401
    assert served.send("ada", headers={"Authorization": "Negotiate YII="}).json == {"who": "ada"}
    assert served.seen == ["ada", "ada"]


@pytest.mark.parametrize(
    ("way", "fields"),
    [("server", {"Authorization", "Cookie"}), ("proxy", {"X-Forwarded-User", "Authorization", "Cookie"})],
)
def test_responses_say_what_they_depend_on(build, way, fields):
    served = build(way)
    for response in (served.send("ada"), served.send(path="/optional"), served.send()):
        assert fields <= {field.strip() for field in response.headers["Vary"].split(",")}
    assert served.send("ada").cache_control.private


@pytest.mark.parametrize("way", WAYS)
def test_open_pages_know_the_caller_quietly(build, way, caplog):
    served = build(way)

    @served.app.route("/open", methods=["GET", "POST"])
    def open_page():
        return {"who": getattr(served.auth.get_identity(), "subject", None)}

    caplog.set_level(logging.INFO)
    assert served.send("ada", "/open").json == {"who": "ada"}
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert served.send("ada", "/open", method="POST", headers=evil).json == {"who": None}
    assert served.send("ada\x00", "/open").json == {"who": None}
    assert not caplog.records
    if way == "proxy":
        assert served.send("admin", "/open", **STRANGER).json == {"who": None}
    assert served.seen == ["ada"]


# --- the app's own challenge


@pytest.mark.parametrize(
    ("challenge", "lines"),
    [
        ("Negotiate", ["Negotiate"]),
        ("NTLM", ["NTLM"]),
        ('Negotiate, Basic realm="x"', ["Negotiate", 'Basic realm="x"']),
        ('OIDC realm="x", login="/in"', ['OIDC realm="x", login="/in"']),
    ],
)
def test_the_challenge_of_the_app(build, challenge, lines):
    served = build(challenge=challenge, answer=lambda name: None)
    for response in (served.send(), served.send("ada")):
        assert response.status_code == 401
        assert response.headers.getlist("WWW-Authenticate") == lines
    cross_site = {"Origin": "https://evil.example"}
    assert "WWW-Authenticate" not in served.send("ada", method="POST", headers=cross_site).headers


def test_an_own_401_of_the_app_with_that_challenge_stays(build):
    served = build(challenge="Negotiate")

    @served.app.get("/own")
    @served.auth.login_required
    def own():
        return "no", 401, {"WWW-Authenticate": "Negotiate"}

    assert served.send("ada", "/own").headers.getlist("WWW-Authenticate") == ["Negotiate"]


def test_scripts_are_not_offered_a_password_box(build):
    served = build(challenge="Negotiate", more=(SessionCookie(lambda subject: subject),))
    script = served.send(headers={"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"})
    assert [name for name, _ in parse_challenges(script)] == ["Cookie"]


# --- with others


def test_two_schemes_that_read_the_same_are_a_mistake(make_app):
    options = {"header": "X-Forwarded-User", "proxies": ["10.0.0.7"]}
    for schemes in (
        (RemoteUser(lambda name: True), RemoteUser(lambda name: True)),
        (RemoteUser(lambda name: True, **options), APIKey(lambda key: None, header="x-forwarded-user")),
    ):
        auth = Auth(*schemes)
        app = make_app(auth)
        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        with pytest.raises(ConfigurationError, match="both read"):
            auth.check(app)


def test_both_carriers_in_one_app(make_app):
    auth = Auth(
        RemoteUser(lambda name: f"server:{name}"),
        RemoteUser(lambda name: f"proxy:{name}", header="X-Forwarded-User", proxies=["10.0.0.7"]),
    )
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    client = app.test_client()
    field = {"X-Forwarded-User": "grace"}
    assert client.get("/", environ_overrides={**PROXY, "REMOTE_USER": "ada"}).text == "server:ada"
    assert client.get("/", headers=field, environ_overrides=PROXY).text == "proxy:grace"
    assert client.get("/", headers=field, environ_overrides={**PROXY, "REMOTE_USER": "ada"}).text == "server:ada"


@pytest.mark.parametrize("way", WAYS)
def test_the_explanation_names_what_came_and_no_value(build, way):
    served = build(way, answer=lambda name: None)
    served.app.config["UNAUTHORIZED_EXPLAIN"] = True
    debug = served.send("ada-lovelace").json["debug"]
    assert debug["sent"] == ["REMOTE_USER of the server" if way == "server" else "X-Forwarded-User: …"]
    assert "ada-lovelace" not in str(debug)
    command = (
        "curl -i http://localhost/" if way == "server" else "curl -i -H 'X-Forwarded-User: NAME' http://localhost/"
    )
    assert debug["schemes"][0]["command"] == command


def test_the_explanation_of_a_field_that_was_ignored(build):
    served = build("proxy")
    served.app.config["UNAUTHORIZED_EXPLAIN"] = True
    debug = served.send("ada", **STRANGER).json["debug"]
    ignored = "X-Forwarded-User came from '192.0.2.1', which is not in proxies=, so it was ignored"
    assert (debug["reason"], debug["schemes"][0]["found"]) == (ignored, ignored)
