"""People in Chromium at the example with a login page, served by two workers that share a store."""

import http.client
from urllib.parse import quote, urlencode, urlsplit

import pytest

from ..live.conftest import GUNICORN, running
from .person import Person
from .test_browser import started

USER, WORD = "ada", "correct horse"
WORKERS = (*GUNICORN, "-w", "2", "-k", "gthread", "--threads", "4")


def ask(url, path, method="GET", cookie=None, form=None, **headers):
    """One request on its own connection: status, fields, body."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if cookie is not None:
        headers["Cookie"] = f"session={cookie}"
    if form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        connection.request(method, path, None if form is None else urlencode(form), headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def session_in(headers):
    """The session that a response sets, beside other cookies."""
    found = [line for line in headers.get_all("Set-Cookie") if line.startswith("session=")]
    return found[0].partition("session=")[2].partition(";")[0]


def on_all_workers(url, cookie):
    """The status of the API for a cookie, on each of the two workers."""
    found = {}
    for _ in range(500):
        status, headers, _ = ask(url, "/api/notes", cookie=cookie)
        found[headers["X-Worker"]] = status
        if len(found) == 2:
            return list(found.values())
    raise AssertionError("one worker alone has answered 500 requests")


@pytest.fixture(scope="module")
def serve(tmp_path_factory):
    def start(**config):
        folder = tmp_path_factory.mktemp("notes")
        command = (*WORKERS, "tests.clients.people_app:app")
        return running("people", command, BROWSER_LOGIN_DATA=str(folder), **config)

    return start


def registered(server):
    url = f"http://127.0.0.1:{server.port}"
    for name in (USER, "eve"):
        status, _, body = ask(url, "/register", "POST", form={"name": name, "password": WORD})
        assert status == 302, body
    return url


@pytest.fixture(scope="module")
def url(serve):
    with serve() as server:
        yield registered(server)


@pytest.fixture(scope="module")
def elsewhere():
    """Another site, and an API for other origins."""
    with running("popups", (*WORKERS, "tests.clients.popups_app:app")) as server:
        yield server.port


@pytest.fixture
def person(tmp_path):
    with started(tmp_path, Person) as found:
        yield found


def test_a_page_leads_to_the_login_page_and_back_by_keyboard_alone(person, url):
    person.visit(url + "/?q=milk&tab=%C3%BC")
    person.arrive(f"/login?next={quote('/?q=milk&tab=%C3%BC', safe='/?')}")
    person.log_in(USER, "wrong horse")
    person.wait("document.querySelector('[role=alert]')?.innerText === 'The name or the password is wrong.'")
    person.log_in(USER, WORD)
    person.arrive("/?q=milk&tab=%C3%BC")
    person.tab_to("#text")
    person.write("oat milk")
    person.press("Enter")
    person.wait("document.querySelector('#notes li span')?.innerText === 'oat milk'")
    person.tab_to("#notes button")
    person.press(" ")
    person.wait("document.querySelectorAll('#notes li').length === 0 && document.activeElement.id === 'text'")
    assert person.violations == []


def test_a_session_that_is_over_is_told_to_the_script_and_the_page_stays(person, url):
    enter(person, url)
    person.wait("!document.querySelector('#none').hidden || document.querySelector('#notes li') !== null")
    assert ask(url, "/logout", "POST", cookie=person.cookie(url))[0] == 302  # elsewhere
    person.tab_to("#text")
    person.write("unsaved")
    person.press("Enter")
    person.wait("document.querySelector('#problem').innerText.includes('Your session is over')")
    assert person.faint() == []
    script = (
        "fetch('/api/notes').then(async a => [a.status, a.headers.get('WWW-Authenticate'), (await a.json()).error])"
    )
    status, challenge, error = person.run(script)
    assert (status, error) == (401, "Unauthorized")
    assert challenge.startswith('Cookie realm="Notes", form-action="/login"')
    assert person.asked == []
    person.tab_to("#problem a")
    person.press("Enter")
    person.arrive("/login?next=/")
    person.log_in(USER, WORD)
    person.arrive("/")
    assert person.wait("document.querySelector('#text').value") == "unsaved"
    assert person.violations == []


def enter(person, url, path="/"):
    person.visit(url + "/login?next=" + quote(path, safe=""))
    person.log_in(USER, WORD)
    person.arrive(path)


@pytest.mark.rfc("CK-03")
def test_ses_01_02_a_session_from_before_the_login_is_worthless_after_it(person, url):
    _, headers, _ = ask(url, "/login", "POST", form={"name": "eve", "password": WORD})
    _, headers, _ = ask(url, "/logout", "POST", cookie=session_in(headers))
    planted = session_in(headers)  # the session of nobody, with a message in it
    person.call("Network.setCookie", name="session", value=planted, url=url)
    person.visit(url + "/?q=x")
    assert "You are logged out" in person.run("document.body.innerText")  # it was taken
    person.log_in(USER, WORD)
    person.arrive("/?q=x")
    assert on_all_workers(url, planted) == [401, 401]
    assert on_all_workers(url, person.cookie(url)) == [200, 200]


def test_ses_03_logging_out_ends_copied_cookies_on_every_worker(person, url):
    enter(person, url)
    copied = person.cookie(url)
    assert on_all_workers(url, copied) == [200, 200]
    person.tab_to("header button")
    person.press("Enter")
    person.arrive("/login")
    assert on_all_workers(url, copied) == [401, 401]
    person.visit(url + "/account")
    person.arrive("/login?next=/account")


def test_the_back_button_shows_nothing_after_the_logout(person, url):
    enter(person, url)
    person.tab_to("#text")
    person.write("nobody else's business")
    person.press("Enter")
    person.wait("document.querySelector('#notes').innerText.includes('business')")
    person.tab_to("header button")
    person.press("Enter")
    person.arrive("/login")
    person.run("history.back()")
    person.arrive("/login?next=/")


def test_ses_04_a_new_password_ends_all_other_sessions(person, serve):
    with serve() as server:
        url = registered(server)
        enter(person, url, "/account")
        copied = person.cookie(url)
        _, headers, _ = ask(url, "/login", "POST", form={"name": USER, "password": WORD})
        other = session_in(headers)
        person.tab_to("#password")
        person.write("another battery")
        person.press("Enter")
        person.wait("document.body.innerText.includes('Your password is changed')")
        assert [on_all_workers(url, cookie) for cookie in (copied, other)] == [[401, 401]] * 2
        assert on_all_workers(url, person.cookie(url)) == [200, 200]


def test_an_old_login_is_asked_for_once_more_and_comes_back(person, url):
    person.visit(url + "/login")
    assert person.run("fetch('/test/old-login', {method: 'POST'}).then(a => a.status)") == 200
    person.visit(url + "/account")
    person.arrive("/login?next=/account")
    person.log_in(USER, WORD)
    person.arrive("/account")
    assert "Account of ada" in person.run("document.querySelector('h1').innerText")
    assert person.violations == []


def test_a_form_without_a_login_gets_a_page_that_says_what_became_of_it(person, url):
    enter(person, url, "/account")
    person.call("Network.clearBrowserCookies")
    person.tab_to("#password")
    person.write("another battery")
    person.press("Enter")
    person.wait("document.body.innerText.includes('What you sent was not saved.')")
    assert person.nameless() == person.faint() == []
    person.tab_to("main a")
    person.press("Enter")
    person.arrive("/login")
    assert person.violations == []


# --- remember me and devices


def closed(person):
    """The browser is closed and opened again: only cookies with a date are left."""
    person.call("Network.deleteCookies", name="session", domain="127.0.0.1")


def remember(person, url):
    """By keyboard alone."""
    person.visit(url + "/login")
    person.tab_to("#name")
    person.write(USER)
    person.tab_to("#password")
    person.write(WORD)
    person.tab_to("#remember")
    person.press(" ")
    person.tab_to("main button")
    person.press("Enter")
    person.arrive("/")


def test_people_are_remembered_and_log_out_a_device_by_keyboard_alone(person, url):
    _, headers, _ = ask(url, "/login", "POST", form={"name": USER, "password": WORD}, User_Agent="curl/8")
    other = session_in(headers)
    remember(person, url)
    closed(person)
    person.visit(url + "/")
    person.arrive("/")
    person.tab_to("header a[href='/devices']")
    person.press("Enter")
    person.arrive("/devices")
    named = [name for role, name in person.heard() if role == "button" and name.startswith("Log out")]
    assert {"Log out this device", "Log out curl/8"} <= set(named)
    assert person.nameless() == person.faint() == []
    person.run("[...document.querySelectorAll('.devices button')].find(b => b.innerText.includes('curl/8')).id = 'it'")
    person.tab_to("#it")
    person.press("Enter")
    person.wait("document.querySelector('[role=status]')?.innerText === 'The device is logged out.'")
    assert on_all_workers(url, other) == [401, 401]
    person.tab_to("header button")
    person.press("Enter")
    person.arrive("/login")
    closed(person)
    person.visit(url + "/")
    person.arrive("/login?next=/")
    assert person.violations == []


def test_a_person_whose_login_was_used_in_a_second_place_is_told(person, serve):
    with serve() as server:
        is_told_of_a_theft(person, registered(server))


def is_told_of_a_theft(person, url):
    remember(person, url)
    name = "session_remember"
    found = person.call("Network.getCookies", urls=[url])["cookies"]
    (stolen,) = [cookie["value"] for cookie in found if cookie["name"] == name]
    for _ in range(2):  # the owner goes on: the copied secret is replaced, and its successor was used
        closed(person)
        person.visit(url + "/")
        person.arrive("/")
    assert ask(url, "/test/a-minute-later", "POST")[0] == 200  # until then, parallel tabs may use the old one
    status, _, body = ask(url, "/", Cookie=f"{name}={stolen}", Accept="text/html,application/xhtml+xml")
    assert (status, "Your login was ended for safety" in body) == (401, True)
    person.visit(url + "/")
    person.wait("document.querySelector('h1').innerText === 'Your login was ended for safety'")
    assert person.nameless() == person.faint() == []
    person.tab_to("main .button")
    person.press("Enter")
    person.arrive("/login?next=/devices")
    person.log_in(USER, WORD)
    person.arrive("/devices")
    assert "A login of yours was used in a second place" in person.run("document.querySelector('main').innerText")
    assert person.nameless() == person.faint() == []
    person.tab_to(".alarm button")
    person.press("Enter")
    person.wait("document.readyState === 'complete' && document.querySelector('.alarm') === null")
    assert person.violations == []


# --- other sites


@pytest.mark.rfc("CK-05")
def test_csr_01_10_a_page_on_another_port_is_another_site(person, url, elsewhere):
    """To the browser it is the same site, so it sends the cookie, SameSite or not."""
    enter(person, url)
    person.visit(f"http://127.0.0.1:{elsewhere}/page")
    assert person.run(
        f"fetch('{url}/api/notes', {{method: 'POST', mode: 'no-cors', credentials: 'include', body: '{{}}'}})"
        ".then(a => a.type)"
    ) == "opaque"  # fmt: skip
    person.submit(url + "/account/delete")
    person.wait("document.body.innerText.includes('403 Forbidden')")
    assert person.nameless() == []
    assert person.violations == []
    person.visit(f"http://127.0.0.1:{elsewhere}/page")
    person.submit(url + "/logout")
    person.wait("document.body.innerText.includes('403 Forbidden')")
    assert on_all_workers(url, person.cookie(url)) == [200, 200]


@pytest.mark.rfc("CK-05")
def test_csr_01_a_cookie_that_a_browser_sends_across_sites(person, serve, elsewhere):
    """Without SameSite Chromium sends a young cookie with a form of another site."""
    with serve(FLASK_SESSION_COOKIE_SAMESITE="null") as server:
        url = registered(server)
        enter(person, url)
        person.visit(f"http://localhost:{elsewhere}/page")
        person.submit(url + "/account/delete")
        person.wait("document.body.innerText.includes('403 Forbidden')")
        assert on_all_workers(url, person.cookie(url)) == [200, 200]


def test_csr_08_another_site_logs_nobody_in(person, url, elsewhere):
    person.visit(f"http://localhost:{elsewhere}/page")
    person.submit(url + "/login", name="eve", password=WORD)
    person.wait("document.body.innerText.includes('403 Forbidden')")
    assert on_all_workers(url, person.cookie(url) or "none") == [401, 401]


# --- a provider whose page posts its answer


def test_csr_08_a_provider_logs_its_users_in_by_a_form_of_its_page(person, elsewhere):  # F-43
    """The session is ``SameSite=Lax``, so Chromium sends only the cookie that keeps the state for this."""
    provider = f"http://localhost:{elsewhere}"
    with running("posted", (*WORKERS, "tests.clients.posted_app:app"), PROVIDER=provider) as server:
        url = f"http://127.0.0.1:{server.port}"
        person.visit(url + "/login?next=" + quote("/?page=2", safe=""))
        state = person.wait("location.pathname === '/authorize' && new URLSearchParams(location.search).get('state')")
        person.submit(url + "/callback", state=state, code="code-of-ada")
        person.arrive("/?page=2")
        person.wait("document.body.innerText.includes('notes of')")
        person.visit(f"http://localhost:{elsewhere}/page")  # once more, without having begun
        person.submit(url + "/callback", state=state, code="code-of-ada")
        person.wait("document.body.innerText.includes('The login took too long')")


@pytest.mark.parametrize(("same_site", "place"), [("Lax", "/account"), ("Strict", "/login?next=/account")])
def test_who_follows_a_link_from_elsewhere(person, serve, elsewhere, same_site, place):  # F-64
    """Why the docs recommend ``Lax``: a browser sends no strict cookie with a link of another site."""
    with serve(FLASK_SESSION_COOKIE_SAMESITE=f'"{same_site}"') as server:
        url = registered(server)
        enter(person, url)
        person.visit(f"http://localhost:{elsewhere}/page")
        person.run(f"void (location.href = '{url}/account')")
        person.arrive(place)


# --- plain HTTP beyond the own machine, where browsers send no Fetch Metadata


@pytest.fixture
def far(tmp_path):
    """Somebody for whom all names are those of the servers under test."""
    with started(tmp_path, Person, "--host-resolver-rules=MAP *.example 127.0.0.1") as found:
        yield found


def test_the_way_in_and_out_without_fetch_metadata(far, url):
    url = url.replace("127.0.0.1", "app.example")
    far.visit(url + "/?q=milk")
    far.arrive("/login?next=/?q%3Dmilk")
    far.log_in(USER, WORD)
    far.arrive("/?q=milk")
    far.tab_to("#text")
    far.write("milk from afar")
    far.press("Enter")
    far.wait("document.querySelector('#notes li span')?.innerText === 'milk from afar'")
    far.tab_to("header button")
    far.press("Enter")
    far.arrive("/login")
    script = "fetch('/api/notes').then(async a => [a.status, a.redirected, (await a.json()).error])"
    assert far.run(script) == [401, False, "Unauthorized"]
    assert far.asked == []


@pytest.mark.rfc("CK-05")
def test_csr_01_another_site_is_known_by_origin_alone(far, serve, elsewhere):
    with serve(FLASK_SESSION_COOKIE_SAMESITE="null") as server:
        near = registered(server)
        url = near.replace("127.0.0.1", "app.example")
        enter(far, url)
        own = far.cookie(url)
        for path in ("/account/delete", "/logout", "/login"):
            far.visit(f"http://evil.example:{elsewhere}/page")
            far.submit(url + path, name="eve", password=WORD)
            far.wait("document.body.innerText.includes('403 Forbidden')")
            assert far.cookie(url) == own
        assert on_all_workers(near, own) == [200, 200]


# --- for everybody


@pytest.mark.parametrize("path", ["/login", "/register", "/about", "/missing", "/", "/account", "/devices"])
def test_pages_say_what_they_are_and_their_policy_forbids_nothing(person, url, path):
    if path in ("/", "/account", "/devices"):
        enter(person, url, path)
    else:
        person.visit(url + path)
    heard = person.heard()
    assert person.nameless() == []
    assert {"main", "banner", "navigation"} <= {role for role, _ in heard}
    assert person.run("[document.documentElement.lang, document.querySelectorAll('h1').length]") == ["en", 1]
    assert person.faint() == []
    assert person.run("[...document.querySelectorAll('input')].every(i => i.labels.length || i.ariaHidden)")
    assert person.violations == []
    person.run("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">red</p>')")
    person.run("new Promise(done => setTimeout(done, 50))")
    assert len(person.violations) == 1  # what a policy forbids is seen


def test_what_is_wrong_with_a_field_is_told_with_the_field(person, url):
    person.visit(url + "/register")
    person.tab_to("#name")
    person.write("a b")
    person.tab_to("#password")
    person.write("a long password")
    person.press("Enter")
    person.wait("document.title.startsWith('Error: ')")
    assert person.faint() == []
    focused = "(e => [e.id, document.getElementById(e.getAttribute('aria-describedby').split(' ')[0]).innerText])"
    assert person.run(f"{focused}(document.activeElement)") == [
        "name", "Use 2 to 32 letters, digits, dots, hyphens or underscores.",
    ]  # fmt: skip
    assert person.violations == []


@pytest.mark.parametrize("path", ["/login", "/register", "/about", "/missing", "/", "/account", "/devices"])
@pytest.mark.parametrize("width", [320, 390])
def test_pages_fit_a_phone(person, url, path, width):
    person.call("Emulation.setDeviceMetricsOverride", width=width, height=844, deviceScaleFactor=1, mobile=False)
    enter(person, url, path) if path in ("/", "/account", "/devices") else person.visit(url + path)
    assert person.run("document.documentElement.scrollWidth") <= width
