"""Reasons of refusals that no other test names, and a search for reasons whose words stand in no test."""

import ast
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Request, request
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized
from werkzeug.test import EnvironBuilder

import flask_unauthorized
from flask_unauthorized import APIKey, Auth, AuthError, AuthUnavailable, Bearer, Digest, Identity
from flask_unauthorized.certificates import EscapedPEM
from flask_unauthorized.loaders import SignedTokens
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.signals import refused
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore

from .digest_client import ADA, challenge, sent

KEY = "0123456789abcdef0123456789abcdef"
BEARER = {"Authorization": "Bearer some-token"}


def reason(
    scheme: Any, *, view: Any = lambda: "in", guard: str = "login_required", unavailable: Any = (), **given: Any
) -> Any:
    """Status and reason of a request to a guarded view."""
    auth = Auth(scheme, unavailable=unavailable)
    app = Flask("shop")
    app.config.update(SECRET_KEY=KEY, TESTING=True)
    auth.init_app(app)
    app.add_url_rule(
        "/", "v", getattr(auth, guard)(lambda: view(auth)) if view.__code__.co_argcount else getattr(auth, guard)(view)
    )
    told: list[AuthError] = []
    with refused.connected_to(lambda sender, error: told.append(error), app):
        response = app.test_client().get("/", **given)
    (error,) = told
    return response.status_code, error.reason


def test_an_anonymous_caller_of_an_optional_view_that_asks() -> None:
    found = reason(Bearer(lambda token: None), guard="login_optional", view=lambda auth: auth.identity.subject)
    assert found == (401, "the view asked for the caller, and there is none")


def test_keys() -> None:
    assert reason(APIKey(lambda key: None), headers={"X-API-Key": "one,two"}) == (
        400,
        "APIKey: a comma, so two keys in one field",
    )
    assert reason(APIKey(lambda key: None), headers={"X-API-Key": "caf\xe9"}) == (
        401,
        "APIKey: a character outside printable ASCII",
    )


def test_what_a_loader_raises() -> None:
    def refuses(token: str) -> Any:
        raise HTTPUnauthorized

    def is_down(token: str) -> Any:
        raise ConnectionError

    assert reason(Bearer(refuses), headers=BEARER) == (401, "the loader raised a 401 of Werkzeug")
    assert reason(Bearer(is_down), unavailable=(ConnectionError,), headers=BEARER) == (
        503,
        "ConnectionError in the loader, which unavailable= lists",
    )


def test_another_callable_of_the_app() -> None:
    def certificate(request: Request) -> bytes:
        raise ConnectionError

    bound = Identity("ada", confirmation={"x5t#S256": "A" * 43})
    found = reason(Bearer(lambda token: bound, certificate=certificate), unavailable=(ConnectionError,), headers=BEARER)
    assert found == (503, "ConnectionError in certificate= of Bearer, which unavailable= lists")


def test_a_bound_token_under_bearer() -> None:
    load = lambda token: Identity("ada", confirmation={"jkt": "A" * 43})  # noqa: E731
    found = reason(Bearer(load, certificate=lambda request: None), headers=BEARER)
    assert found == (401, "bound to a key, which Bearer doesn't prove: send it under DPoP")


def test_certificates_in_a_field() -> None:
    source = EscapedPEM(["127.0.0.1"], field="X-Client-Cert")
    environ = EnvironBuilder("/", headers={"X-Client-Cert": "no certificate"}).get_environ()
    environ["REMOTE_ADDR"] = "127.0.0.1"
    with pytest.raises(AuthError) as caught:
        source(Request(environ))
    assert caught.value.reason == f"X-Client-Cert isn't one certificate as {source.form}"
    environ["asgi.scope"] = {"headers": [(b"x_client_cert", b"forged")]}
    with pytest.raises(AuthError) as caught:
        source(Request(environ))
    assert caught.value.reason == (
        "X-Client-Cert came with underscores for dashes, which this server reads alike: the proxy must remove that "
        "spelling, too"
    )


