"""Links in the documentation lead to files of the repository and to headings in them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in ("docs", "benchmarks", "fuzz") for page in (ROOT / folder).rglob("*.md"))]
)
SOURCE = re.search(r'^Source = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
FILES = f"{SOURCE}/blob/main/"
# Pictures of the README, which the package index loads from here.
PICTURES = f"{SOURCE.replace('//github.com/', '//raw.githubusercontent.com/')}/main/"
# Pages of the hosting service itself, which no file stands for.
SERVICE = (f"{SOURCE}/issues", f"{SOURCE}/security/advisories/new", f"{SOURCE}/releases")


def links(page: Path) -> list[str]:
    """The addresses that a page links to, without those in code."""
    text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "code", text)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The fragments that the hosting service makes for headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    return {slug if not slugs[:n].count(slug) else f"{slug}-{slugs[:n].count(slug)}" for n, slug in enumerate(slugs)}


def broken(page: Path, link: str) -> str | None:
    """What is wrong with a link; ``None`` for a good one and for one that leads elsewhere."""
    address, _, fragment = link.partition("#")
    if address.startswith(FILES):
        target = ROOT / address.removeprefix(FILES)
    elif address.startswith(PICTURES):
        target = ROOT / address.removeprefix(PICTURES)
    elif address == SOURCE or address.startswith(SERVICE):
        return None
    elif address.startswith(SOURCE):
        return "the project has no such page"
    elif re.match(r"[a-z]+:", address):
        return None
    else:
        target = page.parent / address if address else page
    if not target.exists():
        return "there is no such file"
    if fragment and target.suffix == ".md" and fragment not in anchors(target):
        return "there is no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page):
    wrong = {link: why for link in links(page) if (why := broken(page, link))}
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_names_of_links_are_defined(page):
    text = page.read_text(encoding="utf-8")
    defined = set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))
    without_code = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    assert set(re.findall(r"\]\[([^\]\n]+)\]", without_code)) <= defined


def test_links_of_the_readme_work_on_the_package_index_too():
    relative = [link for link in links(ROOT / "README.md") if not re.match(r"https?:|#", link)]
    assert not relative, f"the package index shows the README without the repository: write {FILES}…"


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("docs/guides/stores.md", None),
        ("docs/no-page.md", "there is no such file"),
        (f"{FILES}docs/guides/stores.md", None),
        (f"{FILES}docs/no-page.md", "there is no such file"),
        (f"{FILES}README.md#quick-start", None),
        (f"{FILES}README.md#slow-start", "there is no such heading"),
        ("#quick-start", None),
        ("#slow-start", "there is no such heading"),
        (f"{PICTURES}docs/_static/refusal.png", None),
        (f"{PICTURES}docs/_static/no-picture.png", "there is no such file"),
        (f"{SOURCE}/issues", None),
        (f"{SOURCE}/blob/other/README.md", "the project has no such page"),
        ("https://www.rfc-editor.org/rfc/rfc9110", None),
    ],
)
def test_the_check_of_links_finds_what_is_broken(link, why):
    assert broken(ROOT / "README.md", link) == why


def test_files_that_contributing_names_exist():
    import flask_unauthorized

    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    package = Path(flask_unauthorized.__file__).parent
    named = set(re.findall(r"`([\w.]+/[\w./]*)`", page)) - {".ci/run"}  # which the archive of the sources lacks
    missing = [name for name in named if not any((at / name).exists() for at in (ROOT, package, package.parent))]
    assert not missing
    assert {"tests/schemes/test_conformance.py", "schemes/__init__.py"} <= named
