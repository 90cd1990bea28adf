"""Which routes of the app an operation of a document describes.

A rule such as ``/notes/<int:id>`` is the path ``/notes/{id}``. Names of parameters may differ, because many documents
are written by hand. Several routes may have one path: rules that differ in their converters or hosts.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from ..policy.routes import Route

_VARIABLE: Final = re.compile(r"<(?:(?P<converter>[a-zA-Z_]\w*)(?:\((?P<arguments>.*?)\))?:)?(?P<name>[a-zA-Z_]\w*)>")
"""A variable of a rule, as Werkzeug reads it."""
_PARAMETER: Final = re.compile(r"\{[^{}]*\}")


def path_of(rule: str, *, named: bool = True) -> str:
    """Return the path of a rule, as OpenAPI writes it; not ``named``, with ``{}`` for each variable."""
    return _VARIABLE.sub(r"{\g<name>}" if named else "{}", rule)


def variables_of(rule: str) -> tuple[tuple[str, str, str], ...]:
    """Return the variables of a rule: name, converter and its arguments."""
    found = _VARIABLE.finditer(rule)
    return tuple((one["name"], one["converter"] or "default", one["arguments"] or "") for one in found)


def _shape(path: str) -> str:
    return _PARAMETER.sub("{}", path)


class Matcher:
    """Finds the routes of operations.

    Args:
        routes: The table of routes.
        root: The path under which the app is mounted (``APPLICATION_ROOT``).
        bases: The paths that stand before those of the document.
        prefix: The path that the rules have before those of the document.
        by_names: Whether routes whose parameters have the names of the path count before others of its form.
    """

    def __init__(
        self, routes: Iterable[Route], *, root: str, bases: Sequence[str], prefix: str, by_names: bool = True
    ) -> None:
        self._by_path: dict[str, list[Route]] = {}
        self._by_shape: dict[str, list[Route]] = {}
        for route in routes:
            if route.kind in ("view", "alias"):
                if by_names:
                    self._by_path.setdefault(path_of(route.rule), []).append(route)
                self._by_shape.setdefault(path_of(route.rule, named=False), []).append(route)
        root = root.rstrip("/")
        mounted = [base[len(root) :] for base in bases if root and f"{base}/".startswith(f"{root}/")]
        endings = [ending for base in bases for ending in _endings(base)]
        self._before = (prefix.rstrip("/"),) if prefix else tuple(dict.fromkeys((*mounted, *endings, "")))

    def find(self, path: str, method: str) -> tuple[Route, ...]:
        """Return the routes that serve a method of a path; none if the app has no such route."""
        for before in self._before:
            full = f"{before}{path}"
            for candidate in (full, full[:-1] if full.endswith("/") else f"{full}/"):
                found = _serving(self._by_path.get(candidate, ()), method)
                found = found or _serving(self._by_shape.get(_shape(candidate), ()), method)
                if found:
                    return found
        return ()


def _endings(base: str) -> list[str]:
    """Return a path and its endings, because servers take parts off its front that the app never sees."""
    parts = base.strip("/").split("/")
    return ["/" + "/".join(parts[start:]) for start in range(len(parts))]


def _serving(routes: Iterable[Route], method: str) -> tuple[Route, ...]:
    return tuple(route for route in routes if not route.methods or method in route.methods)
