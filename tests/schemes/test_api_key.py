"""API keys in a header, the query or a cookie: API rows, REQ-05, and what a cookie must not do across sites (CSR)."""

from types import SimpleNamespace

import pytest

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Identity
from flask_unauthorized.loaders import StaticTokens

from .challenges import parse_challenges

KEY = "k-9f8e7d6c5b4a"
PLACES = {"header": "X-API-Key", "query": "api_key", "cookie": "session"}


@pytest.fixture
def build(make_app):
    """An app with one APIKey in one place; ``send(key)`` puts a key there."""

    def make(place="header", answer=None, *, more=(), **options):
        seen, ran = [], []

        def load(key):
            seen.append(key)
            return answer(key) if answer else {KEY: Identity("device")}.get(key)

        auth = Auth(APIKey(load, **{place: PLACES[place]}, **options), *more, realm="farm")
        app = make_app(auth)

        @app.route("/", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
        @auth.login_required
        def view():
            ran.append(1)
            return auth.identity.subject

        @app.get("/optional")
        @auth.login_optional
        def optional():
            return "page"

        client = app.test_client()

        def send(key, method="GET", headers=(), path="/"):
            kwargs = {"method": method, "headers": dict(headers)}
            if place == "header":
                kwargs["environ_overrides"] = {"HTTP_X_API_KEY": key}
            elif place == "query":
                kwargs["query_string"] = {"api_key": key}
            else:
                kwargs["environ_overrides"] = {"HTTP_COOKIE": f"session={key}"}
            cookieless = app.test_client(use_cookies=False)
            return cookieless.open(path, **kwargs)

        return SimpleNamespace(client=client, send=send, seen=seen, ran=ran, auth=auth, place=place)

    return make


def assert_refused(api, response):
    assert response.status_code == 401
    ((scheme, params),) = parse_challenges(response)
    assert scheme == "ApiKey"
    assert (params["realm"], params["in"], params["name"]) == ("farm", api.place, PLACES[api.place])
    assert response.headers["Cache-Control"] == "no-store"
    assert api.ran == []


@pytest.mark.parametrize("place", PLACES)
def test_good_key_opens(build, place):
    api = build(place)
    response = api.send(KEY)
    assert (response.status_code, response.text, api.seen) == (200, "device", [KEY])


@pytest.mark.rfc("H-01")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", [None, "wrong"], ids=["missing", "wrong"])
def test_missing_and_wrong_key_get_a_challenge_API_01(build, place, key):
    api = build(place)
    response = api.client.get("/") if key is None else api.send(key)
    assert_refused(api, response)
    assert api.seen == ([] if key is None else ["wrong"])
    assert ("error" in parse_challenges(response)[0][1]) is (key is not None)


@pytest.mark.parametrize("place", PLACES)
def test_empty_key_never_reaches_the_loader_API_02(build, place):
    api = build(place, answer=lambda key: "anybody")
    assert_refused(api, api.send(""))
    assert api.seen == []


def test_blank_header_is_an_empty_key_API_02(build):
    api = build("header", answer=lambda key: "anybody")
    assert_refused(api, api.send(" \t "))
    assert api.seen == []


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", ["null", "undefined", "None", "0", "false", "NaN"])
def test_words_for_nothing_are_ordinary_wrong_keys_API_02(build, place, key):
    api = build(place)
    assert_refused(api, api.send(key))
    assert api.seen == [key]


@pytest.mark.parametrize("place", ["header", "query"])
@pytest.mark.parametrize("key", ["k\u00e9y", "\u65e5\u672c", "k\x00y", "k\x7fy", "\ufffd"])
def test_key_beyond_printable_ascii_is_401_API_03(build, place, key):
    api = build(place, answer=lambda key: "anybody")
    assert_refused(api, api.send(key))
    assert api.seen == []


@pytest.mark.parametrize("place", ["header", "query"])
@pytest.mark.parametrize(
    "key", [KEY.upper(), KEY[:-1], KEY + "0", KEY[:4] + " " + KEY[4:], KEY + "%20", "\uff4b" + KEY[1:]]
)
def test_nearly_equal_key_is_refused_API_04(build, place, key):
    loader = StaticTokens({KEY: "device"})
    api = build(place, answer=loader)
    assert_refused(api, api.send(key))
    assert api.send(KEY).status_code == 200


@pytest.mark.parametrize("place", ["header", "query"])
@pytest.mark.parametrize(
    "key", ["%", "_", "*", "' OR 1=1", "../../etc/passwd", "k-*", "{{7*7}}", "a&b=c", "a+b", "a%20b"]
)
def test_key_is_opaque_API_06_REQ_26(build, place, key):
    api = build(place)
    assert_refused(api, api.send(key))
    assert api.seen == [key]


@pytest.mark.rfc("B-20")
def test_key_in_the_query_is_private_and_not_logged_API_07(build, caplog):
    caplog.set_level(1)
    api = build("query")
    response = api.send(KEY)
    assert response.cache_control.private
    assert api.send("wr0ng-s3cret").status_code == 401
    assert KEY not in caplog.text
    assert "wr0ng-s3cret" not in caplog.text


def test_key_of_one_tenant_does_not_open_the_other_API_08(make_app):
    mine = APIKey(StaticTokens({"key-a": "a"}), header="X-API-Key", realm="tenant a")
    theirs = APIKey(StaticTokens({"key-b": "b"}), header="X-API-Key", realm="tenant b")
    auth = Auth(mine, theirs)
    app = make_app(auth)
    app.add_url_rule("/a", "a", auth.login_required(via=mine)(lambda: auth.identity.subject))
    app.add_url_rule("/b", "b", auth.login_required(via=theirs)(lambda: auth.identity.subject))
    client = app.test_client()
    assert client.get("/a", headers={"X-API-Key": "key-a"}).text == "a"
    refused = client.get("/b", headers={"X-API-Key": "key-a"})
    assert (refused.status_code, parse_challenges(refused)[0][1]["realm"]) == (401, "tenant b")


@pytest.mark.parametrize(
    "lines", [["good", "bad"], ["bad", "good"], ["good", "good"], ["good,bad"], [f"{KEY}, {KEY}"], [f"{KEY},"], [","]]
)
def test_two_keys_or_a_comma_are_400_REQ_05(build, lines):
    api = build("header", answer=lambda key: "anybody")
    response = api.client.get("/", headers=[("X-API-Key", line) for line in lines])
    assert response.status_code == 400
    assert parse_challenges(response)[0][1]["error"] == "invalid_request"
    assert (api.seen, api.ran) == ([], [])


@pytest.mark.parametrize(
    ("place", "kwargs"),
    [
        ("query", {"query_string": f"api_key={KEY}&api_key=other"}),
        ("query", {"query_string": f"api_key=&api_key={KEY}"}),
        ("cookie", {"environ_overrides": {"HTTP_COOKIE": f"session={KEY}; session=other"}}),
    ],
)
def test_key_sent_twice_in_one_place_is_400_REQ_05(build, place, kwargs):
    api = build(place, answer=lambda key: "anybody")
    client = api.client.application.test_client(use_cookies=False)
    assert client.get("/", **kwargs).status_code == 400
    assert (api.seen, api.ran) == ([], [])


def test_length_is_capped_LIM(build):  # F-31
    api = build("header", answer=lambda key: "anybody")
    assert api.send("k" * 16384).status_code == 200
    assert api.send("k" * 16385).status_code == 400
    assert api.seen == ["k" * 16384]


@pytest.mark.rfc("B-11")
def test_key_and_token_at_once_are_400(build):
    api = build("header", more=(Bearer(lambda token: "anybody"),))
    response = api.client.get("/", headers={"X-API-Key": KEY, "Authorization": "Bearer good"})
    assert (response.status_code, api.seen, api.ran) == (400, [], [])
    assert {scheme: params["error"] for scheme, params in parse_challenges(response)} == dict.fromkeys(
        ("Bearer", "ApiKey"), "invalid_request"
    )


@pytest.mark.parametrize(
    ("place", "field"), [("header", "X-API-Key"), ("query", None), ("cookie", "Cookie")], ids=PLACES
)
def test_answers_stay_out_of_shared_caches(build, place, field):
    api = build(place)
    accepted, refused, anonymous = api.send(KEY), api.send("wrong"), api.client.get("/optional")
    assert accepted.cache_control.private
    assert refused.cache_control.no_store
    if field is not None:
        assert all(field.lower() in {name.lower() for name in r.vary} for r in (accepted, refused, anonymous))


# --- cookies across sites


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="CSR-01-cross-site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="CSR-10-sibling"),
        pytest.param({"Sec-Fetch-Site": "nonsense"}, 403, id="unknown-value"),
        pytest.param({"Sec-Fetch-Site": "same-origin"}, 200, id="same-origin"),
        pytest.param({"Sec-Fetch-Site": "none"}, 200, id="typed-by-the-user"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="CSR-01-origin"),
        pytest.param({"Origin": "null"}, 403, id="CSR-01-null"),
        pytest.param({"Origin": "http://localhost.evil.example"}, 403, id="prefix"),
        pytest.param({"Origin": "https://localhost"}, 403, id="other-scheme"),
        pytest.param({"Origin": "http://localhost:8080"}, 403, id="other-port"),
        pytest.param({"Origin": "http://localhost"}, 200, id="own-origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"}, 403, id="metadata-first"),
        pytest.param({}, 200, id="CSR-02-no-browser"),
        pytest.param({"Referer": "https://evil.example/"}, 200, id="CSR-09-referer-alone"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "X-HTTP-Method-Override": "GET"}, 403, id="CSR-03"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}, 403, id="CSR-04"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "https://app.example"}, 200, id="trusted"),
        pytest.param({"Origin": "https://app.example"}, 200, id="trusted-old-browser"),
        pytest.param({"Origin": "https://app.example.evil.example"}, 403, id="trusted-as-prefix"),
    ],
)
def test_unsafe_request_with_a_cookie(build, method, headers, status):
    api = build("cookie", trusted_origins={"https://app.example"})
    response = api.send(KEY, method, headers)
    assert response.status_code == status
    assert len(api.ran) == (status == 200)
    if status == 403:
        assert (api.seen, response.cache_control.no_store) == ([], True)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_safe_request_from_another_site_is_served(build, method):
    api = build("cookie")
    assert api.send(KEY, method, {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}).status_code == 200


