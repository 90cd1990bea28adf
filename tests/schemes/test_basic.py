"""Basic on the wire: RFC 7617 (BA), its vectors (20.1) and what must be refused (BAS)."""

import base64
import functools
import logging
from types import SimpleNamespace

import pytest
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Basic, Challenge, ConfigurationError, Identity
from flask_unauthorized.loaders import Passwords

from .challenges import parse_challenges

FAST = "pbkdf2:sha256:1"


CHALLENGE = [("Basic", {"realm": "console", "charset": "UTF-8"})]


def encoded(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


@pytest.fixture
def build(make_app):
    """An app with one Basic scheme whose loader and view count their calls."""

    def make(answer=lambda name, password: True, *, loader=None, scheme_options=None, **config):
        seen, ran = [], []

        def load(name, password):
            seen.append((name, password))
            return answer(name, password)

        auth = Auth(Basic(loader or load, **(scheme_options or {})), realm="console")
        app = make_app(auth, **config)

        @auth.login_required
        def view():
            ran.append(auth.identity)
            return auth.identity.subject or "nobody"

        for path in ("/", "/a/b", "/a/c"):
            app.add_url_rule(path, view_func=view, endpoint=path.replace("/", "-"))
        return SimpleNamespace(client=app.test_client(), seen=seen, ran=ran, auth=auth)

    return make


def send(api, value, path="/", **kwargs):
    return api.client.get(path, environ_overrides={"HTTP_AUTHORIZATION": f"Basic {value}"}, **kwargs)


def assert_refused(api, response, *, asked=False):
    assert response.status_code == 401
    assert parse_challenges(response) == CHALLENGE
    assert api.ran == []
    assert bool(api.seen) is asked


@pytest.mark.rfc("BA-04", "BA-06")
@pytest.mark.parametrize(
    ("value", "name", "password"),
    [
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame", id="RFC7617-2"),
        pytest.param("dGVzdDoxMjPCow==", "test", "123\u00a3", id="RFC7617-2.1"),
        pytest.param("dXNlcjpwYTpzcw==", "user", "pa:ss", id="first-colon"),
        pytest.param("Pj4+Pz8/On5+fg==", ">>>???", "~~~", id="standard-alphabet"),
    ],
)
def test_vectors(build, value, name, password):
    api = build()
    response = send(api, value)
    assert (response.status_code, response.text) == (200, name)
    assert api.seen == [(name, password)]


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "bAsIc"])
def test_scheme_name_in_any_case_REQ_11(build, scheme):
    api = build()
    response = api.client.get("/", headers={"Authorization": f"{scheme} QWxhZGRpbjpvcGVuIHNlc2FtZQ=="})
    assert response.text == "Aladdin"


@pytest.mark.rfc("BA-05", "BA-07", "BA-08")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="BAS-03-empty"),
        pytest.param("!!!", id="BAS-01-vector"),
        pytest.param("QWxhZGRpbjpvcGVu!IHNlc2FtZQ==", id="BAS-01-bang"),
        pytest.param("QWxhZGRpbjpv cGVuIHNlc2FtZQ==", id="BAS-01-blank"),
        pytest.param("QWxhZGRpbjpv\tcGVuIHNlc2FtZQ==", id="BAS-01-tab"),
        pytest.param("QWxhZGRpbjpv\ncGVuIHNlc2FtZQ==", id="BAS-01-LF"),
        pytest.param("QWxhZGRpbjpv\r\n cGVuIHNlc2FtZQ==", id="BAS-01-CRLF"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ==\u00e9", id="BAS-01-non-ASCII"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ==garbage", id="BAS-01-tail"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ", id="BAS-02-no-padding"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ=", id="BAS-02-half-padding"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZQ====", id="BAS-02-extra-padding"),
        pytest.param("QWxhZGRpbjpvcGVuIHNlc2FtZR==", id="BAS-02-trailing-bits"),
        pytest.param("Pj4-Pz8_On5-fg==", id="BAS-02-base64url"),
        pytest.param("dXNlcg==", id="BAS-03-no-colon"),
        pytest.param("YQBiOmM=", id="BAS-04-NUL"),
        pytest.param("dXMKZXI6cHc=", id="BAS-04-LF"),
        pytest.param("dXN/ZXI6cHc=", id="BAS-04-DEL"),
        pytest.param(encoded("us\x0der:pw"), id="BAS-04-CR-name"),
        pytest.param(encoded("user:p\x0dw"), id="BAS-04-CR-password"),
        pytest.param(encoded("user:p\x1bw"), id="BAS-04-ESC-password"),
        pytest.param(encoded("user:p\x00w"), id="BAS-04-NUL-password"),
        pytest.param(encoded("user:pw\n"), id="BAS-04-LF-password"),
        pytest.param(encoded("user:pw\x7f"), id="BAS-04-DEL-password"),
        pytest.param("dGVzdDoxMjOj", id="BAS-06-latin1"),
        pytest.param("dXNlcjr//g==", id="BAS-06-FFFE"),
        pytest.param(encoded(b"ada:\xed\xa0\x80"), id="BAS-11-surrogate"),
        pytest.param(encoded(b"ada:\xc0\xae"), id="overlong-UTF-8"),
        pytest.param(encoded("u:" + "p" * 4097), id="LIM-11-password"),
        pytest.param(encoded("u" * 1025 + ":p"), id="LIM-11-name"),
    ],
)
def test_bad_credentials_are_401_without_asking_the_verifier(build, value):
    api = build()
    assert_refused(api, send(api, value))


