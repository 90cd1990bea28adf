"""``audit --openapi FILE``: where an OpenAPI document and the app disagree.

The document may be written by hand, before the app. So its security schemes are compared by how credentials are sent,
not by their names. What a document doesn't say isn't a disagreement: many name no scopes.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigurationError
from ..load_app import Unreadable
from ..openapi.describe import matcher_of
from ..openapi.document import Document, Operation
from ..openapi.security import WITH_SCOPES, SecuritySchemes, is_cut
from ..policy.routes import Route
from ..runtime.app_state import AppState
from ..schemes.security_scheme import carrier_of
from .demand import OPEN_STATES
from .findings import RULES, Finding, Level, in_order, subject_of

Security = Sequence[Mapping[str, Sequence[str]]]
Carrier = tuple[str, str]
Choices = list[tuple[list[str], list[str]]]
Disagreement = tuple[str, str] | tuple[str, str, Level]
_DEMANDING: Final = ("guarded", "conditional", "optional")


def read_document(path: str) -> Any:
    """Return the document in a file of JSON, or of YAML if PyYAML is installed.

    Raises:
        Unreadable: If there is no such file, or if it can't be parsed.
    """
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} can't be read: {error}") from None
    try:
        return json.loads(content)  # UTF-8, UTF-16 or UTF-32, with a byte order mark or without
    except (ValueError, RecursionError) as error:
        if not path.lower().endswith((".yaml", ".yml")):
            raise Unreadable(
                f"{path} isn't JSON ({error}): give a file of JSON, or one whose name ends in .yaml"
            ) from None
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        raise Unreadable(f"{path} isn't JSON, and PyYAML isn't installed: pip install PyYAML, or give JSON") from None
    try:
        return yaml.safe_load(content)
    except Exception as error:  # Of a date such as 2026-02-30 PyYAML raises a ValueError, and of other texts others.
        raise Unreadable(f"{path} isn't YAML: {' '.join(str(error).split())}") from None


def compare(given: Any, state: AppState, routes: Sequence[Route]) -> tuple[Finding, ...]:
    """Return the findings about a document, ``A13`` to ``A17``, sorted by level, id and subject.

    Args:
        given: The parsed document.
        state: The state of the app that it describes.
        routes: The table of its routes.

    Raises:
        ConfigurationError: If the document can't be read.
    """
    try:
        document = Document(given)
    except TypeError as error:
        raise ConfigurationError(str(error)) from None
    return in_order(_Comparison(document, state, routes).findings())


class _Comparison:
    """Compares one document with one app."""

    def __init__(self, document: Document, state: AppState, routes: Sequence[Route]) -> None:
        self._document = document
        self._routes = routes
        self._matcher = matcher_of(document, state.app, routes)
        self._declared = document.components("securitySchemes")
        self._schemes = SecuritySchemes(state.schemes, state.app, document, is_read_only=True)

    def findings(self) -> Iterator[Finding]:
        seen: set[tuple[str, str, str | None, str | None]] = set()
        for operation in self._document.operations():
            routes = self._matcher.find(operation.path, operation.method)
            if not routes:
                yield _not_in_app(operation)
            elif len(routes) == 1:
                yield from self._compare(operation, routes[0])
            seen.update((route.rule, operation.method, route.host, route.subdomain) for route in routes)
        for route in self._routes:
            methods = route.methods - {"HEAD"} if "GET" in route.methods else route.methods
            missing = {one for one in methods if (route.rule, one, route.host, route.subdomain) not in seen}
            if route.state in _DEMANDING and route.kind == "view" and missing:
                yield _finding("A16", route, "the document doesn't have this guarded route", missing)

    def _compare(self, operation: Operation, route: Route) -> Iterator[Finding]:
        for rule, message, *level in self._disagreements(operation, route):
            yield _finding(rule, route, message, {operation.method}, *level)

    def _disagreements(self, operation: Operation, route: Route) -> Iterator[Disagreement]:
        """Give id and message of what differs, and the level if it isn't that of the rule.

        Of an unknown route nothing can be said.
        """
        said = self._security(operation)
        if not said or {} in said:
            if route.state == "guarded":
                how = "open for anonymous callers as well" if any(said) else "open"
                yield "A13", f"the document says that it is {how}, and the app demands credentials"
                return
        elif route.state in OPEN_STATES:
            yield "A14", "the document demands credentials, and the app demands none"
        elif route.state in ("optional", "conditional"):
            yield "A14", "the document demands credentials, and the app admits anonymous callers"
            return
        if route.state in _DEMANDING and any(said):
            others = self._other_demands(said, route)
            yield from (("A15", message) for message in others)
            if not others:
                for message in self._less(said, route):
                    yield "A15", message, "warning"

    def _security(self, operation: Operation) -> Security:
        """Return the security requirements of an operation, else those of the whole document."""
        own = operation.content.get("security", self._document.content.get("security"))
        if own is None:
            return ()
        where = f'"security" of {operation.method} {operation.path}'
        if not isinstance(own, list) or not all(isinstance(one, dict) for one in own):
            raise ConfigurationError(f"{where} is {own!r}: it must be a list of objects")
        for one in own:
            for name, scopes in one.items():
                if name not in self._declared:
                    raise ConfigurationError(f"{where} names {name!r}, which the document doesn't declare")
                if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
                    raise ConfigurationError(f"{where} gives {name!r} the scopes {scopes!r}: write a list of texts")
        return own

    def _other_demands(self, said: Security, route: Route) -> tuple[str, ...]:
        together = [" with ".join(sorted(one)) for one in said if len(one) > 1]
        if together:
            return (f"the document demands {together[0]}, and the app never demands two schemes",)
        return tuple(self._other_schemes(said, route)) or tuple(self._other_scopes(said, route))

    def _other_schemes(self, said: Security, route: Route) -> Iterator[str]:
        demanded = self._schemes.carriers(route)
        documented = {name: carrier_of(self._declared[name]) for one in said for name in one}
        others = sorted(name for name, carrier in documented.items() if carrier not in demanded)
        missing = sorted(_shown(carrier) for carrier in demanded - {*documented.values()})
        if others:
            yield f"the app doesn't accept {', '.join(others)} of the document here"
        if missing:
            yield f"the app accepts {', '.join(missing)} as well, which the document lacks here"

    def _other_scopes(self, said: Security, route: Route) -> Iterator[str]:
        if route.requirement is None or is_cut(route.requirement, len(route.schemes)):
            return
        choices = self._schemes.choices(route)
        for name in sorted({name for one in said for name in one}):
            arrays = {frozenset(one[name]) for one in said if name in one}
            if arrays not in self._allowed_arrays(name, choices):
                scopes = {frozenset(scopes) for scopes, _ in choices}
                yield f"the document demands {_listed(arrays)} of {name}, and the app {_listed(scopes)}"

    def _allowed_arrays(self, name: str, choices: Choices) -> Iterator[set[frozenset[str]]]:
        """Give the arrays that a scheme of the document may have, so that they say what the app demands."""
        yield {frozenset(scopes) for scopes, _ in choices}
        if self._declared[name].get("type") not in WITH_SCOPES:
            yield {frozenset()}  # It says nothing about scopes.
            if self._document.version.allows_roles:
                yield _names_of(choices)

    def _less(self, said: Security, route: Route) -> Iterator[str]:
        """Give what a document leaves out, although its version lets it name scopes and roles for this type."""
        if not self._document.version.allows_roles or route.requirement is None:
            return
        if is_cut(route.requirement, len(route.schemes)):
            return
        demanded = _names_of(self._schemes.choices(route))
        for name in sorted({name for one in said for name in one}):
            arrays = {frozenset(one[name]) for one in said if name in one}
            if arrays != demanded and self._declared[name].get("type") not in WITH_SCOPES:
                yield (
                    f"the document names {_listed(arrays, 'no scopes and no roles')} for {name}, and the app demands "
                    f"{_listed(demanded)}: add the names, which OpenAPI 3.1 allows for all types of schemes"
                )


def _names_of(choices: Choices) -> set[frozenset[str]]:
    return {frozenset((*scopes, *roles)) for scopes, roles in choices}


def _finding(rule: str, route: Route, message: str, methods: Iterable[str], level: Level | None = None) -> Finding:
    """Return a finding about some methods of a route."""
    subject = subject_of(route._replace(methods=frozenset(methods)))
    return Finding(rule, level or RULES[rule].level, subject, message, route)


def _not_in_app(operation: Operation) -> Finding:
    route = Route(
        operation.path, frozenset({operation.method}), "", None, None, "view", "unknown", None, (), (), None, None, "",
        None, None,
    )  # fmt: skip
    return _finding("A17", route, "the app has no such route", route.methods)


def _shown(carrier: Carrier) -> str:
    where, name = carrier
    return f"{name} in Authorization" if where == "authorization" else f"the {where} {name}".rstrip()


def _listed(arrays: set[frozenset[str]], nothing: str = "no scopes") -> str:
    return " or ".join(sorted(" ".join(sorted(one)) or nothing for one in arrays))
