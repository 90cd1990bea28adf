"""Where a request is judged: wrappers around the views of guarded endpoints, put there at the end of the set-up.

The place depends on the set-up only, never on what was served before or on what a client sends. A wrapper runs after
all ``before_request`` functions, the app's and the blueprint's, and before all other decorators of the view:

1. A view whose outermost decorator is ours needs no wrapper: that decorator judges first.
2. A view that only `protect` guards gets the same function that a decorator would have put there.
3. A view with another decorator above the guard, or a class view with guarded methods, gets a wrapper that judges what
   `protect` demands, then runs the view, then looks at its answer (late judgment). An outer decorator may answer
   without calling the guard, such as a cache. A 2xx or 304 leaves only if this request met the whole plan of the
   endpoint. A refusal replaces it here, so hooks and error handlers see it once, like any other. Other answers of outer
   decorators pass: a limiter's 429, a redirect, a maintenance page.

Rules for WebSockets are judged wholly before the view runs, for their decorators complete the handshake and can't
refuse afterwards.
"""

from functools import wraps
from typing import Any

from flask import Request, Response

from .app_state import AppState
from .context import authenticate, authenticate_late, real_app, real_request, state_for
from .decorating import is_async
from .judge import log
from .plan import Plan
from .preflight import is_preflight


def wrap_views(app_state: AppState) -> None:
    """Wraps the registered view of each guarded endpoint whose outermost decorator isn't ours."""
    app = app_state.app
    decorations = app_state.auth.decorations
    for endpoint, view in list(app.view_functions.items()):
        if not app_state.requirements(endpoint):
            continue
        if not decorations.is_ours(view):
            inside = decorations.around(view) or endpoint in app_state.method_guards
            view = _judge_around(app_state, view) if inside else app_state.auth.wrap(view, None)
            app.view_functions[endpoint] = view
        app_state.dispatched[endpoint] = view


def _judge_around(app_state: AppState, view: Any) -> Any:
    """A view that is judged before and after the decorators that stand above its guard."""
    if is_async(view):

        @wraps(view)
        async def judged_async(*args: Any, **kwargs: Any) -> Any:
            request = real_request()
            _judge_early(app_state, request)
            return _judge_late(app_state, request, await view(*args, **kwargs))

        return judged_async

    @wraps(view)
    def judged(*args: Any, **kwargs: Any) -> Any:
        request = real_request()
        _judge_early(app_state, request)
        return _judge_late(app_state, request, view(*args, **kwargs))

    return judged


def _judge_early(app_state: AppState, request: Request) -> None:
    """Judges what must not wait for the decorators above the guard."""
    if _is_exempt(request):
        return
    endpoint, method = str(request.endpoint), request.method
    if getattr(request.url_rule, "websocket", False):
        plan: Plan | None = app_state.plan(endpoint, None, method)
        if app_state.effective(endpoint, method) is None:
            return
    else:
        plan = app_state.levels_plan(endpoint, method)
    if plan is not None:
        authenticate(plan, request, state_for(request))


def _is_exempt(request: Request) -> bool:
    return request.method == "OPTIONS" and is_preflight(request)


def _judge_late(app_state: AppState, request: Request, answer: Any) -> Any:
    """The view's answer, if this request met the endpoint's plan or the answer gives nothing away."""
    endpoint, method = str(request.endpoint), request.method
    if app_state.effective(endpoint, method) is None or _is_exempt(request):
        return answer
    plan = app_state.plan(endpoint, None, method)
    state = state_for(request)
    if state.has_met(plan):
        return answer
    response: Response = real_app().make_response(answer)
    status = response.status_code
    if not (200 <= status < 300 or status == 304):
        return response
    if method == "OPTIONS" and response.calculate_content_length() == 0:
        return response
    _warn_late(app_state, endpoint)
    try:
        authenticate_late(plan, request, state)
    except BaseException:
        response.close()
        raise
    return response


def _warn_late(app_state: AppState, endpoint: str) -> None:
    """Names an endpoint once, whose answers come from above its guard."""
    if endpoint in app_state.warned_late:
        return
    app_state.warned_late.add(endpoint)
    log.warning(
        "endpoint %r: a decorator above the guard answered without calling the view, so the answer was judged "
        "afterwards: put the decorator below @auth.login_required; a cache also needs the caller in its key",
        endpoint,
    )
