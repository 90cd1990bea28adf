"""Mutual TLS: this app shows its certificate to a real TLS server that demands one (RFC 8705 §2, RFC 8446 §4.3.2)."""

import logging
import os
import ssl
import traceback

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from flask_unauthorized import ConfigurationError
from flask_unauthorized.http_client.client import Fetcher, FetchError
from flask_unauthorized.http_client.client_certificate import ClientCertificate
from tests.canaries import register

from .conftest import context_for
from .proxy import running_proxy
from .server import Server, answer

PASSWORD = "s3cret-of-the-key"


class DemandingServer(Server):
    """Demands a certificate of ``clients``, and remembers who showed which."""

    def __init__(self, authority, clients, name="localhost"):
        context = context_for(authority.issue_cert(name))
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
        self.shown = []
        super().__init__(context)
        self.answers["/x"] = self.reply
        self.keeps = True

    def reply(self, request, sock):
        (common_name,) = (
            x509.load_der_x509_certificate(sock.getpeercert(True))
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value.get_values_for_type(x509.DNSName)
        )
        self.shown.append(common_name)
        sock.sendall(answer(b"in", keep=True))


@pytest.fixture(scope="session")
def clients():
    """The authority of clients' certificates."""
    return trustme.CA()


@pytest.fixture
def demanding(authority, clients):
    server = DemandingServer(authority, clients)
    try:
        yield server
    finally:
        server.stop()


def write(folder, issued, name="tls", *, key=None):
    """Write a chain and its key, each file in place of the one before, and return their paths."""
    chain, private = folder / f"{name}.crt", folder / f"{name}.key"
    text = issued.private_key_pem.bytes() if key is None else key
    register(*text.decode().splitlines()[1:-1])
    for path, octets in ((chain, b"".join(pem.bytes() for pem in issued.cert_chain_pems)), (private, text)):
        replace(path, octets)
    return chain, private


def replace(path, octets):
    new = path.with_suffix(".new")
    new.write_bytes(octets)
    os.replace(new, path)


def fetcher_of(files, ca_file, **options):
    return Fetcher(ca_file=ca_file, certificate=files, timeout=20, **options)


def test_a_server_that_demands_a_certificate_gets_it(demanding, clients, ca_file, tmp_path):
    chain, key = write(tmp_path, clients.issue_cert("api.example.com"))
    for files in ((chain, key), (str(chain), str(key))):
        assert fetcher_of(files, ca_file).get(demanding.url + "/x") == b"in"
    assert demanding.shown == ["api.example.com"] * 2


def test_without_a_certificate_or_with_that_of_another_authority_there_is_no_exchange(demanding, ca_file, tmp_path):
    stranger = write(tmp_path, trustme.CA().issue_cert("api.example.com"))
    for files in (None, stranger):
        with pytest.raises(FetchError) as caught:
            fetcher_of(files, ca_file).get(demanding.url + "/x")
        assert caught.value.status is None
    assert demanding.shown == demanding.requests == []


def test_the_server_is_still_checked(authority, clients, tmp_path):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    server = DemandingServer(authority, clients)
    try:
        with pytest.raises(FetchError, match="the certificate is not accepted"):
            fetcher_of(files, None).get(server.url + "/x")
    finally:
        server.stop()
    assert server.requests == []


def test_through_a_proxy(authority, clients, ca_file, tmp_path):
    files = write(tmp_path, clients.issue_cert("api.example.com"))
    server = DemandingServer(authority, clients, "as.example")
    try:
        with running_proxy() as proxy:
            fetched = fetcher_of(files, ca_file, proxy=proxy.url).get(f"https://as.example:{server.port}/x")
    finally:
        server.stop()
    assert (fetched, server.shown) == (b"in", ["api.example.com"])
    assert proxy.targets == [b"as.example:%d" % server.port]


def test_an_encrypted_key_with_its_password(demanding, clients, ca_file, tmp_path):
    issued = clients.issue_cert("api.example.com")
    files = write(tmp_path, issued, key=encrypted(issued))
    register(PASSWORD)
    fetcher = fetcher_of((*files, PASSWORD), ca_file)
    assert fetcher.get(demanding.url + "/x") == b"in"
    for shown in (repr(fetcher), repr(fetcher.certificate)):
        assert PASSWORD not in shown


def encrypted(issued):
    key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode()))


# --- renewal


def test_a_renewed_certificate_is_shown_from_the_next_exchange_on(demanding, clients, ca_file, tmp_path, caplog):
    files = write(tmp_path, clients.issue_cert("first.example.com"))
    fetcher = fetcher_of(files, ca_file, keep_alive=2)
    assert [fetcher.get(demanding.url + "/x") for _ in range(2)] == [b"in"] * 2
    write(tmp_path, clients.issue_cert("second.example.com"))
    assert [fetcher.get(demanding.url + "/x") for _ in range(2)] == [b"in"] * 2
    assert demanding.shown == ["first.example.com"] * 2 + ["second.example.com"] * 2
    fetcher.close()
    assert caplog.records == []


