"""`Scheme`: how credentials are carried, and how their absence or failure is said."""

import functools
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any, ClassVar, Final, Generic, TypeVar

from flask import Flask, Request, Response, current_app, has_app_context
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from ..errors import (
    AuthError,
    AuthUnavailable,
    ConfigurationError,
    InvalidCredentials,
    MalformedCredentials,
    is_text,
    shown,
)
from ..identity import Identity
from ..wire import Challenge
from ..wire.grammar import MAX_AUTHORIZATION, is_token
from ..wire.rules import check_realm
from .run_async import settle

log: Final = logging.getLogger("flask_unauthorized")
C = TypeVar("C")
Loader = Callable[..., Any]
L = TypeVar("L", bound=Loader)

SMALLEST_LIMIT: Final = 256
"""What ``UNAUTHORIZED_MAX_CREDENTIALS`` says at least, in bytes: for shorter credentials nobody has to look it up."""
_LOCATIONS = ("authorization", "header", "cookie", "query", "form")


class Secret:
    """A credential on its way to the loader; its ``repr`` shows nothing and it cannot be pickled.

    ``parts`` are what the loader gets. Set after making, for an ``__init__`` would cost each request a call more.
    """

    __slots__ = ("parts",)
    parts: tuple[str, ...]

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")


class _FollowsName:
    """The default of ``reads``: ``Authorization`` under the scheme's name, whether a class or an object has set it."""

    def __get__(self, scheme: "Scheme[Any] | None", owner: "type[Scheme[Any]]") -> tuple[tuple[str, str], ...]:
        name: object = getattr(owner if scheme is None else scheme, "name", None)
        return (("authorization", name.lower()),) if isinstance(name, str) else ()


