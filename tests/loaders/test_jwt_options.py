"""What can't be meant is refused while setting up."""

from datetime import timedelta

import pytest

from flask_unauthorized import Auth, Bearer, ConfigurationError
from flask_unauthorized.jose import hmac_key, public_key_jwk, public_key_pem, read_key_set
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwt import DEFAULT_ALGORITHMS, JWT, Issuers
from tests.jose.conftest import jwt
from tests.jose.signing import AUDIENCE, ISSUER, SECRET, jwk, pem, private, token

KEY = public_key_pem(pem("ES256"), kid="k1")


def test_cfg_03_issuer_and_audience_are_demanded():
    with pytest.raises(TypeError, match="audience"):
        JWT(ISSUER, keys=KEY)
    with pytest.raises(TypeError, match="issuer"):
        JWT(audience=AUDIENCE, keys=KEY)
    for issuer in (None, "", " ", f"{ISSUER} ", 5, [ISSUER]):
        with pytest.raises(ConfigurationError, match="issuer"):
            JWT(issuer, audience=AUDIENCE, keys=KEY)
    for audience in ("", [], [""], {5}, (None,)):
        with pytest.raises(ConfigurationError, match="audience"):
            jwt(audience=audience)


@pytest.mark.asvs("V9.1.2")
@pytest.mark.rfc("JB-01")
@pytest.mark.parametrize(
    "algorithms",
    [
        (),
        [],
        ["none"],
        ["None"],
        ["RS256", "none"],
        ["HS256", "RS256"],
        ["HS256", "ES256"],
        ["ES256K"],
        [None],
        ["rs256"],
        [""],
    ],
    ids=str,
)
def test_jws_05_cfg_02_algorithms_are_named(algorithms):
    with pytest.raises(ConfigurationError):
        jwt(algorithms=algorithms)


@pytest.mark.parametrize(
    "changes",
    [{"algorithms": "RS256"}, {"algorithms": [["RS256"]]}, {"leeway": 1.5}, {"leeway": True}, {"leeway": "60"}],
    ids=str,
)
def test_cfg_04_arguments_of_another_type(changes):
    with pytest.raises(TypeError):
        jwt(**changes)


@pytest.mark.rfc("J-03", "JB-01")
def test_the_default_is_asymmetric():
    assert "RS256" in DEFAULT_ALGORITHMS
    assert not [name for name in DEFAULT_ALGORITHMS if name.startswith("HS") or name == "none"]


@pytest.mark.parametrize(
    "keys",
    [
        "secret",
        b"secret",
        pem("ES256"),
        pem("ES256").decode(),
        [],
        ["secret"],
        jwk("ES256"),
        [jwk("ES256")],
        private("ES256"),
    ],
)
def test_key_01_keys_are_typed(keys):
    with pytest.raises((ConfigurationError, TypeError)):
        jwt(keys=keys)


def test_key_03_keys_must_serve_an_algorithm():
    with pytest.raises(ConfigurationError, match="serves"):
        jwt(keys=public_key_pem(pem("RS256")), algorithms=["ES256"])
    with pytest.raises(ConfigurationError, match="serves"):
        JWT(ISSUER, audience=AUDIENCE, keys=hmac_key(SECRET))
    with pytest.raises(ConfigurationError, match="HS"):
        JWT(ISSUER, audience=AUDIENCE, algorithms=["HS256"])


def test_all_ways_to_give_keys():
    import json

    document = json.dumps({"keys": [jwk("ES256", kid="k1")]}).encode()
    for keys in (KEY, [KEY], public_key_jwk(jwk("ES256", kid="k1")), read_key_set(document)):
        assert jwt(keys=keys)(token()).subject == "ada"


@pytest.mark.parametrize(
    "changes",
    [
        {"profile": "lax"},
        {"profile": None},
        {"leeway": -1},
        {"leeway": 86_400},
        {"leeway": 3601},
        {"cache_size": -1},
        {"cache_size": True},
        {"cache_size": 1.5},
        {"cache_size": 10**9},
        {"cache_size": "x"},
        {"roles_claim": ""},
        {"roles_claim": "a..b"},
        {"roles_claim": ()},
        {"roles_claim": 5},
        {"roles_claim": []},
        {"roles_claim": ["a", ""]},
        {"roles_claim": [["a"]]},
        {"roles_claim": {"a"}},
        {"roles_claim": ("a", "")},
        {"user": 5},
        {"revoked": {"a"}},
        {"required_claims": {"tid": ""}},
        {"required_claims": {"tid": []}},
        {"required_claims": {"tid": [5]}},
    ],
    ids=str,
)
def test_clm_26_cfg_04_arguments_that_cannot_be_meant(changes):
    with pytest.raises(ConfigurationError):
        jwt(**changes)


def test_clm_26_a_long_leeway_is_warned_about(caplog):
    for leeway in (0, 60, 300):
        jwt(leeway=leeway)
    assert not caplog.records
    jwt(leeway=301)
    assert "leeway=301" in caplog.text
    jwt(leeway=timedelta(minutes=6))
    assert "leeway=360" in caplog.text


def test_several_issuers():
    for issuers in ((), (jwt(), jwt()), (jwt(), "x"), (None,)):
        with pytest.raises(ConfigurationError, match="Issuers"):
            Issuers(*issuers)
    assert repr(Issuers(jwt())) == f"<Issuers {ISSUER}>"
    assert repr(jwt()) == f"<JWT {ISSUER}>"


def test_parts_are_checked_before_the_first_request(make_app):
    class Checked:
        asked = 0

        def candidates(self, kid, algorithm):
            return (KEY,)

        def __call__(self, identity):
            return False

        def check_app(self, app):
            Checked.asked += 1

    part = Checked()
    for loader in (jwt(keys=part, revoked=part), Issuers(jwt(keys=part, revoked=part))):
        Checked.asked = 0
        auth = Auth(Bearer(loader))
        auth.check(make_app(auth))
        assert Checked.asked == 2


async def async_user(identity):
    return identity


@pytest.mark.parametrize(
    "loader",
    [
        jwt(user=async_user),
        jwt(revoked=async_user),
        Introspection("https://id.example/i", audience=None, access_token="x", user=async_user),
    ],
    ids=str,
)
def test_an_async_part_needs_asgiref(make_app, monkeypatch, loader):
    monkeypatch.setattr("flask_unauthorized.loaders.claims.find_spec", lambda name: None)
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    with pytest.raises(ConfigurationError, match="async"):
        auth.check(app)
