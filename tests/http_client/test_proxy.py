"""Fetching through a proxy: CONNECT (RFC 9110 §9.3.6), TLS to the target, and every way in which a proxy fails."""

import base64
import datetime
import logging
import socket
import threading
import time
import traceback
from types import SimpleNamespace
from urllib.parse import parse_qsl

import pytest
import trustme
from flask import Flask

from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError
from flask_unauthorized.http_client import connection
from flask_unauthorized.http_client.client import Fetcher, FetchError, fetch, read_proxy_url
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from tests.canaries import register
from tests.loaders.keys import jwk

from .conftest import context_for
from .faults import Issuer
from .proxy import ESTABLISHED, running_proxy
from .server import answer, running

AUDIENCE = "https://api.example.com"
SECRET = "s3cret-of-the-proxy"
BODY = answer(b"from the target")


@pytest.fixture
def proxy():
    with running_proxy() as running_one:
        yield running_one


@pytest.fixture
def target(authority):
    """A TLS server for as.example, a name that no resolver knows."""
    with running(context_for(authority.issue_cert("as.example"))) as server:
        server.answers["/x"] = BODY
        server.url = f"https://as.example:{server.port}"
        yield server


def fails(url, proxy_url, **options):
    """The error of a fetch through a proxy. It isn't chained to the exception that quotes the proxy."""
    begun = time.monotonic()
    with pytest.raises(FetchError) as caught:
        fetch(url, proxy=proxy_url, **{"timeout": 1, **options})
    assert time.monotonic() - begun < 15  # the limit is one second; a busy machine is slow
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


# --- a good proxy


@pytest.mark.rfc("I-03")
def test_a_fetch_through_a_tunnel(proxy, target, ca_file):
    assert fetch(target.url + "/x?v=1", ca_file=ca_file, proxy=proxy.url) == b"from the target"
    # RFC 9110 §9.3.6: only host and port as the request target; §7.2: the same in Host.
    assert proxy.heads == [
        b"CONNECT as.example:%d HTTP/1.1\r\nHost: as.example:%d\r\nUser-Agent: flask_unauthorized\r\n\r\n"
        % (target.port, target.port)
    ]
    (request,) = target.requests
    assert (request.method, request.target) == ("GET", "/x?v=1")
    assert request.headers["host"] == f"as.example:{target.port}"


def test_the_default_port_is_named_to_the_proxy_and_not_to_the_target(proxy, target, ca_file):
    proxy.hosts["as.example:443"] = target.port
    assert fetch("https://as.example/x", ca_file=ca_file, proxy=proxy.url) == b"from the target"
    assert proxy.targets == [b"as.example:443"]
    assert target.requests[0].headers["host"] == "as.example"


def test_an_ipv6_address_stands_in_brackets(proxy, authority, ca_file):
    with running(context_for(authority.issue_cert("2001:db8::1"))) as server:
        server.answers["/x"] = BODY
        assert fetch(f"https://[2001:db8::1]:{server.port}/x", ca_file=ca_file, proxy=proxy.url) == b"from the target"
        assert proxy.targets == [b"[2001:db8::1]:%d" % server.port]
        assert server.requests[0].headers["host"] == f"[2001:db8::1]:{server.port}"


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
        b"HTTP/1.1 204 x\r\n\r\n",
        # RFC 9110 §9.3.6: a client ignores these in a 2xx response to CONNECT.
        b"HTTP/1.1 200 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_what_opens_a_tunnel(proxy, target, ca_file, response):
    proxy.response = response
    assert fetch(target.url + "/x", ca_file=ca_file, proxy=proxy.url) == b"from the target"


