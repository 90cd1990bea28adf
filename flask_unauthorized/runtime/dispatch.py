"""Where a request is judged: the dispatch forms of guarded views, put into the app at the end of the set-up.

The place depends on the set-up only, never on what was served before or on what a client sends. A dispatch form runs
after all ``before_request`` functions, the app's and the blueprint's, and before all other decorators of the view:

1. A view whose outermost decorator is the extension's gets a twin of that decorator's wrapper, which costs no further
   call.
2. A view that only `protect` guards gets the same function that a decorator would have put there.
3. A view with another decorator above the guard, or a class view whose methods differ, gets a wrapper that judges what
   `protect` demands, then runs the view, then looks at its response (late judgment). An outer decorator may respond
   without calling the guard, such as a cache. A 2xx or 304 leaves only if this request met the whole plan of the
   endpoint, whether it was returned or raised (``abort(response)``). A refusal replaces it here, so hooks and error
   handlers see it once, like any other. Other responses of outer decorators pass: a limiter's 429, a redirect, a
   maintenance page. A preflight gets the default response in place of anything with a body.

In the first two cases the dispatch form *returns* the response to a refusal, if no other code would be asked: no error
handler of the app or a blueprint, and no code that has taken the place of Flask's error handling
(`flask_compat.handles_errors_itself`). That saves a refusal the way through Flask's handlers. A direct call of a
decorated function, by another view or in a test, always raises.

Rules for WebSockets are judged wholly before the view runs, for their decorators complete the handshake and can't
refuse afterwards.
"""

from typing import Any

from flask import Request, Response
from werkzeug.exceptions import HTTPException

from ..errors import ConfigurationError
from ..logs import log
from ..policy.decorations import is_async, view_class_of, wraps_view
from ..policy.plan import Plan
from .app_state import AppState, dropped_levels
from .decorator import Dispatch, Respond, guard_view
from .flask_compat import handles_errors_itself, is_preflight, options_response
from .refuse import authenticate, authenticate_late
from .request_state import real_app, real_request, state_for


def wrap_views(app_state: AppState, respond: Respond) -> None:
    """Put the dispatch form of each guarded view into the app. ``respond`` makes the response to a refusal."""
    app = app_state.app
    configuration = app_state.configuration
    decorations = configuration.decorations
    if app_state.mistake is not None:
        for endpoint, view in list(app.view_functions.items()):
            if app_state.effective.may_be_guarded(endpoint):
                app.view_functions[endpoint] = _misconfigured(view, app_state.mistake)
        return
    returning = respond if handles_errors_itself(app) else None
    for endpoint, view in list(app.view_functions.items()):
        demanded = app_state.requirements(endpoint)
        if not demanded:
            continue
        if decorations.is_guard(view):
            inner, demand = decorations.view_and_requirement(view)
            form = guard_view(configuration, inner, demand, Dispatch(endpoint, returning), stands_for=view)
        elif decorations.requirements_of(view) or endpoint in app_state.effective.method_guards:
            form = _judge_around(app_state, endpoint, view)
        else:
            form = guard_view(configuration, view, demanded[0], Dispatch(endpoint, returning))
        app.view_functions[endpoint] = form
    app_state.views_at_set_up = dict(app.view_functions)


def _misconfigured(view: Any, mistake: str) -> Any:
    """Return what replaces a guarded view in an app that isn't set up."""

    @wraps_view(view)
    def fails(*args: Any, **kwargs: Any) -> Any:
        raise ConfigurationError(mistake)

    return fails


def _judge_around(app_state: AppState, endpoint: str, view: Any) -> Any:
    """Return a view that is judged before and after the decorators that stand above its guard.

    The demand is that of its own endpoint, for another view may call it through ``app.view_functions``.
    """
    answers_preflights = _runs_unguarded_options(app_state, endpoint, view)
    if is_async(view):

        @wraps_view(view)
        async def judged_async(*args: Any, **kwargs: Any) -> Any:
            request = real_request()
            if answers_preflights and request.method == "OPTIONS" and is_preflight(request):
                return options_response(real_app())
            _judge_early(app_state, endpoint, request)
            try:
                result = await view(*args, **kwargs)
            except HTTPException as error:
                _judge_raised(app_state, endpoint, request, error)
                raise
            return _judge_late(app_state, endpoint, request, result)

        return judged_async

    @wraps_view(view)
    def judged(*args: Any, **kwargs: Any) -> Any:
        request = real_request()
        if answers_preflights and request.method == "OPTIONS" and is_preflight(request):
            return options_response(real_app())
        _judge_early(app_state, endpoint, request)
        try:
            result = view(*args, **kwargs)
        except HTTPException as error:
            _judge_raised(app_state, endpoint, request, error)
            raise
        return _judge_late(app_state, endpoint, request, result)

    return judged


