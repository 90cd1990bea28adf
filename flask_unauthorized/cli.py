"""Commands for the terminal: ``flask unauthorized …``."""

import json

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo

from .errors import ConfigurationError
from .resource_metadata.endpoint import written
from .runtime.app_state import state_of
from .schemes.digest import Digest
from .wire.digest import HASHES, base_algorithm, secret_hash


@click.group("unauthorized")
def commands() -> None:
    """What an app with flask_unauthorized needs beside it."""


@commands.command("check")
@click.pass_context
def check(context: click.Context) -> None:
    """Checks what the first request would check, for a deploy; fails with what is wrong."""
    app = context.ensure_object(ScriptInfo).load_app()
    try:
        state = state_of(app)
        state.check()
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from None
    endpoints = state.app.view_functions
    guarded = sum(bool(state.requirements(endpoint)) for endpoint in endpoints)
    click.echo(f"The set-up is valid: {guarded} of {len(endpoints)} endpoints are guarded.")


@commands.command("digest-hashes")
@click.argument("name")
@click.option("--realm", help="The realm that the hashes are for; default: that of the app's Digest.")
@click.option(
    "--algorithm",
    "algorithms",
    multiple=True,
    type=click.Choice(list(HASHES)),
    help="May be given more than once; default: those of the app's Digest, else SHA-256.",
)
@click.pass_context
def digest_hashes(context: click.Context, name: str, realm: str | None, algorithms: tuple[str, ...]) -> None:
    """Prints what to store for the user NAME in place of the password, as JSON.

    Asks for the password. The loader of Digest returns what is printed, as a dict. It is worth as much as the password
    itself, for this realm.
    """
    app = None if realm is not None and algorithms else _app(context, needed=realm is None)
    if app is not None:
        found_realm, found_algorithms = _digest_of(app)
        realm, algorithms = realm or found_realm, algorithms or found_algorithms
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    chosen = algorithms or ("SHA-256",)
    click.echo(json.dumps({algorithm: secret_hash(algorithm, name, realm or "", password) for algorithm in chosen}))


@commands.command("resource-metadata")
@click.argument("resource", required=False)
@click.pass_context
def resource_metadata(context: click.Context, resource: str | None) -> None:
    """Prints the metadata of the protected resource RESOURCE (RFC 9728), as the app serves it.

    For a web server in front that has to answer for the well-known URL itself. RESOURCE is its identifier, and may be
    left out where there is one only.
    """
    state = state_of(context.ensure_object(ScriptInfo).load_app())
    state.prepare()
    documents = {one.resource: text for one, text in written(state.auth.states, state.auth.resources).items()}
    chosen = next(iter(documents)) if resource is None and len(documents) == 1 else resource
    if chosen not in documents:
        raise click.UsageError(f"Name one of the resources: {', '.join(documents) or 'the app declares none'}.")
    click.echo(documents[chosen].decode())


def _app(context: click.Context, *, needed: bool) -> Flask | None:
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException as error:
        if needed:
            raise click.UsageError(f"Give --realm, or run this where flask finds the app: {error.message}") from None
        return None


def _digest_of(app: Flask) -> tuple[str, tuple[str, ...]]:
    """The realm and the hash functions of the app's one Digest; of all of them where they share the realm."""
    state = state_of(app)
    state.prepare()
    found = [scheme for scheme in state.auth.schemes if isinstance(scheme, Digest)]
    realms = {state.realm if scheme.realm is None else scheme.realm for scheme in found}
    if len(realms) != 1:
        raise click.UsageError(f"The app has {len(found)} Digest schemes with {len(realms)} realms: give --realm.")
    names = {base_algorithm(algorithm): None for scheme in found for algorithm in scheme.algorithms}
    return realms.pop(), tuple(names)
