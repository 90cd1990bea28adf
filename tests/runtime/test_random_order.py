"""Late judgment and order on random apps: the n-th request equals the first, and nothing of a guarded view leaks.

Each app has routes with decorators of other kinds above and below the guard, hooks that answer, error handlers,
`protect`, blueprints with hooks, class views with guarded methods and optional views. A second, freshly made app serves
as the reference: whatever a request gets there as the very first one, it must get in an app that has served others.
Nothing in the apps is meant to depend on history but the caches, which is why the reference looks at what leaked, too.
"""

import functools
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import hypothesis.strategies as st
import pytest
from flask import Blueprint, Flask, Response, jsonify, make_response, redirect, request
from flask.views import MethodView
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from flask_unauthorized import Auth, AuthError, Bearer, Identity
from flask_unauthorized.testing import assert_sound

CALLERS = {"plain": Identity("p"), "admin": Identity("a", roles={"admin"})}
SENT = {"nothing": None, "wrong": "nobody", "plain": "plain", "admin": "admin", "broken": "a b"}
GUARDS = ("required", "optional", "role", "two")
INNER = ("none", "limits", "stamps")
OUTER = ("none", "caches", "validates", "limits", "redirects", "stale", "swallows", "passes", "conditional")
KINDS = ("function", "class view", "method", "other method")
WITHIN = ("app", "blueprint", "protected blueprint")
HOOKS = ("none", "maintenance", "health")
HANDLERS = ("none", "envelope", "page", "hides")


class Spec:
    """What one route is made of."""

    def __init__(self, kind: str, guard: str, outer: str, inner: str, within: str) -> None:
        self.kind, self.guard, self.outer, self.inner, self.within = kind, guard, outer, inner, within

    def __repr__(self) -> str:
        return f"Spec{tuple(vars(self).values())}"


def text_of(answer: Any) -> str:
    return make_response(answer).get_data(as_text=True)


def caches(run: Any, kept: dict[str, Any], key: str) -> Any:
    if key not in kept:
        found = make_response(run())
        if found.status_code not in (200, 304):
            return found
        kept[key] = text_of(found)
    return kept[key]


def stale(run: Any, kept: dict[str, Any], key: str) -> Any:
    try:
        kept[key] = text_of(run())
    except AuthError:
        if key not in kept:
            raise
    return kept[key]


def swallows(run: Any, kept: dict[str, Any], key: str) -> Any:
    try:
        return run()
    except AuthError:
        return "a teaser"


def stamps(run: Any, kept: dict[str, Any], key: str) -> Any:
    answer = make_response(run())
    answer.headers["X-Stamp"] = "inner"
    return answer


def unless(queried: str, answer: Any) -> Any:
    """A decorator that answers by itself where the query says so."""
    return lambda run, kept, key: answer() if queried in request.args else run()


# Decorators of other kinds, as apps have them: the rest of the chain, what is kept over requests, and under which key.
DECORATORS: dict[str, Any] = {
    "none": lambda run, kept, key: run(),
    "passes": lambda run, kept, key: run(),
    "caches": caches,
    "stale": stale,
    "swallows": swallows,
    "stamps": stamps,
    "validates": lambda run, kept, key: run() if "n" in request.args else ({"error": "n is missing"}, 422),
    "limits": unless("often", lambda: ("slow down", 429)),
    "redirects": unless("old", lambda: redirect("/elsewhere")),
    "conditional": lambda run, kept, key: (
        Response(status=304) if request.headers.get("If-None-Match") == '"1"' else run()
    ),
}


def decorate(name: str, view: Any, kept: dict[str, Any], path: str) -> Any:
    if name == "none":
        return view

    @functools.wraps(view)
    def run(*args: Any, **kwargs: Any) -> Any:
        return DECORATORS[name](
            lambda: view(*args, **kwargs), kept, f"{path} {request.method} {request.query_string!r}"
        )

    return run


