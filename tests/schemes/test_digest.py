"""Digest (RFC 7616): the challenge, and who gets in."""

from base64 import urlsafe_b64decode

import pytest

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    ExpiredCredentials,
    Identity,
    RevokedCredentials,
)
from flask_unauthorized.schemes.digest_secrets import look_up
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.wire import parse_challenges
from tests.digest_client import ADA, challenge, credentials_for, field_value, hex_hash, sent

from .digest_served import CHALLENGE, KEY, Served, credentials_of, is_stale, load

# --- the challenge


@pytest.mark.rfc("D-01", "D-30")
def test_the_default_challenge_is_sha_256_with_qop_and_charset(served):
    offered = served.challenge()
    assert (offered["algorithm"], offered["qop"], offered["charset"]) == ("SHA-256", "auth", "UTF-8")
    assert "stale" not in offered
    assert "userhash" not in offered


@pytest.mark.rfc("D-06", "D-07")
def test_quotes_stand_where_the_rfc_wants_them(make_app):
    served = Served(
        make_app,
        domain=["/", "https://other.example/"],
        opaque="FQhe/qaU925",
        name_of_hash=lambda hashed, algorithm: None,
    )
    line = served.app.test_client().get("/").headers[CHALLENGE]
    for name in ("realm", "domain", "nonce", "opaque", "qop"):
        assert f'{name}="' in line
    for name in ("algorithm=SHA-256", "charset=UTF-8", "userhash=true"):
        assert name in line.split(", ")
    offered = challenge(line)
    assert served.ask(offered).status_code == 200
    again = served.ask(offered).headers[CHALLENGE].removeprefix("Digest ").split(", ")
    assert {"stale=true", "algorithm=SHA-256"} <= set(again)


@pytest.mark.rfc("D-03", "D-04")
@pytest.mark.parametrize(
    "algorithms", [["SHA-512-256", "SHA-256", "SHA-256-sess", "MD5"], ["SHA-256", "MD5"], ["MD5", "SHA-256"]]
)
def test_several_algorithms_are_sent_in_the_order_given_and_differ_in_nothing_else(make_app, algorithms):
    """F-60: PHP's SoapClient reads the first Digest challenge only, and knows MD5 only."""
    served = Served(make_app, algorithms=algorithms)
    for headers in ({}, sent(served.challenge(), password="wrong")):
        lines = served.app.test_client().get("/", headers=headers).headers.getlist(CHALLENGE)
        offered = [challenge(line) for line in lines]
        assert [one.pop("algorithm") for one in offered] == algorithms
        assert all(one == offered[0] for one in offered)


@pytest.mark.rfc("D-02")
def test_md5_is_not_offered_unless_it_was_asked_for(served):
    lines = served.app.test_client().get("/").headers.getlist(CHALLENGE)
    assert [challenge(line)["algorithm"] for line in lines] == ["SHA-256"]


@pytest.mark.rfc("D-05")
@pytest.mark.parametrize(
    ("options", "qop"),
    [
        ({}, "auth"),
        ({"qop": ["auth"], "algorithms": ["SHA-256", "MD5", "MD5-sess"]}, "auth"),
        ({"qop": ["auth-int"]}, "auth-int"),
        ({"qop": ["auth-int", "auth"]}, "auth, auth-int"),  # many clients take the first, and hash bodies wrongly
        ({"legacy": True, "algorithms": ["MD5"]}, "auth"),
        ({"nonce_uses": 1}, "auth"),
    ],
)
def test_qop_is_in_every_challenge_of_every_refusal(make_app, options, qop):
    served = Served(make_app, **options)
    offered = served.challenge()
    used = {"qop": qop.partition(",")[0]}
    assert served.ask(offered, **used).status_code == 200
    refusals = {
        "nothing sent": served.app.test_client().get("/"),
        "another scheme": served.app.test_client().get("/", headers={"Authorization": "Basic eDp5"}),
        "wrong password": served.ask(offered, nc=2, password="wrong", **used),
        "stale": served.ask(offered, **used),
        "improper": served.ask(offered, nc=None, **used),
        "malformed": served.app.test_client().get("/", headers={"Authorization": "Digest ?"}),
        "post": served.app.test_client().post("/", data={"a": "1"}),
    }
    for name, response in refusals.items():
        lines = response.headers.getlist(CHALLENGE)
        assert len(lines) == len(options.get("algorithms", ["SHA-256"])), name
        assert {f'qop="{qop}"' in line.split(", ", 1)[1] for line in lines} == {True}, name


