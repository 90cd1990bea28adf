"""Every private reason names the thing, the value and the setting, and none holds a secret.  # F-18 # F-49"""

import ast
import functools
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

import flask_unauthorized
from flask_unauthorized import AuthError, Identity, errors
from flask_unauthorized.errors.text import MAX_REASON
from tests.canaries import watching

from . import (
    Row,
    basic,
    certificates,
    digest,
    dpop,
    introspection,
    jwt,
    logout,
    outages,
    pairs,
    remote_user,
    selection,
    sessions,
    stored_tokens,
    stores,
    throttle,
    tokens,
)
from .refusing import SECRETS

AREAS = (
    basic, certificates, digest, dpop, introspection, jwt, logout, outages, pairs, remote_user, selection, sessions,
    stored_tokens, stores, throttle, tokens,
)  # fmt: skip
ROWS = {f"{area.__name__.rpartition('.')[2]}: {row.name}": row for area in AREAS for row in area.ROWS}
ROOT = Path(flask_unauthorized.__file__).parent

NO_REASONS = {
    # The explanation in a body shows the reason of an error; it makes none.
    ("responses/diagnostics.py", "Explanation"),
}
"""Files and called names that have an argument ``reason=`` and make no error."""


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_reason(row: Row) -> None:
    error = row.make()
    assert (error.reason, error.code) == (row.reason, row.status)  # type: ignore[attr-defined]  # Werkzeug's


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_no_reason_holds_a_secret_and_each_can_be_logged(row: Row) -> None:
    with watching() as watched:
        reason = row.make().reason or ""
    assert [secret for secret in (*SECRETS, *watched.secrets) if secret in reason] == []
    assert watched.leaks == []
    assert "s3cret" not in reason
    assert reason.isascii()
    assert reason.isprintable()
    assert 0 < len(reason) <= MAX_REASON


LONG = "https://" + "x\u00fc" * 700


@pytest.mark.parametrize(
    "make",
    [
        digest.changed({"realm": "x" * 3000}),
        digest.changed({"qop": "x" * 3000}),
        digest.changed({"algorithm": "x" * 3000}),
        digest.changed({"uri": "/" + "x" * 3000}),
        digest.changed({"uri": "/"}, path="/" + "y" * 3000),
        dpop.proof(header={"typ": LONG}),
        dpop.proof(header={"alg": LONG}),
        dpop.proof(htm=LONG),
        dpop.proof({"origin": ["https://" + "z" * 60 + ".example"] * 9}, "/" + "y" * 999, htu="https://" + "x" * 999),
        dpop.proof({"confirmation": {LONG: 1, "other": LONG}}),
        dpop.proof(iat=int("9" * 60)),
        tokens.bearer(Identity("ada", confirmation={LONG: 1, "other": LONG})),
        tokens.bearer(Identity("ada", acr=LONG), acr=["gold" * 99, "silver" * 99]),
        tokens.bearer(Identity("ada", scopes={"a" * 500}), scopes={"b" * 500}),
        tokens.bearer(Identity("ada", roles={"a" * 500}), roles={"b" * 500}),
        selection.cross_site("https://" + "x" * 3000, "y" * 3000),
        introspection.member("aud", LONG),
        introspection.member("iss", LONG, issuer="https://" + "y" * 300),
        introspection.member("typ", LONG),
        introspection.answered({"active": LONG, "error": LONG}),
    ],
    ids=range(20),
)
def test_reasons_of_long_values_are_cut(make: Any) -> None:
    reason = make().reason or ""
    assert reason.isascii()
    assert reason.isprintable()
    assert 0 < len(reason) <= MAX_REASON


def test_no_two_rows_have_one_name() -> None:
    assert len(ROWS) == sum(len(area.ROWS) for area in AREAS)


# --- that none is missing

Place = tuple[str, int]


@contextmanager
def recording() -> Iterator[dict[Place, set[str]]]:
    """From which lines of the package errors are made while inside, and their reasons."""
    found: dict[Place, set[str]] = defaultdict(set)
    root = str(ROOT)

    def recorded(make: Any) -> Any:
        @functools.wraps(make)
        def wrapper(self: AuthError, *args: Any, **kwargs: Any) -> None:
            make(self, *args, **kwargs)
            frame = sys._getframe(1)
            while frame is not None:
                path = frame.f_code.co_filename
                if path.startswith(root):
                    found[path[len(root) + 1 :], frame.f_lineno].add(str(self.reason))
                frame = frame.f_back  # type: ignore[assignment]  # the last one has none

        return wrapper

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AuthError)]
    with pytest.MonkeyPatch.context() as patch:
        for kind in dict.fromkeys(kinds):
            if "__init__" in vars(kind):
                patch.setattr(kind, "__init__", recorded(vars(kind)["__init__"]))
        yield found


