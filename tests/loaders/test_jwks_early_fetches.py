"""F-27: keys change, and whoever sends invented key ids or forged signatures can't turn that against others."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_unauthorized import AuthUnavailable, InvalidCredentials
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from tests.http_client.server import Gate
from tests.jose.conftest import RELAXED
from tests.jose.signing import AUDIENCE, ISSUER, claims, header, jwk, private, signed

from .keys import Clock, find_ids, jwks, key_set
from .keys import jwk as new_jwk


class Published:
    """A key set that a test changes, and a count of its fetches: key ids and numbers of keys."""

    def __init__(self, **keys):
        self.keys = keys
        self.fetches = 0
        self.down = False

    def __call__(self, url):
        self.fetches += 1
        if self.down:
            raise OSError("down")
        return json.dumps({"keys": [jwk("ES256", n, kid=kid) for kid, n in self.keys.items()]}).encode()


def made(published, **options):
    """A loader, its keys and their clock."""
    keys = JWKS("https://id.example.com/keys", fetch=published, **options)
    keys._clock = clock = Clock()
    return JWT(ISSUER, audience=AUDIENCE, keys=keys, algorithms=("ES256",)), keys, clock


def token(kid="a", number=0):
    return signed(header(kid=kid), claims(), key=private("ES256", number))


def told(loader, text):
    """The status of an answer to a token, and the seconds after which to come back."""
    try:
        loader(text)
    except InvalidCredentials:
        return 401, None
    except AuthUnavailable as error:
        return 503, error.retry_after
    return 200, None


def test_an_invented_id_does_not_make_a_new_key_wait():
    published = Published(a=0)
    loader, _, _ = made(published)
    assert told(loader, token()) == (200, None)
    assert told(loader, token("junk", 7)) == (401, None)
    published.keys = {"a": 0, "b": 1}
    assert told(loader, token("b", 1)) == (200, None)


def test_five_changes_in_a_minute():
    published = Published(k0=0)
    loader, _, _ = made(published)
    for number in range(6):
        published.keys = {f"k{number}": number}
        assert told(loader, token(f"k{number}", number)) == (200, None)
    assert published.fetches == 6
    published.keys = {"k6": 6}
    assert told(loader, token("k6", 6)) == (503, 60)


@pytest.mark.rfc("J-13")
def test_a_new_key_is_never_401_under_a_flood_of_invented_ids():
    published = Published(a=0)
    loader, _, clock = made(published)
    assert told(loader, token()) == (200, None)
    junk = [told(loader, token(f"junk{n}", 7)) for n in range(50)]
    assert junk == [(401, None)] * 5 + [(503, 60)] * 45
    published.keys = {"a": 0, "b": 1}
    clock.turn(20)
    assert told(loader, token("b", 1)) == (503, 40)
    assert told(loader, token()) == (200, None)  # known keys serve as ever
    clock.turn(40)
    assert told(loader, token("b", 1)) == (200, None)
    assert published.fetches == 7


@pytest.mark.parametrize("flood", ["ids", "signatures", "no ids"])
def test_a_flood_costs_the_issuer_five_fetches_a_minute(flood):
    published = Published(a=0)
    loader, _, clock = made(published, cache=7 * 86_400, max_stale=30 * 86_400)
    assert told(loader, token()) == (200, None)
    junk = {"ids": ("junk", 7), "signatures": ("a", 7), "no ids": (..., 7)}[flood]
    forged = [token(f"{junk[0]}{n}" if flood == "ids" else junk[0], junk[1]) for n in range(10)]
    moments = []
    for number in range(1200):  # ten minutes
        before = published.fetches
        status, _ = told(loader, forged[number % 10])
        assert status in ({401, 503} if flood == "ids" else {401})
        assert told(loader, token()) == (200, None)
        moments += [clock.now] * (published.fetches - before)
        clock.turn(0.5)
    assert len(moments) == 50
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[5:], strict=False))


def test_a_new_key_under_the_same_id():
    published = Published(a=0)
    loader, _, _ = made(published)
    assert told(loader, token()) == (200, None)
    published.keys = {"a": 1}
    assert told(loader, token("a", 1)) == (200, None)
    assert published.fetches == 2
    assert told(loader, token("a", 0)) == (401, None)  # the old one


def test_a_new_key_of_another_family_under_the_same_id():
    fetched = [{"keys": [jwk("RS256", kid="a")]}]
    keys = JWKS("https://id.example.com/keys", fetch=lambda url: json.dumps(fetched[0]).encode())
    loader = JWT(ISSUER, audience=AUDIENCE, keys=keys)
    assert told(loader, signed(header("RS256", kid="a"), claims(), "RS256")) == (200, None)
    fetched[0] = {"keys": [jwk("ES256", kid="a")]}
    assert told(loader, token()) == (200, None)


def test_a_new_key_where_neither_tokens_nor_keys_have_an_id():
    fetched = [{"keys": [jwk("ES256", 0)]}]
    keys = JWKS("https://id.example.com/keys", fetch=lambda url: json.dumps(fetched[0]).encode())
    loader = JWT(ISSUER, audience=AUDIENCE, keys=keys)
    assert told(loader, token(...)) == (200, None)
    fetched[0] = {"keys": [jwk("ES256", 1)]}
    assert told(loader, token(..., 1)) == (200, None)


def test_both_keys_are_tried_while_two_stand_and_tokens_name_none():
    published = Published(a=0, b=1, c=2, d=3, e=4)
    loader, _, _ = made(published)
    assert [told(loader, token(..., number))[0] for number in range(6)] == [200, 200, 200, 200, 401, 401]


def test_a_forged_signature_is_401_when_the_budget_is_used_up_or_the_server_is_down():
    published = Published(a=0)
    loader, _, _ = made(published)
    assert told(loader, token()) == (200, None)
    published.down = True
    assert told(loader, token("a", 7)) == (401, None)
    assert told(loader, token("junk", 7)) == (503, 1)
    assert told(loader, token()) == (200, None)


def test_a_withdrawn_key_is_401_even_when_the_budget_is_used_up():
    """Its callers have to get a new token, which 503 doesn't tell them."""
    published = Published(a=0, b=1)
    loader, _, _ = made(published)
    assert told(loader, token()) == (200, None)
    published.keys = {"b": 1}
    assert [told(loader, token(f"junk{n}", 7))[0] for n in range(6)] == [401] * 5 + [503]
    assert [told(loader, token()) for _ in range(3)] == [(401, None)] * 3
    assert told(loader, token("b", 1)) == (200, None)


