"""Where lock files are: at a path, or in a revision of the git repository around the current folder."""

import subprocess
from pathlib import Path
from typing import Final

from .lock_file import Lock, LockError, parse, render

LOCK_FILE: Final = "unauthorized.lock"
_GIT: Final = "git:"


def write_lock(path: str, lock: Lock) -> None:
    """Write a lock file. Raises `LockError`."""
    try:
        Path(path).write_text(render(lock), encoding="utf-8", newline="\n")
    except OSError as error:
        raise LockError(f"{path} can't be written: {error.strerror}") from None


def read_lock(source: str) -> Lock:
    """Return the lock file at a path, or of a revision: ``git:main``. Raises `LockError`."""
    try:
        text = _of_revision(source.removeprefix(_GIT)) if source.startswith(_GIT) else _of_file(source)
        return parse(text)
    except LockError as error:
        raise LockError(f"{source}: {error}") from None


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
        done = subprocess.run(  # noqa: S603  # the revision of the developer who runs it, and no option
            command, capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LockError(f"git can't be run: {error}") from None
    if done.returncode:
        raise LockError(f"git show failed: {done.stderr.decode(errors='replace').strip()}")
    try:
        return done.stdout.decode("utf-8")
    except UnicodeDecodeError:
        raise LockError("the lock file of this revision isn't UTF-8: write it with --freeze") from None
