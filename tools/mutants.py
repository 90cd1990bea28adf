"""Make mutants of the package: small changes that tests should notice. `mutation` runs the tests against them.

A mutant changes one operator, constant, condition, argument or statement. What doesn't run stays, and so do types and
asserts.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "flask_unauthorized"
MESSAGES = 0.15  # at most this share of a sample changes the text of a message

SWAPS: dict[type[ast.AST], Any] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
Removable = (ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Raise, ast.Return, ast.Delete, ast.Continue)


class Mutant(NamedTuple):
    """One change: ``text`` takes the place of ``node`` in ``path``."""

    path: str
    node: Any
    text: str
    function: str  # empty for code that runs when the module is imported
    is_message: bool

    def apply(self, source: str) -> str:
        """Return the source of the module with the change."""
        lines = source.encode().splitlines(keepends=True)
        before = b"".join(lines[: self.node.lineno - 1]) + lines[self.node.lineno - 1][: self.node.col_offset]
        last = self.node.end_lineno - 1
        after = lines[last][self.node.end_col_offset :] + b"".join(lines[last + 1 :])
        changed = b"".join((before, self.text.encode(), after))
        return changed.decode()


def _with(node: Any, **fields: Any) -> str:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    text = ast.unparse(new)
    return f"({text})" if isinstance(node, ast.expr) and not isinstance(node, ast.Slice) else text


def _without(values: list[Any]) -> Iterator[list[Any]]:
    return (values[:index] + values[index + 1 :] for index in range(len(values)))


def changes(node: Any, in_function: bool) -> Iterator[tuple[Any, str]]:  # noqa: C901 - one case per kind of code
    """Give what can be changed about one node: the node to replace, and the text in its place."""
    if in_function and isinstance(node, Removable) and not (isinstance(node, ast.AnnAssign) and node.value is None):
        yield node, "pass"
    match node:
        case ast.Compare():
            for index, op in enumerate(node.ops):
                yield node, _with(node, ops=[*node.ops[:index], SWAPS[type(op)](), *node.ops[index + 1 :]])
        case ast.BoolOp():
            yield node, _with(node, op=SWAPS[type(node.op)]())
            for values in _without(node.values):
                yield node, _with(node, values=values) if len(values) > 1 else _with(values[0])
        case ast.UnaryOp(op=ast.Not()):
            yield node, _with(node.operand)
        case ast.BinOp() if type(node.op) in SWAPS:
            yield node, _with(node, op=SWAPS[type(node.op)]())
        case ast.Constant(value=bool() | None as value):
            yield node, repr(not value)
        case ast.Constant(value=int() | float() as value):
            yield from ((node, repr(value + 1)), (node, f"({value - 1})"))
        case ast.Constant(value=str() | bytes() as value):
            yield node, f"({(b'XX' + value if isinstance(value, bytes) else 'XX' + value)!r})"
        case ast.JoinedStr():
            yield node, _with(node, values=[ast.Constant("XX"), *node.values])
        case ast.Call():
            for keywords in _without(node.keywords):
                yield node, _with(node, keywords=keywords)
        case ast.If() | ast.IfExp():
            yield from ((node.test, "True"), (node.test, "False"))
        case ast.While():
            yield node.test, "False"
        case ast.comprehension():
            yield from ((test, "True") for test in node.ifs)
        case ast.Return(value=ast.expr()):
            yield node, "return None"
        case ast.Slice():
            yield from ((node, _with(node, **{end: None})) for end in ("lower", "upper") if getattr(node, end))
        case ast.ExceptHandler(type=ast.Tuple(elts=elements) as types):
            for fewer in _without(elements):
                yield types, _with(types, elts=fewer)


def _is_skipped(node: ast.AST) -> bool:
    """Skip what doesn't run, what type checkers alone read, and what tests are about by definition."""
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom() | ast.FormattedValue() | ast.Expr(value=ast.Constant()):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "ParamSpec")):
            return True
        case ast.FunctionDef(decorator_list=[*_, ast.Name(id="overload")]):
            return True
    return False


def _speaks(node: ast.AST) -> bool:
    """Return whether the texts of a node are messages: errors, warnings, log records."""
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Raise) or called.partition(".")[0] in ("log", "logger", "warnings")


def mutants(path: str, source: str) -> Iterator[Mutant]:
    """Give every mutant of a module."""

    def visit(node: ast.AST, function: str, in_message: bool) -> Iterator[Mutant]:
        if _is_skipped(node):
            return
        in_message = in_message or _speaks(node)
        is_message = isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and (in_message or " " in node.value)
        )
        yield from (Mutant(path, target, text, function, is_message) for target, text in changes(node, bool(function)))
        inner = function
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = f"{function}.{node.name}".lstrip(".")
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns") and not isinstance(node, ast.JoinedStr):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from visit(child, inner if field == "body" else function, in_message)

    return visit(ast.parse(source), "", False)


def sample(folder: str, count: int, seed: int) -> list[Mutant]:
    """Draw mutants of a folder that compile and differ from the source; "root" is the package's own modules."""
    paths = sorted(PACKAGE.glob("*.py" if folder == "root" else f"{folder}/**/*.py"))
    sources = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    found = [mutant for path, source in sources.items() for mutant in mutants(path, source)]
    random.Random(f"{seed} {folder}").shuffle(found)  # noqa: S311
    drawn: list[Mutant] = []
    for mutant in found:
        source = sources[mutant.path]
        too_many_messages = mutant.is_message and sum(one.is_message for one in drawn) >= int(count * MESSAGES)
        with contextlib.suppress(SyntaxError):
            if not too_many_messages and ast.dump(ast.parse(mutant.apply(source))) != ast.dump(ast.parse(source)):
                drawn.append(mutant)
        if len(drawn) == count:
            break
    return drawn