class Scheme(ABC, Generic[C]):
    """Base of all schemes; subclass it for your own. ``C`` is the type of the credentials that `read` returns.

    A scheme object is shared by apps and requests: read-only once an app serves. Class attributes say what it is:

    - ``name``: as registered and printed, ``"Bearer"``;
    - ``reads``: where it looks, as pairs of ``"authorization" | "header" | "cookie" | "query" | "form"`` and a name
      (lower case for the first two); by default ``Authorization`` under ``name``. ``Vary`` and the check for two
      schemes that read the same follow from it;
    - ``realm``: its own realm, ``None`` for the app's;
    - ``ambient``: sent by the browser by itself, so cross-site requests are checked and explicit credentials go first;
    - ``prompts``: browsers open a password box for it;
    - ``static``: the challenge without an error depends on nothing in the request, and is printed once;
    - ``cacheable_challenges``: the challenge with an error depends on nothing in the request either, so that whole
      refusals are kept. Only together with ``static``. A class that overrides `challenges` has to say it again;
    - ``depends_on_script``: its answers to a browser's scripts and pages differ, so that ``Vary`` names what tells them
      apart, and scripts are offered it although it ``prompts``;
    - ``needs_loader``: `check` refuses it without a loader. Say so where you call `load`;
    - ``loader_args``: how many values `load` gives the loader (its signature is checked against it);
    - ``names_subject``: the credentials name the caller (see `subject`), so a loader may answer ``True`` or ``False``;
    - ``knows_login``: it knows when and how the caller logged in (see `login_of`);
    - ``proves_key``: every identity must be bound to a key, which it proves (see `prove`);
    - ``oauth``: it takes access tokens, so its challenges tell ``resource_metadata`` and ``scope`` where the view
      belongs to a protected resource (RFC 9728 §5.1; see `resource_members`);
    - ``varies``: further request fields that its answers depend on, as they are printed in ``Vary``;
    - ``specification``: for the explanation of a refusal, title and address of the paragraph behind each error code;
    - ``curl_options``: for the explanation, what makes curl send credentials: ``("-u", "NAME:PASSWORD")``. By default
      they follow from ``reads``.
    """

    name: str
    reads: tuple[tuple[str, str], ...] = _FollowsName()  # type: ignore[assignment]  # gives what is declared
    realm: str | None = None
    ambient: bool = False
    prompts: bool = False
    static: bool = True
    cacheable_challenges: bool = False
    depends_on_script: bool = False
    needs_loader: ClassVar[bool] = False
    loader_args: ClassVar[int] = 1
    names_subject: ClassVar[bool] = False
    knows_login: ClassVar[bool] = False
    proves_key: bool = False
    oauth: ClassVar[bool] = False
    varies: tuple[str, ...] = ()
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {}
    curl_options: tuple[str, ...] | None = None
    trusted_origins: frozenset[str] = frozenset()

    _credential: ClassVar[str] = "the credentials"  # what the loader gets, as reasons name it
    _loader: Loader | None = None
    _unavailable: tuple[type[Exception], ...] = ()
    _served = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # New challenges may look at the request: whether they can be kept is said by whoever wrote them.
        if _place_of("challenges", cls) < _place_of("cacheable_challenges", cls):
            cls.cacheable_challenges = False

    def __init__(self, loader: Loader | None = None, *, realm: str | None = None) -> None:
        if realm is not None:
            self.realm = checked_realm(realm)
        if loader is not None:
            self.loader(loader)

    @abstractmethod
    def read(self, request: Request, rest: str | None) -> C | None:
        """The credentials in this request, or ``None`` where none were sent for this scheme.

        ``rest`` is what follows the scheme's name in ``Authorization``, without blanks around it; ``None`` where
        another scheme or none stands there. Pure: no loader, no store, no network. Raises `MalformedCredentials`.
        """

    @abstractmethod
    def verify(self, credentials: C, request: Request) -> object:
        """Who these credentials are: an `Identity`, a user object, a subject, or ``None`` for no. Raises `AuthError`.

        Loaders are called through `load` only.
        """

    @abstractmethod
    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """At least one challenge; ``error`` is ``None`` unless *this* scheme was tried."""

    def subject(self, credentials: C) -> str | None:
        """The caller that the credentials name, for a scheme that says ``names_subject``."""
        return None

    def login_of(self, credentials: C) -> tuple[float, str | None]:
        """Time (seconds since 1970) and class of the login, for a scheme that says ``knows_login``."""
        raise NotImplementedError(f"{type(self).__name__} says knows_login, and has no login_of()")

    def prove(self, identity: Identity, credentials: C, request: Request) -> None:
        """Checks that the caller holds the key to which ``identity.confirmation`` binds the credentials (RFC 7800).

        Called once per request, when the credentials are good, and only where there is a confirmation or the scheme
        says ``proves_key``. Raises `InvalidCredentials`: here always, for a bound credential is never good without a
        proof.
        """
        raise InvalidCredentials(
            reason=f"{self.name}: the credentials are bound (cnf has {shown(set(identity.confirmation or ()))}), "
            f"and {self.name} checks no binding: send a bound token under DPoP, or give Bearer certificate="
        )

    def resource_members(self) -> Mapping[str, Sequence[str] | bool]:
        """What it adds to a resource's metadata (RFC 9728 §2), for a scheme that says ``oauth``: lists and flags.

        A flag that ends in ``_required`` holds where all schemes have it, another one where any has.
        """
        return {}

    def realm_in(self, request: Request) -> str:
        """The realm in force while ``request`` is judged: the scheme's own, else the app's."""
        state: Any = getattr(request, "_unauthorized", None)
        if self.realm is not None or state is None:
            return self.realm or ""
        realm: str = state.plan.realm
        return realm

    def max_size_in(self, request: Request) -> int:
        """The longest credential that is read, in bytes: ``UNAUTHORIZED_MAX_CREDENTIALS`` of the app that serves.

        Of what comes in ``Authorization`` the length was checked before `read`.
        """
        state: Any = getattr(request, "_unauthorized", None)
        size: int = MAX_AUTHORIZATION if state is None else state.app.settings.max_credentials
        return size

    def check(self, app: Flask) -> None:
        """Called before an app's first request, and calls the loader's own ``check_app(app)``, where it has one.

        Raises `ConfigurationError`.
        """
        if self._loader is None and self.needs_loader:
            raise ConfigurationError(
                f"{type(self).__name__} has no loader: pass one, {type(self).__name__}(load), "
                "or register one with @scheme.loader; a subclass that asks none says needs_loader = False"
            )
        if inspect.iscoroutinefunction(self._loader) and find_spec("asgiref") is None:
            raise ConfigurationError(f"the loader of {type(self).__name__} is async: install flask[async]")
        loader_check = getattr(self._loader, "check_app", None)
        if callable(loader_check):
            loader_check(app)

    def respond(self, response: Response, accepted: bool) -> None:
        """May add to the response of a request for which this scheme was tried."""

    @functools.cached_property
    def rejections(self) -> Mapping[object, str]:
        """The private reasons for ``None`` and ``False``, made once: most rejected credentials get one of them."""
        asked = "the loader" if self._loader is not None else "verify()"
        return {result: f"{asked} of {self.name} returned {result} for {self._credential}" for result in (None, False)}

    def responds(self) -> bool:
        """Whether `respond` may add anything; where not, nobody looks at the answer to who is let in."""
        return type(self).respond is not Scheme.respond

    def loader(self, load: L = None) -> L:  # type: ignore[assignment]  # None: parentheses too many
        """Registers the loader, like a route: ``@bearer.loader``. Returns it unchanged.

        Raises `ConfigurationError` for a second one, for what cannot be called, and for a wrong number of parameters.
        """
        if load is None:
            raise TypeError("loader takes the function: write @scheme.loader without parentheses")
        if self._loader is not None:
            raise ConfigurationError(f"this {type(self).__name__} has a loader already: make another scheme object")
        _check_loader(self, load)
        self._loader = load
        return load

    def load(self, *args: Any) -> Any:
        """What the loader says to ``args``, or to the parts of a `Secret` given alone. Awaits coroutines.

        An exception of a type listed in ``Auth(unavailable=...)`` becomes `AuthUnavailable`, a Werkzeug 401 becomes
        `InvalidCredentials`; any other passes.
        """
        if args and type(args[0]) is Secret:
            secret = args[0]
        else:
            secret = Secret()
            secret.parts = args
        return ask_loader(self, secret)

    def ask(self, option: str, function: Callable[..., Any], *args: Any) -> Any:
        """What another callable of the app than the loader says to ``args``; ``option`` names it for the log.

        An exception of a type listed in ``Auth(unavailable=...)`` becomes `AuthUnavailable`; any other passes.
        """
        try:
            return function(*args)
        except AuthError:
            raise
        except self._unavailable as trouble:
            raise AuthUnavailable(
                reason=f"{option} of {self.name} raised {type(trouble).__name__}, which unavailable= of Auth lists"
            ) from None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


