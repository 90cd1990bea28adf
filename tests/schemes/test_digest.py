"""Digest (RFC 7616): what a client that has the password gets, and what everybody else gets."""

import logging
import time

import pytest

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Basic,
    ConfigurationError,
    Digest,
    ExpiredCredentials,
    Identity,
    RevokedCredentials,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.wire import parse_challenges
from tests.digest_client import ADA, answer, challenge, field, h, sent

CHALLENGE = "WWW-Authenticate"
KEY = {"SECRET_KEY": "a secret of thirty-two characters"}


def load(name):
    return {"ada": ADA, "Jäsøn Doe": "Secret, or not?"}.get(name)


class Served:
    """An app with Digest, and what its client learned."""

    def __init__(self, make_app, *, view=None, loader=load, config=None, **options):
        self.ran = []
        self.digest = Digest(loader, **{"realm": "shop", **options})
        self.auth = Auth(self.digest)
        self.app = make_app(self.auth, **{**KEY, **(config or {})})
        self.app.add_url_rule(
            "/", "view", self.auth.login_required(view or self._view), methods=["GET", "POST", "DELETE"]
        )
        self.app.add_url_rule("/other", "other", self.auth.login_required(self._view))

    def _view(self):
        self.ran.append(1)
        return {"who": self.auth.identity.subject}

    def told(self, **given):
        response = self.app.test_client().get("/", **given)
        assert response.status_code == 401
        return challenge(response.headers[CHALLENGE])

    def ask(self, told=None, *, path="/", method="GET", data=None, **given):
        params = sent(self.told() if told is None else told, **{"uri": path, "method": method, **given})
        return self.app.test_client().open(path, method=method, headers=params, data=data)


@pytest.fixture
def served(make_app):
    return Served(make_app)


def stale(response):
    assert response.status_code == 401
    told = [challenge(line).get("stale") for line in response.headers.getlist(CHALLENGE)]
    assert len(set(told)) == 1
    return told[0] == "true"


# --- the challenge


@pytest.mark.rfc("D-01", "D-05", "D-30")
def test_the_default_challenge_is_sha_256_with_qop_and_charset(served):
    told = served.told()
    assert (told["algorithm"], told["qop"], told["charset"]) == ("SHA-256", "auth", "UTF-8")
    assert "stale" not in told
    assert "userhash" not in told


@pytest.mark.rfc("D-06", "D-07")
def test_quotes_stand_where_the_rfc_wants_them(make_app):
    served = Served(
        make_app, domain=["/", "https://other.example/"], opaque="FQhe/qaU925", name_of_hash=lambda h, a: None
    )
    line = served.app.test_client().get("/").headers[CHALLENGE]
    for name in ("realm", "domain", "nonce", "opaque", "qop"):
        assert f'{name}="' in line
    for name in ("algorithm=SHA-256", "charset=UTF-8", "userhash=true"):
        assert name in line.split(", ")


@pytest.mark.rfc("D-02", "D-03", "D-04")
def test_several_algorithms_are_sent_strongest_first_and_differ_in_nothing_else(make_app):
    served = Served(make_app, algorithms=["MD5", "SHA-256-sess", "SHA-512-256", "SHA-256"])
    lines = served.app.test_client().get("/").headers.getlist(CHALLENGE)
    told = [challenge(line) for line in lines]
    assert [one.pop("algorithm") for one in told] == ["SHA-512-256", "SHA-256", "SHA-256-sess", "MD5"]
    assert all(one == told[0] for one in told)


@pytest.mark.rfc("D-09")
def test_each_401_has_a_nonce_of_its_own_in_an_alphabet_that_all_clients_read(served):
    nonces = {served.told()["nonce"] for _ in range(200)}
    assert len(nonces) == 200
    assert len({nonce.split(".")[0] for nonce in nonces}) == 200
    for nonce in nonces:
        assert len(nonce) < 100
        assert nonce.translate(str.maketrans("", "", "-_.")).isalnum()


@pytest.mark.rfc("D-17")
def test_the_protection_space_goes_out_as_it_was_given(make_app):
    served = Served(make_app, domain=["/private", "https://other.example/x"])
    assert served.told()["domain"] == "/private https://other.example/x"


@pytest.mark.rfc("D-38")
def test_the_realm_is_the_apps_name_unless_another_is_set(make_app):
    served = Served(make_app, realm=None)
    told = served.told()
    assert told["realm"] == served.app.name
    assert served.ask(told).json == {"who": "ada"}


