"""The command ``flask unauthorized audit``: it reads its options, has the report made, and prints it.

Exit status: 0 without findings that ``--fail-on`` names, 1 with some, 2 if the app or the lock file can't be read. Of a
set-up with a mistake the table is printed as well, because the mistake may be why a route is open.
"""

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import click

from ..errors import ConfigurationError
from ..load_app import Unreadable, load_app
from ..policy.routes import Route
from ..runtime.app_state import AppState, app_state_of
from .asvs import Setup, decide_rows
from .changes import find_changes
from .demand import demand_of
from .findings import RULES, Finding, find_mistakes, in_order
from .lock_file import Lock, LockError, make_lock
from .lock_source import LOCK_FILE, read_lock, write_lock
from .outputs import LOOSENED, Report, as_asvs_table, as_json, as_markdown, as_sarif, as_table, asvs_as_json
from .read_app import protects_app, read_app
from .shown import echo

_DOCUMENTED: Final = "openapi"
_BY_NAME: Final[Mapping[str, tuple[str, ...]]] = {
    "open": ("A1", "A12"), "unknown": ("A2",), "asymmetric": ("A3",), _DOCUMENTED: ("A13", "A14", "A15"),
}  # fmt: skip


@click.command("audit")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--markdown", "form", flag_value="markdown", help="Print Markdown.")
@click.option("--sarif", "form", flag_value="sarif", help="Print SARIF 2.1.0, for code scanning.")
@click.option(
    "--freeze", is_flag=False, flag_value=LOCK_FILE, metavar="[PATH]",
    help=f"Write what each route demands to a lock file. Default: {LOCK_FILE}.",
)  # fmt: skip
@click.option(
    "--diff", is_flag=False, flag_value=LOCK_FILE, metavar="[PATH|git:REF]",
    help=f"Compare with a lock file, or with {LOCK_FILE} of a git revision. Default: {LOCK_FILE}.",
)  # fmt: skip
@click.option(
    "--fail-on", metavar="NAMES",
    help="What makes the exit status 1, with commas between: open, unknown, asymmetric, openapi, loosened, or ids such "
    "as A7. Default: open,unknown,asymmetric,openapi, with --diff loosened as well. An empty text: nothing.",
)  # fmt: skip
@click.option("--only", metavar="PATTERN", help="Show only rules that match, such as '/admin/*'.")
@click.option("--reasons", is_flag=True, help="Also list public routes without a reason (A4).")
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="The folder to which paths are relative. Default: the current one.",
)  # fmt: skip
@click.option(
    "--openapi", "document", metavar="FILE",
    help="Compare with an OpenAPI document, of JSON or YAML (A13 to A17).",
)  # fmt: skip
@click.option("--asvs", "shows_asvs", is_flag=True, help="Print the rows of OWASP ASVS that the configuration decides.")
@click.pass_context
def audit(
    context: click.Context, form: str | None, freeze: str | None, diff: str | None, fail_on: str | None,
    only: str | None, reasons: bool, root: Path, document: str | None, shows_asvs: bool,
) -> None:  # fmt: skip
    """Print what each route demands, and what looks like a mistake.

    The exit status is 1 if a route is open by mistake, and 2 if the app or the lock file can't be read. No loader, no
    store and no network is used.
    """
    _check_together(freeze=freeze, diff=diff, openapi=document, asvs=shows_asvs or None)
    wanted = _wanted(fail_on, with_diff=diff is not None)
    app = load_app(context)
    try:
        state = app_state_of(app)
        audited, mistake = read_app(state)
        if shows_asvs:
            _print_asvs(Setup(app, audited, protects_app(state)), form)
            return
        listed = [
            (route, demand_of(route, audited.names, state.configuration.implied_scopes)) for route in audited.routes
        ]
        if freeze is not None:
            _freeze(freeze, make_lock(listed), mistake)
            return
        findings = find_mistakes(audited, reasons=reasons)
        if document is not None:
            findings = _with_documented(findings, document, state, audited.routes)
        changes = None if diff is None else find_changes(read_lock(diff), make_lock(listed))
    except (ConfigurationError, LockError) as error:
        raise Unreadable(str(error)) from None
    report = Report(
        app.name, listed, audited.names, state.configuration.realm, findings, changes, mistake, root.resolve()
    ).only("*" if only is None else only)
    _print(report, form)
    if _fails(report, wanted):
        context.exit(1)
    if mistake is not None:
        context.exit(2)


def _check_together(**given: object) -> None:
    """Refuse options of which one would be ignored: ``--freeze`` and ``--asvs`` make no report."""
    present = [f"--{name}" for name, value in given.items() if value is not None]
    if len(present) > 1 and not {"--freeze", "--asvs"}.isdisjoint(present):
        raise click.UsageError(
            f"{' and '.join(present)} exclude each other: --freeze writes what --diff compares with, --asvs prints "
            "rows of ASVS, and only a report has the findings of --diff and --openapi. Give one command for each."
        )


def _with_documented(
    findings: Iterable[Finding], path: str, state: AppState, routes: Sequence[Route]
) -> tuple[Finding, ...]:
    from .documented import compare, read_document  # only this option needs it

    return in_order((*findings, *compare(read_document(path), state, routes)))


def _freeze(path: str, lock: Lock, mistake: str | None) -> None:
    if mistake is not None:
        raise LockError(f"nothing was written, because the set-up has a mistake: {mistake}")
    write_lock(path, lock)
    echo(f"Wrote {path} with {len(lock)} rules. Commit it, and compare with --diff.")


def _print_asvs(setup: Setup, form: str | None) -> None:
    if form not in (None, "json"):
        raise click.UsageError("--asvs prints a table, or JSON with --json.")
    rows = decide_rows(setup)
    echo(asvs_as_json(rows) if form == "json" else as_asvs_table(rows))


def _print(report: Report, form: str | None) -> None:
    if form == "sarif":
        echo(as_sarif(report, _version()))
    else:
        echo({"json": as_json, "markdown": as_markdown}.get(form or "", as_table)(report))
    if form is not None and report.mistake is not None:
        click.echo(f"The set-up has a mistake: {report.mistake}", err=True)


def _version() -> str:
    try:
        return version("flask-unauthorized")
    except PackageNotFoundError:  # a copy of the package, which pip didn't install
        return "unknown"


def _fails(report: Report, wanted: frozenset[str]) -> bool:
    """Return whether something was found that ``--fail-on`` names. By name, only errors count; by id, all levels."""
    found = {one.id for one in report.findings}
    errors = {one.id for one in report.findings if one.level == "error"}
    found |= {name for name, rules in _BY_NAME.items() if not errors.isdisjoint(rules)}
    if any(change.may_loosen for change in report.changes or ()):
        found.add(LOOSENED)
    return not found.isdisjoint(wanted)


def _wanted(given: str | None, *, with_diff: bool) -> frozenset[str]:
    if given is None:
        return frozenset((*_BY_NAME, LOOSENED) if with_diff else _BY_NAME)
    names = frozenset(filter(None, (name.strip() for name in given.split(","))))
    known = (*_BY_NAME, LOOSENED, *RULES)
    for name in sorted(names):
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="--fail-on")
    if LOOSENED in names and not with_diff:
        raise click.BadParameter("'loosened' needs --diff, a lock file to compare with", param_hint="--fail-on")
    return names
