"""Challenges that other code wrote: which stay on a 401, which are repaired, and which are replaced (RFC 9110 §11)."""

import pytest
from flask import Flask, Response, abort

from flask_unauthorized import Auth, Basic, Bearer, Challenge, ConfigurationError, Identity, Scheme
from flask_unauthorized.testing import assert_sound
from tests.helpers import app_with_view, challenge_lines

OURS = 'Bearer realm="notes"'

# What real libraries and servers send, and what the standards say of it.
STAYS = [
    'Token realm="Authentication Required"',  # Flask-HTTPAuth
    'JWT realm="Login Required"',  # Flask-JWT
    "Negotiate",  # RFC 4559 §4.1, the first leg
    "Negotiate oYG2MIGzoAMK",  # the second
    "NTLM",
    "NTLM TlRMTVNTUAACAAAAAAAAADgAAAABAAAA",
    'Hawk ts="1353832234", tsm="abc", error="Stale timestamp"',
    'Digest realm="x",nonce="a",opaque="b",algorithm="MD5",qop="auth"',
    'AWS4-HMAC-SHA256 realm="x"',
    'Signature realm="x",headers="date"',
    'Bearer error="invalid_token", error_description="The access token is invalid"',
    'DPoP algs="ES256"',
    'xBasic realm="x"',
    'FormBased realm="x"',
    'Mutual realm="x"',
    'Basic realm="x", charset="UTF-8"',
    'Basic realm=""',
    "SCRAM-SHA-256 data=abc",
    "HOBA abc==",  # registered: a token68 may stand
    "PrivateToken abc",
    'Negotiate, Basic realm="x"',
    'Bearer realm="x", error="own_code"',
    'Custom realm="x", error="insufficient_scope"',  # what error means is up to that scheme
]
GOES = [
    "",
    "error",
    "login required",
    "Session expired, please log in",
    "Unauthorized",
    "None",
    "Nope",
    "Newauth abc==",
    "Bearer",
    "Bearer abc==",
    "DPoP",
    "Cookie",
    "Basic",
    "Basic dXNlcg==",
    'Basic charset="UTF-8"',
    'Basic realm="caf\xe9"',
    f'Basic realm="{"x" * 257}"',
    'Digest realm="x"',
    'Digest nonce="x", qop="auth"',
    'Digest realm="x", qop="auth"',
    'Bearer error="insufficient_scope"',
    'Bearer error="invalid_request"',
    'Bearer error="say \\"x\\""',
    'Bearer scope=""',
    'DPoP error="insufficient_scope", error_description="more"',
    "Basic, Bearer",
    'Custom x="\xe9"',
]
MENDED = {
    "Basic realm=x": 'Basic realm="x"',
    'basic realm="x"': 'Basic realm="x"',
    'BEARER realm="x"': 'Bearer realm="x"',
    'Basic realm="x", charset="latin-1"': 'Basic realm="x"',
    'Basic realm="x", foo="bar"': 'Basic realm="x"',
    'Bearer realm="x", error="insufficient_scope", error_description="more", scope="a"': 'Bearer realm="x", scope="a"',
    'Bearer realm="x", error_description="caf\xe9"': 'Bearer realm="x"',
    'Bearer realm="x", error_description="say \\"x\\""': 'Bearer realm="x"',
    'Bearer realm="x", scope="a  b"': 'Bearer realm="x"',
    'Bearer realm="x", resource_metadata="/relative"': 'Bearer realm="x"',
    'Bearer realm="caf\xe9", scope="a"': 'Bearer scope="a"',
    'Digest realm="x", nonce="a", qop="auth", stale="maybe"': 'Digest realm="x", nonce="a", qop="auth"',
    'error, Basic realm="x"': 'Basic realm="x"',
    'Basic realm="x", Bearer': 'Basic realm="x"',
    'Custom realm="x", y="\xe9"': 'Custom realm="x"',
}


@pytest.fixture
def auth():
    return Auth(Bearer(lambda token: Identity("ada") if token == "good" else None), realm="notes")


