"""The four sentences of the promise, on apps and requests that nobody thought of."""

import base64
import os
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Blueprint, Flask, Response, abort, after_this_request, jsonify, request
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from werkzeug.exceptions import HTTPException, Unauthorized

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Identity,
    InvalidCredentials,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.testing import assert_sound

CALLERS = {"plain": Identity("p"), "scoped": Identity("s", scopes={"a"}), "admin": Identity("r", roles={"admin"})}


def load(secret: str) -> Identity | None:
    if secret == "down":
        raise ConnectionError
    return CALLERS.get(secret)


def load_password(name: str, password: str) -> Identity | None:
    return load(password)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


# What is sent, and what it is: a caller, None for nothing, "bad", "down" (a server-side failure) or "broken" (syntax).
SENT: dict[str, tuple[dict[str, str], str | None]] = {
    "nothing": ({}, None),
    "another scheme": ({"Authorization": "Negotiate YII="}, None),
    "wrong token": ({"Authorization": "Bearer nobody"}, "bad"),
    "wrong password": ({"Authorization": basic("x", "nobody")}, "bad"),
    "wrong key": ({"X-API-Key": "nobody"}, "bad"),
    "broken token": ({"Authorization": "Bearer a b"}, "broken"),
    "two at once": ({"Authorization": "Bearer plain", "X-API-Key": "plain"}, "broken"),
    "token, down": ({"Authorization": "Bearer down"}, "down"),
    "password, down": ({"Authorization": basic("x", "down")}, "down"),
    **{f"token of {name}": ({"Authorization": f"bearer {name}"}, name) for name in CALLERS},
    **{f"password of {name}": ({"Authorization": basic("x", name)}, name) for name in CALLERS},
    **{f"key of {name}": ({"X-Api-Key": name}, name) for name in CALLERS},
}
GUARDS = ("none", "required", "optional", "public", "scope", "role")
# What a view does once it runs, with the status that it means.
DEEDS: dict[str, tuple[Any, int]] = {
    "fine": (lambda: "fine", 200),
    "abort(401)": (lambda: abort(401), 401),
    "an empty 401": (lambda: ("", 401), 401),
    "a prepared 401": (lambda: Response("no", 401), 401),
    "a 401 with a broken challenge": (lambda: ("", 401, {"WWW-Authenticate": 'Bearer realm="'}), 401),
    "a returned exception": (lambda: Unauthorized(), 401),
    "a streamed 401": (lambda: Response(iter(["n", "o"]), 401), 401),
    "abort_unauthorized": (lambda: abort_unauthorized("again"), 401),
    "raises ours": (lambda: (_ for _ in ()).throw(InvalidCredentials("own words")), 401),
    "after_this_request": (lambda: after_this_request(lambda response: Response("late", 401)) and "early", 401),
    "abort(403)": (lambda: abort(403), 403),
    "abort_forbidden": (lambda: abort_forbidden("not yours"), 403),
    "abort(404)": (lambda: abort(404), 404),
}
HANDLERS: dict[str, tuple[Any, Any]] = {
    "a JSON handler for all": (HTTPException, lambda error: (jsonify(code=error.code), error.code)),
    "a handler for 401": (401, lambda error: ("own page", 401)),
    "a handler for 403": (403, lambda error: Response("own page", 403)),
    "a handler that hands on": (401, lambda error: error),
    "a handler for every error": (Exception, lambda error: ("oops", getattr(error, "code", 500))),
}
HOOKS: dict[str, Any] = {
    "drops challenges": lambda app: app.after_request(
        lambda answer: answer.headers.remove("WWW-Authenticate") or answer
    ),
    "allows another origin": lambda app: app.after_request(
        lambda answer: answer.headers.set("Access-Control-Allow-Origin", "*") or answer
    ),
    "lets caches keep it": lambda app: app.after_request(
        lambda answer: answer.headers.set("Cache-Control", "public, max-age=60") or answer
    ),
    "asks before": lambda app: app.before_request(lambda: ("", 401) if "X-Ask" in request.headers else None),
    "turns 404 into 401": lambda app: app.after_request(
        lambda answer: Response("who?", 401) if answer.status_code == 404 else answer
    ),
}


def judged(guards: list[str], sent: str | None) -> int | None:
    """The status that the demands lead to, by the design's decision table; ``None`` where the view may run."""
    if "public" in guards or set(guards) == {"none"}:
        return None
    if sent is None:
        return None if guards[-1] == "optional" else 401
    if sent in ("bad", "down", "broken"):
        return {"bad": 401, "down": 503, "broken": 400}[sent]
    if ("scope" in guards and sent != "scoped") or ("role" in guards and sent != "admin"):
        return 403
    return None


def reached(deed: str, sent: str | None) -> int:
    """The status that a view means once it runs."""
    if deed == "abort_forbidden":
        # Who isn't known has to log in first; a route that nobody judged is judged now.
        return {None: 401, "bad": 401, "down": 503, "broken": 400}.get(sent, 403)
    if deed == "abort_unauthorized" and sent in ("broken", "down"):
        # It says 401, but credentials that nobody can read or verify are told apart first.
        return {"broken": 400, "down": 503}[sent]
    return DEEDS[deed][1]


