"""`Explained`: one request in which a chosen outcome takes the place of verification, and whose view never runs.

An explained request goes through the whole app: hooks, selection, authorization, renderers, handlers and guard are
those that serve. It differs from another test request in two points only:

1. The state of the request is an `ExplainedState`. Its ``verification_results`` already know what the credentials of
   each scheme come to, so no scheme verifies anything: no loader, no throttle, no store and no network is asked.
2. The function that Flask calls for the endpoint is replaced until the request has ended. The replacement notes that
   the request is in the view now. From then on, satisfying a plan raises `Reached`.

Three things keep the view from running:

- Nothing is demanded of the request: `Reached` is raised before anything of the view is called.
- A guard accepts the caller, so it stores the plan in ``satisfied_plan``: the setter raises `Reached`. Only the early
  judgment of ``protect`` may store its plan, because the guard inside of the view is still to come.
- Anything else calls the view, such as a decorator that goes around the guard, or a hook: its code is replaced until
  the request has ended (`stopped`), and raises `Entered`. The command then says that this route can't be explained.

A request that a WSGI middleware sends to another app, whose views aren't stopped, ends where that app begins it
(`Elsewhere`).

These exceptions derive from `BaseException`, so that no error handler of the app takes them for a failure.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, Final, Literal

from flask import Flask, Request, session
from flask.sessions import SecureCookieSession

from ..authentication.cross_site import check_read, check_site, is_unsafe
from ..errors import AuthError, InvalidCredentials
from ..errors.snapshot import ErrorSnapshot
from ..identity import Identity
from ..policy.decorations import is_async, view_class_of, wraps_view
from ..policy.hidden_guards import iter_visible, parts_of_class
from ..policy.plan import Plan
from ..policy.unless import known_as_dropped
from ..runtime.app_state import AppState
from ..runtime.flask_compat import is_preflight
from ..runtime.request_state import RequestState, real_request
from ..schemes.base import AnyScheme
from ..schemes.session.record import SESSION_KEY, LoginRecord
from ..schemes.session.scheme import SessionCookie
from ..schemes.state_access import REQUEST_STATE
from .stopped import Entered, stopped

EXPLAINED: Final = "flask_unauthorized.explain"
"""The environ's key for an explained request. No client can set it, because fields become keys such as ``HTTP_X``."""
Outcome = Identity | AuthError
"""What credentials come to: the caller, or the refusal."""
RespondedBy = Literal["refusal", "preflight", "decorator"]
SUBJECT: Final = "sample"
"""The subject of all sample callers."""


class Reached(BaseException):
    """The request would run the view now."""


class Elsewhere(BaseException):
    """The request came to another app, whose name this is."""