# --- who gets in


@pytest.mark.rfc("D-24")
@pytest.mark.parametrize("algorithm", ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"])
def test_every_algorithm_lets_the_right_password_in_and_no_other(make_app, algorithm):
    served = Served(make_app, algorithms=[algorithm])
    assert served.ask().json == {"who": "ada"}
    refused = served.ask(password="wrong")
    assert not stale(refused)
    assert len(served.ran) == 1


@pytest.mark.parametrize("secret", ["password", "hashes", "pair", "pair with hashes"])
def test_what_a_loader_may_return(make_app, secret):
    hashes = Digest(load, realm="shop").hashes("ada", ADA)
    assert hashes == {"SHA-256": h("SHA-256", f"ada:shop:{ADA}")}
    identity = Identity("42", scopes={"read"})
    answers = {"password": ADA, "hashes": hashes, "pair": (ADA, identity), "pair with hashes": (hashes, identity)}
    served = Served(make_app, loader=lambda name: answers[secret] if name == "ada" else None)
    assert served.ask().json == {"who": "42" if "pair" in secret else "ada"}
    assert not stale(served.ask(password="wrong"))
    assert not stale(served.ask(name="eve"))


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
        served.digest._a1(wrong, answer_of(served), "shop")


def answer_of(served):
    told = served.told()
    with served.app.test_request_context("/", headers=sent(told)) as context:
        return served.digest.read(context.request, field(answer(told)).removeprefix("Digest "))


@pytest.mark.parametrize("secret", ["", {}, {"MD5": h("MD5", "x")}, (ADA, None), (ADA, False)])
def test_a_user_without_a_secret_for_this_is_refused(make_app, secret):
    assert not stale(Served(make_app, loader=lambda name: secret).ask())


@pytest.mark.parametrize("error", [RevokedCredentials("This account is closed."), ExpiredCredentials()])
def test_a_refusal_of_the_loader_is_not_stale_or_clients_would_loop(make_app, error):
    def refuse(name):
        raise error

    assert not stale(Served(make_app, loader=refuse).ask())


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
    params = answer(served.told(), name="Jäsøn Doe", password="Secret, or not?", **sent_as)
    response = served.app.test_client().get("/", headers={"Authorization": field(params)})
    assert response.json == {"who": "Jäsøn Doe"}


@pytest.mark.rfc("D-29", "D-28")
@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5", "SHA-256-sess"])
def test_a_hashed_name(make_app, algorithm):
    asked = []

    def name_of_hash(value, function):
        asked.append(function)
        return "ada" if value == h(function, "ada:shop") else None

    served = Served(make_app, algorithms=[algorithm], name_of_hash=name_of_hash)
    told = served.told()
    assert told["userhash"] == "true"
    hashed = {"username": h(algorithm, "ada:shop"), "userhash": "true"}
    assert served.ask(told, **hashed).json == {"who": "ada"}
    assert asked == [algorithm.removesuffix("-sess")]
    assert served.ask(told, nc=2, userhash="false").json == {"who": "ada"}
    assert not stale(served.ask(told, nc=3, userhash="true"))  # DIG-26: a name in clear that claims to be a hash
    other = h(algorithm, "ada:other")
    assert not stale(served.ask(told, nc=4, username=other, userhash="true"))


def test_dig_26_a_hashed_name_where_none_is_offered(served):
    assert not stale(served.ask(username=h("SHA-256", "ada:shop"), userhash="true"))


def test_name_of_hash_that_returns_nonsense_is_our_mistake(make_app):
    served = Served(make_app, name_of_hash=lambda value, algorithm: 42)
    with pytest.raises(TypeError, match="name_of_hash"):
        served.ask(userhash="true")


@pytest.mark.rfc("D-27")
def test_a_comma_or_equals_sign_in_cnonce_and_a_needle_that_begins_with_uri(served):
    told = served.told()
    params = answer(told, cnonce="a,b=c+/==")
    turned = {
        name: params[name]
        for name in ("uri", "nc", "qop", "cnonce", "response", "nonce", "realm", "username", "algorithm")
    }
    value = field(turned).replace(", ", ",").replace("qop=auth", 'qop="auth"').replace("nc=00000001", 'nc="00000001"')
    assert served.app.test_client().get("/", headers={"Authorization": value}).json == {"who": "ada"}


@pytest.mark.rfc("D-16")
def test_opaque_may_come_back_or_not(make_app):
    served = Served(make_app, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS")
    told = served.told()
    assert served.ask(told).status_code == 200
    assert served.ask(told, nc=2, opaque=None).status_code == 200
    assert served.ask(told, nc=3, opaque="changed").status_code == 200


@pytest.mark.rfc("D-25")
def test_a_session_may_keep_its_first_cnonce_or_take_each_requests(make_app):
    served = Served(make_app, algorithms=["SHA-256-sess"])
    told = served.told()
    assert served.ask(told, cnonce="first").status_code == 200
    assert served.ask(told, nc=2, cnonce="second", first_cnonce="first").status_code == 200
    assert served.ask(told, nc=3, cnonce="third").status_code == 200
    assert not stale(served.ask(told, nc=4, cnonce="fourth", first_cnonce="never"))


# --- the count


@pytest.mark.rfc("D-12")
def test_dig_01_a_replay_is_refused_without_a_new_prompt(served):
    told = served.told()
    assert served.ask(told).status_code == 200
    assert stale(served.ask(told))
    assert len(served.ran) == 1


def test_dig_03_counts_may_come_in_any_order_inside_the_window(served):
    told = served.told()
    assert [served.ask(told, nc=nc).status_code for nc in (5, 1, 64, 2)] == [200] * 4
    assert stale(served.ask(told, nc=5))
    assert served.ask(told, nc=100).status_code == 200
    assert stale(served.ask(told, nc=36))  # 64 behind
    assert served.ask(told, nc=37).status_code == 200


@pytest.mark.rfc("D-37")
def test_dig_04_two_requests_at_once_whichever_comes_first(served):
    told = served.told()
    assert [served.ask(told, nc=nc).status_code for nc in (2, 1)] == [200, 200]


@pytest.mark.rfc("D-14")
@pytest.mark.parametrize("other", [{"path": "/other"}, {"method": "POST", "data": b"changed"}])
def test_dig_05_and_16_a_count_is_used_whatever_it_was_used_for(served, other):
    told = served.told()
    assert served.ask(told, method="POST", data=b"body").status_code == 200
    assert stale(served.ask(told, **other))


def test_dig_31_two_guards_of_one_view_use_one_count(make_app):
    auth = Auth(Digest(load, realm="shop"))
    app = make_app(auth, **KEY)
    auth.protect(app, public={"static"})

    @app.get("/")
    @auth.login_required
    @auth.login_required
    def view():
        return str(auth.require().subject)

    told = challenge(app.test_client().get("/").headers[CHALLENGE])
    assert app.test_client().get("/", headers=sent(told)).text == "ada"


def test_dig_30_a_store_that_is_down_is_our_trouble(make_app):
    class Down(MemoryStore):
        def _spend(self, key, number, lifetime):
            raise ConnectionRefusedError("redis://secret@host")

    response = Served(make_app, store=Down()).ask()
    assert response.status_code == 503
    assert "secret" not in response.text
    assert CHALLENGE not in response.headers


# --- the nonce


@pytest.mark.rfc("D-10")
@pytest.mark.parametrize("nonce", ["dcd98b7102dd2f0e8b11d0f600bfb0c093", "", "a.b.c", "x" * 300, "MAl0.awWz3g.é"])
def test_dig_07_and_25_a_nonce_that_we_never_made(served, nonce):
    response = served.ask({**served.told(), "nonce": nonce}) if nonce.isascii() else None
    if response is None:
        params = field(answer(served.told(), nonce=nonce))
        response = served.app.test_client().get("/", headers={"Authorization": params})
    assert response.status_code == (401 if nonce else 400)
    assert "stale" not in response.headers[CHALLENGE]


@pytest.mark.rfc("D-15")
@pytest.mark.parametrize("seconds", [301, 10_000])
def test_dig_08_an_expired_nonce_is_stale_only_for_who_knows_the_password(served, monkeypatch, seconds):
    told = served.told()
    later = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: later)
    assert stale(served.ask(told))
    assert not stale(served.ask(told, password="wrong"))
    assert not stale(served.ask(password="wrong"))
    assert served.ask().status_code == 200


def test_a_nonce_lives_as_long_as_was_said(make_app, monkeypatch):
    served = Served(make_app, nonce_lifetime=3600)
    told = served.told()
    later = time.time() + 3590
    monkeypatch.setattr(time, "time", lambda: later)
    assert served.ask(told).status_code == 200


def test_dig_09_a_nonce_for_another_realm_or_app_with_the_same_key(make_app):
    here, there = Served(make_app), Served(make_app)
    assert not stale(here.ask({**there.told()}))
    other = Served(make_app, realm="office")
    assert not stale(here.ask({**other.told(), "realm": "shop"}))


@pytest.mark.parametrize("config", [{}, {"SECRET_KEY": "new", "SECRET_KEY_FALLBACKS": [KEY["SECRET_KEY"]]}])
def test_dig_10_another_worker_takes_the_nonce_after_a_restart_and_a_change_of_keys(make_app, config):
    first, second = Served(make_app), Served(make_app)
    told = first.told()
    second.app.name = first.app.name
    second.app.config.update(config)
    assert second.ask(told).status_code == 200


def test_dig_10_without_the_old_key_the_client_gets_a_new_nonce_and_goes_on(served):
    told = served.told()
    served.app.config["SECRET_KEY"] = "new"
    refused = served.ask(told)
    assert refused.status_code == 401
    assert served.ask(challenge(refused.headers[CHALLENGE])).status_code == 200


@pytest.mark.parametrize(("ahead", "status"), [(50, 200), (90, 401)])
def test_dig_11_a_nonce_from_the_future(served, monkeypatch, ahead, status):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + ahead)
    told = served.told()
    monkeypatch.setattr(time, "time", lambda: now)
    response = served.ask(told)
    assert response.status_code == status
    assert status == 200 or stale(response)


