"""The findings of the audit: what looks like a mistake in the table of routes.

Each function below finds one kind, and reads plain values only: the table, the schemes, the app's configuration. So no
loader, no store and no network is used. A finding names the routes that it is about. A finding about a scheme is
reported once, with the first route on which the scheme is in force.

``A13`` to ``A17`` compare the table with an OpenAPI document: `documented` finds them.
``A9`` (a name in ``protect(public=)`` that has no view) has no function: such a set-up is a `ConfigurationError`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, Literal, NamedTuple

from ..loaders.passwords import Passwords
from ..policy.routes import Route
from ..policy.settings import Settings
from ..schemes.base import FLASK_SESSION, AnyScheme
from ..schemes.loader_chain import loaders_of
from .demand import OPEN_STATES, shown_rule

Level = Literal["error", "warning", "note"]


class Rule(NamedTuple):
    """A kind of finding."""

    id: str
    name: str
    level: Level
    summary: str


RULES: Final[Mapping[str, Rule]] = {
    rule.id: rule
    for rule in (
        Rule("A1", "open", "error", "A route demands nothing, and isn't marked as public."),
        Rule("A2", "unknown", "error", "The audit can't tell what a route demands."),
        Rule("A3", "asymmetric", "error", "Some methods of a rule are guarded, and another is open."),
        Rule("A4", "no-reason", "note", "A public route has no reason."),
        Rule("A5", "cross-site-cookie", "warning", "Browsers send the only credential of a route from other sites."),
        Rule("A6", "step-up-impossible", "warning", "No scheme of a route can know when or how a caller logged in."),
        Rule("A7", "no-throttle", "warning", "A scheme takes passwords, and nothing limits guesses."),
        Rule("A8", "plain-http", "note", "A scheme takes passwords over plain HTTP."),
        Rule("A9", "public-without-view", "error", "A name in protect(public=) has no view."),
        Rule("A10", "secret-in-query", "warning", "A scheme reads a secret from the query."),
        Rule("A11", "similar-scope", "note", "A scope is demanded once, and is nearly another one."),
        Rule("A12", "open-tool", "error", "A page for administrators or developers is open."),
        Rule("A13", "documented-open", "error", "The OpenAPI document shows a guarded operation as open."),
        Rule("A14", "documented-guarded", "error", "The OpenAPI document shows an open operation as guarded."),
        Rule("A15", "documented-otherwise", "error", "The OpenAPI document names other schemes or scopes."),
        Rule("A16", "undocumented", "warning", "The OpenAPI document lacks a guarded route."),
        Rule("A17", "documented-only", "warning", "The app lacks an operation of the OpenAPI document."),
    )
}
"""All kinds by id. The level is that of the worst case."""


class Finding(NamedTuple):
    """A mistake, or what looks like one.

    Attributes:
        id: The id of its `Rule`.
        level: How bad it is.
        subject: What it is about: a rule with its methods, or a scheme. It identifies the finding over time.
        message: What is wrong, and what to do.
        route: The route, or the first of several.
    """

    id: str
    level: Level
    subject: str
    message: str
    route: Route


class Audited(NamedTuple):
    """What the findings are made from.

    Attributes:
        routes: The table of routes.
        names: The names of all schemes.
        config: The configuration of the app.
        settings: The settings of the extension.
    """

    routes: Sequence[Route]
    names: Mapping[AnyScheme, str]
    config: Mapping[str, Any]
    settings: Settings

    def users_of(self, scheme: AnyScheme) -> list[Route]:
        """Return the routes on which a scheme is in force and something is demanded."""
        return [route for route in self.routes if route.requirement is not None and scheme in route.schemes]


def shown_methods(route: Route) -> str:
    """Return the methods of a route for readers, without ``HEAD`` beside ``GET``."""
    methods = route.methods - {"HEAD"} if "GET" in route.methods else route.methods
    return " ".join(sorted(methods)) or "any method"


def subject_of(route: Route) -> str:
    """Return what identifies a route over time: methods, host and rule."""
    return f"{shown_methods(route)} {shown_rule(route.rule, route.host, route.subdomain)}"


def find_mistakes(audited: Audited, *, reasons: bool = False) -> tuple[Finding, ...]:
    """Return all findings, sorted by level, id and subject.

    Args:
        audited: What is audited.
        reasons: Whether a public route without a reason is a finding (``A4``).
    """
    makers = (*_MAKERS, _without_reason) if reasons else _MAKERS
    return in_order(finding for make in makers for finding in make(audited))


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings sorted by level, id and subject."""
    order = ("error", "warning", "note")
    return tuple(sorted(findings, key=lambda one: (order.index(one.level), int(one.id[1:]), one.subject)))


def _about(rule: str, route: Route, message: str, level: Level | None = None) -> Finding:
    return Finding(rule, level or RULES[rule].level, subject_of(route), message, route)


