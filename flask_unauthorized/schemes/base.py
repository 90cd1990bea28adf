"""`Scheme`: how credentials are sent, and what a refusal asks for.

This module is for people who write a scheme. It holds the base class, and the helpers that its subclasses share:

- `Secret` and `call_loader` take a credential to the loader. `call_loader` can be the whole ``verify`` of a scheme.
- `single_value`, `query_values` and `check_size` read a credential from a request.
- `error_params`, `demand_params` and `error_description` put an error into a challenge.

The class attributes of a scheme declare all that other parts of the package need to know. Nothing is inferred from a
scheme's class, so a scheme of an app has the same possibilities as one of this package. `scheme_checks` checks what
subclasses declare, before the first request.

A loader is code of the app. Its exceptions are bugs of the app, so they pass and the response is a 500. Three kinds are
no bugs:

1. An `AuthError` is the loader's own refusal. It passes as it is.
2. Werkzeug's 401 (``abort(401)`` in the loader) becomes `InvalidCredentials`.
3. A type in ``Auth(unavailable=…)`` becomes `AuthUnavailable`, because a server-side failure must not look like a wrong
   password.

`Secret` has no ``__init__``, and ``verify`` may be `call_loader` itself, because each call counts on the path of an
accepted request.
"""

import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Literal, TypeVar

from flask import Flask, Request, Response
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    InsufficientScope,
    InvalidCredentials,
    MalformedCredentials,
    StepUpRequired,
)
from ..errors.text import shown
from ..identity import Identity, with_login
from ..wire import Challenge
from ..wire.rules import check_realm
from .loader_chain import LoaderChain, rejected_by_401, unavailable_by
from .run_async import resolve_awaitable
from .secret import Secret as Secret

if TYPE_CHECKING:  # Few apps have a throttle, and those that have one have loaded it.
    from ..throttle.throttle import SchemeAttempt, Throttle

C = TypeVar("C")
Loader = Callable[..., Any]
L = TypeVar("L", bound=Loader)

CredentialKind = Literal["token", "token_with_proof", "key", "password", "session", "sign_on", "login"]
"""What `Scheme.credential_kind` may be."""
MIN_CREDENTIAL_LIMIT: Final = 256
"""The least value of ``UNAUTHORIZED_MAX_CREDENTIALS``, in bytes. Shorter credentials need no look-up of the limit."""
SEND_ONE: Final = "More than one credential was sent. Send one."
"""The public message of a refusal whose cause is a second credential."""
FLASK_SESSION: Final = ("cookie", "session")
"""What a scheme reads that reads Flask's session, whatever name the app gives to its cookie."""
REMEMBER_COOKIE: Final = ("cookie", "session_remember")
"""What a scheme reads that reads the remember cookie, whose name follows from that of the session's cookie."""


class _DefaultReads:
    """The default of `Scheme.reads`: ``Authorization`` under the scheme's name, set on the class or on the object."""

    def __get__(self, scheme: "Scheme[Any] | None", owner: "type[Scheme[Any]]") -> tuple[tuple[str, str], ...]:
        name: object = getattr(owner if scheme is None else scheme, "name", None)
        return (("authorization", name.lower()),) if isinstance(name, str) else ()


