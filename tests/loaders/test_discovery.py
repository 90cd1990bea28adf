"""The keys of an issuer, found by its metadata."""

import pytest

from flask_unauthorized import AuthUnavailable, ConfigurationError
from flask_unauthorized.loaders.jwks import JWKS
from tests.http_client.server import (
    answer,
    drip,
    hang_up,
)  # fmt: skip

from .keys import Clock, find_ids, key_set


def metadata(server, issuer=None, **members):
    return answer({"issuer": issuer or server.url, "jwks_uri": server.url + "/keys", **members})


PLACES = {
    "": ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
    "/issuer1": ("/.well-known/oauth-authorization-server/issuer1", "/issuer1/.well-known/openid-configuration"),
    "/issuer1/": ("/.well-known/oauth-authorization-server/issuer1", "/issuer1/.well-known/openid-configuration"),
    "/": ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
}


def of_issuer(server, path="", **options):
    keys = JWKS.of_issuer(server.url + path, allow_http_loopback=True, **options)
    keys._clock = options.get("clock") or Clock()
    return keys


@pytest.mark.rfc("AS-01", "J-13")
@pytest.mark.parametrize("second", [False, True], ids=["rfc8414", "openid"])
@pytest.mark.parametrize("path", PLACES)
def test_as_01_keys_of_an_issuer(plain, pair, path, second):
    plain.answers[PLACES[path][second]] = metadata(plain, plain.url + path)
    plain.answers["/keys"] = key_set(*pair)
    keys = of_issuer(plain, path)
    assert plain.requests == []
    assert find_ids(keys, "one") == ["one"]
    assert [request.target for request in plain.requests] == [*PLACES[path][: second + 1], "/keys"]


@pytest.mark.asvs("V10.5.3")
@pytest.mark.rfc("AS-02", "AS-04")
@pytest.mark.parametrize(
    "lie", ["/", "/issuer1/", "/Issuer1", "/issuer1?", "/%69ssuer1", "//issuer1", "/issuer1/x", None]
)
def test_as_02_another_issuer_in_the_metadata(plain, pair, lie, caplog):
    for place in PLACES["/issuer1"]:
        plain.answers[place] = metadata(plain, "https://evil.example" if lie is None else plain.url + lie)
    plain.answers["/keys"] = key_set(*pair)
    keys = of_issuer(plain, "/issuer1")
    with pytest.raises(AuthUnavailable) as caught:
        keys.candidates("one", "ES256")
    found = "https://evil.example" if lie is None else plain.url + lie
    assert f"is {found!r}, expected {plain.url + '/issuer1'!r} to the letter" in caught.value.reason
    assert plain.calls("/keys") == 0


def test_the_log_names_the_issuer_in_the_metadata_before_a_404(plain, pair):
    plain.answers[PLACES["/issuer1"][-1]] = metadata(plain, plain.url + "/issuer1/")
    keys = of_issuer(plain, "/issuer1")
    with pytest.raises(AuthUnavailable) as caught:
        keys.candidates("one", "ES256")
    issuer, _, other = caught.value.reason.partition("; ")
    assert f"the issuer in it is '{plain.url}/issuer1/'" in issuer
    assert "responded with 404" in other


@pytest.mark.rfc("AS-04")
def test_as_04_host_names_compare_as_they_are_written(plain, pair):
    plain.answers[PLACES[""][0]] = metadata(plain, plain.url.replace("localhost", "LOCALHOST"))
    plain.answers["/keys"] = key_set(*pair)
    with pytest.raises(AuthUnavailable):
        of_issuer(plain).candidates("one", "ES256")


@pytest.mark.rfc("AS-03")
@pytest.mark.parametrize(
    "uri",
    [None, 5, "", "http://as.example/keys", "file:///etc/passwd", "/keys", "https://u:p@as.example/", ["https://x/"]],
)
def test_as_03_keys_that_are_nowhere(plain, uri):
    for place in PLACES[""]:
        plain.answers[place] = metadata(plain, jwks_uri=uri)
    with pytest.raises(AuthUnavailable, match="unavailable") as caught:
        of_issuer(plain).candidates("one", "ES256")
    assert "jwks_uri" in caught.value.reason


@pytest.mark.parametrize(
    "content", [answer([]), answer(b""), answer(b"<html>", kind="text/html"), answer(b"{", 200), answer(b"", 500)]
)
def test_metadata_that_is_none_in_one_place_and_good_in_the_other(plain, pair, content):
    plain.answers[PLACES[""][0]] = content
    plain.answers[PLACES[""][1]] = metadata(plain)
    plain.answers["/keys"] = key_set(*pair)
    assert find_ids(of_issuer(plain), "one") == ["one"]


def test_a_server_that_is_gone_is_asked_once(plain):
    plain.answers[PLACES[""][0]] = hang_up
    with pytest.raises(AuthUnavailable):
        of_issuer(plain).candidates("one", "ES256")
    assert plain.calls() == 1


def test_all_fetches_for_an_issuer_share_one_time(plain):
    plain.answers[PLACES[""][0]] = answer(b"", 404)
    plain.answers[PLACES[""][1]] = drip
    with pytest.raises(AuthUnavailable) as caught:
        of_issuer(plain, timeout=0.5).candidates("one", "ES256")
    assert "timed out" in caught.value.reason


def test_the_metadata_is_read_anew_when_the_keys_have_moved(plain, pair):
    plain.answers[PLACES[""][0]] = metadata(plain)
    plain.answers["/keys"] = key_set(pair[0])
    clock = Clock()
    keys = of_issuer(plain)
    keys._clock = clock
    find_ids(keys, "one")
    clock.turn(30)
    find_ids(keys, "two")
    assert plain.calls(PLACES[""][0]) == 1
    del plain.answers["/keys"]
    plain.answers["/moved"] = key_set(*pair)
    plain.answers[PLACES[""][0]] = metadata(plain, jwks_uri=plain.url + "/moved")
    clock.turn(30)
    with pytest.raises(AuthUnavailable):
        keys.candidates("two", "ES256")
    clock.turn(1)
    assert find_ids(keys, "two") == ["two"]
    assert keys.url == plain.url + "/moved"


@pytest.mark.parametrize(
    "issuer", ["http://as.example", "https://as.example?x=1", "https://as.example#x", "as.example", ""]
)
@pytest.mark.rfc("AS-03")
def test_an_issuer_that_is_none(issuer):
    with pytest.raises(ConfigurationError):
        JWKS.of_issuer(issuer)
