"""Digest: what old clients and devices send, and what adapters make of a request."""

import time

import pytest

from flask_unauthorized import RevokedCredentials
from flask_unauthorized.stores.memory import MemoryStore
from tests.digest_client import ADA, challenge, credentials_for, field_value, hex_hash, sent

from .digest_served import CHALLENGE, Served, is_stale, load


def get(served, value, path="/", **given):
    return served.app.test_client().get(path, headers={"Authorization": value}, **given)


# --- counts that begin with zero (F-38)


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-sess"])
def test_the_count_zero_is_taken_once_like_any_other(make_app, algorithm):
    """Ruby's net-http-digest_auth, and Mechanize on it, count from zero."""
    served = Served(make_app, algorithms=[algorithm])
    offered = served.challenge()
    assert zero(served, offered).status_code == 200
    assert is_stale(zero(served, offered))
    assert [served.ask(offered, nc=nc).status_code for nc in (1, 2)] == [200, 200]
    assert is_stale(zero(served, offered))
    assert is_stale(served.ask(offered, nc=1))


def test_the_count_zero_may_come_late_and_only_with_the_right_password(make_app):
    served = Served(make_app)
    offered = served.challenge()
    assert served.ask(offered, nc=3).status_code == 200
    assert not is_stale(zero(served, offered, password="wrong"))
    assert zero(served, offered).status_code == 200
    assert is_stale(zero(served, offered))


def zero(served, offered, **given):
    """``answer`` counts from one, so the count is put in by hand."""
    password = given.pop("password", ADA)
    params = credentials_for(offered, nc=1, **given)
    algorithm = offered["algorithm"]
    a1 = hex_hash(algorithm, f"ada:{offered['realm']}:{password}")
    if algorithm.endswith("-sess"):
        a1 = hex_hash(algorithm, f"{a1}:{offered['nonce']}:{params['cnonce']}")
    a2 = hex_hash(algorithm, "GET:/")
    response = hex_hash(algorithm, f"{a1}:{offered['nonce']}:00000000:{params['cnonce']}:auth:{a2}")
    return get(served, field_value({**params, "nc": "00000000", "response": response}))


# --- answers without qop (RFC 2069; F-60)


def without_qop(offered, *, method="GET", uri="/", name="ada", password=ADA, **changed):
    """By RFC 2069 §2.1.2 alone."""
    algorithm = offered.get("algorithm", "MD5")
    a1, a2 = hex_hash(algorithm, f"{name}:{offered['realm']}:{password}"), hex_hash(algorithm, f"{method}:{uri}")
    params = {
        "username": name, "realm": offered["realm"], "nonce": offered["nonce"], "uri": uri,
        "response": hex_hash(algorithm, f"{a1}:{offered['nonce']}:{a2}"), **changed,
    }  # fmt: skip
    return field_value({key: value for key, value in params.items() if value is not None})


def md5(served):
    lines = served.app.test_client().get("/").headers.getlist(CHALLENGE)
    return next(offered for offered in map(challenge, lines) if offered["algorithm"] == "MD5")


@pytest.mark.parametrize("changed", [{}, {"algorithm": "MD5"}, {"opaque": "x"}, {"cnonce": "ignored"}])
def test_an_answer_without_qop_where_it_was_asked_for(make_app, changed):
    served = Served(make_app, algorithms=["SHA-256", "MD5"], legacy=True)
    offered = md5(served)
    assert get(served, without_qop(offered, **changed)).json == {"who": "ada"}
    assert served.ask(offered).json == {"who": "ada"}  # those who know qop may use it


@pytest.mark.rfc("D-22")
@pytest.mark.parametrize("legacy", [False, True])
def test_the_formula_without_qop_counts_only_where_it_was_asked_for(make_app, legacy):
    served = Served(make_app, algorithms=["MD5"], legacy=legacy)
    response = get(served, without_qop(served.challenge()))
    assert response.status_code == (200 if legacy else 401)
    assert bool(served.ran) == legacy


