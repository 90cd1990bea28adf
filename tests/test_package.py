"""The package as users install it: its names, its layers, its imports."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import flask_unauthorized

ROOT = Path(flask_unauthorized.__file__).parent
# From the bottom to the top, and what is in each room. A module imports from its own room, from lower layers, and from
# rooms of its own layer as long as no circle comes of it. CONTRIBUTING.md shows this as a table.
LAYERS = [
    {
        "wire": "read and write header fields: grammar, challenges, credentials. Standard library only",
        "lazy_names": "packages that import a name when it is first used",
        "locks": "locks that survive `fork`",
        "logs": "the logger, whose failing handlers and filters cost no request",
        "rotation": "single-use secrets: rotated, repeated or reused. Standard library only",
    },
    {
        "errors": "the typed exceptions, their statuses and wording",
        "identity": "`Identity`",
        "signals": "the signals that apps listen to",
        "events": "the records of the log: one for each decision, with fixed fields",
        "subjects": "which names may be one account",
        "arguments": "helpers for messages about a developer's mistake",
        "proxies": "the proxies that an app trusts",
        "lint": "finds wrong refusals in the responses of any server. Standard library only",
    },
    {
        "rendering": "an error becomes a body: negotiation, renderers, translations",
        "stores": "what requests share across threads, processes and hosts",
        "throttle": "limits on failed attempts to log in",
        "jose": "keys and signatures (extra `jwt`)",
        "http_client": "bounded requests to the servers that the configuration names",
        "certificates": "where the client's certificate is",
        "load_app": "the app that a command reads",
        "wsgi": "WSGI layers around an app",
    },
    {"schemes": "how credentials are carried and verified: `Bearer`, `Basic`, `Digest`, …"},
    {"policy": "what views demand and which challenges they offer"},
    {
        "authentication": "one request becomes an `Identity` or an error",
        "resource_metadata": "protected-resource metadata (RFC 9728)",
        "backchannel_logout": "the endpoint at which an OpenID provider ends logins",
        "forward_auth": "the endpoint that reverse proxies ask: the request that a client sent to the proxy is judged",
        "loaders": "ready loaders: `JWT`, `Introspection`, `Passwords`, …",
    },
    {"runtime": "ties policy and authentication to Flask: state of app and request, wrappers, refusals"},
    {
        "responses": "an error becomes a response; the guard over all responses",
        "browser": "login, logout, the redirect to the login page",
        "openapi": "OpenAPI documents say what the app demands",
        "audit": "`flask unauthorized audit`: mistakes in the table of routes, and changes since a lock file",
        "explain": "`flask unauthorized explain`: what each kind of caller of a route gets, without running the view",
        "cli": "`flask unauthorized …`",
        "testing": "helpers for the tests of apps",
        "pytest_plugin": "the pytest plugin: lints the responses of a test suite; the fixture `unauthorized`",
    },
    {"extension": "`Auth`, the facade"},
    {"__init__": "the public names"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# Private keys under which Flask's objects hold our state: one module spells them, and gives typed accessors.
KEYS = {"unauthorized", "_unauthorized"}
KEYS_ARE_SPELLED_IN = "schemes/state_access.py"


def _modules():
    return [path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"]


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _room(name: str) -> str:
    return name.partition(".")[0]


def _imported(path: Path):
    """What a module imports, for types alone as well: modules of this package by their name, others by their top."""
    known = {_name(one): one for one in [*_modules(), ROOT / "__init__.py"]}
    parts = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0], False
        elif isinstance(node, ast.ImportFrom):
            base = ".".join((*parts[: len(parts) - node.level], *filter(None, [node.module])))
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield (inner if inner in known else base or "__init__"), True


def _circles(arrows: dict[str, set[str]]) -> list[set[str]]:
    """The strongly connected parts of a graph that have more than one member."""

    def reached(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            for name in arrows.get(waiting.pop(), ()):
                if name not in seen:
                    seen.add(name)
                    waiting.append(name)
        return seen

    beyond = {name: reached(name) for name in arrows}
    found = [frozenset(other for other in beyond[name] if name in beyond.get(other, ())) for name in arrows]
    return [set(one) for one in dict.fromkeys(found) if len(one) > 1]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_point_down(path):
    level = LEVEL[_room(_name(path))]
    for name, ours in _imported(path):
        if ours:
            assert LEVEL[_room(name)] <= level, f"{path} imports {name}, which is above it"
        elif level == 0:
            assert name in sys.stdlib_module_names, f"{path} imports {name}: wire knows the standard library only"


def test_there_is_no_circle_of_modules_nor_of_rooms():
    modules = {_name(path): {name for name, ours in _imported(path) if ours} - {_name(path)} for path in _modules()}
    assert _circles(modules) == []
    rooms: dict[str, set[str]] = {}
    for module, names in modules.items():
        rooms.setdefault(_room(module), set()).update({_room(name) for name in names} - {_room(module)})
    assert _circles(rooms) == []


def test_the_search_for_circles_finds_them():
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [{"b", "c"}]


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_state_is_looked_up_by_a_string(path):
    if str(path.relative_to(ROOT)) == KEYS_ARE_SPELLED_IN:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in KEYS]
    for node in ast.walk(tree):
        keys = [node.slice] if isinstance(node, ast.Subscript) else node.args if isinstance(node, ast.Call) else []
        found += [node.lineno for key in keys if isinstance(key, ast.Constant) and key.value in KEYS]
    assert not found, f"{path} lines {found}: use the accessors in {KEYS_ARE_SPELLED_IN}"


def test_no_module_is_outside_the_layers():
    assert {_room(_name(path)) for path in _modules()} | {"__init__"} == set(LEVEL)


def _layers_as_a_table() -> str:
    rows = [f"| {level} | `{name}` | {LAYERS[level][name]} |" for name, level in reversed(LEVEL.items())]
    return "\n".join(["| layer | room | what is in it |", "|---|---|---|", *rows])


def test_contributing_shows_the_layers():
    page = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert _layers_as_a_table() in page, f"put this into CONTRIBUTING.md:\n{_layers_as_a_table()}"


def test_all_names_are_there_and_all_is_exact():
    for name in flask_unauthorized.__all__:
        assert getattr(flask_unauthorized, name) is not None
    public = {
        "Auth", "Bearer", "Basic", "Digest", "DPoP", "APIKey", "SessionCookie", "SHA256Sessions", "Scheme", "Identity",
        "any_of", "current_user", "current_identity", "abort_unauthorized", "abort_forbidden", "Challenge", "AuthError",
        "Unauthorized", "MissingCredentials", "InvalidProof", "NonceRequired", "InvalidCredentials",
        "ExpiredCredentials", "RevokedCredentials", "SessionStolen", "StaleNonce", "StepUpRequired",
        "MalformedCredentials", "Forbidden", "CrossSiteRequest",
        "InsufficientScope", "TooManyAttempts", "AuthUnavailable", "ConfigurationError",
    }  # fmt: skip
    assert set(flask_unauthorized.__all__) == public
    assert len(flask_unauthorized.__all__) == len(public)


# What README and docs import: these paths stay, wherever the code behind them goes.
DOCUMENTED_PATHS = {
    "flask_unauthorized.certificates": {"ClientCert", "EscapedPEM"},
    "flask_unauthorized.events": {"FIELDS", "session_hash", "subject_hash", "token_hash"},
    "flask_unauthorized.jose": {"hmac_key", "private_key", "public_key_jwk", "public_key_pem", "read_key_set"},
    "flask_unauthorized.loaders": {"Passwords", "SignedTokens", "StaticTokens", "acceptable"},
    "flask_unauthorized.loaders.introspection": {"Introspection"},
    "flask_unauthorized.loaders.jwks": {"JWKS"},
    "flask_unauthorized.loaders.jwt": {"ANY", "JWT", "Issuers"},
    "flask_unauthorized.loaders.pairs": {"GrantRefused", "Pair", "Pairs"},
    "flask_unauthorized.loaders.revocation": {"Revocations"},
    "flask_unauthorized.loaders.stored": {
        "AlreadyRotated", "Issued", "StoredTokenMixin", "StoredTokens", "TokenEnded", "TokenFormat", "TokenRecord",
        "TooManyTokens", "UnknownToken", "tokens_table",
    },
    "flask_unauthorized.openapi": {"AuthPlugin"},
    "flask_unauthorized.schemes.remote_user": {"RemoteUser"},
    "flask_unauthorized.signals": {
        "authenticated", "logged_in", "logged_out", "refused", "remembered", "repaired", "session_stolen",
        "subject_disabled", "throttled", "token_issued", "token_reused", "token_revoked", "token_rotated",
    },
    "flask_unauthorized.stores.base": {"Store"},
    "flask_unauthorized.stores.memory": {"MemoryStore"},
    "flask_unauthorized.stores.redis": {"RedisStore"},
    "flask_unauthorized.stores.sqlite": {"SQLiteStore"},
    "flask_unauthorized.lint": {"ASGILinter", "Finding", "LintError", "Linter", "lint"},
    "flask_unauthorized.testing": {
        "acting_as", "assert_all_guarded", "assert_challenge", "assert_forbidden", "assert_sound",
        "assert_unauthorized",
    },
    "flask_unauthorized.throttle": {"Limit", "Throttle"},
    "flask_unauthorized.wire": {"Challenge", "parse_authorization", "parse_challenges"},
    "flask_unauthorized.wire.digest": {"name_hash"},
    "flask_unauthorized.wire.dpop": {"thumbprint"},
    "flask_unauthorized.wire.jws": {"encode_base64url"},
}  # fmt: skip


@pytest.mark.parametrize("module", DOCUMENTED_PATHS)
def test_documented_import_paths_stay(module):
    found = importlib.import_module(module)
    assert {name for name in DOCUMENTED_PATHS[module] if hasattr(found, name)} == DOCUMENTED_PATHS[module]


def test_the_documentation_imports_documented_paths_only():
    root = Path(__file__).parents[1]
    imports: dict[str, set[str]] = {}
    for page in (root / "README.md", *sorted((root / "docs").rglob("*.md"))):
        for module, names in re.findall(
            r"from (flask_unauthorized[\w.]*) import \(?([\w, \n]+)", page.read_text(encoding="utf-8")
        ):
            imports.setdefault(module, set()).update(re.findall(r"\w+", names.partition("\n")[0]))
    known = {**DOCUMENTED_PATHS, "flask_unauthorized": {*flask_unauthorized.__all__, "signals"}}
    assert imports
    assert {module: names - known.get(module, set()) for module, names in imports.items()} == {
        module: set() for module in imports
    }


def _python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _loaded_by(program: str) -> set[str]:
    return set(_python("-c", f"import sys\n{program}\nprint(*sys.modules)").split())


def test_the_root_loads_a_name_when_it_is_first_used():
    loaded = _loaded_by("import flask_unauthorized")
    assert [name for name in loaded if name.startswith("flask_unauthorized.")] == ["flask_unauthorized.lazy_names"]
    assert not {"flask", "werkzeug", "jwt", "cryptography"}.intersection(loaded)


def test_an_app_loads_the_scheme_that_it_uses_and_no_other():
    loaded = _loaded_by(
        "from flask import Flask\n"
        "from flask_unauthorized import Auth, Bearer\n"
        "auth = Auth(Bearer(lambda token: None))\n"
        "app = Flask('app'); auth.init_app(app)\n"
        "app.add_url_rule('/', 'view', auth.login_required(lambda: ''))\n"
        "assert app.test_client().get('/').status_code == 401"
    )
    prefix = "flask_unauthorized.schemes."
    schemes = {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)}
    assert "bearer" in schemes
    assert not {"basic", "digest", "dpop", "api_key", "session.scheme"} & schemes
    rooms = ("loaders", "jose", "stores", "http_client", "certificates", "cli", "testing", "lint", "openapi")
    assert not [name for name in loaded if name.startswith(tuple(f"flask_unauthorized.{room}" for room in rooms))]
    assert not {"jwt", "cryptography"}.intersection(loaded)


def test_a_document_is_made_without_apispec():
    loaded = _loaded_by(
        "from flask import Flask\n"
        "from flask_unauthorized import Auth, Bearer\n"
        "app = Flask('app')\n"
        "auth = Auth(Bearer(lambda token: None), app=app)\n"
        "auth.openapi({'openapi': '3.1.0', 'paths': {}})\n"
        "import flask_unauthorized.openapi"
    )
    assert "flask_unauthorized.openapi.describe" in loaded
    assert "apispec" not in loaded


@pytest.mark.parametrize("module", ["flask_unauthorized", "flask_unauthorized.schemes", "flask_unauthorized.loaders"])
def test_lazy_names_look_like_others(module):
    names = importlib.import_module(module).__all__
    star = f"from {module} import *\nassert {{*{names!r}}} <= {{*globals()}}"
    listed = f"import {module} as m\nassert {{*{names!r}}} <= {{*dir(m)}}"
    helped = f"import {module} as m, pydoc\nassert all(n in pydoc.plain(pydoc.render_doc(m)) for n in {names!r})"
    for program in (star, listed, helped):
        _python("-c", program)
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'Baerer'"):
        importlib.import_module(module).Baerer


def test_lazy_names_are_those_that_type_checkers_see():
    for package in (ROOT, ROOT / "schemes", ROOT / "loaders"):
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        (condition,) = [node for node in tree.body if isinstance(node, ast.If)]
        static = {
            (alias.name, f".{node.module}")
            for node in condition.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        (call,) = [node for node in ast.walk(condition) if isinstance(node, ast.Call)]
        modules = ast.literal_eval(call.args[1])
        assert {(name, module) for module, names in modules.items() for name in names} == static


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
        for path, value in (("/any", ""), ("/any", "Bearer bad"), ("/any", "Bearer ="), ("/", "Bearer good")):
            print(client.get(path, headers={"Authorization": value}).status_code)
    """
    assert _python("-OO", "-c", program).split() == ["401", "401", "400", "403"]


