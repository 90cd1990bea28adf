"""The lock file: its text, and that reading it gives back what was written."""

import random

import pytest
from flask import Flask
from werkzeug.routing import Rule

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.audit.changes import find_changes
from flask_unauthorized.audit.demand import Demand, demand_of, names_of_schemes
from flask_unauthorized.audit.lock_file import HEAD, LockError, Place, make_lock, parse, render

from .test_demand import random_demand

NOTES = Demand(
    "guarded",
    schemes=frozenset({"Bearer", "Basic#2"}),
    scopes=frozenset({frozenset({"notes:read", "notes:write"}), frozenset({"a"})}),
    roles=frozenset({frozenset({"head of sales", "or"})}),
    acr=frozenset({"phr"}),
    max_age=300,
)
TEXT = f"""{HEAD}

* /any
  open

GET HEAD /notes
  guarded
  scope a
  scope notes:read or notes:write
  role "head of sales" or "or"
  acr phr
  max_age 300
  via Basic#2
  via Bearer

POST /notes
  public
"""


def test_the_text_is_the_one_of_the_docs():
    lock = {
        Place("/notes"): {"GET": NOTES, "HEAD": NOTES, "POST": Demand("public")},
        Place("/any"): {"*": Demand("open")},
    }
    assert render(lock) == TEXT
    assert parse(TEXT) == lock


ODD = (
    "or", "a or b", 'with "quotes"', "back\\slash", "line\nend", "ümläut", "#", " ", "<lambda>", "a·b", "\u2028",
    "\x85", "\x0c", "\r", "\u202e", "\ud800", "",
)  # fmt: skip
ODD_RULES = ("/", "/a b/<path:x>", "/<int(min=1):n>", "/end ", "/ü·", "/a\nGET /b", "/\u2028  open", "/\x85", '/"q"')


def test_whatever_is_written_is_read_again():
    rng = random.Random(3)
    for _ in range(300):
        demand = random_demand(rng)
        if demand.state == "guarded":
            odd = frozenset(rng.sample(ODD, 2))
            demand = demand._replace(
                roles=frozenset({odd, frozenset("a")}), unless=odd, details=odd, schemes=odd, levels=tuple(sorted(odd)),
                state=rng.choice(("guarded", "conditional", "unknown")),
            )  # fmt: skip
        if demand.state in ("conditional", "unknown"):
            demand = demand._replace(optional=rng.choice((True, False)))
        place = Place(
            rng.choice(ODD_RULES), rng.choice(("", "<a>.example")), rng.choice(ODD),
            rng.choice(("view", "websocket", "alias")), rng.choice(ODD),
        )  # fmt: skip
        lock = {place: {"GET": demand, "PROPFIND": demand, "M-SEARCH2": demand}}
        text = render(lock)
        assert parse(text) == parse(text.replace("\n", "\r\n")) == lock
        assert all(character.isprintable() or character == "\n" for character in text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1 must be"),
        ("# flask_unauthorized lock 2.\n", "line 1 must be"),
        (f"{HEAD}\n  open\n", "a demand must follow"),
        (f"{HEAD}\nGET /a\n  ajar\n", "'ajar' is unknown"),
        (f"{HEAD}\nGET /a\n  open\nGET /a\n  open\n", "is there twice"),
        (f"{HEAD}\n<<<<<<< HEAD\n", "expected methods and a rule"),
        (f"{HEAD}\nGET /a\n", "names no state"),
        (f"{HEAD}\nGET /a\n  guarded\n  scope\n", "without a value"),
        (f"{HEAD}\nGET /a\n  guarded\n  scope a b\n", "'or' between"),
        (f"{HEAD}\nGET /a\n  guarded\n  via a b\n", "one word"),
        (f"{HEAD}\nGET /a\n  guarded\n  max_age soon\n", "line 4"),
        (f"{HEAD}\nGET /a\n  guarded\n  kind sock\n", "isn't one of"),
        (f'{HEAD}\nGET /a\n  guarded\n  role "\\x"\n', "line 4"),
        # What a merge or an editor may leave: the last of two lines must not win, and no word may be skipped.
        (f"{HEAD}\nGET /a\n  guarded\n  open\n", "'guarded' of the block of '/a' stands twice"),
        (f"{HEAD}\nGET /a\n  open\n  guarded\n", "'open' of the block of '/a' stands twice"),
        (f"{HEAD}\nGET /a\n  guarded by nobody\n", "'guarded by nobody'"),
        (f"{HEAD}\nGET /a\n  optional for everybody\n", "'optional for everybody'"),
        (f"{HEAD}\nGET /a\n  guarded\n  max_age 60\n  max_age 6000\n", "'max_age 60'"),
        (f"{HEAD}\nGET /a\n  guarded\n  max_age 6_0\n", "'max_age 6_0'"),
        (f"{HEAD}\nGET /a\n  guarded\n  max_age \u0666\n", "'max_age"),
        (f"{HEAD}\nGET /a\n  guarded\n  acr 1\n  acr 1 or 2\n", "'acr 1'"),
        (f"{HEAD}\nGET /a\n  guarded\n  host a\n  host b\n", "'host a'"),
        (f"{HEAD}\nGET /a\n  guarded\n  via Bearer\n  via Bearer\n", "'via Bearer'"),
        (f"{HEAD}\nGET /a\n  guarded\n\nGET /a\n  open\n", "is there twice"),
    ],
)
def test_a_line_that_is_not_understood_is_refused(text, message):
    with pytest.raises(LockError, match=message):
        parse(text)


