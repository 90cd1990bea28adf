"""Claims, through a whole app: what a good token must say, and whose identity it is. Cases CLM-… of the report."""

import time
from functools import partial

import pytest

from flask_unauthorized import DPoP, InvalidCredentials
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwt import JWT, Issuers
from tests.dpop_client import ORIGIN, Holder
from tests.helpers import challenges_of
from tests.jose.conftest import Api, jwt
from tests.jose.signing import AUDIENCE, ISSUER, claims, header, pem, private, signed, token

NOW = time.time
COMPAT = {"profile": "oidc-compat"}


def reason(loader, text):
    """The private reason of a refusal."""
    with pytest.raises(InvalidCredentials) as caught:
        loader(text)
    return caught.value.reason


# --- what must be there


@pytest.mark.rfc("J-08")
@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_clm_01_clm_05_every_claim_of_rfc_9068_is_there(api, name):
    app = api()
    for value in (..., None, "", [], {}, True, [5]):
        app.refuses(token(**{name: value}))


@pytest.mark.rfc("J-08", "J-14")
def test_the_identity_of_a_good_token(api):
    made = claims(acr="urn:gold", auth_time=1_700_000_000, roles=["admin"], scope="b a", client_id="console")
    identity = api(roles_claim="roles").admits(signed(header(), made))
    assert identity.subject == "ada"
    assert (identity.scopes, identity.roles) == ({"a", "b"}, {"admin"})
    assert (identity.acr, identity.auth_time, identity.client_id) == ("urn:gold", 1_700_000_000, "console")
    assert identity.expires_at == made["exp"] + 60
    assert dict(identity.claims) == made
    assert identity.confirmation is None
    assert identity.user is None
    with pytest.raises(TypeError):
        identity.claims["sub"] = "eve"


@pytest.mark.rfc("J-14")
def test_a_client_may_be_the_subject(api):
    """Client credentials, as RFC 9068 §2.2 has them: the subject is an identifier of the client."""
    identity = api().admits(token(sub="console", client_id="console"))
    assert (identity.subject, identity.client_id) == ("console", "console")
    assert api().admits(token(sub="ada", client_id="console")).client_id == "console"


@pytest.mark.rfc("SU-06", "SU-01")
@pytest.mark.parametrize("profile", ["rfc9068", "oidc-compat"])
def test_a_new_token_does_not_make_an_old_login_young(api, profile):
    """A refreshed token has a new ``iat`` and the old ``auth_time`` (RFC 9470 §6.1)."""
    app, now = api(demands={"max_age": 300}, profile=profile), int(NOW())
    assert app.admits(token(iat=now - 3000, auth_time=now - 60))
    for login in (now - 3000, ...):
        refused = app.get(token(iat=now, auth_time=login))
        assert refused.status_code == 401
        assert 'error="insufficient_user_authentication"' in refused.headers["WWW-Authenticate"]


@pytest.mark.rfc("J-01", "JB-17")
@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "Application/AT+JWT"])
def test_clm_14_the_type_of_an_access_token(api, kind):
    assert api().admits(signed(header(typ=kind), claims()))
    assert api(**COMPAT).admits(signed(header(typ=kind), claims()))


@pytest.mark.asvs("V9.2.2")
@pytest.mark.rfc("J-01", "JB-10", "J-12")
@pytest.mark.parametrize(
    "kind",
    [
        "JWT",
        "dpop+jwt",
        "logout+jwt",
        "secevent+jwt",
        "token-introspection+jwt",
        "application/jwt",
        "",
        "at",
        "at+jwt ",
        "application/application/at+jwt",
        "xat+jwt",
        "id_token+jwt",
    ],
)
def test_clm_13_tokens_of_another_type(api, kind):
    api().refuses(signed(header(typ=kind), claims()))
    if kind not in ("JWT", "application/jwt"):
        api(**COMPAT).refuses(signed(header(typ=kind), claims()))


@pytest.mark.rfc("J-01", "J-12")
def test_clm_13_a_token_without_a_type(api):
    for kind in (..., 5, None, ["at+jwt"]):
        api().refuses(signed(header(typ=kind), claims()))


# --- issuer and audience