@pytest.mark.asvs("V6.7.2")
@pytest.mark.rfc("D-09")
def test_each_401_has_a_nonce_of_its_own_in_an_alphabet_that_all_clients_read(served):
    nonces = {served.challenge()["nonce"] for _ in range(200)}
    assert len(nonces) == 200
    assert len({nonce.split(".")[0] for nonce in nonces}) == 200
    for nonce in nonces:
        assert len(nonce) < 100
        assert nonce.translate(str.maketrans("", "", "-_.")).isalnum()
    # No counter and no clock: each bit of the random part is set in some nonces only (by chance once in 2**190).
    random = [int.from_bytes(urlsafe_b64decode(nonce.split(".")[0]), "big") for nonce in nonces]
    bits = 8 * len(urlsafe_b64decode(min(nonces).split(".")[0]))
    assert bits >= 64
    assert all(0 < sum(number >> bit & 1 for number in random) < 200 for bit in range(bits))


@pytest.mark.rfc("D-17")
def test_the_protection_space_goes_out_as_it_was_given(make_app):
    served = Served(make_app, domain=["/private", "https://other.example/x"])
    assert served.challenge()["domain"] == "/private https://other.example/x"


@pytest.mark.rfc("D-38")
def test_the_realm_is_the_apps_name_unless_another_is_set(make_app):
    served = Served(make_app, realm=None)
    offered = served.challenge()
    assert offered["realm"] == served.app.name
    assert served.ask(offered).json == {"who": "ada"}


# --- who gets in


@pytest.mark.rfc("D-24")
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"])
def test_every_algorithm_lets_the_right_password_in_and_no_other(make_app, algorithm):
    served = Served(make_app, algorithms=[algorithm])
    assert served.ask().json == {"who": "ada"}
    refused = served.ask(password="wrong")
    assert not is_stale(refused)
    assert len(served.ran) == 1


@pytest.mark.parametrize("secret", ["password", "hashes", "pair", "pair with hashes"])
def test_what_a_loader_may_return(make_app, secret):
    hashes = Digest(load, realm="shop").hashes("ada", ADA)
    assert hashes == {"SHA-256": hex_hash("SHA-256", f"ada:shop:{ADA}")}
    identity = Identity("42", scopes={"read"})
    answers = {"password": ADA, "hashes": hashes, "pair": (ADA, identity), "pair with hashes": (hashes, identity)}
    served = Served(make_app, loader=lambda name: answers[secret] if name == "ada" else None)
    assert served.ask().json == {"who": "42" if "pair" in secret else "ada"}
    assert not is_stale(served.ask(password="wrong"))
    assert not is_stale(served.ask(name="eve"))


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
def test_stored_hashes_of_every_algorithm(make_app, algorithm):
    hashes = {algorithm: hex_hash(algorithm, f"ada:shop:{ADA}")}
    served = Served(make_app, loader=lambda name: hashes, algorithms=[algorithm])
    assert served.ask().json == {"who": "ada"}
    assert not is_stale(served.ask(password="wrong"))


def test_a_user_object_becomes_the_user_and_the_name_the_subject(make_app):
    user = object()
    served = Served(make_app, loader=lambda name: (ADA, user), view=lambda: str(served.auth.user is user))
    assert served.ask().text == "True"


async def load_async(name):
    return load(name)


def test_an_async_loader(make_app):
    assert Served(make_app, loader=load_async).ask().json == {"who": "ada"}


@pytest.mark.parametrize(
    "wrong", [True, 1, b"correct horse", ["SHA-256"], {"SHA-256": "no hash"}, {"SHA-256": "ab" * 16}, (1, 2, 3)]
)
def test_a_loader_that_returns_nonsense_is_our_mistake(make_app, wrong):
    served = Served(make_app, loader=lambda name: wrong, config={"PROPAGATE_EXCEPTIONS": False})
    assert served.ask().status_code == 500
    with pytest.raises(TypeError, match="Digest"):
        look_up(served.digest, credentials_of(served), "shop", None)