def test_a_replayed_answer_without_qop_is_stale(make_app):
    served = Served(make_app, algorithms=["MD5"], legacy=True)
    offered = served.challenge()
    assert get(served, without_qop(offered)).status_code == 200
    assert is_stale(get(served, without_qop(offered)))
    assert is_stale(get(served, without_qop(offered, opaque="another", cnonce="another")))
    assert get(served, without_qop(offered, uri="/other"), "/other").status_code == 200
    assert is_stale(get(served, without_qop(offered, uri="/other"), "/other"))
    assert get(served, without_qop(served.challenge())).status_code == 200
    assert len(served.ran) == 3


def test_an_answer_without_qop_is_bound_to_method_uri_realm_nonce_and_password(make_app, monkeypatch):
    served = Served(make_app, algorithms=["MD5"], legacy=True)
    offered = served.challenge()
    assert not is_stale(get(served, without_qop(offered, password="wrong")))
    assert not is_stale(get(served, without_qop(offered, name="nobody")))
    assert not is_stale(served.app.test_client().delete("/", headers={"Authorization": without_qop(offered)}))
    assert get(served, without_qop(offered, uri="/other")).status_code == 400
    assert not is_stale(get(served, without_qop({**offered, "realm": "another"})))
    assert not is_stale(get(served, without_qop({**offered, "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"})))
    assert not is_stale(get(served, without_qop(offered, response=None)))
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert is_stale(get(served, without_qop(offered)))
    assert not is_stale(get(served, without_qop(offered, password="wrong")))
    assert not served.ran


@pytest.mark.parametrize("cnonce", [None, "", "abc"])
def test_an_answer_without_qop_to_a_session_algorithm_is_improper(make_app, cnonce):
    """-sess needs a cnonce, which such an answer has none of; one that was left empty is none."""
    served = Served(make_app, algorithms=["MD5-sess"], legacy=True)
    offered = served.challenge()
    a1 = hex_hash("MD5", f"ada:shop:{ADA}")
    session = hex_hash(
        "MD5", f"{a1}:{offered['nonce']}:{cnonce}" if cnonce is not None else f"{a1}:{offered['nonce']}:"
    )
    response = hex_hash("MD5", f"{session}:{offered['nonce']}:{hex_hash('MD5', 'GET:/')}")
    value = without_qop(offered, algorithm="MD5-sess", response=response, cnonce=cnonce)
    assert not is_stale(get(served, value))
    assert not served.ran


def test_answers_with_qop_stay_strict_where_those_without_are_taken(make_app):
    served = Served(make_app, algorithms=["MD5"], legacy=True)
    offered = served.challenge()
    for changed in ({"nc": None}, {"cnonce": None}, {"nc": "1"}, {"qop": "auth-int"}, {"cnonce": ""}):
        params = {**credentials_for(offered), **changed}
        value = field_value({key: value for key, value in params.items() if value is not None})
        assert not is_stale(get(served, value))
    # An answer with qop whose qop was cut off isn't one without.
    assert not is_stale(served.ask(offered, qop=None))
    assert not is_stale(served.ask(offered, qop=None, nc=None, cnonce=None))
    assert not served.ran


def test_no_proof_to_a_client_that_knows_no_qop_but_the_next_nonce(make_app):
    served = Served(make_app, algorithms=["MD5"], legacy=True, rspauth=True, nextnonce=True)
    info = get(served, without_qop(served.challenge())).headers["Authentication-Info"]
    offered = challenge(f"Digest {info}")
    assert set(offered) == {"nextnonce"}
    assert get(served, without_qop({**served.challenge(), "nonce": offered["nextnonce"]})).status_code == 200


# --- short counts, absolute targets (F-60)