def ask_loader(self: Scheme[Any], credentials: Secret, request: Request | None = None) -> Any:
    """`Scheme.load`; as the whole ``verify`` of a scheme it saves each request a call."""
    load = self._loader
    if load is None:
        raise ConfigurationError(
            f"{type(self).__name__} has no loader: register one with @scheme.loader, and say needs_loader = True in "
            "the class, so that auth.check() finds out"
        )
    try:
        result = load(*credentials.parts)
        if type(result) is Identity or not hasattr(type(result), "__await__"):
            return result
        return settle(result)
    except AuthError:
        raise
    except HTTPUnauthorized as refused:
        text = refused.description
        own = is_text(text) and text is not HTTPUnauthorized.description
        reason = f"the loader of {self.name} raised {type(refused).__name__} (401), which rejects {self._credential}"
        raise InvalidCredentials(text if own else None, reason=reason) from None
    except self._unavailable as trouble:
        raise AuthUnavailable(
            reason=f"the loader of {self.name} raised {type(trouble).__name__}, which unavailable= of Auth lists"
        ) from None


def checked_realm(realm: str) -> str:
    """``realm`` if it can be sent; else `ConfigurationError` (`TypeError` for what is no string)."""
    if not isinstance(realm, str):
        raise TypeError(f"realm must be a str, not {realm!r}")
    try:
        check_realm(realm)
    except ValueError as error:
        raise ConfigurationError(f"{error}; for example {_ascii(realm)!r}") from None
    return realm


