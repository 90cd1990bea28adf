"""Who is calling: the caller of the current request, and the proxies `current_user` and `current_identity`.

Any code may ask at any time of a request: a view, open or guarded, a hook, a template, an error handler.

1. If the view was judged, the caller is the one who was accepted then. After a 403 the caller is known as well, so that
   the error page can greet them; after a 401 no caller is.
2. Otherwise the credentials that were sent are verified once, without refusing the request (`identification`).
3. In an app context of another app, which a view may push, nothing is verified: the loaders of that app must not get
   what was sent to this one.
4. After the response has left, in a streamed body or a teardown function, nothing is verified any more: a session could
   no longer be renewed. What is known by then is returned.

The proxies stand for the caller. ``is_authenticated``, ``is_active`` and ``is_anonymous`` have a value for every
caller, whatever the loader returns, because templates and other extensions ask for them.
"""

from collections.abc import Callable
from typing import Any, Final

from flask import Flask, Request, has_request_context
from jinja2 import Environment, Undefined
from werkzeug.local import LocalProxy

from ..authentication.identification import identify
from ..authentication.state import Identification
from ..errors import AuthUnavailable, ConfigurationError
from ..identity import Identity
from ..logs import log
from ..schemes.base import AnyScheme
from ..schemes.state_access import has_response_left
from .app_state import AppState, app_state_of
from .flask_compat import is_of_app
from .refuse import plan_in_force
from .request_state import RequestState, real_app, real_request, state_for, state_if_any

_NO_CALLER: Final = Identification(None, None, None)


class Anonymous:
    """The caller of a request without valid credentials. It is falsy."""

    __slots__ = ()
    is_authenticated = False
    is_active = False
    is_anonymous = True

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<anonymous caller>"

    def get_id(self) -> None:
        """Return ``None``, as the user objects of Flask-Login do."""
        return

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"the caller is anonymous, so there is no {name!r}: test for a caller first, with `if current_user:`",
            name=name,
            obj=self,
        )


class _AnonymousInTemplate(Anonymous):
    """The anonymous caller of a template.

    Jinja replaces the message of an `AttributeError` by its own. It asks for an item next, and an undefined value can
    carry the message from there.
    """

    __slots__ = ("_environment",)

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def __getitem__(self, name: str) -> Undefined:
        if not isinstance(name, str):  # Python iterates over whatever has items of all numbers.
            raise TypeError("the caller is anonymous, and isn't a sequence: test for a caller first")
        hint = (
            f"the caller is anonymous, so there is no {name!r}: test for a caller first, with "
            "`{% if current_user and … %}`"
        )
        return self._environment.undefined(hint=hint, name=name)


ANONYMOUS: Final = Anonymous()
_OF_EVERY_CALLER: Final = {"is_authenticated": True, "is_active": True, "is_anonymous": False}
"""What the proxies say of a caller whose user object says nothing about it."""


