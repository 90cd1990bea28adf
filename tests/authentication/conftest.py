"""Fixtures of the tests of authentication."""

from tests.browser.conftest import build as build
