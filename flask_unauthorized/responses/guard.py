"""The guard, the third net: no 401 leaves the app without a challenge, and no refusal loses its headers."""

from collections.abc import Iterable
from typing import Final

from flask import Request, Response

from .. import signals
from ..authentication.authenticate import State, log
from ..errors import AuthError, ConfigurationError
from ..policy.plan import Plan
from ..rendering.headers import (
    CHALLENGE_FIELD,
    add_vary,
    expose_to_scripts,
    keep_out_of_shared_caches,
    no_store,
    set_challenge_lines,
)
from ..runtime.app_state import EXTENSION, AppState
from ..runtime.context import STATE, authenticate, plan_in_force, real_app, real_request, state_for
from ..runtime.flask_compat import handled_response
from ..wire import Challenge, parse_challenges
from ..wire.fetch_metadata import is_script
from ..wire.soundness import examine
from .drain import drain, has_body

_VALIDATORS: Final = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range")
"""Fields of hooks that say how a body can be asked for again, which no refusal can (RFC 9110 §13.2.1)."""
_PROTECTING: Final = ("Content-Security-Policy", "X-Content-Type-Options")
_USUAL: Final = frozenset({"Content-Type", "Content-Length", "Location", "Vary"})
"""Fields that most answers have: their names need no closer look."""


def guard(response: Response) -> Response:
    """The last ``after_request`` function. Returns at once where there is nothing to do."""
    request = real_request()
    state: State | None = getattr(request, STATE, None)
    status = response.status_code
    if (state is None or state.met is None) and (200 <= status < 300 or status == 304):
        response = _backstop(response, request)
        status, state = response.status_code, getattr(request, STATE, None)
    if status != 401:
        if state is None:
            return response
        plan = state.plan
        if plan is None and state.refused is None and state.quiet is not None:
            _name_what_was_asked(response, request, state)
        if state.refused is None and (plan is None or state.scheme in plan.quiet):
            if state.scheme is not None and not state.shared:
                for name, _ in response.headers:
                    if name not in _USUAL and name.lower() == "cache-control":
                        keep_out_of_shared_caches(response, always=False)
                        break
            return response
    elif state is None:
        state = state_for(request)
    _finish(response, status, request, state)
    return response


def _backstop(response: Response, request: Request) -> Response:
    """A refusal in place of what a guarded endpoint answered although nobody judged the request.

    That is an answer of a ``before_request`` function of the app, which passes, or of a view that was put into
    ``app.view_functions`` while the app serves, in place of the guarded one.
    """
    endpoint = request.endpoint
    if endpoint is None:
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
        return handled_response(app, error)
    return response


def _finish(response: Response, status: int, request: Request, state: State) -> None:
    refused = state.refused is not None and state.refused[0] == status
    intact = refused and list(iter(response.headers)) == state.sent  # nobody touched what we rendered
    if not intact:
        _mend(response, status, request, state, refused)
    if (refused or status == 401) and has_body(request.environ):
        drain(request, response)
    tried = state.tried
    if tried is not None and tried.responds():
        tried.respond(response, state.scheme is tried and not refused)
    if not intact:
        expose_to_scripts(response)


def _mend(response: Response, status: int, request: Request, state: State, refused: bool) -> None:
    plan = plan_in_force(request, state)
    refusal = refused or status == 401
    if refused:
        _restore(response, state, plan)
    if status == 401 and (not refused or state.foreign or not response.headers.getlist(CHALLENGE_FIELD)):
        _repair(response, request, state, plan)
    if refusal:
        _join(response, request, state)
        _restore_page(response, state)
    if state.unshared:
        no_store(response)
    if refusal and response.headers.getlist("Cache-Control") != ["no-store"]:
        response.headers["Cache-Control"] = "no-store"
    if refusal or (state.unshared and state.refused is not None):  # the latter is the way to the login page
        for name in _VALIDATORS:
            response.headers.remove(name)
    _vary(response, state, plan, refusal)


def _restore(response: Response, state: State, plan: Plan) -> None:
    """Puts the recorded headers back; challenges that others added stay if their scheme is in force.

    Where the error isn't ours, what its maker or a handler says of challenges goes before what was recorded.
    """
    assert state.refused is not None
    status, recorded = state.refused
    lines = [value for name, value in recorded if name == CHALLENGE_FIELD]
    given = response.headers.getlist(CHALLENGE_FIELD)
    if state.foreign:
        set_challenge_lines(response, _sound(given, status, state)[0] or lines)
    elif given != lines:
        own = [challenge for line in lines for challenge in parse_challenges(line)]
        foreign = _sound(given, status, state)[1]
        lines += (str(challenge) for challenge in foreign if challenge not in own and _fits(challenge, own, plan))
        set_challenge_lines(response, lines)
    for name, value in recorded:
        if name != CHALLENGE_FIELD and name not in response.headers:
            response.headers[name] = value


