"""What Chromium makes of the policies of the redirect and the page: logging in by a form, and in a pop-up."""

import pytest

from ..live.conftest import GUNICORN, running
from .person import Person
from .test_browser import started


@pytest.fixture(scope="module")
def url():
    command = (*GUNICORN, "tests.clients.isolation_app:app")
    with running("isolation", command) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def person(tmp_path):
    with started(tmp_path, Person, "--disable-popup-blocking") as found:
        yield found


def test_the_form_behind_the_redirect_sends_its_origin_over_plain_http(person, url):
    person.visit(url + "/private")
    person.arrive("/login?next=/private")
    person.run("document.forms[0].submit()")
    person.arrive("/private")
    assert person.run("document.body.innerText") == f"origin {url}"


def test_a_pop_up_that_is_led_to_the_login_page_can_still_tell_its_opener(person, url):
    person.visit(url + "/opener")
    person.run("window.popup = window.open('/private'), 1")
    person.wait("told === 'login page'")
    assert person.run("popup.closed") is False


def test_the_page_of_a_refusal_has_no_opener(person, url):
    person.visit(url + "/opener")
    person.run("window.popup = window.open('/tokens'), 1")
    person.wait("popup.closed")  # so it looks from a page that isn't in its group any more
