"""The commands ``flask unauthorized …``."""

import json
from typing import Any

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo
from werkzeug.utils import import_string

from .browser import devices
from .browser.login import session_scheme
from .errors import AuthUnavailable, ConfigurationError
from .runtime.app_state import AppState, app_state_of
from .schemes.digest import Digest
from .throttle.throttle import Throttle
from .wire.digest import HASHES, base_algorithm, secret_hash


class _Commands(click.Group):
    """A group whose commands report a `ConfigurationError` by its message, without a traceback.

    ``audit``, ``explain``, ``openapi`` and ``tokens`` are loaded when they are used.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "audit", "explain", "openapi", "tokens"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "audit":
            from .audit.commands import audit

            return audit
        if cmd_name == "explain":
            from .explain.commands import explain

            return explain
        if cmd_name == "openapi":
            from .openapi.commands import openapi

            return openapi
        if cmd_name == "tokens":
            from .loaders.stored.commands import tokens

            return tokens
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            raise click.ClickException(str(error)) from None


@click.group(name="unauthorized", cls=_Commands)
def commands() -> None:
    """Check an app's authentication, and prepare data for it."""


@commands.command("check")
@click.pass_context
def check(context: click.Context) -> None:
    """Check the app's configuration, as its first request would.

    Run this before you deploy. The exit status is 1 if there is a mistake.
    """
    state = _app_state(context)
    state.check()
    guarded = {route.endpoint for route in state.routes() if route.requirement is not None}
    click.echo(f"The set-up is valid: {len(guarded)} of {len(state.app.view_functions)} endpoints are guarded.")


@commands.command("digest-hashes")
@click.argument("name")
@click.option("--realm", help="The realm that the hashes are valid in. Default: the realm of the app's Digest scheme.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(list(HASHES)),
    help="Repeat this for several algorithms. Default: those of the app's Digest scheme, or SHA-256.",
)
@click.pass_context
def digest_hashes(context: click.Context, name: str, realm: str | None, algorithms: tuple[str, ...]) -> None:
    """Print the hashes to store for the user NAME, as JSON.

    The command asks for the password. Let the loader of your Digest scheme return these hashes as a dict. Protect them
    like passwords: a hash is all that is needed to log in as this user in this realm.
    """
    app = None if realm is not None and algorithms else _load_app(context, needed=realm is None)
    if app is not None:
        realm, algorithms_of_app = _digest_of(app_state_of(app), realm)
        algorithms = algorithms or algorithms_of_app
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    chosen = algorithms or ("SHA-256",)
    click.echo(json.dumps({algorithm: secret_hash(algorithm, name, realm or "", password) for algorithm in chosen}))


@commands.command("resource-metadata")
@click.argument("resource", required=False)
@click.pass_context
def resource_metadata(context: click.Context, resource: str | None) -> None:
    """Print the metadata document of a protected resource (RFC 9728).

    Use this if a web server in front of the app serves the well-known URL itself. RESOURCE is the identifier of the
    resource. You can omit it if the app declares only one.
    """
    state = _app_state(context)
    state.prepare()
    built = state.build_documents()
    documents = {one.resource: document for one, document in built.items()}
    chosen = next(iter(documents)) if resource is None and len(documents) == 1 else resource
    if chosen not in documents:
        raise click.UsageError(f"Name one of the resources: {', '.join(documents) or 'the app declares none'}.")
    click.echo(documents[chosen].decode())


