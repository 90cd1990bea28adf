"""What the log says of a refused answer of Digest, and of a refused proof: who runs the app finds the cause there."""

import logging
import re
import time

import pytest

from flask_unauthorized import Identity
from tests.digest_client import ADA, credentials_for, field_value
from tests.dpop_client import GONE, ORIGIN, TOKEN

from .digest_served import Served
from .dpop_served import HOLDER, STRANGER
from .dpop_served import Served as ServedDPoP


@pytest.fixture
def reason(caplog):
    """Status and logged reason of one request."""
    caplog.set_level(logging.INFO, "flask_unauthorized")

    def of(ask):
        caplog.clear()
        response = ask()
        found = [text for text in map(logging.LogRecord.getMessage, caplog.records) if text.startswith("refused")]
        return response.status_code, found[-1].partition("(")[2][:-1]

    return of


@pytest.mark.rfc("D-20", "D-18")
@pytest.mark.parametrize(
    ("changed", "status", "expected"),
    [
        ({"username": None}, 401, "username and username*, or neither"),
        ({"username*": "UTF-8''ada"}, 401, "username and username*, or neither"),
        ({"realm": None}, 401, "no realm"),
        ({"nonce": None}, 400, "no nonce"),
        ({"uri": None}, 401, "no uri"),
        ({"response": None}, 401, "no response"),
        ({"cnonce": None}, 401, "no cnonce"),
        ({"nc": None}, 401, "no nc"),
        ({"qop": None}, 401, "no qop"),
        *(({name: ""}, 401, "an empty realm, nonce, uri, response or cnonce")
          for name in ("realm", "uri", "response", "cnonce")),
        ({"nonce": ""}, 400, "an empty realm, nonce, uri, response or cnonce"),
        ({"qop": "auth-int"}, 401, "a qop that isn't offered"),
        ({"nc": "1"}, 401, "nc is not eight hex digits"),
        ({"cnonce": "\xe4"}, 401, "a cnonce beyond printable ASCII"),
        ({"cnonce": "a\tb"}, 401, "a cnonce beyond printable ASCII"),
        ({"uri": "/other"}, 400, "uri is not that of the request"),
        ({"userhash": "maybe"}, 401, "userhash is neither true nor false"),
        ({"username": None, "username*": "UTF-8''ada", "userhash": "true"}, 401, "username* with userhash"),
        ({"username": None, "username*": "x"}, 401, "username* is not UTF-8 in the form of RFC 8187"),
        ({"username": ""}, 401, "the name is empty, too long, or has control characters"),
        ({"username": "x" * 1025}, 401, "the name is empty, too long, or has control characters"),
        ({"username": "a\tb"}, 401, "the name is empty, too long, or has control characters"),
        ({"algorithm": "MD5"}, 401, "an algorithm that isn't offered"),
        ({"algorithm": None}, 401, "an algorithm that isn't offered"),
        ({"realm": "other"}, 401, "another realm"),
        ({"nonce": "x.y.z"}, 401, "this app did not sign the nonce for this realm, or SECRET_KEY changed"),
        ({"username": "x" * 1024}, 401, "wrong password, or unknown name"),
        ({"response": "0" * 64}, 401, "wrong password, or unknown name"),
    ],
    ids=repr,
)  # fmt: skip
def test_of_digest(served, reason, changed, status, expected):
    params = {**credentials_for(served.challenge(), **{k: v for k, v in changed.items() if k != "nc"}), **changed}
    value = field_value({name: text for name, text in params.items() if text is not None})
    got = reason(lambda: served.app.test_client().get("/", headers={"Authorization": value}))
    assert got == (status, f"Digest: {expected}")
    assert not served.ran


def test_of_digest_whose_nonce_or_count_is_over(make_app, reason, monkeypatch):
    served = Served(make_app, nonce_lifetime=60)
    offered = served.challenge()
    assert served.ask(offered).status_code == 200
    assert reason(lambda: served.ask(offered)) == (401, "Digest: this count was used, or lies too far behind")
    later = time.time() + 62
    monkeypatch.setattr(time, "time", lambda: later)
    status, text = reason(lambda: served.ask(offered, nc=2))
    assert status == 401
    assert re.fullmatch(r"Digest: the nonce has expired: it is \d+ s old, and nonce_lifetime=60", text)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("", "the loader returned an empty password"),
        ({"MD5": "0" * 32}, "the loader gave no hash for SHA-256, which algorithms= offers"),
    ],
)
def test_of_digest_where_the_loader_has_nothing_to_compare_with(make_app, reason, stored, expected):
    served = Served(make_app, loader=lambda name: stored)
    assert reason(served.ask) == (401, f"Digest: {expected}")


