"""Whether a change of a demand lets more callers in: compared with the callers who really get in."""

import random
import time
from itertools import combinations, permutations, product

import pytest
from werkzeug.test import Client

from flask_unauthorized import APIKey, Auth, Bearer, Identity, any_of
from flask_unauthorized.audit.changes import find_changes
from flask_unauthorized.audit.demand import Demand, admits_more, demand_of, describe, names_of_schemes
from flask_unauthorized.audit.lock_file import make_lock, parse, render

STATES = ("guarded", "guarded", "guarded", "optional", "public", "open")


def subsets(names):
    return [frozenset(some) for size in range(len(names) + 1) for some in combinations(names, size)]


# --- real apps and real requests are the oracle

SCOPES, CLASSES, AGES = ("read", "write", "other"), ("one", "two", "none"), (30, 300)


def random_guard(auth, rng, schemes):
    """Return a decorator with random demands; ``None`` for none at all."""
    state = rng.choice(STATES)
    if state == "open":
        return None
    if state == "public":
        return auth.public
    demands = {
        "via": rng.choice((None, schemes[0], schemes[1], list(schemes))),
        "scopes": rng.choice((None, {"read"}, {"write"}, any_of("read", "other"), {"read", "other"}, {"other"})),
        "acr": rng.choice((None, None, "one", ["one", "none"])),
        "max_age": rng.choice((None, None, 60)),
        "authorization_details": rng.choice((None, None, None, pays)),
    }
    guard = auth.login_required if state == "guarded" else auth.login_optional
    return guard(**{name: value for name, value in demands.items() if value is not None})


def pays(details):
    return bool(details)


@pytest.fixture
def callers():
    """Return the headers of each caller, and what both loaders know of them."""
    identities = {
        str(number): Identity(
            "ada", scopes=scopes, acr=acr, auth_time=time.time() - age,
            claims={"authorization_details": details},
        )
        for number, (scopes, acr, age, details) in enumerate(
            product(subsets(SCOPES), CLASSES, AGES, ([], [{"type": "pay"}]))
        )
    }  # fmt: skip
    headers = [{}, {"Authorization": "Other x"}]
    for name in (*identities, "invalid"):
        headers += [{"Authorization": f"Bearer {name}"}, {"X-API-Key": name}]
    return headers, identities


def test_a_change_is_loosened_if_and_only_if_a_request_gets_in_that_was_refused(make_app, callers):
    headers, identities = callers
    schemes = Bearer(identities.get), APIKey(identities.get)
    auth = Auth(*schemes, implied_scopes={"write": {"read"}})
    app = make_app(auth)
    rng = random.Random(19)
    views = [f"v{number}" for number in range(14)]
    for name in views:
        guard = random_guard(auth, rng, schemes)
        app.add_url_rule(f"/{name}", name, guard(lambda: "in") if guard else lambda: "in")
    client = Client(app)
    admitted = {
        name: {number for number, sent in enumerate(headers) if client.get(f"/{name}", headers=sent).status_code == 200}
        for name in views
    }
    names = names_of_schemes(schemes)
    found = {
        route.endpoint: demand_of(route, names, auth._configuration.implied_scopes)
        for route in auth.routes(app) if route.endpoint in views
    }  # fmt: skip
    assert set(found) == set(views)
    differing = 0
    for old, new in permutations(views, 2):
        loosened = bool(admitted[new] - admitted[old])
        differing += loosened
        assert admits_more(found[old], found[new]) is loosened, (found[old], found[new])
    assert 40 < differing < 150  # of 182: both outcomes are tried


# --- plain values: more demands, and a judge that is written here

GROUPS = subsets(("a", "b", "c"))[1:]


def random_demand(rng):
    state = rng.choice(STATES)
    if state in ("public", "open"):
        return Demand(state)

    def groups():
        return frozenset(rng.sample(GROUPS, rng.choice((0, 0, 1, 2))))

    return Demand(
        state, state == "optional", frozenset(rng.sample(("s", "t", "u"), rng.choice((1, 2)))), groups(),
        frozenset(), groups() if rng.random() < 0.3 else frozenset(), frozenset(rng.sample("123", rng.randrange(3))),
        rng.choice((None, None, 60, 600)), frozenset(rng.sample("fg", rng.choice((0, 0, 0, 1)))),
    )  # fmt: skip


def meets(demand, scopes, amr, acr, age, details):
    return (
        all(group & scopes for group in demand.scopes)
        and all(group & amr for group in demand.amr)
        and (not demand.acr or acr in demand.acr)
        and (demand.max_age is None or age <= demand.max_age)
        and demand.details <= details
    )


LOGINS = list(product(subsets("abc"), subsets("abc"), ("0", "1", "2", "3"), (30, 300, 3000), subsets("fg")))


def admitted_by(demand):
    """Return all callers: anonymous, with invalid credentials of a scheme, and each login by each scheme."""
    anonymous = demand.state != "guarded"
    everybody = demand.state in ("public", "open")
    found = {"anonymous"} if anonymous else set()
    for scheme in "stu":
        if everybody or (anonymous and scheme not in demand.schemes):
            found |= {(scheme, "invalid"), *((scheme, number) for number in range(len(LOGINS)))}
        elif scheme in demand.schemes:
            found |= {(scheme, number) for number, login in enumerate(LOGINS) if meets(demand, *login)}
    return found


def test_the_decision_agrees_with_brute_force_over_plain_values():
    rng = random.Random(7)
    demands = [random_demand(rng) for _ in range(60)]
    admitted = [admitted_by(demand) for demand in demands]
    for old, new in permutations(range(len(demands)), 2):
        loosened = not admitted[new] <= admitted[old]
        assert admits_more(demands[old], demands[new]) is loosened, (demands[old], demands[new])


