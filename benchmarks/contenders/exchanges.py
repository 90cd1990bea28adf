"""Requests that depend on what the app has answered: Digest, and cookies of people who logged in."""

import hashlib
import itertools
from typing import Any

from flask import Flask
from werkzeug.datastructures import WWWAuthenticate

from .base import NAME, NAMES, PASSWORD, Environ, Series, answer

CLIENTS = 10
"""Digest clients that take turns, each with a nonce of its own."""
REALM = "benchmark"
HASHES: dict[str, Any] = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


def stored_hashes(algorithm: str) -> dict[str, str]:
    """H(A1) of all users, which an app stores in place of passwords (RFC 7616 §3.4.2)."""
    return {name: _hash(algorithm, f"{name}:{REALM}:{PASSWORD}") for name in NAMES}


def digest_requests(app: Flask) -> dict[str, Series]:
    """Digest answers of clients that know the password, and of some that don't."""
    return {"good": _answers(app, PASSWORD), "wrong": _answers(app, "wrong horse")}


def cookie_requests(app: Flask) -> dict[str, Series]:
    """Requests with the cookie that ``/log-in`` has just set, as a browser sends it, and with a broken one."""

    def good(count: int) -> list[Environ]:
        return [{"HTTP_COOKIE": _cookie(answer(app, {"PATH_INFO": "/log-in"}).headers)}] * count

    def wrong(count: int) -> list[Environ]:
        return [{"HTTP_COOKIE": f"{made['HTTP_COOKIE'][:-4]}AAAA"} for made in good(count)]

    return {"good": good, "wrong": wrong}


def _answers(app: Flask, password: str) -> Series:
    def make(count: int) -> list[Environ]:
        clients = [_client(app, password) for _ in range(min(CLIENTS, count))]
        return [next(client) for client in itertools.islice(itertools.cycle(clients), count)]

    return make


def _client(app: Flask, password: str) -> Any:
    """Asks for a nonce, and then goes on counting with it, as RFC 7616 §3.4 tells a client."""
    headers = answer(app, {}).headers
    told = WWWAuthenticate.from_header(next(value for name, value in headers if name == "WWW-Authenticate"))
    assert told is not None
    algorithm, nonce, cnonce = told.get("algorithm") or "MD5", told.get("nonce"), "7KGMSwq8oPJ0y1hVfz2NkQ"
    secret = _hash(algorithm, f"{NAME}:{told.get('realm')}:{password}")
    resource = _hash(algorithm, "GET:/")
    opaque = f', opaque="{told.get("opaque")}"' if told.get("opaque") else ""
    cookie = _cookie(headers)
    also = {"HTTP_COOKIE": cookie} if cookie else {}
    for count in range(1, 2**32):
        nc = f"{count:08x}"
        response = _hash(algorithm, f"{secret}:{nonce}:{nc}:{cnonce}:auth:{resource}")
        line = (
            f'Digest username="{NAME}", realm="{told.get("realm")}", nonce="{nonce}", uri="/", cnonce="{cnonce}", '
            f'nc={nc}, qop=auth, response="{response}", algorithm={algorithm}{opaque}'
        )
        yield {"HTTP_AUTHORIZATION": line, **also}


def _cookie(headers: list[tuple[str, str]]) -> str:
    """What a browser sends back."""
    return next((value.partition(";")[0] for name, value in headers if name == "Set-Cookie"), "")


def _hash(algorithm: str, text: str) -> str:
    digest: str = HASHES[algorithm](text.encode()).hexdigest()
    return digest
