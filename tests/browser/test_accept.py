"""Who opens a page, and which body a refusal has, by the request fields that real clients send."""

import pytest

from flask_unauthorized import Auth, Basic, SessionCookie
from flask_unauthorized.testing import assert_unauthorized

from .conftest import KEY, USERS

JSON, HTML = "application/json", "text/html"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
CHROME_73 = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3"
)
MODERN = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SIMPLE_PIE = (
    "application/atom+xml, application/rss+xml, application/rdf+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, "
    "text/html;q=0.7, unknown/unknown;q=0.1, application/unknown;q=0.1, */*;q=0.1"
)
INTERNET_EXPLORER_8 = (
    "image/jpeg, application/x-ms-application, image/gif, application/xaml+xml, image/pjpeg, application/x-ms-xbap, "
    "application/vnd.ms-excel, application/msword, */*"
)
RAILS = "text/javascript, application/javascript, application/ecmascript, application/x-ecmascript, */*; q=0.01"

# The field Accept of each client where it sends no Fetch Metadata: over plain HTTP, or because it knows none.
PAGES = {
    "Firefox": MODERN,
    "Firefox 72": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "Safari": MODERN,
    "Chrome": CHROME,
    "Chrome 73": CHROME_73,
    "Android WebView": CHROME,
    "Opera 12": (
        "text/html, application/xml;q=0.9, application/xhtml+xml, image/png, image/webp, image/jpeg, image/gif, "
        "image/x-xbitmap, */*;q=0.1"
    ),
    "Internet Explorer 11, Edge's IE mode": "text/html, application/xhtml+xml, image/jxr, */*",
    "Internet Explorer 9": "text/html, application/xhtml+xml, */*",
    "Lynx": "text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01",
    "Googlebot": CHROME.replace(";q=0.7", ""),
    "wget2, which copies a browser": MODERN,
    "Turbo without Fetch Metadata, which follows redirects": "text/html, application/xhtml+xml",
}
OTHERS = {
    "Internet Explorer 8, Edge's IE mode": (INTERNET_EXPLORER_8, HTML),
    "Internet Explorer 6": (
        "image/gif, image/x-xbitmap, image/jpeg, image/pjpeg, application/x-shockwave-flash, */*",
        HTML,
    ),
    "Konqueror 4": ("text/html, image/jpeg;q=0.9, image/png;q=0.9, text/*;q=0.9, image/*;q=0.9, */*;q=0.8", HTML),
    "w3m": ("text/html, text/*;q=0.5, image/*, application/*, */*;q=0.1", HTML),
    "w3m 0.5": ("text/html, text/*;q=0.5, image/*, application/*", HTML),
    "Dillo": ("text/*,image/*,*/*;q=0.2", HTML),
    "links, ELinks": ("*/*", JSON),
    "Java's HttpURLConnection": ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", HTML),
    "Java's HttpURLConnection since JDK 20": ("text/html, image/gif, image/jpeg, */*; q=0.2", HTML),
    "SimplePie (FreshRSS, WordPress)": (SIMPLE_PIE, HTML),
    "Miniflux": (
        "application/xml, application/atom+xml, application/rss+xml, application/rdf+xml, application/feed+json, "
        "text/html, */*;q=0.9",
        HTML,
    ),
    "feedparser": (
        "application/atom+xml,application/rdf+xml,application/rss+xml,application/x-netcdf,application/xml;q=0.9,"
        "text/xml;q=0.2,*/*;q=0.1",
        JSON,
    ),
    "a feed reader": ("application/rss+xml, application/xml;q=0.9, text/html;q=0.8, */*;q=0.1", HTML),
    "a feed reader that takes XHTML": ("application/rss+xml, text/html;q=0.8, application/xhtml+xml;q=0.8", HTML),
    "a SPARQL client": ("text/turtle, application/rdf+xml;q=0.9, text/html;q=0.5", HTML),
    "an RDFa reader": ("text/turtle, application/xhtml+xml;q=0.9, text/html;q=0.9", HTML),
    "a JSON-LD client": (
        'application/ld+json;profile="https://www.w3.org/ns/activitystreams", application/xhtml+xml;q=0.9, '
        "text/html;q=0.9",
        HTML,
    ),
    "curl, wget, requests, httpx, Postman, Office, Outlook, Slackbot": ("*/*", JSON),
    "Go, LWP, printers": (None, JSON),
    "HTTPie": ("application/json, */*;q=0.5", JSON),
    "axios, Angular": ("application/json, text/plain, */*", JSON),
    "jQuery's getJSON": ("application/json, text/javascript, */*; q=0.01", JSON),
    "jQuery's load": ("text/html, */*; q=0.01", HTML),
    "Rails UJS": (RAILS, JSON),
    "RestSharp": ("application/json, text/json, text/x-json, text/javascript, application/xml, text/xml", JSON),
    "Spring's RestTemplate": ("text/plain, application/xml, text/xml, application/json, application/*+xml, */*", JSON),
    "an image in Chrome": ("image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", JSON),
    "an image in Internet Explorer": ("image/png, image/svg+xml, image/jxr, image/*;q=0.8, */*;q=0.5", JSON),
    "a stylesheet in Firefox": ("text/css,*/*;q=0.1", JSON),
    "HTML alone": ("text/html", HTML),
    "XHTML alone": ("application/xhtml+xml", JSON),
    "XHTML that is not wanted": ("text/html, application/xhtml+xml;q=0", HTML),
    "HTML that is not wanted": ("text/html;q=0, application/xhtml+xml", JSON),
    "XHTML with parameters": ('text/html, application/xhtml+xml;profile="x"', HTML),
    "anything rather than a page": ("text/html;q=0.5, application/xhtml+xml;q=0.5, */*", JSON),
    "JSON rather than a page": ("application/json, text/html;q=0.9, application/xhtml+xml;q=0.9", JSON),
    "XML rather than HTML": ("application/xml,application/xhtml+xml,text/html;q=0.9,image/png,*/*;q=0.5", HTML),
    "too many types": (MODERN + ",a/b" * 32, JSON),
    "too long": (MODERN + "," + "a" * 1024, JSON),
    "weights of no grammar": ("text/html;q=x, application/xhtml+xml", JSON),
    "nothing": ("", JSON),
}


