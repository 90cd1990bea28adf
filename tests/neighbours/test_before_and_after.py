"""With our line, every 401 of a neighbour has a challenge, and nothing else of its answers changes."""

import json

import pytest

from flask_unauthorized.wire import parse_challenges
from tests.independent import independent

from .harness import CHALLENGE, EXPOSE, FLASKS_OWN_PAGE, PRIVATE, answer, cases, names, served

CASES = pytest.mark.parametrize(("neighbour", "ask"), cases("asks"))
LINES = pytest.mark.parametrize("line", ["first", "last"])
_OURS = (CHALLENGE, EXPOSE, *PRIVATE)
_OF_A_BODY = ("Content-Type", "Content-Length")
_OF_OUR_PAGE = ("Content-Security-Policy", "X-Content-Type-Options", "Content-Language")
_UNLESS_SET = ("Referrer-Policy", "Cross-Origin-Opener-Policy")  # our page has them unless the neighbour sets them


def both(neighbour, ask, line):
    before, after = (answer(served(neighbour, which), ask) for which in ("none", line))
    assert before.status == ask.status, before.body
    return before, after


@CASES
@LINES
def test_only_a_401_changes_and_of_it_only_what_is_ours(neighbour, ask, line):
    before, after = both(neighbour, ask, line)
    if ask.status != 401 or ask.outside:
        assert after == before
        return
    assert after.status == 401
    if not ask.page:
        assert (after.without(*_OURS), after.body) == (before.without(*_OURS), before.body)
        return
    assert before.body == FLASKS_OWN_PAGE
    added = [name for name in _UNLESS_SET if not before.lines(name)]
    replaced = (*_OURS, *_OF_A_BODY, *_OF_OUR_PAGE, *added)
    assert after.without(*replaced) == before.without(*replaced)
    if "Accept" in ask.headers:
        assert after.lines("Content-Type") == ("text/html; charset=utf-8",)
        assert after.body.startswith(b"<!doctype html>")
    else:
        assert after.lines("Content-Type") == ("application/json",)
        assert json.loads(after.body)["error"] == "Unauthorized"


@CASES
@LINES
def test_every_401_has_a_valid_challenge_and_its_own_stays_where_it_was_valid(neighbour, ask, line):
    before, after = both(neighbour, ask, line)
    lines = after.lines(CHALLENGE)
    if ask.status != 401 or ask.outside:
        assert lines == before.lines(CHALLENGE)
        return
    assert lines == (before.lines(CHALLENGE) if ask.after is None else ask.after)
    read = [(scheme.lower(), parameters) for scheme, parameters in independent(*lines)]
    assert read, "no challenge, says httplint"
    ours = [challenge for line in lines for challenge in parse_challenges(line)]
    assert [(challenge.scheme.lower(), dict(challenge.params)) for challenge in ours] == read


@CASES
@LINES
def test_no_cache_may_keep_a_401(neighbour, ask, line):
    before, after = both(neighbour, ask, line)
    changes = ask.status == 401 and not ask.outside
    if changes:
        assert "no-store" in names(after, "Cache-Control")
        assert names(after, "Vary") >= names(before, "Vary") | {"authorization"}
    exposed = names(after, EXPOSE) - names(before, EXPOSE)
    readable = changes and after.lines("Access-Control-Allow-Origin") != ()
    assert exposed == ({"www-authenticate"} if readable else set())
