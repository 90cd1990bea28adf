"""What is refused when configuring, realms, and the order of challenges."""

import logging

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    Digest,
    Identity,
    Scheme,
    SessionCookie,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.wire import parse_challenges


def _load(token: str):
    return Identity("ada") if token == "good" else None


def _served() -> Flask:
    app = Flask("served")
    app.test_client().get("/")
    return app


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(lambda: Auth().init_app(Flask("x")), id="CFG-01-no-scheme"),
        pytest.param(lambda: Auth("Bearer"), id="CFG-01-str"),
        pytest.param(lambda: Auth(Bearer), id="CFG-01-class"),
        pytest.param(lambda: Auth(Bearer(_load)).init_app("x"), id="init-app-str"),
        pytest.param(lambda: Auth(Bearer(_load), realm=5), id="realm-type"),
        pytest.param(lambda: Auth(Bearer(_load), implied_scopes={"a": "b"}), id="implied-str"),
        pytest.param(lambda: Auth(Bearer(_load), implied_scopes={"a": {"b"}, "b": {"a"}}), id="implied-cycle"),
        pytest.param(lambda: Auth(Bearer(_load), unavailable=(str,)), id="unavailable-type"),
        pytest.param(lambda: Auth(Bearer(_load), unavailable=OSError), id="unavailable-bare"),
        pytest.param(lambda: Auth(Bearer(_load), unavailable=(BaseException,)), id="unavailable-base"),
        pytest.param(lambda: Auth(Bearer(_load), challenge_order=[Bearer(_load)]), id="order-foreign"),
        pytest.param(lambda: Auth(Bearer(_load)).init_app(_served()), id="CFG-05-after-first-request"),
        pytest.param(lambda: Auth(Bearer(_load)).renderer("html"), id="renderer-type"),
        pytest.param(lambda: APIKey(_load, header="X_Key"), id="key-underscore"),
        pytest.param(lambda: APIKey(_load, header="Authorization"), id="key-authorization"),
        pytest.param(lambda: APIKey(_load, header="a", query="b"), id="key-two-places"),
        pytest.param(lambda: APIKey(_load, header="a b"), id="key-blank"),
        pytest.param(lambda: APIKey(_load, cookie="a", trusted_origins="https://x"), id="origins-str"),
        pytest.param(lambda: APIKey(_load, cookie="a", trusted_origins={"https://x/"}), id="origin-path"),
    ],
)
def test_mistakes_are_told_at_once(mistake):
    with pytest.raises((TypeError, ConfigurationError)):
        mistake()


def test_one_object_given_twice_is_an_error():
    bearer = Bearer(_load)
    with pytest.raises(ConfigurationError, match="twice"):
        Auth(bearer, bearer)


def test_cfg_05_init_app_twice_and_two_auths_and_two_apps():
    auth, app = Auth(Bearer(_load)), Flask("x")
    auth.init_app(app)
    with pytest.raises(ConfigurationError, match="twice"):
        auth.init_app(app)
    with pytest.raises(ConfigurationError, match="another Auth"):
        Auth(Bearer(_load), app=app)
    auth.init_app(Flask("y"))


def test_a_scheme_in_two_auths_has_one_unavailable():
    bearer = Bearer(_load)
    Auth(bearer, unavailable=(OSError,))
    Auth(bearer, unavailable=(OSError,))
    with pytest.raises(ConfigurationError, match="unavailable"):
        Auth(bearer)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("UNAUTHORIZED_RELM", "x", "UNAUTHORIZED_REALM"),
        ("UNAUTHORIZED_GUARD", "loose", "repair"),
        ("UNAUTHORIZED_EXPLAIN", "yes", "True"),
        ("UNAUTHORIZED_REQUIRE_HTTPS", 1, "True"),
        ("UNAUTHORIZED_REALM", 5, "str"),
        ("UNAUTHORIZED_REALM", "caf\xe9", "ASCII"),
        ("UNAUTHORIZED_PROBLEM_BASE", "/errors/", "absolute"),
    ],
)
def test_cfg_01_a_wrong_setting_is_named_with_the_fix(make_app, key, value, told):
    auth = Auth(Bearer(_load))
    with pytest.raises(ConfigurationError, match=told) as caught:
        make_app(auth, **{key: value})  # init_app finds it
    assert key in str(caught.value) or "realm" in str(caught.value)
    other = Auth(Bearer(_load))
    app = make_app(other)
    app.config[key] = value
    with pytest.raises(ConfigurationError, match=told):
        other.check(app)


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("a\r\nX: y", id="HDR-04-CRLF"),
        pytest.param("a\x00", id="HDR-04-NUL"),
        pytest.param("a\x7f", id="HDR-04-DEL"),
        pytest.param("caf\xe9", id="HDR-05"),
        pytest.param("\U0001f511", id="HDR-05-emoji"),
        pytest.param("\ud800", id="HDR-05-surrogate"),
        pytest.param("a" * 257, id="HDR-07"),
    ],
)
def test_a_realm_that_cannot_be_sent_is_refused_wherever_it_is_given(realm):
    for make in (lambda: Auth(Bearer(_load), realm=realm), lambda: Basic(_load_pair, realm=realm)):
        with pytest.raises(ConfigurationError, match="realm"):
            make()


