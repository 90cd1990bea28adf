"""The programs of guides whose sections are programs: permissions.md, recipes.md and refusals.md."""

import re
from typing import Any

from flask import Flask

from tests.helpers import bearer_header

from .pages import ROOT

GUIDES = {
    name: (ROOT / f"docs/guides/{name}.md").read_text(encoding="utf-8")
    for name in ("permissions", "recipes", "refusals")
}
ADA, BOB, EVE = (bearer_header(f"demo-token-of-{name}-0123456789") for name in ("ada", "bob", "eve"))
NOTHING_SENT = 'Bearer realm="notes"'
BROWSER = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html,application/xhtml+xml"}
HTTPS = "https://localhost"


def program(heading: str) -> str:
    """Return the program of a section, which only one of the guides has."""
    (page,) = [text for text in GUIDES.values() if f"\n## {heading}\n" in text]
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


def run(heading: str, *changes: tuple[str, str]) -> dict[str, Any]:
    """Run the program of a section, as ``app.py`` that Flask imports, and return its names. Change it before."""
    text = program(heading)
    for old, new in changes:
        assert text.count(old) == 1
        text = text.replace(old, new)
    scope: dict[str, Any] = {"__name__": "app"}
    exec(compile(text, "app.py", "exec"), scope)
    assert isinstance(scope["app"], Flask)
    return scope
