"""examples/oidc_login and the program of docs/guides/provider-login.md, over real HTTP, with the example's provider."""

import html
import http.cookiejar
import importlib
import re
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

import pytest
from werkzeug.serving import make_server

pytest.importorskip("authlib.integrations.flask_client")
pytest.importorskip("requests")
pytest.importorskip("jwt")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guides" / "provider-login.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.tells_secrets(
    "log", "body", "header", because="OAuth carries state and nonce, which the session keeps, in URLs"
)
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}


class Browser:
    """A browser as far as this needs one: cookies, redirects, forms, and where a request comes from."""

    def __init__(self):
        self.jar = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        self.url = self.text = ""
        self.status = 0

    def open(self, url, form=None, *, navigates=True):
        sent = {"Sec-Fetch-Site": "none" if form is None else self._site(url)}
        if navigates:
            sent.update(NAVIGATION)
        if form is not None:
            sent["Origin"] = "{0.scheme}://{0.netloc}".format(urlsplit(self.url))
        data = None if form is None else urlencode(form).encode()
        try:
            with self.opener.open(urllib.request.Request(url, data, sent), timeout=20) as answer:
                self._shows(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                self._shows(answer)
        return self

    def submit(self, **filled):
        """Send the page's form."""
        action = re.search(r"<form[^>]*action=[\"']([^\"']*)", self.text)
        fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', self.text))
        form = {name: html.unescape(value) for name, value in fields.items()} | filled
        return self.open(urljoin(self.url, html.unescape(action[1]) if action else ""), form)

    def _site(self, url):
        # Ports of one host are one site and several origins.
        return "same-origin" if urlsplit(url).netloc == urlsplit(self.url).netloc else "same-site"

    def _shows(self, answer):
        self.url, self.text, self.status = answer.url, answer.read().decode(), answer.status

    def log_in(self, url, name="ada", **more):
        self.open(url)
        assert "password" in self.text, self.text
        return self.submit(name=name, password=name, **more)


@contextmanager
def serving(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


@contextmanager
def provider_serving():
    provider = importlib.import_module("examples.oidc_login.provider").create_provider()
    with serving(provider) as url:
        provider.config["URL"] = url
        yield provider, url


@contextmanager
def both(response_mode=None):
    create_app = importlib.import_module("examples.oidc_login.app").create_app
    with provider_serving() as (provider, issuer), serving(create_app(issuer, response_mode)) as url:
        provider.config["APP_URL"] = url
        yield url, issuer


@pytest.fixture(scope="module")
def example():
    with both() as urls:
        yield urls


def test_login_and_logout_everywhere(example):
    app, provider = example
    browser = Browser().log_in(f"{app}/")
    assert browser.text.startswith("Hello, ada.")
    assert browser.url == f"{app}/"
    other_place = Browser().log_in(f"{app}/")  # another session of the same user at the provider
    assert "1 app was told" in browser.open(f"{provider}/").submit().text
    assert browser.open(f"{app}/api/me", navigates=False).status == 401
    assert other_place.open(f"{app}/api/me", navigates=False).status == 200
    assert "password" in browser.open(f"{app}/").text  # at the provider, too


def test_a_local_logout_leaves_the_provider_alone(example):
    app, _ = example
    browser = Browser().log_in(f"{app}/")
    assert "You are logged out here" in browser.submit().text
    assert browser.open(f"{app}/api/me", navigates=False).status == 401
    assert browser.open(f"{app}/").text.startswith("Hello, ada.")  # without a password


def test_step_up_leads_to_the_provider_with_what_the_page_demands(example):
    app, provider = example
    browser = Browser().log_in(f"{app}/")
    browser.open(f"{app}/vault")
    assert browser.url.startswith(f"{provider}/login?next=")
    assert "acr_values%3Dmfa" in browser.url
    assert "max_age%3D300" in browser.url
    browser.submit(name="ada", password="ada", code="123456")
    assert (browser.url, browser.text) == (f"{app}/vault", "The vault of ada is open.")
    assert '"acr":"mfa"' in browser.open(f"{app}/api/me", navigates=False).text.replace(" ", "")
    browser.open(f"{provider}/").submit()  # the login was raised, and still is bound to the provider's session
    assert browser.open(f"{app}/api/me", navigates=False).status == 401


def test_step_up_without_the_second_factor_ends_in_the_refusal(example):
    app, provider = example
    browser = Browser().log_in(f"{app}/")
    browser.open(f"{app}/vault").submit(name="ada", password="ada", code="wrong")
    assert browser.status == 401
    assert browser.url.startswith(f"{provider}/authorize")  # the provider refuses what it can't give


def test_the_provider_may_post_its_response():
    with both("form_post") as (app, _):
        browser = Browser().log_in(f"{app}/")
        assert 'action="' in browser.text  # a browser with JavaScript goes on by itself
        assert browser.submit().text.startswith("Hello, ada.")


def test_a_response_that_another_page_posts_logs_nobody_in():
    with both("form_post") as (app, _):
        browser = Browser().log_in(f"{app}/")
        form = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', browser.text))
        thief = Browser()
        thief.url = "https://evil.example/"
        assert thief.open(f"{app}/callback", form).status == 400  # no state of this browser
        assert thief.open(f"{app}/api/me", navigates=False).status == 401


def test_a_callback_without_a_login_before(example):
    app, _ = example
    answer = Browser().open(f"{app}/callback?code=x&state=<b>y")
    assert answer.status == 400
    assert "<b>" not in answer.text


def test_the_program_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
    with provider_serving() as (provider, issuer):
        changes = [  # another provider, over HTTP
            ('"https://id.example.com"', repr(issuer)),
            ('"notes-app"', '"vault-app"'),
            ('client_secret="change me"', 'client_secret="demo-secret-of-the-app"'),
            ('"248289761001": Identity("248289761001"', '"ada": Identity("ada"'),
            ("SESSION_COOKIE_SECURE=True, ", ""),
            ("audience=CLIENT_ID)", "audience=CLIENT_ID, keys=JWKS.of_issuer(ISSUER, allow_http_loopback=True))"),
        ]
        for old, new in changes:
            assert program.count(old) == 1, old
            program = program.replace(old, new)
        scope = {"__name__": "notes"}
        exec("from flask_unauthorized.loaders.jwks import JWKS\n" + program, scope)
        with serving(scope["app"]) as app:
            provider.config["APP_URL"] = app
            browser = Browser().log_in(f"{app}/account")
            assert browser.url == f"{app}/account"
            assert "ada" in browser.text
            assert browser.open(f"{app}/callback?error=access_denied").status == 400
            browser.open(f"{issuer}/").submit()
            assert browser.open(f"{app}/", navigates=False).status == 401
    scope["people"].store.close()
