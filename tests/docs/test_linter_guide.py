"""The guide of the linter."""

from .pages import blocks, check_console


def test_the_command_finds_what_the_page_shows(tmp_path):
    program = blocks("docs/guides/linter.md", "python")[0]
    check_console("docs/guides/linter.md", program, tmp_path)