def test_a_tunnel_serves_several_requests_to_one_server(proxy, target, authority, ca_file):
    target.answers["/x"] = answer(b"kept", keep=True)
    fetcher = Fetcher(ca_file=ca_file, proxy=proxy.url, keep_alive=2)
    for _ in range(3):
        assert fetcher.get(target.url + "/x") == b"kept"
    assert len(proxy.heads) == 1
    with running(context_for(authority.issue_cert("other.example"))) as other:
        other.answers["/x"] = BODY
        assert fetcher.get(f"https://other.example:{other.port}/x") == b"from the target"
    assert len(proxy.heads) == 2
    fetcher.close()


def test_a_connection_is_reused_through_the_same_proxy_only(proxy, target, ca_file):
    target.answers["/x"] = answer(b"kept", keep=True)
    fetcher = Fetcher(ca_file=ca_file, proxy=proxy.url, keep_alive=2)
    fetcher.get(target.url + "/x")
    with running_proxy() as other:
        fetcher.proxy = read_proxy_url(other.url)
        assert fetcher.get(target.url + "/x") == b"kept"
        assert (len(proxy.heads), len(other.heads)) == (1, 1)
        fetcher.close()


def test_a_tunnel_that_was_closed_while_idle_is_replaced(proxy, target, ca_file):
    target.answers["/x"] = lambda request, sock: sock.sendall(answer(b"kept", keep=True))  # and then closes
    fetcher = Fetcher(ca_file=ca_file, proxy=proxy.url, keep_alive=1)
    for _ in range(3):
        assert fetcher.post(target.url + "/x", {"a": "b"}, {}) == b"kept"
    assert len(proxy.heads) == len(target.requests) == 3
    fetcher.close()


def test_plain_http_on_this_machine_is_fetched_directly(proxy, plain):
    plain.answers["/x"] = answer(b"direct")
    assert fetch(plain.url + "/x", allow_http_loopback=True, proxy=proxy.url) == b"direct"
    assert proxy.heads == []
    assert not [name for name in plain.requests[0].headers if name.startswith("proxy")]


def test_the_environment_names_no_proxy_and_no_exception(proxy, target, tls, ca_file, monkeypatch):
    tls.answers["/x"] = answer(b"direct")
    for name in ("https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert fetch(tls.url + "/x", ca_file=ca_file) == b"direct"
    assert proxy.heads == []
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "*")
    assert fetch(target.url + "/x", ca_file=ca_file, proxy=proxy.url) == b"from the target"
    assert len(proxy.heads) == 1


# --- credentials of the proxy


