"""What is fetched, what isn't, and that every fetch ends."""

import datetime
import gc
import gzip
import os
import socket
import ssl
import threading
import time
import traceback
import tracemalloc
from types import SimpleNamespace

import pytest
import trustme

from flask_unauthorized import ConfigurationError
from flask_unauthorized.http_client.client import Fetcher, FetchError, fetch, read_url

from .conftest import context_for
from .server import (
    answer,
    chunked_flood,
    drip,
    drip_in_head,
    hang_up,
    head_flood,
    interim_flood,
    redirect,
    running,
)  # fmt: skip

LIMIT = 512 * 1024
CHUNKED = b'HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"key\r\n7\r\ns": []}\r\n0\r\nT: 1\r\n\r\n'


@pytest.fixture
def get(plain):
    """Fetches ``/x`` of the plain server, which answers with what is given; in a second at most."""

    def ask(content, **options):
        plain.answers["/x"] = content
        return fetch(plain.url + "/x", allow_http_loopback=True, timeout=1, **options)

    return ask


def fails(ask, *arguments, match):
    begun = time.monotonic()
    with pytest.raises(FetchError, match=match) as caught:
        ask(*arguments)
    assert time.monotonic() - begun < 15  # the limit is one second; a busy machine is slow
    assert caught.value.__cause__ is caught.value.__context__ is None
    return caught.value


# --- what is asked, and a good answer


@pytest.mark.rfc("I-03")
def test_a_body_over_tls(tls, ca_file):
    tls.answers["/keys"] = answer(b"octets as they are \xff\x00")
    assert fetch(tls.url + "/keys?v=1", ca_file=ca_file) == b"octets as they are \xff\x00"
    (request,) = tls.requests
    assert (request.method, request.target, request.body) == ("GET", "/keys?v=1", b"")
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["host"] == f"localhost:{tls.port}"
    assert not {"authorization", "cookie", "proxy-authorization"} & request.headers.keys()


def test_a_form_is_encoded_once(plain):
    plain.answers["/form"] = answer(b"ok")
    form = {"token": "a+b/c=&active=true%00\r\nü", "hint": ""}
    assert Fetcher(allow_http_loopback=True).post(plain.url + "/form", form, {"X-Own": "1"}) == b"ok"
    (request,) = plain.requests
    assert (request.method, request.headers["x-own"]) == ("POST", "1")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    # WHATWG URL, application/x-www-form-urlencoded serializing.
    assert request.body == b"token=a%2Bb%2Fc%3D%26active%3Dtrue%2500%0D%0A%C3%BC&hint="


@pytest.mark.asvs("V13.2.4")
def test_nothing_from_the_environment(get, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine localhost login ada password secret")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("no_proxy", raising=False)
    assert get(answer(b"direct")) == b"direct"


@pytest.mark.parametrize("size", [1, LIMIT])
def test_sizes_up_to_the_limit(get, size):
    assert get(answer(b"x" * size)) == b"x" * size


def test_a_body_in_chunks(get):
    assert (
        get(b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\n")
        == b"abcde"
    )


def test_a_body_that_ends_with_the_connection(get):
    assert get(b"HTTP/1.0 200 x\r\nConnection: close\r\n\r\nabc") == b"abc"


# --- bad answers


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 429, 500, 502, 503])
def test_key_16_another_status_than_200(get, status):
    error = fails(get, answer(b"secret", status), match=f"responded with {status}")
    assert error.status == status
    assert "secret" not in str(error)


@pytest.mark.asvs("V13.2.4", "V15.3.2")
@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:1/",
        "https://evil.example/",
        "http://169.254.169.254/latest/",
        "file:///etc/passwd",
        "/y",
        "//x",
    ],
)
def test_key_17_redirects_are_not_followed(get, plain, location):
    plain.answers["/y"] = answer(b"reached")
    fails(get, redirect(location), match="responded with 302, and redirects are not followed")
    assert plain.calls() == 1


@pytest.mark.parametrize("content", [chunked_flood, head_flood, interim_flood], ids=lambda content: content.__name__)
def test_key_18_floods_end_by_size(plain, content):
    plain.answers["/x"] = content
    tracemalloc.start()
    with pytest.raises(FetchError, match=r"more than 524288 bytes|the response is too large"):
        fetch(plain.url + "/x", allow_http_loopback=True, timeout=20)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 2**20