@pytest.mark.rfc("BA-07")
@pytest.mark.parametrize("value", ["dXNlcg==", "", "w6RkYQ=="], ids=["name", "nothing", "beyond-ASCII"])
def test_without_a_colon_there_is_no_empty_password_either(build, value):
    api = build(scheme_options={"empty_password": True})
    assert_refused(api, send(api, value))


@pytest.mark.rfc("BA-08")
@pytest.mark.parametrize("code", [*range(0x20), 0x7F], ids=hex)
@pytest.mark.parametrize("text", ["us{}er:pw", "user:p{}w", "user:pw{}"], ids=["name", "password", "end"])
def test_every_control_character_is_refused(build, text, code):
    api = build()
    assert_refused(api, send(api, encoded(text.format(chr(code)))))


@pytest.mark.rfc("BA-10")
def test_not_utf8_is_401_not_400(build):
    api = build()
    assert_refused(api, send(api, "dXNlcjr//g=="))


@pytest.mark.parametrize("text", ["u:" + "p" * 4096, "u" * 1024 + ":p"], ids=["password", "name"])
def test_longest_name_and_password_are_looked_at_LIM_11(build, text):
    api = build()
    assert send(api, encoded(text)).status_code == 200


@pytest.mark.rfc("BA-09")
@pytest.mark.parametrize("value", ["dXNlcjo=", "OnB3", "Og=="], ids=["BAS-08-user", "BAS-08-pw", "BAS-08-colon"])
def test_empty_parts_are_never_success_of_their_own(build, value):
    api = build(lambda name, password: None)
    assert send(api, value).status_code == 401
    assert api.ran == []


@pytest.mark.rfc("BA-09")
@pytest.mark.parametrize("value", ["dXNlcjo=", "Og=="], ids=["user", "colon"])
def test_empty_password_reaches_the_verifier_only_if_configured_BAS_08(build, value):
    api = build()
    assert_refused(api, send(api, value))
    api = build(lambda name, password: Identity("by-verifier"), scheme_options={"empty_password": True})
    assert send(api, value).text == "by-verifier"


@pytest.mark.rfc("BA-09")
def test_empty_name_with_a_yes_names_nobody_and_is_refused(build):
    api = build(lambda name, password: True)
    assert_refused(api, send(api, "OnB3"), asked=True)


@pytest.mark.rfc("BA-01", "BA-02", "BA-03")
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YWRhOm5v"}], ids=["nothing", "wrong"])
def test_challenge_has_realm_and_charset_and_nothing_else(build, headers):
    api = build(lambda name, password: False)
    response = api.client.get("/", headers=headers)
    assert (response.status_code, parse_challenges(response)) == (401, CHALLENGE)