def test_public_methods_are_documented_here_or_where_they_are_first_defined():
    missing = []
    for path in _modules():
        module = importlib.import_module(f"flask_unauthorized.{_name(path)}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_"):
                methods = [name for name, value in vars(kind).items() if inspect.isfunction(value)]
                missing += [
                    f"{kind.__module__}.{kind.__qualname__}.{name}"
                    for name in methods
                    if not name.startswith("_") and not inspect.getdoc(getattr(kind, name))
                ]
    assert missing == []


def test_the_package_is_typed():
    assert (ROOT / "py.typed").is_file()


# --- secrets are compared in constant time  # T-02

_SECRET_WORDS = {
    "a1", "ath", "cnonce", "digest", "digests", "expected", "hash", "hashed", "hexdigest", "hmac", "mac", "nonce",
    "password", "proof", "response", "secret", "secrets", "sid", "signature", "signed", "token",
}  # fmt: skip
_CONVERSIONS = {"encode", "decode", "lower", "upper", "strip", "rstrip", "lstrip", "casefold", "hex", "str", "bytes"}
# Public values, each with the reason why no attacker learns anything from the time that the comparison takes.
_PUBLIC = {
    "sent == origin + expected": "the address of the request, which its sender knows",
}


def _secret_operand(node: ast.expr) -> bool:
    """Whether the name of an operand says that it is a secret, or is made from one."""
    while True:
        if isinstance(node, (ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CONVERSIONS:
            node = node.func.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CONVERSIONS:
            node = node.args[0]
        elif isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute) and node.attr in _CONVERSIONS:
            node = node.value
        else:
            break
    if isinstance(node, ast.BinOp):
        return _secret_operand(node.left) or _secret_operand(node.right)
    if isinstance(node, ast.Tuple):
        return any(_secret_operand(one) for one in node.elts)
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return not name.isupper() and not _SECRET_WORDS.isdisjoint(name.strip("_").lower().split("_"))


def _is_plain(node: ast.expr) -> bool:
    """Whether an operand is written in the source or counts something, so that nothing can be guessed bit by bit."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        return all(_is_plain(one) for one in node.elts)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("len", "type")


def _secret_comparisons(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        operands = [node.left, *node.comparators]
        for operator, (left, right) in zip(node.ops, pairwise(operands), strict=True):
            if not isinstance(operator, (ast.Eq, ast.NotEq)) or _is_plain(left) or _is_plain(right):
                continue
            text = ast.unparse(node)
            if ast.unparse(right).startswith(ast.unparse(left)):  # token != token.strip(): with itself
                continue
            if (_secret_operand(left) or _secret_operand(right)) and not any(known in text for known in _PUBLIC):
                found.append(f"line {node.lineno}: {text}")
    return found


@pytest.mark.asvs("V11.2.4")
@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_secret_is_compared_by_an_operator_whose_time_tells_something(path):
    found = _secret_comparisons(path.read_text(encoding="utf-8"))
    assert not found, f"use hmac.compare_digest on bytes in {path}: {found}"


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        ("expected == sent.response", True),
        ("expected.encode('latin-1') == sent.response.encode('latin-1')", True),
        ("sent.response != response_hash(a, b)", True),
        ("_signature(key, signed) == signature", True),
        ("hmac.new(k, m, 'sha256').digest() == given", True),
        ("hashlib.sha256(x).hexdigest().lower() == stored.lower()", True),
        ("nonce == known_nonce", True),
        ("str(credentials.token) == given", True),
        ("secret_hash(base, name) == value[0]", True),
        ("(name, password) == (given, other)", True),
        ("a < b == proof", True),
        ("len(signature) != key.signature_size(algorithm)", False),
        ("nonce == ''", False),
        ("token is None", False),
        ("token != token.strip()", False),
        ("typ != 'dpop+jwt'", False),
        ("name == KEY", False),
        ("hmac.compare_digest(expected, response)", False),
    ],
)
def test_the_check_of_comparisons_finds_them(source, is_found):
    assert bool(_secret_comparisons(source)) is is_found


@pytest.mark.asvs("V11.2.4")
def test_secrets_are_compared_where_they_must_be():
    """The check above sees names only, so the modules that verify what an attacker may guess are counted."""
    using = {path.stem for path in _modules() if "compare_digest(" in path.read_text(encoding="utf-8")}
    assert {"confirmation", "digest", "dpop_proof", "engine", "nonces"} <= using
