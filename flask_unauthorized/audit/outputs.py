"""The report of an audit, as a table for terminals, as JSON, as Markdown, and as SARIF 2.1.0.

All functions here make text from plain values. Keys and their order are stable, and so is the order of entries.

The developer chooses rules, reasons and names of functions. The author of a pull request chooses those of a lock file.
So characters that aren't printable become ``?`` in tables and Markdown, and are escaped in JSON and SARIF.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from ..policy.requirement import Group
from ..policy.routes import Route
from ..schemes.base import AnyScheme
from .asvs import Row
from .changes import Change
from .demand import Demand, describe, shown_rule
from .findings import RULES, Finding, shown_methods, subject_of
from .shown import file_of, printable

DOCS: Final = "https://github.com/flask-unauthorized/flask-unauthorized/blob/main/docs/guides/audit.md"
_STATES: Final = ("guarded", "conditional", "optional", "public", "open", "unknown")
_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_NONE: Final = "-"
LOOSENED: Final = "loosened"
"""The id of a change that may loosen a route, beside the ids of findings."""


class Report(NamedTuple):
    """What an audit has found.

    Attributes:
        app: The name of the app.
        routes: The table of routes, with what each demands.
        names: The names of the schemes.
        realm: The realm of schemes without their own; ``None`` for the app's name.
        findings: The findings.
        changes: The changes since a lock file; ``None`` if none was compared.
        mistake: What ``flask unauthorized check`` refuses in the set-up, if anything.
        root: The folder to which paths are relative.
    """

    app: str
    routes: Sequence[tuple[Route, Demand]]
    names: Mapping[AnyScheme, str]
    realm: str | None
    findings: Sequence[Finding]
    changes: Sequence[Change] | None
    mistake: str | None
    root: Path

    def only(self, pattern: str) -> "Report":
        """Return the part of the report whose rules match a pattern such as ``"/admin/*"``."""
        return self._replace(
            routes=[pair for pair in self.routes if fnmatchcase(pair[0].rule, pattern)],
            findings=[one for one in self.findings if fnmatchcase(one.route.rule, pattern)],
            changes=self.changes and [one for one in self.changes if fnmatchcase(one.place.rule, pattern)],
        )

    def place(self, route: Route) -> str:
        """Return file and line of a view."""
        file = self.file(route)
        return _NONE if file is None else f"{file}:{route.line}"

    def file(self, route: Route) -> str | None:
        """Return the file of a view: relative to the root, or its package's part of the path."""
        return file_of(route, self.root)

    def schemes(self, route: Route) -> str:
        """Return the names of the schemes in force."""
        return " ".join(self.names[scheme] for scheme in route.schemes) or _NONE

    def note(self, route: Route) -> str:
        """Return why a route is public, or the ids of its findings."""
        ids = [found.id for found in self.findings if found.route is route and found.subject == subject_of(route)]
        return " ".join((*dict.fromkeys(ids), *((route.because,) if route.because else ())))

    def summary(self) -> str:
        """Return one line that counts routes and findings."""
        counts = {state: sum(route.state == state for route, _ in self.routes) for state in _STATES}
        ids = sorted({found.id for found in self.findings}, key=lambda name: int(name[1:]))
        found = _count(len(self.findings), "finding") + (f" ({', '.join(ids)})" if ids else "")
        states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        return f"{_count(len(self.routes), 'route')}: {states or 'none'}. {found}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_HEAD: Final = ("RULE", "METHODS", "WHO", "SCHEMES", "WHERE", "NOTE")


def _cells(report: Report) -> list[tuple[str, ...]]:
    return [
        (
            shown_rule(route.rule, route.host, route.subdomain), shown_methods(route), describe(demand),
            report.schemes(route), report.place(route), report.note(route),
        )
        for route, demand in report.routes
    ]  # fmt: skip


