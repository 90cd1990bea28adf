"""Read the pages of docs/moving: their programs, tables, and the names of ours that they use."""

import ast
import builtins
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import flask_unauthorized
from flask_unauthorized import Auth, Identity, SessionCookie
from flask_unauthorized.loaders import Passwords, SignedTokens
from flask_unauthorized.loaders.pairs import Pairs
from flask_unauthorized.policy.decorations import LevelDemands
from flask_unauthorized.throttle import Throttle

DOCS = Path(__file__).parents[2] / "docs"
MODULES = (
    "loaders", "loaders.jwt", "loaders.pairs", "loaders.stored", "stores.memory", "stores.sqlite", "stores.redis",
    "throttle", "jose", "testing", "signals",
)  # fmt: skip
# What the objects are that the pages call by these names.
OBJECTS: dict[str, Any] = {
    "auth": Auth, "pairs": Pairs, "tokens": SignedTokens, "identity": Identity, "people": SessionCookie,
    "passwords": Passwords, "throttle": Throttle,
}  # fmt: skip


def our_names() -> dict[str, Any]:
    names: dict[str, Any] = {name: getattr(flask_unauthorized, name) for name in flask_unauthorized.__all__}
    for path in MODULES:
        module = importlib.import_module(f"flask_unauthorized.{path}")
        public = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        found = {name: getattr(module, name) for name in public}
        names.update({name: value for name, value in found.items() if not _is_foreign(value)})
    for proxy in ("current_user", "current_identity"):
        names[proxy] = object()  # outside of a request they can't be looked at
    return names


def _is_foreign(value: Any) -> bool:
    return inspect.ismodule(value) or not getattr(value, "__module__", "flask_unauthorized").startswith("flask_unau")


class Page:
    """One page of docs/moving."""

    def __init__(self, name: str) -> None:
        self.text = (DOCS / "moving" / name).read_text(encoding="utf-8")

    def section(self, heading: str) -> str:
        found = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", self.text, re.MULTILINE | re.DOTALL)
        assert found, f"there is no heading {heading}"
        return re.split(rf"^#{{1,{len(found[1])}}} (?=[A-Z])", found[2], flags=re.MULTILINE)[0]

    def blocks(self, language: str, heading: str | None = None) -> list[str]:
        text = self.text if heading is None else self.section(heading)
        return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)

    def rows(self, heading: str | None = None) -> list[list[str]]:
        """The cells of all tables, without headings and rules."""
        lines = (self.text if heading is None else self.section(heading)).splitlines()
        found = []
        for before, line in zip(["", *lines], lines, strict=False):
            if line.startswith("|") and not line.startswith("|---") and before.startswith("|"):
                found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        return found

    def words(self) -> set[str]:
        """The words in code of the first cells under "Word by word": what the page translates."""
        cells = " ".join(row[0] for row in self.rows("Word by word"))
        return set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", cells))))


def unknown_names(page: Page) -> list[str]:
    """What the tables and texts say of us that doesn't exist: classes, methods and keywords."""
    names = our_names()
    keywords = {
        name
        for value in (*names.values(), *(getattr(Auth, name) for name in dir(Auth) if not name.startswith("_")))
        if callable(value)
        for name in _parameters(value)
    } | set(get_type_hints(LevelDemands))
    problems = []
    for heading in re.findall(r"^#+ (.*)$", page.text, re.MULTILINE):
        for row in page.rows(heading):
            for span in re.findall(r"`([^`]+)`", " ".join(row[1:])):
                problems += [f"{span}: {why}" for why in _problems(span, names, keywords)]
    return sorted(set(problems))


def _parameters(value: Any) -> set[str]:
    try:
        return set(inspect.signature(value).parameters)
    except (ValueError, TypeError):
        return set()


def _problems(span: str, names: dict[str, Any], keywords: set[str]) -> Iterator[str]:
    if re.fullmatch(r"[a-z_]+=", span):
        if span[:-1] not in keywords:
            yield "no callable of ours has this keyword"
        return
    code = span.removeprefix("@").replace("…", "*etc") if "(" in span else span.removeprefix("@")
    for candidate in (code, f"f({code})"):
        try:
            tree = ast.parse(candidate)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            yield from _node_problems(node, names)
        return


def _node_problems(node: ast.AST, names: dict[str, Any]) -> Iterator[str]:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in OBJECTS:
        owner = OBJECTS[node.value.id]
        if not hasattr(owner, node.attr) and node.attr not in getattr(owner, "__annotations__", {}):
            yield f"{owner.__name__} has no {node.attr}"
    if isinstance(node, ast.Call):
        called: Any = None
        if isinstance(node.func, ast.Name):
            called = names.get(node.func.id)
            if called is None and node.func.id[0].isupper() and not hasattr(builtins, node.func.id):
                yield f"there is no {node.func.id}"
        elif isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            called = getattr(OBJECTS.get(node.func.value.id), node.func.attr, None)
        if called is not None:
            allowed = _parameters(called)
            if "demands" in allowed:
                allowed |= set(get_type_hints(LevelDemands))
            yield from (f"no keyword {word.arg}" for word in node.keywords if word.arg and word.arg not in allowed)