@pytest.mark.parametrize(("length", "expected"), [(4096, "no realm"), (4097, "longer than 4096 bytes")])
def test_of_digest_that_is_long(served, reason, length, expected):
    rest = 'username="' + "x" * (length - 11) + '"'
    assert len(rest) == length
    got = reason(lambda: served.app.test_client().get("/", headers={"Authorization": f"Digest {rest}"}))
    assert got == (400, f"Digest: {expected}")


def test_of_digest_that_breaks_the_grammar(served, reason):
    twice = field_value(credentials_for(served.challenge())) + ', nonce="x"'
    status, text = reason(lambda: served.app.test_client().get("/", headers={"Authorization": twice}))
    assert status == 400
    assert text.startswith("Digest: ")
    assert "twice" in text


@pytest.mark.rfc("P-03")
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"header": {"typ": "JWT"}}, "typ isn't dpop+jwt"),
        ({"header": {"typ": GONE}}, "typ isn't dpop+jwt"),
        ({"header": {"alg": "RS256"}}, "alg is none of ES256, Ed25519, EdDSA, PS256"),
        ({"header": {"alg": "EdDSA"}}, "alg isn't one for the kind of key in jwk"),
        ({"header": {"jwk": GONE}}, "the header has no key (jwk)"),
        ({"header": {"jwk": "x"}}, "jwk isn't a key"),
        ({"header": {"jwk": {**HOLDER.jwk, "d": "AA"}}}, "jwk holds a private or a symmetric key"),
        ({"header": {"jwk": {**HOLDER.jwk, "crv": "P-1"}}}, "jwk: crv is none of P-256, P-384, P-521"),
        ({"header": {"jwk": {"kty": "oct"}}}, "jwk: kty is none of EC, OKP and RSA"),
        ({"header": {"jwk": {**HOLDER.jwk, "x": "A!"}}}, "jwk: x is not base64url (RFC 7515 §2)"),
        ({"header": {"jwk": {**HOLDER.jwk, "y": "AA"}}}, "jwk: y has too many octets, or too few (RFC 7518 §6)"),
        ({"payload": b"x"}, "the payload is not JSON"),
        ({"payload": []}, "the payload is JSON that is not an object"),
        ({"htm": "POST"}, "htm isn't that of this request"),
        ({"ath": GONE}, "ath isn't that of this request"),
        ({"htu": GONE}, "no htu"),
        ({"htu": "ftp://x"}, "htu, or the target of the request, isn't an http or https URI"),
        ({"htu": ORIGIN + "/other"},
         f"htu isn't the address of this request under {ORIGIN}: where clients know the app under another origin or "
         "prefix, say so in DPoP(origin=...)"),
        ({"iat": GONE}, "iat isn't a number"),
        ({"iat": 0}, "iat isn't within 60 seconds before and 10 after our time"),
        ({"exp": "x"}, "exp isn't a number"),
        ({"exp": 0}, "exp has passed"),
        ({"nbf": None}, "nbf isn't a number"),
        ({"nbf": 2**40}, "nbf lies in the future"),
        ({"jti": ""}, "jti isn't a text of 1 to 256 bytes"),
        ({"sign": STRANGER.sign}, "the signature isn't that of the key in the proof"),
    ],
)  # fmt: skip
def test_of_a_proof(dpop, reason, given, expected):
    assert reason(lambda: dpop.ask(**given)) == (401, f"DPoP: {expected}")
    assert dpop.ran == []


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        ("", "no proof: send it in the field DPoP"),
        ("x" * 4097, "longer than 4096 bytes"),
        ("x,x", "more than one proof"),
        ("x" * 4096, "the token has not three parts: only the compact form of a signed token is read"),
    ],
    ids=["none", "long", "two", "as long as it may be"],
)
def test_of_a_proof_that_is_none(dpop, reason, proof, expected):
    got = reason(lambda: dpop.send({"Authorization": f"DPoP {TOKEN}", "DPoP": proof}))
    assert got == (401, f"DPoP: {expected}")


def test_of_a_proof_for_another_address_where_there_are_several(make_app, reason):
    dpop = ServedDPoP(make_app, origin=[ORIGIN, "http://localhost"])
    status, text = reason(lambda: dpop.ask(htu="https://b.example/"))
    assert status == 401
    assert f"of this request under {ORIGIN} or http://localhost: where" in text