class Built:
    """One app of the random shape."""

    def __init__(self, specs: list[Spec], protected: bool, hook: str, handler: str) -> None:
        self.kept: dict[str, Any] = {}
        self.auth = Auth(Bearer(CALLERS.get), realm="r")
        self.app = Flask("random")
        self.app.config.update(TESTING=True)
        self.auth.init_app(self.app)
        if protected:
            self.auth.protect(self.app, public={"static"})
        self.app.before_request(self.hook(hook))
        self.app.after_request(self.stamp)
        self.handle(handler)
        for number, spec in enumerate(specs):
            self.add(number, spec)

    def hook(self, name: str) -> Any:
        def answer() -> Any:
            if name == "maintenance" and "down" in request.args:
                return "down for maintenance", 503
            return {"status": "ok"} if name == "health" and "health" in request.args else None

        return answer

    def stamp(self, response: Response) -> Response:
        response.headers["X-Seen"] = str(response.status_code)
        return response

    def handle(self, name: str) -> None:
        if name == "envelope":
            self.app.register_error_handler(401, lambda error: (jsonify(ok=False), 200))
        if name == "page":
            self.app.register_error_handler(401, lambda error: ("own page", 401))
        if name == "hides":
            self.app.register_error_handler(403, lambda error: ("nothing here", 404))

    def guard(self, name: str) -> Any:
        role = self.auth.login_required(roles={"admin"})
        return {
            "required": self.auth.login_required,
            "optional": self.auth.login_optional,
            "role": role,
            "two": lambda view: self.auth.login_required(role(view)),
        }[name]

    def add(self, number: int, spec: Spec) -> None:
        path = f"/{number}"

        def view(*args: Any) -> Any:
            return f"secret of {number}"

        inner = decorate(spec.inner, view, self.kept, path + " inner")
        guarded = decorate(spec.outer, self.guard(spec.guard)(inner), self.kept, path)
        target: Any = self.app
        if spec.within != "app":
            target = Blueprint(f"b{number}", __name__)
            target.before_request(lambda: None)
            if spec.within == "protected blueprint":
                self.auth.protect(target)
        if spec.kind == "function":
            target.add_url_rule(path, f"v{number}", guarded)
        else:
            other = spec.kind == "other method"
            if spec.kind == "class view":
                members: dict[str, Any] = {"get": view, "decorators": [lambda _: guarded]}
            elif other:
                members = {"get": lambda self: "open", "post": lambda self: guarded()}
                members["post"] = functools.wraps(guarded)(members["post"])
            else:
                members = {"get": functools.wraps(guarded)(lambda self: guarded())}
            target.add_url_rule(path, view_func=type(f"V{number}", (MethodView,), members).as_view(f"v{number}"))
        if target is not self.app:
            self.app.register_blueprint(target)

    def ask(self, number: int, sent: str, query: str, method: str) -> tuple[Any, ...]:
        token = SENT[sent]
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if "etag" in query:
            headers["If-None-Match"] = '"1"'
        response = self.app.test_client().open(f"/{number}?{query}", method=method, headers=headers)
        assert response.headers["X-Seen"] == str(response.status_code)
        assert_sound(response)
        names = sorted(name for name, _ in response.headers)
        return response.status_code, response.text, names


def admitted(spec: Spec, protected: bool, sent: str) -> bool:
    """Whether the caller meets what the route demands, by the words of the design and nothing of the package."""
    if sent in ("wrong", "broken"):
        return False
    if sent == "nothing":
        return spec.guard == "optional"
    return spec.guard in ("required", "optional") or sent == "admin"


QUERIES = ("", "n", "often", "old", "down", "health", "etag")