@pytest.mark.rfc("J-05", "AS-04", "J-10")
@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER + "/",
        ISSUER.upper(),
        ISSUER[:-1],
        ISSUER + "x",
        "https://id.example.com.evil.example",
        "https://good.evil",
        "",
        ISSUER.replace("https", "http"),
        ISSUER + ":443",
        " " + ISSUER,
        [ISSUER],
        {"iss": ISSUER},
        None,
        5,
        ...,
    ],
    ids=str,
)
def test_clm_05_to_07_another_issuer(api, issuer):
    for profile in ("rfc9068", "oidc-compat"):
        api(profile=profile).refuses(token(iss=issuer))


@pytest.mark.asvs("V9.2.3", "V10.3.1")
@pytest.mark.rfc("J-06", "JB-11", "B-24")
@pytest.mark.parametrize(
    "audience",
    [
        ...,
        None,
        "",
        [],
        {},
        5,
        True,
        "https://other.example",
        AUDIENCE + "/",
        AUDIENCE[:-1],
        AUDIENCE.upper(),
        AUDIENCE + "x",
        [AUDIENCE, 5],
        [AUDIENCE, None],
        [[AUDIENCE]],
        {AUDIENCE: 1},
        ["https://other.example"],
        [""],
        f"{AUDIENCE} x",
    ],
    ids=str,
)
def test_clm_09_another_audience(api, audience):
    for profile in ("rfc9068", "oidc-compat"):
        api(profile=profile).refuses(token(aud=audience))


@pytest.mark.asvs("V10.3.1", "V10.3.2")
@pytest.mark.rfc("S-01")
def test_each_request_is_judged_by_audience_and_by_what_it_wants(api):
    app = api(demands={"scopes": {"notes:write"}})
    assert app.admits(token())
    assert app.get(token(scope="notes:read")).status_code == 403
    app.refuses(token(aud="https://other.example"))


@pytest.mark.rfc("J-06")
def test_clm_10_one_audience_among_many(api):
    assert api().admits(token(aud=[*(f"https://{n}.example" for n in range(49)), AUDIENCE]))
    assert api(audience=[AUDIENCE, "api"]).admits(token(aud="api"))


@pytest.mark.rfc("J-06")
def test_clm_09_no_audience_only_if_written_out(api, caplog):
    app = api(audience=None)
    assert "audience=None" in caplog.text
    assert app.admits(token(aud="whoever"))
    caplog.clear()
    api(audience=None, required_claims={"client_id": "console"})
    assert not caplog.records


@pytest.mark.asvs("V6.8.1")
@pytest.mark.rfc("JB-07")
def test_clm_08_keys_and_audience_stay_with_their_issuer(behind):
    other = "https://other.example.com"
    ours = jwt()
    theirs = JWT(other, audience="theirs", keys=public_key_pem(pem("ES256", 1), kid="k1"))
    app = behind(Issuers(ours, theirs))
    assert app.admits(token()).claims["iss"] == ISSUER
    assert app.admits(signed(header(), claims(iss=other, aud="theirs"), key=private("ES256", 1))).claims["iss"] == other
    app.refuses(signed(header(), claims(), key=private("ES256", 1)))
    app.refuses(signed(header(), claims(iss=other, aud="theirs")))
    app.refuses(signed(header(), claims(iss=other), key=private("ES256", 1)))
    app.refuses(token(aud="theirs"))
    for issuer in (..., None, 5, [ISSUER], {}, "https://third.example", ISSUER + "/"):
        app.refuses(token(iss=issuer))
    for text in ("a.b.c", signed(header(), b"[]"), signed(header(typ="JWT"), claims())):
        app.refuses(text)


@pytest.mark.asvs("V8.4.1")
def test_clm_15_another_tenant_of_the_same_issuer(api):
    app = api(required_claims={"tid": "tenant-a"})
    assert app.admits(token(tid="tenant-a"))
    for tenant in ("tenant-b", "tenant", None, ..., 5, "", {"tenant-a": 1}, ["tenant-b"]):
        app.refuses(token(tid=tenant))
    several = api(required_claims={"tid": {"a", "b"}, "groups": "staff"})
    assert several.admits(token(tid="b", groups=["x", "staff"]))
    several.refuses(token(tid="b", groups=["x"]))
    several.refuses(token(tid="c", groups=["staff"]))


# --- time


@pytest.mark.rfc("JB-12")
@pytest.mark.parametrize(
    "end", ["9999999999", True, False, [], {}, 10**30, -(10**30), 1.5e300, "soon", [9999999999], 253_402_300_800]
)
def test_clm_02_an_end_is_a_number(api, end):
    for allowed in (False, True):
        api(allow_eternal=allowed).refuses(token(exp=end))