@pytest.mark.parametrize(
    ("userinfo", "value"),
    [
        ("Aladdin:open%20sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617 §2
        ("test:123%C2%A3", "dGVzdDoxMjPCow=="),  # RFC 7617 §2.1
        ("a%40b:c%3Ad%2F", "YUBiOmM6ZC8="),  # a@b:c:d/
        ("ada", "YWRhOg=="),  # ada:
    ],
)
def test_credentials_go_to_the_proxy_only(proxy, target, ca_file, userinfo, value):
    assert fetch(target.url + "/x", ca_file=ca_file, proxy=proxy.url_with(userinfo)) == b"from the target"
    (head,) = proxy.heads
    assert f"\r\nProxy-Authorization: Basic {value}\r\n".encode() in head
    assert "proxy-authorization" not in target.requests[0].headers
    assert "authorization" not in target.requests[0].headers


def test_the_password_is_never_shown(proxy, target, caplog):
    caplog.set_level(logging.DEBUG)
    register(SECRET, base64.b64encode(f"ada:{SECRET}".encode()).decode())
    url = proxy.url_with(f"ada:{SECRET}")
    shown = [repr(Fetcher(proxy=url)), repr(read_proxy_url(url)), str(read_proxy_url(url))]
    for proxy.response in (b"HTTP/1.1 407 x\r\n\r\n", b"nonsense", ESTABLISHED):  # the last: an unknown authority
        error = fails(target.url + "/x", url)
        shown += [repr(error), "".join(traceback.format_exception(error))]
    proxy.response = b"HTTP/1.1 407 x\r\n\r\n"
    keys = JWKS(target.url + "/keys", proxy=url)
    loader = Introspection(target.url + "/x", audience=AUDIENCE, access_token="t0ken", proxy=url)
    tokens = JWT(target.url, audience=AUDIENCE, proxy=url)
    for use in (lambda: keys.candidates("one", "ES256"), lambda: loader("token"), tokens._keys._keys_in_force):
        with pytest.raises(AuthUnavailable) as caught:
            use()
        assert f"the proxy {proxy.name} responded to CONNECT with 407" in caught.value.reason
        shown += [caught.value.reason, repr(caught.value), "".join(traceback.format_exception(caught.value))]
    shown += [repr(keys), repr(loader), repr(tokens), caplog.text]
    for text in shown:
        assert SECRET not in text
        assert base64.b64encode(f"ada:{SECRET}".encode()).decode() not in text


# --- TLS is verified with the target, whatever the proxy says


def test_a_certificate_of_another_name(proxy, authority, ca_file):
    with running(context_for(authority.issue_cert("elsewhere.example", "127.0.0.1"))) as server:
        error = fails(f"https://as.example:{server.port}/x", proxy.url, ca_file=ca_file)
        assert "the certificate is not accepted" in str(error)
        assert f"through the proxy {proxy.name}" in str(error)
        assert server.requests == []


def test_an_expired_certificate(proxy, authority, ca_file):
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    with running(context_for(authority.issue_cert("as.example", not_after=past))) as server:
        error = fails(f"https://as.example:{server.port}/x", proxy.url, ca_file=ca_file)
        assert "the certificate is not accepted" in str(error)
        assert server.requests == []


def test_a_proxy_that_answers_in_the_place_of_the_target(proxy, target, ca_file):
    """It may end the tunnel at a server of its own, with an authority that isn't trusted."""
    with running(context_for(trustme.CA().issue_cert("as.example"))) as impostor:
        proxy.hosts[f"as.example:{target.port}"] = impostor.port
        error = fails(target.url + "/x", proxy.url, ca_file=ca_file)
        assert "the certificate is not accepted" in str(error)
        assert impostor.requests == target.requests == []


def test_an_ipv6_address_that_the_certificate_does_not_name(proxy, authority, ca_file):
    with running(context_for(authority.issue_cert("2001:db8::1"))) as server:
        error = fails(f"https://[2001:db8::2]:{server.port}/x", proxy.url, ca_file=ca_file)
        assert "the certificate is not accepted" in str(error)


# --- bad proxies


@pytest.mark.parametrize("status", [101, 199, 300, 301, 302, 400, 403, 404, 407, 429, 500, 502, 503, 504])
def test_a_proxy_that_opens_no_tunnel(proxy, target, ca_file, status):
    proxy.response = (
        b"HTTP/1.1 %d s3cret-reason\r\nLocation: https://as.example/\r\nContent-Length: 11\r\n\r\ns3cret-body" % status
    )
    error = fails(target.url + "/x?q=s3cret", proxy.url, ca_file=ca_file)
    assert f"GET {target.url}/x: the proxy {proxy.name} responded to CONNECT with {status}" in str(error)
    hint = ": check the user and password in proxy=" if status == 407 else ""
    assert str(error).endswith(f"responded to CONNECT with {status}{hint}")
    assert "s3cret" not in str(error)
    assert error.status is None
    assert len(proxy.heads) == 1
    assert target.requests == []


def _drip(head, pause=0.01):
    """Sends ``head``, then a byte at a time for as long as the client reads."""

    def respond(sock):
        sock.sendall(head)
        for _ in range(3000):
            sock.sendall(b"x")
            threading.Event().wait(pause)

    return respond


def _flood(line):
    def respond(sock):
        sock.sendall(b"HTTP/1.1 200 x\r\n")
        for _ in range(3000):
            sock.sendall(line)

    return respond


def _interim_flood(sock):
    for _ in range(100_000):
        sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def _silent(sock):
    """Waits until the client hangs up."""
    while sock.recv(1024):
        pass


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (_silent, "timed out"),
        (_drip(b""), "timed out"),
        (_drip(b"HTTP/1.1 200 x\r\nX: "), "timed out"),
        (lambda sock: None, "RemoteDisconnected"),
        (b"HTTP/1.1 ", "BadStatusLine"),
        (b"\x16\x03\x01\x00\x05 no HTTP\r\n", "BadStatusLine"),
        (b"200 OK\r\n\r\n", "BadStatusLine"),
        (b"HTTP/1.1 abc x\r\n\r\n", "BadStatusLine"),
        (_flood(b"X-Flood: " + b"x" * 6000 + b"\r\n"), "the response is too large"),
        (_flood(b"x" * 6000), "the response is too large"),
        (_flood(b"X: y\r\n"), "HTTPException"),
        (_interim_flood, "the response is too large"),
    ],
    ids=[
        "silent", "drip", "drip-in-head", "closes", "cut", "noise", "no-version", "no-status", "long-fields",
        "long-line", "many-fields", "interim-flood",
    ],
)  # fmt: skip
def test_a_proxy_that_sends_no_response(proxy, target, ca_file, response, reason):
    proxy.response = response
    slow = reason == "timed out"
    error = fails(target.url + "/x", proxy.url, ca_file=ca_file, timeout=0.5 if slow else 20)
    assert str(error) == f"GET {target.url}/x: the proxy {proxy.name}: {reason}"
    assert error.status is None
    assert target.requests == []