# --- changes

OPEN, PUBLIC, GUARDED = Demand("open"), Demand("public"), Demand("guarded", schemes=frozenset({"Bearer"}))
ADMIN = GUARDED._replace(roles=frozenset({frozenset({"admin"})}))
EDITOR = GUARDED._replace(roles=frozenset({frozenset({"editor"})}))


@pytest.mark.parametrize(
    ("old", "new", "label", "may_loosen"),
    [
        (ADMIN, GUARDED, "loosened", True),
        (GUARDED, ADMIN, "tightened", False),
        (ADMIN, EDITOR, "loosened and tightened", True),
        (PUBLIC, OPEN, "equivalent", False),
        (GUARDED, Demand("unknown"), "unclear", True),
        (OPEN, Demand("unknown"), "unclear", False),
        # A level that unless= drops may be the only one that demands the role.
        (GUARDED, ADMIN._replace(unless=frozenset({"off"})), "unclear", True),
        (GUARDED._replace(unless=frozenset({"off"})), ADMIN, "unclear", True),
        (None, GUARDED, "added", False),
        (None, OPEN, "added-open", True),
        (None, PUBLIC, "added-open", True),
        (None, Demand("optional", True), "added-open", True),
        (None, Demand("unknown"), "added-open", True),
        (GUARDED, None, "removed", False),
    ],
)
def test_labels(old, new, label, may_loosen):
    def lock(demand):
        return {Place("/a"): {"GET": demand}} if demand else {}

    (change,) = find_changes(lock(old), lock(new))
    assert (change.label, change.may_loosen, change.methods) == (label, may_loosen, ("GET",))


def test_equal_locks_have_no_change():
    assert find_changes(parse(TEXT), parse(TEXT)) == ()


def test_a_rule_for_any_method_is_compared_with_each_method():
    old, new = {Place("/a"): {"GET": GUARDED, "POST": ADMIN}}, {Place("/a"): {"*": GUARDED}}
    changes = {change.methods: change.label for change in find_changes(old, new)}
    assert changes == {("POST",): "loosened", ("*",): "added"}
    # The other way round, POST was refused to users without the role, so it isn't merely new.
    old, new = {Place("/a"): {"*": ADMIN}}, {Place("/a"): {"GET": ADMIN, "POST": GUARDED}}
    changes = {change.methods: (change.label, change.may_loosen) for change in find_changes(old, new)}
    assert changes == {("POST",): ("loosened", True), ("*",): ("removed", False)}


