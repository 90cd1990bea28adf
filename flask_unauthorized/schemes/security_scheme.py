"""What an OpenAPI document says about a scheme: its Security Scheme Object (OpenAPI 3.1 §4.8.27).

Only apps that make such a document load this module.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from ..errors import ConfigurationError
from ..wire.rules import spell_field_name
from .loader_chain import loaders_of

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "apiKey": ("name", "in"),
    "http": ("scheme",),
    "mutualTLS": (),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
"""The members that each type must have."""
_PLACES: Final = ("header", "query", "cookie")


def described(scheme: Any) -> dict[str, Any]:
    """Return the object for a `Scheme`, by what it reads. OpenAPI has one place for each scheme: the first.

    A loader whose tokens have a format says so by an attribute ``bearer_format``.
    """
    for where, name in scheme.reads:
        if where == "authorization":
            formats = {getattr(loader, "bearer_format", None) for loader in loaders_of(scheme)}
            format_ = formats.pop() if name == "bearer" and len(formats) == 1 else None
            found = {"type": "http", "scheme": name}
            return {**found, "bearerFormat": format_} if isinstance(format_, str) else found
        if where in _PLACES:
            spelled = getattr(scheme, "key_name", None) or (spell_field_name(name) if where == "header" else name)
            return {"type": "apiKey", "in": where, "name": spelled}
    return {"type": "http", "scheme": scheme.name.lower()}


def validated_security_scheme(given: Any) -> dict[str, Any]:
    """Return a copy of a Security Scheme Object that a developer wrote.

    Raises:
        ConfigurationError: If it has no known type, or lacks a member of its type.
        TypeError: If it isn't a mapping.
    """
    if not isinstance(given, Mapping):
        raise TypeError(f'openapi must be a mapping such as {{"type": "http", "scheme": "bearer"}}, not {given!r}')
    kind = given.get("type")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise ConfigurationError(f"openapi= has the type {kind!r}: use one of {', '.join(_MEMBERS)}")
    for member in _MEMBERS[kind]:
        if member not in given:
            raise ConfigurationError(f"openapi= of the type {kind!r} has no {member!r}, which OpenAPI demands: add it")
    if kind == "apiKey" and given["in"] not in _PLACES:
        raise ConfigurationError(f"openapi= has in={given['in']!r}: use one of {', '.join(_PLACES)}")
    return deepcopy(dict(given))


def carrier_of(security_scheme: Any) -> tuple[str, str] | None:
    """Return how credentials of a Security Scheme Object are sent: a location and a name; ``None`` if that is unclear.

    Two objects with one carrier stand for the same credentials, whatever else they say of them.
    """
    kind = security_scheme.get("type") if isinstance(security_scheme, Mapping) else None
    if kind == "basic":
        return "authorization", "basic"
    if kind in ("oauth2", "openIdConnect"):
        return "authorization", "bearer"
    if kind == "mutualTLS":
        return "certificate", ""
    needed = _MEMBERS.get(kind, ("type",)) if isinstance(kind, str) else ("type",)
    if kind not in ("http", "apiKey") or not all(isinstance(security_scheme.get(name), str) for name in needed):
        return None
    if kind == "http":
        return "authorization", security_scheme["scheme"].lower()
    where, name = security_scheme["in"], security_scheme["name"]
    return where, name.lower() if where == "header" else name