@pytest.mark.parametrize(
    ("behind", "reason"),
    [
        (_silent, "timed out"),
        (_drip(b"\x16\x03\x03\x40\x00"), "timed out"),  # a TLS record of 16 KiB, a byte at a time
        (lambda sock: sock.recv(1024), "(SSL|Connection|OSError)"),
        (lambda sock: sock.sendall(b"HTTP/1.1 200 x\r\n\r\nno TLS"), "SSLError"),
    ],
    ids=["silent", "drip", "closes", "noise"],
)
def test_a_proxy_that_fails_behind_the_tunnel(proxy, target, ca_file, behind, reason):
    def respond(sock):
        sock.sendall(ESTABLISHED)
        behind(sock)

    proxy.response = respond
    error = fails(target.url + "/x", proxy.url, ca_file=ca_file, timeout=0.5 if reason == "timed out" else 20)
    assert error.status is None
    with pytest.raises(FetchError, match=f": {reason}[^:]* .through the proxy {proxy.name}"):
        raise error


def test_bytes_that_the_proxy_adds_behind_its_response_are_not_dropped(proxy, target, ca_file):
    """Nothing may come before the target's handshake, so the connection can't be trusted to be in step."""
    proxy.response = ESTABLISHED + b"HTTP/1.1 200 x\r\n\r\n"
    assert "SSLError" in str(fails(target.url + "/x", proxy.url, ca_file=ca_file, timeout=20))
    assert target.requests == []


def test_no_proxy_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        name = f"127.0.0.1:{taken.getsockname()[1]}"
    assert f"the proxy {name}: ConnectionRefusedError" in str(fails("https://as.example/x", f"http://{name}"))


def test_a_proxy_of_no_name():
    text = str(fails("https://as.example/x", "http://ada:s3cret@nothing.invalid:3128"))
    assert text.startswith("GET https://as.example/x: the proxy nothing.invalid:3128: gaierror")


def test_an_interrupted_request_for_a_tunnel_closes_the_socket(proxy, monkeypatch):
    made = []

    class Interrupted(socket.socket):
        def connect(self, address):
            made.append(self)
            super().connect(address)

        def send(self, octets):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.http_client.connection.socket.socket", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch("https://as.example/x", proxy=proxy.url)
    assert [sock.fileno() for sock in made] == [-1]


