"""The command ``flask unauthorized openapi``: it prints a document of the app's own."""

import json

import click

from ..errors import ConfigurationError
from ..load_app import Unreadable, load_app
from ..runtime.app_state import app_state_of
from .own import make_document
from .versions import KNOWN


@click.command("openapi")
@click.option(
    "--version", "version", type=click.Choice(KNOWN), default="3.1", show_default=True, help="The version of OpenAPI.",
)  # fmt: skip
@click.option("--title", help="The title of the document. Default: the name of the app.")
@click.pass_context
def openapi(context: click.Context, version: str, title: str | None) -> None:
    """Print an OpenAPI document of the app: paths, what they demand, and refusals.

    It is for apps without a library that writes such a document. No loader, store or view is called. The exit status
    is 2 if the app can't be read.
    """
    app = load_app(context)
    try:
        document = make_document(app_state_of(app), version, title)
    except ConfigurationError as error:
        raise Unreadable(str(error)) from None
    click.echo(json.dumps(document, indent=2))
