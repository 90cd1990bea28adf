"""Security schemes, and the security requirements of operations (OpenAPI 3.1 §4.8.27 and §4.8.30)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import product
from math import prod
from typing import Any, Final

from flask import Flask

from ..errors import ConfigurationError
from ..logs import log
from ..policy.requirement import Group, Requirement
from ..policy.routes import Route
from ..schemes.base import FLASK_SESSION, AnyScheme
from ..schemes.security_scheme import carrier_of
from .document import Document
from .shown import shown
from .versions import Version

MAX_ALTERNATIVES: Final = 32
"""The most alternatives that one operation gets. Beyond them only the first member of each ``any_of`` is named."""
WITH_SCOPES: Final = ("oauth2", "openIdConnect")
"""The types whose requirements name scopes, and nothing else, in all versions."""
_NOTHING: Final = Requirement()


class SecuritySchemes:
    """The security schemes of an app in one document.

    A scheme of the document that stands for the same credentials is used, so that each has one name.

    Args:
        schemes: All schemes of the `Auth`.
        app: The app.
        document: The document, as its author wrote it.
        is_read_only: Whether the document is only read, so that names of its schemes don't matter.

    Attributes:
        names: The name of each scheme that the version can express.

    Raises:
        ConfigurationError: If the document has another scheme under the name of one of the app's.
    """

    def __init__(
        self, schemes: Sequence[AnyScheme], app: Flask, document: Document, *, is_read_only: bool = False
    ) -> None:
        self._version = document.version
        declared = {} if is_read_only else document.components("securitySchemes")
        self._objects: dict[AnyScheme, dict[str, Any]] = {}
        self.names: dict[AnyScheme, str] = {}
        for scheme, name in _names(schemes).items():
            needed = _object(scheme, app, document.version)
            if needed is not None:
                self.names[scheme] = found = _name_in(declared, scheme, name, needed)
                self._objects[scheme] = declared.get(found, needed)

    def declare(self, document: Document, schemes: Iterable[AnyScheme]) -> None:
        """Put schemes into a document, unless they are there."""
        for scheme in schemes:
            if scheme in self.names:
                document.make_components("securitySchemes").setdefault(
                    self.names[scheme], deepcopy(self._objects[scheme])
                )

    def alternatives(self, route: Route) -> list[dict[str, list[str]]]:
        """Return the security requirements of a route: any of them will do. An empty one allows anonymous callers."""
        required = route.requirement or _NOTHING
        found = [
            {self.names[scheme]: self._array(scheme, scopes, roles)}
            for scheme in route.schemes
            if scheme in self.names
            for scopes, roles in _choices(required, len(route.schemes))
        ]
        if found and route.state != "guarded":
            found.append({})
        return [one for index, one in enumerate(found) if one not in found[:index]]

    def of_routes(self, routes: Sequence[Route]) -> list[dict[str, list[str]]] | None:
        """Return the security requirements of an operation that describes these routes.

        Returns:
            An empty list for public routes. ``None`` if the version can't express any scheme of a route.
        """
        by_route = [self.alternatives(route) for route in routes]
        if any(route.requirement is not None and not found for route, found in zip(routes, by_route, strict=True)):
            return None
        if not any(by_route):
            return []
        every = [one for found in by_route for one in found or [{}]]
        return [one for index, one in enumerate(every) if one not in every[:index]]

    def carriers(self, route: Route) -> set[tuple[str, str]]:
        """Return how the credentials of a route are sent."""
        found = (carrier_of(self._objects[scheme]) for scheme in route.schemes if scheme in self._objects)
        return {one for one in found if one is not None}

    def choices(self, route: Route) -> list[tuple[list[str], list[str]]]:
        """Return each choice of scopes and roles that a route demands."""
        return list(_choices(route.requirement or _NOTHING, len(route.schemes)))

    def _holds_scopes_only(self, scheme: AnyScheme) -> bool:
        return self._objects[scheme]["type"] in WITH_SCOPES

    def _array(self, scheme: AnyScheme, scopes: list[str], roles: list[str]) -> list[str]:
        if self._holds_scopes_only(scheme):
            return scopes
        return [*scopes, *roles] if self._version.allows_roles else []

    def extensions(self, route: Route) -> Iterator[tuple[str, list[Any]]]:
        """Give the members ``x-required-…`` for what the arrays can't say."""
        required = route.requirement or _NOTHING
        if required.scopes and not self._version.allows_roles:
            yield "x-required-scopes", _listed(required.scopes)
        some_hold_scopes_only = any(self._holds_scopes_only(one) for one in route.schemes if one in self._objects)
        if required.roles and (not self._version.allows_roles or some_hold_scopes_only):
            yield "x-required-roles", _listed(required.roles)


