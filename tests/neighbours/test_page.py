"""The page says what the tests capture."""

from .harness import modules
from .table import COMMAND, PAGE, page

modules()


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == page(), f"run {COMMAND}"