def _load_pair(name: str, password: str):
    return None


@pytest.mark.rfc("H-15")
@pytest.mark.parametrize(
    ("scheme", "auth", "config", "expected"),
    [
        ("s", "a", "c", "s"),
        (None, "a", "c", "c"),
        (None, "a", None, "a"),
        (None, None, None, "appname"),
        ("", "a", "c", ""),
    ],
)
def test_whose_realm_counts(scheme, auth, config, expected):
    extension, app = Auth(Bearer(_load, realm=scheme), realm=auth), Flask("appname")
    app.config["UNAUTHORIZED_REALM"] = config
    extension.init_app(app)
    app.add_url_rule("/", "index", extension.login_required(lambda: "x"))
    assert app.test_client().get("/").headers["WWW-Authenticate"] == f'Bearer realm="{expected}"'


@pytest.mark.parametrize(  # F-19: module names of deployments went out as realms
    ("name", "realm"),
    [
        ("shop", "shop"),
        ("shop.app", "shop"),
        ("shop.app.wsgi", "shop"),
        ("backend.app.main", "backend"),
        ("src.app", "src"),
        ("tests.test_api", "test_api"),
        ("shop.create_app", "shop"),
        ("shop.__init__", "shop"),
        ("shop.__main__", "shop"),
        ("acme.shop", "shop"),
        ("App", "App"),
        ("application", "application"),
        ("app", "app"),
        ("main", "main"),
        ("wsgi", "wsgi"),
        ("app.main", "app.main"),
        ("__init__", "__init__"),
    ],
)
def test_the_default_realm_is_the_last_part_of_the_name_that_says_something(name, realm):
    auth, app = Auth(Bearer(_load)), Flask(name, root_path="/", instance_path="/")
    auth.init_app(app)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    assert app.test_client().get("/").headers["WWW-Authenticate"] == f'Bearer realm="{realm}"'


@pytest.mark.parametrize(  # F-19
    ("scheme", "depends"),
    [
        (lambda realm: Digest(lambda name: None, realm=realm), "Stored hashes depend on it"),
        (lambda realm: SessionCookie(_load, store=MemoryStore(), realm=realm), "Sessions depend on it"),
        (lambda realm: SessionCookie(_load, realm=realm), None),  # without a store only logins of today end
        (lambda realm: Bearer(_load, realm=realm), None),
    ],
)
@pytest.mark.parametrize("given", ["nowhere", "scheme", "Auth", "setting"])
def test_what_is_stored_under_a_default_realm_is_warned_about(caplog, scheme, depends, given):
    auth = Auth(scheme("r" if given == "scheme" else None), realm="r" if given == "Auth" else None)
    app = Flask("shop.app", root_path="/", instance_path="/")
    app.config.update(TESTING=True, SECRET_KEY="x" * 40)
    if given == "setting":
        app.config["UNAUTHORIZED_REALM"] = "r"
    auth.init_app(app)
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        auth.check(app)
    warned = [record.getMessage() for record in caplog.records if "default realm" in record.getMessage()]
    if depends is None or given != "nowhere":
        assert warned == []
    else:
        (message,) = warned
        assert "default realm 'shop'" in message
        assert "the app 'shop.app'" in message
        assert depends in message
        assert "set realm='shop'" in message


class _Named(Scheme[str]):
    def __init__(self, name: str, **params: str) -> None:
        super().__init__()
        self.name = name
        self.reads = (("authorization", name.lower()),)
        self.params = params

    def read(self, request, rest):
        return rest

    def verify(self, credentials, request):
        return None

    def challenges(self, realm, error, request):
        return (Challenge(self.name, {"realm": realm, **self.params}),)


