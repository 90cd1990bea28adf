"""Read a page of docs/moving: its programs, its diff, its tables. And look up the names that it gives for ours."""

import ast
import difflib
import inspect
import re
from pathlib import Path

import flask_unauthorized
from flask_unauthorized import loaders, signals, testing
from flask_unauthorized.policy.decorations import LevelDemands
from flask_unauthorized.policy.settings import Settings
from flask_unauthorized.stores import sqlite

PAGES = Path(__file__).parents[2] / "docs/moving"
CODE = re.compile(r"`([^`]+)`")
SETTINGS = {f"UNAUTHORIZED_{field.upper()}" for field in Settings._fields}
OBJECTS = {
    "auth": flask_unauthorized.Auth,
    "people": flask_unauthorized.SessionCookie,
    "basic": flask_unauthorized.Basic,
    "bearer": flask_unauthorized.Bearer,
    "digest": flask_unauthorized.Digest,
}
"""What the tables call by these names."""
DEMANDS = set(LevelDemands.__annotations__)
"""The keywords of the decorators, whose signature is ``**demands``."""


def program_blocks(text):
    """The Python in a text, without fragments."""
    found = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for block in found if not block.startswith("# a part of")]


class Page:
    """A page, as a reader sees it."""

    def __init__(self, name):
        self.text = (PAGES / name).read_text(encoding="utf-8")
        self.programs = program_blocks(self.text)

    def program(self, heading):
        """The first program under a heading."""
        return program_blocks(self.section(heading))[0]

    def fragment(self, heading):
        """The first fragment under a heading."""
        return re.search(r"^```python\n(# a part of.*?)^```$", self.section(heading), re.DOTALL | re.MULTILINE)[1]

    def section(self, heading):
        return self.text.split(f"# {heading}\n", 1)[1]

    def diff(self):
        """The diff that the page shows."""
        return re.search(r"^```diff\n(.*?)^```$", self.text, re.DOTALL | re.MULTILINE)[1]

    def real_diff(self):
        """The diff of its first two programs."""
        before, after = (program.splitlines(keepends=True) for program in self.programs[:2])
        lines = difflib.unified_diff(before, after, "before/app.py", "after/app.py", n=1)
        return "".join(line if line.strip() else "\n" for line in lines)

    def rows(self, *first_heads):
        """The cells of the tables whose head begins with these cells."""
        found, head = [], None
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


def words(cells, *, arguments):
    """All identifiers in the code of some cells; without ``arguments``, those that stand in no parentheses."""
    codes = (code for cell in cells for code in CODE.findall(cell))
    shown = (code if arguments else re.sub(r"\([^()]*\)", "", code) for code in codes)
    return {word for code in shown for word in re.findall(r"[A-Za-z_]\w*", code)}


def unknown_names(cells):
    """What the code in cells says of ours and doesn't exist: attributes, callables, keywords, settings."""
    return sorted({problem for cell in cells for code in CODE.findall(cell) for problem in _problems(code)})


def _problems(code):
    yield from (name for name in re.findall(r"UNAUTHORIZED_\w+", code) if name not in SETTINGS)
    code = code.removeprefix("@").removeprefix(".")
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = OBJECTS.get(node.value.id) or _ours(node.value.id)
            if owner is not None and not _is_proxy(owner) and not hasattr(owner, node.attr):
                yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call):
            yield from _wrong_keywords(node)


def _is_proxy(owner):
    """Whether it is `current_user`, whose attributes are those of the app's user."""
    return type(owner) is type(flask_unauthorized.current_user)


def _ours(name):
    for place in (flask_unauthorized, loaders, testing, signals, sqlite):
        if name in getattr(place, "__all__", dir(place)):
            return getattr(place, name)
    return None


def _wrong_keywords(call):
    keywords = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Name):
        target, known = _ours(call.func.id), {"flash", "url_for", "timedelta", "int", "Anonymous", "get_id"}
        if target is None:
            if call.func.id not in known:
                yield f"{call.func.id}()"
            return
    elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
        target = getattr(OBJECTS.get(call.func.value.id), call.func.attr, None)
        if target is None:
            return
    else:
        return
    parameters = inspect.signature(target).parameters
    accepted = set(parameters)
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        accepted |= DEMANDS
    yield from (f"{ast.unparse(call.func)}({name}=)" for name in keywords - accepted)
