"""DPoP: what is let in, what is offered, and who is told which error."""

import base64
import functools
import hashlib
import pickle
import time
from datetime import timedelta

import pytest
from flask import abort

from flask_unauthorized import (
    Auth,
    Basic,
    Bearer,
    ConfigurationError,
    DPoP,
    Identity,
    NonceRequired,
    abort_unauthorized,
)
from flask_unauthorized.stores.memory import MemoryStore
from tests.dpop_client import ORIGIN, TOKEN, Holder

from .dpop_served import CHALLENGE, HOLDER, STRANGER, Served, assert_token_refused, error_of, params

ALGS = 'algs="ES256 Ed25519 EdDSA PS256"'


# --- what is let in


@pytest.mark.rfc("P-01", "P-03", "S-02")
@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "DPoP  "])
def test_a_token_with_a_good_proof_gets_in(dpop, scheme):
    sent = HOLDER.sent()
    response = dpop.send({**sent, "Authorization": f"{scheme} {TOKEN}"})
    assert (response.status_code, response.json) == (200, {"who": "ada"})
    assert dpop.asked == [TOKEN]


@pytest.mark.rfc("P-09", "P-17")
@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519", "EdDSA", "PS256"])
def test_dpo_31_algorithms_that_are_taken(dpop, algorithm):
    holder = Holder(algorithm)
    dpop.confirmation = {"jkt": holder.jkt}
    assert dpop.ask(holder).status_code == 200


@pytest.mark.parametrize("algorithm", ["ES384", "ES512", "PS384", "PS512", "RS256", "RS384", "RS512"])
def test_algorithms_that_are_taken_when_they_are_named(make_app, algorithm):
    holder, served = Holder(algorithm), Served(make_app, algorithms=[algorithm])
    served.confirmation = {"jkt": holder.jkt}
    assert served.ask(holder).status_code == 200
    assert params(served.send().headers[CHALLENGE])[1]["algs"] == algorithm


@pytest.mark.rfc("P-11", "P-12")
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_the_method_and_the_address_are_those_of_the_request(dpop, method):
    assert dpop.ask(method=method, path="/a/b?x=1").status_code == 200


def test_one_caller_is_not_the_next_ones_and_proofs_are_many(dpop):
    assert [dpop.ask().status_code for _ in range(3)] == [200] * 3
    assert dpop.send().status_code == 401


# --- what is offered


@pytest.mark.rfc("P-23", "P-24", "P-22")
def test_nothing_sent_is_401_without_an_error(dpop):
    for headers in ({}, {"DPoP": HOLDER.proof()}, {"Authorization": "Basic YTpi", "DPoP": HOLDER.proof()}):
        response = dpop.send(headers)
        assert response.status_code == 401
        assert response.headers.getlist(CHALLENGE) == [f'DPoP realm="api", {ALGS}']
        assert "DPoP" in response.headers["Vary"]
    assert dpop.asked == []


@pytest.mark.rfc("P-22")
def test_dpo_01_a_proof_alone_is_no_credential_where_login_is_optional(make_app):
    served = Served(make_app)
    served.app.add_url_rule("/open", "open", served.auth.login_optional(lambda: str(served.auth.get_identity())))
    assert served.send({"DPoP": HOLDER.proof(path="/open")}, "/open").text == "None"
    assert served.send({"Authorization": f"DPoP {TOKEN}", "DPoP": "x"}, "/open").status_code == 401


@pytest.mark.rfc("P-28")
def test_the_fields_of_proxies_do_not_count(dpop):
    response = dpop.send({"Proxy-Authorization": f"DPoP {TOKEN}", "DPoP": HOLDER.proof()})
    assert (response.status_code, error_of(response)) == (401, None)
    assert "Proxy-Authenticate" not in response.headers


@pytest.mark.rfc("P-31")
def test_beside_bearer_both_are_offered_and_none_has_an_error(make_app):
    response = Served(make_app, bearer=True).send()
    assert response.headers.getlist(CHALLENGE) == ['Bearer realm="api"', f'DPoP realm="api", {ALGS}']


def test_basic_and_bearer_go_before_dpop(make_app):
    dpop = DPoP({}.get, origin=ORIGIN)
    auth = Auth(dpop, Bearer({}.get), Basic(lambda name, word: False))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    told = app.test_client().get("/").headers.getlist(CHALLENGE)
    assert [line.partition(" ")[0] for line in told] == ["Basic", "Bearer", "DPoP"]