class CallerProxy(LocalProxy[Any]):
    """A proxy for the caller, which also has what is known of every caller."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            caller = self._get_current_object()
        except RuntimeError:
            if name.startswith("__"):  # help() asks for such names outside of requests
                raise AttributeError(name) from None
            raise
        try:
            return getattr(caller, name)
        except AttributeError:
            if hasattr(type(caller), name):
                raise
            if name in _OF_EVERY_CALLER:
                return _OF_EVERY_CALLER[name]
            if isinstance(caller, Identity) and caller.user is None:
                raise AttributeError(
                    f"the loader returned no user object, and an Identity has no {name!r}: return the user, or "
                    "Identity(subject, user=user)",
                    name=name,
                    obj=caller,
                ) from None
            raise


def identification_of_request() -> Identification:
    """Return the caller of the current request with the scheme that was used.

    Raises:
        RuntimeError: Outside a request.
        ConfigurationError: If no `Auth` serves the app.
    """
    request = real_request()
    state = state_if_any(request)
    if state is not None and state.identity is not None:
        return Identification(state.identity, state.scheme, None)
    if state is not None and (state.plan is not None or _was_refused_with(401, state)):
        return _caller_of_403(state) if _was_refused_with(403, state) else _NO_CALLER
    app = real_app()
    if has_response_left(request) or not is_of_app(request, app):
        return _found_before(state)
    app_state = app_state_of(app)  # where init_app was forgotten, all callers would look anonymous
    return _identify(request, state_for(request)) if state is not None or _is_ready(app_state) else _NO_CALLER


def _found_before(state: RequestState | None) -> Identification:
    return _NO_CALLER if state is None or state.identification is None else state.identification


def _was_refused_with(status: int, state: RequestState) -> bool:
    return state.recorded_refusal is not None and state.recorded_refusal.status == status


def _caller_of_403(state: RequestState) -> Identification:
    """Return the caller whose credentials were valid, and who lacks a scope or a role."""
    scheme = state.attempted_scheme
    verified = None if scheme is None else (state.verification_results or {}).get(scheme)
    return Identification(verified, scheme, None) if isinstance(verified, Identity) else _NO_CALLER


def _is_ready(app_state: AppState) -> bool:
    """Return whether the app is set up. One that serves with a mistake in its set-up still has its open pages."""
    if app_state.ready:
        return True
    if app_state.mistake is not None:
        return False
    try:
        app_state.prepare()
    except ConfigurationError:
        raise
    except Exception as error:  # a store or a loader that the check asks; guarded views respond with 500
        app_state.log_failed_check("no caller is identified", error)
    return app_state.ready


def _identify(request: Request, state: RequestState) -> Identification:
    first = state.identification is None
    found = identify(plan_in_force(request, state), request, state)
    if first and found.refusal is not None and issubclass(found.refusal.kind, AuthUnavailable):
        log.warning("%s: the caller is not identified, because the credentials could not be verified", request.endpoint)
    return found


def request_identity() -> Identity | None:
    """Return the caller of the current request, or ``None``. Raise `RuntimeError` outside a request."""
    return identification_of_request().identity


def request_scheme() -> AnyScheme | None:
    """Return the scheme that the caller used; ``None`` without a caller."""
    found = identification_of_request()
    return None if found.identity is None else found.scheme


def _identity_or_anonymous() -> Identity | Anonymous:
    return identification_of_request().identity or ANONYMOUS


def _user_or_anonymous() -> Any:
    """Return the caller's user object, or the identity if the loader gave none."""
    identity = identification_of_request().identity
    if identity is None:
        return ANONYMOUS
    return identity if identity.user is None else identity.user


class _CurrentIdentity(CallerProxy):
    """The `Identity` of the caller of the current request.

    It is falsy for an anonymous caller.

    Example:
        Show scopes in a view that is open to all::

            from flask_unauthorized import current_identity

            @app.get("/scopes")
            def scopes():
                return sorted(current_identity.scopes) if current_identity else []
    """

    __slots__ = ()


class _CurrentUser(CallerProxy):
    """The user object of the caller of the current request.

    It is falsy for an anonymous caller. If the loader returned no user object, it is the `Identity`. Templates know it
    by the same name.

    Example:
        Greet the user in a view that is open to all::

            from flask_unauthorized import current_user

            @app.get("/")
            def index():
                return f"Hello {current_user.name}" if current_user else "Hello"
    """

    __slots__ = ()


current_identity: Identity = _CurrentIdentity(_identity_or_anonymous)  # type: ignore[assignment]  # as Flask's proxies
current_user: Any = _CurrentUser(_user_or_anonymous)


def add_template_globals(app: Flask) -> None:
    """Let templates use both proxies. A global of another extension or of the app stays.

    Templates are also rendered outside of requests, such as for an e-mail. The caller is anonymous there.
    """
    anonymous = _AnonymousInTemplate(app.jinja_env)
    for name, find in (("current_user", _user_or_anonymous), ("current_identity", _identity_or_anonymous)):
        app.jinja_env.globals.setdefault(name, CallerProxy(_in_template(find, anonymous)))


def _in_template(find: Callable[[], Any], anonymous: Anonymous) -> Callable[[], Any]:
    def find_in_template() -> Any:
        caller = find() if has_request_context() else ANONYMOUS
        return anonymous if caller is ANONYMOUS else caller

    return find_in_template