def test_of_a_proof_that_was_over_before_the_loader_had_answered(make_app, reason, monkeypatch):
    def slow(token):
        later = time.time() + 71
        monkeypatch.setattr(time, "time", lambda: later)
        return Identity("ada", confirmation={"jkt": HOLDER.jkt})

    dpop = ServedDPoP(make_app, loader=slow)
    assert reason(dpop.ask) == (401, "DPoP: the proof was over before the loader had answered")


def test_of_a_proof_that_was_used(dpop, reason):
    sent = HOLDER.sent()
    assert dpop.send(sent).status_code == 200
    assert reason(lambda: dpop.send(sent)) == (401, "DPoP: this proof was used before (jti)")


@pytest.mark.parametrize(
    ("confirmation", "expected"),
    [
        (None, "the token isn't bound to anything"),
        ({"kid": "1"}, "the token is bound in a way that isn't known here (cnf)"),
        ({"jkt": STRANGER.jkt}, "the key of the proof isn't the one that the token is bound to"),
        ({"jkt": HOLDER.jkt, "x5t#S256": "A" * 43}, "bound to a certificate, which isn't looked at: give certificate="),
    ],
)
def test_of_a_token_that_is_bound_otherwise(dpop, reason, confirmation, expected):
    dpop.confirmation = confirmation
    assert reason(dpop.ask) == (401, f"DPoP: {expected}")


@pytest.mark.parametrize(
    ("hash_", "certificate", "expected"),
    [
        ("x", b"der", "x5t#S256 of the token isn't 43 characters of base64url"),
        ("A" * 43, None, "bound to a certificate, and the client showed none"),
        ("A" * 43, b"der", "bound to another certificate than the client's"),
    ],
)
def test_of_a_certificate(make_app, reason, hash_, certificate, expected):
    dpop = ServedDPoP(make_app, certificate=lambda request: certificate if request.path == "/" else b"")
    dpop.confirmation = {"jkt": HOLDER.jkt, "x5t#S256": hash_}
    assert reason(dpop.ask) == (401, f"DPoP: {expected}")


def test_of_nonces_of_dpop(make_app, reason, monkeypatch):
    dpop = ServedDPoP(make_app, nonce=True, nonce_lifetime=60, window=3600)
    assert reason(dpop.ask) == (401, "DPoP: no nonce in the proof, or not one of ours")
    nonce = dpop.ask().headers["DPoP-Nonce"]
    later = time.time() + 62
    monkeypatch.setattr(time, "time", lambda: later)
    assert reason(lambda: dpop.ask(nonce=nonce)) == (401, "DPoP: the nonce is over")


@pytest.mark.parametrize(("ahead", "taken"), [(60, True), (61, False)])
def test_nonces_of_a_worker_whose_clock_goes_ahead(make_app, monkeypatch, ahead, taken):
    now = int(time.time())
    digest, dpop = Served(make_app), ServedDPoP(make_app, nonce=True)
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    offered, nonce = digest.challenge(), dpop.ask().headers["DPoP-Nonce"]
    monkeypatch.setattr(time, "time", lambda: now)
    assert (digest.ask(offered).status_code, dpop.ask(nonce=nonce).status_code) == ((200, 200) if taken else (401, 401))


def test_what_is_not_in_the_field_authorization_is_no_answer(served, dpop):
    for scheme in (served.digest, dpop.dpop):
        with served.app.test_request_context("/") as context:
            assert scheme.read(context.request, None) is None


# --- names that came percent-encoded (libcurl 8.23)


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("a%20b", ["a%20b", "a b"]),
        ("a%00b", ["a%00b"]),  # nothing with control characters in it reaches the loader
        ("a%zz", ["a%zz"]),
        ("50%", ["50%"]),
        ("a%ff", ["a%ff", "a\N{REPLACEMENT CHARACTER}"]),
    ],
)
def test_which_names_the_loader_is_asked_for(make_app, name, asked):
    names = []
    served = Served(make_app, loader=names.append)
    assert served.ask(name=name).status_code == 401
    assert names == asked


def test_a_name_that_is_there_as_it_came_is_not_decoded(make_app):
    served = Served(make_app, loader=lambda name: (ADA, Identity(name)))
    assert served.ask(name="a%20b").json == {"who": "a%20b"}
