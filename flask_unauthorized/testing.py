"""Check responses against the RFCs, and send requests as a user, in the tests of an app.

- `assert_unauthorized`: the response is a valid 401 that offers a scheme.
- `assert_forbidden`: the response is a valid 403.
- `assert_challenge`: which schemes and parameters the response offers.
- `assert_sound`: any response keeps the rules of HTTP authentication.
- `assert_all_guarded`: no route of an app is open by accident.
- `acting_as`: a test client whose requests come from a caller of your choice, without credentials.

Responses may come from Flask's test client, httpx, requests, urllib3, Django's client or Starlette's.
"""

from collections.abc import Collection, Iterable
from types import EllipsisType
from typing import Any, Final

from flask import Flask, request_started
from flask.testing import FlaskClient

from .identity import Identity
from .lint.exchange import Exchange
from .lint.responses import exchange_of
from .policy.routes import Route
from .runtime.app_state import app_state_of
from .runtime.request_state import real_request, state_for
from .wire import Challenge
from .wire.soundness import examine

__tracebackhide__: Final = True
"""pytest leaves the frames of this module out, so that a failure shows the line of the test."""
_IDENTITY_KEY: Final = "flask_unauthorized.acting_as"
"""The environ's key for the identity. No client can set it, because fields become keys such as ``HTTP_X`` only."""


