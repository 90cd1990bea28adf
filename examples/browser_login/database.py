"""Users and notes, in a SQLite file."""

import os
import secrets
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from flask import g

FOLDER = Path(os.environ.get("BROWSER_LOGIN_DATA", "instance/browser_login")).absolute()
TABLES = """
CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY CHECK (id = 1), secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, hash TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS alarms (owner INTEGER PRIMARY KEY REFERENCES users ON DELETE CASCADE, time REAL NOT NULL);
"""


class User(NamedTuple):
    id: int
    name: str


def create() -> None:
    """Makes what is missing."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(_connect()) as database:
        database.executescript(TABLES)


def secret_key() -> str:
    """The key that signs the sessions: made once, the same for all workers."""
    with closing(_connect()) as database, database:
        database.execute("INSERT OR IGNORE INTO keys VALUES (1, ?)", [secrets.token_hex()])
        return str(database.execute("SELECT secret FROM keys").fetchone()[0])


def _connect() -> sqlite3.Connection:
    database = sqlite3.connect(FOLDER / "notes.db")
    database.execute("PRAGMA foreign_keys = ON")
    return database


def connection() -> sqlite3.Connection:
    """The connection of this request."""
    if "database" not in g:
        g.database = _connect()
    return g.database


def close(_error: BaseException | None = None) -> None:
    database = g.pop("database", None)
    if database is not None:
        database.close()


# --- users


def user_by_id(subject: str) -> User | None:
    row = connection().execute("SELECT id, name FROM users WHERE id = ?", [subject]).fetchone()
    return None if row is None else User(*row)


def user_by_name(name: str) -> User | None:
    row = connection().execute("SELECT id, name FROM users WHERE name = ?", [name]).fetchone()
    return None if row is None else User(*row)


def hash_of(name: str) -> str | None:
    row = connection().execute("SELECT hash FROM users WHERE name = ?", [name]).fetchone()
    return None if row is None else row[0]


def add_user(name: str, hashed: str) -> User | None:
    """The new user; ``None`` where the name is taken."""
    try:
        with connection() as database:
            database.execute("INSERT INTO users (name, hash) VALUES (?, ?)", [name, hashed])
    except sqlite3.IntegrityError:
        return None
    return user_by_name(name)


def set_password(user: User, hashed: str) -> None:
    with connection() as database:
        database.execute("UPDATE users SET hash = ? WHERE id = ?", [hashed, user.id])


def delete_user(user: User) -> None:
    with connection() as database:
        database.execute("DELETE FROM users WHERE id = ?", [user.id])


# --- logins that were used in a second place


def raise_alarm(subject: str) -> None:
    with connection() as database:
        database.execute("INSERT OR REPLACE INTO alarms SELECT id, ? FROM users WHERE id = ?", [time.time(), subject])


def alarm_of(user: User) -> float | None:
    """When a login of this user was used in a second place, if the user hasn't dismissed the warning yet."""
    row = connection().execute("SELECT time FROM alarms WHERE owner = ?", [user.id]).fetchone()
    return None if row is None else float(row[0])


def dismiss_alarm(user: User) -> None:
    with connection() as database:
        database.execute("DELETE FROM alarms WHERE owner = ?", [user.id])


# --- notes


def notes_of(user: User, query: str = "") -> list[dict[str, object]]:
    rows = connection().execute(
        "SELECT id, text FROM notes WHERE owner = ? AND instr(lower(text), lower(?)) ORDER BY id DESC",
        [user.id, query],
    )
    return [{"id": number, "text": text} for number, text in rows]


def add_note(user: User, text: str) -> dict[str, object]:
    with connection() as database:
        row = database.execute("INSERT INTO notes (owner, text) VALUES (?, ?)", [user.id, text])
    return {"id": row.lastrowid, "text": text}


def delete_note(user: User, number: int) -> bool:
    with connection() as database:
        return database.execute("DELETE FROM notes WHERE id = ? AND owner = ?", [number, user.id]).rowcount == 1