def _fits(challenge: Challenge, own: Iterable[Challenge], plan: Plan) -> bool:
    """Whether a foreign challenge names a scheme in force, and not with another realm than ours."""
    name = challenge.scheme.lower()
    if name not in {scheme.name.lower() for scheme in plan.schemes}:
        return False
    return all(challenge.get("realm") == ours.get("realm") for ours in own if ours.scheme.lower() == name)


def _repair(response: Response, request: Request, state: State, plan: Plan) -> None:
    """Completes a 401 that we didn't make: its sound challenges stay.

    Ours are added where none is left, or where the view is guarded and none names a scheme that it takes.
    """
    given = response.headers.getlist(CHALLENGE_FIELD)
    sound, challenges = _sound(given, 401, state)
    if sound and (not _is_guarded(request, state) or _names_one(challenges, plan)):
        if sound != given:
            set_challenge_lines(response, sound)
        return
    if state.app.settings.guard == "strict":
        what = "only with challenges that it doesn't take" if sound else "without a challenge"
        raise ConfigurationError(
            f"endpoint {request.endpoint!r} answered 401 {what} (RFC 9110 §15.5.2): call "
            "abort_unauthorized() instead; UNAUTHORIZED_GUARD='repair' would add one"
        )
    added = plan.in_force(None, None, request)
    set_challenge_lines(response, (*map(str, added), *sound))
    first = request.endpoint not in state.app.repaired
    state.app.repaired.add(request.endpoint)
    tell = log.warning if first else log.debug  # anybody can make many, and one says what there is to do
    tell("repaired a 401 without a challenge, endpoint %s", request.endpoint)
    if signals.repaired.receivers:
        signals.send(signals.repaired, real_app(), endpoint=request.endpoint, challenges=added)


def _is_guarded(request: Request, state: State) -> bool:
    """Whether the view demands a caller, or the caller of this request was asked for."""
    endpoint = request.endpoint
    return state.met is not None or (endpoint is not None and state.app.effective(endpoint, request.method) is not None)


def _names_one(challenges: Iterable[Challenge], plan: Plan) -> bool:
    names = {scheme.name.lower() for scheme in plan.schemes}.union(map(str.lower, plan.by_name))
    return any(challenge.scheme.lower() in names for challenge in challenges)


def _sound(lines: Iterable[str], status: int, state: State) -> tuple[list[str], list[Challenge]]:
    """The lines with what may be sent of them, and their challenges. A line without fault stays as it came."""
    configured = {scheme.name.lower() for scheme in state.app.auth.schemes}
    sound: list[str] = []
    challenges: list[Challenge] = []
    for line in lines:
        found = examine(line, status, configured)
        if found.challenges:
            sound.append(", ".join(map(str, found.challenges)) if found.problems else line)
            challenges += found.challenges
    return sound, challenges


def _join(response: Response, request: Request, state: State) -> None:
    """Puts all challenges on one line, where the client or what stands before it would see one of several only."""
    lines = response.headers.getlist(CHALLENGE_FIELD)
    if len(lines) > 1 and (state.app.settings.one_line or is_script(request.environ)):
        set_challenge_lines(response, (", ".join(lines),))


def _restore_page(response: Response, state: State) -> None:
    """Puts back what protects the refusal page where a hook wrote its own, as long as the body is ours.

    Where a hook compressed it, it still is.
    """
    ours = state.page
    if ours is None or response is not ours[0] or state.sent is None:
        return
    if "Content-Encoding" not in response.headers and (not response.is_sequence or response.get_data() != ours[1]):
        return
    for name, value in state.sent:
        if name in _PROTECTING:
            response.headers[name] = value


def _vary(response: Response, state: State, plan: Plan, refusal: bool) -> None:
    """Names what the answer depended on, and keeps shared caches out where Authorization doesn't (RFC 9110 §16.4.2)."""
    scheme = state.scheme
    carried_elsewhere = scheme is not None and any(where != "authorization" for where, _ in scheme.reads)
    depends = carried_elsewhere or (scheme is not None and bool(scheme.varies))
    if refusal or state.refused is not None:
        add_vary(response, plan.refused_vary)
    elif plan.optional or depends:
        add_vary(response, plan.vary)
    if scheme is not None and not refusal and not state.shared:
        keep_out_of_shared_caches(response, always=carried_elsewhere)


def _name_what_was_asked(response: Response, request: Request, state: State) -> None:
    """Says what the answer of a hook depends on, if the hook asked who is calling."""
    add_vary(response, plan_in_force(request, state).vary)
    if state.quiet is not None and state.quiet.identity is not None and not state.shared:
        keep_out_of_shared_caches(response, always=True)
