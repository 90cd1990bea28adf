"""The guide about the table of routes."""

from .pages import blocks, check_console


def test_the_table_is_the_one_that_the_page_shows(tmp_path):
    (program,) = blocks("docs/guides/routes.md", "python")
    check_console("docs/guides/routes.md", program, tmp_path)
