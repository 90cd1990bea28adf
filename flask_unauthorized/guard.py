"""The guard, the third net: no 401 leaves the app without a challenge, and no refusal loses its headers."""

import os
import socket
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Final

from flask import Request, Response
from werkzeug.exceptions import HTTPException

from . import signals
from .app_state import EXTENSION, AppState
from .context import STATE, authenticate, plan_in_force, real_app, real_request, state_for
from .errors import AuthError, ConfigurationError
from .judge import State, log
from .plan import Plan
from .schemes.browsers import is_script
from .wire import Challenge, GrammarError, parse_challenges

MAX_DRAIN: Final = 1024 * 1024
"""Most bytes of an unread body that are read and dropped after a refusal, so that keep-alive clients survive."""

MAX_DRAIN_SECONDS: Final = 2.0
"""Longest time that reading it may take; a client that sends nothing would hold the worker as long as it likes."""
# Other servers have read the body by now, or have a limit of their own.
_SOCKETS: Final = ("gunicorn.socket", "werkzeug.socket")

_CHALLENGES = "WWW-Authenticate"
_EXPOSED = (_CHALLENGES, "DPoP-Nonce", "Retry-After")


def guard(response: Response) -> Response:
    """The last ``after_request`` function. Returns at once where there is nothing to do."""
    request = real_request()
    state: State | None = getattr(request, STATE, None)
    status = response.status_code
    if state is None or state.met is None:
        response = _backstop(response, status, request)
        status, state = response.status_code, getattr(request, STATE, None)
    if status != 401:
        if state is None:
            return response
        plan = state.plan
        if state.refused is None and (plan is None or state.scheme in plan.quiet):
            return response
    elif state is None:
        state = state_for(request)
    _finish(response, status, request, state)
    return response


def _backstop(response: Response, status: int, request: Request) -> Response:
    """A refusal in place of what a guarded endpoint answered although nobody judged the request.

    That is an answer of a ``before_request`` function of the app, which passes, or of a view that was put into
    ``app.view_functions`` while the app serves, in place of the guarded one.
    """
    endpoint = request.endpoint
    if endpoint is None or not (200 <= status < 300 or status == 304):
        return response
    app = real_app()
    app_state: AppState = app.extensions[EXTENSION]
    dispatched = app_state.dispatched.get(endpoint)
    if dispatched is None or app.view_functions.get(endpoint) is dispatched:
        return response
    state = state_for(request)
    plan = app_state.plan(endpoint, None, request.method)
    if state.has_met(plan) or app_state.effective(endpoint, request.method) is None:
        return response
    try:
        authenticate(plan, request, state)
    except AuthError as error:
        response.close()
        refusal: Response = app.make_response(app.handle_user_exception(error))
        return refusal
    return response


def _finish(response: Response, status: int, request: Request, state: State) -> None:
    refused = state.refused is not None and state.refused[0] == status
    intact = refused and list(iter(response.headers)) == state.sent  # nobody touched what we rendered
    if not intact:
        _mend(response, status, request, state, refused)
    if (refused or status == 401) and request.environ.get("CONTENT_LENGTH"):
        _drain(request)
    tried = state.tried
    if tried is not None and tried.responds():
        tried.respond(response, state.scheme is tried and not refused)
    if not intact:
        _expose(response)


def _mend(response: Response, status: int, request: Request, state: State, refused: bool) -> None:
    plan = plan_in_force(request, state)
    if refused:
        _restore(response, state, plan)
    if status == 401 and not (refused and response.headers.getlist(_CHALLENGES)):
        _repair(response, request, state, plan)
    if state.unshared:
        no_store(response)
    if (refused or status == 401) and response.headers.getlist("Cache-Control") != ["no-store"]:
        response.headers["Cache-Control"] = "no-store"
    _vary(response, state, plan, refused or status == 401)