# --- what can't be decided

GUARDED = Demand("guarded", schemes=frozenset({"Bearer"}))


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        (GUARDED, Demand("unknown"), None),
        (Demand("unknown"), GUARDED, None),
        (Demand("unknown"), Demand("open"), None),
        (Demand("open"), Demand("unknown"), False),
        (Demand("unknown"), Demand("unknown"), False),
    ],
)
def test_an_unknown_route_may_be_looser(old, new, more):
    assert admits_more(old, new) is more


def demands_of_views(make_app, **guards):
    """Return the demand of each view, and the routes of its own blueprint-free app."""
    auth = Auth(Bearer({"good": "ada"}.get))
    app = make_app(auth)
    for name, guard in guards.items():
        view = lambda: "in"  # noqa: E731
        app.add_url_rule(f"/{name}", name, guard(auth)(view))
    names = names_of_schemes(auth._configuration.schemes)
    return {route.endpoint: demand_of(route, names, {}) for route in auth.routes(app)}


def off():
    return True


def test_a_condition_that_is_new_is_loosened_and_one_that_moves_is_unclear(make_app):
    found = demands_of_views(
        make_app,
        plain=lambda auth: auth.login_required(scopes={"a"}),
        sometimes=lambda auth: auth.login_required(scopes={"a"}, unless=off),
        outer=lambda auth: (
            lambda view: auth.login_required(unless=off, scopes={"a"})(auth.login_required(roles={"b"})(view))
        ),
        inner=lambda auth: (
            lambda view: auth.login_required(scopes={"a"})(auth.login_required(roles={"b"}, unless=off)(view))
        ),
    )
    assert admits_more(found["plain"], found["sometimes"]) is True
    # With off() == True, the first demands the role b and the second the scope a: neither is part of the other.
    assert admits_more(found["outer"], found["inner"]) is None
    assert admits_more(found["inner"], found["outer"]) is None
    assert admits_more(found["outer"], found["outer"]) is False


def test_implied_scopes_are_part_of_the_demand(make_app):
    def lock_with(implied):
        auth = Auth(Bearer({}.get), implied_scopes=implied)
        app = make_app(auth)
        app.add_url_rule("/notes", "notes", auth.login_required(scopes={"read"})(lambda: ""))
        names = names_of_schemes(auth._configuration.schemes)
        routes = [(one, demand_of(one, names, auth._configuration.implied_scopes)) for one in auth.routes(app)]
        return parse(render(make_lock(routes)))

    (change,) = find_changes(lock_with({}), lock_with({"admin": {"write"}, "write": {"read"}}))
    assert (change.label, change.may_loosen) == ("loosened", True)
    assert str(change).endswith("scopes read via Bearer -> scopes admin|read|write via Bearer")


def test_schemes_of_one_name_have_numbers():
    first, key, second = Bearer({}.get), APIKey({}.get), Bearer({}.get, realm="b")
    assert list(names_of_schemes((first, key, second)).values()) == ["Bearer#1", key.name, "Bearer#2"]


@pytest.mark.parametrize(
    ("demand", "text"),
    [
        (Demand("open"), "OPEN"),
        (Demand("public"), "public"),
        (GUARDED, "authenticated"),
        (Demand("optional", True), "optional"),
        (
            Demand(
                "guarded", scopes=frozenset({frozenset({"b", "a"}), frozenset({"c"})}), acr=frozenset("1"), max_age=5
            ),
            "scopes a|b c, acr 1, max_age 5",
        ),
    ],
)
def test_a_demand_in_words(demand, text):
    assert describe(demand) == text


# --- conditions: what holds if a level is dropped

CONDITIONAL = Demand("conditional", schemes=frozenset({"Bearer"}), unless=frozenset({"off"}), levels=("one",))


def test_anonymous_callers_who_pass_while_no_condition_holds_are_more_callers():
    """Both routes take the same credentials, so only callers without any show the difference."""
    assert admits_more(CONDITIONAL, CONDITIONAL._replace(optional=True, levels=("two",))) is True
    assert admits_more(CONDITIONAL._replace(optional=True), CONDITIONAL._replace(levels=("two",))) is None


def test_a_group_that_another_level_covers_may_be_all_that_holds(make_app):
    """With ``unless``, a wider group counts, although all levels together demand the same as before."""
    readers = {"good": Identity("ada", scopes={"audit"})}
    guards = {"unless": off, "scopes": {"write"}}, {"scopes": any_of("write", "read")}
    found, statuses = [], []
    for implied in ({}, {"audit": {"read"}}):
        auth = Auth(Bearer(readers.get), implied_scopes=implied)
        app = make_app(auth)
        app.add_url_rule("/", "v", auth.login_required(**guards[0])(auth.login_required(**guards[1])(lambda: "in")))
        names = names_of_schemes(auth._configuration.schemes)
        route = next(one for one in auth.routes(app) if one.endpoint == "v")
        found.append(demand_of(route, names, auth._configuration.implied_scopes))
        statuses.append(Client(app).get("/", headers={"Authorization": "Bearer good"}).status_code)
    assert statuses == [403, 200]  # off() drops the outer level
    assert admits_more(*found) is None


def test_functions_of_one_name_are_counted(make_app):
    def deciding():
        return lambda details: bool(details)

    found = demands_of_views(
        make_app,
        two=lambda auth: (
            lambda view: auth.login_required(authorization_details=deciding())(
                auth.login_required(authorization_details=deciding())(view)
            )
        ),
        one=lambda auth: auth.login_required(authorization_details=deciding()),
    )
    assert len(found["two"].details) == 2
    assert admits_more(found["two"], found["one"]) is True
    assert admits_more(found["one"], found["two"]) is False