@pytest.mark.rfc("BA-01", "BA-02", "BA-03")
@pytest.mark.parametrize(
    "params",
    [{}, {"charset": "UTF-8"}, {"realm": "x", "charset": "latin-1"}, {"realm": "x", "error": "invalid_token"}],
    ids=["empty", "no-realm", "charset", "error"],
)
def test_challenge_that_rfc_7617_forbids_cannot_be_made(params):
    with pytest.raises(ValueError):
        Challenge("Basic", params)


@pytest.mark.parametrize("realm", ["K\u00f6nigreich", "a\r\nb", "\u65e5\u672c", "x" * 300])
def test_realm_that_cannot_be_sent_is_refused_at_set_up(realm):
    with pytest.raises(ConfigurationError):
        Basic(lambda name, password: True, realm=realm)


@pytest.mark.rfc("BA-14")
def test_realm_is_opaque_and_keeps_its_case(make_app):
    upper = Basic(lambda name, password: name == "A", realm="A")
    lower = Basic(lambda name, password: name == "a", realm="a")
    auth = Auth(upper, lower)
    app = make_app(auth)
    app.add_url_rule("/A", "A", auth.login_required(via=upper)(lambda: "A"))
    app.add_url_rule("/a", "a", auth.login_required(via=lower)(lambda: "a"))
    client = app.test_client()
    for own, other in (("A", "a"), ("a", "A")):
        assert client.get(f"/{own}", auth=(own, "pw")).status_code == 200
        refused = client.get(f"/{own}", auth=(other, "pw"))
        assert [params["realm"] for _, params in parse_challenges(refused)] == [own]


@pytest.mark.rfc("BA-11")
def test_latin1_fallback_reads_the_legacy_spelling_in_one_attempt_BAS_06(build):
    api = build(scheme_options={"latin1": True})
    assert send(api, "dGVzdDoxMjOj").status_code == 200
    assert api.seen == [("test", "123\u00a3")]


@pytest.mark.rfc("BA-11")
def test_utf8_reading_wins_over_latin1_BAS_07(build):
    api = build(lambda name, password: False, scheme_options={"latin1": True})
    assert send(api, "dGVzdDoxMjPCow==").status_code == 401
    assert api.seen == [("test", "123\u00a3")]


@pytest.mark.parametrize("text", [b"us\xa3er:p\x85w\x0a", b"\xa3\x00:pw"])
def test_latin1_fallback_refuses_control_characters_too_BAS_04(build, text):
    api = build(scheme_options={"latin1": True})
    assert_refused(api, send(api, encoded(text)))


@pytest.mark.rfc("BA-12")
@pytest.mark.parametrize("value", ["SsOkc8O4bjpwdw==", "SmHMiHPDuG46cHc="], ids=["NFC", "NFD"])
def test_both_spellings_of_one_name_log_in_BAS_09(build, value):
    api = build(lambda name, password: name == "J\u00e4s\u00f8n" and password == "pw")
    response = send(api, value)
    assert (response.status_code, response.text) == (200, "J\u00e4s\u00f8n")


@pytest.mark.rfc("BA-13")
@pytest.mark.parametrize(
    "name",
    ["\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2", "\u674e\u96f7", "\u0645\u062d\u0645\u062f", "J\u00e4s\u00f8n Doe"],
)
@pytest.mark.parametrize(
    "password",
    [
        pytest.param("two words ", id="BAS-05-blanks"),
        pytest.param("\U0001f511\U0001f512", id="BAS-05-emoji"),
        pytest.param("pa:ss::", id="BAS-05-colons"),
        pytest.param("x" * 73, id="BAS-05-73-bytes"),
        pytest.param("123\u00a3", id="pound"),
    ],
)
def test_international_names_and_passwords_log_in(build, name, password):
    api = build()
    assert send(api, encoded(f"{name}:{password}")).status_code == 200
    assert api.seen == [(name, password)]


@pytest.mark.parametrize(
    "name", ["\uff41\uff4c\uff49\uff43\uff45", "\u0430lice", "alice\u200d", "alice ", " alice", "Alice", "ALICE"]
)
def test_look_alikes_are_not_the_user_BAS_10(build, name):
    api = build(lambda name, password: name == "alice")
    assert_refused(api, send(api, encoded(f"{name}:pw")), asked=True)
    assert send(api, encoded("alice:pw")).status_code == 200