def test_the_files_are_read_again_only_after_a_change(clients, ca_file, tmp_path):
    chain, key = write(tmp_path, clients.issue_cert("api.example.com"))
    certificate = ClientCertificate((chain, key), ca_file)
    context = certificate.context()
    assert certificate.context() is context
    os.utime(key, ns=(1, 1))
    renewed = certificate.context()
    assert renewed is not context
    assert certificate.context() is renewed


def test_in_the_middle_of_a_renewal_the_last_certificate_stays(demanding, clients, ca_file, tmp_path, caplog):
    chain, key = write(tmp_path, clients.issue_cert("first.example.com"))
    fetcher = fetcher_of((chain, key), ca_file)
    assert fetcher.get(demanding.url + "/x") == b"in"
    second = clients.issue_cert("second.example.com")
    with caplog.at_level(logging.WARNING, "flask_unauthorized"):
        replace(chain, second.cert_chain_pems[0].bytes())  # and not yet the key
        assert [fetcher.get(demanding.url + "/x") for _ in range(3)] == [b"in"] * 3
        key.unlink()
        assert fetcher.get(demanding.url + "/x") == b"in"
    assert [record.getMessage() for record in caplog.records] == [
        f"certificate=({str(chain)!a}, {str(key)!a}) has changed and can't be used: {why}. "
        "The last certificate stays in use"
        for why in (
            "the key is not that of the first certificate in the file. Put the certificate of this app first",
            "a file can't be read (No such file or directory). Let the app's user read both",
        )
    ]
    replace(key, second.private_key_pem.bytes())
    assert fetcher.get(demanding.url + "/x") == b"in"
    assert demanding.shown == ["first.example.com"] * 5 + ["second.example.com"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
def test_a_named_pipe_in_place_of_a_file_is_never_opened(clients, tmp_path, caplog):
    """OpenSSL would wait for a writer, and so would each request."""
    chain, key = write(tmp_path, clients.issue_cert("api.example.com"))
    certificate = ClientCertificate((chain, key), None)
    before = certificate.context()
    key.unlink()
    os.mkfifo(key)
    assert certificate.context() is before
    assert "a file can't be read (not a regular file)" in caplog.text


def test_files_that_are_gone_before_the_first_fetch_are_an_outage(demanding, clients, ca_file, tmp_path):
    chain, key = write(tmp_path, clients.issue_cert("api.example.com"))
    fetcher = fetcher_of((chain, key), ca_file)
    chain.unlink()
    with pytest.raises(FetchError) as caught:
        fetcher.get(demanding.url + "/x")
    assert caught.value.status is None


# --- mistakes at set-up


def problem(files):
    with pytest.raises(ConfigurationError) as caught:
        Fetcher(certificate=files)
    assert caught.value.__cause__ is None
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def test_files_that_cannot_be_used(clients, tmp_path):
    issued, other = clients.issue_cert("a.example"), clients.issue_cert("b.example")
    chain, key = write(tmp_path, issued)
    _, wrong = write(tmp_path, other, "other")
    _, locked = write(tmp_path, issued, "locked", key=encrypted(issued))
    assert "which is not a file" in problem((chain, tmp_path / "none.key"))
    assert "which is not a file" in problem((tmp_path, key))
    assert "the key is not that of the first certificate" in problem((chain, wrong))
    assert "Give its password as the third item" in problem((chain, locked))
    assert "the third item must be the password" in problem((chain, locked, "another password"))
    assert "OpenSSL can't read them" in problem((key, chain))
    (tmp_path / "empty").write_bytes(b"")
    assert "Both must be in PEM" in problem((tmp_path / "empty", key))
    assert "the password is too long" in problem((chain, locked, PASSWORD * 1000))
    text = issued.private_key_pem.bytes().decode()
    assert "holds the text of a certificate or key" in problem((str(chain), text))
    assert text not in problem((str(chain), text))


@pytest.mark.parametrize(
    "files", ["tls.pem", b"tls.pem", 5, {"cert": "a"}, ("a",), ("a", "b", "c", "d"), ("a", None), (1, "b")]
)
def test_what_is_no_pair_of_files(files):
    with pytest.raises(TypeError, match=r"write certificate=\("):
        Fetcher(certificate=files)


def test_a_password_that_is_no_text(tmp_path):
    with pytest.raises(TypeError, match="the password in certificate= must be a str"):
        Fetcher(certificate=("a", "b", tmp_path))
