"""The refusal as a page for people."""

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser

import pytest
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthError,
    AuthUnavailable,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    DPoP,
    ExpiredCredentials,
    Forbidden,
    InsufficientScope,
    InvalidCredentials,
    InvalidProof,
    MalformedCredentials,
    MissingCredentials,
    NonceRequired,
    RevokedCredentials,
    Scheme,
    SessionCookie,
    SessionStolen,
    StepUpRequired,
    TooManyAttempts,
    abort_unauthorized,
)
from flask_unauthorized.errors import CrossSiteRequest
from flask_unauthorized.rendering.html import STYLE_HASH, render_html
from flask_unauthorized.rendering.problem import ProblemDetails
from flask_unauthorized.rendering.translations import BUILT_IN_TRANSLATIONS
from flask_unauthorized.schemes.remote_user import RemoteUser

ERRORS = {
    MissingCredentials: ("missing", 401),
    InvalidCredentials: ("invalid", 401),
    ExpiredCredentials: ("expired", 401),
    RevokedCredentials: ("revoked", 401),
    SessionStolen: ("stolen", 401),
    InvalidProof: ("proof", 401),
    NonceRequired: ("proof", 401),
    StepUpRequired: ("step_up", 401),
    MalformedCredentials: ("malformed", 400),
    Forbidden: ("forbidden", 403),
    CrossSiteRequest: ("cross_site", 403),
    InsufficientScope: ("scope", 403),
    TooManyAttempts: ("throttled", 429),
    AuthUnavailable: ("unavailable", 503),
}


