"""What auditors ask, row by row: OWASP ASVS, FAPI and NIST.

``python -m tests.conformance`` writes docs/explanation/asvs.md.

Rows are in audits.txt, and tests carry ``@pytest.mark.asvs("V7.4.1")``. A row that says that a requirement is met needs
such a test, or a page of the docs for requirements that ask for a page.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from . import COMMAND, MOST_IDS, ROOT, SHOWN, Proof, Wrong, proofs

ROWS = Path(__file__).with_name("audits.txt")
PAGE = ROOT / "docs" / "explanation" / "asvs.md"
STATES = {
    "default": "met by default",
    "configured": "met when configured",
    "documented": "met by a page",
    "app": "app's job",
    "no": "**not met**",
}
COUNTED = {"ASVS L1": {"L1"}, "ASVS L2": {"L2"}, "ASVS L3": {"L3"}, "FAPI, NIST": {"shall", "should", "may"}}
"""By line of the table at the head, the levels of its rows."""
_LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


class Row(NamedTuple):
    """A requirement: ``state`` is a key of `STATES`, ``how`` the setting, the reason, or what the app gets."""

    id: str
    level: str
    state: str
    asks: str
    how: str


def parts(text: str) -> dict[str, list[Row]]:
    """The rows by heading."""
    found: dict[str, list[Row]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            rows = found[line[3:]] = []
        elif line and not line.startswith("#"):
            fields = [field.strip() for field in line.split(" | ")]
            if len(fields) != 5 or fields[2] not in STATES:
                raise Wrong(f"audits.txt:{number}: a row is 'ID | level | state | what is asked | how'")
            rows.append(Row(*fields))
    return found


def check(table: dict[str, list[Row]], proven: list[Proof]) -> None:
    """Refuses unknown rows, and rows that claim more than a test or a page shows."""
    rows = [row for group in table.values() for row in group]
    known = {row.id for row in rows}
    if len(known) != len(rows):
        raise Wrong("audits.txt has an ID twice")
    for proof in proven:
        if unknown := set(proof.ids) - known:
            raise Wrong(f"{proof.file}: {proof.name} claims {', '.join(unknown)}, which audits.txt doesn't have")
        if len(proof.ids) > 2 * MOST_IDS:
            raise Wrong(f"{proof.file}: {proof.name} claims {len(proof.ids)} rows, more than {2 * MOST_IDS}")
    claimed = {row_id for proof in proven for row_id in proof.ids}
    for row in rows:
        if row.state in ("default", "configured") and row.id not in claimed:
            raise Wrong(f"{row.id} says that it is met: mark a test with @pytest.mark.asvs({row.id!r})")
        if row.state == "documented" and not any((PAGE.parent / link).exists() for link in _LINK.findall(row.how)):
            raise Wrong(f"{row.id} says that a page meets it: link to a page that exists")
        if row.state == "no" and row.id in claimed:
            raise Wrong(f"{row.id} isn't met, and has a test: write default or configured")
        if row.state in ("configured", "no") and row.how == "-":
            raise Wrong(f"{row.id} must say how it is met, or why it isn't")


def page(table: dict[str, list[Row]], proven: list[Proof]) -> str:
    """The whole page, as Markdown."""
    by_row: dict[str, list[Proof]] = {}
    for proof in proven:
        for row_id in proof.ids:
            by_row.setdefault(row_id, []).append(proof)
    lines = [
        "# Security standards: ASVS 5.0, FAPI 2.0 and NIST",
        "",
        f"<!-- Written by `{COMMAND}` from tests/conformance/audits.txt and the marks of the tests. -->",
        "",
        "These tables say which requirements the extension meets in its part of an app, and with which setting. The",
        "wording is our own. The texts of the standards decide: OWASP Application Security Verification Standard 5.0.0",
        "(ASVS), FAPI 2.0 Security Profile, and one rule of NIST SP 800-63B-4. Requirements that have nothing to do",
        "with authentication aren't listed.",
        "[What RFCs ask](../evidence/conformance.md) has a page of its own, and",
        "[Security of your set-up](../guides/security.md) lists switches.",
        "",
        "*App's job* means that the extension can't meet it; the last column then says what it contributes.",
        "",
        "| level | rows | " + " | ".join(text.strip("*") for text in STATES.values()) + " |",
        "|---" * (len(STATES) + 2) + "|",
    ]
    rows = [row for group in table.values() for row in group]
    unmet = []
    for name, levels in COUNTED.items():
        counted = Counter(row.state for row in rows if row.level in levels)
        lines.append(f"| {name} | {counted.total()} | " + " | ".join(str(counted[state]) for state in STATES) + " |")
        unmet.append(f"{counted['no']} of {name}")
    lines += ["", f"Not met in this library's part: {'; '.join(unmet)}."]
    for title, group in table.items():
        lines += ["", f"## {title}", "", "| row | level | what is asked | state | how | shown by |", "|---" * 6 + "|"]
        for row in group:
            shown = _shown(by_row.get(row.id, []))
            lines.append(f"| {row.id} | {row.level} | {row.asks} | {STATES[row.state]} | {row.how} | {shown} |")
    return "\n".join(lines) + "\n"


def _shown(found: list[Proof]) -> str:
    links = [f"[{proof.name}](../../{proof.file})" for proof in found[:SHOWN]]
    return "<br>".join(links) + (f"<br>and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def current() -> str:
    """The page as it has to be; raises `Wrong`."""
    table, proven = parts(ROWS.read_text(encoding="utf-8")), proofs(ROOT / "tests", "asvs")
    check(table, proven)
    return page(table, proven)
