"""Fixtures of the loaders' tests."""

import pytest

from tests.http_client.conftest import authority as authority
from tests.http_client.conftest import ca_file as ca_file
from tests.http_client.conftest import plain as plain
from tests.http_client.conftest import tls as tls
from tests.http_client.server import answer
from tests.jose.conftest import api as api
from tests.jose.conftest import behind as behind

from .asking import TOKEN, make_introspection
from .keys import Clock, jwk


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pair():
    """Two keys, with the ids one and two."""
    return jwk("one"), jwk("two")


@pytest.fixture
def ask(plain):
    """Asks about a token, where the server answers with the members given, or with octets."""

    def introspect(content, token=TOKEN, **options):
        plain.answers["/introspect"] = answer(content) if isinstance(content, dict) else content
        return make_introspection(plain, **options)(token)

    return introspect