@pytest.mark.parametrize(
    ("host", "uri", "status"),
    [
        ("localhost", "http://localhost:80/", 200),
        ("localhost:80", "http://localhost/", 200),
        ("localhost:80", "http://localhost:80/", 200),
        ("localhost", "HTTP://LocalHost:80/", 200),
        ("localhost", "https://localhost:443/", 200),  # TLS ends at a proxy
        ("localhost:443", "https://localhost/", 200),
        ("localhost", "http://localhost:443/", 400),
        ("localhost", "https://localhost:80/", 400),
        ("localhost", "http://localhost:8080/", 400),
        ("localhost:8080", "http://localhost/", 400),
        ("localhost:8080", "http://localhost:8080/", 200),
        ("[::1]", "http://[::1]:80/", 200),
        ("[::1]:8080", "http://[::1]:8080/", 200),
        ("localhost", "http://ada@localhost/", 400),
        ("localhost", "http://localhost:80@evil.example/", 400),
        ("localhost", "http://evil.example:80/", 400),
        ("localhost", "http://local\thost/", 400),
        ("localhost", "http://localhost:80:80/", 400),
    ],
)
def test_the_default_port_of_an_absolute_uri_says_nothing(served, host, uri, status):
    headers = {**sent(served.challenge(), uri=uri), "Host": host}
    assert served.app.test_client().get("/", headers=headers).status_code == status


# --- queries that an adapter printed anew (F-59)

NO_TARGET = {"RAW_URI": "", "REQUEST_URI": ""}


@pytest.mark.parametrize(
    ("uri", "query", "status"),
    [
        ("/?a=a%20b", "a=a+b", 200),
        ("/?a=a+b", "a=a%20b", 200),
        ("/?at=10:00", "at=10%3A00", 200),
        ("/?b", "b=", 200),
        ("/?b=", "b", 200),
        ("/?a=1&b=2&a=3", "a=1&a=3&b=2", 200),  # values of one name come together
        ("/?a=%c3%a4", "a=%C3%A4", 200),
        ("/?a=~%2F", "a=%7E/", 200),
        ("/?", "", 200),
        ("/?a=%2B", "a=%2B", 200),
        ("/?a=1", "a=2", 400),
        ("/?a=1", "a=1&b=2", 400),
        ("/?a=1&a=2", "a=2&a=1", 400),
        ("/?a=1&a=1", "a=1", 400),
        ("/?a=1", "A=1", 400),
        ("/", "a=1", 400),
        ("/?a=1", "", 400),
        ("/?a=%2B", "a=+", 400),
        ("/?a=%FF", "a=%FE", 400),  # no replacement characters that would be equal
        ("/?a=%EF%BF%BD", "a=%FF", 400),
        ("/?a=1%26b=2", "a=1&b=2", 400),
        ("/?a=1;b=2", "a=1&b=2", 400),
        ("/?a=1#b", "a=1", 400),
        ("/%3Fa=1", "a=1", 400),
        ("/other?a=1", "a=1", 400),
        ("/x/..?a=1", "a=1", 400),
    ],
)
def test_a_query_compares_as_parsed_where_the_target_is_not_told(served, uri, query, status):
    headers = sent(served.challenge(), uri=uri)
    environ = {**NO_TARGET, "QUERY_STRING": query}
    assert served.app.test_client().get("/", headers=headers, environ_overrides=environ).status_code == status


@pytest.mark.parametrize("uri", ["/?a=a+b", "/?a=a%20b&b", "/?b&a=a%20b="])
def test_a_query_compares_octet_for_octet_where_the_target_is_told(served, uri):
    headers = sent(served.challenge(), uri=uri)
    for name in ("RAW_URI", "REQUEST_URI"):
        environ = {**NO_TARGET, name: "/?a=a%20b&b=", "QUERY_STRING": "a=a%20b&b="}
        assert served.app.test_client().get("/", headers=headers, environ_overrides=environ).status_code == 400