def check_shape(scheme: Scheme[Any]) -> None:
    """Refuses a scheme object whose attributes are not what `Scheme` says; for subclasses that users write."""
    kind = type(scheme).__name__
    name = getattr(scheme, "name", None)
    if not isinstance(name, str) or not is_token(name):
        raise ConfigurationError(f"{kind}.name must be a token such as 'Bearer', not {name!a} (RFC 9110 §11.1)")
    reads = getattr(scheme, "reads", None)
    if not isinstance(reads, tuple) or not reads:
        raise ConfigurationError(f"{kind}.reads must be a tuple of (location, name), such as (('header', 'x-key'),)")
    for read in reads:
        well_formed = (
            isinstance(read, tuple) and len(read) == 2 and all(isinstance(part, str) and part for part in read)
        )
        if not well_formed or read[0] not in _LOCATIONS:
            raise ConfigurationError(f"{kind}.reads has {read!a}: the location must be one of {', '.join(_LOCATIONS)}")
        if read[0] in ("authorization", "header") and read[1] != read[1].lower():
            raise ConfigurationError(f"{kind}.reads has {read!a}: write the name in lower case")
        if read[0] in ("authorization", "header") and not is_token(read[1]):
            raise ConfigurationError(f"{kind}.reads has {read!a}: the name is not a token (RFC 9110 §5.1)")
    varies = getattr(scheme, "varies", None)
    if not isinstance(varies, tuple) or not all(isinstance(field, str) and is_token(field) for field in varies):
        raise ConfigurationError(f"{kind}.varies must be a tuple of field names such as ('DPoP',), not {varies!a}")
    if scheme.realm is not None:
        checked_realm(scheme.realm)


def check_challenges(scheme: Scheme[Any], app: Flask, realm: str) -> None:
    """Refuses a scheme that reads ``Authorization``, and challenges for a scheme that it doesn't read there.

    Clients would send what they were asked for, and be refused.
    """
    taken = sorted(name for where, name in scheme.reads if where == "authorization")
    if not taken:
        return
    for challenge in _sample(scheme, app, realm if scheme.realm is None else scheme.realm):
        if challenge.scheme.lower() not in taken:
            raise ConfigurationError(
                f"{type(scheme).__name__} challenges for {challenge.scheme!r}, but reads {', '.join(map(repr, taken))} "
                f"from Authorization: set its name to {challenge.scheme!r} and leave reads out, or make challenges() "
                "name what it reads"
            )


def _sample(scheme: Scheme[Any], app: Flask, realm: str) -> tuple[Challenge, ...]:
    """The challenges without an error; none where they can't be made before a request comes."""
    from werkzeug.test import create_environ  # not above: it costs more than all of ours, and is needed once

    served: Any = current_app
    at_hand = has_app_context() and served._get_current_object() is app
    with nullcontext() if at_hand else app.app_context():
        try:
            return tuple(scheme.challenges(realm, None, app.request_class(create_environ())))
        except Exception:
            if scheme.static:
                raise
            return ()  # it wants more of a request than there is now


def warn_of_default_realm(scheme: Scheme[Any], app: Flask, hangs_on_it: str) -> None:
    """Warn where ``scheme`` has no fixed realm, and renaming the app would end ``hangs_on_it``."""
    state = app.extensions["unauthorized"]
    if scheme.realm is None and state.realm_is_default:
        warn_once(
            app,
            f"{type(scheme).__name__} uses the default realm {state.realm!r}, which follows from the name of the app "
            f"{app.name!r}. {hangs_on_it} depend on it: set realm={state.realm!r}, so that they survive if the app is "
            "renamed",
        )