# --- what is broken, and what was changed


@pytest.mark.rfc("D-20")
@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop"])
def test_dig_21_each_parameter_is_needed(served, name):
    response = served.ask(**{name: None})
    assert response.status_code == 400
    assert not served.ran


@pytest.mark.rfc("D-13")
@pytest.mark.parametrize(
    "nc", ["1", "000000001", "0000000g", "zzz", "", "-0000001", "00000000", "\uff11" * 8, "0x000001", " 0000001"]
)
def test_dig_06_a_count_that_is_not_eight_hex_digits(served, nc):
    params = field(answer(served.told(), nc=1)).replace("nc=00000001", f'nc="{nc}"')
    params = params.encode().decode("latin-1")
    assert served.app.test_client().get("/", headers={"Authorization": params}).status_code == 400


def test_dig_06_hex_digits_of_either_case(served):
    told = served.told()
    params = answer(told, nc=0xAB)
    a1, a2 = h("SHA-256", f"ada:shop:{ADA}"), h("SHA-256", "GET:/")
    params |= {
        "nc": "000000AB",
        "response": h("SHA-256", f"{a1}:{told['nonce']}:000000AB:{params['cnonce']}:auth:{a2}"),
    }
    assert served.app.test_client().get("/", headers={"Authorization": field(params)}).status_code == 200
    assert stale(served.ask(told, nc=0xAB))


