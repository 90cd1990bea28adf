"""Read the pages of docs/moving: their programs, tables, and the names of ours that they use."""

import ast
import builtins
import difflib
import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import flask_unauthorized
from flask_unauthorized import Auth, Basic, Bearer, Digest, Identity, SessionCookie
from flask_unauthorized.loaders import Passwords, SignedTokens
from flask_unauthorized.loaders.pairs import Pairs
from flask_unauthorized.policy.decorations import LevelDemands
from flask_unauthorized.policy.settings import Settings
from flask_unauthorized.throttle import Throttle

DOCS = Path(__file__).parents[2] / "docs"
MODULES = (
    "loaders", "loaders.jwt", "loaders.pairs", "loaders.stored", "stores.memory", "stores.sqlite", "stores.redis",
    "throttle", "jose", "testing", "signals",
)  # fmt: skip
SETTINGS = {f"UNAUTHORIZED_{field.upper()}" for field in Settings._fields}
CODE = re.compile(r"`([^`]+)`")
# What the objects are that the pages call by these names.
OBJECTS: dict[str, Any] = {
    "auth": Auth, "pairs": Pairs, "tokens": SignedTokens, "identity": Identity, "people": SessionCookie,
    "passwords": Passwords, "throttle": Throttle, "basic": Basic, "bearer": Bearer, "digest": Digest, "Auth": Auth,
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

    def headings(self) -> list[str]:
        return re.findall(r"^#+ (.*)$", self.text, re.MULTILINE)

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

    def tables(self, *first_heads: str) -> list[list[str]]:
        """The cells of the tables whose head begins with these cells."""
        found: list[list[str]] = []
        head: list[str] | None = None
        for line in self.text.splitlines():
            if not line.startswith("|"):
                head = None
                continue
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            if head is None:
                head = cells
            elif not set(line) <= set("|-") and tuple(head[: len(first_heads)]) == first_heads:
                assert len(cells) == len(head), line
                found.append(cells)
        assert found, first_heads
        return found

    def program(self, heading: str) -> str:
        """The first program under a heading."""
        return next(block for block in self.blocks("python", heading) if not block.startswith("# a part of"))

    def fragment(self, heading: str) -> str:
        """The first fragment under a heading."""
        return next(block for block in self.blocks("python", heading) if block.startswith("# a part of"))

    def check_diff(self, before: str, after: str, context: int) -> None:
        """The diff that the page shows is the one of its first two programs."""
        programs = [program.splitlines(keepends=True) for program in self.blocks("python")[:2]]
        lines = difflib.unified_diff(*programs, before, after, n=context)
        (shown,) = self.blocks("diff")
        assert [line.rstrip() for line in shown.splitlines()] == [line.rstrip() for line in lines]


def words(cells: Iterable[str], *, arguments: bool) -> set[str]:
    """All words in the code of some cells; without ``arguments``, those that stand in no parentheses."""
    codes = (code for cell in cells for code in CODE.findall(cell))
    shown = (code if arguments else re.sub(r"\([^()]*\)", "", code) for code in codes)
    return {word for code in shown for word in re.findall(r"\w+", code)}


def unknown_names(cells: Iterable[str]) -> list[str]:
    """What the code in some cells says of us that doesn't exist: classes, methods, keywords and settings."""
    names = our_names()
    keywords = {
        name
        for value in (*names.values(), *(getattr(Auth, name) for name in dir(Auth) if not name.startswith("_")))
        if callable(value)
        for name in _parameters(value)
    } | set(get_type_hints(LevelDemands))
    spans = [span for cell in cells for span in CODE.findall(cell)]
    return sorted({f"{span}: {why}" for span in spans for why in _problems(span, names, keywords)})


def _parameters(value: Any) -> set[str]:
    try:
        return set(inspect.signature(value).parameters)
    except (ValueError, TypeError):
        return set()


def _problems(span: str, names: dict[str, Any], keywords: set[str]) -> Iterator[str]:
    yield from (f"there is no setting {name}" for name in re.findall(r"UNAUTHORIZED_\w+", span) if name not in SETTINGS)
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
