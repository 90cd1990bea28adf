"""`Auth`: the extension object that ties schemes, loaders and requirements to Flask.

It is a facade. What was configured lies in a `Configuration`, which all apps read that this `Auth` serves. What depends
on one app lies in its `AppState`. Each method checks its arguments and hands the work to the room that does it.

`Auth.init_app` puts three things into an app: error handlers, a check before the first request, and the guard. At the
first request, when all routes and hooks are known, `_finish_set_up` wraps the guarded views, takes out what runs once,
and puts the guard after all other ``after_request`` functions.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload
from weakref import WeakSet, ref

from flask import Blueprint, Flask, Response, current_app, has_app_context
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from .arguments import explains_arguments, shows_keywords
from .errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    Forbidden,
    MalformedCredentials,
    MissingCredentials,
    TooManyAttempts,
    Unauthorized,
)
from .identity import Identity
from .policy.configuration import Configuration
from .policy.decorations import Demands, LevelDemands, check_view, takes_demands
from .policy.protection import Protection, protection_target, public_names, validated_reason
from .policy.requirement import Names
from .policy.settings import read_settings
from .rendering.renderers import Renderer
from .rendering.translations import Texts
from .resource_metadata.declaration import DeclaredResources, Views
from .resource_metadata.document import LocalizedText, Members, Strings
from .resource_metadata.endpoint import serve_metadata
from .responses.error_handler import handle_error, handle_group, respond_at_dispatch
from .responses.guard import guard
from .runtime.app_state import AppState, app_state_of
from .runtime.context import add_template_globals, request_identity, request_scheme
from .runtime.decorator import check_same_auth, guard_view
from .runtime.dispatch import wrap_views
from .runtime.exception_groups import GROUPS
from .runtime.refuse import authenticate, refuse
from .runtime.request_state import note_response_left, real_app, real_request, state_for, state_if_any
from .schemes.base import REMEMBER_COOKIE, AnyScheme
from .schemes.state_access import EXTENSION

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault
    from typing_extensions import Unpack

    from .backchannel_logout import LogoutEndpoint
    from .forward_auth.caller_headers import CallerHeaders
    from .forward_auth.endpoint import Endpoint
    from .jose import Key, Keys
    from .policy.routes import Route
    from .schemes.session.devices import DeviceSession

    U = TypeVarWithDefault("U", default=Any)
else:
    U = TypeVar("U")
V = TypeVar("V", bound=Callable[..., Any])
R = TypeVar("R", bound=Renderer)


class Auth(Generic[U]):
    """Protect views, and respond to every refusal as the RFCs ask.

    Write ``Auth[User]`` to tell type checkers the type of `user`.

    Example:
        Let only callers with a known token read ``/notes``::

            from flask import Flask
            from flask_unauthorized import Auth, Bearer
            from flask_unauthorized.loaders import StaticTokens

            app = Flask(__name__)
            auth = Auth(Bearer(StaticTokens({"9Zk3v1xQ7mB4tY8wLr2c6A": "ada"})), app=app)

            @app.get("/notes")
            @auth.login_required
            def notes():
                return f"Notes of {auth.identity.subject}"

    Args:
        *schemes: The schemes by which callers may authenticate. Challenges are offered in the order that most clients
            understand.
        app: An app to serve at once; see `init_app`.
        realm: The realm of schemes without their own. Default: the last part of the app's import name that isn't
            ``app``, ``main``, ``wsgi`` or the like.
        implied_scopes: Maps a scope to those that it includes: ``{"write": {"read"}}``. Scopes that these include count
            too.
        unavailable: Exception classes of your loaders that mean "the back end is unavailable": 503 instead of 500.
        challenge_order: Scheme objects whose challenges go first, in this order.
        bound_only: ``True``: `Bearer`, `DPoP` and other schemes for OAuth access tokens accept only tokens that are
            bound to a key or a certificate, which the caller proves to have. ``False``: views may also accept other
            tokens beside those. Default: they may, and the log warns of views that do.

    Attributes:
        schemes: The scheme objects.

    Raises:
        ConfigurationError: For what can't work.
        TypeError: For arguments of a wrong type.
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
        bound_only: bool | None = None,
    ) -> None:
        self._configuration = Configuration(
            schemes,
            realm=realm,
            implied_scopes=implied_scopes or {},
            unavailable=unavailable,
            challenge_order=challenge_order or (),
            bound_only=bound_only,
        )
        self._configuration.decorations.auth_ref = ref(self)
        self._resources = DeclaredResources()
        self._app_states: WeakSet[AppState] = WeakSet()
        self._forward_auth: list[Endpoint] = []
        self._backchannel_logout: list[LogoutEndpoint] = []
        self.schemes = self._configuration.schemes
        if app is not None:
            self.init_app(app)

    @property
    def texts(self) -> dict[str, Texts]:
        """The texts of the refusal page, by language tag and key.

        Change them before the first request.

        Example:
            Change a text of the English page::

                auth.texts["en"]["missing.title"] = "Members only"
        """
        return self._configuration.translations

    # --- apps

    def init_app(self, app: Flask) -> None:
        """Serve an app. One `Auth` may serve many.

        Example:
            Serve an app that a factory makes::

                from flask import Flask
                from flask_unauthorized import Auth, Bearer

                auth = Auth(Bearer(load_user))

                def create_app():
                    app = Flask(__name__)
                    auth.init_app(app)
                    return app

        Args:
            app: The app, before its first request.

        Raises:
            ConfigurationError: For a second `Auth` on the app, without schemes, or after the app's first request.
            TypeError: If ``app`` isn't a Flask app.
        """
        if not isinstance(app, Flask):
            fix = ": auth.protect(blueprint) guards a blueprint" if isinstance(app, Blueprint) else ""
            raise TypeError(f"init_app takes a Flask app, not {app!r}{fix}")
        if not self.schemes:
            raise ConfigurationError("Auth has no scheme, so it would reject every caller: Auth(Bearer(load_user))")
        if EXTENSION in app.extensions:
            same = app_state_of(app).configuration is self._configuration
            raise ConfigurationError(
                f"init_app was called twice for the app {app.name!r}: call it once"
                if same
                else f"the app {app.name!r} has another Auth already: give all schemes to one Auth"
            )
        read_settings(app.config)  # a wrong setting is found at once, though it may still change
        state = AppState(self._configuration, self._resources, self._app_states, app)
        try:
            _register(app, state)
        except AssertionError:
            raise ConfigurationError(
                f"the app {app.name!r} has served a request: call init_app before the first one"
            ) from None
        self._app_states.add(state)
        if self._resources.declared:
            serve_metadata(state)
        if self._forward_auth:
            from .forward_auth.endpoint import add_endpoint  # only apps with such an endpoint load it

            for endpoint in self._forward_auth:
                add_endpoint(state, endpoint)
        if self._backchannel_logout:
            from .backchannel_logout import add_logout_endpoint  # only apps with such an endpoint load it

            for logout in self._backchannel_logout:
                add_logout_endpoint(state, logout)

    def check(self, app: Flask) -> None:
        """Check now what the first request would check.

        Call it at the end of ``create_app()``. The command ``flask unauthorized check`` does the same.

        Example:
            Stop the start of the app if its set-up has a mistake::

                auth.check(app)

        Args:
            app: An app that this `Auth` serves.

        Raises:
            ConfigurationError: For the first mistake.
            TypeError: If ``app`` isn't a Flask app.
        """
        self._state_of("check", app).check()

    def routes(self, app: Flask) -> "tuple[Route, ...]":
        """List what each route of an app demands.

        It needs no request and no context. No loader, store or view is called. The configuration isn't checked; call
        `check` for that. An app has one `Auth`: ask that one.

        Args:
            app: An app that this `Auth` serves.

        Returns:
            One `Route` for each rule and group of methods that demand the same, sorted by rule. ``route.state`` is
            ``"guarded"``, ``"optional"``, ``"conditional"``, ``"public"``, ``"open"`` or ``"unknown"``. A call of
            `require` inside a view can't be seen, so such a view is open or public.

        Raises:
            ConfigurationError: If the demands of a route can't be met together, if no `Auth` serves the app, or if
                another one does.
            TypeError: If ``app`` isn't a Flask app.

        Example:
            Let a test fail when a view opens::

                open_rules = {route.rule for route in auth.routes(app) if route.state in ("open", "unknown")}
                assert open_rules <= {"/health"}, open_rules
        """
        return self._state_of("routes", app).routes()

    def openapi(self, document: dict[str, Any], *, app: Flask | None = None, prefix: str = "") -> dict[str, Any]:
        """Add to an OpenAPI document what each operation demands, and its refusals.

        The operations of guarded routes get ``security`` and the responses 400, 401, 403, 429 and 503, as far as they
        can happen. What the document says already stays as it is. No loader, store or view is called.

        Args:
            document: A document of version 2.0 (Swagger), 3.0, 3.1 or 3.2. It isn't changed.
            app: The app that the document describes. Default: the current app, or the only app of this `Auth`.
            prefix: The path that the rules of the app have before the paths of the document, such as ``"/api"``.
                Default: that of ``basePath`` or ``servers``, if there are such rules.

        Returns:
            A new document.

        Raises:
            ConfigurationError: If the document can't be read, or has another security scheme under the name of one of
                the app's. Also if the app isn't one of this `Auth`, or has several and none is current.
            TypeError: If an argument has the wrong type.

        Example:
            Complete a document that you wrote by hand::

                @app.get("/openapi.json")
                @auth.public
                def describe_api():
                    return auth.openapi({"openapi": "3.1.0", "info": {"title": "Notes", "version": "1"}, "paths": {}})
        """
        from .openapi.describe import describe  # only apps that make a document load it

        return describe(document, self._state_of("openapi", self._only_app("openapi") if app is None else app), prefix)

    def _only_app(self, method: str) -> Flask:
        """Return the current app, else the only one of this `Auth`."""
        apps = [state.app for state in self._app_states]
        current: Any = current_app
        if has_app_context() and current._get_current_object() in apps:
            return current._get_current_object()  # type: ignore[no-any-return]  # a proxy of Flask's
        if not apps:
            raise ConfigurationError(f"this Auth serves no app: call init_app(app) before {method}()")
        if len(apps) > 1:
            raise ConfigurationError(
                f"this Auth serves {len(apps)} apps: pass the one that is meant, {method}(..., app=app)"
            )
        return apps[0]

    def _state_of(self, method: str, app: Flask) -> AppState:
        if not isinstance(app, Flask):
            raise TypeError(f"{method} takes a Flask app, not {app!r}")
        state = app_state_of(app)
        if state.configuration is not self._configuration:
            raise ConfigurationError(f"the app {app.name!r} is served by another Auth: call {method}() of that one")
        return state

    # --- demands

    @overload
    def login_required(self, view: V, /) -> V: ...

    @overload
    def login_required(
        self,
        *,
        via: AnyScheme | Collection[AnyScheme] | None = None,
        scopes: Names | None = None,
        roles: Names | None = None,
        acr: str | list[str] | tuple[str, ...] | None = None,
        amr: Names | None = None,
        max_age: int | timedelta | None = None,
        redirect: bool = True,
        no_store: bool = False,
        authorization_details: Callable[[list[dict[str, Any]]], bool] | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> Callable[[V], V]: ...

    @takes_demands(LevelDemands)
    def login_required(self, *view: Any, **demands: Any) -> Any:  # noqa: D417  # as in its signature
        """Decorate a view that runs only for callers who meet the demands.

        Put it below the route. Without arguments, any identity will do. Write it bare (``@auth.login_required``) or
        with keywords.

        Example:
            Guard one view for all callers, and another one by a scope::

                @app.get("/notes")
                @auth.login_required
                def notes():
                    return auth.identity.subject

                @app.post("/notes")
                @auth.login_required(scopes={"notes:write"})
                def add_note():
                    return "added", 201

        Args:
            *view: The view, if the decorator is used without parentheses.
            via: The schemes to choose from, one or several. Default: all.
            scopes: The scopes that the caller must have, all of them; `any_of` for one of several.
            roles: The roles that the caller must have, all of them; `any_of` for one of several.
            acr: Acceptable classes of the login, in order of preference (RFC 9470).
            amr: Methods by which the caller must have logged in (RFC 8176), all of them; `any_of` for one of several.
            max_age: The longest time since the login: seconds or a `timedelta`.
            redirect: ``False`` if a refusal must never lead to the login page.
            no_store: ``True`` if no cache may store the responses of the view, whatever ``Cache-Control`` it sets. One
                level that says so is enough.
            authorization_details: A function that gets the ``authorization_details`` of the token, a list of dicts
                (RFC 9396), empty if it has none. It returns whether the caller may do what the request asks for;
                ``False`` is 403. It must return a `bool`; an exception is a 500.
            unless: A function without arguments. If it returns ``True``, this decorator demands nothing of the current
                request. It must return a `bool`.

        Raises:
            TypeError: For an unknown keyword or a value of a wrong type, when decorating.
            ConfigurationError: For a demand that can't be met, when decorating.
        """
        return self._decorate("login_required", view, demands, optional=False)

    @overload
    def login_optional(self, view: V, /) -> V: ...

    @overload
    def login_optional(
        self,
        *,
        via: AnyScheme | Collection[AnyScheme] | None = None,
        scopes: Names | None = None,
        roles: Names | None = None,
        acr: str | list[str] | tuple[str, ...] | None = None,
        amr: Names | None = None,
        max_age: int | timedelta | None = None,
        redirect: bool = True,
        no_store: bool = False,
        authorization_details: Callable[[list[dict[str, Any]]], bool] | None = None,
        unless: Callable[[], bool] | None = None,
    ) -> Callable[[V], V]: ...

    @takes_demands(LevelDemands)
    def login_optional(self, *view: Any, **demands: Any) -> Any:  # noqa: D417  # as in its signature
        """Decorate a view that also runs for anonymous callers.

        Invalid credentials are still refused.

        Example:
            Greet callers by their names if they have one::

                @app.get("/")
                @auth.login_optional
                def index():
                    identity = auth.get_identity()
                    return f"Hello {identity.subject}" if identity else "Hello"

        Args:
            *view: The view, if the decorator is used without parentheses.
            via, scopes, roles, acr, amr, max_age, redirect, no_store, authorization_details, unless: As in
                `login_required`, for callers who send credentials.

        Raises:
            TypeError: For an unknown keyword or a value of a wrong type, when decorating.
            ConfigurationError: For a demand that can't be met, when decorating.
        """
        return self._decorate("login_optional", view, demands, optional=True)

    @overload
    def public(self, view: V, /) -> V: ...

    @overload
    def public(
        self, *, via: AnyScheme | Collection[AnyScheme] | None = None, reason: str | None = None
    ) -> Callable[[V], V]: ...

    @shows_keywords()
    def public(  # noqa: D417  # as in its signature
        self,
        *view: Any,
        via: AnyScheme | Collection[AnyScheme] | None = None,
        reason: str | None = None,
        **unknown: Any,
    ) -> Any:
        """Mark a view as open on purpose, whatever `protect` says.

        The view is returned unchanged. In a class view, mark single methods, such as ``get``, which HEAD follows. Write
        ``decorators = [auth.public]`` to open the whole class.

        Example:
            Leave one view of a protected app open::

                auth.protect(app)

                @app.get("/health")
                @auth.public(reason="the load balancer asks")
                def health():
                    return "up"

        Args:
            *view: The view, if the decorator is used without parentheses.
            via: The schemes that the view's own 401 offers, such as that of a login endpoint. Only these identify a
                caller in this view. Default: all of them.
            reason: Why the view is open, for those who review the app. Callers never see it.

        Raises:
            TypeError: For what isn't a view, a scheme or a text, and for other keywords.
            ConfigurationError: For a view that is guarded, and for a scheme that this `Auth` doesn't have. `check`
                raises it for a guard of the whole class around a public method.
        """
        for name in unknown:
            raise TypeError(
                f"public() has no keyword {name}: a public view demands nothing, so it takes only via and reason"
            )
        if len(view) > 1 or (view and (via is not None or reason is not None)):
            raise TypeError("public takes a view alone, or via=: @auth.public(via=bearer)")
        offered = self._configuration.schemes_of("public", via)
        why = None if reason is None else validated_reason(reason, "public(reason=)")

        def mark(marked: V) -> V:
            check_view(marked, "public")
            self._configuration.decorations.mark_public(marked, offered, why)
            return marked

        return mark(view[0]) if view else mark

    @takes_demands(LevelDemands)
    def protect(  # noqa: D417  # as in its signature
        self,
        target: Flask | Blueprint,
        *,
        public: Collection[str] | Mapping[str, str] = (),
        **demands: "Unpack[LevelDemands]",
    ) -> None:
        """Deny by default: all views of an app or a blueprint need an identity.

        This holds for views that are registered later, too.

        Example:
            Protect an app, except its static files and one view::

                auth.protect(app, public={"static": "assets", "health": "the load balancer asks"})

                @app.get("/health")
                def health():
                    return "up"

        Args:
            target: The app or the blueprint.
            public: The names of endpoints that are left open, such as ``"static"``; relative to the blueprint. A
                mapping also says why each is open: ``{"static": "assets"}``.
            via, scopes, roles, acr, amr, max_age, redirect, no_store, authorization_details, unless: As in
                `login_required`.

        Raises:
            ConfigurationError: If the target is protected with other demands already, or is in use already.
            TypeError: For arguments of a wrong type.
        """
        configuration = self._configuration
        protection = Protection(configuration.make_requirement("protect", demands), public_names(public))
        target = protection_target(target)
        known = configuration.protections.get(target)
        if known == protection:
            return
        if known is not None:
            raise ConfigurationError(
                f"{target!r} is already protected with {known.requirement!r}: call protect() once, with all demands"
            )
        for state in self._app_states:
            if state.got_first_request and (target is state.app or target in state.app.blueprints.values()):
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call protect() before the first one"
                )
        self._refuse_while_unserved(target)
        configuration.protections[target] = protection

    def _refuse_while_unserved(self, target: Flask | Blueprint) -> None:
        """Deny by default even if `init_app` was forgotten, or another `Auth` serves the app."""

        def refuse_unserved() -> None:
            check_same_auth(self._configuration, app_state_of(real_app()))

        try:
            target.before_request(refuse_unserved)
        except AssertionError:
            if not any(target in state.app.blueprints.values() for state in self._app_states):
                raise ConfigurationError(
                    f"{target!r} is in use already: call protect() before it is registered, or after init_app"
                ) from None
        self._configuration.unserved_hooks.add(refuse_unserved)

    @takes_demands(Demands)
    def require(self, **demands: "Unpack[Demands]") -> Identity:  # noqa: D417  # as in its signature
        """Return the caller of this request, who must meet the view's demands and these.

        Call it in a view or a ``before_request`` function.

        Example:
            Demand more for some requests of a view::

                @app.get("/notes")
                @auth.login_required
                def notes():
                    if "all" in request.args:
                        auth.require(roles={"admin"})
                    return "notes"

        Args:
            via, scopes, roles, acr, amr, max_age, redirect, no_store, authorization_details: As in `login_required`.
                Write ``if`` in place of ``unless``.

        Raises:
            AuthError: If the caller doesn't meet the demands.
            ConfigurationError: If another `Auth` serves the app.
            RuntimeError: Outside a request.
        """
        demanded = self._configuration.make_requirement("require", demands)
        request = real_request()
        state = state_for(request)
        check_same_auth(self._configuration, state.app_state)
        state.keep_satisfied_plan()
        identity = authenticate(
            state.app_state.plan_for_request(request.endpoint, request, state, demanded), request, state
        )
        if identity is None:
            raise RuntimeError("a demand that is not optional was met without an identity")
        return identity

    # --- the caller

    @property
    def identity(self) -> Identity:
        """The caller. In a view that nothing guards, it asks for one as `require` does.

        Example:
            Read the subject of the caller in a guarded view::

                @app.get("/me")
                @auth.login_required
                def me():
                    return {"subject": auth.identity.subject, "scopes": sorted(auth.identity.scopes)}

        Raises:
            MissingCredentials: For an anonymous caller.
            RuntimeError: Outside a request.
        """
        return self._require_caller(
            "auth.identity or auth.user was read, and no credentials came: get_identity() returns None then"
        )

    def _require_caller(self, reason: str) -> Identity:
        """Return the caller; ``reason`` is that of the `MissingCredentials` for an anonymous one."""
        request = real_request()
        state = state_if_any(request)
        if state is not None and state.identity is not None:
            return state.identity
        state = state_for(request)
        if state.plan is not None:
            refuse(MissingCredentials(reason=reason), request, state)
        return self.require()

    @property
    def user(self) -> U:
        """The loader's user object.

        Example:
            Read the user object that the loader returned::

                @app.get("/me")
                @auth.login_required
                def me():
                    return auth.user.name

        Raises:
            MissingCredentials: For an anonymous caller.
            RuntimeError: Outside a request, and if the loader gave a subject or an `Identity` without ``user``:
                read `identity` there.
        """
        user: U | None = self.identity.user
        if user is None:
            raise RuntimeError(
                f"the loader of {self.scheme!r} gave no user object: return your user or Identity(subject, user=…) "
                "there, or read auth.identity here"
            )
        return user

    def get_identity(self) -> Identity | None:
        """Return the caller, or ``None`` for an anonymous one.

        Example:
            Ask for the caller in a hook, without refusing any::

                @app.before_request
                def note_caller():
                    identity = auth.get_identity()
                    app.logger.info("caller: %s", identity.subject if identity else "anonymous")

        Raises:
            RuntimeError: Outside a request.
        """
        return request_identity()

    def get_user(self) -> U | None:
        """Return the loader's user object, or ``None``.

        It is ``None`` for an anonymous caller, and if the loader returned no user object.

        Example:
            Show a name in a view that is open to all::

                @app.get("/")
                def index():
                    user = auth.get_user()
                    return user.name if user else "Hello, stranger"

        Raises:
            RuntimeError: Outside a request.
        """
        identity = request_identity()
        user: U | None = None if identity is None else identity.user
        return user

    @property
    def scheme(self) -> AnyScheme | None:
        """The scheme object that the caller used, ``None`` for an anonymous one.

        Example:
            Tell callers with a token from those with a session::

                @app.get("/me")
                @auth.login_required
                def me():
                    return {"scheme": auth.scheme.name}
        """
        return request_scheme()

    # --- people in browsers

    def login(
        self,
        who: Any,
        *,
        remember: bool = False,
        acr: str | None = None,
        amr: Iterable[str] | None = None,
        auth_time: float | None = None,
        keep: Iterable[str] = (),
        from_origins: Iterable[str] = (),
        issuer: str | None = None,
        sid: str | None = None,
    ) -> Identity:
        """Log the caller of this request in with the `SessionCookie`.

        A new session begins. The loader is asked for the user first, and the caller of this request is that user
        from then on. A request that a page of another site sent by an unsafe method is refused with 403, because it
        could log people into an account that isn't theirs (login CSRF).

        Example:
            Log a user in from a form::

                from werkzeug.security import check_password_hash

                @app.post("/login")
                def login():
                    user = find_user(request.form["name"])
                    if user and check_password_hash(user.password_hash, request.form["password"]):
                        auth.login(user.name)
                        return redirect(auth.next_url())
                    return "Name or password is wrong.", 422

        Args:
            who: A subject, a user object, or an `Identity` with a subject.
            remember: Also set a cookie that opens new sessions when this one has ended, for the time of
                ``SessionCookie(remember=)``. It ends with `logout`. Ask people whether they want it.
            acr: The class of the login, for views with ``acr=``. Default: that of the `Identity`.
            amr: The methods of the login, such as ``{"pwd", "otp"}`` (RFC 8176), for views with ``amr=``. Default:
                those of the `Identity`.
            auth_time: When the user authenticated, in seconds since 1970, for views with ``max_age=``. Default: that of
                the `Identity`, else now.
            keep: Keys of the session that stay. All other content is removed (session fixation). ``session.permanent``
                stays as it is.
            from_origins: Origins of identity providers whose pages post their response to you
                (``response_mode=form_post``, SAML), such as ``"https://idp.example"``. Check the provider's ``state``
                yourself.
            issuer: The identity provider where the user logged in, as its tokens name it (``iss``). It needs a store.
                It becomes the ``issuer`` of the identity. A logout by this provider ends the session. Sessions without
                an issuer stay.
            sid: The session at the provider (``sid`` of the ID token), if it names one. It needs ``issuer``.

        Returns:
            The identity that the scheme's loader gives for the user.

        Raises:
            AuthError: If the loader rejects ``who``. The previous user of this session is then logged out.
            AuthUnavailable: If the loader or the store is unavailable. The session stays as it was.
            CrossSiteRequest: If a page of another site sent the request.
            TypeError: If ``who`` names no user, or if there is ``sid`` without ``issuer``.
            ConfigurationError: If ``remember`` is ``True`` and the `SessionCookie` has no ``remember=``, if ``issuer``
                is given and no store lists devices, if ``from_origins`` holds a value that is not an origin, or if this
                `Auth` hasn't exactly one `SessionCookie`.
        """
        from .browser.login import log_in, session_scheme  # only apps with a SessionCookie load it

        scheme = session_scheme(self.schemes)
        return log_in(
            scheme,
            who,
            remember=remember,
            acr=acr,
            amr=amr,
            auth_time=auth_time,
            keep=keep,
            from_origins=from_origins,
            issuer=issuer,
            sid=sid,
        )

    def confirm(self, *, acr: str | None = None, amr: Iterable[str] | None = None) -> Identity:
        """Raise level and time of the caller's login (step-up).

        Call it when you have checked the second factor, or the password again. From now on the login has this ``acr``,
        these methods, and the present as its time. So views with ``acr=``, ``amr=`` and ``max_age=`` accept it. The
        session keeps its content and gets a new id; with a store, copies of the cookie from before end. A remembered
        login stays remembered, and the sessions that its cookie opens later have the level of the original login.

        Example:
            Let a user who has entered a second factor change the password::

                @app.post("/confirm")
                @auth.login_required
                def confirm():
                    if is_right_code(auth.identity.subject, request.form["code"]):
                        auth.confirm(amr={"pwd", "otp"})
                        return redirect(auth.next_url())
                    return "The code is wrong.", 422

        Args:
            acr: The class of the login from now on. Default: as it is.
            amr: All methods of the login from now on, such as ``{"pwd", "otp"}``. Default: as they are.

        Returns:
            The identity of the caller with the new level.

        Raises:
            MissingCredentials: If the caller isn't logged in by the `SessionCookie`.
            AuthError: If the loader rejects the user.
            AuthUnavailable: If the loader or the store is unavailable. The login stays as it was.
            CrossSiteRequest: If a page of another site sent the request.
            TypeError: If ``acr`` or ``amr`` has the wrong type.
            ConfigurationError: If this `Auth` hasn't exactly one `SessionCookie`.
        """
        from .browser.login import confirm, session_scheme  # only apps with a SessionCookie load it

        scheme = session_scheme(self.schemes)
        caller = self._require_caller("confirm() was called by an anonymous caller: guard the view with login_required")
        return confirm(scheme, caller, acr=acr, amr=amr)

    def logout(self, *, clear_cache: bool = True) -> None:
        """Log the caller of this request out, and empty the session.

        Call it in a view for POST. With a store, copies of the session cookie become invalid too.

        Example:
            Log out by a form::

                @app.post("/logout")
                def logout():
                    auth.logout()
                    return redirect("/")

        Args:
            clear_cache: Send ``Clear-Site-Data: "cache"``, so that the browser drops the pages that it has stored of
                this origin. Browsers follow it over HTTPS only.

        Raises:
            AuthUnavailable: If the store is unavailable. This browser is logged out nevertheless.
            CrossSiteRequest: If a page of another site sent the request.
            ConfigurationError: If this `Auth` hasn't exactly one `SessionCookie`.
            TypeError: If ``clear_cache`` isn't a ``bool``.
        """
        from .browser.login import log_out, session_scheme  # only apps with a SessionCookie load it

        log_out(session_scheme(self.schemes), clear_cache=clear_cache)

    @property
    def remembered(self) -> bool:
        """Whether a remember cookie has opened the caller's session, without a login.

        A login itself isn't remembered. ``max_age=`` of a view asks for a fresh one.

        Example:
            Ask people to log in again before they pay, if a cookie logged them in::

                @app.post("/pay")
                @auth.login_required
                def pay():
                    return redirect("/login") if auth.remembered else "paid"

        Raises:
            RuntimeError: Outside a request.
        """
        from .browser.devices import is_remembered  # only apps with a SessionCookie load it

        return is_remembered(request_scheme())

    def sessions(self, who: Any) -> "list[DeviceSession]":
        """Return the valid logins of a user, one for each device, the newest use first.

        It needs a store that can replace an entry atomically, as the stores of this package do. A user has at most 20:
        the next login ends the oldest. It needs an app context, and no request.

        Example:
            List the devices on which a user is logged in::

                @app.get("/devices")
                @auth.login_required
                def devices():
                    found = auth.sessions(auth.identity)
                    return [{"id": one.id, "device": one.label, "this": one.current} for one in found]

        Args:
            who: A subject, a user object, or an `Identity` with a subject.

        Returns:
            Objects with ``id``, ``created``, ``last_seen``, ``remembered``, ``current`` and ``label``. Sessions that
            began before the store was configured are listed once they are used again.

        Raises:
            AuthUnavailable: If the store is unavailable.
            TypeError: If ``who`` names no user.
            ConfigurationError: If no store lists devices, or if this `Auth` hasn't exactly one `SessionCookie`.
        """
        from .browser.devices import list_sessions  # only apps with a SessionCookie load it
        from .browser.login import session_scheme

        return list_sessions(session_scheme(self.schemes), who)

    def end_session(self, session_id: str, who: Any = None) -> bool:
        """End one login of a user, on one device.

        All sessions and copies of cookies that belong to it end. Call it in a view for POST. The login that this
        request uses ends as by `logout`.

        Example:
            End the login on one device::

                @app.post("/devices/<session_id>/end")
                @auth.login_required
                def end_device(session_id):
                    return {"ended": auth.end_session(session_id)}

        Args:
            session_id: The ``id`` of one of `sessions`.
            who: Whose login it is: a subject, a user object, or an `Identity`. Default: the caller's. So a page that
                takes the id out of a form ends no login of other users.

        Returns:
            Whether it was a valid login of this user.

        Raises:
            MissingCredentials: Without ``who``, if the caller is anonymous, or isn't logged in by the `SessionCookie`
                and names none of its users (a token of an issuer, an identity without a subject).
            AuthUnavailable: If the store is unavailable.
            CrossSiteRequest: If a page of another site sent the request, and it is a logout.
            TypeError: If ``who`` names no user.
            ConfigurationError: If no store lists devices, or if this `Auth` hasn't exactly one `SessionCookie`.
        """
        from .browser.devices import end_session  # only apps with a SessionCookie load it
        from .browser.login import session_scheme

        scheme = session_scheme(self.schemes)
        caller: Identity | None = None
        if who is None:
            caller = self._require_caller(
                "end_session() was called by an anonymous caller, without a user: guard the view with login_required"
            )
        return end_session(scheme, session_id, who, caller)

    def end_sessions(self, who: Any) -> None:
        """End all sessions that a user has begun until now, on all devices.

        Remembered ones end too. Call it after a change of the password. It needs a store, and an app context, because
        sessions belong to the realm of the app. It needs no request.

        Example:
            Log a user out everywhere after a change of the password::

                @app.post("/password")
                @auth.login_required
                def change_password():
                    subject = auth.identity.subject
                    auth.end_sessions(subject)
                    auth.login(subject)
                    return "changed"

        Args:
            who: A subject, a user object, or an `Identity` with a subject.

        Raises:
            AuthUnavailable: If the store is unavailable.
            TypeError: If ``who`` names no user.
            ConfigurationError: If the `SessionCookie` has no store, or if this `Auth` hasn't exactly one.
        """
        from .browser.devices import end_sessions  # only apps with a SessionCookie load it
        from .browser.login import session_scheme

        end_sessions(session_scheme(self.schemes), who)

    def end_all_sessions(self) -> None:
        """End all sessions that any user of the app has begun until now.

        Remembered ones end too. Call it after a leak. Users can log in again at once. One entry of the store ends them
        all, so it is as fast for a million users. It needs a store, and an app context, because sessions belong to the
        realm of the app. It needs no request. ``flask unauthorized end-sessions --all`` does the same.

        Example:
            Log all users out from a script::

                with app.app_context():
                    auth.end_all_sessions()

        Raises:
            AuthUnavailable: If the store is unavailable.
            ConfigurationError: If the `SessionCookie` has no store, or if this `Auth` hasn't exactly one.
        """
        from .browser.devices import end_all_sessions  # only apps with a SessionCookie load it
        from .browser.login import session_scheme

        end_all_sessions(session_scheme(self.schemes))

    def backchannel_logout(
        self,
        path: str,
        *,
        issuer: str,
        audience: str | Collection[str],
        keys: "Keys | Key | Iterable[Key] | None" = None,
        algorithms: Collection[str] | None = None,
        leeway: int | timedelta = 60,
        ahead: int | timedelta | None = None,
        require_typ: bool = False,
        subject: Callable[[str], str | None] | None = None,
        proxy: str | None = None,
    ) -> None:
        """Add the endpoint at which an OpenID provider ends logins.

        The standard is OpenID Connect Back-Channel Logout 1.0. Register the absolute URL of ``path`` with the provider
        as ``backchannel_logout_uri``. If a user logs out there, the provider posts a logout token to it, and the
        sessions that ``login(…, sid=, issuer=)`` has bound to that login end. Other sessions of the user go on.

        The endpoint is public, whatever hooks the app has, and needs no CSRF token: the token's signature authenticates
        the provider. It responds with 200, also if the user was logged out already; with 400 to what isn't a valid
        logout token, and to one that was accepted before; and with 503 if the store or the keys are unavailable, so
        that the provider may try again. Call this before the first request, once for each provider.

        Example:
            End logins when Keycloak says so::

                auth.backchannel_logout(
                    "/backchannel-logout", issuer="https://id.example.com/realms/notes", audience="notes-web"
                )

        Args:
            path: The path of the endpoint, such as ``"/backchannel-logout"``. It has no variables.
            issuer: The provider: the exact ``iss`` of its ID tokens.
            audience: The app's client id at the provider, or several.
            keys: The provider's keys; see `JWT`. Default: fetched from the issuer.
            algorithms: The algorithms that the provider may use; see `JWT`. ``none`` is impossible.
            leeway: How long after ``exp`` a token is accepted, because clocks differ: seconds or a `timedelta`.
            ahead: How far in the future ``iat`` and ``nbf`` may be: seconds or a `timedelta`. Default: ``leeway``.
            require_typ: Accept only tokens of the type ``logout+jwt``. The standard recommends that type, but some
                providers, such as Keycloak, send another one or none.
            subject: Maps the provider's ``sub`` to the subject that `login` was given. It returns ``None`` for an
                unknown user, and may be async. With it, a token that has both ``sub`` and ``sid`` ends the session only
                if both match. Default: ``sid`` decides if there is one. Else ``sub`` is taken as the subject.
            proxy: The URL of an HTTP proxy for fetching the keys.

        Raises:
            ConfigurationError: If a value can't work, if the path was given before, if this `Auth` hasn't exactly one
                `SessionCookie` with a store that can replace, or if an app has served a request.
            TypeError: If an argument has the wrong type.
        """
        # Only apps with such an endpoint load these modules.
        from .backchannel_logout import LogoutEndpoint, add_logout_endpoint
        from .browser.login import session_scheme
        from .loaders.jwt import DEFAULT_ALGORITHMS
        from .loaders.logout_tokens import LogoutTokens

        tokens = LogoutTokens(
            issuer,
            audience=audience,
            keys=keys,
            algorithms=DEFAULT_ALGORITHMS if algorithms is None else algorithms,
            leeway=leeway,
            ahead=ahead,
            require_typ=require_typ,
            proxy=proxy,
        )
        endpoint = LogoutEndpoint(path, tokens, session_scheme(self.schemes), subject)
        for state in self._app_states:
            if state.got_first_request:
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call backchannel_logout() before its first one"
                )
        if any(known.path == endpoint.path for known in self._backchannel_logout):
            raise ConfigurationError(
                f"backchannel_logout({endpoint.path!r}) was called twice: give each provider a path of its own"
            )
        for state in self._app_states:
            add_logout_endpoint(state, endpoint)
            state.ready = False
        self._backchannel_logout.append(endpoint)

    def next_url(self, default: str | None = None) -> str:
        """Return where to send the user after `login`: the page they asked for.

        That is the value of ``next`` in the query or the form of this request, if it is a path of this app other than
        the login and logout pages. Write ``return redirect(auth.next_url())``.

        Example:
            Return to the page that the user asked for::

                @app.post("/login")
                def login():
                    auth.login("ada")
                    return redirect(auth.next_url(default="/notes"))

        Args:
            default: What to return for a missing or unsafe ``next``. Default: the root of this app.

        Raises:
            ConfigurationError: If this `Auth` hasn't exactly one `SessionCookie`.
            RuntimeError: Outside a request.
        """
        from .browser.login import session_scheme  # only apps with a SessionCookie load it
        from .browser.next_url import next_url

        return next_url(session_scheme(self.schemes), real_request(), default)

    # --- clients that look for an authorization server

    @shows_keywords(Members, signing_algorithms=(), authorization_details_types=())
    def protected_resource(  # noqa: D417  # as in its signature
        self,
        resource: str,
        *,
        authorization_servers: Strings = (),
        scopes: Strings | None = None,
        name: LocalizedText | None = None,
        views: Views | None = None,
        origins: Strings | None = None,
        aliases: Strings = (),
        **members: "Unpack[Members]",
    ) -> str:
        """Publish the metadata of a protected resource (RFC 9728).

        The challenges of its views point to the document. Clients such as AI agents (MCP) find out from it where to get
        a token. Call this before the first request, once per resource. On 401 and 403 of the resource's views, each
        Bearer and DPoP challenge has ``resource_metadata``, and a ``scope`` with all scopes that the view demands. The
        document is public, whatever hooks the app has. What it says about DPoP, certificates and ways to send a token
        follows from the schemes.

        Example:
            Tell clients which server issues tokens for ``/mcp``::

                @app.get("/mcp")
                @auth.login_required(scopes={"notes:read"})
                def mcp():
                    return "tools"

                auth.protected_resource(
                    "https://api.example.com/mcp", authorization_servers=["https://id.example.com"], name="Notes"
                )

        Args:
            resource: The identifier: the URL that clients know, such as ``https://api.example.com/mcp``. It is
                published byte for byte.
            authorization_servers: The issuers of tokens for this resource.
            scopes: Scopes to list in addition to those that the views demand.
            name: The name that people see: a ``str``, or a mapping of language tags to texts, with the default text
                under ``""``.
            views: The app or the blueprints whose views belong to the resource. Default: all views whose URL lies below
                the path of ``resource``. If several resources match, the one with the longest path counts.
            origins: Origins of other sites whose scripts may send requests. Guarded views refuse all others with 403
                before anything else, except the resource's own (MCP asks for that). Default: ``Origin`` isn't checked.
            aliases: Further URLs of the same resource, each with a host of its own, such as localhost beside 127.0.0.1.
                Each has its own document. The host of a request chooses which one its challenges point to; for a host
                that isn't declared, that of ``resource``.
            documentation, policy, terms: Members of the document (RFC 9728 §2): URLs for people, each a ``str`` or a
                mapping as for ``name``.
            jwks_uri, signing_algorithms, authorization_details_types, signed_metadata: Further members (RFC 9728 §2).
            extra: Members that the RFC doesn't name.

        Returns:
            The URL of the document.

        Raises:
            ConfigurationError: If a value is one that RFC 9728 forbids, if the resource is declared already, or if an
                app has served a request.
            TypeError: If an argument has the wrong type, or for an unknown keyword.
        """
        declared = self._resources.declare(
            self._app_states,
            resource,
            authorization_servers=authorization_servers,
            scopes=scopes,
            name=name,
            views=views,
            origins=origins,
            aliases=aliases,
            **members,
        )
        return declared.metadata_url

    # --- reverse proxies that ask

    @takes_demands(Demands)
    def forward_auth(  # noqa: D417  # as in its signature
        self,
        rule: str,
        *,
        proxies: Iterable[str],
        headers: "CallerHeaders | None" = None,
        **demands: "Unpack[Demands]",
    ) -> None:
        """Add an endpoint that a reverse proxy asks before it serves a request.

        It is for nginx ``auth_request``, Caddy ``forward_auth`` and Traefik ``ForwardAuth``. The proxy names the
        request that a client sent: ``X-Original-URI`` and ``X-Original-Method``, or ``X-Forwarded-Uri`` and
        ``X-Forwarded-Method``, with ``X-Forwarded-Host`` and ``X-Forwarded-Proto``. That request is judged. Its method
        decides about cross-site requests, and Digest and DPoP compare its target. The response is 204, 401 or 403.
        Caddy and Traefik may also get a redirect to the login page, or another refusal. The configurations of the
        proxies are in ``docs/guides/forward-auth.md``.

        Example:
            Let nginx on the same host ask who may see the wiki::

                auth.forward_auth("/auth", proxies=["127.0.0.1"], roles={"editor"})

        Args:
            rule: The path of the endpoint, such as ``"/auth"``. It has no variables.
            proxies: The addresses and networks of the proxies, such as ``["127.0.0.1", "10.0.0.0/24"]``, and
                ``"unix:"`` for Unix sockets. All other peers get 403.
            headers: What the 204 says about the caller, by name of the header field: an attribute of `Identity`, or a
                function of it that returns a text, a collection or ``None``. Values are percent-encoded. Default:
                ``X-Auth-Subject``, ``X-Auth-Scopes``, ``X-Auth-Roles`` and ``X-Auth-Client``.
            via, scopes, roles, acr, amr, max_age, redirect, no_store, authorization_details: As in `login_required`.

        Raises:
            ConfigurationError: If a value can't work, if the path has a route already, or if an app has served a
                request.
            TypeError: For an argument of a wrong type, or an unknown keyword.
        """
        # Only apps with such an endpoint load these modules.
        from .forward_auth.caller_headers import validated_headers
        from .forward_auth.endpoint import Endpoint, add_endpoint
        from .forward_auth.view import forward_auth_view
        from .proxies import TrustedProxies
        from .wsgi import validated_path

        path = validated_path("forward_auth", rule, "/auth", "proxies=…")
        trusted = TrustedProxies(proxies)
        view = forward_auth_view(validated_headers(headers), self.get_identity)
        for state in self._app_states:
            if state.got_first_request:
                raise ConfigurationError(
                    f"the app {state.app.name!r} has served a request: call forward_auth() before its first one"
                )
        if any(known.path == path for known in self._forward_auth):
            raise ConfigurationError(f"forward_auth({path!r}) was called twice: give the second one another path")
        endpoint = Endpoint(path, trusted, self._decorate("forward_auth", (), {**demands}, optional=False)(view))
        for state in self._app_states:
            add_endpoint(state, endpoint)
            state.ready = False
        self._forward_auth.append(endpoint)

    # --- bodies

    def renderer(self, media_type: str) -> Callable[[R], R]:
        """Register a function that writes the bodies of a media type.

        It is called with the error, and returns a ``str``, ``bytes``, a ``dict`` (sent as JSON) or a response. It can't
        change status and challenges. If it fails, the built-in body is sent.

        Example:
            Send refusals as JSON:API to clients that ask for it::

                @auth.renderer("application/vnd.api+json")
                def as_json_api(error):
                    return {"errors": [{"status": str(error.code), "detail": error.message}]}

        Args:
            media_type: Type and subtype, such as ``text/html``.

        Raises:
            ConfigurationError: For what isn't a media type, and for a second renderer.
            TypeError: For what can't be called.
        """
        media_type = _validated_media_type(media_type)

        def register(render: R) -> R:
            self._configuration.add_renderer(media_type, render)
            return render

        return register

    def allow_shared_cache(self) -> None:
        """Let shared caches store the response to this request.

        They do so if its ``Cache-Control`` says so. Views with ``no_store=True`` stay out of all caches.

        Call this in a view whose response is the same for all callers. Otherwise ``private`` is added to the
        ``Cache-Control`` of a response to an identified caller (RFC 9111 §3.5), and ``public`` and ``s-maxage`` are
        removed. Refusals stay ``no-store``.

        Example:
            Let a CDN keep the price list, which is the same for all callers::

                @app.get("/prices")
                @auth.login_required
                def prices():
                    auth.allow_shared_cache()
                    return "prices", {"Cache-Control": "public, max-age=300"}

        Raises:
            RuntimeError: Outside a request.
        """
        state_for(real_request()).allows_shared_cache = True

    def _decorate(self, name: str, views: tuple[Any, ...], demands: dict[str, Any], *, optional: bool) -> Any:
        if len(views) > 1 or (views and demands):
            raise TypeError(f"{name} takes a view alone, or keywords: @auth.{name}(scopes={{...}})")
        configuration = self._configuration
        demanded = configuration.make_requirement(name, demands, optional=optional)

        def decorate(view: Any) -> Any:
            check_view(view, name)
            wrapper = guard_view(configuration, view, demanded)
            configuration.decorations.record(wrapper, view, demanded)
            return wrapper

        if views:
            return decorate(views[0])
        configuration.decorations.record_decorator(decorate, demanded)
        return decorate


