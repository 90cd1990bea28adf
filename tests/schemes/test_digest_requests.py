"""Digest: answers that are broken, or for another request."""

import logging
import time

import pytest

from flask_unauthorized import Auth, Basic, Digest, Identity
from tests.digest_client import ADA, challenge, credentials_for, field_value, hex_hash, sent

from .digest_served import CHALLENGE, KEY, Served, credentials_of, is_stale, load

# --- what is broken, and what was changed


@pytest.mark.rfc("D-20")
@pytest.mark.parametrize("name", ["username", "realm", "nonce", "uri", "response", "cnonce", "nc", "qop"])
def test_dig_21_each_parameter_is_needed(served, name):
    """F-60: an improper answer to a challenge that still stands gets a new one; without the nonce nobody can tell."""
    response = served.ask(**{name: None})
    if name == "nonce":
        assert response.status_code == 400
    else:
        assert not is_stale(response)
    assert not served.ran


# F-60
@pytest.mark.parametrize("nonce", ["another", "over"])
def test_an_improper_answer_to_no_challenge_of_ours_is_400(served, nonce, monkeypatch):
    offered = served.challenge()
    if nonce == "over":
        later = time.time() + 301
        monkeypatch.setattr(time, "time", lambda: later)
    else:
        offered["nonce"] = "dcd98b7102dd2f0e8b11d0f600bfb0c093"
    assert served.ask(offered, nc=None).status_code == 400
    assert served.ask(offered, qop=None).status_code == 400
    assert not served.ran


