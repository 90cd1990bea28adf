"""The page of errors, from the classes and from real responses: ``python -m tests.docs.errors`` writes it.

A section stands for one end of ``UNAUTHORIZED_PROBLEM_BASE``: an OAuth error code, or the phrase of a status.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, abort, request

import flask_unauthorized
from flask_unauthorized import Auth, AuthError, Bearer, Digest, DPoP, Scheme, SessionCookie
from flask_unauthorized import errors as classes
from flask_unauthorized.stores.memory import MemoryStore

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
COMMAND = "python -m tests.docs.errors"
BASE = "https://docs.example.com/errors.html#"
_SHOWN = ("WWW-Authenticate", "DPoP-Nonce", "Cache-Control", "Retry-After")
_ANYTHING_RANDOM = re.compile(r'((?:nonce|opaque)="|^DPoP-Nonce: )[\w:=+/.-]+', re.MULTILINE)

_INTRODUCTION = f"""\
# Errors

Each refusal is an exception. Its class fixes the status, the OAuth error code and the text for the caller. This page
shows the response of each class. `{COMMAND}` writes it from the classes and from real responses.

Three things surprise most readers:

- **Error handlers of Flask see these errors.** `errorhandler(401)`, `errorhandler(Unauthorized)` and
  `errorhandler(AuthError)` all work. The headers survive whatever body your handler returns.
  [Recipes](../guides/recipes.md) has examples.
- **The OAuth error code is not the `error` of the JSON body.** JSON bodies name the status, for people. Problem
  details and challenges hold the code, for programs.
- **`reason` is private.** It goes to [the log](logging.md) and to the [signal](signals.md) `refused`. Callers never
  see it.

Import all classes from `flask_unauthorized`.

"""
_POINT_HERE = f"""
## Let problem details lead to this page

Clients that send `Accept: application/problem+json` get problem details (RFC 9457). Their `type` is
`UNAUTHORIZED_PROBLEM_BASE` and the anchor of the table above. Publish this page or one of your own, and end the setting
in `#`:

```python
# a part of app.py
app.config["UNAUTHORIZED_PROBLEM_BASE"] = "{BASE}"
```

A `StepUpRequired` then has the type `{BASE}insufficient_user_authentication`. Without the setting,
there is no `type`.
"""
_OWN_CLASSES = """
## Your own classes

A subclass inherits status, code, text and reason code. This one is a 403 with a text of its own. The log shows its own
reason code:

```python
from flask import Flask

from flask_unauthorized import Auth, Bearer, Forbidden

app = Flask(__name__)
auth = Auth(Bearer(lambda token: "ada" if token == "demo" else None), app=app)


class PlanTooSmall(Forbidden):
    description = "Your plan doesn't include reports."
    reason_code = "plan_too_small"


@app.get("/reports")
@auth.login_required
def reports():
    raise PlanTooSmall(reason="the plan of the account is 'free'")
```

## ConfigurationError

