"""What an OpenAPI document says about a scheme: its Security Scheme Object (OpenAPI 3.1 §4.8.27).

Only apps that make such a document load this module.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from ..errors import ConfigurationError
from ..wire.rules import spell_field_name
from .loader_chain import LoaderChain

_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "apiKey": ("name", "in"),
    "http": ("scheme",),
    "mutualTLS": (),
    "oauth2": ("flows",),
    "openIdConnect": ("openIdConnectUrl",),
}
"""The members that each type must have."""
_PLACES: Final = ("header", "query", "cookie")


def loaders_of(scheme: Any) -> tuple[object, ...]:
    """Return the loaders of a `Scheme`; ``None`` for one that has none."""
    loader = scheme._loader
    return loader.loaders if isinstance(loader, LoaderChain) else (loader,)


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
