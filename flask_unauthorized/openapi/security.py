"""Security schemes, and the security requirements of operations (OpenAPI 3.1 §4.8.27 and §4.8.30)."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final

from flask import Flask

from ..errors import ConfigurationError
from ..logs import log
from ..policy.requirement import Group, Requirement
from ..policy.routes import Route
from ..schemes.base import FLASK_SESSION, AnyScheme
from .document import Document
from .versions import Version

MAX_ALTERNATIVES: Final = 32
"""The most alternatives that one operation gets. Beyond them only the first member of each ``any_of`` is named."""
_WITH_SCOPES: Final = ("oauth2", "openIdConnect")


class SecuritySchemes:
    """The security schemes of an app in one document.

    Args:
        schemes: All schemes of the `Auth`.
        app: The app.
        version: The version of the document.

    Attributes:
        names: The name of each scheme that the version can express.
    """

    def __init__(self, schemes: Sequence[AnyScheme], app: Flask, version: Version) -> None:
        self._version = version
        self._objects = {scheme: _object(scheme, app, version) for scheme in schemes}
        self.names = {
            scheme: name for scheme, name in _names(schemes).items() if self._objects[scheme] is not None
        }

    def declare(self, document: Document, schemes: Iterable[AnyScheme]) -> None:
        """Put schemes into a document.

        Raises:
            ConfigurationError: If the document has another scheme under the name of one of them.
        """
        for scheme in schemes:
            name, needed = self.names.get(scheme), self._objects[scheme]
            if name is None or needed is None:
                continue
            known = document.make_components("securitySchemes").setdefault(name, needed)
            if known != needed and not _is_same(known, needed):
                raise ConfigurationError(
                    f"the document has the security scheme {name!r} already, as {known!r}, and {scheme!r} is "
                    f"{needed!r}: give the scheme another openapi_name, or take {name!r} out of the document"
                )

    def alternatives(self, route: Route) -> list[dict[str, list[str]]]:
        """Return the security requirements of a route: any of them will do. An empty one allows anonymous callers."""
        required = route.requirement
        found = [
            {self.names[scheme]: self._array(scheme, scopes, roles)}
            for scheme in route.schemes
            if scheme in self.names
            for scopes, roles in _choices(required, len(route.schemes))
        ]
        if found and route.state != "guarded":
            found.append({})
        return [one for index, one in enumerate(found) if one not in found[:index]]

    def _array(self, scheme: AnyScheme, scopes: list[str], roles: list[str]) -> list[str]:
        if (self._objects[scheme] or {})["type"] in _WITH_SCOPES:
            return scopes
        return [*scopes, *roles] if self._version.allows_roles else []

    def extensions(self, required: Requirement, schemes: Iterable[AnyScheme]) -> Iterator[tuple[str, list[Any]]]:
        """Give the members ``x-required-…`` for what the arrays can't say."""
        kinds = {(self._objects[scheme] or {"type": "http"})["type"] in _WITH_SCOPES for scheme in schemes}
        if required.scopes and not self._version.allows_roles:
            yield "x-required-scopes", _listed(required.scopes)
        if required.roles and (not self._version.allows_roles or True in kinds):
            yield "x-required-roles", _listed(required.roles)


def is_cut(required: Requirement, schemes: int) -> bool:
    """Return whether an operation has more alternatives than are written."""
    return schemes * prod(map(len, (*required.scopes, *required.roles))) > MAX_ALTERNATIVES


def _choices(required: Requirement | None, schemes: int) -> Iterator[tuple[list[str], list[str]]]:
    """Give each choice of scopes and roles that meets all groups."""
    if required is None:
        yield [], []
        return
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


def _is_same(known: Any, needed: Mapping[str, Any]) -> bool:
    """Return whether a scheme that the document has differs only in what people read."""
    if not isinstance(known, dict):
        return False
    free = {"description", "bearerFormat", *(key for key in (*known, *needed) if str(key).startswith("x-"))}
    plain, wanted = ({key: value for key, value in one.items() if key not in free} for one in (known, needed))
    for one in (plain, wanted):
        if one.get("type") == "http":
            one["scheme"] = str(one.get("scheme")).lower()
    return plain == wanted


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