@pytest.mark.rfc("P-32", "P-25", "P-26")
def test_the_scheme_that_was_tried_has_the_error(make_app):
    served = Served(make_app, bearer=True)
    bad = served.send({"Authorization": "Bearer nonsense"})
    assert bad.status_code == 401
    assert [params(line)[1].get("error") for line in bad.headers.getlist(CHALLENGE)] == ["invalid_token", None]
    bad = served.ask(token="nonsense")
    assert bad.status_code == 401
    assert [params(line)[1].get("error") for line in bad.headers.getlist(CHALLENGE)] == [None, "invalid_token"]
    bad = served.ask(htm="POST")
    assert [params(line)[1].get("error") for line in bad.headers.getlist(CHALLENGE)] == [None, "invalid_dpop_proof"]


@pytest.mark.rfc("P-33")
@pytest.mark.parametrize("value", ["Bearer {0}, DPoP {0}", "DPoP {0}, Bearer {0}", "DPoP {0},bearer {0}"])
def test_both_at_once_is_400_in_both(make_app, value):
    served = Served(make_app, bearer=True)
    response = served.send({**HOLDER.sent(), "Authorization": value.format(TOKEN)})
    assert response.status_code == 400
    assert [params(line)[1]["error"] for line in response.headers.getlist(CHALLENGE)] == ["invalid_request"] * 2
    assert served.asked == []


@pytest.mark.parametrize("value", ["DPoP a b", "DPoP a,b", 'DPoP "a"', "DPoP a=b", "DPoP =", "DPoP ä"])
def test_a_token_that_is_no_token68_is_400(dpop, value):
    response = dpop.send({"Authorization": value.encode().decode("latin-1"), "DPoP": HOLDER.proof()})
    assert (response.status_code, error_of(response)) == (400, "invalid_request")
    assert dpop.asked == []


# --- tokens


@pytest.mark.rfc("P-25")
def test_a_bad_or_expired_token_with_a_good_proof_is_told_so(make_app):
    expired = Identity("ada", confirmation={"jkt": HOLDER.jkt}, expires_at=1_000_000_000)
    served = Served(make_app, loader={"old": expired}.get)
    for token in ("old", "of-nobody"):
        response = served.ask(token=token)
        assert (response.status_code, error_of(response)) == (401, "invalid_token")
        assert ALGS in response.headers[CHALLENGE]


@pytest.mark.rfc("P-17", "P-26")
def test_dpo_19_the_proof_of_another_key(dpop):
    assert_token_refused(dpop, dpop.ask(STRANGER))


@pytest.mark.asvs("FAPI-5.3.4-5a", "V10.3.5")
@pytest.mark.rfc("P-18")
@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        {},
        {"jkt": None},
        {"jkt": ""},
        {"jkt": [HOLDER.jkt]},
        {"jkt": HOLDER.jkt + "="},
        {"jkt": HOLDER.jkt.upper()},
        {"x5t#S256": "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0"},
        {"kid": "1"},
        {"jkt": HOLDER.jkt, "jwe": "x"},
    ],
)
def test_dpo_20_and_clm_22_a_token_that_is_not_bound_to_the_key(dpop, confirmation):
    dpop.confirmation = confirmation
    assert_token_refused(dpop, dpop.ask())


@pytest.mark.rfc("P-30", "P-18")
@pytest.mark.parametrize("bearer", [True, False], ids=["beside", "alone"])
def test_dpo_21_a_bound_token_never_passes_as_bearer(make_app, bearer):
    served = Served(make_app, bearer=True)
    via = None if bearer else served.bearer
    served.app.add_url_rule("/via", "via", served.auth.login_required(via=via)(lambda: served.ran.append(1) or "in"))
    response = served.send({"Authorization": f"Bearer {TOKEN}", "DPoP": HOLDER.proof(path="/via")}, "/via")
    told = dict(params(line) for line in response.headers.getlist(CHALLENGE))
    assert (response.status_code, told["Bearer"]["error"]) == (401, "invalid_token")
    assert "error" not in told.get("DPoP", {})
    assert served.ran == []