class Site:
    """A call that makes an error with a reason, or that calls a function which does."""

    def __init__(self, file: str, call: ast.Call, function: ast.AST, reason: ast.expr | None) -> None:
        self.file = file
        self.lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
        self.texts = () if reason is None else tuple(_texts(reason, _assigned(function)))

    def missing(self, found: dict[Place, set[str]]) -> list[str]:
        """What no row has reached: the place itself, or one of its texts."""
        reasons = set(chain.from_iterable(found.get((self.file, line), ()) for line in self.lines))
        place = f"{self.file}:{self.lines[0]}"
        if not reasons:
            return [place]
        return [
            f"{place}: {' … '.join(parts)}"
            for parts in self.texts
            if not any(all(part in reason for part in parts) for reason in reasons)
        ]


def _texts(value: ast.expr, names: dict[str, list[ast.expr]]) -> Iterator[list[str]]:
    """The literal parts of each text that ``value`` may be; those of names come from their assignments."""
    if isinstance(value, ast.IfExp):
        yield from _texts(value.body, names)
        yield from _texts(value.orelse, names)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield [value.value]
    elif isinstance(value, ast.BinOp):
        yield from _texts(value.left, names)
        yield from _texts(value.right, names)
    elif isinstance(value, ast.JoinedStr):
        parts = [piece.value for piece in value.values if isinstance(piece, ast.Constant)]
        yield [part for part in parts if isinstance(part, str)]
        for piece in value.values:
            if isinstance(piece, ast.FormattedValue):
                yield from _texts(piece.value, names)
    elif isinstance(value, ast.Name):
        for assigned in names.get(value.id, ()):
            yield from _texts(assigned, {name: given for name, given in names.items() if name != value.id})


def _assigned(function: ast.AST) -> dict[str, list[ast.expr]]:
    found = defaultdict(list)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id].append(node.value)
    return found


def _name(call: ast.Call) -> str:
    return getattr(call.func, "id", None) or getattr(call.func, "attr", "")


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def _reason(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == "reason"), None)


def sites() -> list[Site]:
    """All places of the package that make an error with a reason.

    A function that returns such an error stands for it: then each call of the function is a place, too.
    """
    modules = {
        str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
        if "explain" not in path.relative_to(ROOT).parts  # the command makes refusals that no request has
    }
    functions = [
        (file, node)
        for file, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    makers: set[tuple[str, str]] = set()  # file and name; a public one counts in every file

    def makes(file: str, call: ast.Call) -> bool:
        if (file, _name(call)) in NO_REASONS:
            return False
        return _reason(call) is not None or (file, _name(call)) in makers or ("", _name(call)) in makers

    size = -1
    while size != len(makers):
        size = len(makers)
        for file, function in functions:
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and makes(file, node.value):
                    makers.add((file if function.name.startswith("_") else "", function.name))
    found = []
    for file, tree in modules.items():
        inside = {
            id(call): function
            for name, function in functions  # the innermost comes last
            if name == file
            for call in _calls(function)
        }
        for call in _calls(tree):
            if makes(file, call):
                text = _reason(call) or next(iter(call.args), None)
                found.append(Site(file, call, inside.get(id(call), tree), text))
    return found


def missing(rows: Iterable[Row]) -> list[str]:
    with recording() as found:
        for row in rows:
            row.make()
    return list(chain.from_iterable(site.missing(found) for site in sites()))


def test_every_reason_of_the_package_has_a_row() -> None:
    assert len(sites()) > 150
    found = missing(ROWS.values())
    assert not found, "give each of these places and texts a row:\n" + "\n".join(found)


def test_a_reason_without_a_row_is_found() -> None:
    found = missing(row for area in AREAS if area is not digest for row in area.ROWS)
    assert any(place.startswith("schemes/digest.py") for place in found)
    assert all(place.startswith(("schemes/digest", "schemes/request_body")) for place in found)


def test_a_text_without_a_row_is_found() -> None:
    (row,) = [row for row in digest.ROWS if row.name == "two usernames"]
    found = missing(one for area in AREAS for one in area.ROWS if one is not row)
    assert any(text.endswith(": both username and username*") for text in found)
