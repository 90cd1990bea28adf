"""Basic: what comes in the field, and what the loader returns."""

import base64
import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from flask_unauthorized import Basic
from flask_unauthorized.loaders import Passwords, password_hashes
from tests.canaries import register

from . import Row
from .refusing import PASSWORD, request_of


def field(text: str | bytes) -> dict[str, str]:
    octets = text if isinstance(text, bytes) else text.encode()
    return {"Authorization": "Basic " + base64.b64encode(octets).decode()}


def rest(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {text}"}


def sent(headers: Any, loader: Any = lambda name, password: None) -> Any:
    return request_of(Basic(loader), headers=headers)


def with_hash(stored: str, patch: Callable[[pytest.MonkeyPatch], Any] = lambda patch: None) -> Any:
    """A login of a user with that stored hash, which isn't logged."""

    def run() -> Any:
        register(stored)
        passwords = Passwords({"ada": stored}.get, method="pbkdf2:sha256:1", concurrency=1)
        with pytest.MonkeyPatch.context() as patches:
            patch(patches)
            return sent(field(f"ada:{PASSWORD}"), passwords)()

    return run


def fails(error: type[BaseException]) -> Any:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    return fail


def all_at_work() -> Any:
    passwords = Passwords({"ada": ZEROS}, method="pbkdf2:sha256:1", concurrency=1)
    with pytest.MonkeyPatch.context() as patch, passwords._slots.one():
        # The wait ends at once, and the text names the real limit.
        patch.setattr(threading.Semaphore, "acquire", lambda self, blocking=True, timeout=None: False)
        return sent(field(f"ada:{PASSWORD}"), passwords)()


def wrong_password() -> Any:
    passwords = Passwords({"ada": ZEROS}, method="pbkdf2:sha256:1")
    register("0" * 64)
    return sent(field(f"ada:{PASSWORD}"), passwords)()


ZEROS = "pbkdf2:sha256:1$salt$" + "0" * 64

ROWS = [
    Row(
        "Passwords: too many hashes", all_at_work, 503,
        "Passwords: concurrency=1 is reached, and no hash was done within 1 s: limit failed logins, add processors, or "
        "raise concurrency= if they are idle",
    ),
    Row(
        "Passwords: too much work", with_hash("scrypt:1073741824:8:1$salt$00"), 503,
        "Passwords: a stored hash of scrypt has parameters beyond the limits, expected less work: give this user a new "
        "password",
    ),
    Row(
        "Passwords: a missing package",
        with_hash(
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            lambda patch: patch.setattr(password_hashes, "_module", lambda name: None),
        ), 503,
        "Passwords: a stored hash of bcrypt needs a package that is missing: pip install bcrypt",
    ),
    Row(
        "Passwords: too little memory",
        with_hash("scrypt:32768:8:1$salt$00", lambda patch: patch.setattr(hashlib, "scrypt", fails(MemoryError))), 503,
        "Passwords: too little memory for a hash of 32768 KiB, expected enough: lower concurrency=",
    ),
    Row(
        "a comma", sent(rest("YTpi, Basic YTpi")), 400,
        "Basic: the credentials hold a comma, expected Base64 alone: a client or a server joined two fields",
    ),
    Row(
        "not Base64", sent(rest(f"ada:{PASSWORD}")), 401,
        "Basic: the credentials are not Base64, expected the Base64 of name:password (RFC 7617 section 2)",
    ),
    Row(
        "not ASCII", sent(rest("\xe4")), 401,
        "Basic: the credentials are not Base64, expected the Base64 of name:password (RFC 7617 section 2)",
    ),
    Row(
        "not canonical", sent(rest("YTpiYR==")), 401,
        "Basic: the credentials are not canonical Base64, expected unused bits to be zero (RFC 4648)",
    ),
    Row(
        "not UTF-8", sent(field(b"ada:\xff" + PASSWORD.encode())), 401,
        "Basic: name and password are not UTF-8, expected UTF-8: latin1=True also takes Latin-1",
    ),
    Row(
        "no colon", sent(field(PASSWORD)), 401,
        "Basic: no colon is in the decoded credentials, expected name:password (RFC 7617 section 2)",
    ),
    Row(
        "a control character", sent(field(f"ada:{PASSWORD}\x00")), 401,
        "Basic: the name or the password holds a control character, expected none (RFC 7617 section 2)",
    ),
    Row(
        "a long name", sent(field("a" * 1025 + f":{PASSWORD}")), 401,
        "Basic: the name has 1025 bytes and the password 22, expected at most 1024 and 4096",
    ),
    Row(
        "a long password", sent(field("ada:" + "b" * 4097)), 401,
        "Basic: the name has 3 bytes and the password 4097, expected at most 1024 and 4096",
    ),
    Row(
        "an empty password", sent(field("ada:")), 401,
        "Basic: the password is empty, expected one: empty_password=True lets the loader decide",
    ),
    Row("None", sent(field(f"ada:{PASSWORD}")), 401, "the loader of Basic returned None for the name and the password"),
    Row(
        "False", sent(field(f"ada:{PASSWORD}"), lambda name, password: False), 401,
        "the loader of Basic returned False for the name and the password",
    ),
    Row("Passwords", wrong_password, 401, "the loader of Basic returned None for the name and the password"),
    Row(
        "True for no name", sent(field(f":{PASSWORD}"), lambda name, password: True), 401,
        "the loader of Basic returned True for an empty name, expected a name in the credentials",
    ),
    Row(
        "the empty name", sent(field(f":{PASSWORD}"), lambda name, password: name), 401,
        "the loader of Basic returned '' for an empty name, expected a name in the credentials",
    ),
]  # fmt: skip