class Elements(HTMLParser):
    """The elements of a page with their attributes; complains about tags that don't match."""

    VOID = frozenset({"meta", "link", "br", "img", "input"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture
def auth():
    return Auth(Bearer(lambda token: None), Basic(lambda name, password: None), APIKey(lambda key: None), realm="notes")


def serve(make_app, auth, error=None, **config) -> Flask:
    app = make_app(auth, **config)

    @app.route("/", methods=["GET", "DELETE"])
    @auth.login_optional
    def view():
        raise MissingCredentials if error is None else error

    return app


def page(app, accept="text/html", **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.test_client().get("/", headers={"Accept": accept, **fields})


# --- for people


class Reading(Elements):
    """What a visitor reads: heading, message, steps, links, and a note; without the developer's part."""

    def __init__(self, page: str) -> None:
        self.heading, self.paragraphs, self.steps, self.links = "", [], [], []
        self._parts: list[tuple[str, list[str]]] = []
        super().__init__(page.partition('<section class="why"')[0].partition("</main>")[0] + "</main></body></html>")

    def handle_starttag(self, tag, attrs):
        super().handle_starttag(tag, attrs)
        self._parts.append((tag, []))
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data):
        super().handle_data(data)
        for _, texts in self._parts:
            texts.append(data)

    def handle_endtag(self, tag):
        super().handle_endtag(tag)
        while self._parts:
            name, texts = self._parts.pop()
            if name == tag:
                break
        text = "".join(texts)
        if tag == "h1":
            self.heading = text
        elif tag in ("p", "li"):
            (self.paragraphs if tag == "p" else self.steps).append(text)

    @property
    def message(self):
        status, message, *_ = self.paragraphs
        assert re.fullmatch(r"\d{3} [A-Z][A-Za-z ]+", status)
        return message


BEARER, KEY, PASSWORD = Bearer(lambda token: None), APIKey(lambda key: None), Basic(lambda name, password: None)
DPOP = DPoP({}.get, origin="https://api.example")
LOGIN = SessionCookie(lambda subject: subject, login_view="login")
COOKIE = SessionCookie(lambda subject: subject)
ASK_PASSWORD = "Load this page again, and enter your name and password when your browser asks for them."
LOGIN_LINK = "/login?next=/"
SEND_TOKEN = "If you are writing a program: send an access token in the Authorization header."
SIGN_ON = "This site has a login service. Load this page again, and log in if it asks you."
SEND_KEY = "If you are writing a program: send your API key with each request."
GO_BACK = "Go back to the page that you came from."
ASK = "Ask the people who run this site for access."
OTHER_ACCOUNT = "If you have another account, log in with that one."


def read(make_app, schemes, error=None, *, method="GET", language="en", explain=False, **headers):
    """The refusal page of a view with these schemes, as its visitor reads it."""
    auth = Auth(*schemes, realm="notes", unavailable=(ConnectionError,))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=explain, SECRET_KEY="k" * 32)
    app.add_url_rule("/login", "login", auth.public(lambda: "log in"))

    @app.route("/", methods=["GET", "POST"])
    @(auth.login_required if error is None else auth.login_optional)
    def view():
        raise error

    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    fields = {"Accept": "text/html", "Accept-Language": language, "Sec-Fetch-Site": "same-origin", **fields}
    response = app.test_client(use_cookies=False).open("/", method=method, headers=fields)
    assert response.mimetype == "text/html"
    return response.status_code, Reading(response.text)


def scheme_refuses(kind):
    def load(*credentials):
        raise kind

    return load


class Assertion(APIKey):
    """A key that is a token, as its app calls it."""

    credential_kind = "token"


# Schemes, error, request; then the status, the heading, the message, and the steps of the visitor.
WHAT_A_PERSON_READS = {
    "login_page": (
        (LOGIN,), None, {},
        (401, "Please log in", "You need to log in to open this page.", ["Log in"]),
    ),
    "login_page_and_tokens": (
        (LOGIN, BEARER), None, {},
        (401, "Please log in", "You need to log in to open this page.", ["Log in"]),
    ),
    "login_without_a_page": (
        (COOKIE,), None, {},
        (401, "Please log in", "You need to log in to open this page.",
         ["Log in to this site, then load this page again."]),
    ),
    "password": (
        (PASSWORD,), None, {},
        (401, "Please log in", "You need to log in to open this page.", [ASK_PASSWORD]),
    ),
    "password_and_tokens": (
        (BEARER, PASSWORD, KEY), None, {},
        (401, "Please log in", "You need to log in to open this page.", [ASK_PASSWORD]),
    ),
    "wrong_password": (
        (PASSWORD,), None, {"Authorization": "Basic YTpi"},
        (401, "That name or password was not accepted", "Please check both and try again.", [ASK_PASSWORD]),
    ),
    "tokens_only": (
        (BEARER,), None, {},
        (401, "This address is for programs", "It answers programs that send a valid access token.",
         [GO_BACK, SEND_TOKEN]),
    ),
    "proofs_only": (
        (DPOP,), None, {},
        (401, "This address is for programs", "It answers programs that send a valid access token.",
         [GO_BACK, "If you are writing a program: send the access token in the Authorization header and, with each "
          "request, a new proof in the DPoP header."]),
    ),
    "keys_only": (
        (KEY,), None, {},
        (401, "This address is for programs", "It answers programs that send a valid API key.", [GO_BACK, SEND_KEY]),
    ),
    "keys_in_two_places": (
        (KEY, APIKey(lambda key: None, query="key")), None, {},
        (401, "This address is for programs", "It answers programs that send a valid API key.", [GO_BACK, SEND_KEY]),
    ),
    "tokens_under_another_name": (
        (Bearer(lambda token: None, name="Token"),), None, {},
        (401, "This address is for programs", "It answers programs that send a valid access token.",
         [GO_BACK, SEND_TOKEN]),
    ),
    "wrong_token_under_another_name": (
        (Bearer(lambda token: None, name="Token"),), None, {"Authorization": "Token x"},
        (401, "The access token was not accepted", "It is not valid here, or no longer valid.",
         ["Get a new access token, then send the request again."]),
    ),
    "assertion_in_a_header": (
        (Assertion(scheme_refuses(ExpiredCredentials), header="Cf-Access-Jwt-Assertion"),), None,
        {"Cf-Access-Jwt-Assertion": "x"},
        (401, "The access token has expired", "It was valid before. A new one is needed now.",
         ["Get a new access token, then send the request again."]),
    ),
    "cookie_of_a_login_service": (
        (APIKey(lambda key: None, cookie="CF_Authorization"),), None, {},
        (401, "Please log in", "You need to log in to open this page.",
         ["Log in to this site, then load this page again."]),
    ),
    "remote_user": (
        (RemoteUser(lambda name: None),), None, {},
        (401, "Please log in", "You need to log in to open this page.", [SIGN_ON]),
    ),
    "rejected_remote_user": (
        (RemoteUser(lambda name: None, header="X-User", proxies=["127.0.0.1"]),), None, {"X-User": "ada"},
        (401, "Your login was not accepted", "It is not valid here, or no longer valid.", [SIGN_ON]),
    ),
    "tokens_and_keys": (
        (BEARER, KEY), None, {},
        (401, "This address is for programs", "It answers programs that send a valid access token or API key.",
         [GO_BACK, SEND_TOKEN, SEND_KEY]),
    ),
    "wrong_token": (
        (BEARER, PASSWORD), None, {"Authorization": "Bearer x"},
        (401, "The access token was not accepted", "It is not valid here, or no longer valid.",
         ["Get a new access token, then send the request again."]),
    ),
    "wrong_key": (
        (KEY, LOGIN), None, {"X-Api-Key": "x"},
        (401, "The API key was not accepted", "It is not valid here, or no longer valid.",
         ["Check the API key, or ask the people who run this site for a new one."]),
    ),
    "expired_token": (
        (Bearer(scheme_refuses(ExpiredCredentials)),), None, {"Authorization": "Bearer x"},
        (401, "The access token has expired", "It was valid before. A new one is needed now.",
         ["Get a new access token, then send the request again."]),
    ),
    "revoked_key": (
        (APIKey(scheme_refuses(RevokedCredentials)),), None, {"X-Api-Key": "x"},
        (401, "The API key was revoked", "It was valid before. A new one is needed now.",
         ["Check the API key, or ask the people who run this site for a new one."]),
    ),
    "expired_login": (
        (LOGIN, BEARER), ExpiredCredentials(), {},
        (401, "Your login has expired", "Please log in again to continue.", ["Log in"]),
    ),
    "ended_login": (
        (LOGIN,), RevokedCredentials(), {},
        (401, "Your login was ended", "It is no longer valid. Please log in again to continue.", ["Log in"]),
    ),
    "stolen_login": (
        (LOGIN,), SessionStolen(), {},
        (401, "Your login was ended for safety",
         "It was used in a second place, so it may have been copied. Please log in again. If you don't know why, "
         "change your password.", ["Log in"]),
    ),
    "step_up": (
        (LOGIN,), StepUpRequired(max_age=60), {},
        (401, "Please log in again", "This page needs a more recent or a stronger login than yours.", ["Log in"]),
    ),
    "step_up_token": (
        (BEARER,), StepUpRequired(max_age=60), {},
        (401, "A newer or stronger login is needed",
         "The access token comes from a login that is too old, or not strong enough, for this.",
         ["Get a new access token, then send the request again."]),
    ),
    "damaged": (
        (BEARER, PASSWORD), None, {"Authorization": "Bearer ="},
        (400, "Your login could not be read",
         "What was sent to log you in is damaged, or more than one login was sent.",
         [GO_BACK, "If you are writing a program: send one access token, key or password, and check that it is "
          "complete."]),
    ),
    "no_permission": (
        (LOGIN,), Forbidden(), {},
        (403, "You don't have access", "We know who you are, but your account does not have permission for this.",
         [ASK, OTHER_ACCOUNT]),
    ),
    "no_permission_of_a_token": (
        (BEARER,), Forbidden(), {},
        (403, "You don't have access", "We know who you are, but your account does not have permission for this.",
         [ASK]),
    ),
    "scope_of_a_token": (
        (BEARER,), InsufficientScope(scopes={"b", "a"}), {},
        (403, "A permission is missing",
         "The access token is valid, but it does not include the permission that is needed here.",
         ["Get an access token with this permission: a b"]),
    ),
    "scope_of_a_person": (
        (LOGIN,), InsufficientScope(scopes={"a"}), {},
        (403, "A permission is missing",
         "We know who you are, but your login does not include the permission that is needed here.",
         ["Ask the people who run this site for this permission: a", OTHER_ACCOUNT]),
    ),
    "scope_of_a_key": (
        (KEY,), InsufficientScope(scopes={"a"}), {},
        (403, "A permission is missing",
         "The API key is valid, but it does not include the permission that is needed here.",
         ["Ask the people who run this site for this permission: a"]),
    ),
    "cross_site": (
        (PASSWORD,), CrossSiteRequest(), {},
        (403, "This came from another site",
         "A page of another site sent this in your name. To protect your account, it was not carried out.",
         ["Open this site itself, and do it there."]),
    ),
    **{
        f"throttled_{seconds}": (
            (PASSWORD,), TooManyAttempts(retry_after=seconds), {},
            (429, "Too many attempts",
             "There were too many attempts in a short time. Please wait before you try again.", [step]),
        )
        for seconds, step in (
            (None, "Try again later."), (0, "Try again in a moment."), (1, "Try again in a moment."),
            (2, "Try again in 2 seconds."), (119, "Try again in 119 seconds."), (120, "Try again in 2 minutes."),
            (121, "Try again in 3 minutes."), (7140, "Try again in 119 minutes."), (7141, "Try again in 2 hours."),
            (7201, "Try again in 3 hours."), (86_400, "Try again in 24 hours."),
        )
    },
    "unavailable": (
        (LOGIN,), AuthUnavailable(), {},
        (503, "Please try again soon",
         "We can't check who you are at the moment. The problem is on our side, not yours.",
         ["Try again in 5 seconds."]),
    ),
}  # fmt: skip


OFFERS_TO_RELOAD = {
    "login_without_a_page", "cookie_of_a_login_service", "remote_user", "rejected_remote_user",
    "password", "password_and_tokens", "wrong_password", "unavailable",
    *(case for case in WHAT_A_PERSON_READS if case.startswith("throttled")),
}  # fmt: skip


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("case", WHAT_A_PERSON_READS)
def test_what_a_person_reads(make_app, case, explain):
    schemes, error, headers, expected = WHAT_A_PERSON_READS[case]
    status, page = read(make_app, schemes, error, explain=explain, **headers)
    assert (status, page.heading, page.message, page.steps) == expected
    assert page.links == ([LOGIN_LINK] if "Log in" in page.steps else [""] if case in OFFERS_TO_RELOAD else [])


@pytest.mark.parametrize("case", WHAT_A_PERSON_READS)
def test_every_case_has_its_words_in_german(make_app, case):
    """The same heading, message and number of steps, by the keys of the English ones."""
    schemes, error, headers, (status, heading, message, steps) = WHAT_A_PERSON_READS[case]
    found, page = read(make_app, schemes, error, language="de", **headers)
    english, german = BUILT_IN_TRANSLATIONS["en"], BUILT_IN_TRANSLATIONS["de"]
    assert found == status
    assert page.heading in {german[key] for key, text in english.items() if text == heading}
    assert page.message in {german[key] for key, text in english.items() if text == message}
    assert len(page.steps) == len(steps)
    assert not {*page.steps, page.heading, page.message} & {*steps, heading, message}


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (None, "Versuchen Sie es später noch einmal."),
        (0, "Versuchen Sie es gleich noch einmal."),
        (1, "Versuchen Sie es gleich noch einmal."),
        (2, "Versuchen Sie es in 2 Sekunden noch einmal."),
        (120, "Versuchen Sie es in 2 Minuten noch einmal."),
        (7200, "Versuchen Sie es in 2 Stunden noch einmal."),
    ],
)
def test_the_wait_is_named_in_german(make_app, seconds, step):
    _, page = read(make_app, (PASSWORD,), TooManyAttempts(retry_after=seconds), language="de")
    assert page.steps == [step]


