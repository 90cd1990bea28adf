"""The pages of docs/explanation show what a server really sends."""

import re

import pytest

from tests.test_package import LAYERS

from .pages import ROOT, blocks, check_console, missing_lines


@pytest.mark.parametrize("name", ["401-or-403", "guard"])
def test_the_program_of_the_page_answers_as_shown(name, tmp_path):
    page = f"docs/explanation/{name}.md"
    (program,) = blocks(page, "python")
    check_console(page, program, tmp_path)


def test_the_table_of_layers_is_the_one_that_the_imports_are_held_to():
    text = (ROOT / "docs/explanation/a-request.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- layers: begin -->")[2].partition("<!-- layers: end -->")[0]
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", shown, re.MULTILINE)
    expected = [
        (str(number), "<br>".join(f"`{room}`: {what}" for room, what in layer.items()))
        for number, layer in reversed(list(enumerate(LAYERS, 1)))
    ]
    assert rows == expected


def test_a_line_that_was_not_printed_is_found():
    assert missing_lines(["a", "b…d", ""], "a\nx\nbcd") == []
    assert missing_lines(["b", "a"], "a\nb") == ["a"]
    assert missing_lines(["bc…e"], "bcd") == ["bc…e"]
