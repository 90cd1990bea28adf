"""Fixtures of the schemes' tests."""

import pytest

from tests.browser.conftest import build as build
from tests.browser.conftest import clock as clock

from .digest_served import Served
from .dpop_served import Served as ServedDPoP


@pytest.fixture
def served(make_app):
    return Served(make_app)


@pytest.fixture
def dpop(make_app):
    return ServedDPoP(make_app)