@pytest.mark.parametrize(
    ("status", "heading"),
    [
        (400, "Your login could not be read"),
        (401, "Please log in"),
        (403, "You don't have access"),
        (409, "You don't have access"),
        (429, "Too many attempts"),
        (500, "Please try again soon"),
        (503, "Please try again soon"),
    ],
)
def test_an_error_class_of_the_app_is_worded_by_its_status(make_app, status, heading):
    class Refused(HTTPException, AuthError):
        code = status

    found, page = read(make_app, (PASSWORD,), Refused("Nobody may."))
    assert (found, page.heading, page.message) == (status, heading, "Nobody may.")


def test_a_page_without_a_chosen_language_says_that_it_is_english():
    assert '<html lang="en">' in render_html(ProblemDetails(401, "missing", ""))


def test_the_address_of_the_login_page_is_escaped():
    problem = ProblemDetails(
        401, "missing", "", schemes=("Cookie",), credential_kinds=("session",), login_page='/login?a=1&b="><script>'
    )
    assert '<a href="/login?a=1&amp;b=&quot;&gt;&lt;script&gt;">Log in</a>' in render_html(problem)


NOT_SAVED = "What you sent was not saved."


@pytest.mark.parametrize(
    ("schemes", "error", "steps"),
    [
        ((LOGIN,), None, ["Log in", f"{NOT_SAVED} Log in, then go back and send it again."]),
        ((COOKIE,), None, [f"{NOT_SAVED} Log in, then go back and send it again."]),
        (
            (PASSWORD,), None,
            [f"{NOT_SAVED} Go back and send it again, and enter your name and password when your browser asks for "
             "them."],
        ),
        ((BEARER,), None, [GO_BACK, SEND_TOKEN]),
        ((LOGIN,), TooManyAttempts(retry_after=9),
         [f"{NOT_SAVED} Go back and send it again later.", "Try again in 9 seconds."]),
        ((LOGIN,), AuthUnavailable(),
         [f"{NOT_SAVED} Go back and send it again later.", "Try again in 5 seconds."]),
        ((LOGIN,), Forbidden(), [ASK, OTHER_ACCOUNT]),
    ],
)  # fmt: skip
def test_after_a_form_it_says_that_nothing_was_saved(make_app, schemes, error, steps):
    _, page = read(make_app, schemes, error, method="POST")
    assert page.steps == steps
    # A link would open the address without the form; the way back from the login isn't to a form's target either.
    assert page.links == (["/login"] if "Log in" in steps else [])


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("case", WHAT_A_PERSON_READS)
def test_a_visitor_reads_nothing_of_the_protocol(make_app, case, language):
    """Terms of HTTP and of this library stay in the developer's part, but for the line with the status."""
    schemes, error, headers, _ = WHAT_A_PERSON_READS[case]
    _, page = read(make_app, schemes, error, language=language, **headers)
    _, *paragraphs = page.paragraphs
    if case == "cross_site":
        assert "trusted_origins=" in paragraphs.pop()  # F-44: the note for the people who run the site
    text = " ".join([page.heading, *paragraphs, *(step for step in page.steps if "program" not in step.lower())])
    for term in ("401", "403", "429", "503", "HTTP", "challenge", "credential", "scheme", "origin", "Authorization"):
        assert term not in text


