"""`Requirement`: what a view demands, and how the demands of several levels become one.

Two rules merge requirements:

- `combine_decorators`: decorators of one view must all be met. ``via`` and ``acr`` narrow to what they share. Scopes,
  roles, ``amr`` and the functions of ``authorization_details`` add up. The smallest ``max_age`` counts. The view is
  optional only if all decorators are.
- `inherit`: a level (app, blueprint, view) inherits from those outside of it. The nearest ``via`` wins, the rest merges
  as above. The innermost level decides whether the view is optional.

``unless`` drops a whole level for one request, before the levels are merged (`holding`). ``redirect=False`` of any
level that holds keeps the login page away, and ``no_store=True`` of any level keeps the response out of caches.

Scopes, roles and ``amr`` are sets of groups. All groups must be met, and any name of a group meets it. So a plain name
is a group of one, and `any_of` makes a group of several.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import reduce
from typing import Any, Final

from ..arguments import unknown_keyword_message, validated_flag, validated_whole_seconds
from ..errors import ConfigurationError
from ..identity import as_set
from ..wire.rules import check_scope_token
from .details import Decision, validated_decision
from .functions import name_of
from .unless import Condition, validated_condition

Group = tuple[str, ...]
"""Names of which any one will do, in order of preference. A plain name is a group of one."""


class AnyOf:
    """One alternative among names: what `any_of` returns."""

    __slots__ = ("names",)

    def __init__(self, names: Group) -> None:
        self.names: Final = names

    def __eq__(self, other: object) -> bool:
        return self.names == other.names if isinstance(other, AnyOf) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"any_of({', '.join(map(repr, self.names))})"


# Not Collection[str], which a bare string is as well.
Names = AnyOf | AbstractSet[str] | AbstractSet[str | AnyOf] | list[str] | list[str | AnyOf] | tuple[str | AnyOf, ...]


def any_of(*names: str) -> AnyOf:
    """Demand one of ``names``: ``scopes=any_of("write", "admin")``.

    As a member of a collection it is one demand among others: ``scopes={"read", any_of("a", "b")}``. If a
    challenge names the needed scope, it names the first one only.

    Example:
        Let writers and administrators in, if they may also read::

            from flask_unauthorized import any_of

            @app.get("/drafts")
            @auth.login_required(scopes={"notes:read", any_of("notes:write", "admin")})
            def drafts():
                return "drafts"

    Args:
        *names: The names of scopes, roles or methods, one of which is enough.

    Raises:
        ConfigurationError: Without names.
        TypeError: For what isn't a non-empty string.
    """
    if not names:
        raise ConfigurationError("any_of() without names would reject every caller: name at least one")
    for name in names:
        if not isinstance(name, str) or not name:
            fix = f": write any_of({', '.join(map(repr, name))})" if isinstance(name, (list, tuple)) else ""
            raise TypeError(f"any_of takes non-empty str, not {name!r}{fix}")
    return AnyOf(tuple(dict.fromkeys(names)))


class Requirement:
    """What a view demands. Immutable; equal if all demands are equal.

    Attributes:
        via: The schemes to choose from. ``None`` leaves them to the levels around this one.
        scopes: Groups of scopes. All groups must be met.
        roles: Groups of roles. All groups must be met.
        acr: The acceptable classes of a login, in order of preference.
        max_age: The longest time since the login, in seconds.
        optional: Whether anonymous callers pass.
        unless: The function that drops this level for a request, or those of all levels that were merged.
        redirect: Whether a refusal may lead to the login page.
        amr: Groups of authentication methods. All groups must be met.
        no_store: Whether no cache may store the view's responses.
        authorization_details: The functions that decide by the ``authorization_details`` of the token.
    """

    __slots__ = (
        "__weakref__", "_hash", "acr", "amr", "authorization_details", "max_age", "no_store", "optional", "redirect",
        "roles", "scopes", "unless", "via",
    )  # fmt: skip

    via: Final[tuple[Any, ...] | None]
    scopes: Final[frozenset[Group]]
    roles: Final[frozenset[Group]]
    acr: Final[tuple[str, ...]]
    max_age: Final[int | None]
    optional: Final[bool]
    unless: Final[tuple[Condition, ...]]
    redirect: Final[bool]
    amr: Final[frozenset[Group]]
    no_store: Final[bool]
    authorization_details: Final[tuple[Decision, ...]]

    def __init__(
        self,
        via: tuple[Any, ...] | None = None,
        scopes: frozenset[Group] = frozenset(),
        roles: frozenset[Group] = frozenset(),
        acr: tuple[str, ...] = (),
        max_age: int | None = None,
        optional: bool = False,
        unless: tuple[Condition, ...] = (),
        redirect: bool = True,
        amr: frozenset[Group] = frozenset(),
        no_store: bool = False,
        authorization_details: tuple[Decision, ...] = (),
    ) -> None:
        self.via = via
        self.scopes = scopes
        self.roles = roles
        self.acr = acr
        self.max_age = max_age
        self.optional = optional
        self.unless = unless
        self.redirect = redirect
        self.amr = amr
        self.no_store = no_store
        self.authorization_details = authorization_details
        self._hash = hash(self._fields())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Requirement) and self._fields() == other._fields())

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        via = None if self.via is None else [getattr(scheme, "name", scheme) for scheme in self.via]
        said = {
            "via": via,
            "scopes": [_shown(group) for group in sorted(self.scopes)],
            "roles": [_shown(group) for group in sorted(self.roles)],
            "acr": list(self.acr),
            "amr": [_shown(group) for group in sorted(self.amr)],
            "max_age": self.max_age,
            "optional": self.optional,
        }
        shown = [f"{name}={value!r}" for name, value in said.items() if value not in (None, [], False)]
        shown += [f"unless={name_of(unless)}" for unless in self.unless]
        shown += [] if self.redirect else ["redirect=False"]
        shown += ["no_store=True"] if self.no_store else []
        shown += [f"authorization_details={name_of(decide)}" for decide in self.authorization_details]
        return f"Requirement({', '.join(shown)})"

    def as_decorator(self) -> str:
        """Write it as the developer did, for messages: ``login_required(scopes=['a'])``."""
        arguments = repr(self)[len("Requirement(") : -1].replace(", optional=True", "").replace("optional=True", "")
        return ("login_optional" if self.optional else "login_required") + (f"({arguments})" if arguments else "")

    def _fields(self) -> tuple[Hashable, ...]:
        return (
            self.via, self.scopes, self.roles, self.acr, self.max_age, self.optional, self.unless, self.redirect,
            self.amr, self.no_store, self.authorization_details,
        )  # fmt: skip


def make_requirement(where: str, given: Mapping[str, Any], *, is_scheme: type, optional: bool = False) -> Requirement:
    """Make a `Requirement` from the keywords that a developer gave to ``where``.

    Raises `TypeError` for unknown keywords and wrong types (a bare string for scopes or roles) and `ConfigurationError`
    for empty collections and for scopes that cannot be sent (RFC 6749 §3.3).
    """
    for name in given:
        if name not in _KEYWORDS or (name == "unless" and where == "require"):
            raise TypeError(_unknown(where, name))
    max_age = given.get("max_age")
    scope_groups = _groups("scopes", given.get("scopes"))
    for scope in (name for group in scope_groups for name in group):
        try:
            check_scope_token(scope)
        except ValueError as error:
            parts = scope.split()
            fix = f". To demand all of them, write {as_set(scope)}" if len(parts) > 1 else ""
            raise ConfigurationError(f"{error}{fix}") from None
    return Requirement(
        _schemes(given.get("via"), is_scheme),
        scope_groups,
        _groups("roles", given.get("roles")),
        _acr(given.get("acr")),
        None if max_age is None else validated_whole_seconds("max_age", max_age),
        optional,
        validated_condition(given.get("unless")),
        validated_flag("redirect", given.get("redirect", True)),
        _groups("amr", given.get("amr")),
        validated_flag("no_store", given.get("no_store", False)),
        validated_decision(given.get("authorization_details")),
    )


_KEYWORDS: Final = (
    "via", "scopes", "roles", "acr", "amr", "max_age", "unless", "redirect", "no_store", "authorization_details",
)  # fmt: skip
_ELSEWHERE: Final = {
    **dict.fromkeys(
        ("auth", "backend", "backends", "locations", "scheme", "schemes"), "name the schemes with via=scheme"
    ),
    **dict.fromkeys(("group", "groups", "role"), 'did you mean roles? Write roles={"admin"}'),
    **dict.fromkeys(("permission", "permissions", "scope"), 'did you mean scopes? Write scopes={"read"}'),
    **dict.fromkeys(("fresh", "recent"), "did you mean max_age? max_age=300 demands a login in the last 300 seconds"),
    **dict.fromkeys(("method", "methods"), 'did you mean amr? amr={"hwk"} demands a login by that method'),
    **dict.fromkeys(("cache", "nocache", "no_cache"), "write no_store=True to keep the responses out of caches"),
    **dict.fromkeys(("level", "mfa"), 'did you mean acr? acr="gold" demands a login of that class'),
    "refresh": "give refresh tokens a scheme of their own, and name it with via=scheme",
    "optional": "write @auth.login_optional",
    "required": "write @auth.login_required",
    "realm": "a realm belongs to a scheme, Bearer(load, realm=...), or to the Auth",
}
"""What to write in place of keywords that other libraries have."""
_PUBLIC: Final = frozenset({"public", "exempt", "exclude", "except_", "skip"})


def _unknown(where: str, name: str) -> str:
    """Describe a keyword that isn't one of ``where``."""
    if name in _PUBLIC:
        fix = 'write public={"login"}' if where == "protect" else "mark a view that is open with @auth.public"
        return f"{where}() has no keyword {name}: {fix}"
    fixes = (
        {**_ELSEWHERE, "optional": "decorate the view with @auth.login_optional"} if where == "protect" else _ELSEWHERE
    )
    if name in fixes:
        return f"{where}() has no keyword {name}: {fixes[name]}"
    if name == "unless":
        return "require() has no keyword unless: write if ...: around the call"
    known = [keyword for keyword in _KEYWORDS if keyword != "unless" or where != "require"]
    return unknown_keyword_message(where, name, (*(("public",) if where == "protect" else ()), *known))


