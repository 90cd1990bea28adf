"""What the standards ask, row by row, and which tests show it: ``python -m tests.conformance`` writes the page."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROWS = Path(__file__).with_name("rows.txt")
PAGE = ROOT / "docs" / "evidence" / "conformance.md"
COMMAND = "python -m tests.conformance"
MOST_IDS = 3
SHOWN = 3
_HEADING = re.compile(r"## (?P<title>.*?)(?: \((?P<note>(?:later|out): .*)\))?")
_NOTE = re.compile(r"(later|out): .+")


class Row(NamedTuple):
    """One row of the table. ``note`` says why no test shows it; ``own``: it is the row's note, not its part's."""

    id: str
    level: str
    place: str
    says: str
    note: str
    own: bool


class Proof(NamedTuple):
    """A test that claims rows."""

    file: str
    name: str
    ids: tuple[str, ...]


class Wrong(Exception):
    """The table, the tests and the page don't agree."""


def parts(text: str) -> dict[str, list[Row]]:
    """The rows by heading."""
    found: dict[str, list[Row]] = {}
    title = note = ""
    for number, line in enumerate(text.splitlines(), 1):
        heading = _HEADING.fullmatch(line)
        if heading is not None:
            title, note = heading["title"], heading["note"] or ""
            found[title] = []
        elif line and not line.startswith("#"):
            fields = [field.strip() for field in line.split(" | ")]
            if len(fields) not in (4, 5) or (len(fields) == 5 and _NOTE.fullmatch(fields[4]) is None):
                raise Wrong(f"rows.txt:{number}: a row is 'ID | level | place | what is asked', perhaps with a note")
            found[title].append(Row(*fields[:4], note=fields[4] if len(fields) == 5 else note, own=len(fields) == 5))
    return found


def proofs(folder: Path, mark: str = "rfc") -> list[Proof]:
    """Every mark ``pytest.mark.rfc(...)`` in the tests, read without importing them: some need extras to run."""
    return [
        Proof(path.relative_to(ROOT).as_posix(), name, ids)
        for path in sorted(folder.rglob("test_*.py"))
        for name, ids in _marks(ast.parse(path.read_text(encoding="utf-8")), mark)
    ]


def _marks(module: ast.Module, mark: str = "rfc") -> Iterator[tuple[str, tuple[str, ...]]]:
    for statement in module.body:
        inner = [node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef) and node is not statement]
        in_class = isinstance(statement, ast.ClassDef)
        for node in (statement, *(inner if in_class else ())):
            ids = [*_ids(node.decorator_list if hasattr(node, "decorator_list") else [node], mark)]
            if ids:
                yield _name(node), tuple(dict.fromkeys(ids))


def _ids(nodes: list[ast.AST], mark: str) -> Iterator[str]:
    for node in nodes:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == mark:
                yield from (str(argument.value) for argument in call.args if isinstance(argument, ast.Constant))


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return str(getattr(node, "name", "module"))


def check(table: dict[str, list[Row]], proven: list[Proof]) -> None:
    """Refuses unknown rows, tests that claim too much, rows without test or reason, and rows with both."""
    rows = {row.id: row for group in table.values() for row in group}
    if len(rows) != sum(map(len, table.values())):
        raise Wrong("rows.txt has an ID twice")
    for proof in proven:
        if len(proof.ids) > MOST_IDS:
            raise Wrong(f"{proof.file}: {proof.name} claims {len(proof.ids)} rows, more than {MOST_IDS}")
        for row_id in proof.ids:
            if row_id not in rows:
                raise Wrong(f"{proof.file}: {proof.name} claims {row_id}, which rows.txt doesn't have")
    claimed = {row_id for proof in proven for row_id in proof.ids}
    for row in rows.values():
        if row.id not in claimed and not row.note:
            raise Wrong(
                f"{row.id} has no test and no reason: mark one with @pytest.mark.rfc({row.id!r}), or write a note"
            )
        if row.id in claimed and row.own:
            raise Wrong(f"{row.id} has a test, and a note that says why it has none: remove one of the two")


def page(table: dict[str, list[Row]], proven: list[Proof]) -> str:
    """The whole page, as Markdown."""
    by_row: dict[str, list[Proof]] = {}
    for proof in proven:
        for row_id in proof.ids:
            by_row.setdefault(row_id, []).append(proof)
    rows = [row for group in table.values() for row in group]
    later = sum(row.id not in by_row and row.note.startswith("later") for row in rows)
    lines = [
        "# Conformance",
        "",
        f"<!-- Written by `{COMMAND}` from tests/conformance/rows.txt and the marks of the tests. -->",
        "",
        "This page lists what the standards ask of a server that authenticates requests, and the tests that show it.",
        f"Of {len(rows)} rows, {len(by_row)} are shown by tests, {later} are planned for later, and",
        f"{len(rows) - len(by_row) - later} are out of scope, with the reason. Levels are those of the standard.",
        "*Fact* is stated without a keyword, *ought* is the standard's own weaker word, *follows* is a",
        "conclusion from it.",
        "",
        "| part | rows | shown | later | out |",
        "|---|---|---|---|---|",
    ]
    for title, group in table.items():
        shown = sum(row.id in by_row for row in group)
        out = sum(row.id not in by_row and row.note.startswith("out") for row in group)
        lines.append(f"| {title} | {len(group)} | {shown} | {len(group) - shown - out} | {out} |")
    for title, group in table.items():
        lines += ["", f"## {title}", "", "| row | level | place | what is asked | shown by |", "|---|---|---|---|---|"]
        lines += (
            f"| {row.id} | {row.level} | {row.place} | {row.says} | {_shown(by_row.get(row.id), row)} |"
            for row in group
        )
    return "\n".join(lines) + "\n"


def _shown(found: list[Proof] | None, row: Row) -> str:
    if not found:
        return f"*{row.note}*"
    links = [f"[{proof.name}](../../{proof.file})" for proof in found[:SHOWN]]
    return "<br>".join(links) + (f"<br>and {len(found) - SHOWN} more" if len(found) > SHOWN else "")


def current() -> str:
    """The page as it has to be; raises `Wrong`."""
    table, proven = parts(ROWS.read_text(encoding="utf-8")), proofs(ROOT / "tests")
    check(table, proven)
    return page(table, proven)
