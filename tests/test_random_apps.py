"""The four sentences of the promise, on apps and requests that nobody thought of."""

import base64
import os
import time
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Blueprint, Flask, Response, abort, after_this_request, jsonify, request
from flask.views import MethodView
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from werkzeug.exceptions import HTTPException, Unauthorized
from werkzeug.test import TestResponse

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Identity,
    InvalidCredentials,
    SessionCookie,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.testing import assert_sound

HOUR = 3600
TOO_LONG = (30 * 24 + 1) * HOUR  # for a remembered login; Flask itself reads a session for 31 days
KEY = "a secret of thirty-two characters"
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


class Store(MemoryStore):
    """A store that is down now and then."""

    is_down = False


for _name in ("_get", "_get_many", "_put", "_replace", "_claim", "_increment"):

    def _or_fail(self: Store, *args: Any, _real: Any = getattr(MemoryStore, _name)) -> Any:
        if self.is_down:
            raise ConnectionError
        return _real(self, *args)

    setattr(Store, _name, _or_fail)


class Browsers:
    """Apps in which people log in by browsers, and a clock to be moved. Each method returns cookies."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._later, real = 0, time.time
        patch.setattr(time, "time", lambda: real() + self._later)

    def log_in(self, app: Flask, name: str) -> dict[str, str]:
        return _cookies_set(app.test_client(use_cookies=False).post(f"/log-in/{name}"))

    def log_out(self, app: Flask, name: str) -> dict[str, str]:
        """What a copy holds of a login that has ended."""
        cookies = self.log_in(app, name)
        self._send(app, cookies, "/log-out")
        return cookies

    def wait(self, cookies: dict[str, str], seconds: int = 2 * HOUR) -> dict[str, str]:
        self._later += seconds
        return cookies

    def replaced(self, app: Flask, name: str, times: int, seconds: int) -> dict[str, str]:
        """A remember cookie whose secret was replaced so many times, the last time so many seconds ago."""
        first = newest = only(self.log_in(app, name), REMEMBER)
        for _ in range(times):
            self.wait({}, 2 * HOUR)
            newest = only(self._send(app, newest, "/who"), REMEMBER)
        return self.wait(first, seconds)

    def _send(self, app: Flask, cookies: dict[str, str], path: str) -> dict[str, str]:
        return _cookies_set(app.test_client(use_cookies=False).post(path, headers=cookie_field(cookies)))


SESSION, REMEMBER = "session", "session_remember"


def _cookies_set(response: Any) -> dict[str, str]:
    assert response.status_code == 200
    pairs = (line.partition(";")[0].partition("=") for line in response.headers.getlist("Set-Cookie"))
    return {name: value for name, _, value in pairs}


def cookie_field(cookies: dict[str, str]) -> dict[str, str]:
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}


def only(cookies: dict[str, str], name: str) -> dict[str, str]:
    return {name: cookies[name]}


def cut(cookies: dict[str, str]) -> dict[str, str]:
    return {name: value[:-1] for name, value in cookies.items()}


def guessed(cookies: dict[str, str]) -> dict[str, str]:
    """Cookies with another secret of the same series, which was never sent."""
    return {name: value[:-22] + "a" * 22 for name, value in cookies.items()}


# Which cookies a browser sends, and what they are. The arguments: browsers, the app, another app of the host, a name.
NAMED = "whose name it is"
Cookies = Callable[[Browsers, Flask, Flask, str], dict[str, str]]
SENT_COOKIES: dict[str, tuple[Cookies, str | None]] = {
    "session": (lambda b, app, _, name: only(b.log_in(app, name), SESSION), NAMED),
    "remember": (lambda b, app, _, name: only(b.log_in(app, name), REMEMBER), NAMED),
    "both": (lambda b, app, _, name: b.log_in(app, name), NAMED),
    "idle session": (lambda b, app, _, name: b.wait(only(b.log_in(app, name), SESSION)), None),
    "idle session, remember": (lambda b, app, _, name: b.wait(b.log_in(app, name)), NAMED),
    "cut session": (lambda b, app, _, name: cut(only(b.log_in(app, name), SESSION)), None),
    "cut session, remember": (
        lambda b, app, _, name: (found := b.log_in(app, name)) | cut(only(found, SESSION)),
        NAMED,
    ),
    "cut remember": (lambda b, app, _, name: cut(only(b.log_in(app, name), REMEMBER)), None),
    "session, cut remember": (
        lambda b, app, _, name: (found := b.log_in(app, name)) | cut(only(found, REMEMBER)),
        NAMED,
    ),
    "too old": (lambda b, app, _, name: b.wait(b.log_in(app, name), TOO_LONG), "bad"),
    "too old session": (lambda b, app, _, name: b.wait(only(b.log_in(app, name), SESSION), TOO_LONG), None),
    "ended session": (lambda b, app, _, name: only(b.log_out(app, name), SESSION), "bad"),
    "ended remember": (lambda b, app, _, name: only(b.log_out(app, name), REMEMBER), "bad"),
    "ended": (lambda b, app, _, name: b.log_out(app, name), "bad"),
    "lost answer": (lambda b, app, _, name: b.replaced(app, name, 1, HOUR), NAMED),
    "restored tab": (lambda b, app, _, name: b.replaced(app, name, 2, 29), NAMED),
    "stolen": (lambda b, app, _, name: b.replaced(app, name, 2, 31), "bad"),
    "guessed": (lambda b, app, _, name: guessed(only(b.log_in(app, name), REMEMBER)), "bad"),
    "another realm": (lambda b, _, other, name: b.log_in(other, name), None),
    "remember of another realm": (lambda b, _, other, name: only(b.log_in(other, name), REMEMBER), None),
    "session of another realm, remember": (
        lambda b, app, other, name: b.log_in(app, name) | only(b.log_in(other, name), SESSION),
        NAMED,
    ),
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
    "sets a field": lambda app: app.after_request(lambda answer: answer.headers.set("X-Of-The-App", "1") or answer),
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


def remembering(store: Store) -> SessionCookie:
    return SessionCookie(CALLERS.get, store=store, lifetime=12 * HOUR, idle=HOUR, remember=30 * 24 * HOUR)


def with_logins(app: Flask, auth: Auth[Any]) -> Flask:
    """Let people log in and out, and open a session by their remember cookie."""

    @app.post("/log-in/<name>")
    @auth.public
    def log_in(name: str) -> str:
        return str(auth.login(name, remember=True).subject)

    @app.post("/log-out")
    @auth.public
    def log_out() -> str:
        auth.logout()
        return "out"

    @app.post("/who")
    @auth.public
    def who() -> str:
        return str(auth.get_identity())

    return app


class Promise(RuleBasedStateMachine):
    """Builds an app piece by piece, then asks it."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()

    def teardown(self) -> None:
        self.patch.undo()

    @initialize(
        outer=st.sampled_from(("none", "required", "scope")),
        explain=st.booleans(),
        strict=st.booleans(),
        remembers=st.booleans(),
    )
    def start(self, outer: str, explain: bool, strict: bool, remembers: bool) -> None:
        self.store, self.remembers = Store(), remembers
        schemes: list[Any] = [Bearer(load), Basic(load_password), APIKey(load)]
        if remembers:
            schemes.append(remembering(self.store))
        self.schemes = {scheme.name for scheme in schemes}
        self.auth = Auth(*schemes, realm="r", unavailable=(ConnectionError,))
        self.app = Flask("random")
        self.app.config.update(UNAUTHORIZED_EXPLAIN=explain, TESTING=strict, PROPAGATE_EXCEPTIONS=False, SECRET_KEY=KEY)
        self.auth.init_app(self.app)
        if remembers:
            with_logins(self.app, self.auth)
            self.browsers = Browsers(self.patch)
            of_others = Auth(remembering(self.store), realm="other")
            self.other = Flask("other")
            self.other.config["SECRET_KEY"] = KEY
            of_others.init_app(self.other)
            with_logins(self.other, of_others)
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
    @rule(get=st.sampled_from(GUARDS), post=st.sampled_from(GUARDS), deed=st.sampled_from(sorted(DEEDS)))
    def add_class(self, get: str, post: str, deed: str) -> None:
        """A class view whose methods have guards of their own. A route of `routes` is a path, or a path and POST."""
        path = f"/{len(self.routes)}"

        def method(route: str, guard: str) -> Any:
            def view(_self: MethodView) -> Any:
                self.entered.append(route)
                return DEEDS[deed][0]()

            self.routes[route] = [self.outer, guard], deed
            return guarded(self.auth, guard, view)

        members = {"get": method(path, get), "post": method(f"{path} POST", post)}
        self.app.add_url_rule(path, view_func=type("Class", (MethodView,), members).as_view(f"class{path[1:]}"))

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
        headers, caller = SENT[sent]
        self._ask(data.draw(st.sampled_from(sorted(self.routes))), method, headers, caller, stopped)

    @precondition(lambda self: self.routes and self.remembers)
    @rule(
        data=st.data(),
        cookies=st.sampled_from(sorted(SENT_COOKIES)),
        name=st.sampled_from(sorted(CALLERS)),
        beside=st.sampled_from((*["nothing"] * 5, *sorted(SENT))),
        down_first=st.booleans(),
        stopped=st.booleans(),
        method=st.sampled_from(("GET", "HEAD")),
    )
    def ask_with_cookies(
        self, data: st.DataObject, cookies: str, name: str, beside: str, down_first: bool, stopped: bool, method: str
    ) -> None:
        """A browser asks twice with the same cookies, as restored tabs do, maybe after an outage of the store."""
        path = data.draw(st.sampled_from(sorted(self.routes)))
        self._ask_twice(path, cookies, name, beside, down_first, stopped, method)

    def _ask_twice(
        self, path: str, cookies: str, name: str, beside: str, down_first: bool, stopped: bool, method: str
    ) -> None:
        make, kind = SENT_COOKIES[cookies]
        found = make(self.browsers, self.app, self.other, name)
        headers, caller = SENT[beside]
        decides = caller is None  # Credentials that a program sends on purpose decide alone.
        if decides:
            caller = name if kind == NAMED else kind
        answers = []
        for is_down in (True, False, False) if down_first else (False, False):
            self.store.is_down = is_down
            judged_as = "down" if is_down and decides and caller is not None else caller
            response = self._ask(path, method, {**headers, **cookie_field(found)}, judged_as, stopped)
            self.store.is_down = False
            changes = {line.partition("=")[0] for line in response.headers.getlist("Set-Cookie")}
            assert len(changes) == len(response.headers.getlist("Set-Cookie"))
            assert changes <= {SESSION, REMEMBER}
            is_set = [line for line in response.headers.getlist("Set-Cookie") if "Max-Age=0" not in line]
            if is_set:  # A cookie that is only deleted says nothing of anybody.
                assert {"no-store", "private"} & set(response.headers["Cache-Control"].split(", "))
            if REMEMBER in changes:
                assert response.headers["Cache-Control"] == "no-store"
            if judged_as == "down":
                assert REMEMBER not in changes  # An outage logs nobody out. A session that is too old goes.
            if not decides:
                assert not changes  # A token asks for no session.
            if not is_down:
                answers.append((response.status, response.headers.getlist("WWW-Authenticate"), response.data, changes))
        first, second = answers
        assert second[:3] == first[:3]
        # What is of no use is dropped each time. A secret is replaced once: a repetition gets the same session, which
        # is sent again only in place of one that is too old.
        assert (second[3] == first[3]) if caller in (None, "bad") else (second[3] <= first[3] - {REMEMBER})

    def _ask(self, route: str, method: str, headers: dict[str, str], caller: str | None, stopped: bool) -> TestResponse:
        self.served = True
        guards, deed = self.routes[route]
        path, _, own = route.partition(" ")
        stopped = stopped and "asks before" in self.hooks
        self.entered.clear()
        with self.app.test_client(use_cookies=False) as client:
            response = client.open(
                path, method=own or method, headers={**headers, **({"X-Ask": "1"} if stopped else {})}
            )
        # 1. No 401 leaves without a well-formed challenge of a scheme in force.
        challenges = assert_sound(response, secrets=["nobody"])
        assert {challenge.scheme for challenge in challenges} <= self.schemes
        refused = judged(guards, caller)
        if stopped:
            # protect() judges before the app's own hook, a decorator after it.
            assert response.status_code in (401, refused)
            assert self.entered == []
            return response
        # 4. The view ran exactly where the demands were met.
        assert self.entered == ([route] if refused is None else [])
        # 2. and 3. Who should log in, who is not allowed, and a server-side failure are distinguished.
        expected = reached(deed, caller) if refused is None else refused
        is_replaced = expected == 404 and "turns 404 into 401" in self.hooks  # by a response without other fields
        assert response.status_code == (401 if is_replaced else expected)
        # What other hooks of the app say stays.
        if not is_replaced:
            assert ("X-Of-The-App" in response.headers) == ("sets a field" in self.hooks)
        return response


@pytest.mark.parametrize("down_first", [False, True])
@pytest.mark.parametrize("cookies", sorted(SENT_COOKIES))
def test_each_kind_of_cookies_on_each_kind_of_view(cookies: str, down_first: bool) -> None:
    """Random apps meet few of these combinations in a short run, so each one is tried once."""
    machine = Promise()
    try:
        machine.start(outer="none", explain=False, strict=True, remembers=True)
        for guard in GUARDS:
            machine.add_route(guard=guard, deed="fine", within=None)
        for hook in ("lets caches keep it", "sets a field"):
            machine.add_hook(name=hook)
        for path in machine.routes:
            for name in CALLERS:
                machine._ask_twice(path, cookies, name, "nothing", down_first, False, "GET")
    finally:
        machine.teardown()


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
