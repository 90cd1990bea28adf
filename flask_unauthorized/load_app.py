"""The app that a command reads, such as ``flask unauthorized audit``. The exit status is 2 if it can't be read."""

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo


class Unreadable(click.ClickException):
    """What a command reads, the app or a file, can't be read."""

    exit_code = 2


def load_app(context: click.Context) -> Flask:
    """Return the app that the ``flask`` command finds.

    Raises:
        NoAppException: If there is none.
        Unreadable: If the code of the app raises an exception.
    """
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException:
        raise
    except (Exception, SystemExit) as error:  # The app's code raises whatever it likes: exit with 2, no traceback.
        raise Unreadable(f"the app can't be loaded: {type(error).__name__}: {error}") from error
