"""Bodies of refusals: negotiated, rendered, or the app's own; status and challenge never depend on them."""

import logging
import re
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from flask import Response, abort, redirect, render_template, render_template_string

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Bearer,
    ConfigurationError,
    Identity,
    InvalidCredentials,
    TooManyAttempts,
    abort_forbidden,
    abort_unauthorized,
    current_identity,
)
from tests.helpers import bearer_header

JSON, PROBLEM, HTML, TEXT = "application/json", "application/problem+json", "text/html", "text/plain"
CANARY = "c4n4ry-t0ken"
GOOD = {"Authorization": "Bearer good"}


def load(token):
    if token == "busy":
        raise TooManyAttempts(retry_after=7)
    if token == "down":
        raise AuthUnavailable(reason="the database is gone")
    if token == "odd":
        raise InvalidCredentials("<script>alert('x')</script> & \"y\"")
    return Identity("ada", scopes={"read"}, acr="weak", auth_time=0) if token == "good" else None


@pytest.fixture
def auth():
    return Auth(Bearer(load), realm="notes")


@pytest.fixture
def app(make_app, auth):
    app = make_app(auth)
    app.add_url_rule("/", "any", auth.login_required(lambda: "fine"))
    app.add_url_rule("/scope", "scope", auth.login_required(scopes={"write", "admin"})(lambda: "fine"))
    app.add_url_rule("/step", "step", auth.login_required(acr=["gold", "silver"], max_age=60)(lambda: "fine"))
    app.add_url_rule("/abort", "abort", lambda: abort(401))
    return app


def get(app, path="/", accept=None, headers=None, method="GET"):
    return app.test_client().open(
        path, method=method, headers={**({"Accept": accept} if accept else {}), **(headers or {})}
    )


def assert_refused(response, status=401):
    assert response.status_code == status
    (line,) = response.headers.getlist("WWW-Authenticate")
    assert line.startswith('Bearer realm="notes"')
    assert response.headers.getlist("Cache-Control") == ["no-store"]


# --- negotiation (RFC 9110 12.5.1)


@pytest.mark.rfc("H-32")
@pytest.mark.parametrize("path", ["/", "/abort"])
@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (PROBLEM, PROBLEM),
        (HTML, HTML),
        ("TEXT/HTML", HTML),
        (TEXT, TEXT),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", HTML),
        ("text/html;q=0.5, application/json;q=0.9", JSON),
        ("text/html;q=0.9, application/json;q=0.5", HTML),
        ("application/json;q=0.5, application/problem+json", PROBLEM),
        ("text/*;q=0.3, text/plain;q=0.7", TEXT),
        ("text/*, text/html;q=0", TEXT),
        ("*/*;q=0.1, text/plain;q=0.2", TEXT),
        ("*/*, application/json;q=0.5, application/problem+json;q=0, text/html;q=0.2", TEXT),
        ("text/html;q=0.001", HTML),
        ("text/html ; q=1.000", HTML),
        ("text/html;q=\x1c0", JSON),
        ("text/html;q=0.5\x1f, text/plain;q=0.1", TEXT),
        ("application/json;q=0, text/html", HTML),
        ("application/json; q=0.0, application/problem+json", PROBLEM),
        ("image/png", JSON),
        ("*/*;q=0", JSON),
        (",,text/plain,", TEXT),
        # F-55: what is named goes before what a wildcard of equal weight takes
        ("text/html, */*", HTML),
        ("*/*, text/html", HTML),
        ("*/*;q=0.5, text/plain;q=0.5", TEXT),
        ("application/*, text/plain", TEXT),
        ("text/*, */*", HTML),
        ("application/problem+json, application/*", PROBLEM),
        ("text/html, application/json, */*", JSON),
        ("text/html;q=0.9, */*", JSON),
        ("image/gif, image/jpeg, */*", HTML),
        ("image/gif, image/jpeg, application/json, */*", JSON),
        ("image/gif, image/jpeg, text/html;q=0, */*", JSON),
        ("image/gif, image/jpeg, */*;q=0.9", JSON),
    ],
)
def test_cac_05_the_client_chooses_the_form(app, path, accept, media):
    response = get(app, path, accept)
    assert_refused(response)
    assert response.mimetype == media
    assert {"accept", "authorization"} <= {name.lower() for name in response.vary}
    assert response.get_data()


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("text/html, " + ", ".join(f"a/b{n}" for n in range(31)), HTML),
        ("text/html, " + ", ".join(f"a/b{n}" for n in range(32)), JSON),
        ("text/html, " + ", ".join(["a/b"] * 32), JSON),
        ("text/html;q=1, " + "a" * 1009, HTML),
        ("text/html;q=1, " + "a" * 1010, JSON),
        ("text/html, " + ", ".join(f"a/b{n}" for n in range(4000)), JSON),
        ("text/html" + ";" * 60_000, JSON),
        ('text/html;a="' + '\\"' * 30_000, JSON),
    ],
    ids=[
        "32_ranges",
        "33_ranges",
        "33_equal_ranges",
        "1024_bytes",
        "1025_bytes",
        "4000_types",
        "semicolons",
        "escaped_quotes",
    ],
)
def test_lim_09_a_huge_accept_counts_as_any(app, accept, media):
    response = get(app, accept=accept)
    assert_refused(response)
    assert response.mimetype == media


