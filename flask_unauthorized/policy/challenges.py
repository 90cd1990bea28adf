"""`ChallengeSet`: what one plan says to a caller who is refused, made ready as far as possible.

Most challenges depend on nothing in the request, so they are made once, in the order that works for most clients
(`order_schemes`). Three levels of readiness follow from what the schemes declare:

1. ``static``: the challenge without an error is made at the set-up (`challenges_without_error`). If all schemes are
   static, the whole response to a caller who sent nothing is ready (`default_challenges`).
2. ``cacheable_challenges`` as well: a challenge with an error depends on the error's class only. Then
   `responses_cacheable` is true, and refusals are cached when they were made once, in `ready_refusals`: challenges,
   header lines, and the whole response for each media type. The key is `errors.response_cache_key`.
3. Everything else (a nonce, a URL that depends on the host) is made for each refusal.

The cache holds at most `MAX_CACHED` entries. A full cache is emptied, because a view may name ever new scopes: this
bounds the memory, and what is needed often is back at once.

Where the view belongs to a protected resource (RFC 9728), each OAuth challenge also names the resource's metadata and
all scopes that the view demands.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from flask import Request, Response

from ..errors import AuthError, ConfigurationError, InsufficientScope
from ..errors.cache_key import CacheKey
from ..schemes.base import AnyScheme
from ..wire import Challenge
from ..wire.fetch_metadata import PAGE_FIELDS, SCRIPT_FIELDS, is_script
from ..wire.rules import spell_field_name
from .requirement import Requirement
from .resource import Resource

MAX_HEADERS: Final = 8 * 1024
"""The most bytes that the challenges of one response may have together. Servers and clients cut longer headers."""
MAX_CACHED: Final = 256
"""The most refusals that one cache of a plan holds."""
_RANK: Final = {"digest": 0, "basic": 1, "bearer": 2}  # measured on real clients: see order_schemes
# A static challenge depends on nothing in the request (Scheme.static), so there is none to give.
_NO_REQUEST: Any = None

K = TypeVar("K")
V = TypeVar("V")
HeaderLines = list[tuple[str, str]]
RefusalKey = tuple[CacheKey, AnyScheme | None, bool]
"""What a ready refusal depends on: error, scheme, and whether all challenges stand on one line."""


class RecordedRefusal(NamedTuple):
    """What a refusal must have in its headers, whichever code renders it: its status, and the header lines."""

    status: int
    lines: tuple[tuple[str, str], ...]


class CachedResponse(NamedTuple):
    """A whole refusal that is the same for the next request.

    Attributes:
        kind: The class of the response.
        status: The status line without the version, such as ``"401 UNAUTHORIZED"``.
        status_code: Its number.
        lines: The header lines.
        body: The body.
    """

    kind: type[Response]
    status: str
    status_code: int
    lines: HeaderLines
    body: bytes


class ReadyRefusal(NamedTuple):
    """All that is the same for the next refusal of its kind.

    Attributes:
        challenges: The challenges.
        recorded: Status and header lines.
        responses: The whole responses that were made so far, by media type.
    """

    challenges: tuple[Challenge, ...]
    recorded: RecordedRefusal
    responses: dict[str, CachedResponse]


class ChallengeSet:
    """The challenges of one plan, and its caches of refusals."""

    __slots__ = (
        "challenges_without_error", "credential_kinds", "default_challenges", "may_be_several", "ready_refusals",
        "realm", "resource", "responses_cacheable", "scheme_names", "schemes", "scopes", "script_schemes", "vary",
        "vary_header_on_refusal", "vary_on_refusal",
    )  # fmt: skip

    def __init__(
        self,
        requirement: Requirement,
        schemes: Sequence[AnyScheme],
        *,
        realm: str,
        challenge_order: Sequence[AnyScheme],
        scopes: tuple[str, ...],
        resource: Resource | None,
    ) -> None:
        self.realm = realm
        self.scopes = scopes
        self.resource = resource
        self.challenges_without_error = self._make_static(schemes)
        self.schemes = order_schemes(schemes, challenge_order, self._names_metadata)
        self.scheme_names = tuple(scheme.name for scheme in self.schemes)
        self.credential_kinds: tuple[str, ...] = tuple(scheme.credential_kind for scheme in self.schemes)
        self._check_size(requirement)
        if resource is not None and len(resource.urls) > 1:
            self._drop_those_of_a_host()
        are_all_static = len(self.challenges_without_error) == len(self.schemes)
        self.default_challenges = self._all_static() if are_all_static else ()
        self.script_schemes = _schemes_for_scripts(self.schemes)
        self.may_be_several = len(self.schemes) > 1 or len(self.default_challenges) != 1
        """Whether a refusal may have more than one challenge, so that it matters on how many lines they stand."""
        self.responses_cacheable = are_all_static and all(scheme.cacheable_challenges for scheme in self.schemes)
        self.ready_refusals: dict[RefusalKey, ReadyRefusal] = {}
        self.vary = _vary(self.schemes)
        self.vary_on_refusal = (*self.vary, *_fields_on_refusal(self.schemes, bool(self.script_schemes), requirement))
        self.vary_header_on_refusal = ", ".join(dict.fromkeys(("Accept", *self.vary_on_refusal)))

    def _make_static(self, schemes: Sequence[AnyScheme]) -> dict[AnyScheme, tuple[Challenge, ...]]:
        made = {scheme: self._make(scheme, None, _NO_REQUEST) for scheme in schemes if scheme.static}
        for scheme, challenges in made.items():
            if not challenges:
                raise ConfigurationError(f"{scheme!r} gave no challenge: challenges() must return at least one")
        return made

    def _all_static(self) -> tuple[Challenge, ...]:
        return tuple(challenge for scheme in self.schemes for challenge in self.challenges_without_error[scheme])

    def _drop_those_of_a_host(self) -> None:
        """Forget challenges that name a metadata document, because the host of a request chooses it."""
        for scheme in self.schemes:
            if scheme.oauth:
                self.challenges_without_error.pop(scheme, None)

    def for_error(self, error: AuthError, attempted: AnyScheme | None, request: Request) -> tuple[Challenge, ...]:
        """Return the challenges that belong on a refusal; ``attempted`` is the scheme whose credentials were refused.

        401 and 400 offer all schemes in force. 403 has a challenge only if more scope would help (RFC 6750 §3.1).
        """
        status = getattr(error, "code", None)
        if attempted is None and status == 401 and not self.script_schemes and self.default_challenges:
            return self.default_challenges
        if attempted is None and status == 400:
            # Which scheme was meant is unknown, so each one names the error (as in RFC 9449 §7.2).
            return tuple(c for scheme in self.schemes for c in self.of_scheme(scheme, error, request))
        if status in (400, 401):
            return self.in_force(error, attempted, request)
        return () if attempted is None else self._for_missing_scope(error, attempted, request)

    def _for_missing_scope(self, error: AuthError, attempted: AnyScheme, request: Request) -> tuple[Challenge, ...]:
        if not isinstance(error, InsufficientScope):
            return ()
        challenges = self.of_scheme(attempted, error, request)
        return tuple(challenge for challenge in challenges if challenge.get("error") is not None)

    def in_force(self, error: AuthError | None, attempted: AnyScheme | None, request: Request) -> tuple[Challenge, ...]:
        """Return the challenges of all schemes in their order; the one of ``attempted`` names ``error``."""
        schemes = self.script_schemes if self.script_schemes and is_script(request.environ) else self.schemes
        return tuple(
            challenge
            for scheme in schemes
            for challenge in self.of_scheme(scheme, error if scheme is attempted else None, request)
        )

    def of_scheme(self, scheme: AnyScheme, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """Return the challenges of one scheme; ``error`` is the refusal of its credentials, if they were tried."""
        ready = self.challenges_without_error.get(scheme, ())
        if error is None and ready:
            return ready
        # A user's scheme may have no challenge for an error. The one without an error is still right then.
        return self._make(scheme, error, request) or ready

    def _make(self, scheme: AnyScheme, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        made = scheme.challenges(scheme.realm if scheme.realm is not None else self.realm, error, request)
        if self.resource is None or not scheme.oauth:
            return made
        # All scopes that the view demands, with or without a token: one round trip must do (MCP). Some clients ask for
        # exactly these scopes, and lose those that they had.
        extra = error.scopes if isinstance(error, InsufficientScope) else ()
        scope = " ".join(sorted({*self.scopes, *extra}))
        resource = self.resource if request is _NO_REQUEST else self.resource.asked_by(request.environ)
        return tuple(_with_metadata(challenge, resource.metadata_url, scope) for challenge in made)

    def _names_metadata(self, scheme: AnyScheme) -> bool:
        """Return whether the scheme's challenges name ``resource_metadata``: added here, or by a user's own scheme."""
        if self.resource is not None and scheme.oauth:
            return True
        return any(one.get("resource_metadata") is not None for one in self.challenges_without_error.get(scheme, ()))

    def _check_size(self, requirement: Requirement) -> None:
        needed = InsufficientScope(scopes=self.scopes)
        ready = [challenge for challenges in self.challenges_without_error.values() for challenge in challenges]
        for scheme in self.challenges_without_error:
            added = self.of_scheme(scheme, needed, _NO_REQUEST) if self.scopes else ()
            size = sum(len(str(challenge)) for challenge in (*added, *ready))
            if size > MAX_HEADERS:
                raise ConfigurationError(
                    f"the challenges of {requirement!r} are {size} bytes long, more than {MAX_HEADERS}, which "
                    "servers and clients cut: demand fewer scopes or offer fewer schemes"
                )


def cache_put(cache: dict[K, V], key: K, value: V) -> V:
    """Put ``value`` into a cache of at most `MAX_CACHED` entries, and return it. A full cache is emptied before."""
    if len(cache) >= MAX_CACHED:
        cache.clear()
    cache[key] = value
    return value


def order_schemes(
    schemes: Iterable[AnyScheme],
    fixed: Sequence[AnyScheme] = (),
    names_metadata: Callable[[AnyScheme], bool] = lambda scheme: False,
) -> tuple[AnyScheme, ...]:
    """Return the order of challenges that works for most real clients: Digest, Basic, Bearer, others as configured.

    Schemes whose challenges name ``resource_metadata`` go first, Bearer before others, because MCP clients read only
    the first challenge. Schemes in ``fixed`` go before all.
    """

    def rank(scheme: AnyScheme) -> tuple[int, int]:
        if scheme in fixed:
            return -2, fixed.index(scheme)
        if names_metadata(scheme):
            return -1, _RANK.get(scheme.name.lower(), len(_RANK))
        return _RANK.get(scheme.name.lower(), len(_RANK)), 0

    return tuple(sorted(schemes, key=rank))


@functools.lru_cache(maxsize=512)
def _with_metadata(challenge: Challenge, metadata_url: str, scope: str) -> Challenge:
    """Return ``challenge`` with scope and resource_metadata before the error, the order that most clients read."""
    others = [(name, value) for name, value in challenge.params if name.lower() not in ("scope", "resource_metadata")]
    realm = [pair for pair in others if pair[0].lower() == "realm"]
    rest = [pair for pair in others if pair[0].lower() != "realm"]
    scopes = [("scope", scope)] if scope else []
    return Challenge(challenge.scheme, [*realm, *scopes, ("resource_metadata", metadata_url), *rest])


def _schemes_for_scripts(schemes: tuple[AnyScheme, ...]) -> tuple[AnyScheme, ...]:
    """Return the schemes that scripts are offered; empty if these are all, or if there is no other.

    A scheme that makes the browser open a password box is left out if there is another one.
    """
    silent = tuple(scheme for scheme in schemes if not scheme.prompts or scheme.depends_on_script)
    return silent if len(silent) < len(schemes) else ()


def _fields_on_refusal(
    schemes: Sequence[AnyScheme], scripts_get_others: bool, requirement: Requirement
) -> tuple[str, ...]:
    """Return the request fields by which callers get different refusals, or another way to the login page."""
    differs = scripts_get_others or any(scheme.depends_on_script for scheme in schemes)
    leading = [scheme for scheme in schemes if scheme.login_view is not None and requirement.redirect]
    others = (field for scheme in leading for field in scheme.login_redirect_varies)
    return (*(SCRIPT_FIELDS if differs else ()), *(PAGE_FIELDS if leading else ()), *others)


def _vary(schemes: Sequence[AnyScheme]) -> tuple[str, ...]:
    """Return the request fields that the response depends on (RFC 9110 §12.5.5). The query is part of the target."""
    found: dict[str, None] = {}
    for where, name in (read for scheme in schemes for read in scheme.reads):
        if where == "header":
            found[spell_field_name(name)] = None
        elif where in ("authorization", "cookie"):
            found[where.capitalize()] = None
    found.update((field, None) for scheme in schemes for field in scheme.varies)
    return tuple(found)