def combine_decorators(requirements: Iterable[Requirement]) -> Requirement:
    """Combine the demands of decorators on one view: ``via`` and ``acr`` narrow, the rest adds up.

    Raises `ConfigurationError` if ``via`` or ``acr`` leave nothing. It is optional only if all of them are.
    """
    return reduce(_combine, requirements)


def inherit(levels: Iterable[Requirement]) -> Requirement:
    """Combine demands of app, blueprints and view (outermost first): the nearest ``via`` wins, the rest adds up.

    The last level decides whether the view is optional.
    """
    return reduce(_inherit, levels)


def _combine(first: Requirement, second: Requirement) -> Requirement:
    via = first.via
    if via is None:
        via = second.via
    elif second.via is not None:
        via = tuple(scheme for scheme in via if scheme in second.via)
        if not via:
            raise ConfigurationError(
                f"no scheme meets both {first!r} and {second!r}: stacked decorators must share a scheme in via"
            )
    return _add(first, second, via, first.optional and second.optional)


def _inherit(outer: Requirement, inner: Requirement) -> Requirement:
    return _add(outer, inner, outer.via if inner.via is None else inner.via, inner.optional)


def _add(outer: Requirement, inner: Requirement, via: tuple[Any, ...] | None, optional: bool) -> Requirement:
    acr = inner.acr or outer.acr
    if inner.acr and outer.acr:
        acr = tuple(name for name in inner.acr if name in outer.acr)
        if not acr:
            raise ConfigurationError(f"no acr meets both {list(outer.acr)} and {list(inner.acr)}: share one")
    ages = [age for age in (outer.max_age, inner.max_age) if age is not None]
    return Requirement(
        via,
        outer.scopes | inner.scopes,
        outer.roles | inner.roles,
        acr,
        min(ages, default=None),
        optional,
        tuple(dict.fromkeys((*outer.unless, *inner.unless))),
        outer.redirect and inner.redirect,
        outer.amr | inner.amr,
        outer.no_store or inner.no_store,
        tuple(dict.fromkeys((*outer.authorization_details, *inner.authorization_details))),
    )


