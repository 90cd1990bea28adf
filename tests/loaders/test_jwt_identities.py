"""What tokens say of issuer, methods and ``authorization_details`` (OWASP ASVS 6.8.1, 10.3.2 to 10.3.4)."""

import logging
from functools import partial

import pytest

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.errors import ConfigurationError, InvalidCredentials
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.introspection_response import ResponseRules
from flask_unauthorized.loaders.jwt import JWT, Issuers
from tests.helpers import bearer_header
from tests.jose.conftest import jwt
from tests.jose.signing import claims, header, signed

PAYMENT = {"type": "payment"}
MALFORMED = [None, "payment", {}, PAYMENT, ["payment"], [{}], [{"type": 5}], [{"type": ""}], [PAYMENT, None]]


@pytest.mark.parametrize(
    ("amr", "expected"),
    [
        (["pwd", "hwk"], {"pwd", "hwk"}),
        ([], set()),
        ("hwk", set()),
        (["hwk", 5], set()),
        ({"hwk": 1}, set()),
        (None, set()),
    ],
)
def test_a_malformed_amr_grants_nothing(api, amr, expected):
    assert api().admits(signed(header(), claims(amr=amr))).amr == expected
    response = {"active": True, "sub": "ada", "amr": amr}
    assert ResponseRules(None, None, "sub", None).identity(response, 0).amr == expected


def test_the_issuer_is_that_of_the_token(api):
    identity = api().admits(signed(header(), claims()))
    assert identity.issuer == claims()["iss"]
    assert identity.key == f"{claims()['iss']}#ada"


@pytest.mark.parametrize(
    ("configured", "answered", "expected"), [(None, None, None), ("a", None, "a"), (None, "b", "b"), ("a", "a", "a")]
)
def test_the_issuer_of_an_introspected_token(configured, answered, expected):
    response = {"active": True, "sub": "ada", "iss": answered}
    assert ResponseRules(None, configured, "sub", None).identity(response, 0).issuer == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (Identity(None, roles={"boss"}), "{iss}#ada"),
        (Identity("ada", roles={"boss"}), "{iss}#ada"),
        (Identity("7"), "#7"),
        (Identity("ada", issuer="shop"), "shop#ada"),
        ("a user object", "{iss}#ada"),
    ],
)
def test_a_subject_of_the_app_is_not_one_of_the_issuer(api, user, expected):
    identity = api(user=lambda identity: user).admits(signed(header(), claims()))
    assert identity.key == expected.format(iss=claims()["iss"])


@pytest.mark.parametrize("details", MALFORMED)
def test_malformed_details_reject_the_token(api, details):
    api().refuses(signed(header(), claims(authorization_details=details)))
    with pytest.raises(InvalidCredentials) as caught:
        ResponseRules(None, None, "sub", None).identity({"active": True, "authorization_details": details}, 0)
    assert "authorization_details is" in (caught.value.reason or "")


@pytest.mark.parametrize(("demand", "status"), [(None, 200), ("demand", 403)])
def test_a_token_with_details_and_a_view_that_ignores_them(api, make_app, demand, status):
    load = jwt(authorization_details=demand)
    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.add_url_rule(
        "/pay", "pay", auth.login_required(authorization_details=lambda details: details == [PAYMENT])(lambda: "in")
    )
    token = bearer_header(signed(header(), claims(authorization_details=[PAYMENT])))
    assert app.test_client().get("/", headers=token).status_code == status
    assert app.test_client().get("/pay", headers=token).status_code == 200
    assert app.test_client().get("/", headers=bearer_header(signed(header(), claims()))).status_code == 200


@pytest.mark.parametrize("make", [JWT, partial(Introspection, access_token="s3cret-token")])
def test_a_function_belongs_to_the_guard(make):
    with pytest.raises(ConfigurationError, match="login_required"):
        make("https://id.example.com", audience="api", authorization_details=print)


def of(issuer, **options):
    return JWT(issuer, audience="api", keys=hmac_key(b"k" * 32), algorithms=["HS256"], **options)


@pytest.mark.parametrize(
    ("loaders", "count"),
    [
        ((of("https://a"), of("https://b")), 1),
        ((of("https://a", user=str), of("https://b")), 1),
        ((of("https://a", user=str), of("https://b", user=str)), 0),
        ((of("https://a"),), 0),
    ],
)
def test_the_check_warns_of_subjects_of_several_issuers(make_app, caplog, loaders, count):
    auth = Auth(Bearer(Issuers(*loaders)))
    app = make_app(auth)
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        auth.check(app)
        auth.check(app)
    assert sum("identity.key" in record.message for record in caplog.records) == count
