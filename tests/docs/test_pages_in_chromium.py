"""The built site in Chromium: what axe-core finds on its pages, and whether they fit a phone.

``nox -s docs`` builds the site and names its folder in ``SITE``. Without it, this file builds the site if Sphinx is
installed.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.clients.conftest import need
from tests.clients.test_browser import Browser, started

from .pages import ROOT

PAGES = sorted(str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in (ROOT / "docs").rglob("*.md"))
AXE = "axe-core@4.14.1"
PHONE = 390  # the width in CSS pixels of common phones
FOUND = """axe.run(document, {options}).then(({{violations}}) => violations
    .filter(rule => ['serious', 'critical'].includes(rule.impact))
    .flatMap(rule => rule.nodes.map(node => [rule.id, node.html.slice(0, 200), node.failureSummary].join(': '))))
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    if "SITE" in os.environ:
        return Path(os.environ["SITE"])
    if find_spec("sphinx") is None:
        pytest.skip("Sphinx is not installed: run `nox -s docs`")
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "-q", "-j", "auto", ROOT / "docs", folder], check=True)
    return folder


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which finds what keeps people with disabilities from using a page."""
    folder = tmp_path_factory.mktemp("axe")
    command = [need("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return (folder / "node_modules/axe-core/axe.min.js").read_text(encoding="utf-8")


class Reader(Browser):
    """A browser that may think long: axe-core compares the colors of thousands of words."""

    patience = 100


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """One Chromium for all pages."""
    with started(tmp_path_factory.mktemp("reader"), Reader, "--hide-scrollbars") as found:
        yield found


def show(reader: Reader, address: str, *, width: int = 1280, scheme: str = "light") -> None:
    """Open a page at a width, in light or dark mode."""
    reader.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    reader.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    reader.open(address)


def problems(reader: Reader, axe: str, address: str) -> list[str]:
    """What axe-core calls serious or critical. Dark mode differs from light mode in its colors alone."""
    found = []
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        options = {"resultTypes": ["violations"], "preload": False, **options}
        show(reader, address, scheme=scheme)
        # Transitions between themes would be measured half-way.
        reader.run("document.head.insertAdjacentHTML('beforeend', '<style>*{transition:none!important}</style>')")
        reader.call("Runtime.evaluate", expression=axe)
        found += [f"{scheme}: {line}" for line in reader.run(FOUND.format(options=json.dumps(options)))]
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(site, reader, axe, page):
    found = problems(reader, axe, (site / page).as_uri())
    assert not found, "\n".join(found)


def test_axe_finds_faint_text_and_a_link_without_a_name(reader, axe, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<html lang=en><title>x</title><main><p style='color:#aaa;background:#fff'>faint</p><a href=x></a>")
    assert {line.split(": ")[1] for line in problems(reader, axe, page.as_uri())} == {"color-contrast", "link-name"}


# The theme lets a column of its own scroll in place of the page. Tables and code may scroll.
WIDER = """Math.max(...[...document.querySelectorAll('html, body, .page, .main, .content')]
  .map(e => e.scrollWidth - e.clientWidth))"""


@pytest.mark.parametrize("page", PAGES)
def test_no_page_scrolls_sideways_on_a_phone(site, reader, page):
    show(reader, (site / page).as_uri(), width=PHONE)
    assert reader.run(WIDER) <= 0


@pytest.mark.parametrize("column", ["", "<div class=content style='overflow:auto'>"])
def test_a_page_that_is_too_wide_is_found(reader, tmp_path, column):
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><body style='margin:0'>{column}<div style='width:500px'>wide</div>")
    show(reader, page.as_uri(), width=PHONE)
    assert reader.run(WIDER) == 500 - PHONE