def no_store(response: Response) -> Response:
    """Keeps an answer for its receiver alone, for ``Set-Cookie`` doesn't (RFC 9111 §7.3)."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _restore(response: Response, state: State, plan: Plan) -> None:
    """Puts the recorded headers back; challenges that others added stay if their scheme is in force.

    Where the error isn't ours, what its maker or a handler says of challenges goes before what was recorded.
    """
    assert state.refused is not None
    lines = [value for name, value in state.refused[1] if name == _CHALLENGES]
    given = response.headers.getlist(_CHALLENGES)
    if state.foreign:
        _set_lines(response, _sound(given) or _sound(lines))
    if state.foreign or given == lines:
        _put_back(response, state)
        return
    own = [challenge for line in lines for challenge in parse_challenges(line)]
    foreign = _parsed(given)
    lines += (str(challenge) for challenge in foreign if challenge not in own and _fits(challenge, own, plan))
    _set_lines(response, lines)
    _put_back(response, state)


def _put_back(response: Response, state: State) -> None:
    assert state.refused is not None
    for name, value in state.refused[1]:
        if name != _CHALLENGES and name not in response.headers:
            response.headers[name] = value


def _fits(challenge: Challenge, own: Iterable[Challenge], plan: Plan) -> bool:
    """Whether a foreign challenge names a scheme in force, and not with another realm than ours."""
    name = challenge.scheme.lower()
    if name not in {scheme.name.lower() for scheme in plan.schemes}:
        return False
    return all(challenge.get("realm") == ours.get("realm") for ours in own if ours.scheme.lower() == name)


def _repair(response: Response, request: Request, state: State, plan: Plan) -> None:
    """A 401 that we didn't make: what parses stays; where nothing is left, the challenges in force are added."""
    lines = response.headers.getlist(_CHALLENGES)
    sound = _sound(lines)
    if sound:
        if len(sound) != len(lines):
            _set_lines(response, sound)
        return
    if state.app.settings.guard == "strict":
        raise ConfigurationError(
            f"endpoint {request.endpoint!r} answered 401 without a challenge (RFC 9110 §15.5.2): call "
            "abort_unauthorized() instead; UNAUTHORIZED_GUARD='repair' would add one"
        )
    challenges = plan.in_force(None, None, request)
    told = map(str, challenges)
    _set_lines(response, (", ".join(told),) if is_script(request.environ) else told)
    first = request.endpoint not in state.app.repaired
    state.app.repaired.add(request.endpoint)
    tell = log.warning if first else log.debug  # anybody can make many, and one says what there is to do
    tell("repaired a 401 without a challenge, endpoint %s", request.endpoint)
    if signals.repaired.receivers:
        signals.send(signals.repaired, real_app(), endpoint=request.endpoint, challenges=challenges)


def _parsed(lines: Iterable[str]) -> list[Challenge]:
    """The challenges of the lines that follow the grammar and can be sent."""
    found: list[Challenge] = []
    for line in lines:
        try:
            found += parse_challenges(line) if line.isascii() and line.isprintable() else ()
        except GrammarError:
            continue
    return found


def _sound(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if _parsed([line])]


def _set_lines(response: Response, lines: Iterable[str]) -> None:
    response.headers.remove(_CHALLENGES)
    for line in lines:
        response.headers.add(_CHALLENGES, line)


def _vary(response: Response, state: State, plan: Plan, refusal: bool) -> None:
    """Names what the answer depended on, and keeps shared caches out where Authorization doesn't (RFC 9110 §16.4.2)."""
    scheme = state.scheme
    carried_elsewhere = scheme is not None and any(where != "authorization" for where, _ in scheme.reads)
    depends = carried_elsewhere or (scheme is not None and bool(scheme.varies))
    if refusal or state.refused is not None:
        _add_vary(response, plan.refused_vary)
    elif plan.optional or depends:
        _add_vary(response, plan.vary)
    if carried_elsewhere and not refusal:
        _keep_private(response)


def _add_vary(response: Response, names: tuple[str, ...]) -> None:
    given = ", ".join(response.headers.getlist("Vary"))
    if not given and names:
        response.headers["Vary"] = ", ".join(names)
    elif given:
        known = {name.strip().lower() for name in given.split(",")}
        added = [name for name in names if name.lower() not in known]
        if added and "*" not in known:
            response.headers["Vary"] = ", ".join([given, *added])


def _keep_private(response: Response) -> None:
    if not response.headers.getlist("Cache-Control"):
        response.headers["Cache-Control"] = "private"  # the usual case, at a fifth of the price
        return
    cache = response.cache_control
    if cache.no_store:
        return
    cache.public = False
    cache.pop("s-maxage", None)
    if not cache.private:
        cache.private = True  # Werkzeug prints a bare "private" for it


def _expose(response: Response) -> None:
    """Lets a script of another origin read our fields, where the app allows it to read anything."""
    headers = response.headers
    if not headers.getlist("Access-Control-Allow-Origin"):
        return
    exposed = [name.strip() for name in headers.get("Access-Control-Expose-Headers", "").split(",") if name.strip()]
    known = {name.lower() for name in exposed}
    missing = [name for name in _EXPOSED if name in headers and name.lower() not in known]
    if missing:
        headers["Access-Control-Expose-Headers"] = ", ".join(exposed + missing)


def _drain(request: Request) -> None:
    """Reads and drops a declared body: a client in the middle of sending it would see a reset, not our answer.

    Not with ``Expect: 100-continue``: there the client waits for us, and reading would ask it to send.
    """
    declared = request.content_length
    if not declared or request.headers.get("Expect", "").lower() == "100-continue":
        return
    left = min(declared, MAX_DRAIN)
    connection = next((request.environ[name] for name in _SOCKETS if name in request.environ), None)
    alarm = threading.Timer(MAX_DRAIN_SECONDS, _stop_reading, (connection,))
    alarm.daemon = True
    if connection is not None:
        alarm.start()
    try:
        while left > 0:
            chunk = request.stream.read(min(left, 65536))
            if not chunk:
                return
            left -= len(chunk)
    except (HTTPException, OSError, ValueError, RuntimeError):
        # Too large for the app's limit, gone, or closed: the answer is ready all the same.
        return
    finally:
        alarm.cancel()


def _stop_reading(connection: Any) -> None:
    """Ends what is being read, and leaves open what is being written: by a copy, for TLS would lose both."""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(connection.fileno())) as copy:
        copy.shutdown(socket.SHUT_RD)