@pytest.mark.parametrize(("explain", "notes"), [(False, 0), (True, 1)])
@pytest.mark.parametrize("error", [MissingCredentials(), Forbidden()])
def test_the_difference_between_401_and_403_is_for_the_developer(make_app, auth, error, explain, notes):
    text = page(serve(make_app, auth, error, UNAUTHORIZED_EXPLAIN=explain)).text
    assert text.count("would get 403") + text.count("would get 401") == notes


def test_the_texts_of_all_languages_have_the_same_keys():
    english, german = BUILT_IN_TRANSLATIONS["en"], BUILT_IN_TRANSLATIONS["de"]
    assert english.keys() == german.keys()
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", german[key]))
        assert text != german[key]


def test_it_names_the_scope_the_wait_and_an_unknown_scheme(make_app):
    class Ticket(Scheme[str]):
        name, reads = "Ticket", (("header", "x-ticket"),)

        def read(self, request, rest):
            return None

        def verify(self, credentials, request):
            return None

        def challenges(self, realm, error, request):
            return (Challenge("Ticket", {"realm": realm}),)

    def text(error):
        return page(serve(make_app, Auth(Ticket()), error)).text

    assert "permission: a b" in text(InsufficientScope(scopes={"a", "b"}))
    assert "in 17 seconds" in text(AuthUnavailable(retry_after=17))
    assert "“Ticket”" in text(MissingCredentials())


