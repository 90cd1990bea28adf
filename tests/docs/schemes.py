"""``python -m tests.docs.schemes`` writes the generated parts of docs/reference/schemes.md.

Each part stands between two comments. It has the arguments of a scheme, from its signature and its docstring, and the
responses to one request for each case, from an app that is made here. With ``--check`` the command only says whether
the page is stale.
"""

import base64
import inspect
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from flask import Flask

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Digest,
    DPoP,
    ExpiredCredentials,
    Identity,
    RevokedCredentials,
    SessionCookie,
    TooManyAttempts,
)
from flask_unauthorized.arguments import Omitted
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.testing import assert_sound
from tests.digest_client import challenge, sent
from tests.dpop_client import Holder

from .pages import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "schemes.md"
COMMAND: Final = "python -m tests.docs.schemes"
REALM: Final = "notes"
MARKED: Final = re.compile(r"(<!-- (\w+) (\w+): written by [^>]* -->\n).*?(<!-- end -->)", re.DOTALL)
VALID: Final = "valid"
NAVIGATION: Final = {
    "Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none",
}  # fmt: skip
CROSS_SITE: Final = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Origin": "https://other.example"}
_OUTCOMES: Final[dict[str, Callable[[], Exception]]] = {
    "expired": ExpiredCredentials,
    "revoked": RevokedCredentials,
    "guessed": lambda: TooManyAttempts(retry_after=30),
    "unavailable": AuthUnavailable,
}
Row = tuple[str, Any]  # the case, and the response
HOLDER: Final = Holder("EdDSA")


def outcome(credential: str, **more: Any) -> Identity | None:
    """Return or raise what a loader would for a credential of this name."""
    if credential in _OUTCOMES:
        raise _OUTCOMES[credential]()
    if credential != VALID:
        return None
    return Identity("ada", scopes={"notes:read"}, auth_time=time.time() - 3600, **more)


def app_with(scheme: Any) -> Flask:
    """Return an app with a view for each demand."""
    app = Flask(REALM)
    app.config.update(SECRET_KEY="a secret of thirty-two characters", SESSION_COOKIE_SAMESITE="Lax", TESTING=True)
    auth: Auth[Any] = Auth(scheme, realm=REALM, app=app)
    demands: dict[str, dict[str, Any]] = {
        "": {}, "fresh": {"max_age": 300}, "strong": {"acr": "mfa"}, "write": {"scopes": {"notes:write"}},
        "admin": {"roles": {"admin"}},
    }  # fmt: skip
    for path, demand in demands.items():
        view = auth.login_required(**demand)(lambda: "the notes")
        app.add_url_rule(f"/{path}", path or "notes", view, methods=["GET", "POST"])
    app.add_url_rule("/login", "login", auth.public(lambda: str(auth.login("ada", auth_time=time.time() - 3600))))
    return app


def demands(client: Any, sent: Callable[[str], dict[str, Any]]) -> Iterator[Row]:
    """Yield the rows of what a view demands. ``sent`` returns what a request to a path sends."""
    for case, path in (
        ("valid, but the login is too old (`max_age=300`)", "/fresh"),
        ('valid, but the login is too weak (`acr="mfa"`)', "/strong"),
        ('valid, but a scope is missing (`scopes={"notes:write"}`)', "/write"),
        ('valid, but a role is missing (`roles={"admin"}`)', "/admin"),
    ):
        yield case, client.get(path, **sent(path))


def failures(client: Any, send: Callable[[str], dict[str, Any]]) -> Iterator[Row]:
    """Yield the rows of what a loader returns or raises. ``send`` returns what a request sends for a credential."""
    yield "unknown: the loader returned `None`", client.get("/", **send("unknown"))
    yield "the loader raised `ExpiredCredentials`", client.get("/", **send("expired"))
    yield "the loader raised `RevokedCredentials`", client.get("/", **send("revoked"))


def waits(client: Any, send: Callable[[str], dict[str, Any]]) -> Iterator[Row]:
    yield "too many attempts: `TooManyAttempts(retry_after=30)`", client.get("/", **send("guessed"))
    yield "a server-side failure: `AuthUnavailable()`", client.get("/", **send("unavailable"))


def simple(scheme: Any, send: Callable[[str], dict[str, Any]], malformed: tuple[str, dict[str, Any]]) -> Iterator[Row]:
    """Yield the rows of a scheme whose loader gets all that was sent."""
    client = app_with(scheme).test_client()
    yield "nothing was sent", client.get("/")
    yield from failures(client, send)
    yield from demands(client, lambda path: send(VALID))
    yield malformed[0], client.get("/", **malformed[1])
    yield from waits(client, send)


