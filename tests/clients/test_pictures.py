"""The pictures of README and docs show what a browser shows today."""

import hashlib
import re

import pytest

from . import pictures
from .conftest import need
from .pictures import COMMAND, FOLDER, NAMES, ROOT, record, recorded

MOST = 60_000  # bytes


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    need("chromium")
    need("curl")
    return pictures.all_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_shows_what_the_browser_shows(taken, name):
    png = (FOLDER / f"{name}.png").read_bytes()
    assert record(name, taken[name].shows, png) == recorded()[name], f"run {COMMAND}"


def test_there_is_no_other_picture():
    assert {path.stem for path in FOLDER.glob("*.png")} == set(NAMES) == set(recorded())


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_is_small(name):
    assert (FOLDER / f"{name}.png").stat().st_size <= MOST


def test_each_picture_stands_on_a_page_with_a_text_for_people_who_do_not_see_it():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    shown = re.findall(r"!\[[^\]]{20,}\]\(\S*_static/([\w-]+)\.png\)", text)
    assert set(shown) == set(NAMES)


def test_a_picture_of_another_day_is_noticed():
    """Another picture, another text or another style: each of them makes a record of its own."""
    one = record("x", "elements and styles: 1\n\ntext", b"png")
    assert hashlib.sha256(b"png").hexdigest() in one
    others = [("elements and styles: 1\n\ntext", b"gnp"), ("elements and styles: 2\n\ntext", b"png")]
    assert all(record("x", *other) != one for other in others)
