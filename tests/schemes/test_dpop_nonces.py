"""DPoP: the nonces that a resource server asks for (RFC 9449 §8, §9)."""

import re
import secrets
import time
from base64 import urlsafe_b64decode

import joserfc.jwk as joserfc_jwk
import joserfc.jwt as joserfc_jwt
import pytest
from flask import Response

from flask_unauthorized import Auth, Digest, DPoP, Identity
from flask_unauthorized.schemes.nonces import Nonces
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.wire.dpop import access_token_hash
from tests.dpop_client import GONE, ORIGIN, TOKEN

from .digest_served import Served as ServedDigest
from .dpop_served import (
    CHALLENGE,
    HOLDER,
    STRANGER,
    Served,
    assert_proof_refused,
    assert_token_refused,
    error_of,
    params,
)

FIELD = "DPoP-Nonce"


@pytest.fixture
def served(make_app):
    return Served(make_app, nonce=True)


def nonce_of(response):
    (nonce,) = response.headers.getlist(FIELD)
    return nonce


def assert_nonce_required(served, response):
    """The triple of RFC 9449 §9, with one nonce, and not to be stored."""
    assert (response.status_code, error_of(response)) == (401, "use_dpop_nonce")
    assert re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", nonce_of(response))
    assert response.headers["Cache-Control"] == "no-store"
    assert served.ran == []
    return nonce_of(response)


def later(monkeypatch, seconds):
    then = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: then)


@pytest.mark.asvs("FAPI-nonces")
@pytest.mark.rfc("P-14", "P-27")
def test_a_client_without_a_nonce_gets_one_and_gets_in_with_it(served):
    nonce = assert_nonce_required(served, served.ask())
    response = served.ask(nonce=nonce)
    assert (response.status_code, response.json) == (200, {"who": "ada"})
    assert FIELD not in response.headers


@pytest.mark.rfc("P-27", "P-32")
def test_beside_bearer_only_dpop_asks_for_it(make_app):
    response = Served(make_app, nonce=True, bearer=True).ask()
    bearer, dpop = (params(line)[1] for line in response.headers.getlist(CHALLENGE))
    assert bearer == {"realm": "api"}
    assert dpop["error"] == "use_dpop_nonce"
    assert dpop["algs"]


@pytest.mark.rfc("P-14", "P-35")
@pytest.mark.parametrize(
    "change",
    [
        lambda nonce: "",
        lambda nonce: None,
        lambda nonce: 1,
        lambda nonce: [nonce],
        lambda nonce: "eyJ7S_zG.eyJH0-Z.HX4w-7v",
        lambda nonce: nonce + "x",
        lambda nonce: nonce[:-1],
        lambda nonce: ("b" if nonce[0] == "a" else "a") + nonce[1:],
        lambda nonce: nonce.swapcase(),
        lambda nonce: f'"{nonce}"',
        lambda nonce: nonce + "\r\n",
        lambda nonce: nonce + "=",
        lambda nonce: nonce[:-1] + chr(ord(nonce[-1]) + 1),  # the same octets: spare bits are set
        lambda nonce: nonce * 5,
        lambda nonce: "ä",
    ],
)
def test_dpo_23_a_nonce_that_is_not_ours(served, change):
    nonce = nonce_of(served.ask())
    again = assert_nonce_required(served, served.ask(nonce=change(nonce)))
    assert served.ask(nonce=again).status_code == 200


def test_dpo_23_a_nonce_of_ten_kilobytes_makes_a_proof_that_is_too_long(served):
    assert_proof_refused(served, served.ask(nonce="x" * 10_000))


@pytest.mark.rfc("P-14")
def test_dpo_23_a_nonce_of_another_purpose_realm_app_or_key(make_app):
    served = Served(make_app, nonce=True)
    digest = Digest({"ada": "x"}.get, realm="api")
    other_app = make_app(Auth(digest), SECRET_KEY=served.app.config["SECRET_KEY"])
    other_key = make_app(Auth(Digest({}.get)), SECRET_KEY="b" * 32)
    dpop, others = Nonces("dpop"), [Nonces("digest"), Nonces("")]
    with served.app.app_context():
        found = [nonces.mint(served.app, "api") for nonces in others] + [dpop.mint(served.app, "another realm")]
        found += [dpop.mint(other_app, "api"), dpop.mint(other_key, "api")]
        good = dpop.mint(served.app, "api")
    for nonce in found:
        assert_nonce_required(served, served.ask(nonce=nonce))
    assert served.ask(nonce=good).status_code == 200


