"""The cases of a route: which kinds of callers there are, what each sends, and what their credentials come to.

A case is listed only if it can happen: no scope is missing where none is demanded, and no caller is throttled where no
scheme has a throttle. The order is that of the output.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ..audit.demand import names_of_schemes
from ..authentication.cross_site import SAFE_METHODS
from ..errors import AuthUnavailable, InvalidProof, NonceRequired, StaleNonce, TooManyAttempts
from ..identity import Identity
from ..policy.plan import accepted_scopes
from ..policy.requirement import Group, Requirement
from ..policy.routes import Route
from ..runtime.app_state import AppState
from ..schemes.base import AnyScheme
from ..schemes.digest import Digest
from ..schemes.dpop import DPoP
from ..schemes.session.scheme import SessionCookie
from .explained import SUBJECT, Outcome, rejected
from .find_route import Target
from .samples import NOTHING, Sample, doubled, malformed_sample_of, sample_of

OTHER_ORIGIN: Final = "https://other.example"
"""The origin of another site (RFC 2606 §3)."""
_SCRIPT: Final = (
    ("Accept", "*/*"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "cors"),
    ("Sec-Fetch-Dest", "empty"),
)
_PAGE: Final = (
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
)
_CROSS_SITE: Final = (("Origin", OTHER_ORIGIN), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"))
_EXPIRING: Final = ("token", "token_with_proof", "key")
"""Kinds of credentials that can expire. An expired login counts as none, and passwords don't expire here."""
_WAIT: Final = 60
_SAMPLE: Final = "flask unauthorized explain asked for this refusal"
"""The reason that the log shows."""
_LONG_AGO: Final = 1.0
"""A second after 1970-01-01, which is longer ago than any ``max_age``."""


class Wanted(NamedTuple):
    """Which credentials a real request of a case needs, in words around their kind, such as "token".

    Attributes:
        before: Adjectives, such as ``"expired"``.
        after: What follows, such as ``"without scope notes:read"``.
        proof: Which DPoP proof is sent with a token.
    """

    before: str = ""
    after: str = ""
    proof: str = "a DPoP proof for this request"


class Case(NamedTuple):
    """One kind of caller.

    Attributes:
        name: What ``--case`` and JSON call it, such as ``"bearer-expired"``.
        label: What the output calls it, such as ``"Bearer: expired"``.
        sample: The credentials that are sent.
        headers: Further header lines.
        outcomes: What credentials come to.
        method: The method, if it isn't that of the route.
        https: ``False`` if the request comes over plain HTTP although HTTPS is demanded.
        has_dynamic_wait: Whether ``Retry-After`` depends on the moment.
        scheme: The scheme whose credentials are sent.
        wanted: Which credentials a real request needs. ``None``: those of the sample.
        needs: What must have happened before a real request gets this response, or ``None``.
        is_sendable: ``False`` if no request of a client is enough, whatever it carries.
    """

    name: str
    label: str
    sample: Sample = NOTHING
    headers: tuple[tuple[str, str], ...] = ()
    outcomes: Mapping[AnyScheme, Outcome] = {}
    method: str | None = None
    https: bool = True
    has_dynamic_wait: bool = False
    scheme: AnyScheme | None = None
    wanted: Wanted | None = None
    needs: str | None = None
    is_sendable: bool = True


def cases_of(route: Route, target: Target, app_state: AppState) -> list[Case]:
    """Return the cases of a route. A route that demands nothing has one: nothing is sent.

    Args:
        route: An entry of the table of routes, whose state isn't ``"unknown"``.
        target: Where the requests go.
        app_state: The state of the app, which is set up.
    """
    if route.requirement is None:
        return [_NOTHING_SENT]
    return [*_Cases(route, route.requirement, target, app_state)]


_NOTHING_SENT: Final = Case("nothing", "nothing sent")
_VALID: Final = Wanted("valid")
_INVALID: Final = Wanted("invalid")


