"""The process dies, or the store fails, between any two steps; and the response arrives or gets lost.

Afterwards the store is up again. Nobody is locked out for good, nobody stays in who logged out, and a copy of a cookie
lives no longer than before.
"""

from contextlib import suppress

import pytest

from flask_unauthorized import AuthUnavailable
from flask_unauthorized.schemes.session.devices import public_id

from .sites import clock as clock
from .sites import listed, sessions
from .sites import site as site
from .steps import ProcessDied, every_step
from .test_interleavings import ACTIONS, Story, cookies, is_in
from .test_interleavings import shop as shop

DAY = 86_400
LATER = (31, 3700)
FAILURES = {"dies": ProcessDied, "unavailable": ConnectionRefusedError}


def _fail(error):
    def fail():
        raise error

    return fail


class Browser:
    """The owner's browser. It keeps what a response sets, if that arrives."""

    def __init__(self, story, names):
        self.story, self.held = story, {name: story.held[name] for name in names}

    def send(self, method, path, *, arrives=True, **data):
        client = self.story.browser(**self.held)
        try:
            status = client.open(path, method=method, data=data).status_code
        except ProcessDied:
            return None
        if arrives:
            self.held = cookies(client)
        return status

    def is_in(self):
        return self.send("GET", "/") == 200

    def restart(self):
        self.held.pop("session", None)


BOTH, COOKIE = ("session", "session_remember"), ("session_remember",)
KEEPS = {
    "present": (COOKIE, "GET", "/"),
    "use": (BOTH, "GET", "/"),
    "confirm": (BOTH, "POST", "/confirm"),
}
BEGINS = {"log in": ((), "POST", "/login/"), "log in over": (BOTH, "POST", "/login/")}
ENDS = {"log out": (BOTH, "POST", "/logout"), "log out by cookie": (COOKIE, "POST", "/logout")}
COMMANDS = ("end_session", "end_sessions", "provider")


def _runs(shop, clock, failure, after, arrives, names, method, path, **data):
    """Give the story, the browser and the status for each step at which the request is interrupted, and without."""
    for number in every_step():
        story = Story(shop, clock, number)
        browser = Browser(story, names)
        shop.store.interrupt(_fail(FAILURES[failure]), number, after=after)
        where = path + story.name if path == "/login/" else path
        status = browser.send(method, where, arrives=arrives, **data)
        happened = shop.store.let_go()
        assert status in ((200, 503, None) if happened else (200,))
        yield story, browser, status
        if not happened:
            return


crashes = pytest.mark.parametrize(("failure", "arrives"), [("dies", False), ("unavailable", True)])
before_or_after = pytest.mark.parametrize("after", [False, True])


def assert_can_log_in(story, browser):
    assert browser.send("POST", f"/login/{story.name}", remember="1") == 200
    assert browser.is_in()
    browser.restart()
    assert browser.is_in()


def assert_listed(story, browser):
    """The browser's device is in the list at the latest when its next use is noted."""
    story.clock[0] += 61
    assert browser.is_in()
    client = story.browser(**browser.held)
    (shown,) = [one["id"] for one in listed(client) if one["current"]]
    assert shown in {one.id for one in sessions(story.shop, story.name)}


@crashes
@before_or_after
@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("request_", KEEPS)
def test_who_was_in_stays_in(shop, clock, failure, arrives, after, later, request_):
    for story, browser, status in _runs(shop, clock, failure, after, arrives, *KEEPS[request_]):
        clock[0] += later
        if request_ == "confirm" and not browser.is_in():  # the former login has ended, and the next one didn't arrive
            assert not arrives or status == 503
            assert_can_log_in(story, browser)
            continue
        assert browser.is_in()
        assert_listed(story, browser)
        browser.restart()
        assert browser.is_in()
        clock[0] += 31
        assert not is_in(story, story.old)
        if request_ != "confirm":
            assert not browser.is_in()
            browser.restart()
        assert_can_log_in(story, browser)


@crashes
@before_or_after
@pytest.mark.parametrize("request_", BEGINS)
def test_who_logs_in_gets_in_now_or_at_the_second_attempt(shop, clock, failure, arrives, after, request_):
    for story, browser, status in _runs(shop, clock, failure, after, arrives, *BEGINS[request_], remember="1"):
        if status == 200 and arrives:
            assert browser.is_in()
            assert_listed(story, browser)
        if request_ == "log in over" and status == 200:
            assert not is_in(story, story.owner("session"))
            assert not is_in(story, story.owner("session_remember"))
        assert_can_log_in(story, browser)
        assert_listed(story, browser)
        assert story.other.get("/").status_code == 200
        alive = {one.id for one in sessions(shop, story.name)}
        assert len(alive) <= 5


