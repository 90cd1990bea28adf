"""Fixtures of the schemes' tests."""

import pytest

from .digest_served import Served


@pytest.fixture
def served(make_app):
    return Served(make_app)
