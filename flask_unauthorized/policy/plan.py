"""`Plan`: one effective requirement, compiled for one app, so that a request only looks things up."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from flask import Request

from ..errors import MAX_REASON, AuthError, ConfigurationError, InsufficientScope
from ..resource_metadata.document import ProtectedResource
from ..schemes.base import Scheme
from ..wire import Challenge
from ..wire.fetch_metadata import PAGE_FIELDS, SCRIPT_FIELDS, is_script
from ..wire.grammar import MAX_AUTHORIZATION
from ..wire.rules import SPELLINGS
from .requirement import Group, Requirement, emitted_scopes

MAX_HEADERS = 8 * 1024
"""Most bytes that the challenges of one answer may have together."""

MAX_KEPT = 256
"""Most refusals that are kept ready for one plan: a view may name ever new scopes."""

AnyScheme = Scheme[Any]
K = TypeVar("K")
V = TypeVar("V")
_RANK = {"digest": 0, "basic": 1, "bearer": 2}  # measured on real clients: see order_schemes


class Plan:
    """What judging needs of one effective requirement. Read-only once made, but for the refusals kept in it."""

    __slots__ = (
        "acr", "ambient", "ambiguous", "answers", "by_name", "carriers", "clean", "demands", "elsewhere", "https_only",
        "max_age", "max_credentials", "missing_reason", "named_scopes", "optional", "origins", "owner", "quiet",
        "realm", "refusal_vary", "refused_vary", "requirement", "resource", "role_groups", "scheme_names", "schemes",
        "scope_groups", "screens", "silent", "steady", "steps_up", "strict", "told", "unasked", "vary",
    )  # fmt: skip

    def __init__(
        self,
        owner: Any,
        requirement: Requirement,
        schemes: Sequence[AnyScheme],
        *,
        realm: str,
        implied_scopes: Mapping[str, frozenset[str]],
        challenge_order: Sequence[AnyScheme],
        https_only: bool,
        strict: bool,
        resource: ProtectedResource | None = None,
        max_credentials: int = MAX_AUTHORIZATION,
        ambiguous: frozenset[AnyScheme] = frozenset(),
    ) -> None:
        self.ambiguous = ambiguous  # schemes that read what another scheme of the Auth reads: nobody is identified
        self.owner = owner  # the state of the app it was compiled for
        self.requirement = requirement
        self.realm = realm
        self.https_only = https_only
        self.strict = strict
        self.max_credentials = max_credentials
        self.resource = resource
        self.origins = None if resource is None else resource.origins
        self.screens = https_only or self.origins is not None  # requests by what is known before any credentials
        self.optional = requirement.optional
        self.acr = requirement.acr
        self.max_age = requirement.max_age
        self.steps_up = bool(requirement.acr) or requirement.max_age is not None
        self.scope_groups = tuple(_accepted(group, implied_scopes) for group in requirement.scopes)
        self.role_groups = tuple(frozenset(group) for group in requirement.roles)
        self.named_scopes = emitted_scopes(requirement.scopes)
        _check_shared_reads(schemes)
        self.clean: dict[AnyScheme, tuple[Challenge, ...]] = {
            scheme: self._made(scheme, None, _NO_REQUEST) for scheme in schemes if scheme.static
        }
        for scheme, challenges in self.clean.items():
            if not challenges:
                raise ConfigurationError(f"{scheme!r} gave no challenge: challenges() must return at least one")
        self.schemes = order_schemes(schemes, challenge_order, self._leads)
        # What is told to whoever sent nothing; empty where a scheme has to look at the request first.
        self.unasked: tuple[Challenge, ...] = ()
        if len(self.clean) == len(self.schemes):
            self.unasked = tuple(challenge for scheme in self.schemes for challenge in self.clean[scheme])
        # Those that a script is offered, where that is a choice.
        silent = tuple(scheme for scheme in self.schemes if not _prompts_scripts(scheme))
        self.silent = silent if len(silent) < len(self.schemes) else ()
        self.scheme_names = tuple(scheme.name for scheme in self.schemes)
        self.missing_reason = _missing_reason(self.schemes)
        self.by_name = {
            spelled: scheme
            for scheme in self.schemes
            for where, name in scheme.reads
            if where == "authorization"
            for spelled in (name, scheme.name if scheme.name.lower() == name else SPELLINGS.get(name, name))
        }
        # Explicit carriers before ambient ones: what the caller chose to send decides.
        others = [scheme for scheme in self.schemes if any(where != "authorization" for where, _ in scheme.reads)]
        self.carriers = tuple(scheme for scheme in others if not scheme.ambient)
        self.ambient = tuple(scheme for scheme in others if scheme.ambient)
        self.elsewhere = bool(others)
        self.demands = bool(self.steps_up or self.scope_groups or self.role_groups)
        self.vary = _vary(self.schemes)
        # Where a script and a page get different answers.
        leads_pages = any(getattr(scheme, "login_view", None) is not None for scheme in self.schemes)
        differs = self.silent or any(scheme.depends_on_script for scheme in self.schemes)
        fields = (*(SCRIPT_FIELDS if differs else ()), *(PAGE_FIELDS if leads_pages else ()))
        self.refused_vary = (*self.vary, *fields)  # of whatever body
        self.refusal_vary = ", ".join(dict.fromkeys(("Accept", *self.refused_vary)))
        # Schemes that leave no trace in the answer to who is let in.
        self.quiet = frozenset(
            scheme
            for scheme in self.schemes
            if not (scheme in others or self.optional or scheme.varies or scheme.responds())
        )
        # What refusals that only their class decides have come to: challenges and header lines, then whole answers.
        self.steady = all(scheme.static and scheme.cacheable_challenges for scheme in self.schemes)
        self.told: dict[Any, Any] = {}
        self.answers: dict[Any, Any] = {}
        self._check_size()
        if resource is not None and len(resource.urls) > 1:
            self._look_at_hosts()

    def _look_at_hosts(self) -> None:
        """Keeps nothing that names a document, where the host of a request chooses it."""
        self.clean = {scheme: told for scheme, told in self.clean.items() if not scheme.oauth}
        self.unasked = self.unasked if len(self.clean) == len(self.schemes) else ()
        self.steady = self.steady and len(self.clean) == len(self.schemes)

    def _leads(self, scheme: AnyScheme) -> bool:
        """Whether its challenges tell ``resource_metadata``: we add it, or a scheme of a user has its own."""
        adds = self.resource is not None and scheme.oauth
        return adds or any(one.get("resource_metadata") is not None for one in self.clean.get(scheme, ()))

    def challenges(self, scheme: AnyScheme, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        """The challenges of one scheme in force; ``error`` where it was tried."""
        if error is None and scheme in self.clean:
            return self.clean[scheme]
        # A scheme of a user that forgets its challenge for an error still has its clean one.
        return self._made(scheme, error, request) or self.clean.get(scheme, ())

    def _made(self, scheme: AnyScheme, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        made = scheme.challenges(scheme.realm if scheme.realm is not None else self.realm, error, request)
        if self.resource is None or not scheme.oauth:
            return made
        # All that the view demands, with or without a token: one round trip must do (MCP), and some clients ask for
        # exactly what they are told, and lose what they had.
        extra = error.scopes if isinstance(error, InsufficientScope) else ()
        scope = " ".join(sorted({*self.named_scopes, *extra}))
        resource = self.resource if request is _NO_REQUEST else self.resource.asked_by(request.environ)
        return tuple(_pointing(challenge, resource.metadata_url, scope) for challenge in made)

    def in_force(self, error: AuthError | None, tried: AnyScheme | None, request: Request) -> tuple[Challenge, ...]:
        """The challenges of all schemes in force, in their order; ``error`` is told in the tried one's.

        A browser's script isn't offered what makes the browser open a password box, where there is another scheme.
        """
        schemes = self.silent if self.silent and is_script(request.environ) else self.schemes
        return tuple(
            challenge
            for scheme in schemes
            for challenge in self.challenges(scheme, error if scheme is tried else None, request)
        )

    def _check_size(self) -> None:
        needed = InsufficientScope(scopes=self.named_scopes)
        for scheme in self.clean:
            told = self.challenges(scheme, needed, _NO_REQUEST) if self.named_scopes else ()
            size = sum(
                len(str(challenge)) for challenge in (*told, *(c for clean in self.clean.values() for c in clean))
            )
            if size > MAX_HEADERS:
                raise ConfigurationError(
                    f"the challenges of {self.requirement!r} are {size} bytes long, more than {MAX_HEADERS}, which "
                    "servers and clients cut: demand fewer scopes or offer fewer schemes"
                )


# A static challenge depends on nothing in the request (Scheme.static), so there is none to give.
_NO_REQUEST: Any = None


@functools.lru_cache(maxsize=512)
def _pointing(challenge: Challenge, metadata_url: str, scope: str) -> Challenge:
    """``challenge`` with scope and resource_metadata in the order that clients.md measured: before the error."""
    kept = [(name, value) for name, value in challenge.params if name.lower() not in ("scope", "resource_metadata")]
    realm = [pair for pair in kept if pair[0].lower() == "realm"]
    rest = [pair for pair in kept if pair[0].lower() != "realm"]
    scopes = [("scope", scope)] if scope else []
    return Challenge(challenge.scheme, [*realm, *scopes, ("resource_metadata", metadata_url), *rest])


def order_schemes(
    schemes: Iterable[AnyScheme],
    fixed: Sequence[AnyScheme] = (),
    leads: Callable[[AnyScheme], bool] = lambda scheme: False,
) -> tuple[AnyScheme, ...]:
    """The order of challenges in which most real clients get in: Digest, Basic, Bearer, others as configured.

    Those that lead, with ``resource_metadata``, go first, Bearer before others, for MCP clients read nothing else;
    ``fixed`` goes before all.
    """

    def rank(scheme: AnyScheme) -> tuple[int, int]:
        if scheme in fixed:
            return -2, fixed.index(scheme)
        if leads(scheme):
            return -1, _RANK.get(scheme.name.lower(), len(_RANK))
        return _RANK.get(scheme.name.lower(), len(_RANK)), 0

    return tuple(sorted(schemes, key=rank))


def _prompts_scripts(scheme: AnyScheme) -> bool:
    return scheme.prompts and not scheme.depends_on_script


def keep(kept: dict[K, V], key: K, value: V) -> V:
    """Keeps ``value`` for later requests, within `MAX_KEPT`; returns it."""
    if len(kept) >= MAX_KEPT:
        kept.clear()
    kept[key] = value
    return value


def _missing_reason(schemes: Sequence[AnyScheme]) -> str:
    """The private reason where nothing was sent, made once: it names where each scheme in force looks."""
    looks = (f"{scheme.name} in {' or '.join(dict.fromkeys(map(_place, scheme.reads)))}" for scheme in schemes)
    return f"no credentials came for a scheme in force: {', '.join(looks)}"[:MAX_REASON]


def _place(read: tuple[str, str]) -> str:
    where, name = read
    return "Authorization" if where == "authorization" else f"the {where} {name}"


def _accepted(group: Group, implied: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """All scopes that meet a group: its own, and those that imply one of them."""
    names = set(group)
    return frozenset(names.union(scope for scope, implies in implied.items() if not names.isdisjoint(implies)))


def _check_shared_reads(schemes: Sequence[AnyScheme]) -> None:
    seen: dict[tuple[str, str], AnyScheme] = {}
    for scheme in schemes:
        for read in scheme.reads:
            if read in seen:
                raise ConfigurationError(
                    f"{seen[read]!r} and {scheme!r} both read {' '.join(read)!r} in one view, so it is open which "
                    "decides: choose one with via="
                )
            seen[read] = scheme


def _vary(schemes: Sequence[AnyScheme]) -> tuple[str, ...]:
    """The request fields that the answer depends on (RFC 9110 §12.5.5); the query is part of the target."""
    found: dict[str, None] = {}
    for where, name in (read for scheme in schemes for read in scheme.reads):
        if where == "header":
            found["-".join(part.capitalize() for part in name.split("-"))] = None
        elif where in ("authorization", "cookie"):
            found[where.capitalize()] = None
    found.update((field, None) for scheme in schemes for field in scheme.varies)
    return tuple(found)