@pytest.fixture(scope="module")
def client():
    from flask import Flask

    # Behind a proxy, a page that takes a session or a password.
    auth = Auth(SessionCookie(USERS.get, login_view="login"), Basic(lambda name, password: None), realm="shop")
    app = Flask("accepting")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    auth.init_app(app)
    app.add_url_rule("/login", "login", auth.public(lambda: "form"))
    app.add_url_rule("/page", "page", auth.login_required(lambda: "in"), methods=["GET", "POST"])
    return app.test_client()


def accepting(accept):
    return {} if accept is None else {"Accept": accept}


def offered(response):
    return {line.partition(" ")[0] for line in response.headers.getlist("WWW-Authenticate")}


@pytest.mark.parametrize("accept", PAGES.values(), ids=list(PAGES))
def test_a_browser_that_opens_a_page_is_led_to_the_login_page(client, accept):  # F-55
    assert client.get("/page", headers=accepting(accept)).location == "/login?next=/page"
    refused = client.post("/page", headers=accepting(accept))
    assert (refused.status_code, refused.mimetype) == (401, HTML)
    assert offered(refused) == {"Basic", "Cookie"}


@pytest.mark.parametrize(("accept", "body"), OTHERS.values(), ids=list(OTHERS))
def test_everybody_else_is_told_in_a_form_that_they_read(client, accept, body):  # F-55
    refused = client.get("/page", headers=accepting(accept))
    assert_unauthorized(refused, error=None)
    assert refused.location is None
    assert refused.mimetype == body
    assert offered(refused) == {"Basic", "Cookie"}


@pytest.mark.parametrize("accept", [*PAGES.values(), *(accept for accept, _ in OTHERS.values())])
def test_what_a_client_accepts_counts_only_without_fetch_metadata(client, accept):  # F-54
    page = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}
    assert client.get("/page", headers={**accepting(accept), **page}).status_code == 302
    script = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
    refused = client.get("/page", headers={**accepting(accept), **script})
    assert refused.status_code == 401
    assert offered(refused) == {"Cookie"}


# --- scripts: Fetch Metadata, and the marks of libraries where there is none