def authorization(value: str) -> dict[str, Any]:
    return {"headers": {"Authorization": value}}


def bearer() -> Iterator[Row]:
    def load(token: str) -> Identity | None:
        return Identity("ada", confirmation={"jkt": HOLDER.jkt}) if token == "bound" else outcome(token)

    scheme = Bearer(load)
    malformed = ("malformed: `Authorization: Bearer a b`", authorization("Bearer a b"))
    yield from simple(scheme, lambda token: authorization(f"Bearer {token}"), malformed)
    bound = app_with(Bearer(load)).test_client().get("/", **authorization("Bearer bound"))
    yield "the token is bound to a key, and must come as `DPoP`", bound


def basic() -> Iterator[Row]:
    def send(password: str) -> dict[str, Any]:
        return authorization("Basic " + base64.b64encode(f"ada:{password}".encode()).decode())

    malformed = ("malformed: two values, joined by a comma", authorization("Basic YTpi, Basic YTpi"))
    yield from simple(Basic(lambda name, password: outcome(password)), send, malformed)


def api_key() -> Iterator[Row]:
    malformed = ("malformed: two keys, joined by a comma", {"headers": {"X-API-Key": "a, b"}})
    yield from simple(APIKey(outcome), lambda key: {"headers": {"X-API-Key": key}}, malformed)
    client = app_with(APIKey(outcome, query="key")).test_client()
    yield 'nothing was sent, with `query="key"`', client.get("/")
    client = app_with(APIKey(outcome, cookie="key")).test_client()
    yield 'nothing was sent, with `cookie="key"`', client.get("/")
    client.set_cookie("key", VALID)
    yield 'with `cookie="key"`, a page of another site sent a POST', client.post("/", headers=CROSS_SITE)


def remote_user() -> Iterator[Row]:
    def send(name: str) -> dict[str, Any]:
        return {"environ_overrides": {"REMOTE_USER": name}}

    scheme = RemoteUser(outcome)
    yield from simple(scheme, send, ("malformed: the name has a control character", send("a\x00b")))
    client = app_with(RemoteUser(outcome, challenge="Negotiate")).test_client()
    yield 'nothing was sent, with `challenge="Negotiate"`', client.get("/")


def digest() -> Iterator[Row]:
    def secret_of(name: str) -> Any:
        who = outcome(VALID if name == "ada" else name)
        return None if who is None else ("correct horse", who)

    client = app_with(Digest(secret_of)).test_client()

    def response_of(name: str = "ada", path: str = "/", password: str = "correct horse") -> dict[str, Any]:
        told = challenge(client.get(path).headers["WWW-Authenticate"])
        return {"headers": sent(told, name=name, password=password, uri=path)}

    once = response_of()
    client.get("/", **once)
    yield "nothing was sent", client.get("/")
    yield "the name is unknown, or the password is wrong", client.get("/", **response_of(password="wrong"))
    yield "the nonce has expired, or its count was used before", client.get("/", **once)
    yield from demands(client, lambda path: response_of(path=path))
    yield "malformed: `Authorization: Digest abc`", client.get("/", **authorization("Digest abc"))
    yield from waits(client, response_of)
    both = app_with(Digest(secret_of, algorithms=("SHA-256", "MD5"), qop=("auth", "auth-int"))).test_client()
    yield 'nothing was sent, with `algorithms=("SHA-256", "MD5")` and `qop=("auth", "auth-int")`', both.get("/")


def dpop() -> Iterator[Row]:
    def load(token: str) -> Identity | None:
        return outcome(token, confirmation={"jkt": HOLDER.jkt})

    def send(token: str, path: str = "/", **claims: Any) -> dict[str, Any]:
        return {"headers": HOLDER.sent(token=token, path=path, **claims)}

    origin = "https://api.example.com"
    client = app_with(DPoP(load, origin=origin)).test_client()
    yield "nothing was sent", client.get("/")
    yield from failures(client, send)
    yield "the proof is missing", client.get("/", **authorization(f"DPoP {VALID}"))
    used = send(VALID)
    client.get("/", **used)
    yield "the proof was used before, is too old, or is for another request", client.get("/", **used)
    with_nonces = app_with(DPoP(load, origin=origin, nonce=True)).test_client()
    yield "with `nonce=True`, the proof has no nonce", with_nonces.get("/", **send(VALID))
    yield from demands(client, lambda path: send(VALID, path))
    yield "malformed: `Authorization: DPoP a b`", client.get("/", **authorization("DPoP a b"))
    yield from waits(client, send)