`ConfigurationError` isn't a refusal. It reports a mistake in the app's set-up, such as two schemes that read the same
field. `auth.check(app)`, `flask unauthorized check` and the decorators raise it. If you run none of the checks, guarded
views respond with 500 and the log has a CRITICAL record. Don't catch it: repair the set-up.
"""
_TITLES = {
    "unauthorized": "The request has no credentials that the view accepts. Send some.",
    "invalid_token": "The credentials are not valid. Get new ones.",
    "invalid_dpop_proof": "The token may be valid. Make a new DPoP proof for this request.",
    "use_dpop_nonce": "Repeat the request with a proof that holds the nonce of `DPoP-Nonce`.",
    "insufficient_user_authentication": "Let the user log in again, as `acr_values` and `max_age` ask (RFC 9470).",
    "invalid_request": "Repair the request. Other credentials don't help.",
    "forbidden": "The caller is known and lacks permission. Logging in again doesn't help.",
    "insufficient_scope": "The caller is known. Get a token with the scopes in `scope`.",
    "too-many-requests": "Wait as long as `Retry-After` says.",
    "service-unavailable": "The server can't check credentials now. Keep them, and wait as long as `Retry-After` says.",
}
"""What a client can do, by anchor."""


@dataclass(frozen=True)
class _Sent:
    """A scheme, and how a client sends credentials of it."""

    make: Callable[[Callable[..., Any]], Scheme[Any]]
    headers: dict[str, str] = field(default_factory=dict)
    log_in: bool = False


_ORIGIN = "https://shop.example"
_store = partial(MemoryStore, single_process=True)
_NOTHING = _Sent(Bearer)
_BEARER = _Sent(Bearer, {"Authorization": "Bearer demo"})
_DIGEST = _Sent(
    partial(Digest, store=_store()),
    {
        "Authorization": 'Digest username="ada", realm="shop", nonce="n", uri="/", algorithm=SHA-256, '
        f'qop=auth, nc=00000001, cnonce="c", response="{"0" * 64}"'
    },
)
_DPOP = _Sent(
    partial(DPoP, origin=_ORIGIN, nonce=True, store=_store()), {"Authorization": "DPoP demo", "DPoP": "a.b.c"}
)
_SESSION = _Sent(partial(SessionCookie, login_view="login", store=_store()), log_in=True)


@dataclass(frozen=True)
class Case:
    """How a class is shown.

    ``when``: when the extension raises it. ``write``: the line that raises it. ``where``: in which function of the app
    this line stands. ``sent``: what the client sends. ``codes``: reason codes besides that of the class.
    """

    when: str
    write: str
    where: str
    sent: _Sent = _BEARER
    codes: tuple[str, ...] = ()


CASES: dict[type[AuthError], Case] = {
    classes.Unauthorized: Case(
        "other code responds with 401: `abort(401)`, another extension", "abort(401)", "a view", codes=("refused",)
    ),
    classes.MissingCredentials: Case(
        "nothing was sent, or only credentials of schemes that the view doesn't accept", "abort_unauthorized()",
        "a view", _NOTHING,
    ),
    classes.InvalidCredentials: Case(
        "the loader returned `None` or `False`, a signature is wrong, a session has ended, or a token is for another "
        "service",
        'raise InvalidCredentials(reason="no such token")', "a loader", codes=("wrong_audience", "session_ended"),
    ),
    classes.ExpiredCredentials: Case(
        "the token or the `Identity` has expired", "raise ExpiredCredentials()", "a loader"
    ),
    classes.RevokedCredentials: Case(
        "the token was revoked, or its owner is gone (`StoredTokens`, `JWT(revoked=…)`)", "raise RevokedCredentials()",
        "a loader",
    ),
    classes.SessionStolen: Case(
        "the remember cookie of the login was used in two places. It never redirects to the login page",
        "raise SessionStolen()", "a loader", _SESSION,
    ),
    classes.StaleNonce: Case(
        "the Digest response is right, but its nonce has expired or was used. Browsers repeat without a prompt",
        "raise StaleNonce()", "`verify` of a scheme", _DIGEST, ("replayed",),
    ),
    classes.InvalidProof: Case(
        "the DPoP proof is missing, was used before, or is for another request or key",
        "raise InvalidProof()", "`verify` of a scheme", _DPOP, ("replayed",),
    ),
    classes.NonceRequired: Case(
        "`DPoP(nonce=True)` got a proof without a nonce, or with an old one",
        "raise NonceRequired()", "`verify` of a scheme", _DPOP,
    ),
    classes.StepUpRequired: Case(
        "the login is older than `max_age=`, or doesn't meet `acr=` or `amr=`",
        "raise StepUpRequired(max_age=300)", "a view", codes=("too_old", "too_weak"),
    ),
    classes.MalformedCredentials: Case(
        "`Authorization` can't be parsed, the credentials are too long, or a request has two",
        "raise MalformedCredentials()", "a view or a loader",
    ),
    classes.Forbidden: Case(
        "the caller lacks a role, or the request came over plain HTTP with `UNAUTHORIZED_REQUIRE_HTTPS`",
        'abort_forbidden("Only the author may edit this.")', "a view", codes=("role_missing", "plain_http"),
    ),
    classes.CrossSiteRequest: Case(
        "a page of another site sent a form or a script's request with the visitor's cookie or password",
        "raise CrossSiteRequest()", "a view", _SESSION,
    ),
    classes.InsufficientScope: Case(
        "the token lacks a scope of `scopes=`", 'abort_forbidden(scopes={"notes:write"})', "a view"
    ),
    classes.TooManyAttempts: Case(
        "a [throttle](../guides/throttle.md) has reached its limit", "raise TooManyAttempts(retry_after=30)",
        "a view or a loader",
    ),
    classes.AuthUnavailable: Case(
        "a key server, a database or a store doesn't respond, or the loader raised an exception of "
        "`Auth(unavailable=…)`",
        "raise AuthUnavailable(retry_after=10)", "a loader",
    ),
}  # fmt: skip


def response(kind: type[AuthError], accept: str = "application/json") -> Any:
    """Return the response to a request that is refused as the page says."""
    case = CASES[kind]
    names = {"abort": abort, **{name: getattr(flask_unauthorized, name) for name in flask_unauthorized.__all__}}
    app = Flask("shop")
    app.config.update(SECRET_KEY="a secret of thirty-two characters", UNAUTHORIZED_PROBLEM_BASE=BASE, TESTING=True)
    app.config.update(SESSION_COOKIE_SECURE=True, SESSION_COOKIE_SAMESITE="Lax")

    def load(*_: Any) -> str:
        if "loader" in case.where and request.path == "/":
            exec(case.write, names)
        return "ada"

    scheme = case.sent.make(load)
    if "scheme" in case.where:
        scheme.verify = lambda *_: exec(case.write, names)  # type: ignore[assignment, misc]
    auth: Auth[Any] = Auth(scheme, app=app, realm="shop")

    @app.get("/login")
    def login() -> str:
        auth.login("ada")
        return "logged in"

    @app.get("/")
    @auth.login_required
    def view() -> str:
        exec(case.write, names)
        return "not reached"

    client = app.test_client()
    if case.sent.log_in:
        assert client.get("/login", base_url=_ORIGIN).status_code == 200
    return client.get("/", base_url=_ORIGIN, headers={"Accept": accept, **case.sent.headers})


def anchor(kind: type[AuthError]) -> str:
    """Return what a response of the class appends to ``UNAUTHORIZED_PROBLEM_BASE``."""
    return str(response(kind, "application/problem+json").json["type"]).removeprefix(BASE)


def page() -> str:
    """Return the page as it should be."""
    by_anchor: dict[str, list[type[AuthError]]] = {}
    for kind in CASES:
        by_anchor.setdefault(anchor(kind), []).append(kind)
    parts = [_INTRODUCTION, _table(by_anchor), _POINT_HERE]
    for name, kinds in by_anchor.items():
        # GitHub and MyST keep the underscore in the anchor of a heading.
        parts.append(f"\n## {name}\n\n{_TITLES[name]}\n")
        parts += map(_section, kinds)
    return "".join([*parts, _OWN_CLASSES])


def _table(by_anchor: dict[str, list[type[AuthError]]]) -> str:
    lines = ["| anchor | status | OAuth error code | classes |", "|---|---|---|---|"]
    for name, kinds in by_anchor.items():
        links = ", ".join(f"[`{kind.__name__}`](#{kind.__name__.lower()})" for kind in kinds)
        code = f"`{kinds[0].error}`" if kinds[0].error else "none"
        lines.append(f"| [{name}](#{name}) | {_status(kinds[0])} | {code} | {links} |")
    return "\n".join(lines) + "\n"


def _section(kind: type[AuthError]) -> str:
    case = CASES[kind]
    base = next(one for one in kind.__mro__[1:] if one in CASES or one is AuthError)
    codes = ", ".join(f"`{code}`" for code in (kind.reason_code, *(c for c in case.codes if c != kind.reason_code)))
    sent = response(kind)
    headers = [f"{name}: {value}" for name in _SHOWN for value in sent.headers.getlist(name)]
    lines = _ANYTHING_RANDOM.sub(r"\1…", "\n".join(headers))
    details = json.dumps(response(kind, "application/problem+json").json, indent=2)
    return f"""
### {kind.__name__}

| | |
|---|---|
| status | {_status(kind)} |
| base class | `{base.__name__}` |
| raised when | {case.when} |
| raise it in {case.where} | `{case.write}` |
| reason codes | {codes} |

```http
HTTP/1.1 {sent.status}
{lines}

{sent.text.strip()}
```

As problem details:

```json
{details}
```
"""


def _status(kind: Any) -> str:
    return f"{kind.code} {HTTPStatus(kind.code).phrase}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
