"""The guide about ``flask unauthorized explain``."""

from .pages import blocks, check_console

PAGE = "docs/guides/explain.md"


def test_the_commands_print_what_the_page_shows(tmp_path):
    (program,) = blocks(PAGE, "python")
    check_console(PAGE, program, tmp_path)