def test_a_withdrawn_key_that_comes_back_is_good_again():
    published = Published(a=0)
    loader, _, _ = made(published)
    assert told(loader, token())[0] == 200
    published.keys = {"b": 1}
    assert told(loader, token("b", 1))[0] == 200
    published.keys = {"a": 0, "b": 1}
    assert told(loader, token())[0] == 200


def test_the_first_token_costs_one_fetch_whatever_it_names():
    published = Published(a=0)
    loader, _, _ = made(published)
    assert told(loader, token("junk", 7)) == (401, None)
    assert published.fetches == 1


def test_who_waits_for_another_request_s_fetch_gets_its_keys(plain, clock):
    one, two = new_jwk("one"), new_jwk("two")
    plain.answers["/keys"] = key_set(one)
    keys = jwks(plain, clock)
    tried = keys.candidates("one", "ES256")
    changed = {**two, "kid": "one"}
    gate = plain.answers["/keys"] = Gate(key_set(changed), plain)
    found = []

    def ask():
        try:
            found.append(len(keys.newer("one", "ES256", tried)))
        except AuthUnavailable:
            found.append("503")

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.wait()
    for _ in range(1000):  # all but those that may wait have been turned away
        if len(found) == 11:
            break
        threading.Event().wait(0.01)
    assert found == ["503"] * 11
    gate.open()
    for thread in threads:
        thread.join(20)
    assert found[11:] == [1] * 9
    assert plain.calls() == 2