def _name_in(declared: Mapping[str, Any], scheme: AnyScheme, name: str, needed: Mapping[str, Any]) -> str:
    """Return the name of a scheme in a document that declares some: one for the same credentials, else its own."""
    carrier = carrier_of(needed)
    if name in declared:
        if carrier_of(declared[name]) == carrier:
            return name
        raise ConfigurationError(
            f"the document has the security scheme {name!r} already, as {shown(declared[name])}, and {scheme!r} is "
            f"{needed!r}: give the scheme another openapi_name, or take {name!r} out of the document"
        )
    same = [other for other, given in declared.items() if carrier_of(given) == carrier]
    return same[0] if scheme.openapi_name is None and len(same) == 1 else name


def is_cut(required: Requirement, schemes: int) -> bool:
    """Return whether an operation has more alternatives than are written."""
    return schemes * prod(map(len, (*required.scopes, *required.roles))) > MAX_ALTERNATIVES


def _choices(required: Requirement, schemes: int) -> Iterator[tuple[list[str], list[str]]]:
    """Give each choice of scopes and roles that meets all groups."""
    cut = is_cut(required, schemes)
    scopes, roles = ([group[:1] if cut else group for group in sorted(of)] for of in (required.scopes, required.roles))
    for chosen_scopes in product(*scopes):
        for chosen_roles in product(*roles):
            yield sorted({*chosen_scopes}), sorted({*chosen_roles})


def _listed(groups: Iterable[Group]) -> list[Any]:
    """Return groups for a document: a name alone, or the list of those of which one will do."""
    return [group[0] if len(group) == 1 else list(group) for group in sorted(groups)]


def _object(scheme: AnyScheme, app: Flask, version: Version) -> dict[str, Any] | None:
    """Return the Security Scheme Object of a scheme; ``None`` if the version can't express it."""
    found = scheme.openapi()
    if FLASK_SESSION in scheme.reads and found == {"type": "apiKey", "in": "cookie", "name": FLASK_SESSION[1]}:
        found = {**found, "name": app.config["SESSION_COOKIE_NAME"]}
    if found["type"] == "mutualTLS" and version < (3, 1):
        log.info("OpenAPI %s.%s has no type mutualTLS, so the document leaves %s out", *version, scheme.name)
        return None
    return _in_swagger(found) if version.is_swagger else found


def _in_swagger(scheme: Mapping[str, Any]) -> dict[str, Any]:
    """Return a scheme as 2.0 can express it: as ``basic``, or as a key in a header or in the query."""
    if scheme["type"] == "http" and str(scheme["scheme"]).lower() == "basic":
        return {"type": "basic"}
    if scheme["type"] == "apiKey" and scheme["in"] != "cookie":
        return dict(scheme)
    if scheme["type"] == "apiKey":
        text = f"The cookie {scheme['name']}."
        return {"type": "apiKey", "in": "header", "name": "Cookie", "description": text}
    word = scheme["scheme"] if scheme["type"] == "http" else "bearer"
    text = f"{str(word).capitalize()} credentials (RFC 9110 §11.6.2), which begin with the name of the scheme."
    return {"type": "apiKey", "in": "header", "name": "Authorization", "description": text}


def _names(schemes: Sequence[AnyScheme]) -> dict[AnyScheme, str]:
    """Return a name for each scheme: its own, made unique by its realm, else by a number."""
    names: dict[AnyScheme, str] = {}
    for scheme in schemes:
        own = scheme.openapi_name
        name = _clean(scheme.name if own is None else own)
        if own is not None and name in names.values():
            raise ConfigurationError(f"two schemes have the openapi_name {own!r}: give one of them another name")
        if name in names.values() and scheme.realm is not None:
            name = f"{name}_{_clean(scheme.realm)}"
        number, first = 1, name
        while name in names.values():
            number += 1
            name = f"{first}_{number}"
        names[scheme] = name
    return names


def _clean(name: str) -> str:
    """Return a name with the characters that the keys of components may have (OpenAPI 3.1 §4.8.7.1)."""
    return re.sub(r"[^a-zA-Z0-9._-]+", "_", name)
