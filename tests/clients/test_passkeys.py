"""People with passkeys in Chromium, whose virtual authenticator signs as a real one does."""

import http.client
import json
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from ..live.conftest import running
from .conftest import need
from .person import Person
from .test_browser import started
from .test_people import WORKERS, ask

WORD = "correct horse"
PHONE = {
    "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": True,
    "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


class Holder(Person):
    """A `Person` with an authenticator."""

    def __init__(self, reads: int, writes: int) -> None:
        super().__init__(reads, writes)
        self.call("WebAuthn.enable")
        self.key = self.take(PHONE)

    def take(self, kind: dict[str, object]) -> str:
        return str(self.call("WebAuthn.addVirtualAuthenticator", options=kind)["authenticatorId"])

    def drop(self) -> None:
        self.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=self.key)

    def passkeys(self) -> list[dict[str, object]]:
        return list(self.call("WebAuthn.getCredentials", authenticatorId=self.key)["credentials"])

    def enter(self, url: str, name: str = "ada") -> None:
        self.visit(f"{url}/login")
        self.log_in(name, WORD)
        self.arrive("/")

    def add(self, url: str, name: str = "Phone") -> None:
        """Adds a passkey by keyboard."""
        self.visit(f"{url}/passkeys")
        self.tab_to("#name")
        self.write(name)
        self.press("Enter")
        self.wait("document.querySelector('[role=status]')?.innerText === 'The passkey is added.'")

    def confirm(self) -> None:
        """Uses the button of the step-up page, by keyboard."""
        self.tab_to("main button")
        self.press("Enter")

    def reads(self, text: str) -> None:
        """Waits for a text in the part that screen readers announce."""
        self.wait(f"document.querySelector('[role=alert]').innerText.includes({json.dumps(text)})")

    def ask_for(self, **changes: object) -> None:
        """Changes once what the page asks the browser for: its options, as the server gave them."""
        self.run(
            "(([parse, changes]) => PublicKeyCredential.parseRequestOptionsFromJSON = options => {"
            " PublicKeyCredential.parseRequestOptionsFromJSON = parse;"  # the next time as the server says
            " return parse.call(PublicKeyCredential, {...options, ...changes}) })"
            f"([PublicKeyCredential.parseRequestOptionsFromJSON, {json.dumps(changes)}])"
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    need("webauthn")
    folder = tmp_path_factory.mktemp("payouts")
    command = (*WORKERS, "--env", "PORT={port}", "tests.clients.passkey_app:app")
    with running("passkeys", command, PASSKEY_STEP_UP_DATA=str(folder)) as found:
        url = f"http://localhost:{found.port}"
        assert ask(url, "/login")[0] == 200  # a worker is there, and has made the tables
        yield url, folder / "payouts.db"


@pytest.fixture
def url(server):
    """The app, at which no user has a passkey yet."""
    url, file = server
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("DELETE FROM passkeys")
    return url


@pytest.fixture
def ada(tmp_path, url):
    with started(tmp_path, Holder) as found:
        yield found


@pytest.fixture
def stepping(ada, url):
    """Ada at the step-up page, on her way to the payouts."""
    ada.enter(url)
    ada.add(url)
    ada.visit(f"{url}/payouts")
    ada.arrive("/step-up?next=/payouts")
    return ada


def has_confirmed(person):
    person.arrive("/payouts")
    person.wait("document.querySelector('h1').innerText === 'Payouts of ada'")
    assert person.violations == []
    return True


def is_refused(person, url):
    person.visit(f"{url}/payouts")
    person.arrive("/step-up?next=/payouts")
    return True


def test_from_the_password_to_the_first_passkey_to_the_page_by_keyboard(ada, url):
    ada.visit(f"{url}/payouts")
    ada.arrive("/login?next=/payouts")
    ada.log_in("ada", WORD)
    ada.wait("document.querySelector('.lead')?.innerText.includes('add a passkey')")
    ada.tab_to("main a")
    ada.press("Enter")
    ada.arrive("/passkeys?next=/payouts")
    ada.tab_to("#name")
    ada.write("Phone of Ada")
    ada.press("Enter")
    ada.arrive("/step-up?next=/payouts")
    ada.wait("document.querySelector('[role=status]').innerText === 'The passkey is added.'")
    ada.confirm()
    assert has_confirmed(ada)
    ada.visit(f"{url}/passkeys")  # the confirmation lasts
    ada.arrive("/passkeys")
    assert ada.run("document.querySelector('.list span').innerText") == "Phone of Ada"


def test_a_session_from_before_the_confirmation_does_not_rise_with_it(stepping, url):
    before = stepping.cookie(url)
    stepping.confirm()
    assert has_confirmed(stepping)
    after = stepping.cookie(url)
    assert after != before
    assert ask(url, "/payouts", cookie=after)[0] == 200
    assert ask(url, "/payouts", cookie=before)[0] == 401


def test_a_confirmation_that_is_sent_again_is_refused(stepping, url):
    """By the page itself, and by a second request with the cookie of before, which holds the challenge."""
    stepping.run("window.sent = []; window.fetch = (send => (...all) => (sent.push(all), send(...all)))(window.fetch)")
    stepping.run("navigator.credentials.get = (get => async all => { const found = await get(all);"
                 " window.proof = found; await new Promise(done => window.go_on = done); return found })"
                 "(navigator.credentials.get.bind(navigator.credentials))")  # fmt: skip
    stepping.confirm()
    body = json.dumps({"credential": stepping.wait("window.proof?.toJSON()")})
    cookie = stepping.cookie(url)  # with the challenge
    stepping.run("void window.go_on()")
    assert has_confirmed(stepping)

    again = json.dumps({"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body})
    script = f"fetch('/step-up', {again}).then(async a => [a.status, (await a.json()).message])"
    status, told = stepping.run(script)
    assert status == 422
    assert "sent already" in told
    assert replay(url, cookie, body) in (401, 422)
    assert ask(url, "/payouts", cookie=cookie)[0] == 401


def replay(url, cookie, body):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        headers = {"Cookie": f"session={cookie}", "Content-Type": "application/json"}
        connection.request("POST", "/step-up", body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_dialog_that_is_cancelled_leaves_the_page_as_it_was(stepping, url):
    stepping.call(
        "WebAuthn.setAutomaticPresenceSimulation", authenticatorId=stepping.key, enabled=False
    )  # the person doesn't touch it
    stepping.ask_for(timeout=500)
    stepping.confirm()
    stepping.reads("Nothing was confirmed")
    assert stepping.run("document.activeElement.matches('main button')")
    assert stepping.faint() == []
    stepping.call("WebAuthn.setAutomaticPresenceSimulation", authenticatorId=stepping.key, enabled=True)
    stepping.press("Enter")
    assert has_confirmed(stepping)


def test_a_wrong_pin_is_told_by_the_browser(stepping, url):
    stepping.call("WebAuthn.setUserVerified", authenticatorId=stepping.key, isUserVerified=False)
    stepping.confirm()
    stepping.reads("Nothing was confirmed")
    assert is_refused(stepping, url)


def test_a_proof_without_user_verification_is_refused_by_the_server(stepping, url):
    """The page's script isn't trusted: it may ask for less."""
    stepping.call("WebAuthn.setUserVerified", authenticatorId=stepping.key, isUserVerified=False)
    stepping.ask_for(userVerification="discouraged")
    stepping.confirm()
    stepping.reads("This passkey was not accepted")
    assert is_refused(stepping, url)


def test_the_passkey_of_another_user_is_refused(ada, url):
    """Both passkeys are in one authenticator. Eve's page asks for Ada's."""
    ada.enter(url)
    ada.add(url)
    (of_ada,) = ada.passkeys()
    ada.call("Network.clearBrowserCookies")
    ada.enter(url, "eve")
    ada.add(url)
    ada.visit(f"{url}/payouts")
    ada.arrive("/step-up?next=/payouts")
    named = of_ada["credentialId"].replace("+", "-").replace("/", "_").rstrip("=")
    ada.ask_for(allowCredentials=[{"type": "public-key", "id": named}])
    ada.confirm()
    ada.reads("This passkey was not accepted")
    assert is_refused(ada, url)
    ada.confirm()  # her own
    ada.arrive("/payouts")
    assert ada.run("document.querySelector('h1').innerText") == "Payouts of eve"


def test_a_copied_authenticator_is_found_by_its_sign_count(stepping, url):
    (copied,) = stepping.passkeys()
    stepping.confirm()
    assert has_confirmed(stepping)
    (used,) = stepping.passkeys()
    assert used["signCount"] > copied["signCount"]
    stepping.drop()
    stepping.key = stepping.take(PHONE)
    stepping.call("WebAuthn.addCredential", authenticatorId=stepping.key, credential=copied)
    stepping.visit(f"{url}/step-up")
    stepping.confirm()
    stepping.reads("This passkey may have been copied")
    assert stepping.faint() == []
    stepping.call("WebAuthn.clearCredentials", authenticatorId=stepping.key)
    stepping.call("WebAuthn.addCredential", authenticatorId=stepping.key, credential=used)  # the true count
    stepping.confirm()
    stepping.arrive("/")


@pytest.mark.parametrize(("synced", "level"), [(False, "phrh"), (True, "phr")])
def test_the_level_says_whether_the_passkey_is_synced(ada, url, synced, level):
    ada.drop()
    ada.key = ada.take({**PHONE, "defaultBackupEligibility": synced, "defaultBackupState": synced})
    ada.enter(url)
    ada.add(url)
    ada.visit(f"{url}/payouts")
    ada.arrive("/step-up?next=/payouts")
    ada.confirm()
    assert has_confirmed(ada)
    assert ada.run("document.querySelector('code').innerText") == level


def test_a_second_passkey_on_one_device_is_refused_by_the_browser(stepping, url):
    stepping.confirm()
    assert has_confirmed(stepping)
    stepping.visit(f"{url}/passkeys")
    stepping.tab_to("#name")
    stepping.write("Again")
    stepping.press("Enter")
    stepping.reads("This device has a passkey for you already.")


def test_without_a_recent_proof_passkeys_stay_as_they_are(stepping, url):
    stepping.visit(f"{url}/passkeys")
    stepping.arrive("/step-up?next=/passkeys")
    stepping.confirm()
    stepping.arrive("/passkeys")
    stepping.tab_to("main li button")
    stepping.press("Enter")
    stepping.wait("document.querySelector('[role=status]')?.innerText === 'The passkey is deleted.'")
    assert stepping.violations == []


def test_a_session_that_ends_meanwhile_is_told_with_a_link(stepping, url):
    assert ask(url, "/logout", "POST", cookie=stepping.cookie(url))[0] == 302
    stepping.confirm()
    stepping.reads("Please log in again first. Log in")
    stepping.tab_to("[role=alert] a")
    stepping.press("Enter")
    stepping.wait("location.pathname === '/login'")
    stepping.log_in("ada", WORD)
    stepping.arrive("/step-up?next=/payouts")


def test_an_address_of_numbers_has_no_passkeys(ada, url):
    numbers = url.replace("localhost", "127.0.0.1")
    ada.enter(numbers)
    ada.visit(f"{numbers}/passkeys")
    ada.tab_to("#name")
    ada.write("Phone")
    ada.press("Enter")
    ada.reads("Passkeys don’t work at this address")


@pytest.mark.parametrize("path", ["/login", "/", "/step-up", "/passkeys", "/payouts"])
def test_pages_say_what_they_are_and_their_policy_forbids_nothing(stepping, url, path):
    if path in ("/passkeys", "/payouts"):
        stepping.confirm()
        stepping.arrive("/payouts")
    elif path == "/login":
        stepping.call("Network.clearBrowserCookies")
    stepping.call("Emulation.setDeviceMetricsOverride", width=320, height=844, deviceScaleFactor=1, mobile=False)
    stepping.visit(url + path)
    stepping.arrive(path)
    heard = stepping.heard()
    assert {"main", "banner", "navigation", "heading"} <= {role for role, _ in heard}
    assert stepping.nameless() == stepping.faint() == []
    assert stepping.run("[document.documentElement.lang, document.querySelectorAll('h1').length]") == ["en", 1]
    assert stepping.run("[...document.querySelectorAll('input')].every(i => i.labels.length)")
    assert stepping.run("document.documentElement.scrollWidth") <= 320
    assert stepping.violations == []