def test_key_18_150_mb_by_its_length(get):
    text = r"^GET [^ ]+: more than 524288 bytes$"
    fails(get, b"HTTP/1.1 200 x\r\nContent-Length: 157286400\r\n\r\n", match=text)
    fails(get, answer(b"x" * (LIMIT + 1)), match=text)
    fails(get, b"HTTP/1.0 200 x\r\nConnection: close\r\n\r\n" + b"x" * (LIMIT + 1), match=text)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, identity"])
def test_key_18_nothing_is_decompressed(get, coding):
    bomb = gzip.compress(b" " * 10_000_000)
    fails(get, answer(bomb, Content_Encoding=coding), match="compressed")


def test_identity_is_no_compression(get):
    assert get(answer(b"x", Content_Encoding="Identity")) == b"x"


@pytest.mark.parametrize("content", [drip, drip_in_head], ids=["body", "head"])
def test_key_18_a_byte_at_a_time_ends_by_the_total(get, content):
    fails(get, content, match="timed out")


def test_int_02_nothing_comes(get, plain):
    fails(get, lambda request, sock: plain.stopping.wait(30), match="timed out")


@pytest.mark.parametrize(
    "content",
    [
        hang_up,
        answer(b""),
        b"Connection: close\r\n\r\n",
        b"HTTP/1.1 abc x\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 200 x\r\nContent-Length: 9\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nab",
        b"\x16\x03\x01\x00\xff Connection: close",
    ],
    ids=["nothing", "empty", "no-status", "status", "cut", "chunk", "cut-chunk", "noise"],
)
def test_fau_01_answers_that_are_none(get, content):
    fails(get, content, match="localhost")


@pytest.mark.parametrize("whole", [answer(b'{"keys": []}'), CHUNKED], ids=["length", "chunks"])
def test_fau_01_cut_anywhere_it_is_no_answer(plain, whole):
    plain.answers["/x"] = lambda request, sock: sock.sendall(whole[: int(request.target.partition("?")[2])])
    fetcher = Fetcher(allow_http_loopback=True)
    assert fetcher.get(f"{plain.url}/x?{len(whole)}") == b'{"keys": []}'
    for size in range(len(whole)):
        try:
            got = fetcher.get(f"{plain.url}/x?{size}")
        except FetchError:
            continue
        # What ends in the trailer has cost nothing of the body.
        assert got == b'{"keys": []}', (size, whole[:size])


def test_key_16_a_page(get):
    fails(get, answer(b'{"keys": []}', kind="text/html; charset=utf-8"), match="page")


# --- who is asked


@pytest.mark.asvs("V12.3.1")
@pytest.mark.parametrize(
    "url",
    [
        "http://as.example/keys", "http://localhost/keys", "HTTP://127.0.0.1/", "file:///etc/passwd", "ftp://as.example/",
        "data:application/json,{}", "//as.example/keys", "/keys", "", "https://", "https:///keys", "https:keys",
        "https://as.example/keys#part", "https://as.example/keys#", "https://as.example:0/", "https://as.example:99999/",
        "https://as.example:x/", "https://[::1/", "https://as.example/a b", "https://as.example/\n", " https://as.example/",
        "https://as.example\\@evil.example/", "https://bücher.example/", "https://as.example/{tenant}/keys",
    ],
)  # fmt: skip
@pytest.mark.rfc("AS-03")
def test_key_19_urls_that_are_refused_at_set_up(url):
    with pytest.raises(ConfigurationError):
        read_url(url)


@pytest.mark.parametrize(
    "url", ["https://ada:s3cret@as.example/", "https://s3cret@as.example/", "https://@as.example/"]
)
def test_key_19_no_password_in_a_url_nor_in_its_refusal(url):
    with pytest.raises(ConfigurationError, match="user or password") as caught:
        read_url(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://ada:s3cret@as.example:x/", "https://ada:s3cret @as.example/", "https://ada:s3cret@[::1/",
     "https://ada:s3cret/x@as.example/", "https://ada:s3cret{@as.example/"],
)  # fmt: skip
def test_a_url_that_cannot_be_parsed_is_not_quoted_if_it_may_hold_a_password(url):
    with pytest.raises(ConfigurationError, match="not shown, because it may hold a password") as caught:
        read_url(url)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "url", ["http://localhost:8080/k", "http://127.0.0.1/", "http://[::1]:1/", "HTTPS://AS.example/"]
)
def test_what_is_fetched_where_loopback_is_allowed(url):
    assert read_url(url, allow_http_loopback=True).host in ("localhost", "127.0.0.1", "::1", "as.example")