@pytest.mark.parametrize("secret", ["", {}, {"MD5": hex_hash("MD5", "x")}, (ADA, None), (ADA, False)])
def test_a_user_without_a_secret_for_this_is_refused(make_app, secret):
    assert not is_stale(Served(make_app, loader=lambda name: secret).ask())


@pytest.mark.parametrize("error", [RevokedCredentials("This account is closed."), ExpiredCredentials()])
def test_a_refusal_of_the_loader_is_not_stale_or_clients_would_loop(make_app, error):
    def refuse(name):
        raise error

    assert not is_stale(Served(make_app, loader=refuse).ask())


@pytest.mark.rfc("D-19", "D-31")
@pytest.mark.parametrize(
    "sent_as",
    [
        {"username": "Jäsøn Doe".encode().decode("latin-1")},  # UTF-8 octets, as most send it
        {"username": "Jäsøn Doe"},  # Latin-1 octets, as requests sends it
        {"username": None, "username*": "UTF-8''J%C3%A4s%C3%B8n%20Doe"},
        {"username": None, "username*": "utf-8'de'J%c3%a4s%c3%b8n%20Doe"},
        {"username": "J%C3%A4s%C3%B8n%20Doe"},  # libcurl 8.23
        {"username": "Jäs\\øn Doe"},  # a quoted pair
    ],
)
def test_a_name_beyond_ascii_however_it_is_sent(make_app, sent_as):
    served = Served(make_app)
    params = credentials_for(served.challenge(), name="Jäsøn Doe", password="Secret, or not?", **sent_as)
    response = served.app.test_client().get("/", headers={"Authorization": field_value(params)})
    assert response.json == {"who": "Jäsøn Doe"}


@pytest.mark.rfc("X-01", "X-03")
@pytest.mark.parametrize("value", ["UTF-8''J%C3%A4s%C3%B8n%20Doe", "''ada", "UTF-8''%zz", "UTF-8''%ff", "UTF-16''ada"])
def test_an_extended_name_in_quotes_is_read_like_one_without(make_app, value):
    """F-26: RFC 8187 §3.2 has no quotes, and some clients quote every parameter. What is broken stays refused."""
    served = Served(make_app)
    for mark in ("", '"'):
        params = credentials_for(served.challenge(), name="Jäsøn Doe", password="Secret, or not?", username=None)
        sent = f"{field_value(params)}, username*={mark}{value}{mark}"
        response = served.app.test_client().get("/", headers={"Authorization": sent})
        assert response.json == {"who": "Jäsøn Doe"} if "C3" in value else response.status_code == 401


@pytest.mark.rfc("D-31")
@pytest.mark.parametrize("name", ["Γιώργος", "李雷", "محمد", "two words", "Zoë"])
@pytest.mark.parametrize("password", ["two words ", "\U0001f511\U0001f512", "pa:ss::", "123\u00a3"])
def test_names_and_passwords_of_all_scripts(make_app, name, password):
    served = Served(make_app, loader=lambda asked: password if asked == name else None)
    octets = name.encode().decode("latin-1")  # as the server hands them over
    assert served.ask(name=name, password=password, username=octets).json == {"who": name}
    assert not is_stale(served.ask(name=name, password=password + "x", username=octets))


@pytest.mark.rfc("D-29", "D-28")
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-sess"])
def test_a_hashed_name(make_app, algorithm):
    asked = []

    def name_of_hash(value, function):
        asked.append(function)
        return "ada" if value == hex_hash(function, "ada:shop") else None

    served = Served(make_app, algorithms=[algorithm], name_of_hash=name_of_hash)
    offered = served.challenge()
    assert offered["userhash"] == "true"
    hashed = {"username": hex_hash(algorithm, "ada:shop"), "userhash": "true"}
    assert served.ask(offered, **hashed).json == {"who": "ada"}
    assert asked == [algorithm.removesuffix("-sess")]
    assert served.ask(offered, nc=2, userhash="false").json == {"who": "ada"}
    assert not is_stale(served.ask(offered, nc=3, userhash="true"))  # DIG-26: a name in clear that claims to be a hash
    other = hex_hash(algorithm, "ada:other")
    assert not is_stale(served.ask(offered, nc=4, username=other, userhash="true"))