class Order(RuleBasedStateMachine):
    """Builds an app, asks it many times, and asks a new one of the same shape once."""

    @initialize(
        specs=st.lists(
            st.builds(
                Spec,
                st.sampled_from(KINDS),
                st.sampled_from(GUARDS),
                st.sampled_from(OUTER),
                st.sampled_from(INNER),
                st.sampled_from(WITHIN),
            ),
            min_size=1,
            max_size=4,
        ),
        protected=st.booleans(),
        hook=st.sampled_from(HOOKS),
        handler=st.sampled_from(HANDLERS),
    )
    def build(self, specs: list[Spec], protected: bool, hook: str, handler: str) -> None:
        self.specs, self.protected = specs, protected
        self.make = functools.partial(Built, specs, protected, hook, handler)
        self.built = self.make()
        self.answers: dict[tuple[Any, ...], tuple[Any, ...]] = {}
        self.hook, self.handler = hook, handler

    def case(self, data: st.DataObject) -> tuple[int, str, str, str]:
        number = data.draw(st.integers(0, len(self.specs) - 1))
        method = "POST" if self.specs[number].kind == "other method" else "GET"
        return number, data.draw(st.sampled_from(sorted(SENT))), data.draw(st.sampled_from(QUERIES)), method

    def check(self, case: tuple[int, str, str, str], answer: tuple[Any, ...]) -> None:
        number, sent, query, _ = case
        status, text, _ = answer
        spec = self.specs[number]
        allowed = admitted(spec, self.protected, sent)
        # No 2xx or 304 that the view produced reaches a caller who doesn't meet its requirement.
        assert "secret" not in text or allowed, (spec, case, answer)
        if status == 304 or (status == 200 and "teaser" in text):
            assert allowed, (spec, case, answer)
        by_hook = (self.hook, query) in (("maintenance", "down"), ("health", "health"))
        if not allowed and status == 200:
            assert by_hook or (self.handler == "envelope" and "ok" in text), (spec, case, answer)
        if by_hook:
            assert status == (503 if query == "down" else 200)

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """The same request gets what it would have got as the first one of the process."""
        case = self.case(data)
        answer = self.built.ask(*case)
        self.check(case, answer)
        known = self.answers.setdefault(case, answer)
        assert known == answer, (self.specs[case[0]], case)
        first = self.make().ask(*case)
        assert first == answer, (self.specs[case[0]], case)

    @rule(data=st.data())
    def ask_at_the_same_time(self, data: st.DataObject) -> None:
        """First requests of a new process that run at once get what they get one after the other."""
        cases = [self.case(data) for _ in range(4)]
        built = self.make()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda case: built.ask(*case), cases))
        for case, answer in zip(cases, answers, strict=True):
            self.check(case, answer)
            assert answer == self.make().ask(*case), (self.specs[case[0]], case)

    @precondition(lambda self: hasattr(self, "built"))
    @invariant()
    def wrappers_stand_where_they_stood(self) -> None:
        registered = self.built.app.view_functions
        for endpoint, wrapper in self.built.app.extensions["unauthorized"].views_at_set_up.items():
            assert registered[endpoint] is wrapper


Order.TestCase.settings = settings(max_examples=40, stateful_step_count=8, deadline=None)
TestOrder = Order.TestCase
TestOrder.__doc__ = "F-01, F-02"


@pytest.mark.parametrize(("kind", "guard", "outer"), list(itertools.product(KINDS, GUARDS, OUTER)))
def test_every_outer_decorator_with_every_guard(kind: str, guard: str, outer: str) -> None:
    """The same, without chance: callers of all kinds, one after the other, in an app and in a protected one."""
    for protected in (False, True):
        built = Built([spec := Spec(kind, guard, outer, "none", "app")], protected, "none", "none")
        method = "POST" if kind == "other method" else "GET"
        for sent, query in itertools.product(("admin", *SENT), ("n", "n&etag")):
            status, text, _ = built.ask(0, sent, query, method)
            if not admitted(spec, protected, sent):
                assert status in (400, 401, 403)
                assert "secret" not in text
            elif outer not in ("conditional", "swallows"):
                assert (status, text) == (200, "secret of 0")
