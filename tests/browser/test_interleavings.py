"""Two requests at once about one remembered login: the second one comes between any two store operations of the first.

This is each race with one winner, without threads and without chance. `test_races` has the threads and processes.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from flask_unauthorized import signals
from flask_unauthorized.schemes.session.devices import public_id
from flask_unauthorized.schemes.session.storage import provider_key, read_list, store_key

from .sites import clock as clock
from .sites import listed, sessions
from .sites import site as site
from .steps import Steps, every_step, in_another_request

DAY = 86_400
ISSUER = "https://id.example"
NAMES = ("session", "session_remember")


def cookies(client):
    found = {name: client.get_cookie(name) for name in NAMES}
    return {name: cookie.value for name, cookie in found.items() if cookie is not None}


@pytest.fixture
def shop(site, clock):
    made = site(Steps(), remember=30 * DAY, lifetime=12 * 3600, idle=3600)
    made.app.add_url_rule(
        "/confirm", "confirm", made.auth.public(lambda: made.auth.confirm().subject), methods=["POST"]
    )
    return made


class Story:
    """A user has a remembered login that was used three times, and another device. An old copy of the cookie exists."""

    def __init__(self, shop, clock, number):
        self.clock, self.shop, self.name, self.sid = clock, shop, f"ada{number}", f"s{number}"
        owner = shop.device(self.name, remember="1", issuer=ISSUER, sid=self.sid)
        self.old = self.browser(session_remember=cookies(owner)["session_remember"])
        for _ in range(2):
            clock[0] += 3700
            assert owner.get("/").status_code == 200
        self.other = shop.device(self.name, agent="Other")
        clock[0] += 100
        self.held = cookies(owner)
        self.id = public_id(self.held["session_remember"].split(".")[2])

    def browser(self, **held):
        client = self.shop.app.test_client()
        for name, value in held.items():
            client.set_cookie(name, value)
        return client

    def owner(self, *names):
        return self.browser(**{name: self.held[name] for name in names or NAMES})

    def command(self, function):
        with self.shop.app.app_context():
            return function()


def _ask(client, method, path, **data):
    answered = client.open(path, method=method, data=data)
    assert answered.status_code in (200, 401), answered.text
    return SimpleNamespace(client=client, ok=answered.status_code == 200)


ACTIONS = {
    "present": lambda story: _ask(story.owner("session_remember"), "GET", "/"),
    "use": lambda story: _ask(story.owner(), "GET", "/"),
    "log in": lambda story: _ask(story.browser(), "POST", f"/login/{story.name}", remember="1"),
    "log in over": lambda story: _ask(story.owner(), "POST", f"/login/{story.name}", remember="1"),
    "confirm": lambda story: _ask(story.owner(), "POST", "/confirm"),
    "log out": lambda story: _ask(story.owner(), "POST", "/logout"),
    "log out by cookie": lambda story: _ask(story.owner("session_remember"), "POST", "/logout"),
    "end_session": lambda story: SimpleNamespace(
        client=None, ok=story.command(lambda: story.shop.auth.end_session(story.id, story.name))
    ),
    "end_sessions": lambda story: SimpleNamespace(
        client=None, ok=story.command(lambda: story.shop.auth.end_sessions(story.name)) is None
    ),
    "provider": lambda story: SimpleNamespace(
        client=None, ok=story.command(lambda: story.shop.cookie.end_by_provider(ISSUER, sid=story.sid)) != []
    ),
    "theft": lambda story: _ask(story.old, "GET", "/"),
}
ENDS = {"log out", "log out by cookie", "end_session", "end_sessions", "provider", "theft", "confirm", "log in over"}
FIRST = ("present", "use", "log in", "log in over", "confirm", "end_session", "log out by cookie")
"""What the second request interrupts. The store operations of the others are among those of these."""
ENTERS = {"log in", "log in over", "confirm"}


def is_in(story, client, name="/"):
    return client.get(name).status_code == 200


@pytest.fixture
def thefts():
    found = []

    def heard(sender, **arguments):
        found.append(arguments)

    with signals.session_stolen.connected_to(heard):
        yield found


@pytest.mark.parametrize("second", ACTIONS)
@pytest.mark.parametrize("first", FIRST)
def test_two_requests_at_once(shop, clock, thefts, first, second):
    for number in every_step():
        story = Story(shop, clock, number)
        thefts.clear()
        found = []
        shop.store.interrupt(lambda: found.append(in_another_request(lambda: ACTIONS[second](story))), number)
        answered = ACTIONS[first](story)
        if not shop.store.let_go():
            return
        _check(story, ((first, answered), (second, *found)), len(thefts))


def _check(story, done, thefts):
    names = [name for name, _ in done]
    is_ended = bool(thefts) or any(
        result.ok if name not in ("log out", "log out by cookie") else True
        for name, result in done
        if name in ENDS - {"theft"}
    )
    assert thefts <= 1
    all_ended = "end_sessions" in names
    copies = [story.owner("session"), story.owner("session_remember")]
    copies += [result.client for name, result in done if name in ("present", "use")]
    kept = [cookies(client) for client in copies]
    for later in (0, 2, 40):  # entries that live for a second only are gone, and so are repetitions
        story.clock[0] += later
        for held in kept:
            assert is_in(story, story.browser(**held)) is False or not is_ended, (names, later, sorted(held))
        if not is_ended:
            break
    for name, result in done:
        if name not in ENTERS or not result.ok:
            continue
        client, others = result.client, [other for other in done if other[1] is not result]
        alive = is_in(story, client)
        if not all_ended and not any(other in ENDS for other, _ in others):
            assert alive, names
        if name == "confirm" and (all_ended or thefts or any(o[1].ok for o in others if o[0] in _DECISIVE)):
            assert not alive, names
    browsers = [result.client for name, result in done if result.client is not None]
    alive = [client for client in browsers if is_in(story, client)]
    story.clock[0] += 61
    alive = [client for client in alive if is_in(story, client)]  # which notes the use
    shown = {next(one["id"] for one in listed(client) if one["current"]) for client in alive}
    rows = {one.id for one in sessions(story.shop, story.name)}
    assert shown <= rows
    assert is_in(story, story.other) is not all_ended


_DECISIVE = {"end_session", "provider"}


def test_a_cookie_that_is_presented_while_all_sessions_end_opens_none_that_stays(shop, clock):
    """The cookie was read before, and is rotated when all sessions have ended, and its device hasn't yet."""
    for of_end in every_step():
        was_paused = False
        for of_opening in every_step():
            story = Story(shop, clock, f"{of_end}-{of_opening}")
            paused, goes_on = threading.Event(), threading.Event()

            def pause():
                paused.set()
                assert goes_on.wait(60)

            def end_all():
                shop.store.interrupt(pause, of_end)
                ACTIONS["end_sessions"](story)
                paused.set()
                return shop.store.let_go()

            with ThreadPoolExecutor(1) as pool:
                ending = []

                def end_half():
                    ending.append(pool.submit(end_all))
                    assert paused.wait(60)

                shop.store.interrupt(end_half, of_opening)
                opened = ACTIONS["present"](story).client
                was_interrupted = shop.store.let_go()
                goes_on.set()
                was_paused |= was_interrupted and ending[0].result(60)
            if not was_interrupted:
                break
            clock[0] += 2
            assert not is_in(story, opened)
            assert not is_in(story, opened)
        if not was_paused:
            return


