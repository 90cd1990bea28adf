"""The table of routes says of random apps what an anonymous request to each rule and method gets.

The guards and loaders are those of `tests.test_random_apps`. Each seed makes another app. The same 200 run by default.
``RANDOM_APPS=1000 python -m pytest -s tests/policy/test_random_routes.py`` takes new ones, and prints how many pairs of
rule and method there were in each state. A failure names its seed: ``RandomApp(seed)`` makes that app again.
"""

import functools
import os
import random
from collections import Counter
from collections.abc import Callable
from itertools import count, product
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView, View

from flask_unauthorized import APIKey, Auth, Basic, Bearer
from flask_unauthorized.policy.routes import Route

from ..test_random_apps import GUARDS, guarded, load, load_password

_RANDOM = int(os.environ.get("RANDOM_APPS", "0"))
APPS = _RANDOM or 200
START = random.SystemRandom().randrange(2**32) if _RANDOM else 0
SWITCHES = ("first", "second")
MAY_BE_UNKNOWN = {
    "a wrapper without wraps, above a guard",
    "a wrapper object without wraps, above a guard",
    "a bound method that calls a guarded view",
    "a partial that is given a guarded view",
    "a default argument",
    "a callable object with a guarded __call__",
    "a guarded helper, global or not",
    "method_decorators that aren't guards",
    "a class with a guarded helper",
    "a hook below another decorator",
}
"""All reasons for which a route of these apps may be unknown. Any other unknown route fails the test."""


def keeping_name(view: Any) -> Any:
    @functools.wraps(view)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def hiding(view: Any) -> Any:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return wrapper