def test_the_words_of_the_app_stand_as_they_are_and_are_escaped(make_app, auth):
    response = page(serve(make_app, auth, Forbidden("Only for <b>\"members\"</b> & 'friends'.")), Accept_Language="de")
    assert "Only for &lt;b&gt;&quot;members&quot;&lt;/b&gt; &amp; &#x27;friends&#x27;." in response.text
    assert BUILT_IN_TRANSLATIONS["de"]["forbidden.message"] not in response.text


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_it_can_be_read_by_everybody(make_app, auth, kind, explain):
    """One language, one main part, one first heading, no step skipped, unique ids, links with words (WCAG 2.2)."""
    elements = Elements(page(serve(make_app, auth, kind(), UNAUTHORIZED_EXPLAIN=explain)).text)
    assert elements.named("html") == [{"lang": "en"}]
    assert len(elements.named("main")) == len(elements.named("h1")) == len(elements.named("title")) == 1
    assert not elements.named("h3")
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements.found:
        assert "tabindex" not in attributes
        assert attributes.get("aria-labelledby", "why") == "why"
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in elements.named("meta")
    assert not re.search(r"<a [^>]*></a>", "".join(map(str, elements.found)))


@pytest.mark.asvs("V3.4.3")
def test_it_needs_nothing_from_elsewhere_and_passes_a_strict_policy(make_app, auth):
    response = page(serve(make_app, auth, UNAUTHORIZED_EXPLAIN=True))
    elements = Elements(response.text)
    assert not {name for name, _ in elements.found} & {"script", "link", "img", "iframe", "form", "input", "base"}
    for _, attributes in elements.found:
        assert not {name for name in attributes if name in ("style", "src") or name.startswith("on")}
        assert re.fullmatch(r"|https://www\.rfc-editor\.org/rfc/rfc\d+#section-[\d.]+", attributes.get("href") or "")
    (style,) = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    # The hash as CSP Level 3 §2.3.1 defines it, reckoned here from what was sent.
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" == STYLE_HASH
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def with_policy(response):
    response.headers["Content-Security-Policy"] = "default-src 'self'"
    response.headers.pop("X-Content-Type-Options", None)
    return response


