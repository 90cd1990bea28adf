"""Servers with and without TLS, and authorities made for the tests."""

import ssl
from pathlib import Path

import pytest
import trustme

from .server import running


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def context_for(certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def tls(authority):
    """A server with a good certificate for localhost."""
    with running(context_for(authority.issue_cert("localhost"))) as server:
        yield server


@pytest.fixture
def plain():
    """A server on loopback without TLS."""
    with running() as server:
        yield server
