"""Documents whose parts are shared, deep, huge or of the wrong type, and results that are changed afterwards."""

import copy
import json
import time

import pytest

from flask_unauthorized import Bearer, ConfigurationError
from flask_unauthorized.openapi.own import make_document
from flask_unauthorized.runtime.app_state import app_state_of

from .conftest import written

VIEWS = {"GET /a": {"scopes": {"a"}}, "GET /b": "public", "GET /c": {"scopes": {"c"}}, "GET /d": None}


def load(*_):
    return None


def shared(levels=18):
    """A list that stands for very many items, as an alias in YAML can (a "billion laughs")."""
    found = ["x"] * 10
    for _ in range(levels):
        found = [found, found]
    return found


@pytest.mark.parametrize("version", ["2.0", "3.0", "3.1", "3.2"])
def test_parts_that_stand_in_several_places_are_told_apart(site, version):
    _, auth = site(Bearer(load), views=VIEWS)
    lines = [f"GET /{name}" for name in "abcd"]
    operation = {"responses": {"200": {"description": "in"}, "401": {"description": "mine"}}}
    apart = written({line: copy.deepcopy(operation) for line in lines}, version)
    given = written(dict.fromkeys(lines, operation), version)
    kept = copy.deepcopy(given)
    assert auth.openapi(given) == auth.openapi(apart)
    assert given == kept


def test_responses_that_stand_in_several_places_are_told_apart(site):
    _, auth = site(Bearer(load), views=VIEWS)
    mine = {"description": "mine"}
    responses = {"401": mine, "418": mine}
    made = auth.openapi(written({"GET /a": {"responses": responses}, "GET /d": {"responses": responses}}))
    assert made["paths"]["/d"]["get"]["responses"] == {"401": {"description": "mine"}, "418": {"description": "mine"}}
    assert made["paths"]["/a"]["get"]["responses"]["418"] == {"description": "mine"}
    assert "WWW-Authenticate" in made["paths"]["/a"]["get"]["responses"]["401"]["headers"]


def test_path_items_that_stand_in_several_places_are_told_apart(site):
    _, auth = site(Bearer(load), views=VIEWS)
    item = {"get": {"responses": {"200": {"description": "in"}}}}
    made = auth.openapi({**written([]), "paths": {"/a": item, "/b": item, "/d": item}})
    assert [made["paths"][path]["get"].get("security") for path in ("/a", "/b", "/d")] == [
        [{"Bearer": ["a"]}],
        [],
        None,
    ]


def walk(value):
    yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(one)


def test_a_result_that_is_changed_changes_no_later_one(site):
    bearer = Bearer(load, openapi={"type": "http", "scheme": "bearer", "x-places": ["here"]})
    _, auth = site(bearer, views=VIEWS)
    given = written(["GET /a", "GET /c"])
    first = auth.openapi(given)
    kept = copy.deepcopy(first)
    for part in list(walk(first)):
        if isinstance(part, dict):
            part["evil"] = 1
        elif isinstance(part, list):
            part.append("evil")
    assert auth.openapi(given) == kept


def test_numbers_as_keys_stay_sortable(site):
    """YAML reads `200:` as a number, and Flask's JSON sorts keys."""
    app, auth = site(Bearer(load), views=VIEWS)
    given = written({"GET /a": {"responses": {200: {"description": "in"}}}})
    made = json.loads(app.json.dumps(auth.openapi(given)))
    assert {*made["paths"]["/a"]["get"]["responses"]} == {"200", "400", "401", "403"}


@pytest.mark.parametrize("servers", [5, "/api", [5], {}, [{"url": "http://[bad"}], [{"url": None}], [{"url": 5}]])
def test_servers_that_name_no_path(site, servers):
    _, auth = site(Bearer(load), views=VIEWS)
    assert auth.openapi(written(["GET /a"], servers=servers))["paths"]["/a"]["get"]["security"]


@pytest.mark.parametrize(
    "members",
    [
        {"paths": shared()},
        {"paths": {"/a": shared()}},
        {"paths": {"/a": {"get": shared()}}},
        {"paths": {"/a": {"get": {"responses": shared()}}}},
        {"openapi": shared()},
        {"components": shared()},
        {"components": {"securitySchemes": {"Bearer": shared()}}},
    ],
)
def test_what_is_wrong_is_told_shortly(site, members):
    _, auth = site(Bearer(load), views=VIEWS)
    with pytest.raises(ConfigurationError) as caught:
        auth.openapi({**written(["GET /a"]), **members})
    assert len(str(caught.value)) < 500


def test_a_document_that_is_nested_too_deeply(site):
    app, auth = site(Bearer(load), views=VIEWS)
    deep = {}
    for _ in range(5000):
        deep = {"a": deep}
    with pytest.raises(ConfigurationError, match="nested too deeply"):
        auth.openapi(written(["GET /a"], **{"x-deep": deep}), app=app)


def test_a_path_of_the_own_document_stands_for_all_rules_of_its_form(site):
    """/a/1 is open, /a/ada isn't, and both are URLs of /a/{id}."""
    app, _ = site(Bearer(load), views={"GET /a/<int:id>": "public", "GET /a/<name>": {}})
    get = make_document(app_state_of(app))["paths"]["/a/{id}"]["get"]
    assert get["security"] == [{}, {"Bearer": []}]
    assert "401" in get["responses"]


def test_the_time_grows_as_the_document_does(site):
    """With different scopes each operation has responses of its own."""

    def seconds(count):
        _, auth = site(Bearer(load), views={f"GET /a{i}": {"scopes": {f"s{i}"}} for i in range(count)})
        given = written([f"GET /a{i}" for i in range(count)])
        auth.openapi(written([]))
        best = []
        for _ in range(3):
            begin = time.process_time()
            auth.openapi(given)
            best.append(time.process_time() - begin)
        return min(best)

    assert seconds(1600) < 10 * seconds(400)