# --- the built-in bodies

CASES = [
    ("/", {}, 401),
    ("/", bearer_header("bad"), 401),
    ("/", bearer_header("!"), 400),
    ("/", bearer_header("busy"), 429),
    ("/", bearer_header("down"), 503),
    ("/scope", GOOD, 403),
    ("/step", GOOD, 401),
    ("/abort", {}, 401),
]
each_case = pytest.mark.parametrize(
    ("path", "headers", "status"), CASES, ids=["missing", "bad", "malformed", "429", "503", "403", "step", "abort"]
)


@pytest.mark.rfc("H-31")
@each_case
def test_json_is_error_and_message(app, path, headers, status):
    response = get(app, path, headers=headers)
    assert (response.status_code, response.content_type) == (status, JSON)
    assert set(response.json) == {"error", "message"}
    assert response.json["error"] == HTTPStatus(status).phrase
    assert response.json["message"]


@pytest.mark.rfc("PD-01", "PD-02", "PD-04")
@each_case
def test_problem_tells_the_status_sent(app, path, headers, status):
    response = get(app, path, PROBLEM, headers)
    assert (response.status_code, response.content_type) == (status, PROBLEM)
    problem = response.json
    assert (problem["status"], problem["title"]) == (status, HTTPStatus(status).phrase)
    assert problem.get("type", "about:blank") == "about:blank"
    assert problem["detail"]


@pytest.mark.rfc("PD-07", "PD-09")
@each_case
def test_problem_mirrors_the_headers(app, path, headers, status):
    response = get(app, path, PROBLEM, headers)
    own = {name: value for name, value in response.json.items() if name not in {"type", "title", "status", "detail"}}
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9_]{2,}", name) for name in own)
    assert ("WWW-Authenticate" in response.headers) is (status not in (429, 503))
    challenge_params = dict(re.findall(r'(\w+)="([^"]*)"', response.headers.get("WWW-Authenticate", "")))
    mirrored = {"error", "scope", "acr_values", "max_age"}
    expected = {name: value for name, value in challenge_params.items() if name in mirrored}
    if "Retry-After" in response.headers:
        expected["retry_after"] = response.headers["Retry-After"]
    assert {name: str(value) for name, value in own.items()} == expected


@pytest.mark.rfc("PD-05", "B-13", "SU-01")
def test_problem_names_what_is_needed(app):
    problem = get(app, "/scope", PROBLEM, GOOD).json
    assert (problem["error"], problem["scope"]) == ("insufficient_scope", "admin write")
    titles = [get(app, accept=PROBLEM, headers=headers).json["title"] for headers in ({}, bearer_header("bad"))]
    assert titles == ["Unauthorized", "Unauthorized"]
    problem = get(app, "/step", PROBLEM, GOOD).json
    assert (problem["error"], problem["acr_values"]) == ("insufficient_user_authentication", "gold silver")
    assert problem["max_age"] == 60