@pytest.mark.asvs("V9.2.1")
@pytest.mark.rfc("J-07", "JB-12")
def test_clm_03_the_end_is_the_end(monkeypatch):
    now = 1_800_000_000.25
    monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: now)
    exact, kind = jwt(leeway=0), jwt(leeway=60)
    base = {"iat": 1_700_000_000}
    for end in (-5, 0, 1_799_999_999, 1_800_000_000, 1_800_000_000.25):
        assert reason(exact, token(exp=end, **base)).startswith("exp has passed") or end <= 0
    assert exact(token(exp=1_800_000_000.5, **base)).expires_at == 1_800_000_000.5
    assert exact(token(exp=1_800_000_001, **base))
    assert kind(token(exp=1_800_000_000, **base)).expires_at == 1_800_000_060
    assert kind(token(exp=1_799_999_941, **base))
    for end in (1_799_999_940.25, 1_799_999_940, 1_799_999_939):
        assert reason(kind, token(exp=end, **base)).startswith("exp has passed")


@pytest.mark.rfc("J-10")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"}, {"aud": "https://other.example"}, {"exp": 1_700_000_000, "iat": 1_600_000},
        {"exp": ...}, {"nbf": 4_000_000_000}, {"sub": ...}, {"jti": ...}, {"cnf": {}}, {"cnf": ...},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_with_a_token_is_the_same_under_dpop(make_app, changes):
    """RFC 9068 §4: the checks and the error are those of RFC 6750, whatever scheme the token comes under."""
    holder = Holder()
    app = Api(make_app, jwt(), scheme=partial(DPoP, origin=ORIGIN))
    good = {"cnf": {"jkt": holder.jkt}}
    assert app.client.get("/", headers=holder.sent(token=token(**good))).status_code == 200
    refused = app.client.get("/", headers=holder.sent(token=token(**{**good, **changes})))
    assert refused.status_code == 401
    ((scheme, params),) = challenges_of(refused)
    assert (scheme.lower(), params["error"]) == ("dpop", "invalid_token")
    assert len(app.seen) == 1


@pytest.mark.rfc("J-07", "J-10")
def test_an_ended_token_is_told_so(api):
    now = int(NOW())
    refused = api().refuses(token(exp=now - 61, iat=now - 700))
    assert "expired" in refused.headers["WWW-Authenticate"]
    # and a token that ended under another key is only wrong
    wrong = api().refuses(signed(header(), claims(exp=now - 61, iat=now - 700), key=private("ES256", 1)))
    assert "expired" not in wrong.headers["WWW-Authenticate"]


@pytest.mark.rfc("J-07")
def test_clm_01_an_eternal_token_only_if_allowed(api):
    api().refuses(token(exp=...))
    assert api(allow_eternal=True).admits(token(exp=...)).expires_at is None
    api(allow_eternal=True).refuses(token(exp=int(NOW()) - 100, iat=int(NOW()) - 200))


@pytest.mark.rfc("JB-13")
def test_clm_04_not_before_its_time(api):
    app, now = api(), int(NOW())
    assert app.admits(token(nbf=now + 5, iat=now + 5))
    assert app.admits(token(nbf=float(now)))
    for times in (
        {"nbf": now + 600},
        {"iat": now + 600, "exp": now + 900},
        {"iat": now + 30, "exp": now + 20},
        {"nbf": "0"},
        {"nbf": True},
        {"iat": "0"},
        {"iat": True},
        {"iat": 10**30},
        {"nbf": -(10**30)},
        {"nbf": []},
    ):
        app.refuses(token(**times))
        api(**COMPAT).refuses(token(**times))


@pytest.mark.rfc("JB-13")
def test_clm_04_the_bounds_belong_to_what_is_allowed(monkeypatch):
    monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda: 1_800_000_000)
    loader = jwt(leeway=60)
    past, last = 1_700_000_000, 253_402_300_799  # the end of the year 9999
    for times in ({"nbf": 1_800_000_060}, {"iat": 1_800_000_060}, {"iat": 1_799_999_970, "exp": 1_799_999_970}):
        assert loader(token(**{"iat": past, "exp": last, **times}))
    for times in ({"nbf": 1_800_000_061}, {"iat": 1_800_000_061}, {"iat": 1_799_999_971, "exp": 1_799_999_970}):
        with pytest.raises(InvalidCredentials):
            loader(token(**{"iat": past, "exp": last, **times}))
    assert loader(token(iat=-last, exp=last))


