"""htmx in Chromium: a fragment that needs a login leads the person to the login page and back."""

import subprocess

import pytest

from ..live.conftest import GUNICORN, running
from .conftest import need
from .test_browser import Browser, started

WHERE = "location.pathname + decodeURIComponent(location.search)"


@pytest.fixture(scope="module", params=["1.9.12", "2.0.4"])
def url(request, tmp_path_factory):
    need("chromium")
    folder = tmp_path_factory.mktemp("htmx")
    subprocess.run(
        [need("npm"), "install", "--no-audit", "--no-fund", "--prefix", str(folder), f"htmx.org@{request.param}"],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    script = folder / "node_modules" / "htmx.org" / "dist" / "htmx.js"
    with running("htmx", (*GUNICORN, "tests.clients.htmx_app:app"), CLIENTS_HTMX=str(script)) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def browser(tmp_path):
    with started(tmp_path, Browser) as found:
        yield found


def wait_for(browser, expression):
    """Wait until a script in the page gives something true, and return it."""
    failing = "if (!found) throw new Error('not yet')"
    return browser.run(f"(() => {{ const found = {expression}; {failing}; return found }})()")


def log_in(browser):
    wait_for(browser, "!!document.querySelector('#in')")
    browser.run("document.querySelector('#in').click()")


@pytest.mark.parametrize(
    ("click", "login_page", "back"),
    [
        ("get", "/login?next=/list?page=2", "/list?page=2"),
        ("post", "/login?next=/list?page=2", "/list?page=2"),
        ("boosted", "/login?next=/private?page=3", "/private?page=3"),
    ],
)
def test_a_person_is_led_to_the_login_page_and_back(browser, url, click, login_page, back):
    browser.open(f"{url}/list?page=2")
    browser.run(f"document.querySelector('#{click}').click()")
    assert wait_for(browser, f"location.pathname === '/login' && {WHERE}") == login_page
    log_in(browser)
    assert wait_for(browser, f"location.pathname !== '/login' && {WHERE}") == back
    wait_for(browser, "document.readyState === 'complete' && !!window.htmx")
    browser.run("document.querySelector('#get').click()")
    assert wait_for(browser, "document.querySelector('#there').innerText") == "for ada"


def test_a_page_of_the_history_shows_the_login_form_after_a_logout(browser, url):
    browser.open(f"{url}/private")
    log_in(browser)
    wait_for(browser, "document.body.innerText.includes('The private page')")
    browser.run("document.querySelector('#away').click()")
    wait_for(browser, "location.pathname === '/list' && document.body.innerText.includes('The list')")
    browser.run("fetch('/logout', {method: 'POST'}).then(answer => answer.status)")
    browser.run("localStorage.clear(), sessionStorage.clear()")
    browser.run("history.back()")
    assert wait_for(browser, "document.body.innerText.includes('Log in') && location.pathname") == "/private"
    log_in(browser)
    wait_for(browser, "document.body.innerText.includes('The private page')")