@pytest.mark.rfc("PD-03")
@each_case
def test_problem_base_gives_absolute_types(make_app, path, headers, status):
    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth, UNAUTHORIZED_PROBLEM_BASE="https://docs.example/problems/")
    demands = {"/scope": {"scopes": {"write"}}, "/step": {"max_age": 60}}.get(path, {})
    app.add_url_rule("/<path:path>", "view", auth.login_required(**demands)(lambda path: "fine"))
    problem = get(app, path if len(path) > 1 else "/any", PROBLEM, headers).json
    assert problem["type"].startswith("https://docs.example/problems/")
    assert re.fullmatch("[a-z_-]+", urlsplit(problem["type"]).path.removeprefix("/problems/"))
    if "error" in problem:
        assert problem["type"] == "https://docs.example/problems/" + problem["error"]


@pytest.mark.parametrize("base", ["problems/", "/problems/", "https://user:pw@docs.example/", 'https://x/"', 5])
def test_problem_base_must_be_an_absolute_uri(make_app, base):
    auth = Auth(Bearer(load))
    with pytest.raises(ConfigurationError, match="UNAUTHORIZED_PROBLEM_BASE"):
        auth.check(make_app(auth, UNAUTHORIZED_PROBLEM_BASE=base))


@pytest.mark.asvs("V3.2.1", "V4.1.1")
def test_lek_10_html_is_escaped_and_not_sniffed(app):
    response = get(app, accept=HTML, headers=bearer_header("odd"))
    assert_refused(response)
    assert response.content_type.replace(" ", "").lower() == "text/html;charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script" not in response.text
    assert "&lt;script&gt;" in response.text
    assert "401 Unauthorized" in response.text


@pytest.mark.parametrize("accept", [JSON, PROBLEM, HTML, TEXT])
def test_lek_10_the_request_is_not_echoed(app, accept):
    response = get(app, f"/?q=%3Cscript%3E{CANARY}", accept, {"X-Canary": CANARY, **bearer_header("bad-" + CANARY)})
    assert_refused(response)
    assert CANARY not in response.text + str(response.headers)


@pytest.mark.asvs("V4.1.1")
def test_text_is_plain(app):
    response = get(app, accept=TEXT)
    assert response.content_type.replace(" ", "").lower() == "text/plain;charset=utf-8"
    assert response.text.startswith("401 Unauthorized\n")


@pytest.mark.rfc("H-25")
@pytest.mark.parametrize("accept", [JSON, PROBLEM, HTML, TEXT])
@pytest.mark.parametrize("path", ["/", "/abort"])
def test_hdr_17_head_is_get_without_a_body(app, path, accept):
    head, whole = get(app, path, accept, method="HEAD"), get(app, path, accept)
    assert head.status_code == 401
    assert head.get_data() == b""
    for name in ("WWW-Authenticate", "Cache-Control", "Content-Length", "Content-Type", "Vary"):
        assert head.headers.getlist(name) == whole.headers.getlist(name) != []


# --- the app's renderers


def test_a_renderer_for_a_new_media_type(app, auth):
    auth.renderer("application/vnd.api+json")(lambda error: {"errors": [{"status": str(error.code)}]})
    response = get(app, accept="application/vnd.api+json")
    assert_refused(response)
    assert response.content_type == "application/vnd.api+json"
    assert response.get_json(force=True) == {"errors": [{"status": "401"}]}
    assert get(app, accept="*/*").mimetype == JSON


RESULTS = {
    "str": (lambda error: "mine", b"mine"),
    "bytes": (lambda error: b"mine", b"mine"),
    "dict": (lambda error: {"mine": 1}, None),
    "200": (lambda error: Response("mine", status=200, mimetype=TEXT), b"mine"),
    "302": (lambda error: redirect("/elsewhere"), None),
    "stream": (lambda error: Response((c for c in "mine"), status=200), b"mine"),
    "own_challenge": (lambda error: Response("mine", headers={"WWW-Authenticate": "Negotiate"}), b"mine"),
    "public": (lambda error: Response("mine", headers={"Cache-Control": "public, max-age=600"}), b"mine"),
}


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("guard", ["repair", "off"])
@pytest.mark.parametrize("result", RESULTS)
def test_err_03_status_and_challenge_are_put_back(make_app, result, guard):
    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth, UNAUTHORIZED_GUARD=guard)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    render, body = RESULTS[result]
    auth.renderer(TEXT)(render)
    response = get(app, accept=TEXT)
    assert_refused(response)
    if body is not None:
        assert response.get_data() == body