class Explained:
    """What takes the place of verification in one request, and what the request came to.

    Attributes:
        app_state: The state of the app.
        outcomes: What the credentials of schemes come to. Those of all other schemes are rejected.
        unread: The scheme whose credentials count as sent, although the request has no sample that it can read.
        session: The scheme for whose login the session is filled.
        state: The state of the request, once it has begun.
        responded_by: What responded in place of the view, once the request was in the view.
        entered: The names of functions of the view that were called.
        was_reached: Whether the request would have run the view.
        logged_in: Whether the request has logged a caller in.
        elsewhere: The name of another app to which the request came.
    """

    def __init__(
        self,
        app_state: AppState,
        outcomes: Mapping[AnyScheme, Outcome],
        unread: AnyScheme | None = None,
        session: SessionCookie | None = None,
    ) -> None:
        self.app_state: Final = app_state
        self.outcomes: Final = outcomes
        self.unread: Final = unread
        self.session: Final = session
        self.state: ExplainedState | None = None
        self.responded_by: RespondedBy | None = None
        self.entered: list[str] = []
        self.was_reached = False
        self.logged_in = False
        self.elsewhere: str | None = None
        self._replaced: list[tuple[str, Any, Any]] = []
        self._stops: Final = ExitStack()

    def request_class(self, kind: type[Request]) -> type[Request]:
        """Return a class whose requests have an explained state from the start, if they are this one.

        Code of the app may ask for the caller before any hook runs.
        """
        explained = self

        class ExplainedRequest(kind):  # type: ignore[misc, valid-type]  # the class of the app
            def __init__(self, environ: dict[str, Any], *args: Any, **kwargs: Any) -> None:
                super().__init__(environ, *args, **kwargs)
                if environ.get(EXPLAINED) is explained:
                    setattr(self, REQUEST_STATE, ExplainedState(explained))

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(ExplainedRequest, name, getattr(kind, name))
        return ExplainedRequest

    def begin(self, app: Flask, request: Request) -> None:
        """Put the replacement of the view into the app.

        Raises:
            Elsewhere: If the request came to another app.
        """
        if app is not self.app_state.app:
            self.elsewhere = app.name
            raise Elsewhere(app.name)
        self.state = getattr(request, REQUEST_STATE)
        if self.session is not None:
            _fill_session(self.session)
        endpoint, views = request.endpoint, self.app_state.app.view_functions
        if endpoint is not None and endpoint in views and not self._replaced:
            set_up = self.app_state.views_at_set_up
            self._replaced.append((endpoint, views[endpoint], set_up.get(endpoint)))
            self.entered = self._stops.enter_context(stopped(_functions_of(views[endpoint], request.method)))
            views[endpoint] = self._replacement(endpoint, views[endpoint])
            # The guard compares both, to find views that were swapped while the app serves.
            if set_up.get(endpoint) is self._replaced[0][1]:
                set_up[endpoint] = views[endpoint]
        self._stops.enter_context(self._noting_options(app))

    @contextmanager
    def _noting_options(self, app: Flask) -> Iterator[None]:
        """Note whether Flask itself responds to OPTIONS, so that neither a view nor a hook does."""
        own = vars(app).get("make_default_options_response")
        replaced = app.make_default_options_response

        def make_default_options_response(*args: Any) -> Any:
            self.responded_by = "preflight"
            return replaced(*args)

        app.make_default_options_response = make_default_options_response  # type: ignore[method-assign]  # for a while
        try:
            yield
        finally:
            if own is None:
                del app.make_default_options_response
            else:
                app.make_default_options_response = own  # type: ignore[method-assign]  # as before

    def end(self) -> None:
        """Put the view, its code and the response to OPTIONS back."""
        self._stops.close()
        for endpoint, view, at_set_up in self._replaced:
            self.app_state.app.view_functions[endpoint] = view
            if at_set_up is not None:
                self.app_state.views_at_set_up[endpoint] = at_set_up
        self._replaced.clear()

    def _replacement(self, endpoint: str, view: Any) -> Callable[..., Any]:
        if is_async(view):

            @wraps_view(view)
            async def entered_async(*args: Any, **kwargs: Any) -> Any:
                with self._in_view(endpoint):
                    return await view(*args, **kwargs)

            return entered_async

        @wraps_view(view)
        def entered(*args: Any, **kwargs: Any) -> Any:
            with self._in_view(endpoint):
                return view(*args, **kwargs)

        return entered

    @contextmanager
    def _in_view(self, endpoint: str) -> Iterator[None]:
        request = real_request()
        state = getattr(request, REQUEST_STATE, None)
        if state is not self.state or self.state is None:
            self.entered.append(endpoint)
            raise Entered  # Another request of the same process, such as one that a hook makes.
        if self.app_state.effective.for_endpoint(endpoint, request.method) is None:
            self.was_reached = True
            raise Reached
        self.state.in_view = True
        try:
            yield
        finally:
            self.state.in_view = False
            if self.state.recorded_refusal is not None:
                self.responded_by = "refusal"
            else:
                self.responded_by = "preflight" if is_preflight(request) else "decorator"
            if self.entered:  # A decorator may have caught it.
                raise Entered
            if self.was_reached:
                raise Reached


