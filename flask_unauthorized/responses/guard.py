"""The guard, the last ``after_request`` function: no 401 without a challenge, and no refusal without its headers.

Every response passes it, and most leave at once. It acts on:

1. a 2xx or 304 of a guarded endpoint whose view was swapped while the app serves, and that wasn't judged: a refusal
   takes its place (`_refuse_unjudged`);
2. a refusal whose headers a handler or hook has changed: they are restored (`_restore`);
3. a 401 that other code made: its sound challenges stay, and the app's are added if none is left (`_repair`);
4. the response to an identified caller: shared caches are kept out, and ``Vary`` names what it depended on;
5. a streamed response of an open route, whose generator may still ask who is calling: it gets the same.

A refusal that is unchanged since it was rendered needs none of this, so its header lines are compared first. Most are
copies of a ready response.
``UNAUTHORIZED_GUARD`` decides what happens to a 401 without a challenge: ``repair`` adds one, ``strict`` raises for
test suites, ``off`` takes the guard out of the app.
"""

import logging
from collections.abc import Iterable
from typing import Final

from flask import Request, Response

from .. import signals
from ..authentication.identification import carries_credentials
from ..errors import AuthError, ConfigurationError
from ..events import log_event
from ..policy.plan import Plan
from ..rendering.headers import (
    CHALLENGE_FIELD,
    add_vary,
    expose_to_scripts,
    keep_out_of_shared_caches,
    set_challenge_lines,
    set_no_store,
)
from ..runtime.app_state import app_state_of
from ..runtime.dispatch import may_contain_view_output
from ..runtime.flask_compat import handled_response
from ..runtime.refuse import authenticate, plan_in_force
from ..runtime.request_state import (
    RequestState,
    note_response_left,
    real_app,
    real_request,
    state_for,
    state_if_any,
)
from ..schemes.state_access import REQUEST_STATE, RESPONSE_LEFT
from ..wire import Challenge, parse_challenges
from ..wire.fetch_metadata import is_script
from ..wire.soundness import examine
from .drain import drain
from .ready import is_still

_VALIDATORS: Final = ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range")
"""Fields of hooks that say how a body can be asked for again, which no refusal can (RFC 9110 §13.2.1)."""
_PAGE_PROTECTION: Final = ("Content-Security-Policy", "X-Content-Type-Options")
_REFERRER_POLICY: Final = ("Referrer-Policy", "same-origin")
"""Other sites don't learn the URL. With ``no-referrer`` browsers send ``Origin: null`` from forms (Fetch §3.2)."""
_OPENER_POLICY: Final = ("Cross-Origin-Opener-Policy", "same-origin")
_USUAL_FIELDS: Final = frozenset({"Content-Type", "Content-Length", "Location", "Vary"})
"""Fields that most responses have: their names need no closer look."""


def guard(response: Response) -> Response:
    """Return the response, completed if something is missing."""
    request = real_request()
    state: RequestState | None = getattr(request, REQUEST_STATE, None)  # in line, because every response passes here
    if state is None or state.satisfied_plan is None:
        response, state = _check_unjudged(response, request, state)
        if state is None:
            return response
    status = response.status_code
    if status != 401 and state.recorded_refusal is None:
        plan = state.plan
        if plan is None:
            _complete_unjudged(response, request, state)
            return response
        if state.scheme in plan.schemes_without_response_headers:
            if not state.allows_shared_cache:
                for name, _ in response.headers:
                    if name not in _USUAL_FIELDS and name.lower() == "cache-control":
                        keep_out_of_shared_caches(response, always=False)
                        break
            return response
    _complete(response, status, request, state)
    return response


