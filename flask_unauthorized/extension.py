"""`Auth`: the extension object that ties schemes, loaders and requirements to Flask."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from weakref import WeakKeyDictionary, WeakSet, ref

from flask import Blueprint, Flask
from werkzeug.exceptions import HTTPException

from .arguments import explains_arguments
from .authentication.authenticate import State, judge
from .browser.login import Sessions
from .errors import AuthError, ConfigurationError, MissingCredentials
from .identity import Identity
from .policy.decorations import Decorations, Demands, check_view, is_async, wrapping
from .policy.plan import AnyScheme, Plan
from .policy.requirement import Requirement, implied, requirement
from .rendering.renderers import BUILT_IN
from .rendering.translations import built_in_texts
from .resource_metadata.declaration import Resources
from .resource_metadata.endpoint import publish
from .responses.error_handler import Renderer
from .runtime.app_state import EXTENSION, AppState, Protection, protection_target, public_names, state_of
from .runtime.context import (
    STATE,
    announce,
    authenticate,
    complete_once,
    complete_raised,
    real_app,
    real_request,
    refuse,
    request_identity,
    state_for,
)
from .runtime.exception_groups import GROUPS, raise_refusal_of
from .runtime.flask_compat import options_response
from .runtime.installing import install
from .runtime.preconditions import PRECONDITIONS, ignore_preconditions_of_401
from .runtime.preflight import is_preflight
from .runtime.settings import read_settings
from .schemes.base import Scheme, checked_realm
from .signals import authenticated

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault
    from typing_extensions import Unpack

    U = TypeVarWithDefault("U", default=Any)
else:
    U = TypeVar("U")
V = TypeVar("V", bound=Callable[..., Any])
R = TypeVar("R", bound=Renderer)


class Auth(Sessions, Resources, Generic[U]):
    """Protects views, and answers every refusal as the RFCs ask. ``Auth[User]`` types `user`.

    ``schemes`` are offered in the order that most clients understand; ``challenge_order`` (scheme objects) fixes
    another one. ``realm`` is that of schemes without their own; default: the last part of the app's import name that
    isn't ``app``, ``main``, ``wsgi`` or the like. ``implied_scopes`` maps a scope to those that it includes.
    ``unavailable`` are exception classes of loaders that mean "we can't know": 503 instead of 500. With ``app``,
    `init_app` is called.

    Raises `ConfigurationError` or `TypeError` for what cannot work.
    """

    @explains_arguments()
    def __init__(
        self,
        *schemes: AnyScheme,
        app: Flask | None = None,
        realm: str | None = None,
        implied_scopes: Mapping[str, Collection[str]] | None = None,
        unavailable: Sequence[type[Exception]] = (),
        challenge_order: Sequence[AnyScheme] | None = None,
    ) -> None:
        self.schemes = _schemes(schemes)
        self.realm = None if realm is None else checked_realm(realm)
        self.implied_scopes = implied(implied_scopes or {})
        self.challenge_order = self._own_schemes(challenge_order or (), "challenge_order")
        self.decorations = Decorations()
        self.renderers: dict[str, Renderer] = {}
        self.media_types = tuple(BUILT_IN)
        self.texts = built_in_texts()
        self._protected: WeakKeyDictionary[Any, Protection] = WeakKeyDictionary()
        self.watching: set[Callable[[], None]] = set()
        self.states: WeakSet[AppState] = WeakSet()
        self.resources = ()
        self._interned: WeakKeyDictionary[Requirement, ref[Requirement]] = WeakKeyDictionary()
        self.decorations.bare = {
            name: self._requirement(name, name == "login_optional", {}) for name in ("login_required", "login_optional")
        }
        self._set_unavailable(unavailable)
        if app is not None:
            self.init_app(app)

    # --- apps

    def init_app(self, app: Flask) -> None:
        """Serves ``app`` too. Raises `ConfigurationError` for a second `Auth` on it, without schemes, or too late."""
        if not isinstance(app, Flask):
            fix = ": auth.protect(blueprint) guards a blueprint" if isinstance(app, Blueprint) else ""
            raise TypeError(f"init_app takes a Flask app, not {app!r}{fix}")
        if not self.schemes:
            raise ConfigurationError("Auth has no scheme, so nobody could get in: Auth(Bearer(load_user))")
        if EXTENSION in app.extensions:
            same = app.extensions[EXTENSION].auth is self
            raise ConfigurationError(
                f"init_app was called twice for the app {app.name!r}: call it once"
                if same
                else f"the app {app.name!r} has another Auth already: give all schemes to one Auth"
            )
        read_settings(app.config)  # a wrong setting is found at once, though it may still change
        state = AppState(self, app)
        try:
            install(app, state)
        except AssertionError:
            raise ConfigurationError(
                f"the app {app.name!r} has served a request: call init_app before the first one"
            ) from None
        self.states.add(state)
        if self.resources:
            publish(state)

    def check(self, app: Flask) -> None:
        """Runs now what the first request would check; raises `ConfigurationError`."""
        if not isinstance(app, Flask):
            raise TypeError(f"check takes a Flask app, not {app!r}")
        state = state_of(app)
        if state.auth is not self:
            raise ConfigurationError(f"the app {app.name!r} is served by another Auth: call check() of that one")
        state.check()

    # --- demands

    @overload
    def login_required(self, view: V, /) -> V: ...

    @overload
    def login_required(self, **demands: "Unpack[Demands]") -> Callable[[V], V]: ...

    def login_required(self, *view: Any, **demands: Any) -> Any:
        """Decorates a view that runs only for callers who meet the demands; stands below the route.

        ``via``: the schemes to choose from; ``scopes``, ``roles``: all of them, `any_of` for one of several; ``acr``:
        acceptable login classes in order of preference; ``max_age``: seconds since the login. Without arguments any
        identity will do. Raises `TypeError` or `ConfigurationError` when decorating.
        """
        return self._decorator("login_required", view, False, demands)

    @overload
    def login_optional(self, view: V, /) -> V: ...

    @overload
    def login_optional(self, **demands: "Unpack[Demands]") -> Callable[[V], V]: ...

    def login_optional(self, *view: Any, **demands: Any) -> Any:
        """Decorates a view that also runs for callers who sent nothing; bad credentials are refused all the same."""
        return self._decorator("login_optional", view, True, demands)

    @overload
    def public(self, view: V, /) -> V: ...

    @overload
    def public(self, *, via: AnyScheme | Collection[AnyScheme] | None = None) -> Callable[[V], V]: ...

    def public(self, *view: Any, via: AnyScheme | Collection[AnyScheme] | None = None, **unknown: Any) -> Any:
        """Marks a view as open on purpose, whatever `protect` says; returns it unchanged.

        Args:
            view: The view, where the decorator is used bare.
            via: The schemes that the view's own 401 offers, such as that of a login endpoint. Default: all of them.

        Raises:
            TypeError: For what is no view or no scheme.
            ConfigurationError: For a view that is guarded, and for a scheme that this `Auth` doesn't have.
        """
        for name in unknown:
            raise TypeError(f"public() has no keyword {name}: a public view demands nothing, so it takes only via")
        if len(view) > 1 or (view and via is not None):
            raise TypeError("public takes a view alone, or via=: @auth.public(via=bearer)")
        offered = self._requirement("public", False, {"via": via}).via

        def mark(marked: V) -> V:
            check_view(marked, "public")
            self.decorations.mark_public(marked, offered)
            return marked

        return mark(view[0]) if view else mark

    def protect(self, target: Flask | Blueprint, *, public: Collection[str] = (), **demands: "Unpack[Demands]") -> None:
        """Denies by default: all views of an app or a blueprint, present and future, need an identity.

        ``public`` names endpoints left open (``"static"``), relative to the blueprint; the demands are those of
        `login_required`. Raises `ConfigurationError` where the target is protected with something else already.
        """
        protection = Protection(self._requirement("protect", False, demands), public_names(public))
        target = protection_target(target)
        known = self._protected.get(target)
        if known == protection:
            return
        if known is not None:
            raise ConfigurationError(
                f"{target!r} is already protected with {known.requirement!r}: call protect() once, with all demands"
            )
        for state in self.states:
            if state.served and (target is state.app or target in state.app.blueprints.values()):
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call protect() before the first one"
                )
        self._watch(target)
        self._protected[target] = protection

    def _watch(self, target: Flask | Blueprint) -> None:
        """Denies by default even where `init_app` was forgotten, or another `Auth` serves the app."""

        def refuse_unserved() -> None:
            self._check_served(state_of(real_app()))

        try:
            target.before_request(refuse_unserved)
        except AssertionError:
            if not any(target in state.app.blueprints.values() for state in self.states):
                raise ConfigurationError(
                    f"{target!r} is in use already: call protect() before it is registered, or after init_app"
                ) from None
        self.watching.add(refuse_unserved)

    def require(self, **demands: "Unpack[Demands]") -> Identity:
        """The caller, who must meet the view's demands and these (as in `login_required`); else refuses.

        To be called in a view or a ``before_request`` function. Returns the `Identity`; raises `AuthError`.
        """
        demanded = self._requirement("require", False, demands)
        request = real_request()
        state = state_for(request)
        self._check_served(state.app)
        state.note_met()
        identity = authenticate(state.app.plan(request.endpoint, demanded, request.method), request, state)
        if identity is None:
            raise RuntimeError("a demand that is not optional was met by nobody")
        return identity

    # --- the caller

    @property
    def identity(self) -> Identity:
        """The caller; anonymous raises `MissingCredentials`, outside a request `RuntimeError`.

        In a view that nothing guards it is `require`: nobody has asked yet who is calling.
        """
        state = getattr(real_request(), STATE, None)
        return (None if state is None else state.identity) or self._asked_now()

    @property
    def user(self) -> U:
        """The loader's user object; anonymous as for `identity`.

        Raises `RuntimeError` where the loader gave a subject or an `Identity` without ``user``: `identity` is there.
        """
        user: Any = self.identity.user
        if user is None:
            raise RuntimeError(
                f"the loader of {self.scheme!r} gave no user object: return your user or Identity(subject, user=…) "
                "there, or read auth.identity here"
            )
        return user  # type: ignore[no-any-return]  # the loader's type is the developer's word

    def get_identity(self) -> Identity | None:
        """The caller, ``None`` for anonymous; outside a request `RuntimeError`."""
        return request_identity()

    def get_user(self) -> U | None:
        """The loader's user object, ``None`` for anonymous or where it gave none; outside a request `RuntimeError`."""
        identity = request_identity()
        user: U | None = None if identity is None else identity.user
        return user

    @property
    def scheme(self) -> AnyScheme | None:
        """The scheme object that the caller used, ``None`` for anonymous."""
        state = getattr(real_request(), STATE, None)
        return None if state is None else state.scheme

    # --- bodies

    def renderer(self, media_type: str) -> Callable[[R], R]:
        """Registers a renderer for a media type: the error in; ``str``, ``bytes``, a ``dict`` (JSON) or a response out.

        Status and challenges are put back whatever it does; where it fails, the built-in answer is sent.
        """
        media = _media_type(media_type)

        def register(render: R) -> R:
            if not callable(render):
                raise TypeError(f"a renderer must be callable, not {render!r}")
            if media in self.renderers:
                raise ConfigurationError(f"there is a renderer for {media} already: register one only")
            self.renderers[media] = render
            self.media_types = tuple(dict.fromkeys((*BUILT_IN, *self.renderers)))
            return render

        return register

    def allow_shared_cache(self) -> None:
        """Lets shared caches keep the answer to this request, if its ``Cache-Control`` says so.

        Call this in a view whose answer is the same for all callers. Otherwise ``private`` is added to the
        ``Cache-Control`` of an answer to an identified caller (RFC 9111 §3.5), and ``public`` and ``s-maxage`` are
        removed. Refusals stay ``no-store``. Raises `RuntimeError` outside a request.
        """
        state_for(real_request()).shared = True

    # --- inside

    def protection_of(self, target: Any) -> Protection | None:
        """What `protect` was told of an app or a blueprint."""
        return self._protected.get(target)

    def _requirement(self, where: str, optional: bool, demands: Mapping[str, Any]) -> Requirement:
        demanded = requirement(where, demands, is_scheme=Scheme, optional=optional)
        if demanded.via is not None:
            self._own_schemes(demanded.via, "via")
        # One object per demand, for plans are found by id: flask-restful decorates anew on each request.
        known = self._interned.get(demanded)
        found = None if known is None else known()
        if found is None:
            self._interned[demanded] = ref(demanded)
        return found or demanded

    def own_schemes(self, via: AnyScheme | Collection[AnyScheme]) -> tuple[AnyScheme, ...]:
        """The schemes in ``via``. Raises `TypeError`, and `ConfigurationError` for another Auth's scheme."""
        return self._requirement("abort_unauthorized", False, {"via": via}).via or ()

    def _own_schemes(self, schemes: Sequence[AnyScheme], where: str) -> tuple[AnyScheme, ...]:
        if isinstance(schemes, (str, Scheme)) or not isinstance(schemes, Iterable):
            raise TypeError(
                f"{where} must be a sequence of the schemes of this Auth, not {schemes!r}: write {where}=[scheme]"
            )
        for scheme in schemes:
            if scheme not in self.schemes:
                raise ConfigurationError(
                    f"{where} names {scheme!r}, which this Auth doesn't have: pass it to Auth(...)"
                )
        return tuple(schemes)

    def _decorator(self, name: str, views: tuple[Any, ...], optional: bool, demands: dict[str, Any]) -> Any:
        if len(views) > 1 or (views and demands):
            raise TypeError(f"{name} takes a view alone, or keywords: @auth.{name}(scopes={{...}})")
        demanded = self._requirement(name, optional, demands)

        def decorate(view: Any) -> Any:
            check_view(view, name)
            wrapper = self.wrap(view, demanded)
            self.decorations.record(wrapper, view, demanded)
            return wrapper

        if views:
            return decorate(views[0])
        self.decorations.record_decorator(decorate, demanded)
        return decorate

    def wrap(self, view: Any, demanded: Requirement) -> Any:
        """A function that judges, then runs the view; ``async def`` around one that is.

        ``demanded`` is what a decorator adds to the endpoint's requirement; for a view that only `protect` guards it
        is that requirement itself.
        """
        if not is_async(view):
            return wrapping(view)(self._gate(view, demanded))
        gate = self._gate(_run, demanded)

        @wrapping(view)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            answer = gate()
            if answer is not _run:
                return answer
            try:
                answer = await view(*args, **kwargs)
            except AuthError as error:
                complete_raised(error)
                raise
            except GROUPS as group:
                request = real_request()
                raise_refusal_of(group, request, state_for(request))
                raise
            state_for(real_request()).refused = None  # the view caught it, and what it answers is its own
            return answer

        return guarded

    def _gate(self, view: Any, demanded: Requirement) -> Any:
        """What runs on each request: one function, for every call that it saves counts."""
        key = id(demanded)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            request = real_request()
            if request.method == "OPTIONS" and is_preflight(request) and self._answers_preflights(guarded, demanded):
                return options_response(real_app())
            try:
                plan = request.url_rule._unauthorized[key]
            except (AttributeError, KeyError):
                plan = self._plan(request, demanded, guarded)
            state = getattr(request, STATE, None)
            if state is None:
                state = request._unauthorized = State()
                state.app = plan.owner
            try:
                judge(plan, request, state)
                if authenticated.receivers:
                    announce(state)
                if plan.owner.has_response_hooks and not request.environ.keys().isdisjoint(PRECONDITIONS):
                    ignore_preconditions_of_401(request)
                answer = view(*args, **kwargs)
            except AuthError as error:
                complete_once(error, request, state)
                raise
            except GROUPS as group:
                raise_refusal_of(group, request, state)
                raise
            if state.refused is not None:
                state.refused = None  # the view caught it, and what it answers is its own
            return answer

        return guarded

    def _answers_preflights(self, guard: Any, demanded: Requirement) -> bool:
        """Whether a guard is that of the endpoint or a ``before_request`` function; a guarded helper is neither."""
        request = real_request()
        app_state = state_for(request).app
        endpoint, method = request.endpoint, request.method
        if demanded in app_state.decorated(endpoint, method):
            return True
        if endpoint is not None and demanded == app_state.effective(endpoint, method):
            return True
        answers: bool = app_state.is_hook(guard)
        return answers

    def _plan(self, request: Any, demanded: Requirement, guard: Any) -> Plan:
        app_state = state_for(request).app
        self._check_served(app_state)
        app_state.warn_of_hidden_guard(request, guard)
        plan: Plan = app_state.plan_of_rule(request.url_rule, demanded, request.method)
        return plan

    def _check_served(self, app_state: AppState) -> None:
        if app_state.auth is not self:
            raise ConfigurationError(
                f"the app {app_state.app.name!r} is served by another Auth than the one that guards this view"
            )

    def _asked_now(self) -> Identity:
        request = real_request()
        state = state_for(request)
        if state.plan is None:
            return self.require()
        error = MissingCredentials(
            reason="auth.identity or auth.user was read, and no credentials came: get_identity() returns None then"
        )
        return refuse(error, request, state)

    def _set_unavailable(self, unavailable: Sequence[type[Exception]]) -> None:
        if isinstance(unavailable, type):
            raise TypeError(f"unavailable must be a sequence: write unavailable=({unavailable.__name__},)")
        if not isinstance(unavailable, Iterable):
            raise TypeError(f"unavailable must be a sequence of exception classes, not {unavailable!r}")
        kinds: tuple[type[Exception], ...] = tuple(unavailable)
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Exception)) or issubclass(kind, HTTPException):
                raise TypeError(
                    f"unavailable must be a sequence of exception classes of your dependencies, not {kind!r}"
                )
        for scheme in self.schemes:
            if scheme._served and scheme._unavailable != kinds:
                raise ConfigurationError(
                    f"{scheme!r} belongs to another Auth with other unavailable=: make a second object"
                )
            scheme._unavailable = kinds
            scheme._served = True


