"""`Document`: a copy of an OpenAPI document, to which parts are added and in which nothing is changed."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .versions import METHODS, read_version

_IN_SWAGGER: Final = {"securitySchemes": "securityDefinitions", "schemas": "definitions", "responses": "responses"}
"""Where 2.0 keeps the parts that later versions have in ``components``."""


class Operation(NamedTuple):
    """One operation of a document.

    Attributes:
        path: The path as the document has it, such as ``"/notes/{id}"``.
        method: The method in upper case.
        content: The Operation Object.
    """

    path: str
    method: str
    content: dict[str, Any]

    def responses(self) -> dict[str, Any]:
        """Return the responses of the operation, to which some can be added."""
        return _part(self.content, "responses", f"{self.method} {self.path}")


class Document:
    """A copy of a document.

    Attributes:
        content: The copy.
        version: Its version.
    """

    def __init__(self, given: Any) -> None:
        if not isinstance(given, dict):
            raise TypeError(f"openapi takes the document as a dict, not {type(given).__name__}: pass the parsed JSON")
        self.version = read_version(given)
        self.content: dict[str, Any] = deepcopy(given)
        self._operations = tuple(self._find_operations())

    def operations(self) -> tuple[Operation, ...]:
        """Return all operations, in the order of the document. A path item that is a reference has none here."""
        return self._operations

    def _find_operations(self) -> Iterator[Operation]:
        paths = {} if self.content.get("paths") is None else _part(self.content, "paths", "the document")
        for path, item in paths.items():
            if not isinstance(item, dict):
                raise ConfigurationError(f"the path {path!r} of the document is {item!r}: it must be an object")
            if not isinstance(path, str) or str(path).startswith("x-"):
                continue
            named = {name: item[name] for name in METHODS if name in item}
            if self.version >= (3, 2) and "additionalOperations" in item:
                named.update(_part(item, "additionalOperations", repr(path)))
            for method, content in named.items():
                if not isinstance(content, dict):
                    raise ConfigurationError(f"{method.upper()} {path} of the document is {content!r}: use an object")
                yield Operation(path, method.upper(), content)

    def base_paths(self) -> tuple[str, ...]:
        """Return the paths that stand before those of the document: ``basePath`` of 2.0, or those of its servers."""
        if self.version.is_swagger:
            found = [self.content.get("basePath")]
        else:
            servers = self.content.get("servers")
            urls = [server.get("url") for server in servers or () if isinstance(server, dict)]
            found = [urlsplit(url).path for url in urls if isinstance(url, str) and "{" not in url]
        return tuple(dict.fromkeys(base.rstrip("/") for base in found if isinstance(base, str) and base.strip("/")))

    def components(self, kind: str) -> dict[str, Any]:
        """Return the parts of one kind that the document has; none are added."""
        at = self.content if self.version.is_swagger else self.content.get("components")
        found = at.get(_IN_SWAGGER[kind] if self.version.is_swagger else kind) if isinstance(at, dict) else None
        return found if isinstance(found, dict) else {}

    def add(self, kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """Add a part unless an equal one is there, and return the reference to it.

        A part of the same name that differs stays, and the new one gets a number.
        """
        parts = self.make_components(kind)
        names = [name, *(other for other in parts if str(other).startswith(f"{name}_"))]
        found = next((one for one in names if parts.get(one) == value), None)
        if found is None:
            number = 1
            found = name
            while found in parts:
                number += 1
                found = f"{name}_{number}"
            parts[found] = value
        where = _IN_SWAGGER[kind] if self.version.is_swagger else f"components/{kind}"
        return {"$ref": f"#/{where}/{found}"}

    def make_components(self, kind: str) -> dict[str, Any]:
        """Return the parts of one kind, of which there may be none yet."""
        if self.version.is_swagger:
            return _part(self.content, _IN_SWAGGER[kind], "the document")
        return _part(_part(self.content, "components", "the document"), kind, "components of the document")


def _part(of: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return a member that is an object. A missing one is made."""
    if of.get(name) is None:
        of[name] = {}
    found = of[name]
    if not isinstance(found, dict):
        raise ConfigurationError(f"{name!r} of {where} is {found!r}: it must be an object")
    return found