def assert_sound(
    response: Any, *, schemes: Iterable[str] | None = None, secrets: Iterable[str] = ()
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
        response: What a test client returns.
        schemes: The names of exactly those schemes that must be offered. Default: any.
        secrets: Values that must not be in the response.

    Returns:
        The challenges, in the order of the response.

    Raises:
        AssertionError: If a rule is broken. The message says which one, and shows the header lines.
    """
    wanted = {name.lower() for name in schemes or ()}
    exchange = exchange_of(response)
    challenges: list[Challenge] = []
    problems: list[str] = []
    for line in exchange.lines("www-authenticate"):
        found = examine(line, exchange.status, wanted)
        challenges += found.challenges
        problems += found.problems
    shown = _status_and_challenges(exchange)
    _check(not problems, "; ".join(problems), shown)
    if exchange.status == 401:
        _check(bool(challenges), "a 401 without a challenge", shown)
    if exchange.status == 503:
        _check(not challenges, "a 503 with a challenge", shown)
    offered = {challenge.scheme.lower() for challenge in challenges}
    _check(schemes is None or offered == wanted, f"the schemes are not {sorted(wanted)}", shown)
    if challenges:
        caching = exchange.lines("cache-control")
        _check("no-store" in ",".join(caching), f"Cache-Control is {caching}, not no-store", shown)
    everything = "\n".join(f"{name}: {value}" for name, value in exchange.fields).encode() + (exchange.body or b"")
    leaked = any(secret.encode() in everything for secret in secrets)
    _check(not leaked, "a secret is in the response", str(exchange.status))
    return tuple(challenges)


def assert_unauthorized(
    response: Any, *, scheme: str | None = None, error: str | EllipsisType | None = ...
) -> Challenge:
    """Check that a response is a valid 401 that offers a scheme.

    Example:
        Check that a wrong token is called invalid::

            from flask_unauthorized.testing import assert_unauthorized

            def test_a_wrong_token_is_refused():
                response = app.test_client().get("/private", headers={"Authorization": "Bearer wrong"})
                assert_unauthorized(response, scheme="Bearer", error="invalid_token")

    Args:
        response: What a test client returns.
        scheme: The name of the scheme, in any case. Default: any.
        error: The OAuth code that the challenge must have, such as ``"invalid_token"``, or ``None`` for a challenge
            without a code. Default: not checked.

    Returns:
        The first challenge with this scheme and code.

    Raises:
        AssertionError: If the response is not a valid 401 (see `assert_sound`), or has no such challenge.
    """
    challenges = assert_sound(response)
    exchange = exchange_of(response)
    shown = _status_and_challenges(exchange)
    _check(exchange.status == 401, "not a 401", shown)
    found = [one for one in challenges if scheme is None or one.scheme.lower() == scheme.lower()]
    _check(bool(found), f"no challenge of the scheme {scheme}", shown)
    if error is not ...:
        found = [one for one in found if one.get("error") == error]
        _check(bool(found), f"no such challenge with error={error!r}", shown)
    return found[0]


def assert_forbidden(response: Any, *, scopes: Collection[str] | None = None) -> tuple[Challenge, ...]:
    """Check that a response is a valid 403: the caller is known, and may not do this.

    Example:
        Check that reading isn't enough for deleting::

            from flask_unauthorized.testing import acting_as, assert_forbidden

            @app.get("/admin")
            @auth.login_required(roles={"admin"})
            def admin():
                return "admin"

            def test_users_are_no_admins():
                assert_forbidden(acting_as(app, "ada").get("/admin"))

    Args:
        response: What a test client returns.
        scopes: The scopes that a challenge must name as needed, exactly. Default: not checked. Requests of `acting_as`
            have no credentials, so their 403 has no challenge: send a token to check this.

    Returns:
        The challenges. A 403 may have none.

    Raises:
        AssertionError: If the response is not a valid 403 (see `assert_sound`), or names other scopes.
    """
    challenges = assert_sound(response)
    exchange = exchange_of(response)
    shown = _status_and_challenges(exchange)
    _check(exchange.status == 403, "not a 403", shown)
    if scopes is not None:
        wanted = {scopes} if isinstance(scopes, str) else set(scopes)
        named = [
            set((one.get("scope") or "").split()) for one in challenges if one.get("error") == "insufficient_scope"
        ]
        _check(wanted in named, f"no challenge asks for the scopes {sorted(wanted)}", shown)
    return challenges


class OfferedChallenges:
    """The challenges of a response, as `assert_challenge` returns them."""

    def __init__(self, challenges: tuple[Challenge, ...], shown: str) -> None:
        self.challenges = challenges
        self._shown = shown

    def offers(self, scheme: str, **params: str | Collection[str] | EllipsisType | None) -> "OfferedChallenges":
        """Check that there is a challenge of a scheme with these parameters. Return this object, for another check.

        Args:
            scheme: The name of the scheme, in any case.
            **params: The value that each parameter must have. A set is compared word by word, in any order: for
                ``scope``. ``...`` stands for any value, and ``None`` for a parameter that must not be there.

        Raises:
            AssertionError: If there is no such challenge. The message shows the lines of the response.
        """
        of_scheme = [one for one in self.challenges if one.scheme.lower() == scheme.lower()]
        _check(bool(of_scheme), f"no challenge of the scheme {scheme}", self._shown)
        fitting = any(all(_fits(one.get(name), value) for name, value in params.items()) for one in of_scheme)
        _check(fitting, f"no challenge of the scheme {scheme} with {params}", self._shown)
        return self


def _fits(sent: str | None, wanted: str | Collection[str] | EllipsisType | None) -> bool:
    if wanted is None or sent is None:
        return wanted is None and sent is None
    if isinstance(wanted, EllipsisType):
        return True
    return sent == wanted if isinstance(wanted, str) else set(sent.split()) == set(wanted)


def assert_challenge(response: Any) -> OfferedChallenges:
    """Check that a response has a valid challenge; return all for further checks.

    Example:
        Check what a refusal asks for::

            from flask_unauthorized.testing import assert_challenge

            def test_what_is_asked_for():
                response = app.test_client().get("/private")
                assert_challenge(response).offers("Bearer", realm="notes", error=None)

    Args:
        response: What a test client returns, with any status.

    Raises:
        AssertionError: If the response has no challenge or an invalid one (see `assert_sound`).
    """
    challenges = assert_sound(response)
    shown = _status_and_challenges(exchange_of(response))
    _check(bool(challenges), "no challenge", shown)
    return OfferedChallenges(challenges, shown)


def assert_all_guarded(app: Flask, *, except_: Iterable[str] = ()) -> None:
    """Check that all routes refuse anonymous callers, except those that you name.

    The check reads the table of routes (`Auth.routes`). It sends no request. Routes that are optional, public or
    conditional must be named as well, so that each open door stands in the test.

    Example:
        Fail the test if a new route is open::

            from flask_unauthorized.testing import assert_all_guarded

            def test_nothing_is_open_by_accident():
                assert_all_guarded(app, except_={"/login", "static"})

    Args:
        app: The app.
        except_: Rules (``"/notes/<int:id>"``) or endpoints (``"shop.login"``) that may be open. A mapping of names to
            reasons does as well.

    Raises:
        AssertionError: If another route isn't guarded, or if a name fits no such route.
        ConfigurationError: If no `Auth` serves the app.
    """
    allowed = {except_} if isinstance(except_, str) else set(except_)
    routes = [one for one in app_state_of(app).routes() if one.kind not in ("redirect", "build_only")]
    not_guarded = [one for one in routes if one.state != "guarded"]
    found = [_described(one) for one in not_guarded if not allowed & {one.rule, one.endpoint}]
    if found:
        raise AssertionError(
            "these routes aren't guarded: "
            + ", ".join(found)
            + ". Guard them with @auth.login_required, or name their rules or endpoints in except_"
        )
    unused = allowed - {name for one in not_guarded for name in (one.rule, one.endpoint)}
    if unused:
        raise AssertionError(
            f"except_ names {sorted(unused)}, but no route that isn't guarded has this rule or endpoint"
        )


def _described(route: Route) -> str:
    methods = ",".join(sorted(route.methods)) or "any method"
    because = f", {route.because}" if route.because else ""
    return f"{methods} {route.rule} (endpoint {route.endpoint}: {route.state}{because})"


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


def _status_and_challenges(exchange: Exchange) -> str:
    return f"{exchange.status}, WWW-Authenticate: {exchange.lines('www-authenticate')}"


def _check(holds: bool, problem: str, shown: str) -> None:
    if not holds:
        raise AssertionError(f"{problem} ({shown})")