@pytest.mark.parametrize(
    "url", ["http://as.example/", "http://127.0.0.2/", "http://localhost.evil/", "ftp://localhost/"]
)
def test_loopback_is_nothing_else(url):
    with pytest.raises(ConfigurationError, match="https://"):
        read_url(url, allow_http_loopback=True)


@pytest.mark.parametrize("url", [None, b"https://as.example/", 5])
def test_a_url_is_text(url):
    with pytest.raises(TypeError):
        read_url(url)


def test_the_query_is_not_told(plain):
    plain.answers["/x"] = answer(b"", 500)
    with pytest.raises(FetchError) as caught:
        fetch(plain.url + "/x?key=s3cret", allow_http_loopback=True)
    assert "s3cret" not in repr(caught.value) + str(caught.value)
    assert plain.url + "/x" in str(caught.value)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, None])
def test_a_limit_that_is_none(limit):
    with pytest.raises(ConfigurationError, match="limit"):
        Fetcher(limit=limit)
    assert Fetcher(limit=1).limit == 1


@pytest.mark.parametrize("timeout", [0, -1, 61, float("nan"), float("inf")])
def test_a_timeout_that_is_none(timeout):
    with pytest.raises(ConfigurationError, match="timeout"):
        Fetcher(timeout=timeout)
    with pytest.raises(TypeError):
        Fetcher(timeout="5")
    with pytest.raises(TypeError):
        Fetcher(timeout=True)


# --- certificates


def test_key_26_an_authority_nobody_knows(tls):
    with pytest.raises(FetchError, match="certificate is not accepted"):
        fetch(tls.url + "/keys")
    assert tls.requests == []


def test_key_26_another_name(authority, ca_file):
    with running(context_for(authority.issue_cert("elsewhere.example"))) as server:
        with pytest.raises(FetchError, match="certificate is not accepted"):
            fetch(server.url + "/keys", ca_file=ca_file)
        assert server.requests == []


def test_key_26_an_expired_certificate(authority, ca_file):
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    with running(context_for(authority.issue_cert("localhost", not_after=past))) as server:
        with pytest.raises(FetchError, match="certificate is not accepted"):
            fetch(server.url + "/keys", ca_file=ca_file)
        assert server.requests == []


@pytest.mark.asvs("V12.3.4")
def test_key_26_another_authority_of_the_same_name(ca_file):
    with running(context_for(trustme.CA().issue_cert("localhost"))) as server, pytest.raises(FetchError) as caught:
        fetch(server.url + "/keys", ca_file=ca_file)
    assert "certificate is not accepted" in str(caught.value)


def test_key_26_no_tls_behind_https(plain):
    plain.answers["/x"] = answer(b"plain")
    with pytest.raises(FetchError, match="SSLError"):
        fetch(f"https://localhost:{plain.port}/x")


@pytest.mark.asvs("V12.3.2")
def test_key_26_nothing_switches_the_check_off(ca_file):
    fetcher = Fetcher(ca_file=ca_file)
    context = fetcher._route(read_url("https://as.example/")).context
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    for option in ("verify", "insecure", "cert_reqs"):
        with pytest.raises(TypeError):
            Fetcher(**{option: False})


def test_a_ca_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigurationError, match="ca_file"):
        Fetcher(ca_file=tmp_path / "nothing.pem")


# --- connections


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = fails(lambda: fetch(f"http://127.0.0.1:{port}/", allow_http_loopback=True), match="ConnectionRefusedError")
    assert error.status is None


def test_a_name_that_is_none():
    fails(lambda: fetch("https://nothing.invalid/"), match="gaierror")


def note_peers(server):
    """Let a server answer at /x and keep its connections. Return the set of their other ends."""
    peers = set()

    def note(request, sock):
        peers.add(sock.getpeername())
        sock.sendall(answer(b"x", keep=True))

    server.answers["/x"] = note
    server.keeps = True
    return peers


def test_a_connection_is_kept_for_the_next_request(tls, ca_file):
    peers = note_peers(tls)
    fetcher = Fetcher(ca_file=ca_file, keep_alive=2)
    for _ in range(3):
        assert fetcher.get(tls.url + "/x") == b"x"
    fetcher.close()
    assert len(tls.requests) == 3
    assert len(peers) == 1


def test_a_kept_connection_that_the_server_closed_is_replaced(plain):
    plain.answers["/x"] = lambda request, sock: sock.sendall(answer(b"x", keep=True))  # and then closes
    fetcher = Fetcher(allow_http_loopback=True, keep_alive=2)
    for _ in range(3):
        assert fetcher.post(plain.url + "/x", {"a": "b"}, {}) == b"x"
    assert plain.calls() == 3
    fetcher.close()