@pytest.mark.rfc("P-26")
def test_dpo_23_no_nonce_for_whoever_has_neither_token_nor_key(served):
    assert_token_refused(served, served.ask(token="junk"))
    assert_token_refused(served, served.ask(STRANGER))
    assert_proof_refused(served, served.ask(sign=STRANGER.sign))
    assert_proof_refused(served, served.ask(htm="POST"))
    for response in (served.ask(token="junk"), served.ask(STRANGER), served.send()):
        assert FIELD not in response.headers


@pytest.mark.rfc("P-37")
def test_dpo_24_a_nonce_serves_many_requests_until_it_is_over(served, monkeypatch):
    nonce = nonce_of(served.ask())
    assert [served.ask(nonce=nonce).status_code for _ in range(5)] == [200] * 5
    later(monkeypatch, 290)
    assert served.ask(nonce=nonce).status_code == 200
    later(monkeypatch, 20)
    served.ran.clear()
    assert_nonce_required(served, served.ask(nonce=nonce))


@pytest.mark.rfc("P-37", "P-36", "P-34")
def test_a_success_brings_a_new_nonce_when_half_of_the_old_one_is_over(served, monkeypatch):
    nonce = nonce_of(served.ask())
    first = served.ask(nonce=nonce)
    assert FIELD not in first.headers
    assert "no-store" not in first.headers.get("Cache-Control", "")
    later(monkeypatch, 200)
    response = served.ask(nonce=nonce)
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")
    assert served.ask(nonce=nonce_of(response)).status_code == 200
    later(monkeypatch, 200)
    assert served.ask(nonce=nonce_of(response)).status_code == 200
    served.ran.clear()
    assert_nonce_required(served, served.ask(nonce=nonce))


@pytest.mark.parametrize(("age", "fresh", "status"), [(149, 0, 200), (152, 1, 200), (298, 1, 200), (303, 1, 401)])
def test_when_half_of_it_is_over_and_when_all(served, monkeypatch, age, fresh, status):
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)
    nonce = nonce_of(served.ask())
    monkeypatch.setattr(time, "time", lambda: now + age)
    response = served.ask(nonce=nonce)
    assert (response.status_code, len(response.headers.getlist(FIELD))) == (status, fresh)


def test_a_refusal_for_another_reason_brings_it_too(make_app, monkeypatch):
    served = Served(make_app, nonce=True, demand={"scopes": {"write"}})
    nonce = nonce_of(served.ask())
    later(monkeypatch, 200)
    response = served.ask(nonce=nonce)
    assert response.status_code == 403
    assert nonce_of(response)
    assert response.headers["Cache-Control"] == "no-store"


def test_dpo_24_a_nonce_of_another_worker_and_of_an_older_key(make_app):
    one = Served(make_app, nonce=True)
    nonce = nonce_of(one.ask())
    one.app.config.update(SECRET_KEY="a newer secret of many characters", SECRET_KEY_FALLBACKS=[one.app.secret_key])
    assert one.ask(nonce=nonce).status_code == 200
    # Another worker: the same app, made anew.
    auth = Auth(DPoP(one.load, origin=ORIGIN, realm="api", nonce=True))
    app = make_app(auth, SECRET_KEY=one.app.secret_key)
    app.name = one.app.name
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    fresh = nonce_of(one.ask())
    assert app.test_client().get("/", headers=HOLDER.sent(nonce=fresh)).text == "in"


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_clk_01_a_nonce_from_the_future_or_long_ago(served, monkeypatch, seconds):
    nonce = nonce_of(served.ask())
    later(monkeypatch, seconds)
    assert_nonce_required(served, served.ask(nonce=nonce))


def test_a_proof_that_lacks_a_nonce_is_not_used_up_and_one_with_it_counts_once(served):
    nonce = nonce_of(served.ask(jti="one"))
    assert served.ask(jti="one", nonce=nonce).status_code == 200
    served.ran.clear()
    assert_proof_refused(served, served.ask(jti="one", nonce=nonce))


@pytest.mark.rfc("P-34", "P-36")
@pytest.mark.parametrize("fresh", [False, True])
def test_one_nonce_whatever_the_hooks_of_the_app_add(make_app, monkeypatch, fresh):
    served = Served(make_app, nonce=True)

    @served.app.after_request
    def add(response):
        response.headers.add(FIELD, "of-the-app")
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response

    nonce = nonce_of(served.ask())
    if fresh:
        later(monkeypatch, 200)
    response = served.ask(nonce=nonce) if fresh else served.ask()
    assert response.status_code == (200 if fresh else 401)
    assert nonce_of(response) != "of-the-app"
    assert response.headers["Cache-Control"] == "no-store"


