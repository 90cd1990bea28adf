"""The page says what the tests measure, and what they measure is what was promised."""

import re

import pytest

from .table import COMMAND, PAGE, page


@pytest.mark.asvs("V13.1.3", "V13.2.6")
def test_the_page_is_fresh_and_holds_the_promise():
    fresh = page()
    assert PAGE.read_text(encoding="utf-8") == fresh, f"run {COMMAND}"
    keys, over_time, tokens = (part.split("\n| ")[2:] for part in fresh.split("\n## ")[1:])
    assert len(keys) > 20
    assert len(tokens) >= 20
    for row in keys:
        cells = [cell.strip() for cell in row.split(" | ")]
        assert re.fullmatch(r"503, again in \d+ s", cells[1])
        assert (cells[2], cells[3], cells[5]) == ("1", "200", "1")
        assert re.fullmatch(r"503, again in \d+ s", cells[4])
    assert all(re.search(r"\| 503, again in \d+ s \| [35] \|", row) for row in tokens)
    assert "1 000 tokens" in over_time[1]