def _about_scheme(rule: str, audited: Audited, scheme: AnyScheme, message: str) -> Iterator[Finding]:
    """Give a finding about a scheme, if it is in force anywhere."""
    users = audited.users_of(scheme)
    if users:
        count = f"{len(users)} route{'s' if len(users) > 1 else ''}"
        yield Finding(rule, RULES[rule].level, audited.names[scheme], f"{message} (in force on {count})", users[0])


def _open_routes(audited: Audited) -> Iterator[Finding]:
    """Find A1, A2, A3 and A12. A route has one of them at most."""
    guarded_rules = {_rule_of(route) for route in audited.routes if route.state == "guarded"}
    for route in audited.routes:
        asymmetric = _rule_of(route) in guarded_rules
        if route.state == "unknown":
            yield _about("A2", route, f"{route.because}")
        elif route.state == "open" and asymmetric:
            yield _about("A3", route, "other methods of the rule are guarded: guard this one, or mark it @auth.public")
        elif route.state == "public" and route.kind == "view" and asymmetric:
            yield from _public_beside_guarded(route)
        elif route.state in OPEN_STATES and route.because is None:
            yield from _open(route)


def _open(route: Route) -> Iterator[Finding]:
    """Find A1 and A12. A page of a tool has A12 in place of A1, and also if it is public without a reason."""
    how = f'protect(public={{{route.endpoint!r}: "..."}})'
    tool = _tool_of(route)
    if tool is not None:
        level: Level = "error" if route.state == "open" else "warning"
        yield _about("A12", route, f"{tool} is open: guard it, or say why it is public, with {how}", level)
    elif route.state == "open":
        yield _about(
            "A1", route,
            "callers need no credentials here: guard the view, or mark it as public, with "
            f'@auth.public(reason="...") or {how}',
        )  # fmt: skip


def _public_beside_guarded(route: Route) -> Iterator[Finding]:
    if not route.methods <= {"GET", "HEAD", "OPTIONS"}:
        yield _about("A3", route, "this method changes data and is public, but others are guarded: guard it", "warning")
    elif route.because is not None:
        yield _about("A3", route, f"public beside guarded methods: {route.because}", "note")
    else:
        yield _about(
            "A3", route, 'public beside guarded methods: give the reason, @auth.public(reason="...")', "warning"
        )


def _rule_of(route: Route) -> tuple[str, str | None, str | None]:
    return route.rule, route.host, route.subdomain


def _without_reason(audited: Audited) -> Iterator[Finding]:
    for route in audited.routes:
        if route.state == "public" and route.because is None:
            yield _about(
                "A4", route, 'say why it is public: @auth.public(reason="...") or protect(public={name: "..."})'
            )


def _cross_site_cookies(audited: Audited) -> Iterator[Finding]:
    if (audited.config.get("SESSION_COOKIE_SAMESITE") or "").lower() != "none":
        return
    for scheme in audited.names:
        alone = [route for route in audited.users_of(scheme) if route.schemes == (scheme,)]
        if FLASK_SESSION in scheme.reads and alone:
            yield from _about_scheme(
                "A5", audited, scheme,
                "SESSION_COOKIE_SAMESITE='None' lets browsers send the cookie from other sites: use 'Lax', unless "
                "pages of other sites need it",
            )  # fmt: skip


def _impossible_step_up(audited: Audited) -> Iterator[Finding]:
    for route in audited.routes:
        required = route.requirement
        if required is None or not (required.acr or required.amr or required.max_age is not None):
            continue
        if route.schemes and not any(map(_may_know_login, route.schemes)):
            yield _about(
                "A6",
                route,
                f"{', '.join(audited.names[scheme] for scheme in route.schemes)} can't know when or how the caller "
                "logged in, so acr=, amr= and max_age= refuse everybody: name another scheme with via=",
            )


def _may_know_login(scheme: AnyScheme) -> bool:
    """Return whether identities of a scheme may say when or how the caller logged in. Any doubt means yes."""
    return scheme.knows_login or not all(map(_never_knows_login, loaders_of(scheme)))


def _never_knows_login(loader: object) -> bool:
    if isinstance(loader, Passwords):
        return loader._load is None
    stored = _stored_tokens()
    return stored is not None and isinstance(loader, stored)


def _stored_tokens() -> type | None:
    try:
        from ..loaders.stored import StoredTokens
    except ImportError:  # SQLAlchemy isn't installed, so no scheme has such a loader.
        return None
    return StoredTokens


def _passwords(audited: Audited) -> Iterator[Finding]:
    """Find A7 and A8."""
    secure = audited.settings.require_https or audited.config.get("PREFERRED_URL_SCHEME") == "https"
    for scheme in audited.names:
        if scheme.credential_kind != "password":
            continue
        if scheme.throttle is None:
            message = "nothing limits guesses of passwords: pass throttle=Throttle(store)"
            yield from _about_scheme("A7", audited, scheme, message)
        if scheme.name == "Basic" and not secure:
            message = "passwords may come over plain HTTP: set UNAUTHORIZED_REQUIRE_HTTPS=True"
            yield from _about_scheme("A8", audited, scheme, message)


