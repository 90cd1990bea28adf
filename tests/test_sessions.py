"""A test that is skipped where a package is missing runs in some session of noxfile.py that installs the package."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Packages that come with another one, or whose module has another name.
COMES_WITH = {
    "argon2": "argon2-cffi",
    "flask-principal": "flask-security-too",
    "flask-security": "flask-security-too",
    "httpx": "connexion",
    "jwt": "pyjwt",
    "marshmallow": "apiflask",
    "starlette": "fastapi",
    "urllib3": "requests",
    "yaml": "pyyaml",
}


def normal(name: str) -> str:
    return re.split(r"[\[<>=;. ]", name)[0].lower().replace("_", "-")


def groups() -> dict[str, set[str]]:
    """Return the packages of each dependency group, and of the extra ``test`` with all that it names."""
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    found: dict[str, set[str]] = {"test": {normal(one) for extra in extras.values() for one in extra}}
    for name, members in project["dependency-groups"].items():
        found[name] = {normal(one) for one in members if isinstance(one, str)}
    return found


def sessions() -> list[tuple[tuple[str, ...], set[str]]]:
    """Return for each session that runs some files of tests: their paths, and the packages that it installs."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            try:
                exec(compile(ast.Module([node], []), "noxfile.py", "exec"), names)
            except NameError:  # It needs nox.
                continue
    packages, found = groups(), []
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
        installed = {"test"}
        for call in calls:
            if ast.unparse(call.func) in ("install_group", "nox.project.dependency_groups"):
                installed |= {node.value for node in call.args if isinstance(node, ast.Constant)}
        for call in calls:
            for keyword in call.keywords:
                if ast.unparse(call.func) == "run_pytest" and keyword.arg == "paths":
                    paths = eval(ast.unparse(keyword.value), names)
                    found.append((paths, set().union(*(packages[name] for name in installed))))
    return found


def needed() -> list[tuple[str, str]]:
    """Return each test file with each package without which some of its tests are skipped."""
    return sorted(
        {
            (file.relative_to(ROOT).as_posix(), COMES_WITH.get(normal(module), normal(module)))
            for file in (ROOT / "tests").rglob("test_*.py")
            for module in re.findall(r'importorskip\(\s*"([\w.]+)"', file.read_text(encoding="utf-8"))
            if module.partition(".")[0] not in {*sys.stdlib_module_names, "tomllib", "flask_unauthorized"}
        }
    )


@pytest.mark.parametrize(("file", "package"), needed())
def test_some_session_has_what_a_test_needs(file, package):
    everywhere = groups()["test"]
    assert package in everywhere or any(
        package in packages and any(file == path or file.startswith(f"{path}/") for path in paths)
        for paths, packages in sessions()
    ), f"{file} is skipped in every session: add it to those that install {package} in noxfile.py"


def test_sessions_are_read():
    found = {path for paths, packages in sessions() if "flask-login" in packages for path in paths}
    assert {"tests/neighbours", "tests/test_testing.py"} <= found