def test_octets_beyond_ascii_in_a_path_that_a_device_does_not_escape(make_app):
    served = Served(make_app)
    served.app.add_url_rule("/ä", "umlaut", served.auth.login_required(lambda: "in"))
    params = credentials_for(served.challenge(), uri="/x")
    offered = served.challenge()
    octets = "/ä".encode()
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", b"GET:" + octets)
    response = hex_hash("SHA-256", f"{a1}:{offered['nonce']}:00000001:{params['cnonce']}:auth:{a2}")
    params |= {"nonce": offered["nonce"], "uri": octets.decode("latin-1"), "response": response}
    assert get(served, field_value(params), "/%C3%A4", environ_overrides=NO_TARGET).text == "in"


# --- names with a backslash (F-61)

PASSWORDS = {
    "DOMAIN\\user": "one",
    "DOMAINuser": "two",
    "\\\\server\\ada": "three",
    "a%20b\\c": "four",
    "Zoë\\é": "five",
}


class Asked:
    """A loader that knows ``names``, and remembers what it was asked."""

    def __init__(self, *names):
        self.names, self.asked = names, []

    def __call__(self, name):
        self.asked.append(name)
        return PASSWORDS[name] if name in self.names else None


def raw(offered, name, password, **changed):
    """As requests and httpx send a name: hashed with its backslashes, which the field doesn't escape."""
    return field_value(credentials_for(offered, name=name, password=password, **changed))


@pytest.mark.parametrize(("name", "password"), [item for item in PASSWORDS.items() if "\\" in item[0]])
@pytest.mark.parametrize("others", [(), ("DOMAINuser",)])
def test_a_backslash_that_the_client_does_not_escape(make_app, name, password, others):
    loader = Asked(name, *others)
    served = Served(make_app, loader=loader)
    assert get(served, raw(served.challenge(), name, password).encode().decode("latin-1")).json == {"who": name}
    assert len(loader.asked) == 2
    assert not is_stale(get(served, raw(served.challenge(), name, "wrong").encode().decode("latin-1")))
    assert len(loader.asked) == 4


def test_the_hash_decides_which_of_two_names_is_meant(make_app):
    served = Served(make_app, loader=Asked(*PASSWORDS))
    offered = served.challenge()
    assert get(served, raw(offered, "DOMAIN\\user", "one")).json == {"who": "DOMAIN\\user"}
    quoted = {"username": "DOMAIN\\user"}  # a quoted pair for "u", which RFC 9110 §5.6.4 allows
    assert get(served, raw(offered, "DOMAINuser", "two", nc=2, **quoted)).json == {"who": "DOMAINuser"}
    assert not is_stale(get(served, raw(offered, "DOMAINuser", "one", nc=3, **quoted)))
    assert not is_stale(get(served, raw(offered, "DOMAIN\\user", "two", nc=4)))


@pytest.mark.parametrize("names", [(), ("DOMAINuser",), ("DOMAIN\\user",), ("DOMAINuser", "DOMAIN\\user")])
@pytest.mark.parametrize("password", ["one", "wrong"])
def test_both_names_are_asked_for_whichever_exists(make_app, names, password):
    """Neither the number of look-ups nor the answer tells which of them exists."""
    loader = Asked(*names)
    served = Served(make_app, loader=loader)
    response = get(served, raw(served.challenge(), "DOMAIN\\user", password))
    assert sorted(loader.asked) == ["DOMAIN\\user", "DOMAINuser"]
    assert (response.status_code == 200) == (password == "one" and "DOMAIN\\user" in names)


@pytest.mark.parametrize("refusal", [RevokedCredentials("closed"), ""])
def test_a_refusal_of_the_other_name_is_not_the_callers(make_app, refusal):
    def loader(name):
        if name == "DOMAINuser" and refusal:
            raise refusal
        return "one" if name == "DOMAIN\\user" else ""

    served = Served(make_app, loader=loader)
    assert get(served, raw(served.challenge(), "DOMAIN\\user", "one")).json == {"who": "DOMAIN\\user"}
    refused = get(served, raw(served.challenge(), "DOMAIN\\user", "wrong"))
    assert not is_stale(refused)