def test_a_dropped_fetcher_closes_its_connections(plain):
    plain.answers["/x"] = answer(b"x", keep=True)
    fetcher = Fetcher(allow_http_loopback=True, keep_alive=1)
    fetcher.get(plain.url + "/x")
    connection = fetcher._idle[0].connection
    del fetcher
    gc.collect()
    assert connection.sock is None


def test_a_connection_that_waited_too_long_is_not_used(plain, monkeypatch):
    peers = note_peers(plain)
    fetcher = Fetcher(allow_http_loopback=True, keep_alive=3)
    fetcher.get(plain.url + "/x")
    first = fetcher._idle[0].connection
    now = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.http_client.client.time", SimpleNamespace(monotonic=lambda: now + 60))
        patch.setattr("flask_unauthorized.http_client.connection.time", SimpleNamespace(monotonic=lambda: now + 60))
        fetcher.get(plain.url + "/x")
    assert first.sock is None
    assert len(peers) == 2
    fetcher._idle[:0] = [fetcher._idle[0]._replace(since=now - 60)]
    stale = fetcher._idle[0].connection
    fetcher.get(plain.url + "/x")
    assert stale.sock is None
    fetcher.close()


def test_no_more_connections_are_kept_than_asked_for(plain):
    plain.answers["/x"] = answer(b"x", keep=True)
    for keep_alive, kept in ((0, 0), (1, 1)):
        fetcher = Fetcher(allow_http_loopback=True, keep_alive=keep_alive)
        threads = [threading.Thread(target=fetcher.get, args=(plain.url + "/x",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fetcher._idle) in {kept, min(keep_alive, 4)}
        fetcher.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
def test_key_25_a_child_process_leaves_the_parents_connection_alone(plain, monkeypatch):
    peers = note_peers(plain)
    fetcher = Fetcher(allow_http_loopback=True, keep_alive=2)
    fetcher.get(plain.url + "/x")
    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.http_client.client.os.getpid", lambda: -1)  # as in a child
        fetcher.get(plain.url + "/x")
    assert len(peers) == 2
    fetcher.close()


def test_key_18_an_address_that_never_answers_and_more_of_its_kind(monkeypatch):
    """All addresses of a name share the one time."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
        monkeypatch.setattr(
            "flask_unauthorized.http_client.connection.socket.getaddrinfo", lambda *args, **options: [address] * 50
        )
        begun = time.monotonic()
        with pytest.raises(FetchError, match="timed out"):
            fetch(f"http://localhost:{port}/", allow_http_loopback=True, timeout=0.5)
        assert time.monotonic() - begun < 15
        for one in waiting:
            one.close()


def test_the_next_address_where_the_first_one_refuses(plain, monkeypatch):
    plain.answers["/x"] = answer(b"reached")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = taken.getsockname()[1]
    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (closed, plain.port)]
    monkeypatch.setattr(
        "flask_unauthorized.http_client.connection.socket.getaddrinfo", lambda *args, **options: addresses
    )
    assert fetch(plain.url + "/x", allow_http_loopback=True) == b"reached"


def test_a_name_without_addresses(monkeypatch):
    monkeypatch.setattr("flask_unauthorized.http_client.connection.socket.getaddrinfo", lambda *args, **options: [])
    with pytest.raises(FetchError, match="OSError"):
        fetch("https://as.example/")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError, MemoryError])
def test_an_interrupted_connection_is_closed(plain, monkeypatch, error):
    made = []

    class Interrupted(socket.socket):
        def connect(self, address):
            made.append(self)
            raise error

    with monkeypatch.context() as patch:
        patch.setattr("flask_unauthorized.http_client.connection.socket.socket", Interrupted)
        with pytest.raises(FetchError if error is OSError else error):
            fetch(plain.url, allow_http_loopback=True)
    assert all(sock.fileno() == -1 for sock in made)
    assert made


def test_another_thread_may_take_the_last_idle_connection_at_any_moment(plain):
    """It was an IndexError, and with introspection a 503 for a good token."""

    class Contended(list):
        def append(self, idle):  # another thread takes it at once
            idle.connection.close()

        def __bool__(self):  # as seen just before that
            return True

    plain.answers["/x"] = answer(b"x", keep=True)
    fetcher = Fetcher(allow_http_loopback=True, keep_alive=1)
    fetcher._idle = Contended()
    for _ in range(2):
        assert fetcher.get(plain.url + "/x") == b"x"
    fetcher.close()
