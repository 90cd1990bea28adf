"""Remembered people in Chromium: a restart, twenty tabs at once, and a cookie that a second browser has stolen."""

from contextlib import suppress

import pytest

from ..live.conftest import running
from .person import Person
from .test_browser import started
from .test_people import WORKERS, ask

REMEMBER = "session_remember"


class Remembered(Person):
    """A `Person` at the app that remembers them."""

    def come_in(self, url, *, remember=True):
        self.visit(f"{url}/login")
        if remember:
            self.tab_to("#remember")
            self.press(" ")
        self.tab_to("button")
        self.press("Enter")
        self.arrive("/")

    def title(self):
        return self.wait("document.readyState === 'complete' && document.title")

    def value(self, url, name=REMEMBER):
        found = self.call("Network.getCookies", urls=[url])["cookies"]
        return next((cookie["value"] for cookie in found if cookie["name"] == name), None)

    def lose_session(self, url):
        """As at a restart: the cookie without an expiry is gone."""
        self.call("Network.deleteCookies", name="session", url=url)

    def leave(self):
        """Closes the browser as people do, so that it writes its cookies to the profile."""
        self._session = None
        self._send("Browser.close", {})
        with suppress(AssertionError):  # "the browser is gone"
            while True:
                self._receive()


class Clock:
    def __init__(self, file):
        self.file = file
        self.ahead = 0
        self.go_on(0)

    def go_on(self, seconds):
        self.ahead += seconds
        new = self.file.with_suffix(".new")
        new.write_text(str(self.ahead))
        new.replace(self.file)


@pytest.fixture
def clock(tmp_path):
    (tmp_path / "app").mkdir()
    return Clock(tmp_path / "app" / "ahead")


@pytest.fixture
def url(clock):
    command = (*WORKERS, "tests.clients.remember_app:app")
    with running("remember", command, REMEMBER_DATA=str(clock.file.parent)) as server:
        yield f"http://127.0.0.1:{server.port}"


def test_a_remembered_login_outlives_the_browser_and_another_one_does_not(tmp_path, url):
    for remember, title in ((True, "ada by the cookie"), (False, "Log in")):
        with started(tmp_path / str(remember), Remembered) as before:
            before.come_in(url, remember=remember)
            assert before.title().startswith("ada by hand ")
            before.leave()
        with started(tmp_path / str(remember), Remembered) as after:
            assert after.value(url, "session") is None
            after.visit(f"{url}/")
            assert after.title().startswith(title)


def test_twenty_tabs_at_once_are_one_device(tmp_path, url, clock):
    log = clock.file.with_name("log")
    with started(tmp_path / "profile", Remembered) as before:
        before.come_in(url)
        device = before.title().split()[-1]
        before.leave()
    log.unlink()
    with started(tmp_path / "profile", Remembered) as after:
        page, after._session = after._session, None
        for number in range(20):
            after._send("Target.createTarget", {"url": f"{url}/tab/{number}"})
        titles = {}
        while len(titles) < 20:
            for target in after.call("Target.getTargets")["targetInfos"]:
                if f"{url}/tab/" in target["url"] and target["title"].startswith("ada"):
                    titles[target["url"]] = target["title"]
        assert {title.split()[-1] for title in titles.values()} == {device}
        after._session = page
        assert len(log.read_text().splitlines()) == 1  # one of them gets the next cookie
        clock.go_on(60)
        after.lose_session(url)
        after.visit(f"{url}/devices")  # which is the one that the browser has
        assert after.run("JSON.parse(document.body.innerText).devices") == [device]


def test_a_stolen_cookie_that_comes_late_ends_the_login_and_tells_both(tmp_path, url, clock):
    with started(tmp_path / "ada", Remembered) as ada, started(tmp_path / "eve", Remembered) as eve:
        ada.come_in(url)
        stolen = ada.value(url)
        for _ in range(2):  # the second time, the browser shows that it has got the new cookie
            clock.go_on(60)
            ada.lose_session(url)
            ada.visit(f"{url}/")
            assert ada.title().startswith("ada by the cookie")
        assert ada.value(url) != stolen
        clock.go_on(60)
        assert_ended(eve, ada, url, stolen)
        ada.come_in(url)
        assert ada.title().startswith("ada by hand")


def test_a_thief_who_comes_first_is_found_when_both_go_on(tmp_path, url, clock):
    with started(tmp_path / "ada", Remembered) as ada, started(tmp_path / "eve", Remembered) as eve:
        ada.come_in(url)
        eve.call("Network.setCookie", name=REMEMBER, value=ada.value(url), url=url)
        eve.visit(f"{url}/")
        assert eve.title().startswith("ada by the cookie")
        clock.go_on(60)
        ada.lose_session(url)
        ada.visit(f"{url}/")  # to the server, Eve's answer may have been lost
        assert ada.title().startswith("ada by the cookie")
        clock.go_on(60)
        eve.lose_session(url)
        assert_ended(eve, ada, url, eve.value(url))


def assert_ended(thief, owner, url, stolen):
    """The thief's cookie is refused, and both read why. So do their scripts, with the session or the cookie alone."""
    thief.call("Network.setCookie", name=REMEMBER, value=stolen, url=url)
    for person in (thief, owner):
        person.visit(f"{url}/")
        person.wait("document.body.innerText.includes('used in a second place')")
        assert person.run("location.pathname") == "/"  # and no redirect hides it
        assert person.nameless() == person.faint() == []
        assert person.run("document.querySelector('a').pathname") == "/login"
        assert person.violations == []
        session, remember = person.value(url, "session"), person.value(url)
        assert remember is not None  # and the next page says the same
        for cookie in (f"{session}; {REMEMBER}={remember}", f"{session}", f"none; {REMEMBER}={remember}"):
            if session is not None or cookie.startswith("none;"):
                status, headers, body = ask(url, "/devices", cookie=cookie)
                assert status == 401
                assert "used in a second place" in body
                assert "Set-Cookie" not in headers
