"""When Chromium opens the window for a password, and what scripts of other origins can read of a refusal."""

import json

import pytest

from ..live.conftest import GUNICORN, running
from .conftest import need
from .person import Person
from .test_browser import started

READ = "async a => [a.status, a.headers.get('WWW-Authenticate'), (await a.json()).error]"


@pytest.fixture(scope="module")
def port():
    command = (*GUNICORN, "-w", "2", "-k", "gthread", "--threads", "4", "tests.clients.popups_app:app")
    with running("popups", command) as server:
        yield server.port


@pytest.fixture
def person(tmp_path):
    with started(tmp_path, Person) as found:
        yield found


@pytest.fixture
def url(port):
    return f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("path", ["/either", "/quiet"])
def test_a_navigation_opens_the_window_and_gets_in(person, url, path):
    assert json.loads(person.open(url + path, ("ada", "pw"))) == {"you": "ada"}
    assert [scheme.lower() for scheme in person.asked] == ["basic"]
    assert person.run(f"fetch('{path}').then(a => a.status)") == 200  # the browser sends it from now on


@pytest.mark.rfc("F-07", "F-08", "F-09")
@pytest.mark.parametrize(
    ("path", "challenge"),
    [("/either", 'Cookie realm="popups", cookie-name="session"'), ("/quiet", 'XBasic realm="popups", charset="UTF-8"')],
)
def test_a_script_opens_no_window(person, url, path, challenge):
    person.visit(url + "/page")
    assert person.run(f"fetch('{path}').then({READ})") == [401, challenge, "Unauthorized"]
    old = f"""new Promise(done => {{
      const asked = new XMLHttpRequest()
      asked.onload = () => done([asked.status, asked.getResponseHeader('WWW-Authenticate')])
      asked.open('GET', '{path}')
      asked.send()
    }})"""
    assert person.run(old) == [401, challenge]
    assert person.asked == []


def test_images_and_frames(person, url):
    """An image opens no window; a frame is a page like another."""
    person.visit(url + "/page")
    load = "new Promise(done => {{const e = document.createElement('{}'); e.onload = e.onerror = done; {}}})"
    person.run(load.format("img", "e.src = '/quiet'") + ".then(() => 1)")
    assert person.asked == []
    person.run(load.format("iframe", "e.src = '/quiet'; document.body.append(e)") + ".then(() => 1)")
    assert [scheme.lower() for scheme in person.asked] == ["basic"]


def test_a_script_that_was_offered_the_other_name_may_use_it(person, url):
    person.visit(url + "/page")
    sent = "{headers: {Authorization: 'XBasic ' + btoa('ada:pw')}}"
    assert person.run(f"fetch('/quiet', {sent}).then(a => a.json())") == {"you": "ada"}
    sent = sent.replace(":pw", ":no")
    assert person.run(f"fetch('/quiet', {sent}).then({READ})")[::2] == [401, "Unauthorized"]
    assert person.asked == []


def test_over_plain_http_from_afar_a_script_has_to_say_that_it_is_one(tmp_path, port):
    """There browsers send no Fetch Metadata (its specification, §2), so that nothing else tells it from a program."""
    with started(tmp_path, Person, "--host-resolver-rules=MAP *.example 127.0.0.1") as person:
        person.visit(f"http://app.example:{port}/page")
        marked = "{headers: {'X-Requested-With': 'XMLHttpRequest'}}"
        assert person.run(f"fetch('/quiet', {marked}).then({READ})")[1].startswith("XBasic ")
        assert person.asked == []
        person.run("fetch('/quiet')")
        assert [scheme.lower() for scheme in person.asked] == ["basic"]


@pytest.mark.parametrize("path", ["/either", "/quiet"])
def test_the_page_of_a_refusal_with_its_explanation_holds_under_its_policy(person, url, path):
    assert "Why (for the developer)" in person.open(url + path)
    assert person.violations == []
    assert person.nameless() == []
    assert "main" in {role for role, _ in person.heard()}
    assert person.faint() == []
    person.run("document.body.insertAdjacentHTML('beforeend', '<p id=faint>faint</p>')")
    person.run("document.querySelector('#faint').style.color = '#888'")
    assert person.faint() == ["faint"]  # on white, and it passes by night
    person.run("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")
    person.run("new Promise(done => setTimeout(done, 50))")
    assert len(person.violations) == 1


# --- scripts of other origins


@pytest.fixture(params=["by-hand", "by-extension"])
def api(request, port, person):
    """The API as a page of another origin sees it."""
    if request.param == "by-extension":
        need("flask_cors")
    person.visit(f"http://localhost:{port}/page")
    return f"http://127.0.0.1:{port}/{request.param}/"


@pytest.mark.rfc("F-03", "F-05", "F-06")
@pytest.mark.parametrize("credentials", ["omit", "same-origin", "include"])
def test_a_script_of_another_origin_reads_the_refusal(person, api, credentials):
    asked = f"fetch('{api}', {{credentials: '{credentials}'}}).then({READ})"
    assert person.run(asked) == [401, 'Bearer realm="api"', "Unauthorized"]
    assert person.asked == []


@pytest.mark.rfc("F-01", "F-02")
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_preflight_passes_and_what_follows_is_judged(person, api, method):
    """The first one is refused with the reason, the other is let in. A password could be the browser's own doing."""
    sent = f"{{method: '{method}', headers: {{Authorization: 'Bearer bad'}}}}"
    status, challenge, error = person.run(f"fetch('{api}', {sent}).then({READ})")
    assert (status, error) == (401, "Unauthorized")
    assert challenge.startswith('Bearer realm="api", error="invalid_token"')
    assert person.run(f"fetch('{api}', {sent.replace('bad', 'good')}).then(a => a.json())") == {"you": "ada"}
    sent = sent.replace("Bearer bad'", "Basic ' + btoa('ada:pw')")
    assert person.run(f"fetch('{api}', {sent}).then(a => a.status)") == (200 if method == "GET" else 403)
    assert person.asked == []


def test_an_origin_that_is_not_allowed_reads_nothing(person, api, port):
    person.visit(f"http://127.0.0.1:{port}/page")
    other = api.replace("127.0.0.1", "localhost")
    assert person.run(f"fetch('{other}').then(a => a.status, e => e.name)") == "TypeError"