@pytest.mark.rfc("P-38", "P-39")
def test_what_introspection_tells_is_a_binding_whatever_its_token_type(make_app):
    answer = {"active": True, "sub": "ada", "token_type": "Bearer", "cnf": {"jkt": HOLDER.jkt}}
    served = Served(
        make_app, bearer=True, loader=lambda token: Identity("ada", claims=answer, confirmation=answer["cnf"])
    )
    assert served.ask().status_code == 200
    assert served.ask(STRANGER).status_code == 401
    assert served.send({"Authorization": f"Bearer {TOKEN}"}).status_code == 401


@pytest.mark.rfc("P-17", "P-30")
def test_a_token_of_the_jwt_loader_with_its_cnf(make_app):
    from joserfc import jwt
    from joserfc.jwk import OctKey

    from flask_unauthorized.jose import hmac_key
    from flask_unauthorized.loaders.jwt import JWT

    secret, now = "s" * 32, int(time.time())

    def token(cnf):
        claims = {
            "iss": "https://id.example.com", "aud": ORIGIN, "sub": "ada", "client_id": "app", "jti": "1", "iat": now,
            "exp": now + 60, "scope": "read",
        }  # fmt: skip
        header = {"alg": "HS256", "typ": "at+jwt"}
        return jwt.encode(header, claims if cnf is None else {**claims, "cnf": cnf}, OctKey.import_key(secret))

    keys = hmac_key(secret)
    loader = JWT("https://id.example.com", audience=ORIGIN, keys=keys, algorithms=["HS256"], cache_size=10)
    served = Served(make_app, loader=loader, bearer=True, demand={"scopes": {"read"}})
    bound = token({"jkt": HOLDER.jkt})
    for _ in range(2):  # the second time it is remembered
        assert served.ask(token=bound).json == {"who": "ada"}
        assert error_of(served.ask(STRANGER, token=bound)) == "invalid_token"
        assert served.send({"Authorization": f"Bearer {bound}"}).status_code == 401
        for cnf in (None, {"kid": "1"}, {"jkt": STRANGER.jkt}):
            assert served.ask(token=token(cnf)).status_code == 401
        assert served.send({"Authorization": f"Bearer {token(None)}"}).status_code == 200


@pytest.mark.rfc("P-09")
@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512", "Ed25519", "PS256", "PS512", "RS256"])
def test_proofs_that_joserfc_signed(make_app, algorithm):
    from joserfc import jwt
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}.get(algorithm)
    if curve is not None:
        key = ECKey.generate_key(curve)
    else:
        key = OKPKey.generate_key("Ed25519") if algorithm == "Ed25519" else RSAKey.generate_key(2048)
    served = Served(make_app, algorithms=[algorithm])
    served.confirmation = {"jkt": key.thumbprint()}
    digest = base64.urlsafe_b64encode(hashlib.sha256(TOKEN.encode()).digest()).decode().rstrip("=")
    claims = {"jti": "x", "htm": "GET", "htu": ORIGIN + "/", "iat": int(time.time()), "ath": digest}
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": key.as_dict(private=False)}
    proof = jwt.encode(header, claims, key, algorithms=[algorithm])
    assert served.send({"Authorization": f"DPoP {TOKEN}", "DPoP": proof}).status_code == 200


@pytest.mark.parametrize("answer", ["ada", object()])
def test_dpo_22_a_loader_that_says_nothing_of_the_key_is_a_bug(make_app, answer):
    served = Served(make_app, loader=lambda token: answer, config={"TESTING": False, "PROPAGATE_EXCEPTIONS": False})
    response = served.ask()
    assert response.status_code == 500
    assert served.ran == []


@pytest.mark.parametrize("answer", ["ada", object()])
def test_dpo_22_the_error_says_what_to_return(make_app, answer):
    served = Served(make_app, loader=lambda token: answer)
    with pytest.raises(TypeError) as caught:
        served.ask()
    assert str(caught.value) == (
        "the loader of DPoP returned a bare user or subject, which is bound to no key: return Identity(subject, "
        'user=…, confirmation={"jkt": …}), the cnf of the token'
    )


# --- demands


def test_a_missing_scope_is_403_with_the_scope(make_app):
    response = Served(make_app, demand={"scopes": {"write"}}).ask()
    assert response.status_code == 403
    assert response.headers[CHALLENGE].startswith('DPoP realm="api", scope="write", error="insufficient_scope"')
    assert response.headers[CHALLENGE].endswith(ALGS)


