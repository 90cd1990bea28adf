"""The refusal as a page for people, and the developer's explanation."""

import base64
import gzip
import hashlib
import re
import shlex
from html.parser import HTMLParser

import pytest
from flask import Flask, Response

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Challenge,
    ConfigurationError,
    ExpiredCredentials,
    Forbidden,
    Identity,
    InsufficientScope,
    InvalidCredentials,
    InvalidProof,
    MalformedCredentials,
    MissingCredentials,
    NonceRequired,
    RevokedCredentials,
    Scheme,
    StepUpRequired,
    TooManyAttempts,
    abort_unauthorized,
)
from flask_unauthorized.errors import CrossSiteRequest
from flask_unauthorized.rendering.html import STYLE_HASH
from flask_unauthorized.rendering.translations import BUILT_IN_TEXTS

CANARY = "c4n4ry-0123456789"
ERRORS = {
    MissingCredentials: ("missing", 401),
    InvalidCredentials: ("invalid", 401),
    ExpiredCredentials: ("expired", 401),
    RevokedCredentials: ("revoked", 401),
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


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_it_says_what_happened_what_to_do_and_what_the_status_means(make_app, auth, kind, language):
    key, status = ERRORS[kind]
    response = page(serve(make_app, auth, kind()), Accept_Language=language)
    texts = BUILT_IN_TEXTS[language]
    text = Elements(response.text).text
    assert response.status_code == status
    for said in (f"{key}.title", f"{key}.message", "do", f"note.{status}"):
        assert texts[said] in text
    assert f"<title>{texts[f'{key}.title']}" in response.text
    assert (texts["note.401"] in text) is (status == 401)
    assert (texts["do.token"] in text) is (status == 401)
    assert (texts["do.ask"] in text) is (status == 403 and key != "cross_site")
    assert (texts["do.here"] in text) is (key == "cross_site")
    assert ("trusted_origins=" in text) is (key == "cross_site")  # F-44
    assert response.headers["Content-Language"] == language


@pytest.mark.parametrize("kind", [MissingCredentials, TooManyAttempts, AuthUnavailable])
def test_a_link_loads_the_page_again_but_not_what_was_sent(make_app, auth, kind):
    client = serve(make_app, auth, kind()).test_client()
    again = f'<a href="">{BUILT_IN_TEXTS["en"]["again"]}</a>'
    assert again in client.get("/", headers={"Accept": "text/html"}).text
    assert again not in client.delete("/", headers={"Accept": "text/html"}).text


def test_the_texts_of_all_languages_have_the_same_keys():
    english, german = BUILT_IN_TEXTS["en"], BUILT_IN_TEXTS["de"]
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
    assert BUILT_IN_TEXTS["de"]["forbidden.message"] not in response.text


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


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/plain", "text/html"])
@pytest.mark.parametrize("explain", [True, False])
def test_no_body_of_ours_is_sniffed(make_app, auth, accept, explain):  # F-17
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


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    digits = colour * 2 if len(colour) == 3 else colour
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_the_colours_have_contrast_by_day_and_by_night(make_app, auth):
    (style,) = re.findall(r"<style>(.*?)</style>", page(serve(make_app, auth)).text, re.DOTALL)
    light, dark = (dict(re.findall(r"--(\w+):#(\w+)", block)) for block in re.findall(r":root{(.*?)}", style))
    assert "prefers-color-scheme:dark" in style
    for colours in (light, dark):
        for front, back in (("ink", "card"), ("soft", "card"), ("link", "card"), ("ink", "paper")):
            lighter, darker = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5


# --- languages


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        (None, "en"), ("", "en"), ("*", "en"), ("fr", "en"), ("de", "de"), ("DE-at", "de"), ("de-CH-1996", "de"),
        ("de-DE,de;q=0.9,en;q=0.8", "de"), ("en-GB,en;q=0.9,de;q=0.8", "en"), ("fr,de;q=0.5,en;q=0.4", "de"),
        ("de;q=0", "en"), ("de;q=0, fr", "en"), ("en;q=0.1, de;q=0.2", "de"), ("de;q=nonsense", "en"),
        ("d" * 2000, "en"), ("de," * 40, "en"), ("-", "en"), ("de-", "de"),
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
    assert BUILT_IN_TEXTS["en"]["do"] in french
    assert BUILT_IN_TEXTS["en"]["missing.title"] == "Please log in"


@pytest.mark.parametrize(
    ("language", "table", "words"),
    [
        ("en", {"missing.titel": "x"}, "'missing.titel': did you mean 'missing.title'"),
        ("fr", {"do.scope": "{portée}"}, "no braces but {scheme}, {scope} and {seconds}"),
        ("fr", {"do": "{"}, "no braces"),
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


# --- for the developer


def explained(app, accept="application/json", method="GET", path="/", **headers):
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    response = app.test_client().open(path, method=method, headers={"Accept": accept, **fields})
    return response.json["debug"] if "json" in accept else response.text


def test_the_explanation_tells_what_came_what_was_asked_and_what_each_scheme_said(make_app):
    auth = Auth(Bearer(lambda token: None), APIKey(lambda key: None), realm="notes")
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    auth.protect(app, scopes={"notes:read"})
    app.add_url_rule("/", "view", auth.login_required(scopes={"notes:write"})(lambda: "fine"))
    for accept in ("application/json", "application/problem+json"):
        debug = explained(app, accept, Authorization=f"Bearer {CANARY}")
        assert debug == {
            "reason": "the loader of Bearer returned None for the token",
            "sent": ["Authorization: Bearer …"],
            "demanded": [
                "auth.protect(app): login_required(scopes=['notes:read'])",
                "@auth.login_required(scopes=['notes:write'])",
                "together: login_required(scopes=['notes:read', 'notes:write'])",
            ],
            "schemes": [
                {
                    "name": "Bearer",
                    "said": "the loader of Bearer returned None for the token",
                    "send": "curl -i -H 'Authorization: Bearer TOKEN' http://localhost/",
                },
                {
                    "name": "ApiKey",
                    "said": "Nothing was sent for it.",
                    "send": "curl -i -H 'X-Api-Key: KEY' http://localhost/",
                },
            ],
            "challenges": [
                'WWW-Authenticate: Bearer realm="notes", error="invalid_token", '
                'error_description="The credentials are not valid."',
                'WWW-Authenticate: ApiKey realm="notes", in="header", name="X-API-Key"',
            ],
            "paragraph": "RFC 6750 §3.1, invalid_token",
            "see": "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        }
    html = explained(app, "text/html", Authorization=f"Bearer {CANARY}")
    for line in (
        "Authorization: Bearer …",
        "the loader of Bearer returned None for the token",
        "curl -i -H &#x27;Authorization: Bearer TOKEN&#x27;",
    ):
        assert line in html


def test_good_credentials_are_told_apart_from_the_missing_scope(make_app):
    auth = Auth(Bearer(lambda token: Identity("ada")))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.login_required(scopes={"a"})(lambda: "fine"), methods=["DELETE"])
    debug = explained(app, method="DELETE", Authorization="Bearer x")
    assert debug["schemes"][0]["said"] == "The credentials are good."
    assert debug["reason"].startswith("none of ['a'] is granted: the scopes of the credentials are [], ")
    assert shlex.split(debug["schemes"][0]["send"])[:4] == ["curl", "-i", "-X", "DELETE"]


def test_a_bare_401_on_an_open_route_is_explained_too(make_app, auth):
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", lambda: __import__("flask").abort(401))
    debug = explained(app)
    assert debug["demanded"] == ["no guard on this route (in force: login_required, all schemes of the Auth)"]
    assert debug["sent"] == ["nothing that a scheme in force reads"]


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html"])
@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": CANARY}, {"Authorization": f"Bearer {CANARY}"}, {"Authorization": f"{CANARY} x"},
        {"Authorization": f"Bearer {CANARY}, {CANARY}"}, {"X-API-Key": CANARY}, {"Cookie": f"session={CANARY}"},
        {"Authorization": "Basic " + base64.b64encode(f"ada:{CANARY}".encode()).decode()}, {"Host": "localhost"},
    ],
)  # fmt: skip
def test_lek_no_secret_is_in_an_explanation(make_app, sent, accept):
    auth = Auth(
        Bearer(lambda token: None, query=True), Basic(lambda name, password: None), APIKey(lambda key: None),
        APIKey(lambda key: None, cookie="session"),
    )  # fmt: skip
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    for query in ("", f"?access_token={CANARY}", f"?q={CANARY}"):
        response = app.test_client(use_cookies=False).get("/" + query, headers={"Accept": accept, **sent})
        assert response.status_code in (400, 401)
        assert "curl" in response.text
        assert CANARY not in response.text + str(response.headers)


def test_our_own_trouble_is_not_spelled_out(make_app):
    def load(token):
        raise ConnectionError(f"postgres://app:{CANARY}@db/")

    auth = Auth(Bearer(load), unavailable=(ConnectionError,))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    debug = explained(app, Authorization="Bearer x")
    assert debug["reason"] == "The loader could not reach what it depends on; the log says more."
    assert CANARY not in str(debug)


def test_the_command_is_quoted_for_the_shell(make_app):
    auth = Auth(Basic(lambda name, password: None))
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/<path:rest>", "view", auth.login_required(lambda rest: "fine"))
    debug = explained(app, path="/a';rm -rf $HOME;'")
    words = shlex.split(debug["schemes"][0]["send"])
    assert words[:4] == ["curl", "-i", "-u", "NAME:PASSWORD"]
    assert len(words) == 5
    assert words[4].startswith("http://localhost/a")


@pytest.mark.parametrize(
    ("sent", "status", "paragraph"),
    [
        ({}, 401, "RFC 9110 §15.5.2"),
        ({"Authorization": "Bearer x"}, 401, "RFC 6750 §3.1"),
        ({"Authorization": "Bearer ="}, 400, "RFC 6750 §3.1"),
        ({"Authorization": "Basic !!!"}, 401, "RFC 7617 §2"),
        ({"X-API-Key": "x"}, 401, "RFC 9110 §15.5.2"),
        ({"Authorization": "Bearer x", "X-API-Key": "x"}, 400, "RFC 9110 §11.6.2"),
    ],
)
def test_the_paragraph_is_that_of_the_scheme_that_was_tried(make_app, auth, sent, status, paragraph):
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers=sent)
    assert response.status_code == status
    assert response.json["debug"]["paragraph"].startswith(paragraph)


def test_two_at_once_are_both_told_and_the_message_says_to_send_one(make_app, auth):
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers={"Authorization": "Bearer x", "X-API-Key": "x"})
    assert response.json["message"] == "More than one credential was sent. Send one."
    assert response.json["debug"]["sent"] == ["Authorization: Bearer …", "X-Api-Key: …"]
    said = {scheme["name"]: scheme["said"] for scheme in response.json["debug"]["schemes"]}
    assert said["Basic"] == "Nothing was sent for it."
    assert said["Bearer"] == said["ApiKey"] == "It was not asked, for something else was decided before."