@pytest.mark.rfc("H-22")
@pytest.mark.parametrize(
    ("given", "fixed", "expected"),
    [
        (["Mine", "Bearer", "Basic", "Digest"], [], ["Digest", "Basic", "Bearer", "Mine"]),
        (["B", "A"], [], ["B", "A"]),
        (["DPoP", "Bearer", "Basic"], [], ["Basic", "Bearer", "DPoP"]),
        (["Bearer", "DPoP"], [1], ["DPoP", "Bearer"]),
        (["Basic", "Bearer+metadata"], [], ["Bearer", "Basic"]),
        (["Digest", "Basic", "Bearer"], [2, 1], ["Bearer", "Basic", "Digest"]),
    ],
)
def test_the_order_of_challenges(make_app, given, fixed, expected):
    schemes = []
    for name in given:
        kind, _, metadata = name.partition("+")
        params = {"resource_metadata": "https://x/"} if metadata else {}
        schemes.append(_Named(kind, **({"nonce": "n", "qop": "auth"} if kind == "Digest" else {}), **params))
    auth = Auth(*schemes, challenge_order=[schemes[index] for index in fixed])
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    lines = app.test_client().get("/").headers.getlist("WWW-Authenticate")
    assert [challenge.scheme for challenge in parse_challenges(lines)] == expected
    assert len(lines) == len(expected)


def test_lim_17_headers_beyond_8_kb_are_refused(make_app):
    auth = Auth(Bearer(_load))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(scopes={f"scope-{n:05}" for n in range(1000)})(lambda: "x"))
    with pytest.raises(ConfigurationError, match="8192"):
        auth.check(app)


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("Bad Name", (("header", "x"),)),
        ("X", ()),
        ("X", (("body", "x"),)),
        ("X", (("header", "X-Upper"),)),
        ("X", "header"),
    ],
)
def test_a_scheme_of_a_user_must_have_its_shape(make_app, name, reads):
    scheme = _Named("X")
    scheme.name, scheme.reads = name, reads
    auth = Auth(scheme)
    with pytest.raises(ConfigurationError, match=r"name|reads"):
        auth.check(make_app(auth))


@pytest.mark.parametrize("varies", ["DPoP", ["DPoP"], ("a b",), (1,), None])
def test_the_fields_that_a_scheme_of_a_user_varies_by(make_app, varies):
    scheme = _Named("X")
    scheme.varies = varies
    auth = Auth(scheme)
    with pytest.raises(ConfigurationError, match="varies"):
        auth.check(make_app(auth))


@pytest.mark.rfc("H-32")
def test_a_scheme_of_a_user_that_depends_on_more_says_so(make_app):
    bearer = Bearer(_load)
    bearer.varies = ("X-Device",)
    auth = Auth(bearer)
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    refused, accepted = (app.test_client().get("/", headers={"Authorization": a}) for a in ("", "Bearer good"))
    assert refused.headers["Vary"] == "Accept, Authorization, X-Device"
    assert accepted.headers["Vary"] == "Authorization, X-Device"


def test_a_public_name_with_the_blueprints_prefix_is_told_how_to_write_it(make_app):
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)
    console = Blueprint("console", __name__)
    console.add_url_rule("/login", "login", lambda: "open")
    auth.protect(console, public={"console.login"})
    app.register_blueprint(console)
    with pytest.raises(ConfigurationError, match="relative to the blueprint, write 'login'"):
        auth.check(app)


def test_a_name_that_cannot_be_a_realm_is_told_as_the_apps(make_app):
    auth = Auth(Bearer(lambda token: None))
    app = Flask("müsli")
    auth.init_app(app)
    with pytest.raises(ConfigurationError, match=r"the app's name is the realm .* set UNAUTHORIZED_REALM"):
        auth.check(app)


def test_an_async_loader_without_asgiref_is_found_before_the_first_request(make_app, monkeypatch):
    async def load(token):
        return None

    auth = Auth(Bearer(load))
    monkeypatch.setattr("flask_unauthorized.schemes.base.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"install flask\[async\]"):
        auth.check(make_app(auth))


@pytest.mark.parametrize(
    ("realm", "proposed"), [("mein Büro", "mein Bro"), ("ä", "my app"), ("ü ~ ", " ~ "), ("ä" + "a" * 70, "a" * 64)]
)
def test_a_realm_that_could_be_sent_is_proposed(realm, proposed):
    with pytest.raises(ConfigurationError) as wrong:
        Bearer({}.get, realm=realm)
    assert str(wrong.value).endswith(f"for example {proposed!r}")