@pytest.mark.rfc("SU-05")
def test_a_login_that_is_too_weak_is_told_in_the_challenge_of_dpop(make_app):
    response = Served(make_app, bearer=True, demand={"acr": "gold", "max_age": 300}).ask()
    bearer, dpop = map(params, response.headers.getlist(CHALLENGE))
    assert response.status_code == 401
    assert "error" not in bearer[1]
    assert dpop[1]["error"] == "insufficient_user_authentication"
    assert (dpop[1]["acr_values"], dpop[1]["max_age"]) == ("gold", "300")


def test_a_bare_401_of_the_app_gets_the_challenge(make_app):
    def view(rest=""):
        abort(401)

    assert Served(make_app, view=view).ask().headers[CHALLENGE].startswith('DPoP realm="api"')


def test_an_app_that_asks_for_a_nonce_itself_gives_one(make_app):
    def view(rest=""):
        abort_unauthorized(error=NonceRequired)

    response = Served(make_app, view=view, nonce=True)
    first = response.ask()
    again = response.ask(nonce=first.headers["DPoP-Nonce"])
    assert error_of(again) == "use_dpop_nonce"
    assert len(again.headers.getlist("DPoP-Nonce")) == 1


# --- origins (DPO-17, DPO-18)


@pytest.mark.rfc("P-12")
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"Host": "evil.example:443"},
        {"Host": "\x80\xff bad"},
        {"X-Forwarded-Prefix": "/evil", "X-Script-Name": "/evil"},
    ],
    ids=str,
)
def test_dpo_17_the_origin_never_follows_the_request(dpop, headers):
    by_flask = set() if headers.get("Host", "").isascii() else {400}  # what Flask 3.0 itself says to such a host
    for evil in ("https://evil.example/", "http://evil.example/", "https:///", "https://api.example.com/evil/"):
        assert dpop.ask(htu=evil, headers=headers).status_code in {401, *by_flask}
    assert dpop.ran == []
    assert dpop.ask(headers=headers).status_code in {200, *by_flask}


@pytest.mark.parametrize("target", [".evil.example/x", "@evil.example/x", ":8443/x"])
def test_a_target_does_not_run_on_from_the_host(dpop, target):
    response = dpop.app.test_client().get(
        "/x", headers=HOLDER.sent(htu=ORIGIN + target), environ_overrides={"RAW_URI": target, "REQUEST_URI": target}
    )
    assert response.status_code == 401


def test_dpo_18_a_prefix_that_the_proxy_cuts_off(make_app):
    served = Served(make_app, origin=ORIGIN + "/v1/")
    assert served.ask(path="/notes", htu=ORIGIN + "/v1/notes").status_code == 200
    assert served.ask(path="/", htu=ORIGIN + "/v1/").status_code == 200
    assert served.ask(path="/notes").status_code == 401


def test_no_target_climbs_over_the_prefix(make_app):
    served = Served(make_app, origin=ORIGIN + "/v1")
    for target in ("/../admin", "/x/../../admin", "/%2e%2e/admin"):
        environ = {"RAW_URI": target, "REQUEST_URI": target}
        sent = HOLDER.sent(path="/admin")
        assert served.app.test_client().get("/admin", headers=sent, environ_overrides=environ).status_code == 401


def test_dpo_18_a_prefix_under_which_the_app_is_mounted(dpop):
    from werkzeug.middleware.dispatcher import DispatcherMiddleware
    from werkzeug.test import Client

    client = Client(DispatcherMiddleware(lambda environ, start: [], {"/v1": dpop.app.wsgi_app}))
    assert client.get("/v1/notes", headers=HOLDER.sent(path="/v1/notes")).status_code == 200
    assert client.get("/v1/notes", headers=HOLDER.sent(path="/notes")).status_code == 401


def test_dpo_18_otherwise_the_log_tells_what_to_configure(dpop, caplog):
    caplog.set_level("INFO", "flask_unauthorized")
    assert dpop.ask(path="/notes", htu=ORIGIN + "/v1/notes").status_code == 401
    assert ORIGIN in caplog.text
    assert "DPoP(origin=" in caplog.text
    assert "/v1/notes" not in caplog.text


