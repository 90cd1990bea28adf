"""Users and their passkeys, in a SQLite file. It starts with two users, for the demo."""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from flask import g
from webauthn.helpers.structs import CredentialDeviceType
from webauthn.registration.verify_registration_response import VerifiedRegistration
from werkzeug.security import generate_password_hash

FOLDER = Path(os.environ.get("PASSKEY_STEP_UP_DATA", "instance/passkey_step_up")).absolute()
DEMO_USERS, DEMO_PASSWORD = ("ada", "eve"), "correct horse"
TABLES = """
CREATE TABLE IF NOT EXISTS keys (id INTEGER PRIMARY KEY CHECK (id = 1), secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, hash TEXT NOT NULL,
    handle BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS passkeys (
    number INTEGER PRIMARY KEY AUTOINCREMENT, credential_id BLOB NOT NULL UNIQUE,
    owner INTEGER NOT NULL REFERENCES users ON DELETE CASCADE, name TEXT NOT NULL, public_key BLOB NOT NULL,
    sign_count INTEGER NOT NULL, is_synced INTEGER NOT NULL
);
"""


class User(NamedTuple):
    id: int
    name: str
    handle: bytes
    """Names the user to authenticators. It is random: they may show it before they know who holds them."""


class Passkey(NamedTuple):
    number: int
    credential_id: bytes
    name: str
    public_key: bytes
    is_synced: bool
    """Whether it may leave its device, in a backup or to the user's other devices."""


def create() -> None:
    """Makes what is missing."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    with closing(_connect()) as database, database:
        database.executescript(TABLES)
        for name in DEMO_USERS:
            if database.execute("SELECT 1 FROM users WHERE name = ?", [name]).fetchone() is None:
                database.execute(
                    "INSERT OR IGNORE INTO users (name, hash, handle) VALUES (?, ?, ?)",
                    [name, generate_password_hash(DEMO_PASSWORD), secrets.token_bytes(32)],
                )


def secret_key() -> str:
    """The key that signs the sessions: made once, the same for all workers."""
    with closing(_connect()) as database, database:
        database.execute("INSERT OR IGNORE INTO keys VALUES (1, ?)", [secrets.token_hex()])
        return str(database.execute("SELECT secret FROM keys").fetchone()[0])


def _connect() -> sqlite3.Connection:
    database = sqlite3.connect(FOLDER / "payouts.db")
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
    row = connection().execute("SELECT id, name, handle FROM users WHERE id = ?", [subject]).fetchone()
    return None if row is None else User(*row)


def user_by_name(name: str) -> User | None:
    row = connection().execute("SELECT id, name, handle FROM users WHERE name = ?", [name]).fetchone()
    return None if row is None else User(*row)


def hash_of(name: str) -> str | None:
    row = connection().execute("SELECT hash FROM users WHERE name = ?", [name]).fetchone()
    return None if row is None else row[0]


# --- passkeys: each function that reads or changes one asks for its owner


def passkeys_of(user: User) -> list[Passkey]:
    rows = connection().execute(
        "SELECT number, credential_id, name, public_key, is_synced FROM passkeys WHERE owner = ? ORDER BY number",
        [user.id],
    )
    return [Passkey(*row[:-1], is_synced=bool(row[-1])) for row in rows]


def passkey_of(user: User, credential_id: bytes) -> Passkey | None:
    """The passkey with this id, if it is one of this user's."""
    return next((passkey for passkey in passkeys_of(user) if passkey.credential_id == credential_id), None)


def add_passkey(user: User, name: str, new: VerifiedRegistration) -> bool:
    """Adds it. Returns whether the id is new: a second user can't have the same one."""
    is_synced = new.credential_device_type == CredentialDeviceType.MULTI_DEVICE
    try:
        with connection() as database:
            database.execute(
                "INSERT INTO passkeys (credential_id, owner, name, public_key, sign_count, is_synced) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                [new.credential_id, user.id, name, new.credential_public_key, new.sign_count, is_synced],
            )
    except sqlite3.IntegrityError:
        return False
    return True


def raise_sign_count(passkey: Passkey, count: int) -> bool:
    """Stores the count of a use. Returns whether it is higher than the last one, as WebAuthn §7.2 demands.

    Passkeys that don't count always send 0. One statement compares and stores, so two requests at the same time can't
    both pass with the same count.
    """
    with connection() as database:
        changed = database.execute(
            "UPDATE passkeys SET sign_count = :count WHERE number = :number "
            "AND (sign_count < :count OR (sign_count = 0 AND :count = 0))",
            {"count": count, "number": passkey.number},
        )
    return changed.rowcount == 1


def delete_passkey(user: User, number: int) -> bool:
    with connection() as database:
        return database.execute("DELETE FROM passkeys WHERE number = ? AND owner = ?", [number, user.id]).rowcount == 1