def test_clm_25_clocks_that_differ(api, monkeypatch):
    now = NOW()
    for shift in (-30, 30):
        monkeypatch.setattr("flask_unauthorized.loaders.jwt.time", lambda shift=shift: now + shift)
        assert jwt()(token(iat=int(now), nbf=int(now), exp=int(now) + 20))


# --- who


@pytest.mark.asvs("V15.3.5")
@pytest.mark.parametrize(
    "subject",
    [
        ...,
        None,
        "",
        5,
        True,
        [],
        ["ada"],
        {"sub": "ada"},
        "x" * 1025,
        "ada\r\nX-Admin: 1",
        "ada\n",
        "a\x00",
        "a\x7f",
        "\u2028",
    ],
)
def test_clm_17_a_subject_is_a_short_line(api, subject, caplog):
    # In the other profile a token without a subject is that of the client that it names, if it names one (F-24).
    for profile, changes in (("rfc9068", {}), ("oidc-compat", {"client_id": ...})):
        refused = api(profile=profile).refuses(token(sub=subject, **changes))
        assert "X-Admin" not in f"{refused.headers}{refused.text}{caplog.text}"


def test_clm_17_subjects_are_any_characters(api):
    for subject in ("x" * 1024, "auth0|1", "Åsa", "🙂", "a b", "<b>&'\""):
        assert api().admits(token(sub=subject)).subject == subject


@pytest.mark.parametrize("name", [5, [], "", "x" * 257, "a\nb", True])
def test_clm_16_a_jti_is_a_short_line(api, name):
    api().refuses(token(jti=name))
    api(**COMPAT).refuses(token(jti=name))


@pytest.mark.rfc("J-11", "B-13")
@pytest.mark.parametrize(
    "scope",
    [
        ["notes:read"],
        {"notes:read": 1},
        5,
        None,
        True,
        "",
        " ",
        "notes:write",
        "notes:reader",
        "notes",
        "Notes:Read",
        "notes:read,x",
        "x\tnotes:read",
        "notes:read\n",
        "notes:read\r\nx",
        "\u00a0notes:read",
        'x" notes:read',
        "notes:read\\",
        "é notes:read",
        ...,
    ],
    ids=str,
)
def test_clm_18_clm_19_scopes_that_are_not_granted(api, scope):
    app = api(demands={"scopes": {"notes:read"}})
    response = app.get(token(scope=scope))
    assert response.status_code == 403
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]
    assert not app.seen


@pytest.mark.rfc("J-11")
def test_scopes_that_are_granted(api):
    app = api(demands={"scopes": {"notes:read"}})
    for scope in ("notes:read", "a notes:read b", "notes:read  b", " notes:read "):
        assert "notes:read" in app.admits(token(scope=scope)).scopes
    assert jwt()(token(scope=" ".join(f"s{n}" for n in range(1000)))).scopes == {f"s{n}" for n in range(1000)}


def test_clm_18_scp_and_lists_are_for_those_who_ask_for_them():
    strict, kind = jwt(), jwt(**COMPAT)
    for changes, expected in (
        ({"scope": ..., "scp": "a b"}, {"a", "b"}),
        ({"scope": ..., "scp": ["a", "b"]}, {"a", "b"}),
        ({"scope": ["a", "b"]}, {"a", "b"}),
        ({"scope": "a", "scp": ["b"]}, {"a"}),
        ({"scope": ..., "scp": ["a", 5]}, set()),
        ({"scope": ..., "scp": ["a b"]}, set()),
        ({"scope": ..., "scp": ["a", ""]}, set()),
        ({"scope": ..., "scp": ["a\tb"]}, set()),
        ({"scope": ..., "scp": {"a": 1}}, set()),
        ({"scope": ..., "scp": [["a"]]}, set()),
    ):
        assert kind(token(**changes)).scopes == expected
    assert strict(token(scope=..., scp="a")).scopes == set()


