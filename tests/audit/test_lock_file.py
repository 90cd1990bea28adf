"""The lock file: its text, and that reading it gives back what was written."""

import random

import pytest

from flask_unauthorized.audit.changes import find_changes
from flask_unauthorized.audit.demand import Demand
from flask_unauthorized.audit.lock_file import HEAD, LockError, Place, parse, render

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


ODD = ("or", "a or b", 'with "quotes"', "back\\slash", "line\nend", "ümläut", "#", " ", "<lambda>")


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
        place = Place(
            rng.choice(("/", "/a b/<path:x>", "/<int(min=1):n>")), rng.choice(("", "<a>.example")), rng.choice(ODD),
            rng.choice(("view", "websocket", "alias")), rng.choice(ODD),
        )  # fmt: skip
        lock = {place: {"GET": demand, "PROPFIND": demand}}
        assert parse(render(lock)) == lock


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


def test_methods_that_share_a_change_are_one():
    (change,) = find_changes({Place("/a"): {"GET": ADMIN, "HEAD": ADMIN}}, {Place("/a"): {"GET": OPEN, "HEAD": OPEN}})
    assert str(change) == "loosened: GET HEAD /a: roles admin via Bearer -> OPEN"
