"""Chromium at examples/oidc_login: redirects, the form that the provider posts, step-up, logout everywhere."""

import pytest

from ..browser.test_oidc_example import both
from .person import Person
from .test_browser import started

pytestmark = pytest.mark.tells_secrets(
    "log", "body", "header", because="OAuth carries state and nonce, which the session keeps, in URLs"
)


@pytest.mark.parametrize("response_mode", [None, "form_post"])
def test_login_step_up_and_logout_everywhere(tmp_path, response_mode):
    with both(response_mode) as (app, provider), started(tmp_path, Person) as person:
        person.visit(f"{app}/")
        send(person, name="ada", password="ada")
        person.wait("document.body.innerText.startsWith('Hello, ada.')")
        person.visit(f"{app}/vault")
        send(person, name="ada", password="ada", code="123456")
        person.wait("document.body.innerText === 'The vault of ada is open.'")
        person.visit(f"{provider}/")
        person.run("document.forms[0].submit()")
        person.wait("document.body.innerText.includes('1 app was told')")
        person.visit(f"{app}/")
        person.wait("document.querySelector('[name=password]') !== null")


def send(person, **fields):
    """Fill in the provider's form, and send it."""
    person.wait("document.querySelector('[name=password]') !== null")
    for name, value in fields.items():
        person.run(f"document.querySelector('[name={name}]').value = {value!r}")
    person.run("document.forms[0].submit()")