@pytest.mark.parametrize(
    ("username", "name"),
    [("DOMAIN\\\\user", "DOMAIN\\user"), ('a\\"b', 'a"b'), ('\\"\\\\', '"\\'), ("plain", "plain")],
)
def test_a_backslash_that_escapes_leaves_one_name(make_app, username, name):
    asked = []
    served = Served(make_app, loader=lambda given: asked.append(given) or "pw")
    assert get(served, raw(served.challenge(), name, "pw", username=username)).json == {"who": name}
    assert asked == [name]


def test_other_values_with_a_backslash_change_no_name(make_app):
    served = Served(make_app, loader=(loader := Asked("DOMAINuser")))
    offered = served.challenge()
    for nc, params in enumerate(({"cnonce": "ab"}, {"opaque": "x"}), 1):
        value = raw(offered, "DOMAINuser", "two", nc=nc, **params).replace('cnonce="ab"', 'cnonce="a\\b"')
        assert get(served, value.replace('opaque="x"', 'opaque="\\x"')).json == {"who": "DOMAINuser"}
    assert loader.asked == ["DOMAINuser"] * 2


def test_a_hashed_name_is_what_it_is(make_app):
    asked = []
    served = Served(make_app, loader=load, name_of_hash=lambda value, algorithm: asked.append(value) or None)
    offered = served.challenge()
    assert not is_stale(get(served, raw(offered, "a\\b", "x", userhash="true")))
    assert asked == ["ab"]


def test_the_percent_decoding_of_libcurl_adds_no_third_look_up(make_app):
    loader = Asked()
    served = Served(make_app, loader=loader)
    assert not is_stale(get(served, raw(served.challenge(), "a%20b\\c", "four")))
    assert len(loader.asked) == 2


# --- one-time nonces (F-40)


@pytest.mark.rfc("D-11")
@pytest.mark.parametrize("uses", [1, 2, 5])
def test_a_nonce_serves_as_many_requests_as_was_said(make_app, uses):
    served = Served(make_app, nonce_uses=uses)
    offered = served.challenge()
    assert [served.ask(offered, nc=nc).status_code for nc in range(1, uses + 1)] == [200] * uses
    assert is_stale(served.ask(offered, nc=uses + 1))
    assert is_stale(served.ask(offered, nc=1))
    assert not is_stale(served.ask(offered, nc=uses + 2, password="wrong"))
    assert served.ask().status_code == 200
    assert len(served.ran) == uses + 1


@pytest.mark.rfc("D-11")
def test_a_nonce_that_serves_once_serves_no_post_after_it(make_app):
    served = Served(make_app, nonce_uses=1)
    offered = served.challenge()
    assert served.ask(offered).status_code == 200
    assert is_stale(served.ask(offered, nc=2, method="POST", data=b"x"))


@pytest.mark.parametrize("first", [0, 2, 7, 0xFFFFFFFF])
def test_clients_that_count_from_elsewhere_are_served(make_app, first):
    """needle begins with 2, npm's urllib where the last nonce ended, Ruby with 0: no client may go round for ever."""
    served = Served(make_app, nonce_uses=1)
    offered = served.challenge()
    assert (zero(served, offered) if first == 0 else served.ask(offered, nc=first)).status_code == 200
    assert is_stale(served.ask(offered, nc=1))
    assert is_stale(zero(served, offered))


def test_neither_wrong_passwords_nor_replays_use_a_nonce_up(make_app):
    served = Served(make_app, nonce_uses=2)
    offered = served.challenge()
    for _ in range(3):
        assert not is_stale(served.ask(offered, password="wrong"))
    assert served.ask(offered, nc=1).status_code == 200
    for _ in range(3):
        assert is_stale(served.ask(offered, nc=1))
    assert served.ask(offered, nc=2).status_code == 200
    assert is_stale(served.ask(offered, nc=3))