def _secrets_in_queries(audited: Audited) -> Iterator[Finding]:
    for scheme in audited.names:
        names = [name for location, name in scheme.reads if location == "query"]
        if names:
            message = f"addresses are logged, and ?{names[0]}= holds a secret (ASVS 14.2.1): read a header"
            yield from _about_scheme("A10", audited, scheme, message)


def _similar_scopes(audited: Audited) -> Iterator[Finding]:
    users: dict[str, list[Route]] = {}
    for route in audited.routes:
        for scope in {name for group in (route.requirement.scopes if route.requirement else ()) for name in group}:
            users.setdefault(scope, []).append(route)
    for pair in _pairs_that_may_be_near(users):
        rare, other = sorted(pair, key=lambda scope: (len(users[scope]), scope))
        if len(users[rare]) == 1 and is_near(rare, other):
            yield _about("A11", users[rare][0], f"the scope {rare!r} is demanded here only: did you mean {other!r}?")


_FEWEST_LETTERS: Final = 3
"""Shorter parts of a scope tell scopes apart on purpose."""


def _pairs_that_may_be_near(scopes: Iterable[str]) -> list[tuple[str, str]]:
    """Return all pairs of scopes that `is_near` may accept, sorted, without a comparison of each with each.

    Two words that differ by one letter are equal after one letter of one or both was left out. So scopes that are near
    share a key: all their letters, or their parts with one letter of one part left out.
    """
    by_key: dict[object, list[str]] = {}
    for scope in sorted(scopes):
        for key in set(_keys_of_scope(scope)):
            by_key.setdefault(key, []).append(scope)
    return sorted({pair for sharing in by_key.values() for pair in combinations(sharing, 2)})


def _keys_of_scope(scope: str) -> Iterator[object]:
    parts = _parts_of_scope(scope)
    yield "".join(parts)
    for place, part in enumerate(parts):
        if len(part) >= _FEWEST_LETTERS and part.isalpha():
            for shorter in (part, *(part[:at] + part[at + 1 :] for at in range(len(part)))):
                yield place, *parts[:place], shorter, *parts[place + 1 :]


def _parts_of_scope(scope: str) -> list[str]:
    return re.split(r"[:./_-]", scope.lower())


def is_near(first: str, second: str) -> bool:
    """Return whether one scope may be a misspelling of another.

    They differ in case or in separators, or one part of them by one letter. Digits, and parts of fewer than three
    characters, tell scopes apart on purpose, such as ``v1`` and ``v2``.
    """
    one, other = _parts_of_scope(first), _parts_of_scope(second)
    if "".join(one) == "".join(other):
        return True
    if len(one) != len(other):
        return False
    differing = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    return len(differing) == 1 and _differ_by_one_letter(*differing[0])


def _differ_by_one_letter(first: str, second: str) -> bool:
    """Return whether two words differ by one letter that was added, left out, replaced or swapped with the next."""
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) < _FEWEST_LETTERS or len(longer) - len(shorter) > 1 or not (first + second).isalpha():
        return False
    at = next((index for index, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    rest, longer_rest = shorter[at:], longer[at:]
    if len(shorter) < len(longer):
        return rest == longer_rest[1:]
    return rest[1:] == longer_rest[1:] or (rest[1::-1], rest[2:]) == (longer_rest[:2], longer_rest[2:])


_TOOLS: Final[Mapping[str, str]] = {
    "flask_admin": "a page of Flask-Admin",
    "flask_appbuilder": "a page of Flask-AppBuilder",
    "flask_debugtoolbar": "a page of Flask-DebugToolbar",
    "flask_monitoringdashboard": "a page of Flask-MonitoringDashboard",
    "flask_profiler": "a page of Flask-Profiler",
    "prometheus_flask_exporter": "a page of the Prometheus exporter",
    "rq_dashboard": "a page of RQ Dashboard",
    "flasgger": "a page of Flasgger",
    "flask_swagger_ui": "a page of Swagger UI",
    "flask_smorest": "a page that flask-smorest makes for the OpenAPI document",
    "flask_openapi3": "a page that flask-openapi3 makes for the OpenAPI document",
    "apiflask": "a page that APIFlask makes for the OpenAPI document",
}
"""Packages that bring pages for administrators or developers, by the module of their views."""
_TOOL_PATHS: Final = frozenset(
    {
        "_debug_toolbar", "admin", "debug", "docs", "graphiql", "metrics", "openapi.json", "redoc", "swagger",
        "swagger.json", "swagger-ui",
    }
)  # fmt: skip


def _tool_of(route: Route) -> str | None:
    """Return what page for administrators or developers a route has; ``None`` if it has none."""
    tool = _TOOLS.get(route.view.partition(":")[0].partition(".")[0])
    parts = route.rule.strip("/").split("/")
    if tool is None and (parts[0] in _TOOL_PATHS or parts[-1] in _TOOL_PATHS):
        return "a page for administrators or developers"
    return tool


_MAKERS: Final[tuple[Callable[[Audited], Iterable[Finding]], ...]] = (
    _open_routes, _cross_site_cookies, _impossible_step_up, _passwords, _secrets_in_queries, _similar_scopes,
)  # fmt: skip
