"""The command ``flask unauthorized audit``: it reads its options, has the report made, and prints it.

Exit status: 0 without findings that ``--fail-on`` names, 1 with some, 2 if the app or the lock file can't be read. Of a
set-up with a mistake the table is printed as well, because the mistake may be why a route is open.
"""

import subprocess
from collections.abc import Sequence
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Final

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from ..errors import ConfigurationError
from ..policy.effective import EffectiveRequirements
from ..policy.settings import Settings, read_settings
from ..runtime.app_state import AppState, app_state_of
from . import asvs
from .changes import Change, find_changes
from .demand import demand_of, names_of_schemes
from .findings import RULES, Audited, Finding, find_mistakes
from .lock_file import Lock, LockError, make_lock, parse, render
from .outputs import Report, as_asvs_table, as_json, as_markdown, as_sarif, as_table, asvs_as_json

LOCK_FILE: Final = "unauthorized.lock"
_GIT: Final = "git:"
_LOOSENED: Final = "loosened"
_BY_NAME: Final = {"open": "A1", "unknown": "A2", "asymmetric": "A3"}


class _Unreadable(click.ClickException):
    """The app or the lock file can't be read."""

    exit_code = 2


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
    help="What makes the exit status 1, with commas between: open, unknown, asymmetric, loosened, or ids such as A7. "
    "Default: open,unknown,asymmetric, with --diff loosened as well. An empty text: nothing.",
)  # fmt: skip
@click.option("--only", metavar="PATTERN", help="Show only rules that match, such as '/admin/*'.")
@click.option("--reasons", is_flag=True, help="Also list public routes without a reason (A4).")
@click.option(
    "--root", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
    help="The folder to which paths are relative. Default: the current one.",
)  # fmt: skip
@click.option("--asvs", "shows_asvs", is_flag=True, help="Print the rows of OWASP ASVS that the configuration decides.")
@click.pass_context
def audit(
    context: click.Context, form: str | None, freeze: str | None, diff: str | None, fail_on: str | None,
    only: str | None, reasons: bool, root: Path, shows_asvs: bool,
) -> None:  # fmt: skip
    """Print what each route demands, and what looks like a mistake.

    The exit status is 1 if a route is open by mistake, and 2 if the app or the lock file can't be read. No loader, no
    store and no network is used.
    """
    if freeze is not None and diff is not None:
        raise click.UsageError("Give either --freeze or --diff: --freeze writes what --diff compares with.")
    wanted = _ids_to_fail_on(fail_on, with_diff=diff is not None)
    app = _load_app(context)
    try:
        state = app_state_of(app)
        audited, mistake = _read(state)
    except ConfigurationError as error:
        raise _Unreadable(str(error)) from None
    if shows_asvs:
        rows = asvs.decide_rows(asvs.Setup(app, audited, _protects_app(state)))
        click.echo(asvs_as_json(rows) if form == "json" else as_asvs_table(rows))
        return
    implied = state.configuration.implied_scopes
    listed = [(route, demand_of(route, audited.names, implied)) for route in audited.routes]
    lock = make_lock(listed)
    if freeze is not None:
        if mistake is not None:
            raise _Unreadable(f"nothing was written, because the set-up has a mistake: {mistake}")
        _write(freeze, render(lock))
        click.echo(f"Wrote {freeze}: {len(listed)} routes. Commit it, and compare with --diff.")
        return
    changes = None if diff is None else find_changes(_read_lock(diff), lock)
    findings = find_mistakes(audited, reasons=reasons)
    if only is not None:
        listed = [pair for pair in listed if fnmatchcase(pair[0].rule, only)]
        findings = tuple(one for one in findings if fnmatchcase(one.route.rule, only))
        changes = None if changes is None else tuple(one for one in changes if fnmatchcase(one.place.rule, only))
    report = Report(
        app.name, listed, audited.names, state.configuration.realm, findings, changes, mistake, root.resolve()
    )
    _print(report, form)
    if _fails(findings, changes, wanted):
        context.exit(1)
    if mistake is not None:
        context.exit(2)


def _print(report: Report, form: str | None) -> None:
    if form == "sarif":
        click.echo(as_sarif(report, version("flask-unauthorized")))
    else:
        click.echo({"json": as_json, "markdown": as_markdown}.get(form or "", as_table)(report))
    if form is not None and report.mistake is not None:
        click.echo(f"The set-up has a mistake: {report.mistake}", err=True)


def _fails(findings: Sequence[Finding], changes: Sequence[Change] | None, wanted: frozenset[str]) -> bool:
    """Return whether something was found that ``--fail-on`` names. By name, only errors count; by id, all levels."""
    names = {_id: name for name, _id in _BY_NAME.items()}
    found = {one.id for one in findings} | {
        names[one.id] for one in findings if one.id in names and one.level == "error"
    }
    if any(change.may_loosen for change in changes or ()):
        found.add(_LOOSENED)
    return not found.isdisjoint(wanted)


def _ids_to_fail_on(given: str | None, *, with_diff: bool) -> frozenset[str]:
    if given is None:
        return frozenset((*_BY_NAME, _LOOSENED) if with_diff else _BY_NAME)
    names = frozenset(filter(None, (name.strip() for name in given.split(","))))
    known = (*_BY_NAME, _LOOSENED, *RULES)
    for name in sorted(names):
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of {', '.join(known)}", param_hint="--fail-on")
    if _LOOSENED in names and not with_diff:
        raise click.BadParameter("'loosened' needs --diff, a lock file to compare with", param_hint="--fail-on")
    return names


def _load_app(context: click.Context) -> Flask:
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException:
        raise
    except Exception as error:
        raise _Unreadable(f"the app can't be loaded: {type(error).__name__}: {error}") from error


def _read(state: AppState) -> tuple[Audited, str | None]:
    """Return what the findings are made from, and what ``flask unauthorized check`` refuses of it, if anything.

    The check calls ``check`` of schemes, loaders and stores, which may ask a server. So only its other part is done.
    """
    settings, mistake = Settings(), None
    try:
        settings = read_settings(state.app.config)
        effective = EffectiveRequirements(state.configuration, state.app)
        effective.refresh()
        effective.check()
    except ConfigurationError as error:
        mistake = str(error)
    return Audited(state.routes(), names_of_schemes(state.schemes), state.app.config, settings), mistake


def _protects_app(state: AppState) -> bool:
    """Return whether ``protect(app)`` demands a caller of every view, whatever the request."""
    protection = state.configuration.protections.get(state.app)
    return protection is not None and not (protection.requirement.optional or protection.requirement.unless)


def _write(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise _Unreadable(f"{path} can't be written: {error.strerror}") from None


def _read_lock(source: str) -> Lock:
    """Return the lock file at a path, or of a revision: ``git:main``."""
    try:
        text = _of_revision(source.removeprefix(_GIT)) if source.startswith(_GIT) else _of_file(source)
        return parse(text)
    except LockError as error:
        raise _Unreadable(f"{source}: {error}") from None


def _of_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise LockError(f"the lock file can't be read ({reason}): write it with --freeze") from None


def _of_revision(revision: str) -> str:
    if not revision or revision.startswith("-") or ":" in revision:
        raise LockError("write git: and a revision, such as git:main")
    command = ["git", "show", f"{revision}:./{LOCK_FILE}"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LockError(f"git can't be run: {error}") from None
    if done.returncode:
        raise LockError(f"git show failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode("utf-8", errors="replace")
