"""Servers that misbehave, and what the callers of an app then get, for docs/evidence/faults.md and its test."""

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT
from tests.loaders.keys import Clock, jwk_of, key_set, wait_for_fetch

from .server import (
    Server,
    answer,
    chunked_flood,
    drip,
    drip_in_head,
    hang_up,
    head_flood,
    redirect,
    running,
    silent,
)  # fmt: skip

ISSUER, AUDIENCE = "https://id.example.com", "https://api.example.com"
REQUESTS = 100
CANARY = "s3cr3t-0f-the-client"
# A bomb by its ratio: ten megabytes in ten kilobytes.
BOMB = answer(b"\x1f\x8b" + b"\x00" * 10_000, Content_Encoding="gzip")
_OCT = {"kty": "oct", "kid": "one", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}

SLOW: tuple[Any, ...] = (silent, drip, drip_in_head)

FAULTS: dict[str, Any] = {
    "down: it hangs up": hang_up,
    "answering 500": answer(CANARY.encode(), 500),
    "answering 404": answer(b"", 404),
    "answering 204": answer(b"", 204),
    "silent": silent,
    "slow: a byte at a time": drip,
    "slow: a byte of the head at a time": drip_in_head,
    "redirecting to http://169.254.169.254": redirect("http://169.254.169.254/latest"),
    "redirecting to itself": redirect("/keys"),
    "answering with a page, as `text/html`": answer(b"<html>Log in</html>", kind="text/html"),
    "answering with a page, as `application/json`": answer(b"<html>Log in</html>"),
    "answering with nothing": answer(b""),
    "answering JSON that is cut": answer(b'{"keys": [{"kty": "EC"'),
    "answering with a member twice": answer(b'{"keys": [], "keys": [], "active": true, "active": true}'),
    "cutting its answer": b"HTTP/1.1 200 x\r\nContent-Length: 99\r\nConnection: close\r\n\r\n{",
    "sending 150 MB": chunked_flood,
    "sending header fields without end": head_flood,
    "sending a gzip bomb": BOMB,
}
KEYS_ONLY: dict[str, Any] = {
    "answering `{}`": answer({}),
    'answering `{"keys": []}`': answer({"keys": []}),
    "sending a shared secret under a known key id": answer({"keys": [_OCT]}),
    "sending a broken key under a known key id": answer({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one"}]}),
}
INTROSPECTION_ONLY: dict[str, Any] = {
    "rejecting the API's own credentials with 401": answer({"error": "invalid_client"}, 401),
    'answering `{"active": true}` with `exp` as text': answer({"active": True, "aud": AUDIENCE, "exp": "soon"}),
}


class Outcome(NamedTuple):
    """What callers get (status, error and ``Retry-After`` by kind of token), the number of fetches, and the log."""

    answers: tuple[str, ...]
    calls: int
    log: str


class Issuer:
    """Signs tokens, as RFC 9068 has them."""

    def __init__(self) -> None:
        self._keys = {kid: ec.generate_private_key(ec.SECP256R1()) for kid in ("one", "two")}

    def published(self, *kids: str) -> bytes:
        return key_set(*(jwk_of(self._keys[kid].public_key(), kid) for kid in kids))

    def token(self, kid: str, named: str | None = None) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "client_id": "app", "jti": "1", "iat": now, "exp": now + 3600,
        }  # fmt: skip
        header = {"typ": "at+jwt", "kid": named or kid}
        return jwt.encode(claims, self._keys[kid], "ES256", headers=header)


class App:
    """An app whose one view demands a token."""

    def __init__(self, loader: Any) -> None:
        auth: Auth[Any] = Auth(Bearer(loader))
        app = Flask("faults")
        auth.init_app(app)
        app.add_url_rule("/", view_func=auth.login_required(lambda: "in"))
        self._client = app.test_client()

    def request(self, token: str) -> str:
        """Return the status of a request with the token, with the error and Retry-After of the response."""
        response = self._client.get("/", headers={"Authorization": f"Bearer {token}"})
        error = re.search(r'error="(\w+)"', response.headers.get("WWW-Authenticate", ""))
        retry = response.headers.get("Retry-After")
        assert CANARY.encode() not in response.data
        assert b"localhost" not in response.data
        return f"{response.status_code}{f' {error[1]}' if error else ''}{f', again in {retry} s' if retry else ''}"


@contextmanager
def logged(server: Server) -> Iterator[list[str]]:
    """Yield the lines of the log, with the names of the example in place of the server's."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert CANARY not in record.getMessage()
            line = record.getMessage().replace(server.url, ISSUER)
            if line.startswith(("JWKS", "introspection")):  # not those on single requests and single keys
                lines.append(line)

    log, handler = logging.getLogger("flask_unauthorized"), Handler()
    log.addHandler(handler)
    propagate, log.propagate = log.propagate, False
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.propagate = propagate


def _timeout(fault: Any) -> float:
    """Return a short timeout for faults that use it up, else one that no busy machine uses up."""
    return 0.5 if fault in SLOW else 30


@contextmanager
def guarded(server: Server, issuer: Issuer) -> Iterator[tuple[App, JWKS, Clock]]:
    """Yield an app that accepts the tokens of ``issuer``, whose keys the server publishes."""
    keys = JWKS(server.url + "/keys", allow_http_loopback=True, timeout=_timeout(None))
    keys._clock = clock = Clock()
    yield App(JWT(ISSUER, audience=AUDIENCE, keys=keys)), keys, clock
    wait_for_fetch(keys)


def key_server(fault: Any, issuer: Issuer) -> tuple[Outcome, Outcome]:
    """Measure the fault before any key was fetched, and ten minutes after the keys were."""
    good, junk = issuer.token("one"), issuer.token("two", "junk")
    with running() as server, guarded(server, issuer) as (app, keys, _), logged(server) as lines:
        keys._fetcher.timeout = _timeout(fault)
        server.answers["/keys"] = fault
        answers = {app.request(good) for _ in range(REQUESTS)}
        assert len(answers) == 1
        first = Outcome((*answers,), server.calls(), _logged_reason(lines))
    with running() as server, guarded(server, issuer) as (app, keys, clock), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one")
        assert app.request(good) == "200"
        keys._fetcher.timeout = _timeout(fault)
        server.answers["/keys"] = fault
        clock.turn(600)
        known = {app.request(good) for _ in range(REQUESTS)}
        wait_for_fetch(keys)
        unknown = {app.request(junk) for _ in range(REQUESTS)}
        assert len(known) == len(unknown) == 1
        later = Outcome((*known, *unknown), server.calls() - 1, _logged_reason(lines))
    return first, later


def introspection(fault: Any) -> Outcome:
    """Measure five requests with a token that isn't cached."""
    with running() as server, logged(server) as lines:
        loader = Introspection(
            server.url + "/keys",
            audience=AUDIENCE,
            client_id="api",
            client_secret=CANARY,
            timeout=_timeout(fault),
            allow_http_loopback=True,
        )
        loader._endpoint.clock = Clock()
        app = App(loader)
        server.answers["/keys"] = fault
        answers = [app.request("unknown") for _ in range(5)]
        assert len(set(answers)) == 1
        seen = Outcome((answers[0],), server.calls(), _logged_reason(lines))
        server.answers["/keys"] = answer({"active": True, "aud": AUDIENCE})
        loader._endpoint._fetcher.timeout = _timeout(None)
        loader._endpoint.clock.turn(10)
        assert app.request("unknown") == "200"
        return seen


def _logged_reason(lines: list[str]) -> str:
    """Return the reason in the only line of the log that has one."""
    (line,) = [line for line in lines if "; " in line]  # others name single keys of the set
    reason = line.split(": ", 1)[1].replace(f"GET {ISSUER}/keys: ", "").replace(f"POST {ISSUER}/keys: ", "")
    return reason.rpartition("; ")[0]


def _fetches(number: int) -> str:
    return f"{number} fetch{'' if number == 1 else 'es'}"


def _counted(lines: list[str]) -> str:
    return f"{len(lines)} line{'' if len(lines) == 1 else 's'}"


# --- single stories


def down_for_a_day(issuer: Issuer) -> list[str]:
    good = issuer.token("one")
    with running() as server, guarded(server, issuer) as (app, keys, clock), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one")
        assert app.request(good) == "200"
        server.answers["/keys"] = answer(b"", 503)
        answers = set()
        for _ in range(24 * 12 - 1):
            clock.turn(300)
            answers.add(app.request(good))
            wait_for_fetch(keys)
        clock.turn(301)
        return [
            f"for 24 hours: {', '.join(answers)}; then: {app.request(good)}",
            f"{server.calls() - 1} fetches for a request every five minutes",
            _counted(lines),
        ]


def unknown_ids(issuer: Issuer, *, up: bool) -> list[str]:
    good, junk = issuer.token("one"), [issuer.token("two", f"junk{number}") for number in range(100)]
    with running() as server, guarded(server, issuer) as (app, _, clock), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one")
        assert app.request(good) == "200"
        clock.turn(30)
        server.answers["/keys"] = issuer.published("one") if up else answer(b"", 503)
        answers = dict.fromkeys(app.request(junk[number % 100]) for number in range(1000))
        return [
            f"{', then '.join(answers)}; with a known id: {app.request(good)}",
            _fetches(server.calls() - 1),
            _counted(lines),
        ]


def rotation(issuer: Issuer) -> list[str]:
    with running() as server, guarded(server, issuer) as (app, _, _), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one")
        assert app.request(issuer.token("one")) == "200"
        server.answers["/keys"] = issuer.published("one", "two")
        early = app.request(issuer.token("two"))
        return [
            f"signed by the new key: {early}",
            _fetches(server.calls() - 1),
            _counted(lines),
        ]


def withdrawal(issuer: Issuer) -> list[str]:
    with running() as server, guarded(server, issuer) as (app, keys, clock), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one", "two")
        old = issuer.token("one")
        assert app.request(old) == "200"
        server.answers["/keys"] = issuer.published("two")
        clock.turn(299)
        before = app.request(old)
        clock.turn(1)
        app.request(old)
        wait_for_fetch(keys)
        return [
            f"by the old key, before the set is 300 s old: {before}; after the fetch that follows: {app.request(old)}",
            _fetches(server.calls() - 1),
            _counted(lines),
        ]


def first_burst(issuer: Issuer) -> list[str]:
    with running() as server, guarded(server, issuer) as (app, _, _), logged(server) as lines:
        server.answers["/keys"] = issuer.published("one")
        answers: list[str] = []
        token = issuer.token("one")
        threads = [threading.Thread(target=lambda: answers.append(app.request(token))) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return [f"{', '.join(set(answers))}", _fetches(server.calls()), _counted(lines)]


def _configure(url: str) -> list[str]:
    try:
        JWKS(url, allow_http_loopback=True)
    except ConfigurationError:
        return ["`ConfigurationError` when the app is made", "0 fetches", _counted([])]
    raise AssertionError(url)


STORIES: dict[str, Callable[[Issuer], list[str]]] = {
    "down for a day, after the keys were fetched": down_for_a_day,
    "well, and 1 000 tokens with invented key ids come": lambda issuer: unknown_ids(issuer, up=True),
    "down, and 1 000 tokens with invented key ids come": lambda issuer: unknown_ids(issuer, up=False),
    "well, and 32 threads bring the first tokens at once": first_burst,
    "publishing a new key": rotation,
    "withdrawing a key": withdrawal,
    "configured as `http://`, `file:` or with a password": lambda issuer: next(
        refusal
        for refusal in [
            _configure(url) for url in ("http://id.example.com/k", "file:///k", "https://u:p@id.example.com/k")
        ]
        if refusal
    ),
}