def session_cookie() -> Iterator[Row]:
    def client_of(**options: Any) -> Any:
        options = {"login_view": "login", "store": None, **options}
        return app_with(SessionCookie(load, **options)).test_client()

    down = []

    def load(subject: str) -> Identity | None:
        return outcome("unavailable" if down else VALID)

    client = client_of()
    yield "nothing was sent, or the session has ended; a program asks", client.get("/")
    yield "the same; a browser opens a page", client.get("/", headers=NAVIGATION)
    yield "the same, without `login_view=`", client_of(login_view=None).get("/", headers=NAVIGATION)
    client.get("/login")
    for case, response in demands(client, lambda path: {}):
        yield f"{case}; a program asks", response
    yield "the login is too old; a browser opens a page", client.get("/fresh", headers=NAVIGATION)
    yield "a page of another site sent a POST", client.post("/", headers=CROSS_SITE)
    down.append(True)
    yield "a server-side failure: `AuthUnavailable()`", client.get("/")


CASES: Final[dict[str, tuple[Any, Callable[[], Iterator[Row]]]]] = {
    "Bearer": (Bearer, bearer),
    "DPoP": (DPoP, dpop),
    "APIKey": (APIKey, api_key),
    "Basic": (Basic, basic),
    "Digest": (Digest, digest),
    "SessionCookie": (SessionCookie, session_cookie),
    "RemoteUser": (RemoteUser, remote_user),
}
SHOWN_FIELDS: Final = ("WWW-Authenticate", "DPoP-Nonce", "Retry-After", "Location")


NONCE: Final = re.compile(r'(?<= nonce=")[^"]*|(?<=DPoP-Nonce: ).*')


def shown(response: Any) -> str:
    """Return the last two columns for a response. What differs in each response is ``…``."""
    assert_sound(response)
    lines = [f"{name}: {value}" for name in SHOWN_FIELDS for value in response.headers.getlist(name)]
    fields = "<br>".join("`" + NONCE.sub("…", line) + "`" for line in lines)
    return f"{response.status_code} | {fields or 'none of these'}"


def responses(name: str) -> str:
    """Return the table of what a scheme responds with. Cases with the same response share a row."""
    cases: dict[str, list[str]] = {}
    for case, response in CASES[name][1]():
        cases.setdefault(shown(response), []).append(case)
    rows = [f"| {'<br>'.join(names)} | {columns} |" for columns, names in cases.items()]
    return "\n".join(["| case | status | fields |", "|---|---|---|", *rows]) + "\n"


def arguments(name: str) -> str:
    """Return the table of a scheme's arguments, from its signature and the first sentences of its docstring."""
    kind = CASES[name][0]
    text = inspect.cleandoc(kind.__doc__).partition("\nArgs:\n")[2].partition("\n\n")[0]
    meanings = {}
    for found in re.finditer(r"^    \*?(\w+): (.*?)(?=^    \S|\Z)", text + "\n", re.DOTALL | re.MULTILINE):
        first, *others = re.split(r"(?<=\.) (?=[A-Z`])", " ".join(found[2].split()))
        said = " ".join([first, *(sentence for sentence in others if sentence.startswith("Default"))])
        meanings[found[1]] = said.replace("``", "`").replace("|", "\\|")
    rows = ["| argument | default | meaning |", "|---|---|---|"]
    for argument in list(inspect.signature(kind).parameters.values()):
        star = "*" if argument.kind is argument.VAR_POSITIONAL else ""
        equals = "=" if argument.kind is argument.KEYWORD_ONLY else ""
        has_default = argument.default is not argument.empty
        default = f"`{shown_default(argument.default)}`" if has_default else "" if star else "required"
        rows.append(f"| `{star}{argument.name}{equals}` | {default} | {meanings[argument.name]} |")
    return "\n".join(rows) + "\n"


def shown_default(value: Any) -> str:
    """Return a default as a developer would write it."""
    if isinstance(value, Omitted):
        return "not set"
    return f"{{{', '.join(map(repr, sorted(value)))}}}" if isinstance(value, frozenset) else repr(value)


def current() -> str:
    """Return the page with its generated parts made anew."""
    makers = {"arguments": arguments, "responses": responses}
    text = PAGE.read_text(encoding="utf-8")
    return MARKED.sub(lambda found: f"{found[1]}\n{makers[found[3]](found[2])}\n{found[4]}", text)


def main() -> str | None:
    """What is wrong, for `sys.exit`."""
    text = current()
    if "--check" in sys.argv[1:]:
        return None if text == PAGE.read_text(encoding="utf-8") else f"{PAGE.name} is stale: run {COMMAND}"
    PAGE.write_text(text, encoding="utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