def test_several_origins(make_app):
    served = Served(make_app, origin=[ORIGIN, "https://api.example.net:8443", "http://localhost:5000"])
    for origin in (ORIGIN, "https://API.example.net:8443", "http://localhost:5000"):
        assert served.ask(path="/x", htu=origin + "/x").status_code == 200
    assert served.ask(path="/x", htu="https://api.example.net/x").status_code == 401


@pytest.mark.parametrize(
    "keys", [{}, {"RAW_URI": ""}, {"RAW_URI": "https://whatever/a%20b%C3%BC?x", "REQUEST_URI": ""}]
)
def test_servers_that_tell_the_target_otherwise_or_not_at_all(dpop, keys):
    environ = {"RAW_URI": "", "REQUEST_URI": "", **keys}
    sent = HOLDER.sent(htu=ORIGIN + "/a%20b%c3%bc")
    response = dpop.app.test_client().get("/a b%C3%BC", headers=sent, environ_overrides=environ)
    assert response.status_code == 200


def test_a_target_with_raw_octets(dpop):
    environ = {"RAW_URI": "/\xc3\xbc", "REQUEST_URI": "/\xc3\xbc"}
    sent = HOLDER.sent(htu=ORIGIN + "/%C3%BC")
    assert dpop.app.test_client().get("/%C3%BC", headers=sent, environ_overrides=environ).status_code == 200


# --- setting up


@pytest.mark.rfc("P-21")
@pytest.mark.parametrize(
    "origin",
    ["", "api.example.com", "//api.example.com", "ftp://a", "http://api.example.com", "http://localhost.evil.example",
     "https://a@b", "https://a?x", "https://a#x", "https://a b", [], ["https://a", "b"], "http://127.0.0.1.evil/",
     "http://evil.example/://localhost"],
    ids=str,
)  # fmt: skip
def test_origins_that_cannot_be(origin):
    with pytest.raises(ConfigurationError, match="origin"):
        DPoP(origin=origin)


@pytest.mark.asvs("FAPI-5.2.1")
@pytest.mark.rfc("P-21")
def test_plain_http_is_refused_where_https_is_required(make_app):
    served = Served(make_app, config={"UNAUTHORIZED_REQUIRE_HTTPS": True})
    response = served.ask()
    assert (response.status_code, response.headers.get(CHALLENGE)) == (403, None)
    assert served.asked == []
    answered = served.app.test_client().get("/", headers=HOLDER.sent(), base_url=ORIGIN)
    assert answered.status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://localhost", "http://localhost:5000/v1", "http://127.0.0.1:1", "http://[::1]"]
)
def test_plain_http_on_this_machine(origin):
    assert DPoP(origin=origin).origins == (origin,)


@pytest.mark.rfc("P-08")
@pytest.mark.parametrize("names", [[], ["none"], ["HS256"], ["ES256K"], ["es256"], ["ES256", "ES256"], ["ES256", 1]])
def test_algorithms_that_cannot_be(names):
    with pytest.raises(ConfigurationError, match="algorithms"):
        DPoP(origin=ORIGIN, algorithms=names)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"algorithms": "ES256"}, TypeError),
        ({"origin": 1}, TypeError),
        ({"origin": [1]}, TypeError),
        ({"window": -1}, ConfigurationError),
        ({"window": 3601}, ConfigurationError),
        ({"window": True}, TypeError),
        ({"ahead": 3601}, ConfigurationError),
        ({"ahead": 1.5}, TypeError),
        ({"nonce": "yes"}, TypeError),
        ({"nonce_lifetime": 0}, ConfigurationError),
        ({"store": {}}, TypeError),
        ({"certificate": "cert.pem"}, ConfigurationError),
        ({"realm": "a\nb"}, ConfigurationError),
    ],
    ids=str,
)
def test_cfg_04_what_cannot_be_set_up(given, error):
    with pytest.raises(error):
        DPoP(**{"origin": ORIGIN, **given})


def test_windows_may_be_timedeltas(make_app):
    client = Served(make_app, window=timedelta(minutes=2), ahead=timedelta(minutes=2)).app.test_client()
    for ahead, status in ((-125, 401), (-115, 200), (115, 200), (125, 401)):
        assert client.get("/", headers=HOLDER.sent(iat=time.time() + ahead)).status_code == status


def test_cfg_01_without_a_loader(make_app):
    auth = Auth(DPoP(origin=ORIGIN))
    with pytest.raises(ConfigurationError, match="DPoP has no loader"):
        auth.check(make_app(auth))


