"""Check responses against the RFCs, and send requests as a user, in the tests of an app.

- `assert_unauthorized`: the response is a valid 401 that offers a scheme.
- `assert_sound`: any response keeps the rules of HTTP authentication.
- `acting_as`: a test client whose requests come from a caller of your choice, without credentials.
"""

from collections.abc import Iterable
from types import EllipsisType
from typing import Final

from flask import Flask, request_started
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .identity import Identity
from .runtime.app_state import app_state_of
from .runtime.request_state import real_request, state_for
from .wire import Challenge
from .wire.soundness import examine

_IDENTITY_KEY: Final = "flask_unauthorized.acting_as"
"""The environ's key for the identity. No client can set it, because fields become keys such as ``HTTP_X`` only."""


def assert_sound(
    response: TestResponse, *, schemes: Iterable[str] | None = None, secrets: Iterable[str] = ()
) -> tuple[Challenge, ...]:
    """Check that a response keeps the rules of HTTP authentication.

    - A 401 has at least one challenge. All challenges parse, ``realm`` is quoted, and schemes are spelled as registered
      (RFC 9110 §11.6.1). Challenges of Basic, Bearer, Digest and DPoP keep the rules of their RFCs.
    - ``error`` fits the status (RFC 6750 §3.1), and every value is printable ASCII.
    - A response with a challenge, and every 401, is ``no-store``.
    - A 503 has no challenge.
    - None of ``secrets`` is in the body or in a header.

    The extension repairs challenges of other code by the same rules (``wire/soundness.py``).

    Example:
        Check the refusal of any view::

            from flask_unauthorized.testing import assert_sound

            def test_the_refusal():
                challenges = assert_sound(app.test_client().get("/private"), schemes={"Bearer", "Cookie"})
                assert challenges[0].scheme == "Bearer"

    Args:
        response: What Flask's test client returns.
        schemes: The names of exactly those schemes that must be offered. Default: any.
        secrets: Values that must not be in the response.

    Returns:
        The challenges, in the order of the response.

    Raises:
        AssertionError: If a rule is broken. The message says which one, and shows the header lines.
    """
    wanted = {name.lower() for name in schemes or ()}
    challenges: list[Challenge] = []
    problems: list[str] = []
    for line in response.headers.getlist("WWW-Authenticate"):
        found = examine(line, response.status_code, wanted)
        challenges += found.challenges
        problems += found.problems
    shown = _status_and_challenges(response)
    _check(not problems, "; ".join(problems), shown)
    if response.status_code == 401:
        _check(bool(challenges), "a 401 without a challenge", shown)
    if response.status_code == 503:
        _check(not challenges, "a 503 with a challenge", shown)
    offered = {challenge.scheme.lower() for challenge in challenges}
    _check(schemes is None or offered == wanted, f"the schemes are not {sorted(wanted)}", shown)
    if challenges:
        caching = response.headers.getlist("Cache-Control")
        _check("no-store" in ",".join(caching), f"Cache-Control is {caching}, not no-store", shown)
    everything = str(response.headers).encode() + response.get_data()
    leaked = any(secret.encode() in everything for secret in secrets)
    _check(not leaked, "a secret is in the response", response.status)
    return tuple(challenges)


def assert_unauthorized(
    response: TestResponse, *, scheme: str | None = None, error: str | EllipsisType | None = ...
) -> Challenge:
    """Check that a response is a valid 401 that offers a scheme.

    Example:
        Check that a wrong token is called invalid::

            from flask_unauthorized.testing import assert_unauthorized

            def test_a_wrong_token_is_refused():
                response = app.test_client().get("/private", headers={"Authorization": "Bearer wrong"})
                assert_unauthorized(response, scheme="Bearer", error="invalid_token")

    Args:
        response: What Flask's test client returns.
        scheme: The name of the scheme, in any case. Default: any.
        error: The OAuth code that the challenge must have, such as ``"invalid_token"``, or ``None`` for a challenge
            without a code. Default: not checked.

    Returns:
        The first challenge with this scheme and code.

    Raises:
        AssertionError: If the response is not a valid 401 (see `assert_sound`), or has no such challenge.
    """
    challenges = assert_sound(response)
    shown = _status_and_challenges(response)
    _check(response.status_code == 401, "not a 401", shown)
    found = [one for one in challenges if scheme is None or one.scheme.lower() == scheme.lower()]
    _check(bool(found), f"no challenge of the scheme {scheme}", shown)
    if error is not ...:
        found = [one for one in found if one.get("error") == error]
        _check(bool(found), f"no such challenge with error={error!r}", shown)
    return found[0]


def acting_as(app: Flask, identity: Identity | str) -> FlaskClient:
    """Return a test client whose requests come from an identity, without credentials.

    Demands are judged as for every caller: scopes, roles, ``acr``, ``max_age``. If a request sends credentials, these
    decide. `Auth.scheme` is the first scheme that the view accepts.

    Example:
        Test a view as a caller of your choice::

            from flask_unauthorized import Identity
            from flask_unauthorized.testing import acting_as

            def test_the_private_page():
                client = acting_as(app, Identity("ada", scopes={"notes:read"}))
                assert client.get("/private").status_code == 200

    Args:
        app: The app. ``app.testing`` must be true, here and when the client sends a request.
        identity: The caller, or the subject of one without scopes and roles.

    Raises:
        ConfigurationError: If no `Auth` serves the app.
        RuntimeError: If ``app.testing`` is false.
        TypeError: If ``identity`` is something else.
    """
    app_state_of(app)
    _check_testing(app)
    caller = Identity(identity) if isinstance(identity, str) else identity
    if not isinstance(caller, Identity):
        raise TypeError(f"acting_as takes an Identity or a subject, not {caller!r}: wrap it, Identity(user=...)")
    request_started.connect(_set_test_identity, app)
    client = app.test_client()
    client.environ_base[_IDENTITY_KEY] = caller  # type: ignore[assignment]  # an environ holds any value
    return client


def _set_test_identity(app: Flask, **_: object) -> None:
    request = real_request()
    identity = request.environ.get(_IDENTITY_KEY)
    if identity is not None:
        _check_testing(app)
        state_for(request).test_identity = identity


def _check_testing(app: Flask) -> None:
    if not app.testing:
        raise RuntimeError(
            f"acting_as() is for tests: the app {app.name!r} has app.testing off: set app.testing = True"
        )


def _status_and_challenges(response: TestResponse) -> str:
    return f"{response.status}, WWW-Authenticate: {response.headers.getlist('WWW-Authenticate')}"


def _check(holds: bool, problem: str, shown: str) -> None:
    if not holds:
        raise AssertionError(f"{problem} ({shown})")