def _check_unjudged(
    response: Response, request: Request, state: RequestState | None
) -> tuple[Response, RequestState | None]:
    """Return the response to a request without an identity; without a state, if there is nothing to complete."""
    if (
        state is not None
        and state.cached_response is not None
        and state.recorded_refusal is not None
        and is_still(response, state.cached_response)
    ):
        _complete_ready(response, request, state)
        return response, None
    if state is None or state.plan is None:  # as in _note_leaving, which most responses of open routes would call
        setattr(request, RESPONSE_LEFT, True)
        if type(response.response) is not list:
            _name_later_questions(response, request)
    status = response.status_code
    if status == 401:
        return response, state_for(request) if state is None else state
    if may_contain_view_output(status):
        response = _refuse_unjudged(response, request)
        state = state_if_any(request)
    return response, state


def _note_leaving(response: Response, request: Request) -> None:
    """Note that the response to a request that wasn't judged leaves now."""
    note_response_left(request)
    if type(response.response) is not list:
        _name_later_questions(response, request)


def _name_later_questions(response: Response, request: Request) -> None:
    """Complete a streamed response, whose generator may ask who is calling when the headers have left.

    A file doesn't ask, and an error page of known length doesn't either: Flask runs each `HTTPException` without a
    handler as a WSGI application, so its page looks streamed. A request that carries no credentials has no caller.
    """
    app = real_app()
    app_state = app_state_of(app)
    if not response.is_streamed or response.direct_passthrough or not app_state.ready:
        return
    if response.status_code >= 400 and "Content-Length" in response.headers:
        return
    plan = app_state.plans.for_endpoint(request.endpoint, None, request.method)
    if carries_credentials(plan, request, app):
        state = state_if_any(request)
        add_vary(response, plan.vary)
        if state is None or not state.allows_shared_cache:
            keep_out_of_shared_caches(response, always=True)


def _refuse_unjudged(response: Response, request: Request) -> Response:
    """Return a refusal in place of what a guarded endpoint returned for a request that wasn't judged.

    That is the response of a view that was put into ``app.view_functions`` while the app serves. The response of a
    ``before_request`` function of the app passes: the registered view is still the guarded one then.
    """
    endpoint = request.endpoint
    if endpoint is None:
        return response
    app = real_app()
    app_state = app_state_of(app)
    registered = app.view_functions.get(endpoint)
    if registered is app_state.views_at_set_up.get(endpoint) or app_state.mistake is not None:
        return response
    if app_state.effective.for_endpoint(endpoint, request.method) is None:
        return response
    state = state_for(request)
    plan = app_state.plan_for_request(endpoint, request, state)
    if state.has_satisfied(plan):
        return response
    try:
        authenticate(plan, request, state)
    except AuthError as error:
        response.close()
        return handled_response(app, error)
    return response


def _complete(response: Response, status: int, request: Request, state: RequestState) -> None:
    if state.plan is None:  # Not judged, such as a view that ``unless`` has opened.
        note_response_left(request)
    refused = state.recorded_refusal is not None and state.recorded_refusal.status == status
    is_untouched = refused and list(iter(response.headers)) == state.rendered_headers
    if not is_untouched:
        _restore_and_repair(response, status, request, state, refused)
    if (refused or status == 401) and _has_body(request):
        drain(request, response)
    _let_scheme_respond(response, state, refused)
    if not is_untouched:
        expose_to_scripts(response)
    if state.rendered_page is not None or state.login_redirect is response:
        _isolate(response, state)


def _complete_ready(response: Response, request: Request, state: RequestState) -> None:
    """Do what is left for a ready response that no hook has changed."""
    if state.plan is None:
        note_response_left(request)
    if _has_body(request):
        drain(request, response)
    if state.attempted_scheme is not None:
        _let_scheme_respond(response, state, refused=True)


def _let_scheme_respond(response: Response, state: RequestState, refused: bool) -> None:
    """Let the scheme whose credentials were sent add its headers, such as ``Authentication-Info``."""
    attempted = state.attempted_scheme
    if attempted is not None and attempted.responds():
        attempted.respond(response, state.scheme is attempted and not refused)


def _has_body(request: Request) -> bool:
    """Return whether the request announces a body."""
    environ = request.environ
    return environ.get("CONTENT_LENGTH", "") not in ("", "0") or "HTTP_TRANSFER_ENCODING" in environ