class ExplainedState(RequestState):
    """The state of an explained request."""

    def __init__(self, explained: Explained) -> None:
        self.app_state = explained.app_state
        self.in_view = False
        self._explained = explained
        self._satisfied_plan: Plan | None = None
        self._results = _Results(explained)

    @property
    def verification_results(self) -> dict[AnyScheme, Identity | ErrorSnapshot] | None:
        """What credentials come to. Whatever the code of a request forgets of it, it is known."""
        return self._results

    @verification_results.setter
    def verification_results(  # pyright: ignore[reportIncompatibleVariableOverride]  # a property
        self, results: dict[AnyScheme, Identity | ErrorSnapshot] | None
    ) -> None:
        self._results = _Results(self._explained)
        self._results.update(results or {})

    @property
    def satisfied_plan(self) -> Plan | None:
        """The plan that the identity satisfies. In the view, each plan is judged again."""
        return None if self.in_view else self._satisfied_plan

    @satisfied_plan.setter
    def satisfied_plan(self, plan: Plan | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # a property
        if plan is not None and self.in_view and not self._is_of_early_judgment(plan):
            self._explained.was_reached = True
            raise Reached
        self._satisfied_plan = plan

    @property
    def test_identity(self) -> Identity | None:
        """The caller whose credentials no sample can show. Raises the refusal, if they come to one."""
        scheme, plan = self._explained.unread, self.plan
        if scheme is None or plan is None or scheme not in plan.schemes:
            return None
        self.attempted_scheme = scheme
        request = real_request()
        if scheme.ambient and is_unsafe(request):
            check_site(request, scheme)
        elif scheme.ambient and not scheme.cross_site_reads:
            check_read(request, scheme)
        assert self.verification_results is not None
        found = self.verification_results[scheme]
        if isinstance(found, ErrorSnapshot):
            raise found.restore()
        return found

    @test_identity.setter
    def test_identity(self, identity: Identity | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]  # a property
        raise AttributeError("an explained request has the caller of its case")

    def _is_of_early_judgment(self, plan: Plan) -> bool:
        """Return whether ``plan`` is what `protect` alone demands, and the guard of the view demands more."""
        request, plans = real_request(), self.app_state.plans
        endpoint, method = request.endpoint, request.method
        if endpoint is None:
            return False
        conditions = plans.for_endpoint(endpoint, None, method).requirement.unless
        dropped = known_as_dropped(conditions, self.unless_results)
        whole = plans.for_endpoint(endpoint, None, method, dropped)
        return plan is not whole and plan is plans.for_protect(endpoint, method, dropped)


class _Results(dict[AnyScheme, Identity | ErrorSnapshot]):
    """Knows the result of every scheme. One that was asked for is kept, as verification keeps it.

    A scheme without an outcome is rejected, so that no request gets to a loader, whatever the app's hooks send.
    """

    def __init__(self, explained: Explained) -> None:
        super().__init__()
        self._explained = explained

    def __contains__(self, scheme: object) -> bool:
        return True

    def __missing__(self, scheme: AnyScheme) -> Identity | ErrorSnapshot:
        outcome = self._explained.outcomes.get(scheme)
        if outcome is None:
            outcome = rejected(scheme)
        session = self._explained.session
        if session is not None and session is scheme and isinstance(outcome, InvalidCredentials):
            session.forget()  # as its verification does
        found = outcome if isinstance(outcome, Identity) else ErrorSnapshot(outcome)
        self[scheme] = found
        return found


def rejected(scheme: AnyScheme) -> InvalidCredentials:
    """Return the refusal of credentials for which the loader of a scheme returns ``None``."""
    return InvalidCredentials(reason=scheme.rejections[None])


def _fill_session(scheme: SessionCookie) -> None:
    """Log the sample caller in, in the opened session of the request. Sessions that a store holds stay empty."""
    if not isinstance(session._get_current_object(), SecureCookieSession):  # type: ignore[attr-defined]  # a LocalProxy
        return
    now = time.time()
    record = LoginRecord(SUBJECT, now, None, "", now, now, False, scheme.realm_in_force())
    session[SESSION_KEY] = record.to_session()
    session.modified = session.accessed = False


def _functions_of(view: Any, method: str) -> list[FunctionType]:
    """Return the innermost function of a view, and of the method of a class view."""
    handled = view_class_of(view)
    functions = [view] if handled is None else parts_of_class(handled, method)[-1:]
    innermost = ([*iter_visible(function)][-1] for function in functions)
    found = (one if isinstance(one, FunctionType) else getattr(type(one), "__call__", None) for one in innermost)  # noqa: B004  # its type's
    return [one for one in found if isinstance(one, FunctionType)]