def hiding_in_default(view: Any) -> Any:
    def wrapper(*args: Any, inner: Any = view, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return wrapper


def call(view: Any, **values: Any) -> Any:
    return view(**values)


class Hiding:
    def __init__(self, view: Any) -> None:
        self.view = view

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.view(*args, **kwargs)


class HidingInSlot:
    __slots__ = ("__weakref__", "view")

    def __init__(self, view: Any) -> None:
        self.view = view

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self.view(*args, **kwargs)


class RandomApp:
    """An app made from a seed, which knows for each rule why it may be unknown."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.auth: Auth[Any] = Auth(Bearer(load), Basic(load_password), APIKey(load), realm="r")
        self.switches: set[str] = set()
        self.dropped: set[str] = set()
        self.entered: list[str] = []
        self.excuses: dict[str, str] = {}  # by rule
        self.numbers = count()
        self.demands: dict[Flask | Blueprint, dict[str, Any]] = {}
        self.unguarded: dict[Flask | Blueprint, list[str]] = {}
        self.hosts = self.random.choice(("", "", "subdomain", "host"))
        self.app = Flask("random", static_folder=None, subdomain_matching=self.hosts == "subdomain")
        self.app.config.update(SERVER_NAME="site.test" if self.hosts == "subdomain" else None, TESTING=True)
        if self.hosts == "host":
            self.app = Flask("random", host_matching=True, static_host="site.test")
            self.app.config["TESTING"] = True
        self.auth.init_app(self.app)
        self.excuse_of_hooks = ""
        self._protect(self.app, chance=0.3)
        self._add_hooks(self.app)
        self.targets: list[Flask | Blueprint] = [self.app]
        self.registrations: list[tuple[Blueprint, dict[str, Any]]] = []
        for number in range(self.random.randint(0, 3)):
            self._add_blueprint(number)
        for _ in range(self.random.randint(3, 9)):
            self._add_route(self.random.choice(self.targets))
        if self.random.random() < 0.5:
            self._add_restful()
        for protected, demands in self.demands.items():
            left_open = [name for name in self.unguarded.get(protected, ()) if self.random.random() < 0.4]
            self.auth.protect(protected, public=left_open, **demands)
        for blueprint, options in self.registrations:
            self.app.register_blueprint(blueprint, **options)

    # --- levels

    def _unless(self, name: str) -> Callable[[], bool]:
        self.switches.add(name)
        return lambda: name in self.dropped

    def _protect(self, target: Flask | Blueprint, chance: float) -> None:
        if self.random.random() > chance:
            return
        demands: dict[str, Any] = self.random.choice(({}, {}, {"scopes": {"a"}}))
        if self.random.random() < 0.3:
            demands = {**demands, "unless": self._unless(self.random.choice(SWITCHES))}
        self.demands[target] = demands

    def _add_hooks(self, target: Flask | Blueprint) -> None:
        kind = self.random.choice((*["none"] * 9, "guarded", "optional", "conditional", "below another"))
        hook: Any = lambda: None  # noqa: E731  # each app needs its own function
        if kind == "guarded":
            hook = self.auth.login_required(hook)
        elif kind == "optional":
            hook = self.auth.login_optional(hook)
        elif kind == "conditional":
            hook = self.auth.login_required(unless=self._unless("first"))(hook)
        elif kind == "below another":
            hook = self.random.choice((keeping_name, hiding))(self.auth.login_required(hook))
            self.excuse_of_hooks = "a hook below another decorator"
        target.before_request(hook)

    def _add_blueprint(self, number: int) -> None:
        blueprint = Blueprint(f"part{number}", __name__)
        self._protect(blueprint, chance=0.4)
        self._add_hooks(blueprint)
        others = [one for one, _ in self.registrations]
        if others and self.random.random() < 0.5:
            self.random.choice(others).register_blueprint(blueprint, url_prefix=f"/nested{number}")
        else:
            self.registrations.append((blueprint, {"url_prefix": f"/part{number}"}))
            if self.random.random() < 0.3:
                self.registrations.append((blueprint, {"url_prefix": f"/again{number}", "name": f"again{number}"}))
        self.targets.append(blueprint)

    # --- views

    def _guard(self, view: Any, guards: tuple[str, ...] = GUARDS) -> tuple[Any, bool]:
        """Return the view below a random guard, or two, and whether one is in place."""
        guard = self.random.choice((*guards, "conditional"))
        if guard == "conditional":
            view = self.auth.login_required(unless=self._unless(self.random.choice(SWITCHES)))(view)
        else:
            view = guarded(self.auth, guard, view)
        has_guard = guard not in ("none", "public")
        if has_guard and self.random.random() < 0.2:
            view = guarded(self.auth, "required", view)
        return view, has_guard

    def _plain(self, name: str) -> Any:
        def view(**values: Any) -> str:
            self.entered.append(name)
            return "fine"

        return view

    def _add_route(self, target: Flask | Blueprint) -> None:
        name = f"view{next(self.numbers)}"
        path = f"/{name}"
        shapes = [member for member in vars(RandomApp) if member.startswith("_shape_")]
        view, excuse = getattr(self, self.random.choice(shapes))(name)
        options: dict[str, Any] = self._options(target)
        if not hasattr(view, "view_class"):
            options["methods"] = self.random.choice((["GET"], ["POST"], ["GET", "POST"], ["GET", "OPTIONS"]))
        kind = self.random.choice((*["view"] * 12, "websocket", "redirect", "build_only", "alias"))
        if kind == "websocket" and not hasattr(view, "view_class"):
            options.update(websocket=True, methods=["GET"])
        elif kind == "redirect":
            options["redirect_to"] = "/elsewhere"
        elif kind == "build_only":
            options["build_only"] = True
        target.add_url_rule(path, name, view, **options)
        self.excuses[path] = excuse
        if not hasattr(view, "view_class") and not self.auth._configuration.decorations.requirements_of(view):
            self.unguarded.setdefault(target, []).append(name)
        if kind == "alias":
            target.add_url_rule(f"{path}/alias", name, alias=True, **options)
            self.excuses[f"{path}/alias"] = excuse

    def _options(self, target: Flask | Blueprint) -> dict[str, Any]:
        if self.hosts == "subdomain" and self.random.random() < 0.5:
            return {"subdomain": "api"}
        if self.hosts == "host":
            return {"host": self.random.choice(("site.test", "api.test"))}
        return {}

    def _shape_function(self, name: str) -> tuple[Any, str]:
        return self._guard(self._plain(name))[0], ""

    def _shape_below_a_wrapper(self, name: str) -> tuple[Any, str]:
        return keeping_name(self._guard(self._plain(name))[0]), ""

    def _shape_above_a_wrapper(self, name: str) -> tuple[Any, str]:
        return self._guard(hiding(self._plain(name)))[0], ""

    def _shape_hidden(self, name: str) -> tuple[Any, str]:
        view, has_guard = self._guard(self._plain(name))
        hide, excuse = self.random.choice(
            (
                (hiding, "a wrapper without wraps, above a guard"),
                (Hiding, "a wrapper object without wraps, above a guard"),
                (hiding_in_default, "a default argument"),
                (lambda view: HidingInSlot(view).call, "a bound method that calls a guarded view"),
                (lambda view: functools.partial(call, view), "a partial that is given a guarded view"),
                (lambda view: hiding(keeping_name(hiding(view))), "a wrapper without wraps, above a guard"),
            )
        )  # fmt: skip
        return hide(view), excuse if has_guard else ""

    def _shape_partial(self, name: str) -> tuple[Any, str]:
        return functools.partial(self._guard(self._plain(name))[0], more=1), ""

    def _shape_callable_object(self, name: str) -> tuple[Any, str]:
        call, has_guard = self._guard(lambda _self, **values: self.entered.append(name) or "fine")
        return type("View", (), {"__call__": call})(), "a callable object with a guarded __call__" if has_guard else ""

    def _shape_bound_method(self, name: str) -> tuple[Any, str]:
        method = self._guard(lambda _self, **values: self.entered.append(name) or "fine", ("required", "none"))[0]
        return type("Views", (), {"method": method})().method, ""

    def _shape_helper(self, name: str) -> tuple[Any, str]:
        helper, has_guard = self._guard(self._plain(name))
        if self.random.random() < 0.5:
            return lambda: helper(), "a guarded helper, global or not" if has_guard else ""
        scope = {"helper": helper}
        exec("def view(): return helper()", scope)
        return scope["view"], "a guarded helper, global or not" if has_guard else ""

    def _methods_of_class(self, name: str, *, may_be_public: bool) -> dict[str, Any]:
        """Return methods below random guards. A public one below a guard of the whole class would be refused."""
        found = {}
        public = ("public", "public") if may_be_public else ()
        for method in self.random.sample(("get", "head", "post", "put", "options"), self.random.randint(1, 3)):
            view = self._guard(
                lambda _self, **values: self.entered.append(name) or "fine",
                ("none", "required", "optional", "scope", *public),
            )[0]
            found[method] = keeping_name(view) if self.random.random() < 0.2 else view
        return found

    def _shape_method_view(self, name: str) -> tuple[Any, str]:
        has_guard = self.random.random() < 0.3
        members = self._methods_of_class(name, may_be_public=not has_guard)
        if has_guard:
            members["decorators"] = [self.auth.login_required]
        base = type(f"Base{name}", (MethodView,), members)
        changed = self._methods_of_class(name, may_be_public=not has_guard) if self.random.random() < 0.3 else {}
        return type(f"View{name}", (base,), changed).as_view(name), ""

    def _shape_view(self, name: str) -> tuple[Any, str]:
        dispatch, _ = self._guard(
            lambda _self, **values: self.entered.append(name) or "fine",
            ("none", "required", "optional", "scope", "public"),
        )
        members: dict[str, Any] = {"dispatch_request": dispatch, "methods": ["GET", "POST"]}
        return type(f"View{name}", (View,), members).as_view(name), ""

    def _shape_view_with_helper(self, name: str) -> tuple[Any, str]:
        helper, has_guard = self._guard(
            lambda _self, **values: self.entered.append(name) or "fine", ("none", "required", "optional", "scope")
        )
        members = {"run": helper, "dispatch_request": lambda self, **values: self.run()}
        excuse = "a class with a guarded helper" if has_guard else ""
        return type(f"View{name}", (View,), members).as_view(name), excuse

    def _add_restful(self) -> None:
        restful = pytest.importorskip("flask_restful")
        name = f"resource{next(self.numbers)}"
        guard = self.auth.login_required(scopes={"a"}) if self.random.random() < 0.5 else self.auth.login_required
        lists: list[Any] = [[guard], {"get": [guard]}, {"post": [guard]}, [self.auth.login_optional], []]
        decorators = self.random.choice((*lists, [], [], [keeping_name], [hiding]))
        foreign = decorators in ([keeping_name], [hiding])
        around = [self.auth.login_required] if self.random.random() < 0.2 else []
        members = self._methods_of_class(name, may_be_public=not around and (foreign or not decorators))
        members.pop("options", None)
        if not members:
            return
        resource = type(f"Resource{name}", (restful.Resource,), {**members, "method_decorators": decorators})
        api = restful.Api(self.app, decorators=around)
        options = {"host": "site.test"} if self.hosts == "host" else {}
        api.add_resource(resource, f"/{name}", endpoint=name, **options)
        self.excuses[f"/{name}"] = "method_decorators that aren't guards" if foreign else ""

    # --- requests

    def outcome(self, route: Route, method: str, headers: Any = ()) -> str:
        """Send a request, and return whether it was ``"refused"`` or has ``"passed"``."""
        self.entered.clear()
        host = route.host or (f"{route.subdomain}.site.test" if route.subdomain else "site.test")
        sent = {**dict(headers), "Host": host}
        if route.kind == "websocket":
            sent.update({"Connection": "Upgrade", "Upgrade": "websocket"})
        response = self.app.test_client().open(route.rule, method=method, headers=sent)
        if response.status_code == 401:
            assert self.entered == []
            return "refused"
        if route.kind == "redirect":
            assert response.status_code in (302, 308)
        elif route.kind == "build_only":
            assert response.status_code in (404, 405)
        else:
            assert (response.status_code, len(self.entered)) == (200, 1), (route, method)
        return "passed"

    def outcomes(self, route: Route, method: str, headers: Any = ()) -> set[str]:
        """Return what happens with each switch of ``unless`` on and off."""
        found = set()
        switches = sorted(self.switches)
        for on in product((False, True), repeat=len(switches)):
            self.dropped = {name for name, is_on in zip(switches, on, strict=True) if is_on}
            found.add(self.outcome(route, method, headers))
        return found

    def excuse(self, route: Route) -> str:
        found = [excuse for path, excuse in self.excuses.items() if route.rule.endswith(path)]
        return (found[0] if found else "") or self.excuse_of_hooks


@pytest.mark.parametrize("seeds", [range(first, first + 50) for first in range(START, START + APPS, 50)], ids=str)
def test_the_table_says_what_anonymous_callers_get(seeds: range) -> None:
    seen: Counter[str] = Counter()
    for seed in seeds:
        made = RandomApp(seed)
        table = made.auth.routes(made.app)
        assert table == tuple(sorted(table, key=lambda route: (route.rule, route.host or "", route.subdomain or "")))
        for route in table:
            if "<" in route.rule:
                continue  # static files
            for method in route.methods:
                check(made, route, method, seed)
                seen[route.state] += 1
        assert made.auth.routes(made.app) == table  # the views were wrapped meanwhile
    print(dict(sorted(seen.items())))
    assert seen.keys() == {"guarded", "optional", "conditional", "public", "open", "unknown"}


def check(made: RandomApp, route: Route, method: str, seed: int) -> None:
    got = made.outcomes(route, method)
    where = f"seed {seed}: {method} {route}: {got}"
    if route.state == "unknown":
        assert made.excuse(route) in MAY_BE_UNKNOWN, where
    elif route.state == "conditional":
        assert got == {"refused", "passed"}, where
    elif route.state == "guarded":
        assert got == {"refused"}, where
    else:
        assert got == {"passed"}, where
        if route.kind not in ("redirect", "build_only"):
            wrong = made.outcomes(route, method, {"Authorization": "Bearer nobody"})
            assert ("refused" in wrong) == (route.state == "optional"), (where, wrong)