@pytest.mark.parametrize("result", [None, ("mine", 200), 5, ["mine"]], ids=repr)
def test_err_03_other_types_fail_in_debug_only(app, auth, caplog, result):
    auth.renderer(TEXT)(lambda error: result)
    with pytest.raises(TypeError, match=type(result).__name__):
        get(app, accept=TEXT)
    app.testing = False
    response = get(app, accept=TEXT)
    assert_refused(response)
    assert "Authentication is required" in response.text
    assert [record.levelno for record in caplog.records if record.name == "flask_unauthorized"].count(
        logging.ERROR
    ) == 1


FAILING = {
    "err-02": lambda error: 1 / 0,
    "err-04_abort": lambda error: abort(401),
    "err-04_ours": lambda error: abort_unauthorized(),
    "err-04_forbidden": lambda error: abort_forbidden("no"),
    "err-05_template": lambda error: render_template("no-such-file.html"),
}


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("path", ["/", "/abort"])
@pytest.mark.parametrize("render", FAILING)
def test_a_failing_renderer_costs_the_body_only(app, auth, caplog, render, path):
    auth.renderer(TEXT)(FAILING[render])
    response = get(app, path, TEXT)
    assert_refused(response)
    assert response.mimetype in {JSON, TEXT}
    assert "Authentication is required" in response.text
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["flask_unauthorized"]


def test_err_02_a_failing_renderer_keeps_403(app, auth):
    auth.renderer(TEXT)(FAILING["err-02"])
    response = get(app, "/scope", TEXT, GOOD)
    assert_refused(response, 403)
    assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


def test_err_04_a_renderer_that_calls_a_protected_function_stops_at_depth_one(app, auth):
    calls = []

    @auth.login_required
    def protected():
        return "fine"

    @auth.renderer(TEXT)
    def render(error):
        calls.append(error)
        return protected()

    assert_refused(get(app, accept=TEXT))
    assert len(calls) == 1


def test_err_05_the_renderer_sees_nobody(app, auth):
    source = "[{{ identity }}|{{ 'in' if proxy else 'out' }}]"
    auth.renderer(TEXT)(
        lambda error: render_template_string(source, identity=auth.get_identity(), proxy=current_identity)
    )
    response = get(app, accept=TEXT, headers=bearer_header("bad"))
    assert_refused(response)
    assert response.text == "[None|out]"


@pytest.mark.parametrize("media", ["*/*", "text/*", "text", "", "text/", "text/html;charset=utf-8", None])
def test_a_renderer_needs_one_media_type(auth, media):
    with pytest.raises(ConfigurationError):
        auth.renderer(media)


def test_a_renderer_is_registered_once_and_callable(auth):
    auth.renderer(TEXT)(str)
    with pytest.raises(ConfigurationError):
        auth.renderer(TEXT)(str)
    with pytest.raises(TypeError):
        auth.renderer(HTML)("page.html")


# --- explaining


@pytest.mark.asvs("V13.4.2")
@pytest.mark.parametrize(
    ("debug", "explain", "shown"), [(False, None, False), (True, None, True), (False, True, True), (True, False, False)]
)
def test_lek_09_the_reason_is_shown_in_debug_only(make_app, debug, explain, shown):
    auth = Auth(Bearer(load), APIKey(load), realm="notes")
    app = make_app(auth, UNAUTHORIZED_EXPLAIN=explain)
    app.debug = debug
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    headers = {"X-Canary": CANARY, "Cookie": f"s={CANARY}"}
    for sent in (bearer_header("bad-" + CANARY), {"X-API-Key": CANARY}, bearer_header(f"{CANARY}, {CANARY}")):
        page = get(app, f"/?q={CANARY}", HTML, {**headers, **sent})
        assert CANARY not in page.text + str(page.headers)
        for media in (JSON, PROBLEM, TEXT):
            other = get(app, accept=media, headers=sent).text
            assert not any(word in other for word in ("Credentials(", "lambda", CANARY))
            assert ('"debug"' in other) is (shown and media != TEXT)
            assert shown or not any(word in other for word in ("the loader of Bearer returned None", "b64token"))
    assert ("the loader of Bearer returned None" in get(app, accept=HTML, headers=bearer_header("bad")).text) is shown
    assert ("ApiKey" in get(app, accept=HTML, headers=bearer_header("bad")).text) is shown