def _run() -> Any:
    """Stands for an async view, which its own wrapper runs after the gate."""
    return _run


def _schemes(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    for scheme in schemes:
        if not isinstance(scheme, Scheme):
            raise TypeError(
                f"Auth takes scheme objects such as Bearer(load_user), not {scheme!r}" + _instead_of(scheme)
            )
        if schemes.count(scheme) > 1:
            raise ConfigurationError(f"Auth was given {scheme!r} twice: give it once")
    return schemes


def _instead_of(given: Any) -> str:
    """What to write in place of ``given``, which is no scheme."""
    if isinstance(given, Flask):
        return ": pass the app as app=app, or to init_app()"
    if isinstance(given, type):
        return f": make an object, {given.__name__}(load_user)" if issubclass(given, Scheme) else ""
    if isinstance(given, (list, tuple, set, frozenset)):
        return ": pass each of them as an argument of its own"
    return ": pass the loader to a scheme, Bearer(load_user)" if callable(given) else ""


def _media_type(media_type: str) -> str:
    if callable(media_type):
        raise ConfigurationError(f'renderer takes a media type, not {media_type!r}: write @auth.renderer("text/html")')
    parts = media_type.split("/") if isinstance(media_type, str) else []
    if len(parts) != 2 or not all(parts) or "*" in media_type or ";" in media_type:
        raise ConfigurationError(f"{media_type!r} is not a media type: write type/subtype, such as text/html")
    return media_type.lower()