def test_dig_26_a_hashed_name_where_none_is_offered(served):
    assert not is_stale(served.ask(username=hex_hash("SHA-256", "ada:shop"), userhash="true"))


def test_name_of_hash_that_returns_nonsense_is_our_mistake(make_app):
    served = Served(make_app, name_of_hash=lambda value, algorithm: 42)
    with pytest.raises(TypeError, match="name_of_hash returned a int: return the name, or None"):
        served.ask(userhash="true")


@pytest.mark.rfc("D-27")
def test_a_comma_or_equals_sign_in_cnonce_and_a_needle_that_begins_with_uri(served):
    offered = served.challenge()
    params = credentials_for(offered, cnonce="a,b=c+/==")
    turned = {
        name: params[name]
        for name in ("uri", "nc", "qop", "cnonce", "response", "nonce", "realm", "username", "algorithm")
    }
    value = (
        field_value(turned).replace(", ", ",").replace("qop=auth", 'qop="auth"').replace("nc=00000001", 'nc="00000001"')
    )
    assert served.app.test_client().get("/", headers={"Authorization": value}).json == {"who": "ada"}


@pytest.mark.rfc("D-27", "H-13")
@pytest.mark.parametrize("name", ['a"b', "a\\b", 'a\\"b', '"', 'ada", username="eve'])
def test_quotes_and_backslashes_are_taken_out_before_hashing(make_app, name):
    served = Served(make_app, loader=lambda asked: ADA if asked == name else None)
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    assert served.ask(name=name, username=quoted).json == {"who": name}
    assert not is_stale(served.ask(name=name, password="wrong", username=quoted))


@pytest.mark.rfc("H-09", "H-12")
@pytest.mark.parametrize("spell", [str.upper, str.title, str.swapcase], ids=lambda spell: spell.__name__)
@pytest.mark.parametrize("quoted", [False, True])
def test_names_of_parameters_in_any_case_quoted_or_not(served, spell, quoted):
    params = credentials_for(served.challenge())
    bare = () if quoted else ("algorithm", "qop", "nc", "response", "cnonce", "username", "realm")
    value = "Digest " + ", ".join(
        f"{spell(name)}={text}" if name in bare else f'{spell(name)}="{text}"' for name, text in params.items()
    )
    assert served.app.test_client().get("/", headers={"Authorization": value}).json == {"who": "ada"}


@pytest.mark.rfc("D-16")
def test_opaque_may_come_back_or_not(make_app):
    served = Served(make_app, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
    offered = served.challenge()
    assert served.ask(offered).status_code == 200
    assert served.ask(offered, nc=2, opaque=None).status_code == 200
    assert served.ask(offered, nc=3, opaque="changed").status_code == 200


@pytest.mark.rfc("D-25")
def test_a_session_may_keep_its_first_cnonce_or_take_each_requests(make_app):
    served = Served(make_app, algorithms=["SHA-256-sess"])
    offered = served.challenge()
    assert served.ask(offered, cnonce="first").status_code == 200
    assert served.ask(offered, nc=2, cnonce="second", first_cnonce="first").status_code == 200
    assert served.ask(offered, nc=3, cnonce="third").status_code == 200
    assert not is_stale(served.ask(offered, nc=4, cnonce="fourth", first_cnonce="never"))


# --- set-up


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"algorithms": ["SHA-1"]}, ConfigurationError, "SHA-1"),
        ({"algorithms": ["MD5", "MD5"]}, ConfigurationError, "twice"),
        ({"algorithms": []}, ConfigurationError, "empty"),
        ({"algorithms": "SHA-256"}, TypeError, "bare string"),
        ({"qop": "auth"}, TypeError, "bare string"),
        ({"qop": ["auth-conf"]}, ConfigurationError, "auth-conf"),
        ({"domain": "/"}, TypeError, "bare string"),
        ({"domain": ["/a b"]}, ConfigurationError, "domain"),
        ({"opaque": "ü"}, ConfigurationError, "opaque"),
        ({"nonce_lifetime": -1}, ConfigurationError, "nonce_lifetime"),
        ({"nonce_lifetime": 0}, ConfigurationError, "nonce_lifetime"),
        ({"nonce_lifetime": 4}, ConfigurationError, "nonce_lifetime must be 5 to"),
        ({"nonce_lifetime": 1.5}, TypeError, "nonce_lifetime"),
        ({"store": {}}, TypeError, "store must be a Store"),
    ],
)
def test_set_up_that_cannot_work(options, error, match):
    with pytest.raises(error, match=match):
        Digest(load, **options)