ANDROID = {"X-Requested-With": "com.example.app"}
LIBRARY = {"X-Requested-With": "XMLHttpRequest"}
HTMX = {"HX-Request": "true"}
NAVIGATE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}
FETCH = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
NODE = {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}
ASKED = {  # headers, whether a page is opened, whether a script asks
    "WebView page": ({**NAVIGATE, **ANDROID, "Accept": CHROME}, True, False),
    "WebView page before Chrome 76, or over plain HTTP": ({**ANDROID, "Accept": CHROME}, True, False),
    "WebView frame": ({**NAVIGATE, **ANDROID, "Sec-Fetch-Dest": "iframe", "Accept": CHROME}, True, False),
    "WebView script": ({**FETCH, **ANDROID, "Accept": "*/*"}, False, True),
    "WebView script that names itself": ({**FETCH, **LIBRARY, "Accept": "*/*"}, False, True),
    "WebView script over plain HTTP": ({**ANDROID, "Accept": "*/*"}, False, False),
    "WebView of an app without a dot": ({**ANDROID, "X-Requested-With": "app", "Accept": CHROME}, True, False),
    "WebView with an empty name": ({"X-Requested-With": "", "Accept": CHROME}, True, False),
    "jQuery": ({**LIBRARY, "Accept": "*/*"}, False, True),
    "jQuery that asks for HTML": ({**LIBRARY, "Accept": CHROME}, False, True),
    "jQuery in other letters": ({"X-Requested-With": "xmlhttprequest", "Accept": CHROME}, False, True),
    "jQuery with Fetch Metadata": ({**FETCH, **LIBRARY, "Accept": "*/*"}, False, True),
    "a page that an app loads with the mark": ({**NAVIGATE, **LIBRARY, "Accept": CHROME}, True, False),
    "axios, fetch": ({**FETCH, "Accept": "application/json, text/plain, */*"}, False, True),
    "fetch of HTML": ({**FETCH, "Accept": CHROME}, False, True),
    "fetch over plain HTTP": ({"Accept": "*/*"}, False, False),
    "an image": ({**FETCH, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "*/*"}, False, True),
    "htmx": ({**HTMX, **FETCH, "Accept": "*/*"}, False, True),
    "htmx over plain HTTP": ({**HTMX, "Accept": "*/*"}, False, True),
    "htmx that asks for HTML": ({**HTMX, "Accept": CHROME}, False, True),
    "Node's fetch": (NODE, False, False),
    "Node's fetch of HTML": ({**NODE, "Accept": CHROME}, False, False),
    "Node's fetch with the mark": ({**NODE, **LIBRARY}, False, True),
    "a handshake": ({**FETCH, "Sec-Fetch-Mode": "websocket", "Sec-Fetch-Dest": "websocket"}, False, True),
    "a frame": ({**NAVIGATE, "Sec-Fetch-Dest": "iframe", "Accept": CHROME}, True, False),
    "a frameset's frame": ({**NAVIGATE, "Sec-Fetch-Dest": "frame", "Accept": CHROME}, True, False),
    "an embedded page": ({**NAVIGATE, "Sec-Fetch-Dest": "embed", "Accept": CHROME}, True, False),
    "a download": ({**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": "*/*"}, False, False),
    "a download without Accept": ({**NAVIGATE, "Sec-Fetch-Dest": "empty"}, False, False),
    "a download of a WebView": ({**NAVIGATE, **ANDROID, "Sec-Fetch-Dest": "empty", "Accept": "*/*"}, False, False),
    "a page without a destination": ({**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": CHROME}, True, False),
    "XHTML without a destination": (
        {**NAVIGATE, "Sec-Fetch-Dest": "empty", "Accept": "application/xhtml+xml"}, True, False,
    ),
    "a site without a mode": ({"Sec-Fetch-Site": "none", "Accept": CHROME}, True, False),
    "a site without a mode, and the mark": ({"Sec-Fetch-Site": "none", **LIBRARY, "Accept": CHROME}, False, True),
}  # fmt: skip


@pytest.mark.parametrize(("headers", "page", "script"), ASKED.values(), ids=list(ASKED))
def test_a_page_a_script_or_a_program(client, headers, page, script):  # F-54, F-56
    answer = client.get("/page", headers=headers)
    assert answer.status_code == (302 if page else 401)
    assert answer.location == ("/login?next=/page" if page else None)
    named = {name.strip() for name in answer.headers["Vary"].split(",")}
    assert named >= {
        "Accept", "Authorization", "Cookie", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "X-Requested-With",
        "HX-Request",
    }  # fmt: skip
    # The same client with a form: the password box is withheld from scripts only.
    own = {"Sec-Fetch-Site": "same-origin"} if "Sec-Fetch-Site" in headers else {}
    refused = client.post("/page", headers={**headers, **own})
    assert offered(refused) == ({"Cookie"} if script else {"Basic", "Cookie"})


@pytest.mark.parametrize("headers", [{**NAVIGATE, **ANDROID}, ANDROID])
def test_a_page_in_a_web_view_is_offered_the_password_box(make_app, headers):  # F-54
    auth = Auth(Basic(lambda name, password: None, script_alias="XBasic"), realm="shop")
    app = make_app(auth)
    app.add_url_rule("/page", "page", auth.login_required(lambda: "in"))
    refused = app.test_client().get("/page", headers={**headers, "Accept": CHROME})
    assert offered(refused) == {"Basic"}
    assert offered(app.test_client().get("/page", headers={**FETCH, **ANDROID})) == {"XBasic"}


def test_a_page_of_the_apps_own_says_what_it_depends_on(build):  # F-55: a redirect for some, this page for the others
    shop = build()
    shop.app.register_error_handler(401, lambda error: ("own page", 401))
    answer = shop.client.get("/page", headers={"Accept": "*/*"})
    assert answer.text == "own page"
    named = [name.strip() for name in answer.headers["Vary"].split(",")]
    assert {"Accept", "Sec-Fetch-Dest", "Sec-Fetch-Mode"} <= set(named)
    assert len(named) == len(set(named))