def test_a_handler_of_the_app_cannot_lose_it(make_app):
    served = Served(make_app, nonce=True)
    served.app.register_error_handler(401, lambda error: Response("own", 401))
    assert assert_nonce_required(served, served.ask())


@pytest.mark.rfc("P-34")
def test_two_guards_give_one(make_app):
    identity = Identity("ada", confirmation={"jkt": HOLDER.jkt})
    auth = Auth(DPoP({TOKEN: identity}.get, origin=ORIGIN, nonce=True))
    app = make_app(auth, SECRET_KEY="a" * 32)
    app.add_url_rule("/", "view", auth.login_required(auth.login_required(lambda: "in")))
    auth.protect(app)
    assert nonce_of(app.test_client().get("/", headers=HOLDER.sent()))


@pytest.mark.rfc("P-35")
def test_a_thousand_nonces(served, monkeypatch):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)  # all in one moment: nothing of it is told by the time alone
    with served.app.app_context():
        found = {served.dpop._nonces.mint(served.app, "api") for _ in range(1000)}
    assert len(found) == 1000
    assert len({nonce.partition(".")[0] for nonce in found}) == 1000
    assert len({nonce.rpartition(".")[2] for nonce in found}) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{40,256}", nonce) for nonce in found)
    # No counter: each bit of the random part is set in some nonces only. By chance that fails once in 2**990.
    random = [int.from_bytes(urlsafe_b64decode(nonce.partition(".")[0]), "big") for nonce in found]
    bits = 8 * len(urlsafe_b64decode(min(found).partition(".")[0]))
    assert bits >= 64
    assert all(0 < sum(number >> bit & 1 for number in random) < 1000 for bit in range(bits))


@pytest.mark.rfc("P-29")
@pytest.mark.parametrize("fresh", [False, True])
def test_scripts_of_other_origins_see_the_nonce_and_the_challenge(make_app, monkeypatch, fresh):
    served = Served(make_app, nonce=True)

    @served.app.after_request
    def cors(response):
        response.headers["Access-Control-Allow-Origin"] = "https://spa.example"
        return response

    nonce = nonce_of(served.ask())
    if fresh:
        later(monkeypatch, 200)
    response = served.ask(nonce=nonce if fresh else "", headers={"Origin": "https://spa.example"})
    exposed = {name.strip() for name in response.headers["Access-Control-Expose-Headers"].split(",")}
    assert nonce_of(response)
    assert FIELD in exposed
    assert fresh or CHALLENGE in exposed


def test_without_nonces_one_in_a_proof_is_ignored_and_none_goes_out(make_app):
    response = Served(make_app, store=MemoryStore()).ask(nonce="of the authorization server")
    assert response.status_code == 200
    assert FIELD not in response.headers


@pytest.mark.parametrize(("ahead", "taken"), [(60, True), (61, False)])
def test_nonces_of_a_worker_whose_clock_goes_ahead(make_app, monkeypatch, ahead, taken):
    now = int(time.time())
    digest, dpop = ServedDigest(make_app), Served(make_app, nonce=True)
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    offered, nonce = digest.challenge(), dpop.ask().headers["DPoP-Nonce"]
    monkeypatch.setattr(time, "time", lambda: now)
    assert (digest.ask(offered).status_code, dpop.ask(nonce=nonce).status_code) == ((200, 200) if taken else (401, 401))


# --- clients whose clock is wrong (RFC 9449 §4.3 check 11, §8)

HOUR, DAY = 3600, 86_400
WRONG_CLOCKS = [-100 * 365 * DAY, -DAY, -HOUR, -61, 11, HOUR, DAY, 100 * 365 * DAY]


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize("seconds", WRONG_CLOCKS)
def test_the_time_in_the_nonce_stands_for_iat(served, seconds):
    wrong = int(time.time()) + seconds
    nonce = assert_nonce_required(served, served.ask(iat=wrong))
    assert served.ask(iat=wrong, nonce=nonce).status_code == 200


@pytest.mark.rfc("P-15")
@pytest.mark.parametrize("seconds", WRONG_CLOCKS)
def test_without_nonces_iat_counts_and_a_nonce_of_the_proof_changes_nothing(make_app, served, seconds):
    without = Served(make_app)
    nonce = nonce_of(served.ask())
    assert_proof_refused(without, without.ask(iat=int(time.time()) + seconds, nonce=nonce))


@pytest.mark.rfc("P-06")
@pytest.mark.parametrize("iat", [GONE, None, "now", True, [1], {}])
def test_iat_is_needed_beside_a_nonce(served, iat):
    nonce = nonce_of(served.ask())
    assert_proof_refused(served, served.ask(iat=iat, nonce=nonce))