def compressed(response):
    response.set_data(gzip.compress(response.get_data()))
    response.headers["Content-Encoding"] = "gzip"
    return response


@pytest.mark.parametrize("hooks", [[with_policy], [with_policy, compressed]], ids=len)
def test_the_pages_own_policy_comes_back_where_a_hook_wrote_another(make_app, auth, hooks):  # F-17
    app = serve(make_app, auth)
    expected = page(app).headers["Content-Security-Policy"]
    spoiled = serve(make_app, auth)
    for hook in hooks:
        spoiled.after_request(hook)
    headers = page(spoiled).headers
    assert headers.getlist("Content-Security-Policy") == [expected]
    assert headers["X-Content-Type-Options"] == "nosniff"


def branded(response):
    response.set_data("<script src='/brand.js'></script>" + response.get_data(as_text=True))
    return response


@pytest.mark.parametrize(
    "another", [branded, lambda response: Response("theirs", 401, mimetype="text/html")], ids=["changed", "new"]
)
def test_a_policy_of_the_app_stays_on_a_body_of_the_app(make_app, auth, another):  # F-17
    app = serve(make_app, auth)
    app.after_request(with_policy)
    app.after_request(another)  # runs before it
    assert page(app).headers.getlist("Content-Security-Policy") == ["default-src 'self'"]


@pytest.mark.asvs("V3.4.4", "V3.2.1")
@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/plain", "text/html"])
@pytest.mark.parametrize("explain", [True, False])
def test_no_built_in_body_is_sniffed(make_app, auth, accept, explain):  # F-17
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=explain)
    app.add_url_rule("/", "view", lambda: abort_unauthorized("<script>alert(1)</script>"))
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: "in"))
    for path in ("/", "/guarded", "/guarded"):
        response = app.test_client().get(path, headers={"Accept": accept})
        assert response.mimetype == accept
        assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]


