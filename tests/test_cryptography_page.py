"""docs/explanation/cryptography.md names each module that uses cryptography or randomness, and no other."""

import ast
import re
from pathlib import Path

import pytest

import flask_unauthorized

ROOT = Path(__file__).parents[1]
PACKAGE = Path(flask_unauthorized.__file__).parent
PAGE = ROOT / "docs" / "explanation" / "cryptography.md"
LIBRARIES = {"argon2", "bcrypt", "cryptography", "hashlib", "hmac", "itsdangerous", "jwt", "random", "secrets", "ssl",
             "uuid", "werkzeug.security"}  # fmt: skip


def libraries(source):
    """The libraries of cryptography and randomness that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
    return {name for name in LIBRARIES if any(f"{one}.".startswith(f"{name}.") for one in found)}


def users():
    modules = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    return {name for name, path in modules.items() if libraries(path.read_text(encoding="utf-8"))}


def named():
    return set(re.findall(r"`([\w/]+\.py)`", PAGE.read_text(encoding="utf-8")))


def test_each_module_that_uses_cryptography_is_named():
    assert users() - named() == set(), "write what it is used for into docs/explanation/cryptography.md"


def test_each_module_that_is_named_uses_it():
    assert named() - users() == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import hashlib", {"hashlib"}),
        ("def f():\n    from cryptography.hazmat import x", {"cryptography"}),
        ("from werkzeug.security import safe_join", {"werkzeug.security"}),
        ("from .hmac import x\nimport secretsharing", set()),
    ],
)
def test_imports_are_found_wherever_they_stand(source, expected):
    assert libraries(source) == expected
