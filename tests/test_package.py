"""The package as users install it: its names, its layers, its imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flask_unauthorized

ROOT = Path(flask_unauthorized.__file__).parent
LAYERS = [
    {"wire"},
    {"errors", "identity", "mistakes", "requirement", "metadata"},
    {"stores", "keys", "connecting", "fetching"},
    {"jose"},
    {"schemes"},
    {"plan", "judge"},
    {"rendering"},
    {
        "settings",
        "signals",
        "decorating",
        "publishing",
        "app_state",
        "context",
        "explaining",
        "answering",
        "guard",
        "sessions",
        "resources",
        "preflight",
        "dispatch",
        "installing",
        "extension",
    },
    {"loaders", "testing", "cli", "certificates"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def _modules():
    return [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def _imported(path: Path):
    """What a module imports: parts of this package by their layer's name, others by their top name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    conditions = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    typing_only = [node for node in conditions if "TYPE_CHECKING" in ast.dump(node.test)]
    skipped = {id(inner) for node in typing_only for inner in ast.walk(node)}
    depth = len(path.relative_to(ROOT).parts)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], False
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from ((name.split(".")[0], True) for name in names)


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    level = LEVEL[path.relative_to(ROOT).parts[0].removesuffix(".py")]
    for name, ours in _imported(path):
        if ours:
            assert LEVEL[name] <= level, f"{path} imports {name}, which is above it"
        elif level == 0:
            assert name in sys.stdlib_module_names, f"{path} imports {name}: wire knows the standard library only"


def test_no_module_is_outside_the_layers():
    found = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in _modules()}
    assert found == set(LEVEL)


def test_all_names_are_there_and_all_is_exact():
    for name in flask_unauthorized.__all__:
        assert getattr(flask_unauthorized, name) is not None
    public = {
        "Auth", "Bearer", "Basic", "Digest", "DPoP", "APIKey", "SessionCookie", "Scheme", "Identity", "any_of",
        "current_user", "current_identity", "abort_unauthorized", "abort_forbidden", "Challenge", "AuthError",
        "Unauthorized", "MissingCredentials", "InvalidProof", "NonceRequired", "InvalidCredentials",
        "ExpiredCredentials", "RevokedCredentials", "StepUpRequired", "MalformedCredentials", "Forbidden",
        "InsufficientScope", "TooManyAttempts", "AuthUnavailable", "ConfigurationError",
    }  # fmt: skip
    assert set(flask_unauthorized.__all__) == public
    assert len(flask_unauthorized.__all__) == len(public)


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_root_imports_no_battery():
    loaded = _python("-c", "import sys, flask_unauthorized; print(*sys.modules)").split()
    assert not [name for name in loaded if name.startswith(("flask_unauthorized.loaders", "flask_unauthorized.jose"))]
    assert not {"jwt", "cryptography", "flask_unauthorized.schemes.dpop_proof"}.intersection(loaded)


@pytest.mark.parametrize("missing", ["jwt", "cryptography"])
def test_fau_05_without_its_extra_dpop_says_what_to_install_and_nothing_else_needs_it(missing):
    program = f"""if True:
        import sys
        sys.modules[{missing!r}] = None
        from flask_unauthorized import Bearer, DPoP
        Bearer(lambda token: None)
        try:
            DPoP(origin="https://api.example.com")
        except ImportError as error:
            print(error)
    """
    assert "flask-unauthorized[jwt]" in _python("-c", program)


def test_cfg_13_decisions_hold_under_python_o():
    program = """if True:
        from flask import Flask
        from flask_unauthorized import Auth, Bearer, Identity
        auth = Auth(Bearer(lambda token: Identity("ada") if token == "good" else None))
        app = Flask("x"); auth.init_app(app)
        app.add_url_rule("/", "index", auth.login_required(scopes={"a"})(lambda: "x"))
        app.add_url_rule("/any", "any", auth.login_required(lambda: "x"))
        client = app.test_client()
        for path, value in (("/any", ""), ("/any", "Bearer bad"), ("/any", "Bearer"), ("/", "Bearer good")):
            print(client.get(path, headers={"Authorization": value}).status_code)
    """
    assert _python("-OO", "-c", program).split() == ["401", "401", "400", "403"]


def test_the_package_is_typed():
    assert (ROOT / "py.typed").is_file()
