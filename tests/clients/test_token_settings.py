"""A person in Chromium, by keyboard alone, at the example with personal access tokens."""

import re

import pytest

from ..live.conftest import running
from .person import Person
from .test_browser import started
from .test_people import WORKERS, ask

WORD = "correct horse"
SHOWN = "document.querySelector('#token')?.innerText"


@pytest.fixture
def url(tmp_path):
    command = (*WORKERS, "tests.clients.tokens_app:app")
    with running("tokens", command, TOKEN_SETTINGS_DATA=str(tmp_path / "data")) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def person(tmp_path):
    with started(tmp_path / "profile", Person) as found:
        yield found


def test_a_token_from_its_form_to_its_end_by_keyboard(person, url):
    def api(token):
        return ask(url, "/api/notes", Authorization=f"Bearer {token}")[0]

    def check_page():
        assert person.nameless() == person.faint() == []
        assert person.run("[document.documentElement.lang, document.querySelectorAll('h1').length]") == ["en", 1]

    person.call("Emulation.setDeviceMetricsOverride", width=320, height=844, deviceScaleFactor=1, mobile=False)
    person.visit(url + "/tokens")
    person.arrive("/login?next=/tokens")
    person.log_in("ada", WORD)
    person.arrive("/tokens")
    person.tab_to("#name")
    person.write("Laptop of Ada")
    person.tab_to("#scope-1")
    person.press(" ")
    person.press("Enter")  # sends the form
    token = person.wait(SHOWN)
    assert re.fullmatch(r"notes_[0-9A-Za-z]{36}", token)
    assert api(token) == 200
    assert person.run("location.pathname + location.search") == "/tokens"
    check_page()
    assert person.run("document.documentElement.scrollWidth") <= 320

    person.call("Page.reload")  # sends the form again
    person.wait("document.querySelector('h1').innerText === 'This form was sent before'")
    assert person.run(f"document.documentElement.outerHTML.includes('{token}')") is False
    check_page()
    person.tab_to("main > p a")
    person.press("Enter")
    person.wait("document.querySelectorAll('.tokens li').length === 1")
    assert person.run("document.querySelector('.tokens').innerText.includes('Laptop of Ada')")
    check_page()
    assert person.run("document.documentElement.scrollWidth") <= 320

    person.tab_to(".tokens summary")
    person.press("Enter")
    person.tab_to(".tokens details button")
    person.press("Enter")
    successor = person.wait(SHOWN)
    assert successor != token
    assert [api(token), api(successor)] == [200, 200]
    person.visit(url + "/tokens")
    person.wait("document.querySelectorAll('.tokens li').length === 2")
    assert person.run(f"document.documentElement.outerHTML.includes('{successor}')") is False

    person.tab_to("main > details summary")
    person.press("Enter")
    person.tab_to("main > details button")
    person.press("Enter")
    person.wait("document.querySelector('[role=status]')?.innerText === 'All your tokens are revoked.'")
    assert [api(token), api(successor)] == [401, 401]
    assert person.violations == []
