"""The pages of docs/explanation show what a server really sends."""

import re
from xml.etree import ElementTree

import pytest

from tests.test_package import LAYERS

from .diagrams import COMMAND, DIAGRAMS, FOLDER, PAGE, Step, steps
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


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_diagram_is_fresh_and_on_the_page(name):
    assert (FOLDER / f"{name}.svg").read_text(encoding="utf-8") == DIAGRAMS[name](), f"run {COMMAND}"
    assert f"](../_static/{name}.svg)" in (ROOT / PAGE).read_text(encoding="utf-8")


def test_the_chart_of_text_is_read_as_people_read_it():
    chart = """
  request
     │
     ▼
  1 selection          which credentials? ─────▶ 400 two at once
     │                                    ─────▶ 401 nothing was sent
     ▼
  2 authorization      expiry ─────────────────▶ 401
     │                 scopes ─────────────────▶ 403
"""
    assert steps(chart) == [
        Step("request", [("", "")]),
        Step("1 selection", [("which credentials?", "400 two at once"), ("", "401 nothing was sent")]),
        Step("2 authorization", [("expiry", "401"), ("scopes", "403")]),
    ]


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_diagram_has_a_title_and_a_description_and_fits_a_phone(name):
    """A screen reader says both. Texts have 13 pixels where the diagram is as wide as 360 pixels."""
    root = ElementTree.fromstring(DIAGRAMS[name]())
    assert root.get("aria-labelledby") == "title desc"
    title, description = root[0].text, root[1].text
    assert title
    for words in {"a-request": ["3 verification", "503"], "layers": ["wire", "extension"]}[name]:
        assert words in description
    assert root.get("width") == "360"


def test_a_line_that_was_not_printed_is_found():
    assert missing_lines(["a", "b…d", ""], "a\nx\nbcd") == []
    assert missing_lines(["b", "a"], "a\nb") == ["a"]
    assert missing_lines(["bc…e"], "bcd") == ["bc…e"]
