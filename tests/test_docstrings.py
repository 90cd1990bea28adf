"""The docstrings of public names: each has an example that runs, and names all parameters.

They are what ``help()`` shows, and the API reference is made from them.
"""

import ast
import importlib
import inspect
import pydoc
import re
import sqlite3
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from blinker import NamedSignal
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask, redirect, request
from sqlalchemy import create_engine
from werkzeug.security import generate_password_hash

import flask_unauthorized
from flask_unauthorized import Auth, AuthError, Bearer, Challenge, Identity, SessionCookie, Unauthorized, signals
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.policy.requirement import _KEYWORDS
from flask_unauthorized.stores.memory import MemoryStore

from .test_package import DOCUMENTED_PATHS

MODULES = ["loaders", "loaders.pairs", "loaders.stored", "stores", "testing", "signals", "errors", "throttle"]
# These have the names of the package root, and further ones that only the developers of the extension need.
INTERNAL = {"Engine", "Key", "Keys", "PyJWTEngine", "SigningKey", "StaticKeys", "select_keys", "IntrospectionRefused"}
LONGEST_EXAMPLE = 16


def _public_objects() -> dict[str, Any]:
    """All public names with a docstring of their own, by the path from which they are imported."""
    found: dict[str, Any] = {}
    seen: list[Any] = []
    for module, names in {"flask_unauthorized": set(flask_unauthorized.__all__), **DOCUMENTED_PATHS}.items():
        package = importlib.import_module(module)
        for name in sorted(names | set(getattr(package, "__all__", ())) - INTERNAL):
            value = getattr(package, name)
            if not any(value is one for one in seen) and name != "GrammarError" and name != "Credentials":
                seen.append(value)
                found[f"{module}.{name}"] = value
    return found


PUBLIC = _public_objects()
METHODS = {
    f"flask_unauthorized.Auth.{name}": value
    for name, value in vars(Auth).items()
    if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, property))
}
DOCUMENTED = {**PUBLIC, **METHODS}
CALLABLES = {
    name: value
    for name, value in DOCUMENTED.items()
    if inspect.isfunction(value) or (inspect.isclass(value) and not name.endswith("ANY"))
}
# Methods of the other public objects. Those without Args: are explained by their base class, or by their first line.
CALLABLES |= {
    f"{path}.{name}": method
    for path, value in PUBLIC.items()
    if inspect.isclass(value) and value is not Auth
    for name, method in vars(value).items()
    if inspect.isfunction(method) and method.__name__ == name and "Args:" in (method.__doc__ or "")
    if not name.startswith("_")
}


def _doc(path: str) -> str:
    """The docstring of a name. That of a plain value, such as a tuple, stands below it in the source."""
    value = DOCUMENTED[path] if path in DOCUMENTED else CALLABLES[path]
    if not isinstance(value, (tuple, frozenset, dict)):
        return inspect.cleandoc(vars(type(value))["__doc__"] if "context" in type(value).__module__ else value.__doc__)
    module, _, name = path.rpartition(".")
    source = inspect.getsource(importlib.import_module(module))
    body = ast.parse(source).body
    (place,) = [
        i for i, node in enumerate(body) if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name
    ]
    return inspect.cleandoc(ast.literal_eval(body[place + 1].value))  # type: ignore[attr-defined]