# F-60
def test_after_an_improper_answer_the_client_may_use_another_scheme(make_app):
    auth = Auth(Digest(load, realm="shop"), Basic(lambda name, word: word == ADA, realm="shop"))
    app = make_app(auth, **KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    offered = challenge(app.test_client().get("/").headers.getlist(CHALLENGE)[0])
    refused = app.test_client().get("/", headers=sent(offered, qop=None, nc=None, cnonce=None))
    assert refused.status_code == 401
    lines = refused.headers.getlist(CHALLENGE)
    assert [line.partition(" ")[0] for line in lines] == ["Digest", "Basic"]
    assert challenge(lines[0])["nonce"] != offered["nonce"]
    assert app.test_client().get("/", auth=("ada", ADA)).text == "in"


@pytest.mark.rfc("D-13")
@pytest.mark.parametrize(
    "nc", ["1", "000000001", "0000000g", "zzz", "", "-0000001", "\uff11" * 8, "0x000001", " 0000001"]
)
def test_dig_06_a_count_that_is_not_eight_hex_digits(served, nc):
    offered = served.challenge()
    params = credentials_for(offered)
    octets = nc.encode().decode("latin-1")
    # The arithmetic is right for each of them, so that nothing but their form can be what is refused.
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", "GET:/")
    for counted in {nc, octets}:
        right = hex_hash("SHA-256", f"{a1}:{offered['nonce']}:{counted}:{params['cnonce']}:auth:{a2}")
        value = field_value({**params, "response": right}).replace("nc=00000001", f'nc="{octets}"')
        assert not is_stale(served.app.test_client().get("/", headers={"Authorization": value}))  # F-60
    assert not served.ran


def test_dig_06_hex_digits_of_either_case(served):
    offered = served.challenge()
    params = credentials_for(offered, nc=0xAB)
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", "GET:/")
    params |= {
        "nc": "000000AB",
        "response": hex_hash("SHA-256", f"{a1}:{offered['nonce']}:000000AB:{params['cnonce']}:auth:{a2}"),
    }
    assert served.app.test_client().get("/", headers={"Authorization": field_value(params)}).status_code == 200
    assert is_stale(served.ask(offered, nc=0xAB))


@pytest.mark.rfc("D-22")
def test_dig_17_the_formula_without_qop(served):
    offered = served.challenge()
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", "GET:/")
    old = hex_hash("SHA-256", f"{a1}:{offered['nonce']}:{a2}")
    assert not is_stale(served.ask(offered, response=old, qop=None, nc=None, cnonce=None))  # F-60
    assert not served.ran


@pytest.mark.rfc("D-21")
@pytest.mark.parametrize("qop", ["auth-int", "AUTH", '"auth,auth-int"', "", "auth-conf"])
def test_dig_18_a_qop_that_is_not_offered(served, qop):
    # The arithmetic is right for what is said, so that nothing but the qop can be what is refused.
    params = credentials_for(served.challenge(), qop=qop.strip('"'))
    value = field_value({**params, "qop": qop or '""'})
    assert not is_stale(served.app.test_client().get("/", headers={"Authorization": value}))  # F-60
    assert not served.ran


@pytest.mark.rfc("D-08")
@pytest.mark.parametrize("algorithm", [None, "MD5", "SHA-256-sess", "SHA-512-256", "SHA-1", "token"])
def test_dig_19_an_algorithm_that_is_not_offered(served, algorithm):
    offered = {
        **served.challenge(),
        "algorithm": algorithm if algorithm in ("MD5", "SHA-256-sess", "SHA-512-256") else "MD5",
    }
    assert not is_stale(served.ask(offered, algorithm=algorithm))


def test_dig_19_md5_computed_and_sha_256_claimed(served):
    assert not is_stale(served.ask({**served.challenge(), "algorithm": "MD5"}, algorithm="SHA-256"))


@pytest.mark.rfc("D-08")
def test_md5_without_its_name_where_it_is_offered(make_app):
    served = Served(make_app, algorithms=["MD5"])
    assert served.ask(algorithm=None).status_code == 200
    assert served.ask(algorithm="md5").status_code == 200


@pytest.mark.rfc("BA-14", "H-35")
@pytest.mark.parametrize("realm", ["other", "SHOP", "shop ", "sho", ""])
def test_dig_20_the_realm_of_another_space(served, realm):
    assert not is_stale(served.ask({**served.challenge(), "realm": realm}))
    assert not is_stale(served.ask(realm=realm))  # with a hash for our realm
    assert not served.ran


@pytest.mark.parametrize("name", ["username", "uri", "nonce", "response", "nc", "realm"])
@pytest.mark.parametrize("same", [True, False])
def test_dig_22_a_parameter_twice(served, name, same):
    params = credentials_for(served.challenge())
    value = field_value(params) + f', {name}="{params[name] if same else "x"}"'
    assert served.app.test_client().get("/", headers={"Authorization": value}).status_code == 400


@pytest.mark.rfc("D-18", "D-19")
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
    assert not is_stale(served.ask(**changed))  # F-60
    assert served.ask({**served.challenge(), "nonce": "no.such.nonce"}, **changed).status_code == 400
    assert not served.ran


@pytest.mark.parametrize("name", ["", "a" * 1025, "a\tb", "UTF-8''a%00b"], ids=["empty", "long", "tab", "nul"])
def test_a_name_that_nobody_has(served, name):
    changed = {"username": None, "username*": name} if "''" in name else {"username": name}
    assert not is_stale(served.ask(**changed))


@pytest.mark.parametrize("response", ["é" * 64, "abc", "A" * 64, "0" * 32, "z" * 64])
def test_dig_24_a_response_that_cannot_be_one(served, response):
    assert not is_stale(served.ask(response=response))


@pytest.mark.parametrize("value", ["Digest abc", "Digest a", 'Digest username="' + "x" * 5000 + '"'])
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
    offered = [{**challenge(r.headers[CHALLENGE]), "nonce": ""} for r in (wrong, nobody)]
    assert offered[0] == offered[1]


@pytest.mark.rfc("D-32")
def test_a_wrong_answer_is_logged_without_the_name(served, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    served.ask(name="my-passw0rd-typed-as-name")
    assert "no user has the name" in caplog.text
    assert "my-passw0rd" not in caplog.text


def test_credentials_show_nothing_and_are_not_pickled(served):
    import pickle

    credentials = credentials_of(served)
    assert repr(credentials) == "<DigestCredentials>"
    with pytest.raises(TypeError, match="credentials are not pickled"):
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
        ("/?x", "http://localhost?x", 200),
        ("/", "http://localhost//", 400),
        ("/", "http://evil.example/", 400),
        ("/", "//", 400),
        ("/", "/pub/../", 400),
        ("/", "/%2e", 400),
        ("/", "*", 400),
        ("/", "http://[", 400),
    ],
)
def test_dig_12_and_13_the_uri_is_that_of_the_request(served, asked, uri, status):
    response = served.app.test_client().get(asked, headers=sent(served.challenge(), uri=uri))
    assert response.status_code == status