@pytest.mark.rfc("D-22")
def test_dig_17_the_formula_without_qop(served):
    told = served.told()
    a1, a2 = h("SHA-256", f"ada:shop:{ADA}"), h("SHA-256", "GET:/")
    old = h("SHA-256", f"{a1}:{told['nonce']}:{a2}")
    assert served.ask(told, response=old, qop=None, nc=None, cnonce=None).status_code == 400


@pytest.mark.rfc("D-21")
@pytest.mark.parametrize("qop", ["auth-int", "AUTH", '"auth,auth-int"', "", "auth-conf"])
def test_dig_18_a_qop_that_is_not_offered(served, qop):
    params = field(answer(served.told())).replace("qop=auth", f"qop={qop or chr(34) * 2}")
    assert served.app.test_client().get("/", headers={"Authorization": params}).status_code == 400


@pytest.mark.rfc("D-08")
@pytest.mark.parametrize("algorithm", [None, "MD5", "SHA-256-sess", "SHA-512-256", "SHA-1", "token"])
def test_dig_19_an_algorithm_that_is_not_offered(served, algorithm):
    told = {**served.told(), "algorithm": algorithm if algorithm in ("MD5", "SHA-256-sess", "SHA-512-256") else "MD5"}
    assert not stale(served.ask(told, algorithm=algorithm))


def test_dig_19_md5_computed_and_sha_256_claimed(served):
    assert not stale(served.ask({**served.told(), "algorithm": "MD5"}, algorithm="SHA-256"))