def answering(line):
    return Response("no", 401, {"WWW-Authenticate": line})


MAKERS = {
    "returned": answering,
    "aborted": lambda line: abort(401, response=answering(line)),
    "abort_response": lambda line: abort(answering(line)),
}
each_maker = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)


@pytest.mark.rfc("H-01")
@each_maker
@pytest.mark.parametrize("line", STAYS)
def test_a_sound_challenge_stays_on_an_open_view(make_app, auth, line, maker):  # F-13
    app = make_app(auth)
    app.add_url_rule("/", "view", lambda: maker(line))
    assert challenge_lines(app.test_client().get("/")) == [line]


@pytest.mark.rfc("H-01", "B-27")
@each_maker
@pytest.mark.parametrize("line", GOES)
def test_what_is_no_challenge_gives_way_to_ours(make_app, auth, line, maker):  # F-13
    app = make_app(auth)
    app.add_url_rule("/", "view", lambda: maker(line))
    assert challenge_lines(app.test_client().get("/")) == [OURS]


@pytest.mark.rfc("B-27")
@pytest.mark.parametrize(("line", "sent"), MENDED.items())
def test_a_broken_optional_parameter_goes_and_the_challenge_stays(make_app, auth, line, sent):  # F-13
    app = make_app(auth)
    app.add_url_rule("/", "view", lambda: answering(line))
    assert challenge_lines(app.test_client().get("/")) == [sent]


def plain_answer(line, status=401):
    """As a client gets it from an app without the extension."""
    app = Flask("bare")
    headers = [("WWW-Authenticate", line), ("Cache-Control", "no-store")]
    app.add_url_rule("/", "view", lambda: Response("no", status, headers))
    return app.test_client().get("/")


def test_assert_sound_judges_by_the_same_rule():  # F-13
    for line in STAYS:
        assert assert_sound(plain_answer(line))
    for line in (*GOES, *MENDED):
        with pytest.raises(AssertionError):
            assert_sound(plain_answer(line))


def test_assert_sound_takes_the_token68_of_a_scheme_that_is_named():
    with pytest.raises(AssertionError, match="token68"):
        assert_sound(plain_answer("Own abc=="))
    assert assert_sound(plain_answer("Own abc=="), schemes=["Own"])


def test_an_error_code_is_judged_by_the_status():
    assert assert_sound(plain_answer('Bearer realm="x", error="insufficient_scope"', 403))
    assert assert_sound(plain_answer('Bearer realm="x", error="invalid_request"', 400))


# --- guarded views


GUARDS = {
    "decorator": lambda auth, view: auth.login_required(view),
    "optional": lambda auth, view: auth.login_optional(view),
    "protect": lambda auth, view: view,
    "require": lambda auth, view: lambda: (auth.require(), view())[1],
}


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("guard", GUARDS)
@pytest.mark.parametrize(
    ("line", "sent"),
    [
        ('Basic realm="up"', [OURS, 'Basic realm="up"']),
        ("Negotiate", [OURS, "Negotiate"]),
        ('hello world="1"', [OURS, 'hello world="1"']),
        ('Bearer realm="up"', ['Bearer realm="up"']),
        ('Basic realm="up", Bearer realm="up"', ['Basic realm="up", Bearer realm="up"']),
        ('bearer realm="up"', ['Bearer realm="up"']),
        ("nonsense", [OURS]),
    ],
)
def test_a_guarded_view_names_a_scheme_that_it_takes(make_app, auth, guard, line, sent):  # F-13
    app = make_app(auth)
    if guard == "protect":
        auth.protect(app)
    app.add_url_rule("/", "view", GUARDS[guard](auth, lambda: answering(line)))
    response = app.test_client().get("/", headers={"Authorization": "Bearer good"})
    assert (response.status_code, response.text, challenge_lines(response)) == (401, "no", sent)