@pytest.mark.parametrize("place", ["header", "query"])
def test_key_that_no_browser_sends_by_itself_needs_no_check(build, place):
    api = build(place)
    assert api.send(KEY, "POST", {"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_unsafe_cross_site_request_without_a_cookie_is_401(build):
    api = build("cookie")
    assert_refused(api, api.client.post("/", headers={"Sec-Fetch-Site": "cross-site"}))


@pytest.mark.parametrize(
    ("value", "status", "body"),
    [
        pytest.param("Bearer bad", 401, None, id="REQ-07"),
        pytest.param("Bearer a b", 400, None, id="CSR-05"),
        pytest.param("Basic Ym9iOmJhZA==", 401, None, id="REQ-08"),
        pytest.param("Digest username=x", 200, "device", id="REQ-09"),
        pytest.param("Bearer good", 200, "bob", id="REQ-10"),
    ],
)
def test_explicit_credentials_beat_a_cookie_and_are_never_rescued_by_it(build, value, status, body):
    bearer = Bearer(lambda token: "bob" if token == "good" else None)
    api = build("cookie", more=(bearer, Basic(lambda name, password: False)))
    response = api.send(KEY, headers={"Authorization": value})
    assert response.status_code == status
    assert body in (None, response.text)
    if value == "Bearer bad":
        errors = {scheme: params.get("error") for scheme, params in parse_challenges(response)}
        assert errors == {"Basic": None, "Bearer": "invalid_token", "ApiKey": None}


def test_foreign_scheme_does_not_switch_off_the_cross_site_check_REQ_09(build):
    api = build("cookie")
    headers = {"Authorization": "Basic eDp5", "Sec-Fetch-Site": "cross-site"}
    assert api.send(KEY, "POST", headers).status_code == 403


@pytest.mark.parametrize(
    "options",
    [
        {"header": "X-Key", "query": "key"},
        {"header": "Authorization"},
        {"header": "Cookie"},
        {"header": "X Key"},
        {"header": "X_Key"},
        {"header": ""},
        {"query": "a\r\nb"},
        {"cookie": "a;b"},
        {"cookie": "s", "trusted_origins": {"app.example"}},
        {"cookie": "s", "trusted_origins": {"https://app.example/"}},
        {"cookie": "s", "trusted_origins": {"*"}},
        {"cookie": "s", "trusted_origins": {"null"}},
    ],
)
def test_what_cannot_work_is_refused_at_set_up(options):
    with pytest.raises(ConfigurationError):
        APIKey(lambda key: None, **options)