def as_table(report: Report) -> str:
    """Return the report for a terminal."""
    sections = [_aligned([_HEAD, *(tuple(map(printable, row)) for row in _cells(report))])]
    lines = (f"{one.id} {one.level}  {one.subject}: {one.message}" for one in report.findings)
    sections.append("\n".join(map(printable, lines)))
    if report.changes is not None:
        changes = "\n".join(printable(str(change)) for change in report.changes)
        sections.append(changes or "No change since the lock file.")
    if report.mistake is not None:
        sections.append(f"The set-up has a mistake: {report.mistake}")
    return "\n\n".join((*filter(None, sections), report.summary()))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def as_markdown(report: Report) -> str:
    """Return the report as Markdown, such as for a comment on a pull request."""
    sections = ["## Routes", _markdown_table(_HEAD, _cells(report))]
    if report.findings:
        rows = [(one.id, one.level, one.subject, one.message, report.place(one.route)) for one in report.findings]
        sections += ["## Findings", _markdown_table(("ID", "LEVEL", "ABOUT", "MESSAGE", "WHERE"), rows)]
    if report.changes is not None:
        changes = "\n".join(f"- {_escaped(str(change))}" for change in report.changes)
        sections += ["## Changes since the lock file", changes or "None."]
    if report.mistake is not None:
        sections += ["## Mistake in the set-up", _escaped(report.mistake)]
    return "\n\n".join((*sections, report.summary()))


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        [name.capitalize() for name in head],
        ["---"] * len(head),
        *([_escaped(cell) for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    text = printable(" ".join(text.split()))
    for character in "\\|<>*_`[]&~":
        text = text.replace(character, f"\\{character}")
    return text


def as_json(report: Report) -> str:
    """Return the report as JSON."""
    document: dict[str, Any] = {
        "version": 1,
        "app": report.app,
        "routes": [_route_as_json(report, route, demand) for route, demand in report.routes],
        "findings": [
            {
                "id": one.id,
                "level": one.level,
                "about": one.subject,
                "rule": one.route.rule,
                "methods": sorted(one.route.methods),
                "message": one.message,
                "file": report.file(one.route),
                "line": one.route.line,
            }
            for one in report.findings
        ],
    }
    if report.changes is not None:
        document["changes"] = [
            {
                "label": change.label,
                "rule": change.place.rule,
                "methods": list(change.methods),
                "may_loosen": change.may_loosen,
                "message": str(change),
            }
            for change in report.changes
        ]
    if report.mistake is not None:
        document["mistake"] = report.mistake
    return json.dumps(document, indent=2)


def _route_as_json(report: Report, route: Route, demand: Demand) -> dict[str, Any]:
    required = route.requirement
    return {
        "rule": route.rule,
        "methods": sorted(route.methods),
        "endpoint": route.endpoint,
        "host": route.host,
        "subdomain": route.subdomain,
        "kind": route.kind,
        "state": route.state,
        "scopes": [] if required is None else _groups(required.scopes),
        "roles": [] if required is None else _groups(required.roles),
        "amr": [] if required is None else _groups(required.amr),
        "acr": [] if required is None else list(required.acr),
        "max_age": demand.max_age,
        "authorization_details": sorted(demand.details),
        "unless": sorted(demand.unless),
        "schemes": [
            {
                "name": report.names[scheme],
                "realm": report.realm if scheme.realm is None else scheme.realm,
                "reads": [list(pair) for pair in scheme.reads],
            }
            for scheme in route.schemes
        ],
        "levels": list(route.levels),
        "view": route.view,
        "file": report.file(route),
        "line": route.line,
        "because": route.because,
    }


def _groups(groups: Iterable[Group]) -> list[list[str]]:
    return sorted(list(group) for group in groups)


def as_sarif(report: Report, version: str) -> str:
    """Return findings and changes as SARIF 2.1.0, for code scanning.

    Args:
        report: The report.
        version: The version of this package.
    """
    results = [_result(report, one.id, one.level, one.subject, one.message, one.route) for one in report.findings]
    routes = {(route.rule, route.host or "", route.subdomain or ""): route for route, _ in report.routes}
    for change in report.changes or ():
        if change.may_loosen:
            place = change.place
            route = routes.get((place.rule, place.host, place.subdomain))
            results.append(_result(report, LOOSENED, "error", change.subject, str(change), route))
    rules = [
        *((rule.id, rule.name, rule.level, rule.summary) for rule in RULES.values()),
        (LOOSENED, "loosened", "error", "A route admits callers whom it refused before."),
    ]
    driver = {
        "name": "flask-unauthorized",
        "version": version,
        "informationUri": DOCS,
        "rules": [
            {
                "id": rule_id,
                "name": name,
                "shortDescription": {"text": summary},
                "helpUri": f"{DOCS}#findings",
                "defaultConfiguration": {"level": level},
            }
            for rule_id, name, level, summary in rules
        ],
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _result(
    report: Report, rule_id: str, level: str, subject: str, message: str, route: Route | None
) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": rule_id,
        "level": level,
        "message": {"text": f"{subject}: {message}"},
        "partialFingerprints": {
            "route/v1": hashlib.sha256(f"{subject}|{rule_id}".encode(errors="surrogatepass")).hexdigest()
        },
    }
    file = None if route is None else report.file(route)
    if route is not None and file is not None:
        location = {"artifactLocation": {"uri": _uri(file)}, "region": {"startLine": max(1, route.line or 1)}}
        result["locations"] = [{"physicalLocation": location}]
    return result


def _uri(file: str) -> str:
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(file))  # The file system may not use UTF-8.


def as_asvs_table(rows: Sequence[Row]) -> str:
    """Return the rows of ASVS that the configuration decides, with what to change."""
    cells = [
        (f"V{row.id}", f"L{row.level}", "met" if row.met else "NOT MET", row.asks, "" if row.met else row.setting)
        for row in rows
    ]
    met = sum(row.met for row in rows)
    return f"{_aligned([('ROW', 'LEVEL', 'STATE', 'ASKS', 'SET'), *cells])}\n\n{met} of {len(rows)} rows are met."


def asvs_as_json(rows: Sequence[Row]) -> str:
    """Return the rows of ASVS as JSON."""
    return json.dumps({"version": 1, "standard": "ASVS 5.0.0", "rows": [row._asdict() for row in rows]}, indent=2)