def test_signed_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Flask("shop")
    app.secret_key = KEY
    tokens, others = SignedTokens("login", lifetime=60), SignedTokens("other", lifetime=60)
    with app.app_context():
        token = tokens.issue("ada")
        with pytest.raises(AuthError) as caught:
            others(token)
        assert caught.value.reason == "SignedTokens: not signed by SECRET_KEY or a fallback for this purpose"
        forged = tokens._serializer().dumps({"no": "content"})
        with pytest.raises(AuthError) as caught:
            tokens(forged if isinstance(forged, str) else forged.decode())
        assert caught.value.reason == "SignedTokens: signed for this purpose, but not by issue()"
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 3600)
        with pytest.raises(AuthError) as caught:
            tokens(token)
        assert caught.value.reason == "SignedTokens: the token is older than lifetime=60 seconds"


# --- introspection


class Server:
    """An authorization server that answers by a function of the call's number."""

    def __init__(self, *answers: Any, **options: Any) -> None:
        self.answers = list(answers)
        given = {"audience": "api", "client_id": "a", "client_secret": "b", **options}
        self.load = Introspection("https://id.example/introspect", post=self.post, **given)

    def post(self, *sent: Any) -> bytes:
        answer = self.answers.pop(0)
        return json.dumps(answer() if callable(answer) else answer).encode()

    def reason(self, token: str = "token") -> str | None:
        with pytest.raises(AuthError) as caught:
            self.load(token)
        return caught.value.reason


ACTIVE = {"active": True, "sub": "ada", "aud": "api", "iss": "https://id.example"}


@pytest.mark.parametrize(
    ("answer", "options", "expected"),
    [
        ({**ACTIVE, "aud": "files"}, {}, "aud is 'files', and audience=['api']"),
        (
            {**ACTIVE, "iss": "https://evil.example"},
            {"issuer": "https://id.example"},
            "iss is 'https://evil.example', and issuer='https://id.example'",
        ),
        ({**ACTIVE, "cnf": None}, {}, "cnf is null, so it names no key (RFC 7800 §3.1)"),
        (
            {**ACTIVE, "cnf": {"kid": "1"}},
            {},
            "cnf binds the token by ['kid'], and only a text for ['jkt', 'x5t#S256'] is known here (RFC 7800 §3.1)",
        ),
    ],
)
def test_what_an_answer_says(answer: Any, options: dict[str, Any], expected: str) -> None:
    assert Server(answer, **options).reason() == expected


def test_what_was_heard_before_and_to_a_later_question() -> None:
    server = Server({"active": False})
    first = server.reason()
    assert server.reason() == f"{first} (heard before)"

    def asked_meanwhile() -> Any:
        later.reason()
        return ACTIVE

    later = Server(asked_meanwhile, {"active": False})
    assert later.reason() == f"{first} (heard to a later question)"


def test_what_is_no_token_and_too_many_at_once() -> None:
    server = Server()
    for token in ("", "x" * 70_000, "caf\xe9"):
        assert server.reason(token) == "no token: empty, longer than 64 KiB, or not printable ASCII"

    def asked_meanwhile() -> Any:
        told.append(busy.reason("another") or "")
        return ACTIVE

    told: list[str] = []
    busy = Server(asked_meanwhile, max_concurrent=1)
    busy.load("token")
    assert told[0].endswith(": 1 tokens are asked about already")


# --- Digest, stores


def read_body() -> None:
    """A hook that reads the body and keeps nothing."""
    request.stream.read()


def test_digest_bodies_and_uses() -> None:
    def ask(digest: Digest, *, read: bool = False, times: int = 1) -> list[str | None]:
        auth = Auth(digest)
        app = Flask("shop")
        app.config.update(SECRET_KEY=KEY, TESTING=True)
        auth.init_app(app)
        app.add_url_rule("/", "v", auth.login_required(lambda: "in"), methods=["GET", "POST"])
        if read:
            app.before_request(read_body)
        told: list[str | None] = []
        client = app.test_client()
        known = challenge(client.get("/").headers["WWW-Authenticate"])
        with refused.connected_to(lambda sender, error: told.append(error.reason), app):
            for number in range(1, times + 1):
                given = {"qop": "auth-int", "body": b"abc", "method": "POST"} if read else {}
                client.open(
                    "/", method="POST" if read else "GET", data=b"abc" if read else None,
                    headers=sent(known, nc=number, **given),
                )  # fmt: skip
        return told

    assert ask(Digest(lambda name: ADA, realm="r", nonce_uses=1), times=2) == [
        "Digest: the nonce was used 1 times, which is nonce_uses="
    ]
    assert ask(Digest(lambda name: ADA, realm="r", qop=("auth", "auth-int")), read=True) == [
        "Digest: the body was read before qop=auth-int could be verified"
    ]