def test_only_what_the_view_takes_counts(make_app):  # F-13
    bearer, basic = Bearer(lambda token: "ada"), Basic(lambda name, password: True)
    auth = Auth(bearer, basic, realm="notes")
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(via=basic)(lambda: answering('Bearer realm="x"')))
    response = app.test_client().get("/", headers={"Authorization": "Basic YWRhOnB3"})
    assert challenge_lines(response) == ['Basic realm="notes", charset="UTF-8"', 'Bearer realm="x"']


def test_with_a_handler_of_the_app(make_app, auth):  # F-13
    app = make_app(auth)
    app.register_error_handler(401, lambda error: answering('Basic realm="up"'))
    app.add_url_rule("/open", "open", lambda: abort(401))
    app.add_url_rule("/", "view", auth.login_required(lambda: abort(401)))
    client = app.test_client()
    assert challenge_lines(client.get("/open")) == ['Basic realm="up"']
    assert challenge_lines(client.get("/", headers={"Authorization": "Bearer good"})) == [OURS, 'Basic realm="up"']


@pytest.mark.parametrize("line", ["nonsense", 'Basic realm="up"'])
def test_strict_raises_where_nothing_is_named_that_the_view_takes(make_app, auth, line):  # F-13
    app = make_app(auth, UNAUTHORIZED_GUARD="strict")
    app.add_url_rule("/", "broken_view", auth.login_required(lambda: answering(line)))
    with pytest.raises(ConfigurationError, match="broken_view"):
        app.test_client().get("/", headers={"Authorization": "Bearer good"})


def test_the_token68_of_a_configured_scheme_stays(make_app):
    class Own(Scheme):
        name = "Own"
        reads = (("authorization", "own"),)

        def read(self, request, rest):
            return rest or None

        def verify(self, credentials, request):
            return Identity("ada")

        def challenges(self, realm, error, request):
            return (Challenge("Own", {"realm": realm}),)

    app = make_app()
    Auth(Own(lambda credentials: None), app=app)
    app.add_url_rule("/", "view", lambda: answering("Own abc=="))
    assert challenge_lines(app.test_client().get("/")) == ["Own abc=="]


ADA_BY_TOKEN = {"good": Identity("ada")}


@pytest.mark.parametrize(
    ("foreign", "stays"), [('Bearer realm="r", x="y"', True), ('Bearer realm="own", x="y"', False)]
)
def test_a_challenge_of_another_is_measured_by_the_realm_of_its_scheme(make_app, foreign, stays):
    auth = Auth(Bearer(ADA_BY_TOKEN.get), Basic(lambda name, password: None, realm="own"), realm="r")
    app = app_with_view(make_app, auth)
    app.after_request(lambda answer: answer.headers.set("WWW-Authenticate", foreign) or answer)
    assert (foreign in app.test_client().get("/").headers.getlist("WWW-Authenticate")) is stays


@pytest.mark.parametrize(
    ("foreign", "stays"),
    [
        ('Basic realm="r", charset="UTF-8"', False),  # ours already
        ('BASIC realm="r"', True),
        ('Basic realm="other"', False),
        ("Basic", False),
        ('Digest realm="r", nonce="n", qop="auth"', False),
        ('Bearer realm="r", scope="more"', True),
        ('Custom realm="r"', False),
    ],
)
def test_which_challenge_of_another_stays_beside_ours(make_app, foreign, stays):
    """One of a scheme in force and of our realm; flask-restful and the like put theirs in our place."""
    auth = Auth(Bearer({"plain": Identity("ada")}.get), Basic(lambda name, password: None), realm="r")
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.after_request(lambda answer: answer.headers.set("WWW-Authenticate", foreign) or answer)
    app.after_request(lambda answer: answer.headers.set("Vary", "X-Other") or answer)
    lines = app.test_client().get("/").headers.getlist("WWW-Authenticate")
    ours = ['Basic realm="r", charset="UTF-8"', 'Bearer realm="r"']
    assert lines[:2] == ours
    assert len(lines) == (3 if stays else 2)
    if stays:
        assert lines[2].lower() == foreign.lower()