def test_the_origin_must_be_given():
    with pytest.raises(TypeError, match="origin"):
        DPoP()


def test_nonces_need_a_secret_key_and_nothing_else_does(make_app):
    for nonce, works in ((False, True), (True, False)):
        app = make_app(auth := Auth(DPoP(lambda token: None, origin=ORIGIN, nonce=nonce)))
        if works:
            auth.check(app)
        else:
            with pytest.raises(ConfigurationError, match="SECRET_KEY"):
                auth.check(app)


def test_credentials_and_proofs_show_nothing_and_are_not_pickled(dpop):
    with dpop.app.test_request_context("/", headers=HOLDER.sent()) as context:
        credentials = dpop.dpop.read(context.request, TOKEN)
        dpop.dpop.verify(credentials, context.request)
    assert [repr(credentials), repr(credentials.proof)] == ["<DPoPCredentials>", "<Proof>"]
    for secret in (credentials, credentials.proof):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(secret)


def test_where_an_explanation_is_shown_it_names_the_field_and_the_command(make_app):
    served = Served(make_app, config={"UNAUTHORIZED_EXPLAIN": True})
    sent = HOLDER.sent(htm="POST")
    told = served.send(sent).json["debug"]
    assert told["sent"] == ["Authorization: DPoP …", "DPoP: …"]
    assert told["schemes"][0]["command"].startswith("curl -i -H 'Authorization: DPoP TOKEN' -H 'DPoP: PROOF'")
    assert told["specification_url"].endswith("rfc9449#section-4.3")
    assert "htm" in told["reason"]
    assert sent["DPoP"] not in str(told)


def test_the_page_says_what_a_proof_is(make_app):
    served = Served(make_app)
    for language, text in (("en", "The proof was not accepted"), ("de", "Der Nachweis wurde nicht angenommen")):
        response = served.ask(htm="POST", headers={"Accept": "text/html", "Accept-Language": language})
        assert text in response.text
        assert "DPoP" in response.text


def test_proofs_in_a_store_that_is_shared(make_app):
    store = MemoryStore()
    one, two = Served(make_app, store=store), Served(make_app, store=store)
    sent = HOLDER.sent()
    assert [served.send(sent).status_code for served in (one, two)] == [200, 401]


# --- the size of RSA keys


@pytest.mark.rfc("P-10")
@pytest.mark.parametrize(
    ("bits", "least", "status"),
    [
        (1024, None, 401),
        (2047, None, 401),
        (2048, None, 200),
        (3072, None, 200),
        (2048, 3072, 401),
        (3071, 3072, 401),
        (3072, 3072, 200),
        (4096, 3072, 200),
    ],
)
@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_rsa_keys_of_clients_have_enough_bits(make_app, algorithm, bits, least, status):
    """RFC 7518 §3.3 and §3.5 demand 2048 bits; an app can demand more."""
    holder = holder_of(algorithm, bits)
    served = Served(make_app, algorithms=[algorithm], **({} if least is None else {"min_rsa_bits": least}))
    served.confirmation = {"jkt": holder.jkt}
    responses = [served.ask(holder) for _ in range(2)]  # the second time, a key that was taken is remembered
    assert [response.status_code for response in responses] == [status] * 2
    if status == 401:
        assert [error_of(response) for response in responses] == ["invalid_dpop_proof"] * 2
        assert served.asked == served.ran == []


@functools.cache
def holder_of(algorithm, bits):
    return Holder(algorithm, bits=bits)


def test_min_rsa_bits_is_about_rsa_only(make_app):
    assert Served(make_app, min_rsa_bits=4096).ask().status_code == 200


@pytest.mark.parametrize("bits", [0, -1, 1024, 2047, 4097, 10**40])
def test_min_rsa_bits_out_of_range(bits):
    with pytest.raises(ConfigurationError, match=f"min_rsa_bits={bits} is out of range: write 2048 to 4096"):
        DPoP({}.get, origin=ORIGIN, min_rsa_bits=bits)


@pytest.mark.parametrize("bits", [None, "3072", 3072.0, True])
def test_min_rsa_bits_of_another_type(bits):
    with pytest.raises(TypeError, match="min_rsa_bits must be a whole number of bits, not "):
        DPoP({}.get, origin=ORIGIN, min_rsa_bits=bits)