@pytest.mark.parametrize("named", ["sid", "subject"])
@pytest.mark.parametrize("before", [0, 21])
def test_a_logout_at_the_provider_while_its_login_begins(shop, clock, named, before):
    """The provider's logout comes between any two steps of the login that it names."""
    for number in every_step(400):
        name, sid = f"eve{number}", f"s{number}"
        for _ in range(before):  # Then the login ends the oldest device as well.
            shop.device(name)
        client = shop.app.test_client()
        names = {"sid": sid} if named == "sid" else {"subject": name}

        def end_there(names=names):
            with shop.app.app_context():
                return shop.cookie.end_by_provider(ISSUER, **names)

        shop.store.interrupt(lambda: in_another_request(end_there), number)
        data = {"remember": "1", "issuer": ISSUER, "sid": sid}
        status = client.post(f"/login/{name}", data=data).status_code
        if not shop.store.let_go():
            return
        is_alive = client.get("/").status_code == 200
        if status == 200 and is_alive:
            # The logout was over before the login read the mark that it leaves, so the login came after it.
            assert number <= (2 if named == "sid" else 1)
        elif status != 200:
            assert status == 401
            assert not is_alive
            assert len(sessions(shop, name)) == min(before, 20) - (before > 20)
        assert is_in(SimpleNamespace(), shop.device(name))


def test_two_confirmations_at_once_leave_one_device(shop, clock):
    for number in every_step():
        story = Story(shop, clock, number)
        found = []

        def confirm(story=story, found=found):
            found.append(ACTIONS["confirm"](story))

        shop.store.interrupt(lambda: in_another_request(confirm), number)
        first = ACTIONS["confirm"](story)
        if not shop.store.let_go():
            return
        winners = [one for one in (first, *found) if one.ok]
        assert 1 <= len(winners) <= 2
        assert sum(is_in(story, one.client) for one in winners) == 1
        clock[0] += 2
        with shop.app.app_context():
            entries = shop.cookie._entries
            for key, purpose in ((story.name, "sessions"), (ISSUER, "provider-session")):
                text = shop.store.get(
                    purpose,
                    store_key("shop", key) if purpose == "sessions" else provider_key("shop", ISSUER, story.sid),
                )
                rows = read_list(text)
                assert all(entries.find("shop", row.session_id)[1] is not None for row in rows), (number, purpose)
                # Each row is a device that is alive: the confirmed one, and in the list of the user the other one.
                assert len(rows) == (2 if purpose == "sessions" else 1), (number, purpose)
