"""What runs around a guarded view on each request.

`guard_view` makes the wrapper that `Auth.login_required` and its kin put around a view, and that `dispatch` puts around
views which only `Auth.protect` guards. It is one function, because on this path every call counts:

1. A CORS preflight has no credentials. It gets the default OPTIONS response, and the view doesn't run.
2. The plan is found on the routing rule. The first request to a rule compiles it (`AppState.find_plan`). If a level
   has ``unless``, each request asks for its plan.
3. The request is authenticated. If the plan was satisfied before, by an outer decorator, nothing is done.
4. The view runs. What it raises as an `AuthError` is a refusal as well. If it caught a refusal itself, then what it
   returns is its own.

The wrapper of an ``async def`` view is ``async def``, and runs the same steps before it awaits the view.
"""

from collections.abc import Callable
from logging import DEBUG
from typing import Any, Final, NamedTuple

from flask import Request, Response

from ..authentication.authenticate import authenticate_request
from ..errors import AuthError, ConfigurationError
from ..logs import LOGGER, ROOT_LOGGER
from ..policy.challenges import ReadyRefusal
from ..policy.configuration import Configuration
from ..policy.decorations import is_async, wraps_view
from ..policy.plan import Plan
from ..policy.requirement import Requirement
from ..schemes.state_access import REQUEST_STATE
from ..signals import authenticated
from .app_state import AppState
from .conditional_requests import ignore_conditions_of_401
from .exception_groups import GROUPS, raise_refusal_of
from .flask_compat import is_preflight, options_response
from .refuse import announce, handle_refusal, handle_refusal_of_current_request, has_conditional_fields
from .request_state import RequestState, real_app, real_request, state_for

Respond = Callable[[AuthError, Request, RequestState, str, ReadyRefusal | None], Response | None]
"""Returns the response to a refusal; ``None`` if other code has to be asked, so that it must be raised.

It gets the error, the request and its state, the endpoint, and what `handle_refusal` has found.
"""


class Dispatch(NamedTuple):
    """What a function knows that Flask itself calls for an endpoint.

    Attributes:
        endpoint: The endpoint. Another view may call the function too, through ``app.view_functions``.
        respond: Makes the response to a refusal. ``None``: refusals are raised.
    """

    endpoint: str
    respond: Respond | None

    def respond_or_raise(
        self, error: AuthError, request: Request, state: RequestState, ready: ReadyRefusal | None
    ) -> Response:
        """Return the response to a refusal, or raise it."""
        if self.respond is not None and request.endpoint == self.endpoint:
            response = self.respond(error, request, state, self.endpoint, ready)
            if response is not None:
                return response
        try:
            raise error
        finally:
            del error  # its traceback holds this frame


DIRECT_CALL: Final = Dispatch("", None)
"""For a function that other code calls than Flask: its refusals are raised."""


def guard_view(
    configuration: Configuration,
    view: Callable[..., Any],
    demanded: Requirement,
    dispatch: Dispatch = DIRECT_CALL,
    *,
    stands_for: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """Return a function that authenticates the request, then runs the view; ``async def`` around one that is.

    Args:
        configuration: That of the `Auth` which guards the view.
        view: The view.
        demanded: What a decorator adds to the endpoint's requirement; for a view that only `Auth.protect` guards, that
            requirement itself.
        dispatch: Given for a function that Flask itself calls: see `dispatch`.
        stands_for: The function whose name and attributes it gets. Default: the view.
    """
    copy_attributes = wraps_view(view if stands_for is None else stands_for)
    if not is_async(view):
        return copy_attributes(_guard(configuration, view, demanded, dispatch))
    # The guard of an async view runs inside of its wrapper, and the wrapper is what others see.
    guard = _guard(configuration, _run_async_view, demanded, DIRECT_CALL, lambda: guarded)

    @copy_attributes
    async def guarded(*args: Any, **kwargs: Any) -> Any:
        result = guard()
        if result is not _run_async_view:
            return result
        try:
            result = await view(*args, **kwargs)
        except AuthError as error:
            handle_refusal_of_current_request(error)
            raise
        except GROUPS as group:
            request = real_request()
            raise_refusal_of(group, request, state_for(request))
            raise
        state_for(real_request()).recorded_refusal = None  # the view caught it, and what it returns is its own
        return result

    return guarded


def _run_async_view() -> object:
    """Stand for an async view, which its own wrapper awaits after the guard."""
    return _run_async_view


def _guard(
    configuration: Configuration,
    view: Callable[..., Any],
    demanded: Requirement,
    dispatch: Dispatch,
    get_wrapper: Callable[[], Callable[..., Any]] | None = None,
) -> Callable[..., Any]:
    key = id(demanded)
    if get_wrapper is None:
        get_wrapper = lambda: guarded  # noqa: E731  # the function below

    def guarded(*args: Any, **kwargs: Any) -> Any:
        request = real_request()
        if request.method == "OPTIONS" and _answers_preflight(request, get_wrapper(), demanded):
            return options_response(real_app())
        try:
            found = request.url_rule._unauthorized_plans[key]
        except (AttributeError, KeyError):
            found = None
        # Not in the except clause: what a function of the app raises must not show this exception in its traceback.
        plan, app_state = found or _find_plan(configuration, request, get_wrapper(), demanded)
        state = getattr(request, REQUEST_STATE, None)
        if state is None:
            state = RequestState()
            state.app_state = app_state
            # Every request reads these. A value of the object is found ten times as fast as a default of the class.
            state.satisfied_plan = state.verification_results = state.recorded_refusal = None
            state.allows_shared_cache = False
            setattr(request, REQUEST_STATE, state)
        try:
            authenticate_request(plan, request, state)
            if authenticated.receivers or (LOGGER.level or ROOT_LOGGER.level) <= DEBUG:
                announce(state)
            if app_state.has_response_hooks:
                _ignore_conditions_if_any(request)
            result = view(*args, **kwargs)
        except AuthError as error:
            ready = handle_refusal(error, request, state)
            return dispatch.respond_or_raise(error, request, state, ready)
        except GROUPS as group:
            raise_refusal_of(group, request, state)
            raise
        state.recorded_refusal = None  # if there was one, the view caught it, and what it returns is its own
        return result

    return guarded


def _ignore_conditions_if_any(request: Request) -> None:
    if has_conditional_fields(request.environ):
        ignore_conditions_of_401(request)


def _find_plan(
    configuration: Configuration, request: Request, guard: Callable[..., Any], demanded: Requirement
) -> tuple[Plan, AppState]:
    state = state_for(request)
    check_same_auth(configuration, state.app_state)
    return state.app_state.find_plan(request, state, demanded, guard), state.app_state


def check_same_auth(configuration: Configuration, app_state: AppState) -> None:
    """Refuse a guard of one `Auth` in an app that another one serves. Raises `ConfigurationError`."""
    if app_state.configuration is not configuration:
        raise ConfigurationError(
            f"the app {app_state.app.name!r} is served by another Auth than the one that guards this view"
        )


def _answers_preflight(request: Request, guard: Callable[..., Any], demanded: Requirement) -> bool:
    """Return whether the request is a preflight, and the guard is one that handles it.

    That is the guard of the endpoint, or a ``before_request`` function. A guarded helper function is neither.
    """
    if not is_preflight(request):
        return False
    app_state = state_for(request).app_state
    endpoint, method = request.endpoint, request.method
    if demanded in app_state.effective.from_decorators(endpoint, method):
        return True
    if endpoint is not None and demanded == app_state.effective.for_endpoint(endpoint, method):
        return True
    return app_state.is_hook(guard)