def test_answers_without_qop_use_a_nonce_up_too(make_app):
    served = Served(make_app, algorithms=["MD5"], legacy=True, nonce_uses=1)
    offered = served.challenge()
    assert get(served, without_qop(offered)).status_code == 200
    assert is_stale(get(served, without_qop(offered, uri="/other"), "/other"))
    assert is_stale(served.ask(offered))


def test_the_next_nonce_comes_with_the_last_use(make_app):
    served = Served(make_app, nonce_uses=2, nextnonce=True)
    offered = served.challenge()
    assert "Authentication-Info" not in served.ask(offered).headers
    info = served.ask(offered, nc=2).headers["Authentication-Info"]
    nextnonce = challenge(f"Digest {info}")["nextnonce"]
    assert served.ask({**offered, "nonce": nextnonce}).status_code == 200


def test_the_uses_of_a_nonce_are_counted_in_the_store(make_app):
    store = MemoryStore()
    workers = [Served(make_app, nonce_uses=2, store=store) for _ in range(2)]
    for worker in workers:
        worker.app.name = "shop"
    offered = workers[0].challenge()
    assert [worker.ask(offered, nc=nc).status_code for nc, worker in enumerate(workers, 1)] == [200, 200]
    assert is_stale(workers[1].ask(offered, nc=3))


@pytest.mark.parametrize("operation", ["_increment", "_claim"])
def test_a_store_that_is_down_is_503_for_these_too(make_app, operation):
    def down(*_):
        raise ConnectionRefusedError

    store = type("Down", (MemoryStore,), {operation: down})()
    served = Served(make_app, nonce_uses=1, legacy=True, store=store)
    offered = served.challenge()
    response = (
        served.ask(offered) if operation == "_increment" else get(served, without_qop(offered, algorithm="SHA-256"))
    )
    assert response.status_code == 503
    assert not served.ran


# --- how long a nonce lives (F-39)


@pytest.mark.parametrize(("after", "over"), [(0.02, False), (4.9, False), (5.0, False), (5.01, True)])
@pytest.mark.parametrize("minted", [1_700_000_000.0, 1_700_000_000.5, 1_700_000_000.999])
def test_a_nonce_lives_as_long_as_was_said_whenever_it_was_minted(make_app, monkeypatch, minted, after, over):
    monkeypatch.setattr(time, "time", lambda: minted)
    served = Served(make_app, nonce_lifetime=5)
    offered = served.challenge()
    monkeypatch.setattr(time, "time", lambda: minted + after)
    response = served.ask(offered)
    assert is_stale(response) if over else response.status_code == 200


# --- how long uses are remembered (T-03)


class Clock:
    """Two workers' clocks and the store's: one time, which each sees in its own way."""

    def __init__(self, monkeypatch):
        self.now, self.off = 1_000_000.0, 0.0
        monkeypatch.setattr(time, "time", lambda: self.now + self.off)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.mark.parametrize("way", ["count", "zero", "legacy", "uses"])
def test_a_use_is_remembered_for_as_long_as_any_worker_takes_the_nonce(make_app, monkeypatch, way):
    """Minted by a clock 60 s ahead, used at once, and sent again to a worker whose clock is 60 s behind that."""
    clock = Clock(monkeypatch)
    served = Served(
        make_app, algorithms=["SHA-256"], legacy=True, nonce_lifetime=100, nonce_uses=1 if way == "uses" else None
    )
    clock.off = 60
    offered = served.challenge()
    clock.off = 0

    def ask(nc):
        if way == "legacy":
            return get(served, without_qop(offered, algorithm="SHA-256"))
        return zero(served, offered) if way == "zero" else served.ask(offered, nc=nc)

    assert ask(1).status_code == 200
    for later in (1, 60, 99, 100, 119, 159):
        clock.now = 1_000_000.0 + later
        assert is_stale(ask(2 if way == "uses" else 1)), later
    clock.now, clock.off = 1_000_000.0 + 219, -60
    assert is_stale(ask(2 if way == "uses" else 1))
    assert len(served.ran) == 1