class Scheme(ABC, Generic[C]):
    """Base class of all schemes. Subclass it for a scheme of your own.

    ``C`` is the type of the credentials that `read` returns. The extension calls the methods in this order:

    1. `check` before the first request.
    2. `read` for each request, to find the credentials.
    3. `verify` if there are any. Then `prove` and `login_of`, if the scheme declares them.
    4. `challenges` if the request is refused with 400, 401 or 403.
    5. `respond`, to add header fields to the response.

    You must write `read`, `verify` and `challenges`; the others have defaults.

    One scheme object serves many requests at the same time. Set its attributes in ``__init__``, never later.

    Example:
        Read a ticket from a header of your own::

            from flask_unauthorized import Auth, Challenge, Scheme

            class Ticket(Scheme[str]):
                name = "Ticket"
                needs_loader = True

                def read(self, request, rest):
                    return rest

                def verify(self, credentials, request):
                    return self.load(credentials)

                def challenges(self, realm, error, request):
                    return (Challenge(self.name, {"realm": realm}),)

            auth = Auth(Ticket(load_user), app=app)

    Args:
        loader: The loader. It can also be registered later, with ``@scheme.loader``.
        *more_loaders: Loaders for other kinds of the credentials. They are asked in this order, and the first that
            doesn't reject the credentials decides: see `flask_unauthorized.schemes.loader_chain`.
        realm: The scheme's own realm. ``None`` means the realm of the app.
        throttle: Limits on failed attempts.

    Attributes:
        name: The scheme's name as it is registered and sent, such as ``"Bearer"`` (RFC 9110 §11.1).
        reads: The places where the scheme looks for credentials: pairs of a location (``"authorization"``,
            ``"header"``, ``"cookie"``, ``"query"``, ``"form"``, or ``"environ"`` for what the server itself sets) and
            a name, in lower case for the first two locations. Default: ``Authorization`` under ``name``. ``Vary``
            follows from it. Two schemes of one view must not read the same place.
        realm: The scheme's own realm. ``None`` means the realm of the app.
        ambient: Browsers send the credentials by themselves, as they do cookies. Unsafe requests from other sites are
            then refused with 403, and credentials of other schemes take precedence.
        prompts: Browsers open a password box for the challenge. They also repeat the password by themselves, so unsafe
            requests from other sites are refused with 403.
        trusted_origins: Origins of other sites whose requests aren't refused for that reason, such as
            ``"https://app.example.com"``. `flask_unauthorized.schemes.origins.validated_origins` makes the set.
        cross_site_reads: Whether pages of other sites may load something with ``ambient`` credentials by a safe method,
            such as a picture. A link that opens a page is never refused.
        static: The challenge without an error is the same for all requests, so it is made once. Set it to ``False`` if
            `challenges` looks at the request.
        cacheable_challenges: The challenge with an error is the same for all requests too, so whole refusals are
            cached. It needs ``static``. A class that overrides `challenges` must set it again.
        depends_on_script: Scripts and pages of a browser get different responses. ``Vary`` then names the fields by
            which the extension tells them apart, and scripts are offered the scheme even if it ``prompts``.
        needs_loader: `check` refuses the scheme if it has no loader. Set it to ``True`` if `verify` calls `load`.
        loader_args: The number of arguments that the loader gets. The signature of a loader is checked against it.
        names_subject: The credentials name the caller (see `subject`), so a loader may return ``True`` or ``False``.
        knows_login: The scheme knows when and how the caller logged in (see `login_of`).
        proves_key: Each identity must be bound to a key, which the caller proves to have (see `prove`).
        bound_only: No identity without a ``confirmation`` is accepted. ``Auth(bound_only=True)`` calls
            `demand_binding`, which sets it and ``proves_key``.
        oauth: The scheme takes OAuth access tokens. The challenge then gets ``resource_metadata`` and ``scope``, if the
            view belongs to a protected resource (RFC 9728 §5.1; see `resource_members`).
        varies: Further request fields on which responses depend, as they are sent in ``Vary``.
        login_view: The endpoint or the URL of the page to which browsers are redirected. Only `SessionCookie` and its
            subclasses redirect there. ``Vary`` then names the fields by which the extension tells pages from scripts.
        credential_kind: What people call the credentials. The refusal page chooses its words by it: ``"token"``,
            ``"token_with_proof"`` (with a new proof for each request), ``"key"``, ``"password"``, ``"session"`` (the
            site has a login page), ``"sign_on"`` (a server in front of the app logs people in), or ``"login"``, which
            shows the scheme's ``name``. A view that takes only tokens and keys is described as one for programs.
        login_redirect_varies: Further request fields on which the way to that page depends.
        throttle: Limits on failed attempts, or ``None``.
        specification: For diagnostics: by error code, the title and the URL of the paragraph that explains it.
        openapi_name: The name of the scheme in OpenAPI documents (`Auth.openapi`). ``None`` means ``name``, with the
            realm or a number if several schemes share it.
        curl_options: For diagnostics: the options that make curl send credentials, such as ``("-u", "NAME:PASSWORD")``.
            Default: they follow from ``reads``.

    Raises:
        ConfigurationError: If the realm can't be sent, or a loader can't be called with ``loader_args`` arguments,
            or is there twice.
        TypeError: If the realm isn't a string, or ``throttle`` isn't a `Throttle`.
    """

    name: str
    reads: tuple[tuple[str, str], ...] = _DefaultReads()  # type: ignore[assignment]  # it returns the declared type
    realm: str | None = None
    ambient: bool = False
    cross_site_reads: bool = True
    prompts: bool = False
    static: bool = True
    cacheable_challenges: bool = False
    depends_on_script: bool = False
    needs_loader: ClassVar[bool] = False
    loader_args: ClassVar[int] = 1
    names_subject: ClassVar[bool] = False
    knows_login: ClassVar[bool] = False
    proves_key: bool = False
    bound_only: bool = False
    oauth: ClassVar[bool] = False
    varies: tuple[str, ...] = ()
    credential_kind: CredentialKind = "login"
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {}
    openapi_name: str | None = None
    curl_options: tuple[str, ...] | None = None
    trusted_origins: frozenset[str] = frozenset()
    login_view: str | None = None
    login_redirect_varies: tuple[str, ...] = ()
    throttle: "Throttle | None" = None

    _credential: ClassVar[str] = "the credentials"  # what the loader gets, as reasons name it
    _loader: Loader | None = None
    _openapi: dict[str, Any] | None = None
    # `Auth` sets these two: its ``unavailable=``, and that it was set. A scheme of two `Auth` must get the same value.
    _unavailable: tuple[type[Exception], ...] = ()
    _in_use = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # New challenges may look at the request. Only the class that defines them can say whether they are cacheable.
        if _mro_index(cls, "challenges") < _mro_index(cls, "cacheable_challenges"):
            cls.cacheable_challenges = False

    def __init__(
        self,
        loader: Loader | None = None,
        *more_loaders: Loader,
        realm: str | None = None,
        throttle: "Throttle | None" = None,
    ) -> None:
        if realm is not None:
            self.realm = validated_realm(realm)
        if throttle is not None:
            from ..throttle.throttle import validated_throttle

            self.throttle = validated_throttle(throttle)
        if more_loaders:
            loaders: tuple[Any, ...] = (loader, *more_loaders)
            for load in loaders:
                _check_loader(self, load)
            self._loader = LoaderChain(self, loaders, self.loader_args)
        elif loader is not None:
            self.loader(loader)

    @abstractmethod
    def read(self, request: Request, rest: str | None) -> C | None:
        """Return the credentials in a request, or ``None`` if it has none for this scheme.

        Only parse here. Don't call the loader, a store or the network: `read` is also called for requests that are not
        authenticated in the end.

        Args:
            request: The request.
            rest: What follows the scheme's name in ``Authorization``, without spaces around it. ``None`` if the field
                is missing or names another scheme.

        Raises:
            MalformedCredentials: If the syntax is broken (400).
            InvalidCredentials: If the syntax is valid and the content can't be (401).
        """

    @abstractmethod
    def verify(self, credentials: C, request: Request) -> object:
        """Return the caller whom the credentials belong to.

        Call the loader through `load`, which waits for async loaders and translates their exceptions.

        Args:
            credentials: What `read` returned.
            request: The request.

        Returns:
            What a loader may return: an `Identity`, a user object, or a subject. ``None`` rejects the credentials.

        Raises:
            AuthError: To refuse the request for a certain reason.
        """

    @abstractmethod
    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """Return the challenges for ``WWW-Authenticate``, at least one (RFC 9110 §11.6.1).

        Args:
            realm: The realm in force: the scheme's own, else that of the app.
            error: Why the credentials of *this* scheme were refused. ``None`` if the request had none for it.
            request: The refused request. A scheme that is ``static`` must not look at it, because its challenges are
                made before the first request. For other schemes, ``auth.check()`` tries an empty request.
        """

    def public_session_id(self) -> str | None:
        """Return the id of the caller's session, as `Auth.sessions` lists it; ``None`` in schemes without sessions."""
        return None

    def subject(self, credentials: C) -> str | None:
        """Return the name that the credentials give for the caller.

        Override it in a scheme with ``names_subject``.

        Args:
            credentials: What `read` returned.

        Returns:
            The name. ``None`` if the credentials name no caller, which refuses the request.
        """
        return None

    def reserve_attempt(self, credentials: C, request: Request) -> "SchemeAttempt":
        """Reserve an attempt of ``throttle``, before `verify` runs.

        Override it if one account may be named in several ways, or if the credentials aren't a `Secret`.

        Args:
            credentials: What `read` returned.
            request: The request.

        Raises:
            TooManyAttempts: If the caller has to wait.
            AuthUnavailable: If the store of the throttle is unavailable.
        """
        name = self.subject(credentials) or "" if self.names_subject else None
        arguments = credentials.arguments if isinstance(credentials, Secret) else None
        return self.throttle.reserve(name, arguments, request.environ, self.name)  # type: ignore[union-attr]  # there is one

    def identity_with_login(self, identity: Identity, credentials: C) -> Identity:
        """Return the identity of an accepted caller, with what the scheme knows of the login.

        A scheme of your own overrides `login_of`, and so does a subclass of `SessionCookie`. `SessionCookie` itself
        overrides this method, because it knows more.

        Args:
            identity: The identity.
            credentials: What `read` returned.
        """
        return with_login(identity, *self.login_of(credentials))

    def login_of(self, credentials: C) -> tuple[float, str | None]:
        """Return when and how the caller logged in.

        Override it in a scheme with ``knows_login``. Views with ``max_age=`` or ``acr=`` ask for it.

        Args:
            credentials: What `read` returned.

        Returns:
            The time of the login in seconds since 1970, and its class (``acr``) or ``None``.
        """
        raise NotImplementedError(f"{type(self).__name__} says knows_login, and has no login_of()")

    def prove(self, identity: Identity, credentials: C, request: Request) -> None:
        """Check that the caller has the key to which the credentials are bound (RFC 7800).

        It is called once per request, after `verify`, if the identity has a ``confirmation`` or the scheme declares
        ``proves_key``. The default refuses: a bound credential is never valid without a proof.

        Args:
            identity: The caller. ``identity.confirmation`` names the key.
            credentials: What `read` returned.
            request: The request.

        Raises:
            InvalidCredentials: If the proof is missing or wrong.
        """
        raise InvalidCredentials(
            reason=f"{self.name}: the credentials are bound (cnf has {shown(set(identity.confirmation or ()))}), "
            f"and {self.name} checks no binding: send a bound token under DPoP, or give Bearer certificate="
        )

    def demand_binding(self) -> None:
        """Accept only identities that are bound to a key (`Identity.confirmation`), from now on.

        ``Auth(bound_only=True)`` calls it for each scheme with ``oauth``, before the first request.

        Raises:
            ConfigurationError: If `prove` isn't overridden, so that the scheme would refuse every caller.
        """
        if type(self).prove is Scheme.prove:
            raise ConfigurationError(
                f"bound_only=True needs a scheme that proves keys, and {type(self).__name__} has no prove(): write it, "
                "or leave the scheme out"
            )
        self.proves_key = self.bound_only = True

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        """Return what the scheme adds to the metadata of a protected resource (RFC 9728 §2).

        Override it in a scheme with ``oauth``. The members of all schemes of a resource are combined: lists are joined,
        flags ending in ``_required`` are combined with ``all()``, and other flags with ``any()``.

        Returns:
            Lists and flags by member name, such as ``{"bearer_methods_supported": ["header"]}``.
        """
        return {}

    def openapi(self) -> dict[str, Any]:
        """Return the Security Scheme Object of the scheme, in the form of OpenAPI 3.1 (§4.8.27).

        The default follows from ``reads`` and ``name``. Other versions of OpenAPI get what they can express of it.

        Returns:
            A dict that isn't changed, such as ``{"type": "http", "scheme": "bearer"}``.
        """
        from .security_scheme import described  # only apps that make a document load it

        return described(self) if self._openapi is None else self._openapi

    def _keep_openapi(self, given: Mapping[str, Any] | None) -> None:
        """Keep what an app says of the scheme in OpenAPI documents (``openapi=``)."""
        if given is not None:
            from .security_scheme import validated_security_scheme

            self._openapi = validated_security_scheme(given)

    def check(self, app: Flask) -> None:
        """Check the set-up before an app's first request.

        It also calls ``check_app(app)`` of each loader that has such a method. Call ``super().check(app)``
        first if you override it. It may be called more than once.

        Args:
            app: The app that the scheme will serve.

        Raises:
            ConfigurationError: If the scheme can't work in this app.
        """
        if self._loader is None and self.needs_loader:
            raise ConfigurationError(
                f"{type(self).__name__} has no loader: pass one, {type(self).__name__}(load), "
                "or register one with @scheme.loader; a subclass that asks none says needs_loader = False"
            )
        loaders = self._loader.loaders if isinstance(self._loader, LoaderChain) else (self._loader,)
        for load in loaders:
            if inspect.iscoroutinefunction(load) and find_spec("asgiref") is None:
                raise ConfigurationError(f"the loader of {type(self).__name__} is async: install flask[async]")
            loader_check = getattr(load, "check_app", None)
            if callable(loader_check):
                loader_check(app)
        if self.throttle is not None:
            self.throttle.check_app(app, self.name)

    def respond(self, response: Response, accepted: bool) -> None:
        """Add header fields to the response to a request that had credentials of this scheme.

        Args:
            response: The response. Change it in place.
            accepted: Whether the credentials were accepted and the request wasn't refused.
        """

    @functools.cached_property
    def rejections(self) -> Mapping[object, str]:
        """The private reasons for ``None`` and ``False``, made once: most rejected credentials get one of them."""
        asked = "the loader" if self._loader is not None else "verify()"
        return {result: f"{asked} of {self.name} returned {result} for {self._credential}" for result in (None, False)}

    def responds(self) -> bool:
        """Return whether `respond` may add anything.

        If it returns ``False``, the extension doesn't look at responses to accepted requests, which saves time.
        """
        return type(self).respond is not Scheme.respond

    def loader(self, load: L = None) -> L:  # type: ignore[assignment]  # the default catches "@scheme.loader()"
        """Register the loader, as a decorator without parentheses: ``@bearer.loader``.

        Args:
            load: A function that gets the credentials and returns the caller. It may be async.

        Returns:
            The function, unchanged.

        Raises:
            ConfigurationError: If there is a loader already, or if this one can't be called with ``loader_args``
                arguments.
        """
        if load is None:
            raise TypeError("loader takes the function: write @scheme.loader without parentheses")
        if self._loader is not None:
            raise ConfigurationError(
                f"this {type(self).__name__} has a loader already: make another scheme object, or pass all loaders "
                f"at once, {type(self).__name__}(load, other), which are then asked in order"
            )
        _check_loader(self, load)
        self._loader = load
        return load

    def load(self, *args: Any) -> Any:
        """Call the loader and return its result. The result of an async loader is awaited.

        Args:
            args: The arguments for the loader, or one `Secret` that holds them.

        Raises:
            AuthUnavailable: If the loader raised an exception of a type in ``Auth(unavailable=…)``.
            InvalidCredentials: If the loader raised a 401 of Werkzeug.
            Exception: Any other exception of the loader passes.
        """
        if args and type(args[0]) is Secret:
            secret = args[0]
        else:
            secret = Secret()
            secret.arguments = args
        return call_loader(self, secret)

    def call_option(self, option: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function that the app passed as an option, other than the loader, and return its result.

        Args:
            option: The name of the option for the log, such as ``"subject="``.
            function: The function.
            args: Its arguments.

        Raises:
            AuthUnavailable: If the function raised an exception of a type in ``Auth(unavailable=…)``.
            Exception: Any other exception of the function passes.
        """
        try:
            return function(*args)
        except AuthError:
            raise
        except self._unavailable as error:
            raise AuthUnavailable(
                reason=f"{option} of {self.name} raised {type(error).__name__}, which unavailable= of Auth lists"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


AnyScheme = Scheme[Any]
"""A scheme, whatever its credentials are."""


def call_loader(self: Scheme[Any], credentials: Secret, request: Request | None = None) -> Any:
    """Call the loader of a scheme, as `Scheme.load` does. It can be a scheme's ``verify``, which saves a call.

    Args:
        self: The scheme.
        credentials: The arguments for the loader.
        request: Ignored. It is there so that the signature is that of `Scheme.verify`.
    """
    load = self._loader
    if load is None:
        raise ConfigurationError(
            f"{type(self).__name__} has no loader: register one with @scheme.loader, and say needs_loader = True in "
            "the class, so that auth.check() finds out"
        )
    try:
        result = load(*credentials.arguments)
        if result is None or type(result) is Identity or not hasattr(type(result), "__await__"):
            return result
        return resolve_awaitable(result)
    except AuthError:
        raise
    except HTTPUnauthorized as refused:
        raise rejected_by_401(self, refused) from None
    except self._unavailable as trouble:
        raise unavailable_by(self, trouble) from None


def validated_realm(realm: str) -> str:
    """Return ``realm`` if it can be sent in a challenge.

    Raises:
        ConfigurationError: If it holds characters that a quoted string must not hold.
        TypeError: If it isn't a string.
    """
    if not isinstance(realm, str):
        raise TypeError(f"realm must be a str, not {realm!r}")
    try:
        check_realm(realm)
    except ValueError as error:
        example = "".join(character for character in realm if " " <= character <= "~")[:64] or "my app"
        raise ConfigurationError(f"{error}; for example {example!r}") from None
    return realm


@functools.lru_cache(maxsize=512)
def error_description(message: str) -> str:
    """Return ``message`` as the value of ``error_description``.

    Args:
        message: Any text.

    Returns:
        At most 200 bytes of the alphabet that RFC 6750 §3 allows. Quotes, backslashes and ``=`` are replaced by similar
        characters, because simple clients search the header for patterns such as ``error="``.
    """
    folded = message.translate(_SAFE).encode("ascii", "replace").decode("ascii")
    clean = "".join(character if " " <= character <= "~" else " " for character in folded)
    return " ".join(clean.split())[:200].rstrip()


_SAFE = str.maketrans({'"': "'", "\\": "/", "=": ":", "\u2018": "'", "\u2019": "'", "\u201c": "'", "\u201d": "'",
                       "\u2013": "-", "\u2014": "-", "\u2026": "..."})  # fmt: skip


def error_params(error: AuthError | None) -> tuple[tuple[str, str], ...]:
    """Return the parameters ``error`` and ``error_description`` of a challenge (RFC 6750 §3).

    Args:
        error: What `Scheme.challenges` got.

    Returns:
        Pairs of name and value. Empty if there is no error, or if the error has no code.
    """
    if error is None or error.error is None:
        return ()
    text = error_description(getattr(error, "message", "") or "")
    return (("error", error.error), ("error_description", text)) if text else (("error", error.error),)


def demand_params(error: AuthError | None) -> tuple[tuple[str, str], ...]:
    """Return the parameters that say what would help: ``scope``, ``acr_values`` and ``max_age`` (RFC 9470 §3).

    Args:
        error: What `Scheme.challenges` got.

    Returns:
        Pairs of name and value. Empty if neither more scope nor a new login would help.
    """
    if isinstance(error, InsufficientScope):
        return (("scope", " ".join(error.scopes)),) if error.scopes else ()
    if not isinstance(error, StepUpRequired):
        return ()
    acr = (("acr_values", " ".join(error.acr_values)),) if error.acr_values else ()
    return acr if error.max_age is None else (*acr, ("max_age", str(error.max_age)))


def single_value(scheme: str, values: list[str]) -> str | None:
    """Return the only value among those that were sent under one name.

    Args:
        scheme: The name of the scheme, for the log.
        values: All values that were sent.

    Returns:
        The value, or ``None`` if there is none.

    Raises:
        MalformedCredentials: If there are several: the extension can't know which one was meant.
    """
    if len(values) > 1:
        raise MalformedCredentials(
            SEND_ONE, reason=f"{scheme}: credentials came {len(values)} times in one request, expected once"
        )
    return values[0] if values else None


def check_size(what: str, value: str, limit: int) -> None:
    """Refuse a credential that is too long.

    Args:
        what: What the value is, for the log.
        value: The credential, in which each character is one byte.
        limit: The greatest length in bytes, from `max_credentials`.

    Raises:
        MalformedCredentials: If it is longer.
    """
    if len(value) > limit:
        raise MalformedCredentials(
            reason=f"{what} is {len(value)} bytes long, more than {limit}: UNAUTHORIZED_MAX_CREDENTIALS allows more"
        )


def query_values(request: Request, name: str) -> list[str]:
    """Return all values that the query has under one name.

    Raises:
        MalformedCredentials: If the query isn't UTF-8. Servers pass such octets on.
    """
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        raise MalformedCredentials(
            reason=f"the query has octets that are not UTF-8, so {name} can't be read: percent-encode it as UTF-8"
        ) from None


def _mro_index(kind: type, attribute: str) -> int:
    """Return how far up the base classes of ``kind`` an attribute is defined; 0 means in ``kind`` itself."""
    return next(index for index, base in enumerate(kind.__mro__) if attribute in vars(base))


def _check_loader(scheme: Scheme[Any], load: Any) -> None:
    count, kind = scheme.loader_args, type(scheme).__name__
    if not callable(load):
        # The message shows the type only, because the value may be a secret.
        ready = {1: "StaticTokens", 2: "Passwords"}.get(count) if isinstance(load, Mapping) else None
        fix = f"wrap it, {kind}({ready}({{...}}))" if ready else f"pass a function, {kind}(load)"
        raise ConfigurationError(f"the loader of {kind} must be callable, not {type(load).__name__}: {fix}")
    try:
        signature = inspect.signature(load)
    except (TypeError, ValueError):
        return  # Some callables written in C have no signature.
    try:
        signature.bind(*("",) * count)
    except TypeError:
        raise ConfigurationError(
            f"the loader of {kind} is called with {count} argument{'s' if count > 1 else ''}, "
            f"but {getattr(load, '__name__', type(load).__name__)}{signature} doesn't take that: "
            f"give it {count} positional parameter{'s' if count > 1 else ''}"
        ) from None
