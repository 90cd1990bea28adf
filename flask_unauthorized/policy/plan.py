"""`Plan`: one effective requirement, compiled for one app, so that a request only looks things up.

A plan is made once and then read by every request. It answers three questions:

1. What must hold before any credentials are read? HTTPS, and the origins of a protected resource.
2. Where are credentials looked for? The scheme names of ``Authorization`` in one table; then schemes that read another
   field: those that the caller chose to send (an API key), then those that browsers send by themselves (a cookie).
3. What must the identity have? Scopes and roles as groups of alternatives, the class and the time of the login.

What is said to a caller who doesn't meet the plan stands in its `ChallengeSet`. A plan names no concrete scheme: what
it must know of one is an attribute of `Scheme`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from ..errors import ConfigurationError
from ..errors.text import MAX_REASON
from ..schemes.base import FLASK_SESSION, REMEMBER_COOKIE, AnyScheme
from ..wire.rules import SPELLINGS
from .challenges import ChallengeSet
from .plain_http import PlainHTTPWarning
from .requirement import Group, Requirement, challenge_scopes_of
from .resource import Resource
from .settings import Settings


class Plan:
    """What authentication needs of one effective requirement. Read-only, except for the caches of its challenges."""

    __slots__ = (
        "acr", "ambiguous", "amr_groups", "authorization_details", "by_name", "challenge_scopes", "challenges",
        "explicit_schemes", "has_permissions", "has_preconditions", "has_requirements", "https_only",
        "implicit_schemes", "is_open", "max_age", "max_credentials", "missing_reason", "no_store", "optional",
        "origins", "plain_http", "prompting_schemes", "raises_on_mistakes", "reads_other_fields", "realm",
        "requirement", "requires_step_up", "role_groups", "schemes", "schemes_without_response_headers",
        "scope_groups", "vary",
    )  # fmt: skip

    def __init__(
        self,
        requirement: Requirement,
        schemes: Sequence[AnyScheme],
        *,
        realm: str,
        settings: Settings,
        implied_scopes: Mapping[str, frozenset[str]],
        challenge_order: Sequence[AnyScheme],
        plain_http: PlainHTTPWarning,
        raises_on_mistakes: bool,
        resource: Resource | None = None,
        ambiguous: frozenset[AnyScheme] = frozenset(),
        is_open: bool = False,
    ) -> None:
        _check_shared_reads(schemes)
        self.requirement: Final = requirement
        self.realm = realm
        self.max_credentials = settings.max_credentials
        self.raises_on_mistakes = raises_on_mistakes
        self.plain_http: Final = plain_http

        # 1. Before credentials are read.
        self.https_only = settings.require_https
        self.origins = None if resource is None else resource.origins
        self.is_open = is_open
        """Whether ``unless`` dropped all levels. Such a plan judges no request. It only identifies callers."""
        self.has_preconditions = self.https_only or self.origins is not None

        # 2. Where credentials are looked for.
        self.challenge_scopes = challenge_scopes_of(requirement.scopes)
        self.challenges = ChallengeSet(
            requirement,
            schemes,
            realm=realm,
            challenge_order=challenge_order,
            scopes=self.challenge_scopes,
            resource=resource,
        )
        self.schemes = self.challenges.schemes
        self.ambiguous = ambiguous
        """Schemes that read what another scheme of the `Auth` reads, so they identify no caller on an open route."""
        self.by_name = _by_name(self.schemes)
        others = tuple(filter(_reads_other_fields, self.schemes))
        self.explicit_schemes = tuple(scheme for scheme in others if not scheme.ambient)
        self.implicit_schemes = tuple(scheme for scheme in others if scheme.ambient)
        self.reads_other_fields = bool(others)
        self.prompting_schemes = frozenset(filter(_prompts, self.schemes))
        self.missing_reason = _missing_reason(self.schemes)

        # 3. What the identity must have.
        self.optional = requirement.optional
        self._compile_demands(requirement, implied_scopes)

        # What the response to an accepted request has to name.
        self.vary = self.challenges.vary
        self.no_store = _validated_no_store(requirement, settings)
        self.schemes_without_response_headers = frozenset(
            () if self.optional or self.no_store else filter(_leaves_no_trace, self.schemes)
        )

    def _compile_demands(self, requirement: Requirement, implied_scopes: Mapping[str, frozenset[str]]) -> None:
        self.acr = requirement.acr
        self.max_age = requirement.max_age
        self.amr_groups = tuple(map(frozenset, requirement.amr))
        self.requires_step_up = bool(self.acr or self.amr_groups) or self.max_age is not None
        self.scope_groups = tuple(accepted_scopes(group, implied_scopes) for group in requirement.scopes)
        self.role_groups = tuple(map(frozenset, requirement.roles))
        self.authorization_details = requirement.authorization_details
        self.has_permissions = bool(self.scope_groups or self.role_groups or self.authorization_details)
        self.has_requirements = self.requires_step_up or self.has_permissions


def _validated_no_store(requirement: Requirement, settings: Settings) -> bool:
    if requirement.no_store and settings.guard == "off":
        raise ConfigurationError(
            "no_store=True needs the guard over all responses, and UNAUTHORIZED_GUARD='off' takes it out: use 'repair'"
        )
    return requirement.no_store


def _reads_other_fields(scheme: AnyScheme) -> bool:
    return any(where != "authorization" for where, _ in scheme.reads)


def _prompts(scheme: AnyScheme) -> bool:
    return scheme.prompts


def _leaves_no_trace(scheme: AnyScheme) -> bool:
    """Return whether the response to an accepted request is the same as without the scheme."""
    return not (_reads_other_fields(scheme) or scheme.varies or scheme.responds())


def _by_name(schemes: Sequence[AnyScheme]) -> dict[str, AnyScheme]:
    """Schemes by the names under which clients send them: in lower case, and as they are usually spelled."""
    return {
        spelled: scheme
        for scheme in schemes
        for where, name in scheme.reads
        if where == "authorization"
        for spelled in (name, scheme.name if scheme.name.lower() == name else SPELLINGS.get(name, name))
    }


def _missing_reason(schemes: Sequence[AnyScheme]) -> str:
    """Return the private reason for missing credentials, made once. It names where each scheme in force looks."""
    looks = (f"{scheme.name} in {' or '.join(dict.fromkeys(map(_place, scheme.reads)))}" for scheme in schemes)
    return f"no credentials came for a scheme in force: {', '.join(looks)}"[:MAX_REASON]


def _place(read: tuple[str, str]) -> str:
    where, name = read
    if read == FLASK_SESSION:
        return "Flask's session"  # The app chooses the name of its cookie.
    if read == REMEMBER_COOKIE:
        return "the remember cookie"
    if where == "environ":
        return f"{name} of the server"
    return "Authorization" if where == "authorization" else f"the {where} {name}"


def accepted_scopes(group: Group, implied: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Return all scopes that meet a group: its own, and those that imply one of them."""
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