@pytest.mark.parametrize("iat", [0, -1, 0.5, 10**40])
def test_a_number_that_is_no_sensible_time_is_a_number(served, iat):
    nonce = nonce_of(served.ask(iat=iat))
    assert served.ask(iat=iat, nonce=nonce).status_code == 200


@pytest.mark.parametrize("seconds", [-DAY, 0, DAY])
def test_a_stale_nonce_or_one_of_the_authorization_server_is_refused_whatever_iat_says(served, monkeypatch, seconds):
    stale = nonce_of(served.ask())
    later(monkeypatch, 301)
    iat = int(time.time()) + seconds
    for nonce in (stale, "eyJ7S_zG.eyJH0-Z.HX4w-7v"):  # the latter is that of RFC 9449 figure 20
        fresh = assert_nonce_required(served, served.ask(iat=iat, nonce=nonce))
    assert served.ask(iat=iat, nonce=fresh).status_code == 200


@pytest.mark.parametrize("claims", [{"exp": -1}, {"nbf": 60}])
def test_exp_and_nbf_of_a_proof_count_beside_a_nonce(served, claims):
    """RFC 7519 §4.1.4 and §4.1.5: such a JWT must not be accepted."""
    nonce = nonce_of(served.ask())
    now = int(time.time())
    assert_proof_refused(served, served.ask(nonce=nonce, **{name: now + value for name, value in claims.items()}))


@pytest.mark.rfc("P-03")
@pytest.mark.parametrize("seconds", [-DAY, -100, 0, DAY])
def test_a_proof_counts_once_for_as_long_as_its_nonce_lives(served, monkeypatch, seconds):
    """The replay is refused at each moment, up to the one when the nonce itself is over."""
    now = float(int(time.time()))
    monkeypatch.setattr(time, "time", lambda: now)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    nonce = nonce_of(served.ask())
    sent = HOLDER.sent(iat=int(now) + seconds, nonce=nonce)
    assert served.send(sent).status_code == 200
    served.ran.clear()
    for age in (1, 69, 131, 200, 299, 300):
        monkeypatch.setattr(time, "time", lambda: now + age)
        monkeypatch.setattr(time, "monotonic", lambda: now + age)
        assert_proof_refused(served, served.send(sent))
    for age in (301, 400, 100_000):
        monkeypatch.setattr(time, "time", lambda: now + age)
        monkeypatch.setattr(time, "monotonic", lambda: now + age)
        assert_nonce_required(served, served.send(sent))


@pytest.mark.parametrize("seconds", [-DAY, DAY])
@pytest.mark.parametrize("skew", [-60, 60])
def test_a_proof_counts_once_among_workers_whose_clocks_differ(make_app, monkeypatch, seconds, skew):
    """Two workers share a store whose clock is right. The second one's clock differs by a minute."""
    now = float(int(time.time()))
    clock = {"seconds": now}
    monkeypatch.setattr(time, "time", lambda: clock["seconds"])
    store = MemoryStore()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    one = Served(make_app, nonce=True, store=store)
    nonce = nonce_of(one.ask())
    sent = HOLDER.sent(iat=int(now) + seconds, nonce=nonce)
    assert one.send(sent).status_code == 200
    one.ran.clear()
    for elapsed in (1, 240, 300, 359, 360):
        clock["seconds"] = now + elapsed + skew
        monkeypatch.setattr(time, "monotonic", lambda: now + elapsed)
        response = one.send(sent)
        assert (response.status_code, one.ran) == (401, [])
        # RFC 9449 §11.1: a replay is a used proof while the nonce counts, and later the nonce is over.
        assert error_of(response) == ("invalid_dpop_proof" if elapsed + skew <= 300 else "use_dpop_nonce")


@pytest.mark.parametrize("seconds", [-DAY, DAY])
def test_proofs_that_joserfc_signed_by_a_clock_that_is_a_day_off(served, seconds):
    """An independent implementation signs."""
    key = joserfc_jwk.ECKey.generate_key("P-256")
    served.confirmation = {"jkt": key.thumbprint()}

    def sent(**claims):
        proof = joserfc_jwt.encode(
            {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)},
            {
                "htm": "GET", "htu": ORIGIN + "/", "ath": access_token_hash(TOKEN), "jti": secrets.token_hex(),
                "iat": int(time.time()) + seconds, **claims,
            },
            key, algorithms=["ES256"],
        )  # fmt: skip
        return {"Authorization": f"DPoP {TOKEN}", "DPoP": proof}

    nonce = assert_nonce_required(served, served.send(sent()))
    assert served.send(sent(nonce=nonce)).status_code == 200