@functools.lru_cache(maxsize=512)
def described(message: str) -> str:
    """``message`` as an ``error_description``: the alphabet of RFC 6750 §3 and at most 200 bytes.

    Quotes, backslashes and ``=`` become harmless neighbours: naive clients search the header for patterns.
    """
    folded = message.translate(_SAFE).encode("ascii", "replace").decode("ascii")
    clean = "".join(character if " " <= character <= "~" else " " for character in folded)
    return " ".join(clean.split())[:200].rstrip()


_SAFE = str.maketrans({'"': "'", "\\": "/", "=": ":", "\u2018": "'", "\u2019": "'", "\u201c": "'", "\u201d": "'",
                       "\u2013": "-", "\u2014": "-", "\u2026": "..."})  # fmt: skip


def error_params(error: AuthError | None) -> tuple[tuple[str, str], ...]:
    """``error`` and ``error_description`` for a challenge (RFC 6750 §3); empty where there is nothing to say."""
    if error is None or error.error is None:
        return ()
    text = described(getattr(error, "message", "") or "")
    return (("error", error.error), ("error_description", text)) if text else (("error", error.error),)


def warn_once(app: Flask, text: str) -> None:
    """Logs a warning of `Scheme.check` once for each app: it is called for every scheme object, and more than once."""
    state: Any = app.extensions["unauthorized"]
    if text not in state.warned:
        state.warned.add(text)
        log.warning("%s", text)


def single_value(scheme: str, values: list[str]) -> str | None:
    """The one value among those sent under one name; ``None`` for none. Two are `MalformedCredentials`."""
    if len(values) > 1:
        raise MalformedCredentials(
            reason=f"{scheme}: credentials came {len(values)} times in one request, expected once"
        )
    return values[0] if values else None


def check_size(what: str, value: str, limit: int) -> None:
    """Raises `MalformedCredentials` for a credential of more than ``limit`` bytes."""
    if len(value) > limit:
        raise MalformedCredentials(
            reason=f"{what} is {len(value)} bytes long, more than {limit}: UNAUTHORIZED_MAX_CREDENTIALS allows more"
        )


def query_values(request: Request, name: str) -> list[str]:
    """All values under one name in the query. One that is not UTF-8 is malformed (servers pass such octets on)."""
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        raise MalformedCredentials(
            reason=f"the query has octets that are not UTF-8, so {name} can't be read: percent-encode it as UTF-8"
        ) from None


def _place_of(attribute: str, kind: type) -> int:
    """How far up the classes of ``kind`` one defines ``attribute`` (0: itself)."""
    return next(place for place, one in enumerate(kind.__mro__) if attribute in vars(one))


def _check_loader(scheme: Scheme[Any], load: Any) -> None:
    count, kind = scheme.loader_args, type(scheme).__name__
    if not callable(load):
        # Not the value, for it may be a secret.
        ready = {1: "StaticTokens", 2: "Passwords"}.get(count) if isinstance(load, Mapping) else None
        fix = f"wrap it, {kind}({ready}({{...}}))" if ready else f"pass a function, {kind}(load)"
        raise ConfigurationError(f"the loader of {kind} must be callable, not {type(load).__name__}: {fix}")
    try:
        signature = inspect.signature(load)
    except (TypeError, ValueError):
        return  # some callables in C tell nothing
    try:
        signature.bind(*("",) * count)
    except TypeError:
        raise ConfigurationError(
            f"the loader of {kind} is called with {count} argument{'s' if count > 1 else ''}, "
            f"but {getattr(load, '__name__', type(load).__name__)}{signature} doesn't take that: "
            f"give it {count} positional parameter{'s' if count > 1 else ''}"
        ) from None


def _ascii(text: str) -> str:
    return "".join(character for character in text if " " <= character <= "~")[:64] or "my app"
