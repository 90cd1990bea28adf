"""`AppState`: what the extension knows of one app. It lies in ``app.extensions["unauthorized"]``.

An app is checked as a whole (`AppState.check`) before its first request, by ``auth.check(app)`` or by a command. The
check reads settings and views each time, because views may have come since. It compiles the plans of all guarded
endpoints, so that mistakes come to light before a request does.

If the check before the first request finds a mistake, open routes still work: a health check shouldn't depend on it.
Guarded views respond with 500, and the log names the mistake (CRITICAL). If the check itself fails, because a database
is down, the next request checks again. Until then guarded views respond with 500 as well.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, Request

from ..authentication.state import AuthenticationState
from ..errors import ConfigurationError
from ..events import log_event
from ..locks import renew_after_fork
from ..logs import log
from ..policy.configuration import Configuration
from ..policy.decorations import iter_wrapped
from ..policy.effective import EffectiveRequirements
from ..policy.plan import Plan
from ..policy.plans import Plans
from ..policy.requirement import Requirement
from ..policy.settings import Settings, read_settings
from ..policy.unless import Condition, dropped, known_as_dropped
from ..rendering.translations import check_translations
from ..resource_metadata.declaration import DeclaredResources
from ..resource_metadata.document import ProtectedResource
from ..resource_metadata.endpoint import DocumentIndex, index_documents
from ..resource_metadata.membership import build_documents, resource_by_endpoint
from ..schemes.base import AnyScheme, validated_realm
from ..schemes.scheme_checks import check_attributes, check_challenges
from ..schemes.state_access import EXTENSION, no_auth_error, warn_of_switch

if TYPE_CHECKING:  # Only apps with such an endpoint, and audits, load it.
    from ..backchannel_logout import LogoutEndpoint
    from ..forward_auth.endpoint import Endpoint as ForwardAuthEndpoint
    from ..policy.routes import Route

_NAMES_WITHOUT_MEANING: Final = frozenset({"__init__", "__main__", "app", "create_app", "main", "wsgi"})
"""Names of modules and functions that don't say which app it is, so that they make no realm."""
_UNBOUND: Final = (
    "endpoint %r accepts tokens of %s that are bound to no key, beside those of %s: a stolen token is enough. "
    "Write Auth(..., bound_only=True), which needs Bearer(..., certificate=...) or no Bearer; or name the scheme, "
    "@auth.login_required(via=...). Auth(..., bound_only=False) says that both are meant"
)
ErrorHandler = Callable[[Any], Any]


