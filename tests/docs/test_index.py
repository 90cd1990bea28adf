"""The landing page of the site shows the program of the README, and what it does."""

from .pages import blocks, check_console


def test_the_landing_page_shows_what_the_readme_shows():
    for language in ("python", "console"):
        assert blocks("docs/index.md", language) == blocks("README.md", language)
    assert blocks("docs/index.md", "sh") == blocks("README.md", "sh")[:1]


def test_the_program_of_the_landing_page_does_what_the_page_shows(tmp_path):
    (program,) = blocks("docs/index.md", "python")
    check_console("docs/index.md", program, tmp_path)
