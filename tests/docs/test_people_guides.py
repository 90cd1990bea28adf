"""The guides of People in browsers and Identity providers show what a server really sends."""

import re

import pytest

from .pages import ROOT, blocks, check_console

GUIDES = "docs/guides"


@pytest.mark.parametrize("name", ["browsers", "cross-site"])
def test_the_program_of_the_page_answers_as_shown(name, tmp_path):
    page = f"{GUIDES}/{name}.md"
    check_console(page, blocks(page, "python")[0], tmp_path)


def test_a_script_of_another_origin_gets_what_the_page_shows(tmp_path):
    pytest.importorskip("flask_cors")
    page = f"{GUIDES}/single-page-app.md"
    (program,) = blocks(page, "python")
    check_console(page, program, tmp_path)


def test_the_step_up_of_the_page_happens_as_shown(tmp_path):
    """Five minutes are three seconds here, in the program and in the page."""
    text = (ROOT / GUIDES / "step-up.md").read_text(encoding="utf-8")
    quick = text.replace("max_age=300", "max_age=3").replace("sleep 301", "sleep 5")
    assert (text.count("max_age=300"), text.count("$ sleep 301")) == (3, 1)
    page = tmp_path / "step-up.md"
    page.write_text(quick, encoding="utf-8")
    check_console(str(page), re.search(r"```python\n(.*?)^```", quick, re.DOTALL | re.MULTILINE)[1], tmp_path)
