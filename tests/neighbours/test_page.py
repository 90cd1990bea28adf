"""The page says what the tests capture."""

import sys

import pytest

from .harness import modules
from .table import COMMAND, PAGE, page

modules()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="the page has Flask-Security-Too, which needs Python 3.11")
@pytest.mark.tells_secrets("set-cookie", because="Flask-JWT-Extended keeps its token in a cookie")
def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == page(), f"run {COMMAND}"
