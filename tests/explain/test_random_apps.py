"""Random apps: what ``explain`` says of each rule equals what the same app, with real loaders, responds to a client."""

import json

import hypothesis.strategies as st
from flask import Blueprint, Flask
from flask.cli import ScriptInfo
from hypothesis import given, settings

from flask_unauthorized import APIKey, Auth, Basic, Bearer
from flask_unauthorized.cli import commands

from ..test_random_apps import DEEDS, GUARDS, HANDLERS, HOOKS, basic, guarded, load, load_password

# By the name of a case, the credentials that come to it. ``plain`` has neither scopes nor roles.
SENT = {
    "nothing": {},
    "bearer-invalid": {"Authorization": "Bearer nobody"},
    "bearer-malformed": {"Authorization": "Bearer sample sample"},
    "bearer-without-scope-a": {"Authorization": "Bearer plain"},
    "basic-invalid": {"Authorization": basic("x", "nobody")},
    "basic-without-scope-a": {"Authorization": basic("x", "plain")},
    "apikey-invalid": {"X-API-Key": "nobody"},
    "apikey-without-scope-a": {"X-API-Key": "plain"},
    "two-credentials": {"Authorization": "Bearer plain", "X-API-Key": "plain"},
    "unavailable": {"Authorization": "Bearer down"},
}


class Described:
    """How to make an app: twice, once to be explained and once to serve."""

    def __init__(self, outer, routes, handlers, hooks, explains):
        self.outer, self.routes, self.handlers, self.hooks, self.explains = outer, routes, handlers, hooks, explains

    def make(self, entered, *loaders):
        app = Flask("random", static_folder=None)
        app.config.update(UNAUTHORIZED_EXPLAIN=self.explains, PROPAGATE_EXCEPTIONS=False)
        token, password = loaders
        auth = Auth(Bearer(token), Basic(password), APIKey(token), app=app, realm="r", unavailable=(ConnectionError,))
        if self.outer != "none":
            auth.protect(app, **({"scopes": {"a"}} if self.outer == "scope" else {}))
        for number, (guard, deed, within) in enumerate(self.routes):
            target = app if within is None else Blueprint(f"part{number}", __name__)
            if within:
                auth.protect(target)

            def view(deed=deed):
                entered.append(deed)
                return DEEDS[deed][0]()

            target.add_url_rule(f"/{number}", f"view{number}", guarded(auth, guard, view))
            if target is not app:
                app.register_blueprint(target)
        for name in self.handlers:
            app.register_error_handler(*HANDLERS[name])
        for name in self.hooks:
            HOOKS[name](app)
        return app


APPS = st.builds(
    Described,
    outer=st.sampled_from(("none", "required", "scope")),
    routes=st.lists(
        st.tuples(st.sampled_from(GUARDS), st.sampled_from(sorted(DEEDS)), st.sampled_from((None, False, True))),
        min_size=1, max_size=4,
    ),
    handlers=st.lists(st.sampled_from(sorted(HANDLERS)), max_size=2, unique=True),
    hooks=st.lists(st.sampled_from(sorted(HOOKS)), max_size=2, unique=True),
    explains=st.booleans(),
)  # fmt: skip


def explained(app, path):
    runner = Flask("runner").test_cli_runner()
    done = runner.invoke(commands, ["explain", "--json", "GET", path], obj=ScriptInfo(create_app=lambda: app))
    assert done.exit_code == 0, done.output
    return {case["name"]: case for case in json.loads(done.stdout)["cases"]}


def refuse(*_):
    raise AssertionError("no loader may run")


@given(APPS)
@settings(max_examples=25, deadline=None)
def test_random_apps(described):
    never_entered, entered = [], []
    app, real = described.make(never_entered, refuse, refuse), described.make(entered, load, load_password)
    client = real.test_client()
    for number, (guard, _, within) in enumerate(described.routes):
        found = explained(app, f"/{number}")
        demands = [described.outer, "required" if within else "none", guard]
        if "public" in demands or set(demands) == {"none"}:
            assert {*found} == {"nothing"}
        else:
            assert {*found} >= {*SENT} - {name for name in SENT if "scope" in name}
            assert found["valid"]["status"] is None
            assert ("bearer-without-scope-a" in found) == ("scope" in demands)
            assert ("bearer-without-role-admin" in found) == ("role" in demands)
        for name in SENT.keys() & found.keys():
            entered.clear()
            answer = client.get(f"/{number}", headers=SENT[name])
            case = found[name]
            assert (case["status"] is None) == bool(entered), name
            if case["status"] is not None:
                assert case["status"] == answer.status_code, name
                assert sorted(map(tuple, case["headers"])) == sorted(answer.headers), name
                assert case["body"] == answer.text, name
    assert never_entered == []