def test_one_deadline_covers_all_that_is_sent(monkeypatch):
    """A peer that takes a byte at a time restarts the timeout of a socket each time."""
    now = 100.0

    class SlowPeer:
        def settimeout(self, seconds):
            assert 0 < seconds <= 2

        def send(self, octets):
            nonlocal now
            now += 0.5
            return 1

    monkeypatch.setattr(connection, "time", SimpleNamespace(monotonic=lambda: now))
    sock = connection._LimitedSocket(SlowPeer(), connection._Limits(102.0, 1000))
    sock.sendall(b"abc")
    with pytest.raises(TimeoutError):
        sock.sendall(b"abc")


# --- loaders


def test_keys_and_metadata_of_an_issuer(proxy, target, ca_file):
    issuer = target.url
    target.answers["/.well-known/oauth-authorization-server"] = answer({"issuer": issuer, "jwks_uri": f"{issuer}/keys"})
    target.answers["/keys"] = answer({"keys": [jwk("one")]})
    keys = JWKS.of_issuer(issuer, ca_file=ca_file, proxy=proxy.url)
    assert [key.kid for key in keys.candidates("one", "ES256")] == ["one"]
    assert len(proxy.heads) == len(target.requests) == 2


def test_introspection(proxy, target, ca_file):
    secret = "gX1fBat3bV-of-the-client"
    register(secret, "t0ken-of-ada")
    target.answers["/introspect"] = answer({"active": True, "aud": AUDIENCE, "sub": "ada"}, keep=True)
    loader = Introspection(
        target.url + "/introspect", audience=AUDIENCE, client_id="api", client_secret=secret, ca_file=ca_file,
        proxy=proxy.url, cache=0,
    )  # fmt: skip
    for _ in range(2):
        assert loader("t0ken-of-ada").subject == "ada"
    assert len(proxy.heads) == 1
    assert b"uthorization" not in proxy.heads[0]
    assert dict(parse_qsl(target.requests[0].body.decode()))["token"] == "t0ken-of-ada"
    loader._endpoint._fetcher.close()


@pytest.mark.parametrize("response", [b"HTTP/1.1 407 x\r\n\r\n", b"HTTP/1.1 502 x\r\n\r\n", lambda sock: None])
@pytest.mark.parametrize("kind", ["jwt", "introspection"])
def test_a_proxy_that_fails_is_503_without_a_challenge(proxy, kind, response, caplog):
    proxy.response = response
    if kind == "jwt":
        loader = JWT("https://as.example", audience=AUDIENCE, proxy=proxy.url)
    else:
        loader = Introspection("https://as.example/x", audience=AUDIENCE, access_token="t0ken", proxy=proxy.url)
    auth = Auth(Bearer(loader))
    app = Flask("behind")
    auth.init_app(app)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
    refusal = app.test_client().get("/", headers={"Authorization": f"Bearer {Issuer().token('one')}"})
    assert refusal.status_code == 503
    assert "WWW-Authenticate" not in refusal.headers
    assert int(refusal.headers["Retry-After"]) >= 1
    assert proxy.name not in refusal.text
    assert f"the proxy {proxy.name}" in caplog.text


# --- set-up