def holding(levels: Iterable[Requirement], dropped: AbstractSet[Condition]) -> list[Requirement]:
    """Return the levels that hold for a request: those whose ``unless`` isn't in ``dropped``."""
    return [level for level in levels if not level.unless or not dropped >= {*level.unless}]


def challenge_scopes_of(groups: Iterable[Group]) -> tuple[str, ...]:
    """Return the scopes that challenges name: sorted, the first of each alternative."""
    return tuple(sorted({group[0] for group in groups}))


def expand_implied_scopes(given: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """Return all scopes that each scope includes, also indirectly. Raise `ConfigurationError` for a cycle."""
    if not isinstance(given, Mapping):
        raise TypeError(
            f'implied_scopes must map a scope to those that it includes, not {given!r}: {{"write": {{"read"}}}}'
        )
    for scope, scopes in given.items():
        included = scopes if isinstance(scopes, Collection) and not isinstance(scopes, str) else (None,)
        if not all(isinstance(name, str) for name in (scope, *included)):
            raise TypeError(
                f'implied_scopes maps a scope to a collection of str, not to {scopes!r}: {{"{scope}": {{"read"}}}}'
            )

    def follow(scope: str, path: tuple[str, ...]) -> frozenset[str]:
        if scope in path:
            raise ConfigurationError(f"implied_scopes goes in a circle: {' -> '.join((*path, scope))}")
        direct = given.get(scope, ())
        return frozenset(direct).union(*(follow(name, (*path, scope)) for name in direct))

    return {scope: follow(scope, ()) for scope in given}


def _groups(name: str, given: Any) -> frozenset[Group]:
    if given is None:
        return frozenset()
    if isinstance(given, AnyOf):
        return frozenset((given.names,))
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{name}={given!r} is a bare string: write {name}={as_set(given)}")
    if not isinstance(given, Collection) or isinstance(given, dict):
        raise TypeError(f"{name} must be a collection of str or any_of(...), not {given!r}")
    groups = set()
    for member in given:
        if isinstance(member, AnyOf):
            groups.add(member.names)
        elif isinstance(member, str) and member:
            groups.add((member,))
        else:
            fix = _fix_of_group(name, member)
            raise TypeError(f"{name} must hold non-empty str or any_of(...), not {member!r}{fix}")
    if not groups:
        raise ConfigurationError(f"{name} is empty, which means neither all nor none: leave it out or name some")
    return frozenset(groups)


def _fix_of_group(name: str, member: Any) -> str:
    """Say what to write for a group inside of a collection, which means "all of them" in Flask-HTTPAuth."""
    if not isinstance(member, (list, tuple)) or not all(isinstance(one, str) for one in member) or not member:
        return ""
    names = ", ".join(f'"{one}"' for one in member)
    return f": {name}={{{names}}} demands all of them, and {name}=any_of({names}) one"


def _schemes(via: Any, is_scheme: type) -> tuple[Any, ...] | None:
    if via is None:
        return None
    schemes = tuple(via) if isinstance(via, (tuple, list, set, frozenset)) else (via,)
    if not schemes:
        raise ConfigurationError("via is empty, so every caller would be rejected: leave it out or name a scheme")
    for scheme in schemes:
        if not isinstance(scheme, is_scheme):
            raise TypeError(
                f"via must be a scheme object or a collection of them, not {scheme!r}: name the objects that you gave "
                "to Auth(...)"
            )
    return tuple(dict.fromkeys(schemes))


def _acr(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, (str, tuple, list)):
        raise TypeError(f"acr must be a str or a list of str in order of preference, not {given!r}")
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names:
        raise ConfigurationError("acr is empty, so every caller would be rejected: leave it out or name one")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"acr must hold str, not {name!r}")
        try:
            check_scope_token(name)
        except ValueError:
            raise ConfigurationError(
                f"acr {name!r} cannot be sent: use printable ASCII without blank, quote and backslash (RFC 9470 §3)"
            ) from None
    return tuple(dict.fromkeys(names))


def _shown(group: Group) -> Any:
    return group[0] if len(group) == 1 else AnyOf(group)
