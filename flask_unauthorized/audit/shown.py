"""How routes and texts of the developer are shown in a terminal."""

import sys
from pathlib import Path

import click

from ..policy.routes import Route


def file_of(route: Route, root: Path) -> str | None:
    """Return the file of a view: relative to ``root``, or its package's part of the path; ``None`` if it has none."""
    if route.file is None:
        return None
    path = Path(route.file)
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    parts = path.parts
    folders = [index for index, part in enumerate(parts) if part in ("site-packages", "dist-packages")]
    return Path(*parts[folders[-1] + 1 :]).as_posix() if folders else path.as_posix()


def printable(text: str) -> str:
    """Return a text with ``?`` for each character that isn't printable, such as those that control a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def echo(text: str) -> None:
    """Print a text, with ``?`` for each character that the output can't encode, such as ``→`` in a pipe on Windows."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding))