@pytest.mark.parametrize(
    ("url", "host", "port", "authorization"),
    [
        ("http://proxy.example:3128", "proxy.example", 3128, None),
        ("http://proxy.example:3128/", "proxy.example", 3128, None),
        ("HTTP://Proxy.example", "proxy.example", 80, None),
        ("http://[2001:db8::8]:8080", "2001:db8::8", 8080, None),
        ("http://Aladdin:open%20sesame@10.0.0.1:3128", "10.0.0.1", 3128, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
    ],
)
def test_what_is_a_proxy(url, host, port, authorization):
    found = read_proxy_url(url)
    assert (found.host, found.port, found.authorization) == (host, port, authorization)
    assert str(found) == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy.example:3128", "proxy.example", "//proxy.example:3128", "http://", "http://:3128",
        "http://proxy.example:0", "http://proxy.example:x", "http://proxy.example:99999", "http://[::1",
        "http://proxy.example:3128/path", "http://proxy.example:3128/?", "http://proxy.example:3128?a",
        "http://proxy.example:3128/#", "http://pro xy.example:3128", "http://proxy.example:3128\r\nX: y",
        "socks5://proxy.example:1080", "ftp://proxy.example",
    ],
)  # fmt: skip
def test_what_is_none(url):
    with pytest.raises(ConfigurationError, match="write 'http://host:port'") as caught:
        read_proxy_url(url)
    assert repr(url) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://ada:s3/cret@proxy.example:3128", "http://ada:s3#cret@proxy.example", "http://ada:s3?cret@proxy.example",
        "http://ada:s3 cret@proxy.example:3128", "ada:s3cret@proxy.example:3128", "http://s3%0D%0Acret@proxy.example",
        "http://ada%3As3cret:x@proxy.example", "socks5://ada:s3cret@proxy.example", "https://ada:s3cret@proxy.example",
        "http://s3cret@", "http://ada:s3cret@proxy.example:x", "http://ada:s3cret@[::1",
    ],
)  # fmt: skip
def test_the_refusal_of_a_proxy_shows_no_password(url):
    with pytest.raises(ConfigurationError, match="proxy=") as caught:
        read_proxy_url(url)
    assert "s3" not in "".join(traceback.format_exception(caught.value))
    assert "cret" not in "".join(traceback.format_exception(caught.value))


def test_what_is_no_url_is_said_first():
    with pytest.raises(ConfigurationError, match=r"^proxy='http://\[proxy' is not a URL: write "):
        Fetcher(proxy="http://[proxy")


def test_a_name_that_dns_cannot_have_is_a_failure_of_the_fetch(target, ca_file):
    error = fails(target.url + "/x", f"http://{'a' * 64}.example:1", ca_file=ca_file)
    assert "the proxy" in str(error)


def test_tls_to_the_proxy_is_refused_and_says_so():
    with pytest.raises(ConfigurationError, match="asks for TLS to the proxy, which is not supported"):
        Fetcher(proxy="https://proxy.example:3128")


@pytest.mark.parametrize("url", [b"http://proxy.example", 3128, {"https": "http://proxy.example"}, True])
def test_a_proxy_is_text(url):
    with pytest.raises(TypeError, match=f"^proxy must be a str, not {type(url).__name__}$"):
        Fetcher(proxy=url)


@pytest.mark.parametrize(
    "make",
    [
        lambda proxy: JWKS("https://as.example/keys", proxy=proxy),
        lambda proxy: JWKS.of_issuer("https://as.example", proxy=proxy),
        lambda proxy: Introspection("https://as.example/x", audience=None, access_token="x", proxy=proxy),
        lambda proxy: JWT("https://as.example", audience=AUDIENCE, proxy=proxy),
    ],
    ids=["JWKS", "of_issuer", "Introspection", "JWT"],
)
def test_mistakes_are_found_when_the_loader_is_made(make):
    with pytest.raises(ConfigurationError, match="HTTP proxy"):
        make("proxy.example:3128")


def test_a_callable_of_the_apps_own_goes_through_no_proxy_of_ours():
    proxy = "http://proxy.example:3128"
    with pytest.raises(ConfigurationError, match="proxy= and fetch="):
        JWKS("https://as.example/keys", proxy=proxy, fetch=lambda url: b"")
    with pytest.raises(ConfigurationError, match="proxy= and post="):
        Introspection("https://as.example/x", audience=None, access_token="x", proxy=proxy, post=lambda *asked: b"")
    with pytest.raises(ConfigurationError, match="proxy= and keys="):
        JWT("https://as.example", audience=AUDIENCE, keys=JWKS("https://as.example/keys"), proxy=proxy)
