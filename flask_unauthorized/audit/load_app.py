"""Loading the app for a command whose exit status 2 means that the app can't be read."""

import click
from flask import Flask
from flask.cli import NoAppException, ScriptInfo


class Unreadable(click.ClickException):
    """What the command reads can't be read: the app, its set-up, or a file."""

    exit_code = 2


def load_app(context: click.Context) -> Flask:
    """Return the app that the ``flask`` command finds.

    Raises:
        Unreadable: If the app's code raises an exception.
        NoAppException: If there is no app.
    """
    try:
        return context.ensure_object(ScriptInfo).load_app()
    except NoAppException:
        raise
    except Exception as error:  # The app's code raises whatever it likes: exit with 2, not with a traceback and 1.
        raise Unreadable(f"the app can't be loaded: {type(error).__name__}: {error}") from error