def _register(app: Flask, state: AppState) -> None:
    """Register the error handlers, the check before the first request, and the guard. Raises `AssertionError`."""
    # Under its codes too: Flask looks there before it comes to a blueprint's catch-all for Exception.
    for kind in (AuthError, MalformedCredentials, Unauthorized, Forbidden, TooManyAttempts, AuthUnavailable):
        app.register_error_handler(kind, handle_error)
    # A handler for a subclass of HTTPUnauthorized is under 401 too, and doesn't handle abort(401).
    if HTTPUnauthorized not in app.error_handler_spec[None][401]:
        app.register_error_handler(401, handle_error)
    for group in GROUPS:
        if group not in app.error_handler_spec[None][None]:
            app.register_error_handler(group, handle_group)

    def check_first() -> None:
        state.serve(real_request().endpoint, state.finish_set_up)

    app.before_request_funcs.setdefault(None, []).insert(0, check_first)
    app.after_request_funcs.setdefault(None, []).insert(0, guard)
    app.extensions[EXTENSION] = state
    state.finish_set_up = lambda: _finish_set_up(state, check_first)


def _finish_set_up(state: AppState, check_first: Callable[[], None]) -> None:
    """Wrap the guarded views, take out the hooks that run once, and put the guard after all other hooks."""
    app = state.app
    wrap_views(state, respond_at_dispatch)
    # Rebound, not changed: Flask is iterating over such a list, and would skip the next hook.
    drop = {check_first, *state.configuration.unserved_hooks}
    for name, hooks in list(app.before_request_funcs.items()):
        remaining = [hook for hook in hooks if hook not in drop]
        if remaining:
            app.before_request_funcs[name] = remaining
        else:  # Flask would go through the empty list on each request
            del app.before_request_funcs[name]
    last: list[Callable[[Response], Response]] = [_note_response_left if state.settings.guard == "off" else guard]
    last[:0] = _cookie_senders(state)
    after = [function for function in app.after_request_funcs[None] if function is not guard]
    app.after_request_funcs[None] = last + after
    add_template_globals(app)
    state.has_response_hooks = bool(after) or any(hooks for name, hooks in app.after_request_funcs.items() if name)


def _cookie_senders(state: AppState) -> list[Callable[[Response], Response]]:
    """Return the function that sends the remember cookie, if the app remembers logins."""
    if not any(REMEMBER_COOKIE in scheme.reads for scheme in state.schemes):
        return []
    from .browser.remember import cookie_sender  # only apps that remember logins load it

    return [cookie_sender(state.schemes)]


def _note_response_left(response: Response) -> Response:
    """Note what the guard would note. Without it, all responses stay as they are."""
    note_response_left(real_request())
    return response


def _validated_media_type(media_type: str) -> str:
    if callable(media_type):
        raise ConfigurationError(f'renderer takes a media type, not {media_type!r}: write @auth.renderer("text/html")')
    parts = media_type.split("/") if isinstance(media_type, str) else []
    if len(parts) != 2 or not all(parts) or "*" in media_type or ";" in media_type:
        raise ConfigurationError(f"{media_type!r} is not a media type: write type/subtype, such as text/html")
    return media_type.lower()