def test_md5_without_its_name_where_it_is_offered(make_app):
    served = Served(make_app, algorithms=["MD5"])
    assert served.ask(algorithm=None).status_code == 200
    assert served.ask(algorithm="md5").status_code == 200


def test_dig_20_the_realm_of_another_space(served):
    assert not stale(served.ask({**served.told(), "realm": "other"}))


@pytest.mark.parametrize("name", ["username", "uri", "nonce", "response", "nc", "realm"])
@pytest.mark.parametrize("same", [True, False])
def test_dig_22_a_parameter_twice(served, name, same):
    params = answer(served.told())
    value = field(params) + f', {name}="{params[name] if same else "x"}"'
    assert served.app.test_client().get("/", headers={"Authorization": value}).status_code == 400


@pytest.mark.rfc("D-18")
@pytest.mark.parametrize(
    "changed",
    [
        {"username*": "UTF-8''ada"},
        {"username": None, "username*": "''x"},
        {"username": None, "username*": "UTF-8''%zz"},
        {"username": None, "username*": "utf-7''ada"},
        {"username": None, "username*": "ISO-8859-1''ada"},
        {"username": None, "username*": "UTF-8''%ff"},
        {"username": None, "username*": "ada"},
        {"username": None, "username*": "UTF-8''ada", "userhash": "true"},
        {"userhash": "maybe"},
        {"cnonce": "\xe4"},
    ],
)
def test_dig_23_names_in_two_forms_or_broken_ones(served, changed):
    assert served.ask(**changed).status_code == 400


@pytest.mark.parametrize("name", ["", "a" * 1025, "a\tb", "UTF-8''a%00b"], ids=["empty", "long", "tab", "nul"])
def test_a_name_that_nobody_has(served, name):
    changed = {"username": None, "username*": name} if "''" in name else {"username": name}
    assert not stale(served.ask(**changed))


@pytest.mark.parametrize("response", ["é" * 64, "abc", "A" * 64, "0" * 32, "z" * 64])
def test_dig_24_a_response_that_cannot_be_one(served, response):
    assert not stale(served.ask(response=response))


@pytest.mark.parametrize(
    "value", ["Digest", "Digest ", "Digest abc", "Digest a", 'Digest username="' + "x" * 5000 + '"']
)
def test_what_is_no_answer_at_all(served, value):
    assert served.app.test_client().get("/", headers={"Authorization": value}).status_code == 400


@pytest.mark.parametrize("value", ["None", 'Bearer username="alice", realm="shop"', "Basic x"])
def test_what_confused_clients_send_counts_as_nothing(served, value):
    response = served.app.test_client().get("/", headers={"Authorization": value})
    assert (response.status_code, "stale" in response.headers[CHALLENGE]) == (401, False)


def test_dig_27_nobody_of_that_name_looks_like_a_wrong_password(served):
    wrong, nobody = served.ask(password="wrong"), served.ask(name="nobody")
    first, second = ((r.status_code, r.data, [(k, v) for k, v in r.headers if k != CHALLENGE]) for r in (wrong, nobody))
    assert first == second
    told = [{**challenge(r.headers[CHALLENGE]), "nonce": ""} for r in (wrong, nobody)]
    assert told[0] == told[1]