@pytest.mark.rfc("J-11")
@pytest.mark.parametrize(
    ("where", "changes", "roles"),
    [
        (None, {"roles": ["admin"]}, set()),
        ("roles", {"roles": ["admin", "b"]}, {"admin", "b"}),
        ("roles", {"roles": "admin"}, {"admin"}),
        ("roles", {"roles": "a b"}, {"a b"}),
        ("roles", {"roles": ""}, set()),
        ("roles", {"roles": ["a", 5]}, set()),
        ("roles", {"roles": {"admin": True, "guest": False, "owner": None}}, {"admin"}),
        ("roles", {"roles": None}, set()),
        ("roles", {}, set()),
        ("realm_access.roles", {"realm_access": {"roles": ["admin"]}}, {"admin"}),
        ("realm_access.roles", {"realm_access": ["roles"]}, set()),
        ("realm_access.roles", {"realm_access.roles": ["admin"]}, set()),
        (("resource_access", "my.api", "roles"), {"resource_access": {"my.api": {"roles": ["admin"]}}}, {"admin"}),
        ("https://api.example.com/roles", {"https://api.example.com/roles": ["admin"]}, {"admin"}),
        ("cognito:groups", {"cognito:groups": ["admin"]}, {"admin"}),
    ],
)
def test_roles_are_where_they_are_said_to_be(where, changes, roles):
    assert jwt(roles_claim=where)(token(**changes)).roles == roles


@pytest.mark.rfc("J-11")
def test_roles_decide(api):
    app = api(demands={"roles": {"admin"}}, roles_claim="roles")
    assert app.admits(token(roles=["admin"]))
    assert app.get(token(roles=["administrator"])).status_code == 403


def test_clm_20_clm_21_claims_are_claims_and_nothing_else(api):
    odd = {
        "verify": False,
        "algorithms": ["none"],
        "__class__": "x",
        "is_admin": True,
        "id": 1,
        "is_authenticated": True,
        "token": "t",
        "nonce_supported": False,
        "roles": ["admin"],
        "user": "root",
        "subject": "root",
        "scopes": ["all"],
    }
    identity = api().admits(token(**odd))
    assert (identity.subject, identity.roles, identity.user) == ("ada", set(), None)
    assert {name: identity.claims[name] for name in odd} == odd


# --- keys that tokens are bound to


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        [],
        {},
        "x",
        5,
        {"jwe": "x"},
        {"jku": "https://x.example"},
        {"kid": "k"},
        {"jwk": {}},
        {"jkt": 5},
        {"jkt": ""},
        {"jkt": None},
        {"jkt": "x", "jwe": "y"},
        {"x5t#S256": []},
    ],
    ids=str,
)
def test_clm_22_a_binding_that_nobody_checks_is_none(confirmation):
    with pytest.raises(InvalidCredentials, match=r".*") as caught:
        jwt()(token(cnf=confirmation))
    assert "cnf" in caught.value.reason


def test_clm_22_clm_23_a_bound_token_is_no_bearer_token(api):
    for confirmation in ({"jkt": "x"}, {"x5t#S256": "y"}, {"jkt": "x", "x5t#S256": "y"}):
        assert dict(jwt()(token(cnf=confirmation)).confirmation) == confirmation
        api().refuses(token(cnf=confirmation))


# --- step-up


@pytest.mark.asvs("V10.3.4", "V6.8.4")
def test_clm_24_an_unknown_login_is_too_old_or_too_weak(api):
    now = int(NOW())
    fresh, gold = api(demands={"max_age": 300}), api(demands={"acr": "urn:gold"})
    assert fresh.admits(token(auth_time=now - 10))
    assert gold.admits(token(acr="urn:gold"))
    for time_ in (..., None, str(now), True, [now], now - 400, now + 4000):
        response = fresh.get(token(auth_time=time_))
        assert response.status_code == 401
        assert 'error="insufficient_user_authentication"' in response.headers["WWW-Authenticate"]
    for acr in (..., None, ["urn:gold"], "urn:silver", "URN:GOLD", 5, ""):
        assert gold.get(token(acr=acr)).status_code == 401
    assert not [seen for seen in gold.seen if seen.acr != "urn:gold"]


# --- the other profile


