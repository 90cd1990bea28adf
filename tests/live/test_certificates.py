"""Certificates of clients on gunicorn's own TLS."""

import datetime
import hashlib
import http.client
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ..dpop_client import b64
from .conftest import GUNICORN, running

NAMES = ("server", "client", "other")


def make_certificate(folder, name):
    """A self-signed certificate with its key, in one file; its SHA-256 as in ``x5t#S256``."""
    key, subject = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]),
    )
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return b64(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()), certificate.public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def hashes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    made = {name: make_certificate(folder, name) for name in NAMES}
    (folder / "clients.pem").write_bytes(made["client"][1] + made["other"][1])
    return folder, {name: hashed for name, (hashed, _) in made.items()}


@pytest.fixture(scope="module", params=["sync", "gthread", "gevent"])
def port(request, hashes):
    folder, _ = hashes
    command = (
        *GUNICORN,
        "-k",
        request.param,
        "--certfile",
        str(folder / "server.pem"),
        "--keyfile",
        str(folder / "server.pem"),
        "--ca-certs",
        str(folder / "clients.pem"),
        "--cert-reqs",
        str(int(ssl.CERT_OPTIONAL)),
        "tests.live.certificates_app:app",
    )
    with running(f"tls-{request.param}", command) as server:
        yield server.port


def ask(port, folder, client, token):
    """Status and challenge; the handshake may come before a worker is there."""
    context = ssl.create_default_context(cafile=folder / "server.pem")
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    if client is not None:
        context.load_cert_chain(folder / f"{client}.pem")
    deadline = time.monotonic() + 20
    while True:
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)
        try:
            connection.request("GET", "/", headers={"Authorization": f"Bearer {token}", "Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("WWW-Authenticate", "")
        except (ConnectionError, ssl.SSLError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
        finally:
            connection.close()


@pytest.mark.rfc("T-01", "T-02", "S-02")
@pytest.mark.parametrize(
    ("client", "bound", "status"), [("client", "client", 200), ("other", "client", 401), (None, "client", 401)]
)
def test_a_token_that_is_bound_to_the_certificate_of_the_connection(port, hashes, client, bound, status):
    folder, hashed = hashes
    found, challenge = ask(port, folder, client, hashed[bound])
    assert found == status
    assert ('error="invalid_token"' in challenge) is (status == 401)