@pytest.mark.parametrize("realm", ['The "shop"', "a\\b"])
def test_a_realm_that_clients_unescape_each_in_their_way(make_app, realm):
    served = Served(make_app, realm=realm)
    with pytest.raises(ConfigurationError, match="quote or a backslash"):
        served.app.test_client().get("/")


def test_there_must_be_a_key(make_app):
    served = Served(make_app, config={"SECRET_KEY": None})
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        served.app.test_client().get("/")


def test_hashes_need_the_realm():
    digest = Digest(load, algorithms=["MD5", "SHA-256-sess", "SHA-256"])
    with pytest.raises(ConfigurationError, match="realm"):
        digest.hashes("ada", ADA)
    assert digest.hashes("ada", ADA, realm="shop") == {
        name: hex_hash(name, f"ada:shop:{ADA}") for name in ("SHA-256", "MD5")
    }


@pytest.mark.rfc("D-39")
def test_beside_basic_digest_goes_first_and_the_log_says_what_it_is_worth(make_app, caplog):
    auth = Auth(Basic(lambda name, password: True), Digest(load, realm="shop"))
    app = make_app(auth, **KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    response = app.test_client().get("/")
    assert [c.scheme for c in parse_challenges(response.headers.getlist(CHALLENGE))] == ["Digest", "Basic"]
    assert [record.levelname for record in caplog.records if "Basic" in record.getMessage()] == ["WARNING"]


def test_beside_bearer_the_log_says_nothing_of_basic(make_app, caplog):
    auth = Auth(Bearer({}.get), Digest(load, realm="shop"))
    auth.check(make_app(auth, **KEY))
    assert "Basic" not in caplog.text


def test_several_workers_need_a_store_that_they_share(served, caplog):
    many = {"wsgi.multiprocess": True}
    offered = served.challenge()
    for nc in (1, 2):
        headers = sent(offered, nc=nc)
        assert served.app.test_client().get("/", headers=headers, environ_overrides=many).status_code == 200
    assert caplog.text.count("several workers") == 1


def test_several_workers_without_one_are_refused_where_that_was_wished(make_app):
    served = Served(make_app, store=MemoryStore(strict=True))
    headers = sent(served.challenge())
    with pytest.raises(ConfigurationError, match="several workers"):
        served.app.test_client().get("/", headers=headers, environ_overrides={"wsgi.multiprocess": True})


def test_an_unavailable_loader_is_503(make_app):
    def load_later(name):
        raise AuthUnavailable(reason="no database")

    assert Served(make_app, loader=load_later).ask().status_code == 503


# F-33
@pytest.mark.parametrize("listed", [True, False])
def test_name_of_hash_that_cannot_know_is_503_where_the_app_says_so(make_app, listed):
    def name_of_hash(value, algorithm):
        raise ConnectionError("s3cret")

    auth = Auth(Digest(load, realm="shop", name_of_hash=name_of_hash), unavailable=[ConnectionError] if listed else [])
    app = make_app(auth, **KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    offered = challenge(app.test_client().get("/").headers[CHALLENGE])
    ask = lambda: app.test_client().get("/", headers=sent(offered, userhash="true"))  # noqa: E731
    if listed:
        response = ask()
        assert (response.status_code, response.headers.get(CHALLENGE)) == (503, None)
        assert "s3cret" not in response.text
    else:
        with pytest.raises(ConnectionError):
            ask()
