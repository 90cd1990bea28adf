"""The page of reasons is fresh."""

from . import reasons


def test_the_page_is_fresh():
    assert reasons.PAGE.read_text(encoding="utf-8") == reasons.page(), f"run {reasons.COMMAND}"