@commands.command("end-sessions")
@click.argument("name", required=False)
@click.option("--all", "all_users", is_flag=True, help="End the sessions of all users.")
@click.pass_context
def end_sessions(context: click.Context, name: str | None, all_users: bool) -> None:
    """End all sessions of the user NAME, or with --all those of all users, remembered ones too.

    NAME is the subject that the loader of your SessionCookie gets. The command doesn't ask for a confirmation. Users
    can log in again at once. The exit status is 1 if the store is unavailable, or if this process can't reach the
    sessions.
    """
    if (name is None) is not all_users:
        raise click.UsageError("Name one user, or give --all: exactly one of them.")
    if name == "":
        raise click.UsageError("NAME is empty: give the subject of a user.")
    state = _app_state(context)
    scheme = session_scheme(state.schemes)
    if scheme.store is not None and not scheme.store.shared:
        raise click.ClickException(
            f"The sessions are in a {type(scheme.store).__name__}, which each process has for itself: this one can't "
            "end those of another. Use SQLiteStore or RedisStore."
        )
    try:
        with state.app.app_context():
            if name is None:
                devices.end_all_sessions(scheme)
            else:
                devices.end_sessions(scheme, name)
            realm = scheme.realm_in_force()
    except AuthUnavailable as error:
        raise click.ClickException(str(error.reason)) from None
    whose = "all users" if name is None else f"the user {name!r}"
    click.echo(f"All sessions of {whose} in the realm {realm!r} have ended.")


@commands.command("enable")
@click.argument("name")
@click.option(
    "--throttle",
    "path",
    metavar="MODULE:NAME",
    help="Where the Throttle is, if no scheme has it: that of a login form. Default: those of the app's schemes.",
)
@click.pass_context
def enable(context: click.Context, name: str, path: str | None) -> None:
    """Let callers log in as NAME again, whom a Throttle with disable_after= has disabled.

    NAME may have any spelling. Do this when the owner has set a new password. The exit status is 1 if NAME was not
    disabled, if the store is unavailable, or if this process can't reach the counters.
    """
    if not name:
        raise click.UsageError("NAME is empty: give the name of a subject.")
    state = _app_state(context)
    throttles = _throttles_of(state) if path is None else [_imported_throttle(path)]
    for throttle in throttles:
        if not throttle.store.shared:
            raise click.ClickException(
                f"The counters are in a {type(throttle.store).__name__}, which each process has for itself: this one "
                "can't change those of another. Use SQLiteStore or RedisStore."
            )
    try:
        were_disabled = [throttle.enable(name) for throttle in throttles]
    except AuthUnavailable as error:
        raise click.ClickException(str(error.reason)) from None
    if not any(were_disabled):
        raise click.ClickException(f"{name!r} was not disabled. Failures that were counted are forgotten.")
    click.echo(f"{name!r} can log in again.")


def _throttles_of(state: AppState) -> list[Throttle]:
    """Return the throttles of the app's schemes that can disable subjects."""
    found = {id(one): one for scheme in state.schemes if (one := scheme.throttle) is not None and one.disable_after}
    if not found:
        raise click.UsageError(
            "No scheme of this app has a Throttle with disable_after=. If the view of a login form has one, give "
            "--throttle MODULE:NAME."
        )
    return list(found.values())


def _imported_throttle(path: str) -> Throttle:
    try:
        found = import_string(path)
    except ImportError as error:
        raise click.BadParameter(f"{path!r} can't be imported: {error}", param_hint="--throttle") from None
    if not isinstance(found, Throttle):
        raise click.BadParameter(f"{path!r} is a {type(found).__name__}, not a Throttle", param_hint="--throttle")
    return found


def _app_state(context: click.Context) -> AppState:
    """Return the state of the app that the ``flask`` command finds."""
    return app_state_of(context.ensure_object(ScriptInfo).load_app())


def _load_app(context: click.Context, *, needed: bool) -> Flask | None:
    """Return the app that the ``flask`` command finds; ``None`` if there is none and none is needed."""
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException as error:
        if needed:
            raise click.UsageError(f"Give --realm, or run this where flask finds the app: {error.message}") from None
        return None


def _digest_of(state: AppState, realm: str | None) -> tuple[str, tuple[str, ...]]:
    """Return the realm and the hash algorithms of the app's Digest schemes. Unless a realm is given, they share one."""
    state.prepare()
    found = [scheme for scheme in state.schemes if isinstance(scheme, Digest)]
    if realm is None:
        realms = {state.realm if scheme.realm is None else scheme.realm for scheme in found}
        if len(realms) != 1:
            raise click.UsageError(f"The app has {len(found)} Digest schemes with {len(realms)} realms: give --realm.")
        realm = realms.pop()
    names = {base_algorithm(algorithm): None for scheme in found for algorithm in scheme.algorithms}
    return realm, tuple(names)
