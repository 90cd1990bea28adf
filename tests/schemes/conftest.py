"""Fixtures of the schemes' tests."""

import pytest

from .digest_served import Served
from .dpop_served import Served as ServedDPoP


@pytest.fixture
def served(make_app):
    return Served(make_app)


@pytest.fixture
def dpop(make_app):
    return ServedDPoP(make_app)