@crashes
@before_or_after
def test_a_session_whose_entry_was_lost_is_listed_again(shop, clock, failure, arrives, after):
    """Entering it again takes two steps, and the first one alone is done."""
    for number in every_step():
        story = Story(shop, clock, number)
        browser = Browser(story, BOTH)
        shop.store._entries.clear()
        shop.store._sweep_queue.clear()
        shop.store.interrupt(_fail(FAILURES[failure]), number, after=after)
        browser.send("GET", "/", arrives=arrives)
        happened = shop.store.let_go()
        assert_listed(story, browser)
        if not happened:
            return


def test_an_opened_session_is_listed_that_outlives_the_series(shop, clock):
    """It began an hour before the end of the series, and another login drops from the list what is over."""
    story = Story(shop, clock, 1)
    clock[0] += 30 * DAY - 7500 - 3600
    browser = Browser(story, COOKIE)
    assert browser.is_in()
    for _ in range(6):
        clock[0] += 1800
        assert browser.is_in()
    shop.device(story.name)
    assert_listed(story, browser)


@crashes
@before_or_after
@pytest.mark.parametrize("request_", ENDS)
def test_who_logged_out_is_out_everywhere(shop, clock, failure, arrives, after, request_):
    for story, browser, status in _runs(shop, clock, failure, after, arrives, *ENDS[request_]):
        if arrives:  # also if the store failed
            assert browser.held == {}
            assert not browser.is_in()
        if status != 200:  # the user was told, and the button is still there for those whose response was lost
            browser = Browser(story, ENDS[request_][0])
            assert browser.send("POST", "/logout") == 200
        for later in LATER:
            clock[0] += later
            assert not is_in(story, story.owner("session"))
            assert not is_in(story, story.owner("session_remember"))
        assert story.id not in {one.id for one in sessions(shop, story.name)}
        assert_can_log_in(story, browser)


@pytest.mark.parametrize("failure", FAILURES)
@before_or_after
@pytest.mark.parametrize("command", COMMANDS)
def test_what_ended_a_device_did_so_or_does_when_it_is_repeated(shop, clock, failure, after, command):
    for number in every_step():
        story = Story(shop, clock, number)
        shop.store.interrupt(_fail(FAILURES[failure]), number, after=after)
        try:
            ACTIONS[command](story)
        except (ProcessDied, AuthUnavailable):
            assert shop.store.let_go()
            ACTIONS[command](story)
            happened = True
        else:
            happened = shop.store.let_go()
        for later in (0, 2, 31):
            clock[0] += later
            assert not is_in(story, story.owner("session"))
            assert not is_in(story, story.owner("session_remember"))
        assert public_id(story.held["session_remember"].split(".")[2]) not in {
            one.id for one in sessions(shop, story.name)
        }
        if not happened:
            return


@crashes
@before_or_after
def test_a_thief_is_found_out_although_responses_were_lost(shop, clock, failure, arrives, after):
    """The thief uses the current cookie, and a response of theirs fails at each step. Then the owner comes."""
    for story, thief, _ in _runs(shop, clock, failure, after, arrives, *KEEPS["present"]):
        for _ in range(2):  # each has presented what it received
            clock[0] += 3700
            thief.restart()
            assert thief.is_in()
        clock[0] += 31
        assert not is_in(story, story.owner("session_remember"))
        assert not thief.is_in()
        thief.restart()
        assert not thief.is_in()


@crashes
@before_or_after
def test_a_theft_that_was_interrupted_ends_the_login_at_the_next_attempt(shop, clock, failure, arrives, after):
    for number in every_step():
        story = Story(shop, clock, number)
        shop.store.interrupt(_fail(FAILURES[failure]), number, after=after)
        with suppress(ProcessDied):
            assert story.old.get("/").status_code in (401, 503)
        happened = shop.store.let_go()
        for later in (0, 31):
            clock[0] += later
            assert story.old.get("/").status_code == 401
            assert not is_in(story, story.owner("session"))
            assert not is_in(story, story.owner("session_remember"))
        assert story.id not in {one.id for one in sessions(shop, story.name)}
        if not happened:
            return
