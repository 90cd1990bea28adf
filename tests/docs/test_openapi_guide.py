"""The guide about OpenAPI."""

from .pages import blocks, check_console

PAGE = "docs/guides/openapi.md"


def test_the_commands_print_what_the_page_shows(tmp_path):
    program, *_ = blocks(PAGE, "python")
    check_console(PAGE, program, tmp_path)