class AppState:
    """The state of one app: its settings, the effective requirements of its endpoints, and their plans.

    Attributes:
        ready: Whether the set-up was checked and has no mistake.
        got_first_request: Whether the app has served a request, so that its set-up can't change any more.
        mistake: What the check before the first request found.
        finish_set_up: Wraps the guarded views, when all routes and hooks are known. `Auth.init_app` sets it.
        diagnostics_enabled: Whether bodies explain refusals to the developer.
        has_response_hooks: Whether the app, its blueprints or other extensions have ``after_request`` functions.
        views_at_set_up: By endpoint, the view function at the end of the set-up; the dispatch form of a guarded view.
        app_handlers: Which error handler of the app an error has, filled while serving.
        logged_once: What was logged and isn't logged again.
        documents: The metadata of protected resources (RFC 9728).
        serves_metadata: Whether the app serves them.
        forward_auth: The endpoints that reverse proxies ask, by path.
        backchannel_logout: The endpoints at which OpenID providers end logins, by path.
    """

    def __init__(
        self, configuration: Configuration, resources: DeclaredResources, apps: Iterable["AppState"], app: Flask
    ) -> None:
        self.configuration: Final = configuration
        self.app: Final = app
        self.effective: Final = EffectiveRequirements(configuration, app)
        self.plans: Final = Plans(configuration, app, self.effective, self)
        self.settings = Settings()
        self.realm = ""
        self.realm_is_default = False
        self.diagnostics_enabled = False
        self.ready = False
        self.got_first_request = False
        self.mistake: str | None = None
        self.finish_set_up: Callable[[], None] = lambda: None
        self.has_response_hooks = False
        self.views_at_set_up: dict[str, Callable[..., Any]] = {}
        self.app_handlers: dict[tuple[str | None, type[Exception], int | None], ErrorHandler | None] = {}
        self.logged_once: set[object] = set()
        self.token_issuers: dict[str, bool] = {}
        self.documents: DocumentIndex = {}
        self.serves_metadata = False
        self.forward_auth: dict[str, ForwardAuthEndpoint] = {}
        self.backchannel_logout: dict[str, LogoutEndpoint] = {}
        self._declared_resources = resources
        self._apps = apps  # all apps of the `Auth`: a resource may lie in several
        self._lock = threading.RLock()
        renew_after_fork(self, threading.RLock)

    @property
    def schemes(self) -> Sequence[AnyScheme]:
        """All schemes of the app's `Auth`."""
        return self.configuration.schemes

    def requirements(self, endpoint: str) -> list[Requirement]:
        """Return all that an endpoint demands; see `EffectiveRequirements.for_all_methods`."""
        return self.effective.for_all_methods(endpoint)

    def is_guarded(self, endpoint: str) -> bool:
        """Return whether an endpoint demands a caller for GET, by which a redirect leads to it."""
        demanded = self.effective.for_endpoint(endpoint, "GET")
        return demanded is not None and not demanded.optional

    def is_first(self, *key: object) -> bool:
        """Return whether this key comes for the first time: for what is logged once."""
        if key in self.logged_once:
            return False
        self.logged_once.add(key)
        return True

    # --- before the first request

    def check(self) -> None:
        """Check everything that can be wrong before a request comes, and compile the plans.

        Raises:
            ConfigurationError: For the first mistake.
        """
        app, configuration = self.app, self.configuration
        with self._lock:
            self.effective.refresh()
            self.plans.forget()
            self.app_handlers.clear()
            self.settings = self.plans.settings = read_settings(app.config)
            self.diagnostics_enabled = app.debug if self.settings.explain is None else self.settings.explain
            check_translations(configuration.translations)
            self._warn_of_weakening_settings()
            self.realm = self.plans.realm = self._find_realm()
            for scheme in configuration.schemes:
                check_attributes(scheme)
                scheme.check(app)
                check_challenges(scheme, app, self.realm)
            if self.forward_auth:
                from ..proxies import refuse_second_proxy_fix  # only apps with such an endpoint load it

                refuse_second_proxy_fix(app)
            for endpoint_of_provider in self.backchannel_logout.values():
                endpoint_of_provider.check(app)
            self.effective.check()
            declared = self._declared_resources.declared
            self.plans.resources = {**resource_by_endpoint(self.effective, declared)}
            self.documents = index_documents(self.build_documents())
            for endpoint in app.view_functions:
                for method in (None, *self.effective.method_guards.get(endpoint, ())):
                    if self.effective.for_endpoint(endpoint, method) is not None:
                        self.plans.compile_all(endpoint, method)
                        self._warn_of_unbound_tokens(endpoint, method)

    def _warn_of_unbound_tokens(self, endpoint: str, method: str | None) -> None:
        """Warn once of views that demand bound tokens of one scheme, and accept unbound ones of another."""
        schemes = self.plans.for_endpoint(endpoint, None, method).schemes
        unbound = self.configuration.unbound_beside_bound(schemes)
        if unbound and self.is_first("unbound tokens"):
            others = [scheme for scheme in schemes if scheme.oauth and scheme not in unbound]
            log.warning(_UNBOUND, endpoint, _names(unbound), _names(others))

    def _warn_of_weakening_settings(self) -> None:
        """Warn once of settings that weaken the app, outside of debug mode and tests."""
        if self.app.debug:
            return
        if self.settings.explain:
            warn_of_switch(
                self.app,
                "UNAUTHORIZED_EXPLAIN is True outside of debug mode: each refusal tells its caller which check failed "
                "and what it expected, which helps attackers: remove the setting, and read the reasons in the log",
            )
        if self.settings.guard == "off":
            warn_of_switch(
                self.app,
                "UNAUTHORIZED_GUARD='off': a 401 of other code leaves without a challenge, and caches may store "
                "refusals whose headers a hook has replaced: use 'repair'",
            )

    def build_documents(self) -> dict[ProtectedResource, bytes]:
        """Return the metadata of all declared resources, over all apps of the `Auth`."""
        return build_documents(self._apps, self._declared_resources.declared)

    def routes(self) -> "tuple[Route, ...]":
        """Return the table of the app's routes as they are now. Nothing of the app is called.

        Raises:
            ConfigurationError: If the demands of a route can't be met together, or if its URLs belong to different
                resources.
        """
        from ..policy.routes import find_routes  # only audits and declared resources load it

        # Not `self.effective`, which a running check may be changing, and which may know fewer views.
        effective = EffectiveRequirements(self.configuration, self.app)
        effective.refresh()
        return find_routes(effective, resource_by_endpoint(effective, self._declared_resources.declared))

    def _find_realm(self) -> str:
        self.realm_is_default = self.settings.realm is None and self.configuration.realm is None
        return self.realm_by(self.settings)

    def realm_by(self, settings: Settings) -> str:
        """Return the realm of schemes without their own. Raises `ConfigurationError` for one that can't be sent."""
        realm = settings.realm if settings.realm is not None else self.configuration.realm
        if realm is not None:
            return validated_realm(realm)
        try:
            return validated_realm(default_realm(self.app.name))
        except ConfigurationError as error:
            raise ConfigurationError(
                f"the app's name is the realm unless another one is set, and {error}: set UNAUTHORIZED_REALM"
            ) from None

    def prepare(self) -> None:
        """Check once, for code that needs the state outside of a request: a test's request context, a command."""
        with self._lock:
            if not self.ready:
                self.check()
                self.ready = True

    def serve(self, endpoint: str | None, finish: Callable[[], None]) -> None:
        """Check before the first request, whatever was prepared, and then call ``finish`` once.

        Args:
            endpoint: The endpoint of the request.
            finish: Finishes the set-up of the app.

        Raises:
            Exception: What a loader, a scheme or a store raised in the check, if the endpoint may be guarded.
        """
        with self._lock:
            if self.got_first_request:
                return
            try:
                self.check()
            except ConfigurationError as error:
                self.mistake = str(error)
                log_event(
                    logging.CRITICAL,
                    "misconfigured",
                    "guarded views respond with 500, for the app %r is not set up: %s",
                    self.app.name,
                    error,
                    reason_code="misconfigured",
                )
            except Exception as error:  # code of the app, such as a loader's check, raises whatever it likes
                if endpoint is not None and self.effective.may_be_guarded(endpoint):
                    raise
                self.log_failed_check("guarded views respond with 500", error)
                return
            finish()
            self.ready, self.got_first_request = self.mistake is None, True

    def log_failed_check(self, consequence: str, error: Exception) -> None:
        """Log that a loader, a scheme or a store raised in the check, by the type of the exception.

        Guarded views raise the exception, and Flask logs it then. Its text may hold a secret, such as a database's URL.
        """
        log_event(
            logging.ERROR,
            "misconfigured",
            "%s until the check of the app %r passes: %s was raised in it",
            consequence,
            self.app.name,
            type(error).__name__,
            reason_code="unavailable",
        )

    # --- while serving

    def find_plan(
        self, request: Request, state: AuthenticationState, demanded: Requirement, guard: Callable[..., Any]
    ) -> Plan:
        """Return the plan of a guard whose rule doesn't know it: at the first request, or because of ``unless``."""
        self._warn_of_hidden_guard(request, guard)
        plan = self.plans.for_guard(request.url_rule, demanded, request.method)
        if plan.requirement.unless:
            return self.plan_for_request(request.endpoint, request, state, demanded)
        return plan

    def plan_for_request(
        self, endpoint: str | None, request: Request, state: AuthenticationState, extra: Requirement | None = None
    ) -> Plan:
        """Return the plan by which a request is judged: that of the levels that hold.

        If none holds, nothing is demanded, so the request has satisfied the plan. It isn't judged: no credentials are
        read, and a later question who is calling is answered as on any open route.

        Args:
            endpoint: The endpoint whose levels count.
            request: The request.
            state: Its state.
            extra: What a decorator or ``require()`` demands on top.

        Raises:
            TypeError: If a function of ``unless=`` returns anything else than a `bool`.
            Exception: What such a function raises.
        """
        plan = self.plans.for_endpoint(endpoint, extra, request.method)
        conditions = plan.requirement.unless
        if not conditions:
            return plan
        plan = self.plans.for_endpoint(endpoint, extra, request.method, dropped_levels(conditions, state))
        if plan.is_open and state.satisfied_plan is not plan:
            state.keep_satisfied_plan()
            state.satisfied_plan = plan
        return plan

    def known_plan(self, request: Request, state: AuthenticationState) -> Plan:
        """Return the plan of a request's endpoint as far as it is known. No function of ``unless=`` runs."""
        plan = self.plans.for_endpoint(request.endpoint, None, request.method)
        known = known_as_dropped(plan.requirement.unless, state.unless_results)
        return self.plans.for_endpoint(request.endpoint, None, request.method, known) if known else plan

    def is_hook(self, guard: Callable[..., Any]) -> bool:
        """Return whether a guard is a ``before_request`` function, or part of one."""
        hooks = (hook for hooks in self.app.before_request_funcs.values() for hook in hooks)
        return any(guard is function for hook in hooks for function in iter_wrapped(hook))

    def _warn_of_hidden_guard(self, request: Request, guard: Callable[..., Any]) -> None:
        """Warn once of an endpoint whose guard the set-up couldn't see, so that no response from above it is judged."""
        endpoint = request.endpoint
        if endpoint is None or endpoint not in self.app.view_functions or not self.got_first_request:
            return
        is_public = self.effective.public_mark(endpoint, request.method) is not None
        if self.requirements(endpoint) or is_public or self.is_hook(guard):
            return
        if self.is_first("hidden guard", endpoint):
            log.warning(
                "endpoint %r: a guard runs that is not among its decorators, so an answer that a decorator above it "
                "keeps would not be judged: give that decorator functools.wraps; if the view calls a guarded function "
                "itself, call auth.require() there, or mark the view @auth.public",
                endpoint,
            )


def dropped_levels(conditions: Iterable[Condition], state: AuthenticationState) -> frozenset[Condition]:
    """Return the functions of ``unless=`` whose levels demand nothing of a request; see `policy.unless.dropped`."""
    if state.unless_results is None:
        state.unless_results = {}
    return dropped(conditions, state.unless_results)


def _names(schemes: Iterable[AnyScheme]) -> str:
    return ", ".join(scheme.name for scheme in schemes)


def default_realm(name: str) -> str:
    """Derive the realm from an app's import name: its last part that says more than where the app object is.

    ``"shop.app"`` gives ``"shop"``. A name without such a part is used whole.
    """
    parts = (part for part in reversed(name.split(".")) if part and part not in _NAMES_WITHOUT_MEANING)
    return next(parts, name)


def app_state_of(app: Flask) -> AppState:
    """Return the state of an app.

    Raises:
        ConfigurationError: If no `Auth` serves the app.
    """
    state: AppState | None = app.extensions.get(EXTENSION)
    if state is None:
        raise no_auth_error(app)
    return state