@pytest.mark.parametrize(
    ("environ", "uri", "status"),
    [
        ({}, "/x%20y?a=%20", 200),
        ({}, "/x y?a=%20", 200),
        ({}, "/x%20y?a= ", 200),  # F-59: for the app it is the same
        ({"QUERY_STRING": "a=b?c"}, "/x%20y?a=b?c", 200),
        ({}, "/y", 400),
        ({"SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),
        ({"SCRIPT_NAME": "/shop"}, "/x%20y?a=%20", 400),
        ({"RAW_URI": "/x%20y?a=%20", "SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),  # a proxy cut it off
        ({"RAW_URI": "/shop/x%20y?a=%20", "SCRIPT_NAME": "/shop"}, "/shop/x%20y?a=%20", 200),
        ({"RAW_URI": "/shop/x%20y?a=%20", "SCRIPT_NAME": "/shop"}, "/shop/shop/x%20y?a=%20", 400),  # it cut nothing off
        ({"RAW_URI": "/x%20y?a=%20", "SCRIPT_NAME": "/a&b=c"}, "/a&b=c/x%20y?a=%20", 200),  # RFC 3986 §3.3
        ({"RAW_URI": "/x%20y?a=%20", "SCRIPT_NAME": "/\xc3\xa4 b"}, "/%C3%A4%20b/x%20y?a=%20", 200),
        ({"REQUEST_URI": "http://localhost/x%20y?a=%20"}, "/x%20y?a=%20", 200),
        ({"REQUEST_URI": "/x%20y?a=%20"}, "/x y?a=%20", 400),  # octet for octet
    ],
)
def test_servers_that_do_not_tell_the_target_and_proxies_that_cut_it(make_app, environ, uri, status):
    served = Served(make_app)
    served.app.add_url_rule("/x y", "spaced", served.auth.login_required(lambda: "in"))
    headers = sent(served.challenge(), uri=uri)
    base = {"RAW_URI": "", "REQUEST_URI": "", "QUERY_STRING": "a=%20", **environ}
    response = served.app.test_client().get("/x%20y", headers=headers, environ_overrides=base)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("environ", "missing", "uri", "status"),
    [
        ({}, ("SCRIPT_NAME", "QUERY_STRING"), "/", 200),
        ({}, ("SCRIPT_NAME", "QUERY_STRING"), "/?x", 400),
        ({"SCRIPT_NAME": "/shop"}, ("PATH_INFO", "QUERY_STRING"), "/shop", 200),
        ({"RAW_URI": "/"}, ("SCRIPT_NAME", "QUERY_STRING"), "/", 200),
        ({"RAW_URI": "/"}, ("SCRIPT_NAME", "QUERY_STRING"), "/other", 400),
    ],
)
def test_servers_may_leave_out_what_is_empty(served, environ, missing, uri, status):
    """PEP 3333: what would be an empty string may be omitted."""
    inner = served.app.wsgi_app

    def server(given, start_response):
        return inner({name: value for name, value in given.items() if name not in missing}, start_response)

    headers = sent(served.challenge(), uri=uri)
    served.app.wsgi_app = server
    base = {"RAW_URI": "", "REQUEST_URI": "", **environ}
    assert served.app.test_client().get("/", headers=headers, environ_overrides=base).status_code == status


def test_dig_14_another_method(served):
    offered = served.challenge()
    headers = sent(offered, method="GET")
    assert not is_stale(served.app.test_client().delete("/", headers=headers))


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
