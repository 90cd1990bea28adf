"""`Document`: a copy of an OpenAPI document, to which parts are added and in which nothing is changed.

One object may stand in several places of a document: an alias of YAML makes it so. Each part that gets something is
copied for its place, or what one operation demands would stand in another one. All other parts stay shared, because
copies of them could be too many: ten lines of YAML can stand for a thousand million objects.
"""

from collections import defaultdict
from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from .shown import shown
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
        try:
            self.content: dict[str, Any] = deepcopy(given)
        except RecursionError:
            raise ConfigurationError("the document is nested too deeply to be read: make it flatter") from None
        self._components: dict[str, dict[str, Any]] = {}
        self._by_text: dict[tuple[str, str], defaultdict[str | None, list[str]]] = {}
        self._numbers: defaultdict[tuple[str, str], int] = defaultdict(lambda: 1)
        self._operations = tuple(self._find_operations())

    def operations(self) -> tuple[Operation, ...]:
        """Return all operations, in the order of the document. A path item that is a reference has none here."""
        return self._operations

    def _find_operations(self) -> Iterator[Operation]:
        paths = {} if self.content.get("paths") is None else _part(self.content, "paths", "the document")
        for path in paths:
            if not isinstance(paths[path], dict):
                raise ConfigurationError(
                    f"the path {path!r} of the document is {shown(paths[path])}: it must be an object"
                )
            if not isinstance(path, str) or str(path).startswith("x-"):
                continue
            item = own_part(paths, path)
            holders: dict[str, dict[str, Any]] = {name: item for name in METHODS if name in item}
            if self.version >= (3, 2) and "additionalOperations" in item:
                more = _part(item, "additionalOperations", repr(path))
                holders.update(dict.fromkeys(more, more))
            for method, holder in holders.items():
                if not isinstance(holder[method], dict):
                    raise ConfigurationError(
                        f"{method.upper()} {path} of the document is {shown(holder[method])}: use an object"
                    )
                yield Operation(path, method.upper(), own_part(holder, method))

    def base_paths(self) -> tuple[str, ...]:
        """Return the paths that stand before those of the document: ``basePath`` of 2.0, or those of its servers."""
        if self.version.is_swagger:
            found = [self.content.get("basePath")]
        else:
            servers = self.content.get("servers")
            listed = servers if isinstance(servers, list) else []
            found = [_path_of(server.get("url")) for server in listed if isinstance(server, dict)]
        return tuple(dict.fromkeys(base.rstrip("/") for base in found if isinstance(base, str) and base.strip("/")))

    def components(self, kind: str) -> dict[str, Any]:
        """Return the parts of one kind that the document has; none are added."""
        at = self.content if self.version.is_swagger else self.content.get("components")
        found = at.get(_IN_SWAGGER[kind] if self.version.is_swagger else kind) if isinstance(at, dict) else None
        return found if isinstance(found, dict) else {}

    def add(self, kind: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
        """Add a copy of a part unless an equal one is there, and return the reference to it.

        A part of the same name that differs stays, and the new one gets a number.
        """
        parts = self.make_components(kind)
        names = self._named_like(kind, name)[_text_of(value)]
        found = next((one for one in names if parts[one] == value), "")
        if not found:
            number = self._numbers[kind, name]
            while (found := name if number == 1 else f"{name}_{number}") in parts:
                number += 1
            self._numbers[kind, name] = number
            parts[found] = deepcopy(value)
            names.append(found)
        where = _IN_SWAGGER[kind] if self.version.is_swagger else f"components/{kind}"
        return {"$ref": f"#/{where}/{found}"}

    def make_components(self, kind: str) -> dict[str, Any]:
        """Return the parts of one kind, of which there may be none yet."""
        if kind not in self._components:
            if self.version.is_swagger:
                found = _part(self.content, _IN_SWAGGER[kind], "the document")
            else:
                found = _part(_part(self.content, "components", "the document"), kind, "components of the document")
            self._components[kind] = found
        return self._components[kind]

    def _named_like(self, kind: str, name: str) -> defaultdict[str | None, list[str]]:
        """Return the names of parts, ``name`` itself or with a number, by the text in the part.

        So a new part is compared with few of those that are there.
        """
        if (kind, name) not in self._by_text:
            found: defaultdict[str | None, list[str]] = defaultdict(list)
            for other, part in self.make_components(kind).items():
                if other == name or str(other).startswith(f"{name}_"):
                    found[_text_of(part)].append(other)
            self._by_text[kind, name] = found
        return self._by_text[kind, name]


def _part(of: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return a member that is an object. A missing one is made."""
    if of.get(name) is None:
        of[name] = {}
    if not isinstance(of[name], dict):
        raise ConfigurationError(f"{name!r} of {where} is {shown(of[name])}: it must be an object")
    return own_part(of, name)


def _text_of(part: Any) -> str | None:
    """Return the description of a part; ``None`` if it has none."""
    text = part.get("description") if isinstance(part, dict) else None
    return text if isinstance(text, str) else None


def own_part(of: dict[Any, Any], name: Any) -> dict[str, Any]:
    """Return a member that is an object, once it is a copy that no other place of the document shares."""
    of[name] = found = copy(of[name])
    return found  # type: ignore[no-any-return]  # the caller knows that it is an object


def _path_of(url: object) -> str | None:
    """Return the path of a server; ``None`` if its URL has variables, or can't be read."""
    if not isinstance(url, str) or "{" in url:
        return None
    try:
        return urlsplit(url).path
    except ValueError:
        return None