def _restore_and_repair(response: Response, status: int, request: Request, state: RequestState, refused: bool) -> None:
    plan = plan_in_force(request, state)
    is_refusal = refused or status == 401
    if refused:
        _restore(response, state, plan)
    if status == 401 and not (refused and _has_own_challenges(response, state)):
        _repair(response, request, state, plan)
    if is_refusal:
        _join_challenge_lines(response, request, state)
        _restore_page_protection(response, state)
    if is_refusal or state.no_store | plan.no_store:
        set_no_store(response)
        if state.recorded_refusal is not None or is_refusal:  # a refusal, or the redirect to the login page
            for name in _VALIDATORS:
                response.headers.remove(name)
    _name_dependencies(response, state, plan, is_refusal)


def _has_own_challenges(response: Response, state: RequestState) -> bool:
    return not state.is_foreign_error and CHALLENGE_FIELD in response.headers


def _restore(response: Response, state: RequestState, plan: Plan) -> None:
    """Put the recorded headers back."""
    assert state.recorded_refusal is not None
    set_challenge_lines(response, _lines_to_send(response.headers.getlist(CHALLENGE_FIELD), state, plan))
    for name, value in state.recorded_refusal.lines:
        if name != CHALLENGE_FIELD and name not in response.headers:
            response.headers[name] = value


def _lines_to_send(given: list[str], state: RequestState, plan: Plan) -> list[str]:
    """Return the challenge lines of a refusal, from those that its response has and those that were recorded.

    For errors raised by other code, challenges that are on the response take precedence. Otherwise the recorded ones
    are sent, and challenges that others added stay if their scheme is in force.
    """
    assert state.recorded_refusal is not None
    status, recorded = state.recorded_refusal
    lines = [value for name, value in recorded if name == CHALLENGE_FIELD]
    if state.is_foreign_error:
        return _sound_parts(given, status, state)[0] or lines
    if given == lines:
        return lines
    recorded_challenges = [challenge for line in lines for challenge in parse_challenges(line)]
    added = _sound_parts(given, status, state)[1]
    return lines + [
        str(challenge)
        for challenge in added
        if challenge not in recorded_challenges and _fits(challenge, recorded_challenges, plan)
    ]


def _fits(challenge: Challenge, own: Iterable[Challenge], plan: Plan) -> bool:
    """Return whether an added challenge names a scheme in force, and no other realm than the app's."""
    name = challenge.scheme.lower()
    if name not in {scheme.name.lower() for scheme in plan.schemes}:
        return False
    return all(challenge.get("realm") == ours.get("realm") for ours in own if ours.scheme.lower() == name)


def _repair(response: Response, request: Request, state: RequestState, plan: Plan) -> None:
    """Complete a 401 of other code. Its sound challenges stay.

    The app's are added if none is left, or if the view is guarded and none names a scheme that it takes.
    """
    given = response.headers.getlist(CHALLENGE_FIELD)
    sound, challenges = _sound_parts(given, 401, state)
    if sound and (not _is_guarded(request, state) or _names_scheme_of(plan, challenges)):
        if sound != given:
            set_challenge_lines(response, sound)
        return
    if state.app_state.settings.guard == "strict":
        what = "only with challenges that it doesn't take" if sound else "without a challenge"
        raise ConfigurationError(
            f"endpoint {request.endpoint!r} responded with 401 {what} (RFC 9110 §15.5.2): call "
            "abort_unauthorized() instead; UNAUTHORIZED_GUARD='repair' would add one"
        )
    added = plan.challenges.in_force(None, None, request)
    set_challenge_lines(response, (*map(str, added), *sound))
    # Any client can cause many of these, and one line says what there is to do.
    level = logging.WARNING if state.app_state.is_first("repaired", request.endpoint) else logging.DEBUG
    log_event(level, "repaired", "repaired a 401 without a challenge, endpoint %s", request.endpoint, request=request)
    if signals.repaired.receivers:
        signals.send(signals.repaired, real_app(), endpoint=request.endpoint, challenges=added)


