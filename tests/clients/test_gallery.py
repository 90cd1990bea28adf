"""What Chromium does with ``Clear-Site-Data`` after a logout, and with pictures that other sites mustn't load."""

import pytest

from ..live.conftest import GUNICORN, running
from .person import Person
from .test_browser import started


@pytest.fixture(scope="module")
def port():
    command = (*GUNICORN, "-w", "1", "-k", "gthread", "--threads", "4", "tests.clients.gallery_app:app")
    with running("gallery", command) as server:
        yield server.port


@pytest.fixture
def person(tmp_path):
    with started(tmp_path, Person) as found:
        yield found


def post(person, path):
    assert person.run(f"fetch('{path}', {{method: 'POST'}}).then(a => a.status)") == 200


@pytest.mark.parametrize(("site", "shown"), [("clears", False), ("keeps", True)])
def test_the_back_button_after_the_logout(person, port, site, shown):
    """The page may be stored for ten minutes. Only ``Clear-Site-Data`` makes the browser ask for it again."""
    person.visit(f"http://127.0.0.1:{port}/{site}/open")
    post(person, f"/{site}/login")
    person.visit(f"http://127.0.0.1:{port}/{site}/page")
    person.wait("document.title === 'page'")
    person.visit(f"http://127.0.0.1:{port}/{site}/open")
    person.wait("document.title === 'open'")
    post(person, f"/{site}/logout")
    person.run("void history.back()")
    person.wait(f"location.pathname === '/{site}/page' && document.readyState === 'complete'")
    assert ("private" in person.run("document.body.innerText")) is shown


LOAD = """new Promise(done => {{
  const picture = new Image()
  picture.onload = () => done(true)
  picture.onerror = () => done(false)
  picture.src = '{url}'
}})"""


@pytest.mark.parametrize(("site", "loads"), [("clears", True), ("strict", False)])
def test_a_picture_in_a_page_of_another_port(person, port, site, loads, tmp_path):
    """To the browser it is the same site, so it sends the cookie, SameSite or not."""
    own = f"http://127.0.0.1:{port}/{site}"
    person.visit(f"{own}/open")
    post(person, f"/{site}/login")
    assert person.run(LOAD.format(url=f"{own}/picture")) is True
    command = (*GUNICORN, "-w", "1", "-k", "gthread", "--threads", "2", "tests.clients.gallery_app:app")
    with running("gallery2", command) as other:
        person.visit(f"http://127.0.0.1:{other.port}/keeps/open")
        assert person.run(LOAD.format(url=f"{own}/picture")) is loads
        person.visit(f"{own}/picture")  # a link goes on working
        person.wait("document.documentElement.localName === 'svg'")