@pytest.mark.rfc("D-32")
def test_a_wrong_answer_is_logged_without_the_name(served, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    served.ask(name="my-passw0rd-typed-as-name")
    assert "wrong password" in caplog.text
    assert "my-passw0rd" not in caplog.text


def test_credentials_show_nothing_and_are_not_pickled(served):
    import pickle

    credentials = answer_of(served)
    assert "ada" not in repr(credentials)
    with pytest.raises(TypeError):
        pickle.dumps(credentials)


# --- which request it is for


@pytest.mark.rfc("D-23")
@pytest.mark.parametrize(
    ("asked", "uri", "status"),
    [
        ("/other", "/", 400),  # DIG-12
        ("/?a=1", "/?a=2", 400),
        ("/?a=1", "/", 400),
        ("/?a=%20b&c", "/?a=%20b&c", 200),
        ("/?a=%20b", "/?a=+b", 400),
        ("/", "http://localhost/", 200),
        ("/?x", "http://LOCALHOST/?x", 200),
        ("/", "http://localhost", 200),
        ("/", "http://evil.example/", 400),
        ("/", "//", 400),
        ("/", "/pub/../", 400),
        ("/", "/%2e", 400),
        ("/", "*", 400),
        ("/", "http://[", 400),
    ],
)
def test_dig_12_and_13_the_uri_is_that_of_the_request(served, asked, uri, status):
    response = served.app.test_client().get(asked, headers=sent(served.told(), uri=uri))
    assert response.status_code == status


@pytest.mark.parametrize(
    ("environ", "uri", "status"),
    [
        ({}, "/x%20y?a=%20", 200),
        ({}, "/x y?a=%20", 200),
        ({}, "/x%20y?a= ", 400),
        ({}, "/y", 400),
        ({"SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),
        ({"SCRIPT_NAME": "/shop"}, "/x%20y?a=%20", 400),
        ({"RAW_URI": "/x%20y?a=%20", "SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),  # a proxy cut it off
        ({"RAW_URI": "/shop/x%20y?a=%20", "SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),
        ({"REQUEST_URI": "http://localhost/x%20y?a=%20"}, "/x%20y?a=%20", 200),
    ],
)
def test_servers_that_do_not_tell_the_target_and_proxies_that_cut_it(make_app, environ, uri, status):
    served = Served(make_app)
    served.app.add_url_rule("/x y", "spaced", served.auth.login_required(lambda: "in"))
    headers = sent(served.told(), uri=uri)
    base = {"RAW_URI": "", "REQUEST_URI": "", "QUERY_STRING": "a=%20", **environ}
    response = served.app.test_client().get("/x%20y", headers=headers, environ_overrides=base)
    assert response.status_code == status


def test_dig_14_another_method(served):
    told = served.told()
    headers = sent(told, method="GET")
    assert not stale(served.app.test_client().delete("/", headers=headers))


# --- bodies


@pytest.mark.rfc("D-26")
def test_dig_15_a_body_that_was_changed(make_app):
    served = Served(make_app, qop=["auth", "auth-int"])
    told = served.told()
    assert told["qop"] == "auth, auth-int"
    assert served.ask(told, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1").status_code == 200
    assert not stale(served.ask(told, nc=2, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1000"))
    assert served.ask(told, nc=2, method="POST", qop="auth", data=b"any").status_code == 200
    assert served.ask(told, nc=3, qop="auth-int").status_code == 200


@pytest.mark.parametrize("way", ["get_data", "stream", "form", "json"])
def test_the_view_can_still_read_a_hashed_body_in_any_way(make_app, way):
    from flask import request

    ways = {
        "get_data": lambda: request.get_data(),
        "stream": lambda: request.stream.read(),
        "form": lambda: request.form["a"],
        "json": lambda: str(request.get_json(force=True)["a"]),
    }
    served = Served(make_app, qop=["auth-int"], view=ways[way])
    body, expected = {"form": (b"a=1", "1"), "json": (b'{"a": 1}', "1")}.get(way, (b"a=1", "a=1"))
    headers = sent(served.told(), method="POST", qop="auth-int", body=body)
    kind = "application/x-www-form-urlencoded" if way == "form" else "text/plain"
    assert served.app.test_client().post("/", data=body, headers=headers, content_type=kind).text == expected


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_the_limit_is_413(make_app, declared):
    served = Served(make_app, qop=["auth-int"], max_body=100)
    for size, status in ((100, 200), (101, 413)):
        body = b"x" * size
        headers = sent(served.told(), method="POST", qop="auth-int", body=body)
        extra = {} if declared else {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        response = served.app.test_client().post("/", data=body, headers=headers, environ_overrides=extra)
        assert response.status_code == status


def test_a_body_that_a_hook_read_before(make_app):
    from flask import request

    served = Served(make_app, qop=["auth-int"])
    served.app.before_request(lambda: request.get_data() and None)
    answered = served.ask(method="POST", qop="auth-int", body=b"a=1", data=b"a=1")
    assert answered.status_code == 200
    served = Served(make_app, qop=["auth-int"])
    served.app.before_request(lambda: request.form and None)
    headers = sent(served.told(), method="POST", qop="auth-int", body=b"a=1")
    with pytest.raises(ConfigurationError, match=r"request\.form was read before"):
        served.app.test_client().post("/", data={"a": "1"}, headers=headers)


# --- Authentication-Info


def info(response):
    return challenge("Digest " + response.headers["Authentication-Info"])


@pytest.mark.rfc("D-33", "D-34", "D-35")
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_the_server_proves_itself(make_app, qop):
    served = Served(make_app, qop=["auth", "auth-int"], rspauth=True)
    told = served.told()
    response = served.ask(told, qop=qop, nc=7)
    got = info(response)
    assert (got["qop"], got["nc"], got["cnonce"]) == (qop, "00000007", "0a4f113b")
    a2 = ":/" + (":" + h("SHA-256", response.data) if qop == "auth-int" else "")
    a1 = h("SHA-256", f"ada:shop:{ADA}")
    assert got["rspauth"] == h("SHA-256", f"{a1}:{told['nonce']}:00000007:0a4f113b:{qop}:{h('SHA-256', a2)}")
    assert "nextnonce" not in got


@pytest.mark.rfc("D-36", "AI-01")
def test_quotes_in_authentication_info(make_app, monkeypatch):
    served = Served(make_app, rspauth=True, nextnonce=True, nonce_lifetime=60)
    told = served.told()
    later = time.time() + 40
    monkeypatch.setattr(time, "time", lambda: later)
    response = served.ask(told)
    parts = dict(part.split("=", 1) for part in response.headers["Authentication-Info"].split(", "))
    assert {name for name, value in parts.items() if value.startswith('"')} == {"nextnonce", "rspauth", "cnonce"}
    assert served.ask({**told, "nonce": info(response)["nextnonce"]}).status_code == 200
    assert served.ask(told, nc=2).status_code == 200  # the one before lives on


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_to_who_sent_nothing_or_was_refused(make_app):
    served = Served(make_app, rspauth=True, nextnonce=True)
    told = served.told()
    assert served.ask(told).headers.getlist("Authentication-Info") != []
    for response in (served.app.test_client().get("/"), served.ask(password="wrong"), served.ask(told)):
        assert response.status_code == 401
        assert "Authentication-Info" not in response.headers
    assert "Authentication-Info" not in Served(make_app).ask().headers


def test_no_proof_over_a_body_that_is_streamed(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True, view=lambda: (part for part in ("a", "b")))
    response = served.ask(qop="auth-int")
    assert response.text == "ab"
    assert "Authentication-Info" not in response.headers


def test_the_proof_of_head_covers_no_body(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True)
    told = served.told()
    response = served.app.test_client().head("/", headers=sent(told, method="HEAD", qop="auth-int"))
    a1, a2 = h("SHA-256", f"ada:shop:{ADA}"), h("SHA-256", f":/:{h('SHA-256', b'')}")
    assert info(response)["rspauth"] == h("SHA-256", f"{a1}:{told['nonce']}:00000001:0a4f113b:auth-int:{a2}")


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
        ({"opaque": "ü"}, ValueError, "opaque"),
        ({"nonce_lifetime": 0}, ConfigurationError, "nonce_lifetime"),
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
    assert digest.hashes("ada", ADA, realm="shop") == {name: h(name, f"ada:shop:{ADA}") for name in ("SHA-256", "MD5")}


@pytest.mark.rfc("D-39")
def test_beside_basic_digest_goes_first_and_the_log_says_what_it_is_worth(make_app, caplog):
    auth = Auth(Basic(lambda name, password: True), Digest(load, realm="shop"))
    app = make_app(auth, **KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    response = app.test_client().get("/")
    assert [c.scheme for c in parse_challenges(response.headers.getlist(CHALLENGE))] == ["Digest", "Basic"]
    assert [record.levelname for record in caplog.records if "Basic" in record.getMessage()] == ["WARNING"]


def test_several_workers_need_a_store_that_they_share(served, caplog):
    many = {"wsgi.multiprocess": True}
    told = served.told()
    for nc in (1, 2):
        headers = sent(told, nc=nc)
        assert served.app.test_client().get("/", headers=headers, environ_overrides=many).status_code == 200
    assert caplog.text.count("several workers") == 1


def test_several_workers_without_one_are_refused_where_that_was_wished(make_app):
    served = Served(make_app, store=MemoryStore(strict=True))
    headers = sent(served.told())
    with pytest.raises(ConfigurationError, match="several workers"):
        served.app.test_client().get("/", headers=headers, environ_overrides={"wsgi.multiprocess": True})


def test_an_unavailable_loader_is_503(make_app):
    def load_later(name):
        raise AuthUnavailable(reason="no database")

    assert Served(make_app, loader=load_later).ask().status_code == 503