@pytest.mark.parametrize("body", ["text", b"bytes", {"a": "dict"}, Response("r", mimetype="text/csv")], ids=repr)
def test_nor_is_the_body_of_a_renderer(make_app, auth, body):  # F-17
    auth.renderer("text/csv")(lambda error: body)
    response = serve(make_app, auth).test_client().get("/", headers={"Accept": "text/csv"})
    assert response.mimetype == "text/csv"
    assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]


def test_a_body_of_the_apps_handler_is_the_apps(make_app, auth):  # F-17
    app = serve(make_app, auth)
    app.register_error_handler(401, lambda error: ("mine", 401))
    assert "X-Content-Type-Options" not in app.test_client().get("/").headers


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = color * 2 if len(color) == 3 else color
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_colors_have_contrast_in_light_and_in_dark_mode(make_app, auth):
    (style,) = re.findall(r"<style>(.*?)</style>", page(serve(make_app, auth)).text, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+):#(\w+)", block)) for block in re.findall(r":root{(.*?)}", style))
    assert "prefers-color-scheme:dark" in style
    for colors in (light, dark):
        for front, back in (("ink", "card"), ("soft", "card"), ("link", "card"), ("ink", "paper")):
            lighter, darker = sorted((luminance(colors[front]), luminance(colors[back])), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5


# --- languages


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        (None, "en"), ("", "en"), ("*", "en"), ("fr", "en"), ("de", "de"), ("DE-at", "de"), ("de-CH-1996", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"), ("en-GB,en;q=0.9,de;q=0.8", "en"), ("fr,de;q=0.5,en;q=0.4", "de"),
        ("de;q=0", "en"), ("de;q=0, fr", "en"), ("en;q=0.1, de;q=0.2", "de"), ("de;q=nonsense", "en"),
        ("d" * 2000, "en"), ("de," * 40, "en"), ("-", "en"), ("de-", "de"), ("de-AT, de;q=0", "en"),
    ],
)  # fmt: skip
def test_the_language_is_looked_up_as_rfc_4647_says(make_app, auth, wish, language):
    response = page(serve(make_app, auth), **({} if wish is None else {"Accept_Language": wish}))
    assert response.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in response.text
    assert "Accept-Language" in response.headers["Vary"].split(", ")


def test_json_speaks_one_language_and_does_not_vary(make_app, auth):
    response = page(serve(make_app, auth), "application/json", Accept_Language="de")
    assert "Content-Language" not in response.headers
    assert "Accept-Language" not in response.headers["Vary"]


def test_an_app_replaces_texts_and_adds_languages(make_app, auth):
    auth.texts["en"]["missing.title"] = "Members <only>"
    auth.texts["fr"] = {"missing.title": "Connectez-vous"}
    app = serve(make_app, auth)
    assert "<h1>Members &lt;only&gt;</h1>" in page(app).text
    french = page(app, Accept_Language="fr-CA").text
    assert "<h1>Connectez-vous</h1>" in french
    assert BUILT_IN_TRANSLATIONS["en"]["do"] in french
    assert BUILT_IN_TRANSLATIONS["en"]["missing.title"] == "Please log in"


@pytest.mark.parametrize(
    ("language", "table", "words"),
    [
        ("en", {"missing.titel": "x"}, "'missing.titel': did you mean 'missing.title'"),
        ("fr", {"do.scope": "{portée}"}, "no braces but {scheme}, {scope}, {seconds}, {minutes} and {hours}"),
        ("fr", {"do": "{"}, "no braces"),
        ("fr", {"do.scope": "{scope.name}"}, "no braces"),
        ("fr", {"do": 5}, "must be a str"),
        ("english", {}, "write a language tag such as 'fr'"),
    ],
)
def test_a_wrong_text_is_a_mistake_before_the_first_request(make_app, auth, language, table, words):
    auth.texts[language] = table
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        auth.check(make_app(auth))


def test_a_table_without_languages_is_a_mistake(make_app, auth):
    auth.texts.clear()
    with pytest.raises(ConfigurationError, match="leave at least one language"):
        auth.check(make_app(auth))