class Broken(MemoryStore):
    """A store whose back end is away."""

    trouble = (ConnectionError,)

    def _get(self, key: str) -> str | None:
        raise ConnectionError("redis://:password@host")

    def _spend(self, key: str, number: int, lifetime: float) -> bool:
        raise ConnectionError("redis://:password@host")


def test_stores() -> None:
    def of(call: Any) -> str | None:
        with pytest.raises(AuthError) as caught:
            call()
        return caught.value.reason

    assert of(lambda: Broken().get("purpose", "key")) == "Broken: ConnectionError"
    assert of(lambda: Broken().spend("purpose", "key", 1, 10)) == "Broken: ConnectionError"
    small = MemoryStore(capacity=1)
    small.put("purpose", "one", "1", 100)
    assert of(lambda: small.put("purpose", "two", "2", 100)) == "MemoryStore: 1 entries are alive, it is full"


class OddClient:
    """A Redis that gives one odd answer to everything."""

    def __init__(self, answer: object) -> None:
        self.get = self.set = lambda *_, **__: answer


@pytest.mark.parametrize(
    ("answer", "operation", "expected"),
    [
        (5, "get", "RedisStore: a response of a type that GET doesn't return"),
        (b"\xff", "get", "RedisStore: it holds a value that this library did not write"),
        (None, "put", "RedisStore: the server did not store a value"),
        ("OK", "increment", "RedisStore: a response of a type that the script doesn't return"),
    ],
)
def test_odd_answers_of_redis(answer: object, operation: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    monkeypatch.setattr(store, "_client", OddClient(answer))
    monkeypatch.setattr(store, "_increments", lambda **_: answer)
    arguments: dict[str, tuple[Any, ...]] = {"get": (), "put": ("x", 60), "increment": (60,)}
    with pytest.raises(AuthUnavailable) as caught:
        getattr(store, operation)("purpose", "key", *arguments[operation])
    assert caught.value.reason == expected


# --- that none is missing


def _templates() -> list[tuple[str, list[str]]]:
    """The reasons of the package, as the literal parts of each, with the place where it stands."""
    root = Path(flask_unauthorized.__file__).parent
    found = []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                values = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
                found += [(f"{path.name}:{node.lineno}", parts) for value in values if (parts := _parts(value))]
    return found


def _parts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [re.sub(r"^\w+: ", "", node.value)]
    pieces = node.values if isinstance(node, ast.JoinedStr) else []
    literal = [piece.value for piece in pieces if isinstance(piece, ast.Constant) and isinstance(piece.value, str)]
    return [re.sub(r"^\w+: ", "", part).strip() for part in literal if len(part.strip()) >= 6]


def _asserted() -> set[str]:
    """The texts in the tests, without what a test puts into them. That one is asserted isn't checked here."""
    texts = set()
    for path in Path(__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.add(
                    "".join(
                        str(getattr(piece, "value", "")) for piece in node.values if isinstance(piece, ast.Constant)
                    )
                )
    return {re.sub(r"\\(.)", r"\1", text) for text in texts}


def _is_asserted(parts: list[str], texts: set[str]) -> bool:
    return any(
        all(part in text for part in parts) or any(len(text) >= 12 and text in part for part in parts) for text in texts
    )


def test_the_words_of_every_literal_reason_stand_in_a_test() -> None:
    texts = _asserted()
    templates = _templates()
    assert len(templates) > 80
    missing = [f"{place}: {parts}" for place, parts in templates if not _is_asserted(parts, texts)]
    assert missing == [], "give each of these reasons a test that names its words"