def _sections(doc: str) -> dict[str, str]:
    parts = re.split(r"(?m)^(Example|Args|Attributes|Returns|Raises):\n", doc)
    return {"": parts[0], **{name: textwrap.dedent(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}}


def _entries(section: str) -> list[str]:
    """The names that a section documents. One entry may name several, and a star isn't part of a name."""
    return [
        name.lstrip("*")
        for line in section.splitlines()
        for names in re.findall(r"^([*\w]+(?:, [*\w]+)*): ", line)
        for name in names.split(", ")
    ]


def _parameters(value: Any) -> list[str]:
    try:
        parameters = inspect.signature(value).parameters.values()
    except ValueError:  # an exception without an __init__ of its own
        return []
    return [one.name for one in parameters if one.name != "self"]


@pytest.mark.parametrize("path", DOCUMENTED)
def test_the_first_line_is_short_and_says_what_a_function_does(path):
    first = _doc(path).partition("\n")[0]
    assert len(first) < 80
    assert first.endswith((".", "?"))
    if inspect.isfunction(DOCUMENTED[path]):
        verb = first.split()[0]
        assert verb.isalpha()
        assert verb.istitle()
        assert verb not in ("The", "A", "An", "This", "It")
        assert not re.search(r"(?<!s)s$", verb), f"write {first!r} in the imperative"


@pytest.mark.parametrize("path", CALLABLES)
def test_every_parameter_is_documented_and_every_documented_one_exists(path):
    sections = _sections(_doc(path))
    documented = _entries(sections.get("Args", ""))
    parameters = _parameters(CALLABLES[path])
    if "Args" not in sections and inspect.isclass(CALLABLES[path]):
        # The extension makes these objects. Their parameters are documented as the attributes that users read.
        made_by_us = {"access", "refresh", "message", "throttle", "name", "secret"}
        assert set(parameters) - {*_entries(sections.get("Attributes", ""))} <= made_by_us
        return
    assert sorted(documented) == sorted(parameters)


# --- examples

USER = SimpleNamespace(
    name="ada",
    password_hash=generate_password_hash("correct horse battery", "pbkdf2:sha256:1"),
    get_id=lambda: "ada",
)
TOKEN = SimpleNamespace(
    owner="ada", scopes={"notes:read", "notes:write"}, kind="api", expires_at=2**40, revoked=False, requests=1,
    client_is_unsafe=False,
)  # fmt: skip


def _start(example: str) -> dict[str, Any]:
    """What the examples share, as the docstring of the package says: an app, its `Auth`, and the look-ups of an app."""
    app = Flask("notes")
    app.secret_key = "k" * 32
    app.testing = True
    shared: dict[str, Any] = {
        "__name__": "example",
        "app": app,
        "request": request,
        "redirect": redirect,
        "find_token": lambda token: TOKEN if token == "t-ada" else None,
        "find_user": lambda name: USER if name == "ada" else None,
        "load_user": lambda token, *_: Identity("ada", user=USER, scopes=TOKEN.scopes) if token == "t-ada" else None,
        "is_right_password": lambda name, password: True,
        "is_right_code": lambda name, code: True,
        "is_locked": lambda name: False,
        "query_of_a_slow_database": lambda token: None,
    }
    if re.search(r"\btokens\.", example) and "tokens = " not in example:
        shared["tokens"] = StoredTokens(create_engine("sqlite:///shared.db"), prefix="notes", max_per_owner=100)
        shared["tokens"].create_table()
    if not re.search(r"\bAuth\(", example):
        sessions = SessionCookie(
            lambda subject: Identity(subject, user=USER),
            login_view="login_page",
            store=MemoryStore(single_process=True),
            remember=86_400,
        )
        shared["auth"] = auth = Auth(Bearer(shared["load_user"]), sessions, app=app, realm="notes")
        app.add_url_rule("/login", view_func=auth.public(lambda: "the form"), endpoint="login_page")
        app.add_url_rule("/private", view_func=auth.login_required(lambda: "private"), endpoint="private")
    return shared


@pytest.fixture(autouse=True)
def receivers_of_examples_are_disconnected() -> Iterator[None]:
    known = {signal: set(signal.receivers) for signal in vars(signals).values() if isinstance(signal, NamedSignal)}
    yield
    for signal, before in known.items():
        for key, receiver in list(signal.receivers.items()):
            if key not in before:
                signal.disconnect(receiver)  # `connect_via` keeps them for good


def _run(path: str) -> dict[str, Any]:
    example = _code(path)
    names = _start(example)
    exec(compile(example, path, "exec"), names)
    for name, value in list(names.items()):
        if name.startswith("test_"):
            value()
    return names


def _code(path: str) -> str:
    section = _sections(_doc(path)).get("Example")
    assert section is not None, f"{path} has no Example:"
    sentence, marker, code = section.partition("::\n\n")
    assert marker, f"the example of {path} begins with a sentence and ::"
    assert re.fullmatch(r"[A-Z`][^.\n]+", sentence), f"one sentence leads to the example, not {sentence!r}"
    return textwrap.dedent(code).strip() + "\n"


def _responses(app: Flask) -> Iterator[Any]:
    form = {"name": "ada", "password": "correct horse battery", "code": "123456", "refresh_token": "x"}
    for rule in app.url_map.iter_rules():
        if rule.endpoint in ("static", "private"):
            continue
        path = re.sub("<[^>]*>", "ada", rule.rule)
        for method in {"GET", "POST"} & (rule.methods or set()):
            for fields in ({"Authorization": "Bearer t-ada"}, {}):
                data = form if method == "POST" else None
                yield app.test_client().open(path, method=method, headers=fields, data=data)


# What the functions of an example get, by the name of the parameter: loaders, receivers of signals, error handlers.
ARGUMENTS = {
    "token": "t-ada",
    "name": "ada",
    "identity": Identity("ada"),
    "error": Unauthorized(),
    "scheme": "Bearer",
    "subject": "ada",
    "limit": "pair",
    "network": "192.0.2.1",
    "endpoint": "view",
    "challenges": (Challenge("Basic", {"realm": "notes"}),),
    "record": SimpleNamespace(id=1, owner="ada", name="backup"),
    "successor": SimpleNamespace(id=2, owner="ada", name="backup"),
}


def _call_functions(path: str, names: dict[str, Any]) -> None:
    """Call each function of an example that neither Flask nor a test calls."""
    app = names["app"]
    arguments = {**ARGUMENTS, "sender": app}
    for value in list(names.values()):
        if not inspect.isfunction(value) or value.__code__.co_filename != path or value in app.view_functions.values():
            continue
        wanted = [one.name for one in inspect.signature(value).parameters.values() if one.kind is not one.VAR_KEYWORD]
        with app.test_request_context("/"), suppress(AuthError):
            value(**{name: arguments[name] for name in wanted})


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    """The files that examples read, by name."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    vector = b'{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'  # RFC 8037 A.2
    return {
        "issuer.pem": key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo),
        "client.pem": key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()),
        "jwks.json": b'{"keys": [' + vector + b"]}",
    }


@pytest.fixture
def files(written, tmp_path, monkeypatch):
    """A folder with the files that examples read. The databases that they open there are closed afterwards."""
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    opened = []
    connect = sqlite3.connect

    def connect_and_note(*args, **kwargs):
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connect_and_note)
    monkeypatch.setattr(sqlite3.dbapi2, "connect", connect_and_note)  # SQLAlchemy takes it from there
    yield
    for connection in opened:
        connection.close()


@pytest.mark.parametrize("path", DOCUMENTED)
def test_the_example_is_short_and_runs_alone(path, files):
    names = _run(path)
    assert len([line for line in _code(path).splitlines() if line]) <= LONGEST_EXAMPLE
    auth, app = names.get("auth"), names["app"]
    _call_functions(path, names)
    if auth is not None and app.extensions:
        auth.check(app)
    found = [response.status_code for response in _responses(app)]
    assert [status for status in found if status >= 500] == []


# What the loader of an example raises, for a token that makes it do that: status and OAuth error code of the response.
RAISED = {
    "InvalidCredentials": (401, "invalid_token", {"kind": "web"}),
    "ExpiredCredentials": (401, "invalid_token", {"expires_at": 0}),
    "RevokedCredentials": (401, "invalid_token", {"revoked": True}),
    "InvalidProof": (401, "invalid_dpop_proof", {"client_is_unsafe": True}),
    "Forbidden": (403, None, {"owner": "locked"}),
    "InsufficientScope": (403, "insufficient_scope", {"scopes": set()}),
    "TooManyAttempts": (429, None, {"requests": 1001}),
    "MalformedCredentials": (400, "invalid_request", {}),
}


@pytest.mark.parametrize("name", RAISED)
def test_an_error_that_the_loader_of_an_example_raises_becomes_its_status(name, files):
    status, code, changes = RAISED[name]
    names = _run(f"flask_unauthorized.{name}")
    names["find_token"] = lambda token: SimpleNamespace(**{**vars(TOKEN), **changes})
    names["is_locked"] = lambda owner: owner == "locked"
    app = Flask("loaders")
    auth = Auth(Bearer(names["load"]), app=app)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"), endpoint="view")
    response = app.test_client().get("/", headers={"Authorization": "Bearer t-ada"})
    assert response.status_code == status
    challenge = response.headers.get("WWW-Authenticate", "")
    assert ("error=" in challenge) == (code is not None)
    assert code is None or f'error="{code}"' in challenge


def test_the_example_of_an_outage_is_a_503(files):
    names = _run("flask_unauthorized.AuthUnavailable")

    def time_out(token):
        raise TimeoutError

    names["query_of_a_slow_database"] = time_out
    app = Flask("loaders")
    auth = Auth(Bearer(names["load"]), app=app)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "in"), endpoint="view")
    response = app.test_client().get("/", headers={"Authorization": "Bearer t-ada"})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")


@pytest.mark.parametrize("kind", [kind for kind in PUBLIC.values() if inspect.isclass(kind) and kind is not AuthError])
def test_the_docstring_of_an_error_says_which_status_it_becomes(kind):
    if issubclass(kind, AuthError):
        assert kind.__doc__.startswith(f"{kind.code}: ")


# --- help()

DECORATORS = {"login_required": {*_KEYWORDS}, "login_optional": {*_KEYWORDS}, "protect": {*_KEYWORDS}}
DECORATORS |= {name: {*_KEYWORDS} - {"unless"} for name in ("require", "forward_auth")}


@pytest.mark.parametrize("name", DECORATORS)
def test_help_shows_each_demand_with_a_default_that_demands_nothing(name):
    keywords = {
        parameter.name: parameter.default
        for parameter in inspect.signature(getattr(Auth, name)).parameters.values()
        if parameter.name in _KEYWORDS
    }
    assert {*keywords} == DECORATORS[name]
    assert "kwargs" not in pydoc.plain(pydoc.render_doc(getattr(Auth, name))).splitlines()[2]
    auth = Auth(Bearer(lambda token: None))
    configuration = auth._configuration
    assert configuration.make_requirement(name, keywords) == configuration.make_requirement(name, {})


@pytest.mark.parametrize("name", ["login_required", "login_optional"])
def test_type_checkers_see_the_keywords_that_help_shows(name):
    tree = ast.parse(Path(inspect.getsourcefile(Auth) or "").read_text(encoding="utf-8"))
    (keywords,) = [
        {argument.arg: ast.literal_eval(default) for argument, default in pairs}
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == name
        if (pairs := list(zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)))
    ]
    shown = inspect.signature(getattr(Auth, name)).parameters.values()
    assert keywords == {one.name: one.default for one in shown if one.kind is one.KEYWORD_ONLY}


@pytest.mark.parametrize("module", ["", *MODULES])
def test_help_of_a_module_is_a_map_of_it(module):
    found = importlib.import_module(f"flask_unauthorized.{module}".rstrip("."))
    shown = pydoc.plain(pydoc.render_doc(found))
    doc = inspect.getdoc(found) or ""
    assert len(doc.splitlines()) <= 60
    for name in getattr(found, "__all__", ()):
        assert name in shown
        assert name in doc, f"the docstring of {found.__name__} doesn't name {name}"


def test_the_map_of_the_package_names_places_that_exist():
    doc = inspect.getdoc(flask_unauthorized) or ""
    paths = set(re.findall(r"``(flask_unauthorized\.[\w.]+)``", doc))
    assert len(paths) > 10
    for path in paths:
        assert pydoc.locate(path) is not None, path
    for name in re.findall(r"``auth\.(\w+)", doc):
        assert hasattr(Auth, name), name


@pytest.mark.parametrize("path", [path for path in PUBLIC if not isinstance(PUBLIC[path], tuple)])
def test_help_works_outside_of_a_request(path):
    assert "Example:" in pydoc.plain(pydoc.render_doc(PUBLIC[path]))