def _is_guarded(request: Request, state: RequestState) -> bool:
    """Return whether the view demands a caller, or a caller was demanded in this request."""
    endpoint = request.endpoint
    if state.satisfied_plan is not None:
        return True
    return endpoint is not None and state.app_state.effective.for_endpoint(endpoint, request.method) is not None


def _names_scheme_of(plan: Plan, challenges: Iterable[Challenge]) -> bool:
    names = {scheme.name.lower() for scheme in plan.schemes}.union(map(str.lower, plan.by_name))
    return any(challenge.scheme.lower() in names for challenge in challenges)


def _sound_parts(lines: Iterable[str], status: int, state: RequestState) -> tuple[list[str], list[Challenge]]:
    """Return the lines with the parts that may be sent, and their challenges. A sound line stays as it is."""
    configured = {scheme.name.lower() for scheme in state.app_state.schemes}
    sound: list[str] = []
    challenges: list[Challenge] = []
    for line in lines:
        found = examine(line, status, configured)
        if found.challenges:
            sound.append(", ".join(map(str, found.challenges)) if found.problems else line)
            challenges += found.challenges
    return sound, challenges


def _join_challenge_lines(response: Response, request: Request, state: RequestState) -> None:
    """Put all challenges on one line, if the client or an adapter before it would see only one of several."""
    lines = response.headers.getlist(CHALLENGE_FIELD)
    if len(lines) > 1 and (state.app_state.settings.one_line or is_script(request.environ)):
        set_challenge_lines(response, (", ".join(lines),))


def _is_refusal_page(response: Response, state: RequestState) -> bool:
    """Return whether the body is the built-in page. A body that a hook has compressed is still the page."""
    if state.rendered_page is None:
        return False
    page, body = state.rendered_page
    if response is not page:
        return False
    return "Content-Encoding" in response.headers or (response.is_sequence and response.get_data() == body)


def _isolate(response: Response, state: RequestState) -> None:
    """Keep the URL of the refusal page and of the login redirect from other sites, and the page from its opener.

    All hooks of the app have run, so a policy of the app stays. The redirect has no ``Cross-Origin-Opener-Policy``,
    because browsers would cut a pop-up that leads to the login page off from the page that waits for its result.
    """
    is_page = _is_refusal_page(response, state)
    if is_page or state.login_redirect is response:
        response.headers.setdefault(*_REFERRER_POLICY)
    if is_page:
        response.headers.setdefault(*_OPENER_POLICY)


def _restore_page_protection(response: Response, state: RequestState) -> None:
    """Put back the headers that protect the refusal page, if a hook wrote its own and the body is still the page."""
    if state.rendered_headers is None or not _is_refusal_page(response, state):
        return
    for name, value in state.rendered_headers:
        if name in _PAGE_PROTECTION:
            response.headers[name] = value


def _name_dependencies(response: Response, state: RequestState, plan: Plan, is_refusal: bool) -> None:
    """Name in ``Vary`` what the response depended on, and keep shared caches out (RFC 9110 §16.4.2)."""
    scheme = state.scheme
    in_other_field = scheme is not None and any(where != "authorization" for where, _ in scheme.reads)
    if is_refusal or state.recorded_refusal is not None:
        add_vary(response, plan.challenges.vary_on_refusal)
    elif plan.optional or in_other_field or (scheme is not None and scheme.varies):
        add_vary(response, plan.vary)
    if scheme is not None and not is_refusal and not state.allows_shared_cache:
        keep_out_of_shared_caches(response, always=in_other_field)


def _complete_unjudged(response: Response, request: Request, state: RequestState) -> None:
    """Name in ``Vary`` what the response depends on, if any code asked who is calling, or may still ask."""
    if state.satisfied_plan is not None:  # ``unless`` has opened the view
        _note_leaving(response, request)
    if state.identification is None:
        return
    add_vary(response, plan_in_force(request, state).vary)
    if state.identification.identity is not None and not state.allows_shared_cache:
        keep_out_of_shared_caches(response, always=True)