@pytest.mark.rfc("J-12")
@pytest.mark.parametrize(
    "more",
    [
        {"nonce": "n"},
        {"at_hash": "h"},
        {"c_hash": "h"},
        {"s_hash": "h"},
        {"token_use": "id"},
        {"token_use": 5},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"typ": "Offline"},
        {"typ": "Logout"},
        {"typ": 5},
        {"type": "refresh"},
        {"type": "Refresh"},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    ],
    ids=str,
)
def test_clm_11_clm_12_other_kinds_of_token_in_the_other_profile(api, more):
    app = api(**COMPAT)
    app.refuses(signed(header(typ="JWT"), claims(**more)))
    app.refuses(signed(header(typ=...), claims(**more)))


@pytest.mark.asvs("V9.2.2")
@pytest.mark.rfc("J-12")
def test_clm_11_an_id_token_is_no_access_token(api):
    made = claims(aud="console", nonce="n", at_hash="h", client_id=..., scope=..., jti=...)
    api().refuses(signed(header(typ="JWT"), made))
    for audience in (AUDIENCE, "console"):
        api(audience=audience, **COMPAT).refuses(signed(header(typ="JWT"), made))


def test_what_the_other_profile_relaxes_exactly(api):
    app = api(**COMPAT)
    for kind in ("JWT", "jwt", "application/jwt", "at+jwt", ...):
        assert app.admits(signed(header(typ=kind), claims()))
    for missing in ("client_id", "iat", "jti"):
        assert app.admits(token(**{missing: ...}))
    for name in ("azp", "cid", "appid"):
        assert app.admits(token(**{"client_id": ..., name: "app"})).client_id == "app"
    assert app.admits(token(client_id="first", azp="second")).client_id == "first"
    assert app.admits(token(client_id=5, azp=[])).client_id is None
    for more in ({"token_use": "access"}, {"typ": "Bearer"}, {"typ": "DPoP"}, {"type": "access"}, {"type": "service"}):
        assert app.admits(token(**more))


# --- your objects


@pytest.mark.asvs("V8.3.2")
@pytest.mark.rfc("JB-08")
def test_ldr_12_the_users_own_look_up(behind):
    users = {"ada": ["a user"], "bob": 0}
    app = behind(jwt(user=lambda identity: users.get(identity.subject)))
    assert app.admits(token()).user == ["a user"]
    assert app.admits(token(sub="bob")).user == 0
    app.refuses(token(sub="eve"))
    users.pop("ada")
    app.refuses(token())


def test_a_look_up_may_give_an_identity_but_not_another_key_or_end():
    from flask_unauthorized import Identity

    loader = jwt(user=lambda identity: Identity("ada-7", roles={"admin"}, expires_at=None))
    made = token(cnf={"jkt": "x"}, exp=int(NOW()) + 50)
    identity = loader(made)
    assert (identity.subject, identity.roles, dict(identity.confirmation)) == ("ada-7", {"admin"}, {"jkt": "x"})
    assert identity.expires_at is not None


@pytest.mark.parametrize("answer", [True, False])
def test_a_look_up_that_says_yes_is_a_mistake(behind, answer):
    with pytest.raises(TypeError, match="return your user object"):
        behind(jwt(user=lambda identity: answer)).get(token())


def test_a_look_up_may_be_async(behind):
    async def user(identity):
        return {"name": identity.subject}

    async def revoked(identity):
        return identity.subject == "eve"

    app = behind(jwt(user=user, revoked=revoked))
    assert app.admits(token()).user == {"name": "ada"}
    app.refuses(token(sub="eve"))


@pytest.mark.rfc("J-10")
def test_reasons_name_the_check_and_the_value_of_names_only(make_app):
    from flask_unauthorized.signals import refused

    app = Api(make_app, jwt())
    secret = "v4lue-of-a-claim"
    reasons = []

    def note(sender, error, **more):
        reasons.append(error.reason)

    with refused.connected_to(note):
        for changes in ({"sub": [secret]}, {"exp": secret}, {"cnf": {secret: secret}}, {"jti": [secret]}):
            assert secret not in app.refuses(token(**changes)).text
        assert len(set(reasons)) == 4
        assert not [text for text in reasons if not text or secret in text]
        # What the developer has to compare is shown to him, and not to the client (F-18).
        for changes in ({"iss": secret}, {"aud": secret}):
            assert secret not in app.refuses(token(**changes)).text
        for name in ("kid", "alg", "typ"):
            assert secret not in app.refuses(signed(header(**{name: secret}), claims())).text
    assert len(set(reasons)) == 9
    assert all(secret in text for text in reasons[4:])