def guarded(auth: Auth[Any], guard: str, view: Any) -> Any:
    decorators = {
        "required": auth.login_required,
        "optional": auth.login_optional,
        "public": auth.public,
        "scope": auth.login_required(scopes={"a"}),
        "role": auth.login_required(roles={"admin"}),
    }
    return view if guard == "none" else decorators[guard](view)


class Promise(RuleBasedStateMachine):
    """Builds an app piece by piece, then asks it."""

    @initialize(outer=st.sampled_from(("none", "required", "scope")), explain=st.booleans(), strict=st.booleans())
    def start(self, outer: str, explain: bool, strict: bool) -> None:
        self.auth = Auth(Bearer(load), Basic(load_password), APIKey(load), realm="r", unavailable=(ConnectionError,))
        self.app = Flask("random")
        self.app.config.update(UNAUTHORIZED_EXPLAIN=explain, TESTING=strict, PROPAGATE_EXCEPTIONS=False)
        self.auth.init_app(self.app)
        self.routes: dict[str, tuple[list[str], str]] = {}
        self.hooks: set[str] = set()
        self.entered: list[str] = []
        self.served = False
        self.outer = outer
        if outer != "none":
            self.auth.protect(self.app, public={"static"}, **({"scopes": {"a"}} if outer == "scope" else {}))

    @precondition(lambda self: not self.served)
    @rule(
        guard=st.sampled_from(GUARDS), deed=st.sampled_from(sorted(DEEDS)), within=st.sampled_from((None, False, True))
    )
    def add_route(self, guard: str, deed: str, within: bool | None) -> None:
        """A view in the app, in an open blueprint or in a protected one."""
        path = f"/{len(self.routes)}"

        def view() -> Any:
            self.entered.append(path)
            return DEEDS[deed][0]()

        guards = [self.outer, "required" if within else "none", guard]
        target: Flask | Blueprint = self.app if within is None else Blueprint(f"part{path[1:]}", __name__)
        if within:
            self.auth.protect(target)
        target.add_url_rule(path, f"view{path[1:]}", guarded(self.auth, guard, view))
        if isinstance(target, Blueprint):
            self.app.register_blueprint(target)
        self.routes[path] = guards, deed

    @precondition(lambda self: not self.served)
    @rule(name=st.sampled_from(sorted(HANDLERS)))
    def add_handler(self, name: str) -> None:
        self.app.register_error_handler(*HANDLERS[name])

    @precondition(lambda self: not self.served)
    @rule(name=st.sampled_from(sorted(HOOKS)))
    def add_hook(self, name: str) -> None:
        self.hooks.add(name)
        HOOKS[name](self.app)

    @precondition(lambda self: self.routes)
    @rule(
        data=st.data(),
        sent=st.sampled_from(sorted(SENT)),
        stopped=st.booleans(),
        method=st.sampled_from(("GET", "HEAD")),
    )
    def ask(self, data: st.DataObject, sent: str, stopped: bool, method: str) -> None:
        self.served = True
        path = data.draw(st.sampled_from(sorted(self.routes)))
        guards, deed = self.routes[path]
        headers, caller = SENT[sent]
        stopped = stopped and "asks before" in self.hooks
        self.entered.clear()
        with self.app.test_client() as client:
            response = client.open(path, method=method, headers={**headers, **({"X-Ask": "1"} if stopped else {})})
        # 1. No 401 leaves without a well-formed challenge of a scheme in force.
        challenges = assert_sound(response, secrets=["nobody"])
        assert {challenge.scheme for challenge in challenges} <= {"Bearer", "Basic", "ApiKey"}
        refused = judged(guards, caller)
        if stopped:
            # protect() judges before the app's own hook, a decorator after it.
            assert response.status_code in (401, refused)
            assert self.entered == []
            return
        # 4. The view ran exactly where the demands were met.
        assert self.entered == ([path] if refused is None else [])
        # 2. and 3. Who should log in, who is not allowed, and a server-side failure are distinguished.
        expected = reached(deed, caller) if refused is None else refused
        if expected == 404 and "turns 404 into 401" in self.hooks:
            expected = 401
        assert response.status_code == expected


# The same examples on each run, so that a failure is never flaky. CI also runs new ones each time (T-05):
# RANDOM_APPS=500 python -m pytest tests/test_random_apps.py, and a failure prints how to reproduce it.
_RANDOM = int(os.environ.get("RANDOM_APPS", "0"))
Promise.TestCase.settings = settings(
    max_examples=_RANDOM or 150,
    stateful_step_count=14,
    deadline=None,
    derandomize=not _RANDOM,
    print_blob=bool(_RANDOM),
)
TestThePromise = pytest.mark.rfc("H-01", "H-02")(Promise.TestCase)