def test_methods_that_share_a_change_are_one():
    (change,) = find_changes({Place("/a"): {"GET": ADMIN, "HEAD": ADMIN}}, {Place("/a"): {"GET": OPEN, "HEAD": OPEN}})
    assert str(change) == "loosened: GET HEAD /a: roles admin via Bearer -> OPEN"


def test_a_change_names_the_host_as_the_table_does():
    for place, shown in (
        (Place("/a", host="api.example"), "api.example/a"), (Place("/a", subdomain="api"), "api./a"),
    ):  # fmt: skip
        (change,) = find_changes({place: {"GET": ADMIN}}, {place: {"GET": GUARDED}})
        assert str(change).startswith(f"loosened: GET {shown}: ")


# --- what is locked


def test_websockets_and_redirects_are_locked_and_rules_that_only_build_urls_are_not():
    auth = Auth(Bearer({"good": "ada"}.get))
    app = Flask("shop", static_folder=None)
    auth.init_app(app)
    app.view_functions["chat"] = auth.login_required(lambda: "in")
    for rule in (
        Rule("/chat", endpoint="chat", websocket=True), Rule("/old", endpoint="old", redirect_to="/chat"),
        Rule("/elsewhere", endpoint="elsewhere", build_only=True),
    ):  # fmt: skip
        app.url_map.add(rule)
    found = {(place.rule, place.kind): set(methods.values()) for place, methods in lock_of_app(app, auth).items()}
    assert found == {("/chat", "websocket"): {GUARDED}, ("/old", "redirect"): {PUBLIC}}


# --- several endpoints at one rule: a request reaches the first


def lock_of_app(app, auth):
    return make_lock((route, demand_of(route, names_of_schemes(auth.schemes), {})) for route in auth.routes(app))


def test_an_endpoint_behind_one_for_any_method_is_not_reached():
    auth = Auth(Bearer({"good": "ada"}.get))
    app = Flask("shop", static_folder=None)
    auth.init_app(app)
    app.url_map.add(Rule("/a", endpoint="admin"))
    app.view_functions["admin"] = auth.login_required(roles={"admin"})(lambda: "in")
    app.add_url_rule("/a", "anyone", auth.login_required(lambda: "in"))
    assert app.test_client().get("/a", headers={"Authorization": "Bearer good"}).status_code == 403
    assert lock_of_app(app, auth) == {
        Place("/a"): {"*": ADMIN}, Place("/a", endpoint="anyone"): {"GET": GUARDED, "HEAD": GUARDED},
    }  # fmt: skip


def lock_of(*endpoints):
    """Return the lock of an app that has one rule for all endpoints, ``admin`` or ``anyone``, in this order."""
    auth = Auth(Bearer({"good": "ada"}.get))
    app = Flask("shop", static_folder=None)
    auth.init_app(app)
    guards = {"admin": auth.login_required(roles={"admin"}), "anyone": auth.login_required}
    for endpoint in endpoints:
        app.add_url_rule("/a", endpoint, guards[endpoint](lambda: "in"))
    status = app.test_client().get("/a", headers={"Authorization": "Bearer good"}).status_code
    names = names_of_schemes(auth._configuration.schemes)
    lock = make_lock((route, demand_of(route, names, {})) for route in auth.routes(app))
    return status, parse(render(lock))


@pytest.mark.parametrize(
    ("before", "after"),
    [(["admin", "anyone"], ["anyone", "admin"]), (["admin"], ["anyone", "admin"]), (["admin", "anyone"], ["anyone"])],
)
def test_an_endpoint_that_comes_before_another_one_may_loosen_the_rule(before, after):
    (refused, old), (admitted, new) = lock_of(*before), lock_of(*after)
    assert (refused, admitted) == (403, 200)
    changes = [change for change in find_changes(old, new) if change.may_loosen]
    assert [(change.label, change.place) for change in changes] == [("loosened", Place("/a"))]


def test_an_endpoint_that_no_request_reaches_changes_nothing():
    (refused, old), (still_refused, new) = lock_of("admin"), lock_of("admin", "anyone")
    assert (refused, still_refused) == (403, 403)
    assert not any(change.may_loosen for change in find_changes(old, new))