class _Cases:
    def __init__(self, route: Route, required: Requirement, target: Target, app_state: AppState) -> None:
        self.route = route
        self.required = required
        self.target = target
        self.app_state = app_state
        self.implied = app_state.configuration.implied_scopes
        self.names = names_of_schemes(app_state.schemes)
        self.samples = {scheme: sample_of(scheme, app_state.app, target) for scheme in route.schemes}

    def __iter__(self) -> Iterator[Case]:
        yield _NOTHING_SENT
        for scheme in self.route.schemes:
            yield from self._cases_of_scheme(scheme)
        yield from self._two_at_once()
        yield Case("script", "nothing sent, from a script", headers=_SCRIPT)
        yield Case("browser", "nothing sent, from a browser", headers=_PAGE)
        yield from self._of_place()
        first = self.route.schemes[0]
        yield self._case(
            first, "unavailable", "loader or store unavailable", AuthUnavailable(reason=_SAMPLE), plain_name=True
        )._replace(needs="an outage of what a loader or a store depends on", is_sendable=False)
        yield Case(
            "preflight", "CORS preflight", method="OPTIONS",
            headers=(("Origin", OTHER_ORIGIN), ("Access-Control-Request-Method", self.target.method)),
        )  # fmt: skip
        yield self._case(first, "valid", "valid credentials", self._caller(), plain_name=True)

    def _case(
        self, scheme: AnyScheme, name: str, label: str, outcome: Outcome, wanted: Wanted = _VALID, *,
        plain_name: bool = False,
    ) -> Case:  # fmt: skip
        shown = self.names[scheme]
        return Case(
            name if plain_name else f"{shown.lower()}-{name}",
            label if plain_name else f"{shown}: {label}",
            self.samples[scheme],
            outcomes={scheme: outcome},
            scheme=scheme,
            wanted=wanted,
        )

    def _cases_of_scheme(self, scheme: AnyScheme) -> Iterator[Case]:
        yield self._case(scheme, "invalid", "invalid", rejected(scheme), _INVALID)
        if isinstance(scheme, SessionCookie):
            ended = self._case(scheme, "ended-in-browser", "session ended, in a browser", rejected(scheme), _INVALID)
            yield ended._replace(headers=_PAGE)
        if scheme.credential_kind in _EXPIRING:
            yield self._case(scheme, "expired", "expired", self._caller(expires_at=_LONG_AGO), Wanted("expired"))
        if isinstance(scheme, DPoP):
            wanted = Wanted("valid", proof="a DPoP proof by another key")
            yield self._case(scheme, "without-proof", "without a valid proof", InvalidProof(), wanted)
            if scheme.nonce:
                wanted = Wanted("valid", proof="a DPoP proof without a nonce")
                yield self._case(scheme, "without-nonce", "without a valid nonce", NonceRequired(), wanted)
        if isinstance(scheme, Digest):
            yield self._case(scheme, "stale", "stale nonce", StaleNonce())._replace(
                needs="a nonce that has expired, and curl takes a new one", is_sendable=False
            )
        for name, label, caller in self._insufficient():
            after = f"of a {label}" if label.startswith("login ") else label
            yield self._case(scheme, name, label, caller, Wanted(after=after))
        malformed = malformed_sample_of(scheme, self.app_state.app, self.target)
        if malformed is not None:
            yield self._case(scheme, "malformed", "malformed", rejected(scheme))._replace(sample=malformed, wanted=None)
        if scheme.throttle is not None:
            throttled = self._case(
                scheme, "throttled", "too many attempts", TooManyAttempts(reason=_SAMPLE, retry_after=_WAIT), _INVALID
            )
            yield throttled._replace(
                has_dynamic_wait=True, needs="many refused attempts before: repeat it until the status is 429"
            )
        if self._looks_at_site(scheme):
            yield self._case(scheme, "cross-site", "sent by another site's page", self._caller())._replace(
                headers=_CROSS_SITE
            )

    def _looks_at_site(self, scheme: AnyScheme) -> bool:
        """Return whether the scheme's credentials are refused here if another site's page sent them."""
        if self.target.method not in SAFE_METHODS or self.target.is_websocket:
            return scheme.prompts or scheme.ambient
        return scheme.ambient and not scheme.cross_site_reads

    def _insufficient(self) -> Iterator[tuple[str, str, Identity]]:
        """Give valid callers who lack one thing that is demanded, with name and label."""
        required = self.required
        for group in sorted(required.scopes):
            rest = self._scopes() - accepted_scopes(group, self.implied)
            yield f"without-scope-{group[0]}", f"without scope {' or '.join(group)}", self._caller(scopes=rest)
        for group in sorted(required.roles):
            rest = _first_of(required.roles) - {*group}
            yield f"without-role-{group[0]}", f"without role {' or '.join(group)}", self._caller(roles=rest)
        if required.acr:
            yield "without-acr", f"login without acr {' or '.join(required.acr)}", self._caller(acr=None)
        for group in sorted(required.amr):
            rest = _first_of(required.amr) - {*group}
            yield f"without-amr-{group[0]}", f"login without amr {' or '.join(group)}", self._caller(amr=rest)
        if required.max_age is not None:
            label = f"login older than {required.max_age} s"
            yield "too-old", label, self._caller(auth_time=_LONG_AGO)

    def _caller(self, **differing: object) -> Identity:
        """Return a caller who meets all demands, except for the given values."""
        required = self.required
        values: dict[str, object] = {
            "scopes": self._scopes(),
            "roles": _first_of(required.roles),
            "acr": required.acr[0] if required.acr else None,
            "amr": _first_of(required.amr),
            "auth_time": time.time(),
        }
        return Identity(SUBJECT, **{**values, **differing})  # type: ignore[arg-type]  # its own checks see the types

    def _scopes(self) -> frozenset[str]:
        return _first_of(self.required.scopes)

    def _two_at_once(self) -> Iterator[Case]:
        """Give the case of two credentials: of two schemes where both are explicit, else of the first one."""
        sent = [(one, self.samples[one]) for one in self.route.schemes if not one.ambient and self._is_sent(one)]
        if not sent:
            return
        scheme, sample = sent[0]
        fields = {name for name, _ in sample.headers}
        other = next((two for _, two in sent[1:] if fields.isdisjoint(name for name, _ in two.headers)), None)
        both = doubled(sample) if other is None else sample.beside(other)
        if both is not None:
            outcomes: dict[AnyScheme, Outcome] = {one: self._caller() for one in self.route.schemes}
            yield Case("two-credentials", "two credentials at once", both, outcomes=outcomes, scheme=scheme)

    def _is_sent(self, scheme: AnyScheme) -> bool:
        sample = self.samples[scheme]
        return bool(sample.headers or sample.query)

    def _of_place(self) -> Iterator[Case]:
        """Give the cases of requests from a wrong place: over plain HTTP, or from an origin that isn't allowed."""
        scheme = self.route.schemes[0]
        if self.app_state.settings.require_https:
            yield self._case(scheme, "plain-http", "over plain HTTP", self._caller(), plain_name=True)._replace(
                https=False
            )
        if self.route.resource is not None and self.route.resource.origins is not None:
            yield self._case(scheme, "other-origin", "from another origin", self._caller(), plain_name=True)._replace(
                headers=(("Origin", OTHER_ORIGIN),)
            )


def _first_of(groups: frozenset[Group]) -> frozenset[str]:
    """Return one name of each group, which meets all of them."""
    return frozenset(group[0] for group in groups)
