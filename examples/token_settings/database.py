"""Users, notes and forms that were sent, in a SQLite file. It starts with two users, for the demo."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from flask import g
from werkzeug.security import generate_password_hash

from flask_unauthorized import Identity

FOLDER = Path(os.environ.get("TOKEN_SETTINGS_DATA", "instance/token_settings")).absolute()
FILE = FOLDER / "notes.db"
DEMO_USERS, DEMO_PASSWORD = {"ada": "notes:read notes:write", "bob": "notes:read"}, "correct horse"
# AUTOINCREMENT: the tokens of a user who was deleted must not become those of a new user with the same number.
TABLES = """
CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY CHECK (id = 1), secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, hash TEXT NOT NULL,
    scopes TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sent_forms (
    owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, form TEXT NOT NULL, token INTEGER,
    PRIMARY KEY (owner, form)
);
"""


class User(NamedTuple):
    id: int
    name: str


def create() -> None:
    """Make what is missing."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(_connect()) as database, database:
        database.executescript(TABLES)
        for name, scopes in DEMO_USERS.items():
            if database.execute("SELECT 1 FROM users WHERE name = ?", [name]).fetchone() is None:
                database.execute(
                    "INSERT OR IGNORE INTO users (name, hash, scopes) VALUES (?, ?, ?)",
                    [name, generate_password_hash(DEMO_PASSWORD), scopes],
                )


def secret_key() -> str:
    """Return the key that signs the sessions: made once, the same for all workers."""
    with closing(_connect()) as database, database:
        database.execute("INSERT OR IGNORE INTO keys VALUES (1, ?)", [secrets.token_hex()])
        return str(database.execute("SELECT secret FROM keys").fetchone()[0])


def _connect() -> sqlite3.Connection:
    database = sqlite3.connect(FILE)
    database.execute("PRAGMA foreign_keys = ON")
    return database


def connection() -> sqlite3.Connection:
    """Return the connection of this request."""
    if "database" not in g:
        g.database = _connect()
    return g.database


def close(_error: BaseException | None = None) -> None:
    database = g.pop("database", None)
    if database is not None:
        database.close()


# --- users


def identity_of(subject: str) -> Identity | None:
    """Return a user with what the user may do now, or ``None`` for one who was deleted."""
    return _identity(connection().execute("SELECT id, name, scopes FROM users WHERE id = ?", [subject]).fetchone())


def identity_by_name(name: str) -> Identity | None:
    return _identity(connection().execute("SELECT id, name, scopes FROM users WHERE name = ?", [name]).fetchone())


def _identity(row: tuple[int, str, str] | None) -> Identity | None:
    if row is None:
        return None
    number, name, scopes = row
    return Identity(str(number), scopes=scopes.split(), user=User(number, name))


def hash_of(name: str) -> str | None:
    row = connection().execute("SELECT hash FROM users WHERE name = ?", [name]).fetchone()
    return None if row is None else row[0]


# --- notes


def notes_of(user: User) -> list[dict[str, object]]:
    rows = connection().execute("SELECT id, text FROM notes WHERE owner = ? ORDER BY id DESC", [user.id])
    return [{"id": number, "text": text} for number, text in rows]


def add_note(user: User, text: str) -> dict[str, object]:
    with connection() as database:
        row = database.execute("INSERT INTO notes (owner, text) VALUES (?, ?)", [user.id, text])
    return {"id": row.lastrowid, "text": text}


# --- forms that make a token: each one makes one only, however often it is sent


def claim_form(user: User, form: str) -> bool:
    """Note that a form was sent. Return whether this was the first time."""
    with connection() as database:
        row = database.execute("INSERT OR IGNORE INTO sent_forms (owner, form) VALUES (?, ?)", [user.id, form])
    return row.rowcount == 1


def finish_form(user: User, form: str, token: int) -> None:
    with connection() as database:
        database.execute("UPDATE sent_forms SET token = ? WHERE owner = ? AND form = ?", [token, user.id, form])


def release_form(user: User, form: str) -> None:
    """Let a form be sent once more, because it made no token."""
    with connection() as database:
        database.execute("DELETE FROM sent_forms WHERE owner = ? AND form = ?", [user.id, form])


def token_of_form(user: User, form: str) -> int | None:
    row = connection().execute("SELECT token FROM sent_forms WHERE owner = ? AND form = ?", [user.id, form]).fetchone()
    return None if row is None else row[0]