def _runs_unguarded_options(app_state: AppState, endpoint: str, view: Any) -> bool:
    """Return whether OPTIONS is demanded a caller by `protect` alone, and a method of the class handles it.

    A preflight has no credentials, so it must not reach that method.
    """
    handled = view_class_of(view)
    guards = app_state.effective.method_guards.get(endpoint, {})
    return (
        handled is not None
        and hasattr(handled, "options")
        and not guards.get("OPTIONS")
        and not app_state.configuration.decorations.requirements_of(view)
        and app_state.effective.for_endpoint(endpoint, "OPTIONS") is not None
    )


def _judge_early(app_state: AppState, endpoint: str, request: Request) -> None:
    """Judges what must not wait for the decorators above the guard."""
    if request.method == "OPTIONS" and is_preflight(request):
        return
    method = request.method
    demanded = app_state.effective.for_endpoint(endpoint, method)
    if demanded is None:
        return
    state = state_for(request)
    if getattr(request.url_rule, "websocket", False):
        plan: Plan | None = app_state.plan_for_request(endpoint, request, state)
    elif demanded.unless:
        plan = app_state.plans.for_protect(endpoint, method, dropped_levels(demanded.unless, state))
    else:
        plan = app_state.plans.for_protect(endpoint, method)
    if plan is not None:
        authenticate(plan, request, state)


def _judge_late(app_state: AppState, endpoint: str, request: Request, result: Any) -> Any:
    """Return the view's response, if this request met the endpoint's plan or the response reveals nothing."""
    plan = _unmet_plan(app_state, endpoint, request)
    if plan is None:
        return result
    response: Response = real_app().make_response(result)
    if not may_contain_view_output(response.status_code):
        return response
    if request.method == "OPTIONS" and response.calculate_content_length() == 0:
        return response
    try:
        if request.method == "OPTIONS" and is_preflight(request):
            # A preflight has no credentials. What a decorator cached of another request is not for it.
            response.close()
            return options_response(real_app())
        _warn_late(app_state, endpoint)
        authenticate_late(plan, request, state_for(request))
    except BaseException:  # whatever ends the request, the response that was dropped is closed
        response.close()
        raise
    return response


def _judge_raised(app_state: AppState, endpoint: str, request: Request, error: HTTPException) -> None:
    """Judges a response that a decorator above the guard raised, such as ``abort(kept_response)``."""
    # Any WSGI app may be raised as a response. Flask responds with 200 for an HTTPException without a code.
    status = error.code if error.response is None else getattr(error.response, "status_code", None)
    if not may_contain_view_output(status or 200):
        return
    plan = _unmet_plan(app_state, endpoint, request)
    if plan is not None:
        _warn_late(app_state, endpoint)
        authenticate_late(plan, request, state_for(request))


def _unmet_plan(app_state: AppState, endpoint: str, request: Request) -> Plan | None:
    """Return the endpoint's plan if this request hasn't met it; ``None`` also if nothing is demanded."""
    if app_state.effective.for_endpoint(endpoint, request.method) is None:
        return None
    state = state_for(request)
    plan = app_state.plan_for_request(endpoint, request, state)
    return None if state.has_satisfied(plan) else plan


def may_contain_view_output(status: int) -> bool:
    """Return whether a response may hold what the view would have returned."""
    return 200 <= status < 300 or status == 304


def _warn_late(app_state: AppState, endpoint: str) -> None:
    """Names an endpoint once, whose responses come from above its guard."""
    if app_state.is_first("late judgment", endpoint):
        log.warning(
            "endpoint %r: a decorator above the guard responded without calling the view, so the response was judged "
            "afterwards: put the decorator below @auth.login_required; a cache also needs the caller in its key",
            endpoint,
        )