@pytest.mark.parametrize("shape", ["lambda", "partial", "wrapper", "async"])
@pytest.mark.parametrize(("verdict", "status"), [(None, 401), (False, 401), (True, 200)])
def test_async_verifier_in_any_disguise_is_awaited_BAS_16(build, shape, verdict, status):
    async def verify(name, password):
        return verdict

    @functools.wraps(verify)
    def wrapper(*args):
        return verify(*args)

    shapes = {
        "lambda": lambda name, password: verify(name, password),
        "partial": functools.partial(verify),
        "wrapper": wrapper,
        "async": verify,
    }
    api = build(loader=shapes[shape])
    assert send(api, "dXNlcjpwdw==").status_code == status


@pytest.mark.parametrize(
    "value", ["dXNlcjpwdw==,Bearer x", "dXNlcjpwdw==, Basic dXNlcjpwdw=="], ids=["REQ-03", "REQ-01"]
)
def test_two_credentials_in_one_field_are_400(build, value):
    api = build()
    assert send(api, value).status_code == 400
    assert (api.seen, api.ran) == ([], [])


@pytest.mark.parametrize("scheme", ["Foo", "Bearer"])
def test_basic_credentials_under_another_name_are_not_read_REQ_17(build, scheme):
    api = build()
    assert_refused(api, api.client.get("/", headers={"Authorization": f"{scheme} dXNlcjpwdw=="}))


@pytest.mark.rfc("BA-15")
def test_plain_http_is_refused_without_inviting_credentials_BAS_15(build):
    api = build(UNAUTHORIZED_REQUIRE_HTTPS=True)
    response = send(api, "dXNlcjpwdw==")
    assert (response.status_code, parse_challenges(response), api.seen) == (403, [], [])
    assert send(api, "dXNlcjpwdw==", base_url="https://localhost").status_code == 200


@pytest.mark.rfc("BA-15")
@pytest.mark.parametrize(("peer", "warned"), [("203.0.113.9", True), ("127.0.0.1", False), ("127.8.0.1", False)])
def test_plain_http_from_another_machine_is_warned_about(build, caplog, peer, warned):
    api = build()
    environ = {"REMOTE_ADDR": peer, "HTTP_AUTHORIZATION": "Basic dXNlcjpwdw=="}
    assert api.client.get("/", environ_overrides=environ).status_code == 200
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert bool(warnings) is warned


@pytest.mark.rfc("BA-17")
def test_sibling_path_takes_credentials_unasked(build):
    api = build()
    assert [send(api, "dXNlcjpwdw==", path).status_code for path in ("/a/c", "/a/b")] == [200, 200]


@pytest.mark.rfc("BA-18")
@pytest.mark.parametrize("accept", ["application/json", "text/html", "application/problem+json", "text/plain"])
def test_unknown_user_and_wrong_password_look_the_same(build, accept):
    passwords = {"ada": "right"}
    api = build(lambda name, password: passwords.get(name) == password)
    wrong, unknown = (send(api, encoded(text), headers={"Accept": accept}) for text in ("ada:wrong", "bob:wrong"))
    assert (wrong.status, list(wrong.headers), wrong.data) == (unknown.status, list(unknown.headers), unknown.data)
    assert wrong.status_code == 401


@pytest.mark.parametrize("latin1", [False, True])
def test_lone_surrogates_are_no_500_BAS_11(make_app, latin1):
    auth = Auth(Basic(Passwords({"ada": generate_password_hash("pw", method=FAST)}, method=FAST), latin1=latin1))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    headers = {"Authorization": "Basic YWRhOu2ggA=="}  # ada: ED A0 80
    assert app.test_client().get("/", headers=headers).status_code == 401


def test_an_empty_name_is_the_clients_doing(make_app):
    auth = Auth(Basic(lambda name, password: name))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    app.config["PROPAGATE_EXCEPTIONS"] = True
    assert app.test_client().get("/", auth=("", "p")).status_code == 401
    assert app.test_client().get("/", auth=("ada", "p")).status_code == 200
