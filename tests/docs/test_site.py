"""The built site: all public names are in the API reference, anchors exist, and no page asks another host.

``SITE`` names the folder of a site that is built; ``nox -s docs`` sets it. Otherwise this builds the site, where Sphinx
is installed.
"""

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

import flask_unauthorized
from tests.test_docstrings import INTERNAL
from tests.test_package import DOCUMENTED_PATHS

from . import errors
from .pages import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the built site."""
    for module in ("sphinx", "myst_parser", "furo", "sphinx_copybutton", "sphinx_design"):
        pytest.importorskip(module)
    if "SITE" in os.environ:
        return Path(os.environ["SITE"])
    folder: Path = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(ROOT / "docs"), str(folder)]
    package = Path(flask_unauthorized.__file__).parents[1]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(package)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def names(site) -> dict[str, str]:
    """The kind of each documented object, by its whole name."""
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    return {name: kind for kind, found in inventory.items() if kind.startswith("py:") for name in found}


def test_the_api_page_has_all_public_names(names):
    public = {f"flask_unauthorized.{name}" for name in flask_unauthorized.__all__}
    for module, listed in DOCUMENTED_PATHS.items():
        exported = set(getattr(importlib.import_module(module), "__all__", ())) - INTERNAL
        public |= {f"{module}.{name}" for name in listed | exported}
    # The root has these under their shorter names.
    assert public - set(names) == {f"flask_unauthorized.wire.{name}" for name in ("Challenge",)}


def test_the_api_page_has_the_calls_of_auth(names):
    calls = {name for name in vars(flask_unauthorized.Auth) if not name.startswith("_")} - {"Schemes"}
    assert calls
    assert {f"flask_unauthorized.Auth.{name}" for name in calls} <= set(names)


def test_the_api_page_has_no_private_name(names):
    assert not [name for name in names if any(part.startswith("_") for part in name.split("."))]


def test_the_page_shows_auth_as_it_is_imported(site):
    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    assert 'id="flask_unauthorized.Auth"' in page
    assert "flask_unauthorized.extension." not in re.sub(r"<[^>]*>", "", page)


def test_types_link_to_the_sites_of_flask_and_werkzeug(site):
    page = (site / "reference" / "api.html").read_text(encoding="utf-8")
    assert "https://flask.palletsprojects.com/en/stable/api.html#flask.Flask" in page
    assert "https://werkzeug.palletsprojects.com/en/stable/" in page


def test_each_type_of_problem_details_leads_to_an_element(site):
    page = (site / "reference" / "errors.html").read_text(encoding="utf-8")
    for kind in errors.CASES:
        assert page.count(f' id="{errors.anchor(kind)}"') == 1


class _Fetched(HTMLParser):
    """Collects the addresses that a browser fetches by itself when it opens a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        names = ("src", "srcset", "data", "poster", *(("href",) if tag in ("link", "image", "use") else ()))
        relation = (values.get("rel") or "").split()
        if "canonical" not in relation:
            self.found += [value for name in names if (value := values.get(name))]
        self.found += re.findall(r"url\(([^)]*)\)", values.get("style") or "")


def fetched(page: str) -> list[str]:
    """Return the addresses of other hosts, and of the root of this one, that a page fetches."""
    parser = _Fetched()
    parser.feed(page)
    return [address for address in parser.found if re.match(r"\s*['\"]?(?:[a-z]+:)?/", address, re.IGNORECASE)]


def _files(site: Path, ending: str) -> Iterator[Path]:
    found = sorted(site.rglob(f"*.{ending}"))
    assert found
    return iter(found)


def test_no_page_fetches_anything_from_another_host(site):
    """So it has no tracker and no foreign font, and works from a folder (``file://``)."""
    wrong = {path.name: there for path in _files(site, "html") if (there := fetched(path.read_text(encoding="utf-8")))}
    assert not wrong
    for path in _files(site, "css"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]*)", text)
        assert not loaded, path.name


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', ["//fonts.example/a.css"]),
        ('<img src="/logo.png">', ["/logo.png"]),
        ('<p style="background: url(https://cdn.example/a.png)">', ["https://cdn.example/a.png"]),
        ('<link rel="canonical" href="https://docs.example/a.html"><a href="https://docs.example/">x</a>', []),
        ('<img src="data:image/svg+xml,x"><script src="_static/a.js"></script>', []),
    ],
)
def test_the_check_finds_what_is_fetched(page, found):
    assert fetched(page) == found


def test_the_search_puts_guides_before_evidence(site):
    """Sphinx puts the scorer into the script that each page of results loads."""
    scorer = (ROOT / "docs/_static/scorer.js").read_text(encoding="utf-8")
    assert scorer in (site / "_static/language_data.js").read_text(encoding="utf-8")