def test_the_reason_names_the_id_and_the_budget():
    published = Published(a=0)
    loader, _, _ = made(published)
    loader(token())
    for number in range(5):
        told(loader, token(f"junk{number}", 7))
    with pytest.raises(AuthUnavailable) as caught:
        loader(token("j\n" + "x" * 200, 7))
    reason = caught.value.reason
    assert reason.startswith("JWKS https://id.example.com/keys: no key has kid 'j\\nxxx")
    assert reason.endswith("and 5 early fetches in 60 s were made")
    assert len(reason) < 200


def test_a_key_that_is_wrong_is_named_once_as_long_as_it_stands(caplog):
    broken = {"kty": "EC", "crv": "P-256", "kid": "old", "x": "AA", "y": "AA"}
    secret = {"kty": "oct", "k": "c2VjcmV0LXZhbHVl"}
    fetched = [jwk("ES256", kid="a"), jwk("RS256", kid="java", use=None), secret]
    keys = JWKS("https://id.example.com/keys", fetch=lambda url: json.dumps({"keys": fetched}).encode())
    keys._clock = clock = Clock()
    for _ in range(5):
        keys.candidates("nobody's", "ES256")
        clock.turn(13)
    assert len(caplog.records) == 2
    assert "JWKS https://id.example.com/keys: key 1 of the set (kid 'java') is used" in caplog.text
    assert "c2VjcmV0LXZhbHVl" not in caplog.text
    fetched.append(broken)
    clock.turn(60)
    keys.candidates("nobody's", "ES256")
    assert [record.getMessage().partition("(kid 'old')")[1] for record in caplog.records] == ["", "", "(kid 'old')"]


# --- T-03: the lock


def test_two_requests_at_the_same_moment_make_one_fetch():
    """The first one stands between asking whether a fetch is due and beginning it, while the second one comes."""
    published = Published(a=0)
    keys = JWKS("https://id.example.com/keys", fetch=published)
    waiting, second_asked = threading.Event(), threading.Event()
    looked = {}  # how often each has looked at the clock: at the beginning, and where a fetch may be due

    def clock():
        times = looked.get(threading.current_thread(), 0)
        looked[threading.current_thread()] = times + 1
        first = threading.current_thread() is one
        if first and times == 1:
            waiting.set()
            second_asked.wait(0.5)  # with the lock it never comes so far
        elif not first and times == 1:
            second_asked.set()
        return 1000.0

    keys._clock = clock
    results = []
    one, two = (threading.Thread(target=lambda: results.append(find_ids(keys, "a"))) for _ in range(2))
    one.start()
    assert waiting.wait(20)
    two.start()
    for thread in (one, two):
        thread.join(20)
    assert results == [["a"], ["a"]]
    assert published.fetches == 1


# --- whatever comes, in whatever order

EVENTS = st.lists(
    st.tuples(st.sampled_from(["good", "junk", "forged", "no id", "rotate", "same id"]), st.integers(0, 40)),
    max_size=60,
)


@RELAXED
@given(EVENTS)
def test_good_tokens_are_never_401_and_the_issuer_is_asked_five_times_a_minute(events):
    """Good tokens are those of the set that stands; the refresh of its own accord is put off."""
    published = Published(k0=0)
    loader, _, clock = made(published, cache=7 * 86_400, max_stale=30 * 86_400)
    assert told(loader, token("k0", 0)) == (200, None)
    kid, number, moments = "k0", 0, []
    known_since_fetch = True
    for event, seconds in events:
        clock.turn(seconds)
        before = published.fetches
        if event == "rotate":
            kid, number, known_since_fetch = f"k{number + 1}", (number + 1) % 6, False
            published.keys = {kid: number}
        elif event == "good":
            status, again = told(loader, token(kid, number))
            assert status == 200 or (status == 503 and not known_since_fetch and 1 <= again <= 60)
        else:
            text = {"junk": ("junk", 7), "forged": (kid, 7), "no id": (..., 7), "same id": (kid, 8)}[event]
            assert told(loader, token(*text))[0] in (401, 503)
        known_since_fetch = known_since_fetch or published.fetches > before
        moments += [clock.now] * (published.fetches - before)
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[5:], strict=False))
