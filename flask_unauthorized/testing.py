"""For the tests of apps: is this answer sound, is it the refusal that was meant, and a client that is logged in."""

from collections.abc import Iterable
from types import EllipsisType
from typing import Any, Final

from flask import Flask, request_started
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .identity import Identity
from .runtime.app_state import state_of
from .runtime.context import real_request, state_for
from .wire import Challenge
from .wire.soundness import examine

_ACTING: Final = "flask_unauthorized.acting_as"  # no header becomes such a key (PEP 3333), so no client can send it


def assert_sound(
    response: TestResponse, *, schemes: Iterable[str] | None = None, secrets: Iterable[str] = ()
) -> tuple[Challenge, ...]:
    """Fails where an answer breaks a rule that holds for every answer; returns its challenges.

    - 401 has at least one challenge, all of them parse, ``realm`` is quoted, the names are spelled as registered
      (RFC 9110 §11.6.1), and Basic, Bearer, Digest and DPoP hold the rules of their RFCs: the guard repairs other
      code's answers by the same rule (``wire/soundness.py``);
    - ``error`` fits the status (RFC 6750 §3.1), every value is printable ASCII;
    - an answer with a challenge, a 401 and a 503 of ours are ``no-store``; a 503 has no challenge;
    - none of ``secrets`` is in the body or in a header.

    ``schemes``, where given, are the names of exactly those schemes that must be offered. Takes what Flask's test
    client returns. Raises `AssertionError` that says what is wrong and shows the lines.
    """
    lines = response.headers.getlist("WWW-Authenticate")
    configured = {name.lower() for name in schemes or ()}
    examined = [examine(line, response.status_code, configured) for line in lines]
    challenges = tuple(challenge for found in examined for challenge in found.challenges)
    shown = f"{response.status}, WWW-Authenticate: {lines}"
    problems = [problem for found in examined for problem in found.problems]
    _check(not problems, "; ".join(problems), shown)
    _check(bool(challenges) or response.status_code != 401, "a 401 without a challenge", shown)
    _check(not challenges or response.status_code != 503, "a 503 with a challenge", shown)
    if schemes is not None:
        offered = {challenge.scheme.lower() for challenge in challenges}
        _check(offered == configured, f"the schemes are not {sorted(configured)}", shown)
    if challenges or response.status_code == 401:
        caching = response.headers.getlist("Cache-Control")
        _check("no-store" in ",".join(caching), f"Cache-Control is {caching}, not no-store", shown)
    everything = str(response.headers).encode() + response.get_data()
    for secret in secrets:
        _check(secret.encode() not in everything, "a secret is in the answer", response.status)
    return challenges


def assert_unauthorized(
    response: TestResponse, *, scheme: str | None = None, error: str | EllipsisType | None = ...
) -> Challenge:
    """Fails unless the answer is a sound 401 that offers ``scheme``; returns that challenge (the first, if not given).

    ``error`` is the OAuth code that the challenge must have, ``None`` for none; not checked where it isn't given.
    """
    challenges = assert_sound(response)
    shown = f"{response.status}, WWW-Authenticate: {response.headers.getlist('WWW-Authenticate')}"
    _check(response.status_code == 401, "not a 401", shown)
    found = [one for one in challenges if scheme is None or one.scheme.lower() == scheme.lower()]
    _check(bool(found), f"no challenge of the scheme {scheme}", shown)
    if error is not ...:
        found = [one for one in found if one.get("error") == error]
        _check(bool(found), f"no such challenge with error={error!r}", shown)
    return found[0]


def acting_as(app: Flask, identity: Identity | str) -> FlaskClient:
    """A test client whose requests come from ``identity`` (a `str` is its subject), without credentials.

    Everything else is judged as ever: scopes, roles, ``acr``, ``max_age``. Where a request does send credentials, they
    decide. `Auth.scheme` is the first scheme in force. Raises `RuntimeError` unless ``app.testing``, `TypeError` for
    another identity.
    """
    state_of(app)
    _check_testing(app)
    who = Identity(identity) if isinstance(identity, str) else identity
    if not isinstance(who, Identity):
        raise TypeError(f"acting_as takes an Identity or a subject, not {who!r}: wrap it, Identity(user=...)")
    request_started.connect(_begin, app)
    client = app.test_client()
    client.environ_base[_ACTING] = who  # type: ignore[assignment]  # an environ holds anything, not only str
    return client


def _begin(app: Flask, **_: Any) -> None:
    request = real_request()
    identity = request.environ.get(_ACTING)
    if identity is not None:
        _check_testing(app)
        state_for(request).acting = identity


def _check_testing(app: Flask) -> None:
    if not app.testing:
        raise RuntimeError(
            f"acting_as() is for tests: the app {app.name!r} has app.testing off: set app.testing = True"
        )


def _check(holds: bool, problem: str, shown: str) -> None:
    if not holds:
        raise AssertionError(f"{problem} ({shown})")
