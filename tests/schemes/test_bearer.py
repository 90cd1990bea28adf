"""Bearer on the wire: RFC 6750, the ambiguous requests (REQ) and the oversized ones (LIM)."""

from types import SimpleNamespace
from urllib.request import parse_http_list

import pytest
from werkzeug.datastructures import WWWAuthenticate

from flask_unauthorized import Auth, Bearer, Challenge, ConfigurationError, Identity, errors
from flask_unauthorized.schemes.bearer import MAX_FORM

TOKEN = "mF_9.B5f-4.1JqM"
FORM = "application/x-www-form-urlencoded"


def params_by_scheme(response):
    """Return the parameters of each scheme's challenge, read by Werkzeug's parser."""
    parsed = [WWWAuthenticate.from_header(line) for line in response.headers.getlist("WWW-Authenticate")]
    assert all(challenge is not None and challenge.token is None for challenge in parsed)
    return {challenge.type: challenge.parameters for challenge in parsed}


@pytest.fixture
def build(make_app):
    """An app with one Bearer scheme whose loader and view count their calls."""

    def make(answer=None, *, scheme_options=None, **config):
        seen, ran = [], []

        def load(token):
            seen.append(token)
            return (answer or known)(token)

        def known(token):
            return Identity("bob", scopes={"read"}) if token in (TOKEN, "abc==", "good") else None

        auth = Auth(Bearer(load, **(scheme_options or {})), realm="notes")
        app = make_app(auth, **config)

        @app.route("/", methods=["GET", "POST", "PUT"])
        @auth.login_required
        def view():
            ran.append(1)
            return auth.identity.subject

        @app.get("/write")
        @auth.login_required(scopes={"write", "admin"})
        def write():
            ran.append(1)
            return "written"

        @app.get("/optional")
        @auth.login_optional
        def optional():
            ran.append(1)
            return "anonymous"

        return SimpleNamespace(app=app, client=app.test_client(), seen=seen, ran=ran, auth=auth)

    return make


def send(api, value, path="/", **kwargs):
    """The field value exactly as a WSGI server hands it over."""
    return api.client.open(path, environ_overrides={"HTTP_AUTHORIZATION": value}, **kwargs)


def assert_malformed(api, response):
    assert response.status_code == 400
    assert params_by_scheme(response)["bearer"]["error"] == "invalid_request"
    assert response.headers["Cache-Control"] == "no-store"
    assert (api.seen, api.ran) == ([], [])


def assert_clean_401(api, response):
    assert response.status_code == 401
    assert params_by_scheme(response) == {"bearer": {"realm": "notes"}}
    assert (api.seen, api.ran) == ([], [])


@pytest.mark.rfc("B-01", "B-02")
@pytest.mark.parametrize(
    ("value", "token"),
    [
        pytest.param(f"Bearer {TOKEN}", TOKEN, id="vector"),
        pytest.param(f"bearer {TOKEN}", TOKEN, id="REQ-11-lower"),
        pytest.param(f"BEARER  {TOKEN}", TOKEN, id="REQ-11-upper"),
        pytest.param("Bearer abc==", "abc==", id="padding"),
        pytest.param("Bearer   good", "good", id="REQ-12-blanks"),
        pytest.param("Bearer good ", "good", id="REQ-12-trailing"),
    ],
)
def test_wellformed_credentials_reach_the_loader(build, value, token):
    api = build()
    response = send(api, value)
    assert (response.status_code, response.text) == (200, "bob")
    assert api.seen == [token]
    assert api.ran == [1]


@pytest.mark.rfc("B-02", "B-03", "B-10")
@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Bearer =", id="REQ-14-padding-alone"),
        pytest.param("Bearer a b", id="REQ-15-REQ-19-two-words"),
        pytest.param('Bearer "a"', id="REQ-15-quoted"),
        pytest.param("Bearer abc!", id="REQ-15-bang"),
        pytest.param("Bearer =a", id="REQ-15-equals-first"),
        pytest.param("Bearer a=b", id="REQ-15-parameter"),
        pytest.param("Bearer =", id="REQ-15-padding-only"),
        pytest.param("Bearer go\x00od", id="REQ-15-NUL"),
        pytest.param("Bearer go\x7fod", id="REQ-15-DEL"),
        pytest.param("Bearer go\x80od", id="REQ-15-80"),
        pytest.param("Bearer go\xffod", id="REQ-15-FF"),
        pytest.param("Bearer goo%64", id="REQ-26-percent"),
        pytest.param("Bearer a,b", id="comma"),
        pytest.param("Bearer good, Bearer bad", id="REQ-02"),
        pytest.param("Bearer good,Bearer bad", id="REQ-01-good-first"),
        pytest.param("Bearer bad,Bearer good", id="REQ-01-bad-first"),
        pytest.param("Bearer a, DPoP b", id="two-schemes"),
        pytest.param("Basic dXNlcjpwdw==,Bearer good", id="REQ-03"),
        pytest.param("Bearer\tgood", id="REQ-13-tab"),
        pytest.param("Bearer\u00a0good", id="REQ-13-nbsp"),
        pytest.param("Bearer:good", id="REQ-13-colon"),
    ],
)
def test_malformed_credentials_are_400(build, value):
    api = build()
    assert_malformed(api, send(api, value))


@pytest.mark.rfc("B-10")
@pytest.mark.parametrize("order", [("Bearer good", "Bearer bad"), ("Bearer bad", "Bearer good")])
def test_two_authorization_lines_are_400_REQ_01(build, order):
    api = build()
    assert_malformed(api, api.client.get("/", headers=[("Authorization", value) for value in order]))


@pytest.mark.rfc("B-04", "B-09")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Authorization": ""}, id="empty"),
        pytest.param({"Authorization": "garbage"}, id="garbage"),
        pytest.param({"Authorization": "Basic dXNlcjpwdw=="}, id="other-scheme"),
        pytest.param({"Authorization": "Foo good"}, id="REQ-17-foo"),
        pytest.param({"Proxy-Authorization": "Bearer good"}, id="REQ-18-proxy"),
        pytest.param({"X-Authorization": "Bearer good"}, id="REQ-18-x"),
        pytest.param({"HTTP_AUTHORIZATION": "Bearer good"}, id="REQ-20"),
        pytest.param({"X-Remote-User": "bob", "X-Forwarded-User": "bob", "Client-Cert": ":Ym9i:"}, id="REQ-21"),
    ],
)
def test_nothing_sent_is_401_without_error(build, headers):
    api = build()
    assert_clean_401(api, api.client.get("/", headers=headers))
    assert_clean_401(api, api.client.get("/", headers=headers, environ_overrides={"REMOTE_USER": "bob"}))


@pytest.mark.parametrize(  # T-05: only blanks, and another scheme, are as good as nothing sent
    ("value", "status"),
    [
        *((value, 400) for value in ("B\x00arer good", "é good", ",", ",,,", "=", '"Bearer" good')),
        *((value, 401) for value in (" ", "\t", "x" * 8000)),
    ],
)
def test_odd_scheme_names_never_crash_REQ_16(build, value, status):
    api = build()
    response = send(api, value)
    assert response.status_code == status
    assert params_by_scheme(response)["bearer"]["realm"] == "notes"
    assert api.seen == []


@pytest.mark.rfc("B-19", "B-21")
@pytest.mark.parametrize(
    ("options", "request_kwargs"),
    [
        pytest.param({}, {"query_string": {"access_token": "good"}}, id="REQ-22-query"),
        pytest.param({}, {"method": "POST", "data": {"access_token": "good"}}, id="REQ-22-form"),
        pytest.param({}, {"method": "POST", "json": {"access_token": "good"}}, id="REQ-22-json"),
        pytest.param({"form": True}, {"query_string": {"access_token": "good"}}, id="form-only-query"),
        pytest.param({"query": True}, {"method": "POST", "data": {"access_token": "good"}}, id="query-only-form"),
        pytest.param({"query": True}, {"query_string": {"Access_Token": "good"}}, id="case-of-the-name"),
    ],
)
def test_places_that_are_not_switched_on_are_ignored(build, options, request_kwargs):
    api = build(scheme_options=options)
    assert_clean_401(api, api.client.open("/", **request_kwargs))


@pytest.mark.rfc("B-17")
@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("content_type", [FORM, f"{FORM}; charset=UTF-8"])
def test_form_token(build, method, content_type):
    api = build(scheme_options={"form": True})
    response = api.client.open("/", method=method, data="access_token=good&x=1", content_type=content_type)
    assert (response.status_code, api.seen) == (200, ["good"])


@pytest.mark.rfc("B-17", "B-18")
@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({"method": "GET", "data": "access_token=good", "content_type": FORM}, id="REQ-23-GET"),
        pytest.param({"method": "HEAD", "data": "access_token=good", "content_type": FORM}, id="REQ-23-HEAD"),
        pytest.param(
            {"method": "POST", "data": {"access_token": "good"}, "content_type": "multipart/form-data"},
            id="REQ-23-multipart",
        ),
        pytest.param({"method": "POST", "json": {"access_token": "good"}}, id="REQ-23-json"),
        pytest.param(
            {"method": "POST", "data": "access_token=good", "content_type": "text/plain"}, id="REQ-23-other-type"
        ),
        pytest.param({"method": "POST", "data": "access_token=good"}, id="REQ-23-no-type"),
        pytest.param(
            {"method": "POST", "data": "access_token=good&n=é".encode(), "content_type": FORM}, id="non-ASCII"
        ),
    ],
)
def test_form_token_is_ignored_where_the_rfc_forbids_it(build, kwargs):
    api = build(scheme_options={"form": True})
    assert_clean_401(api, api.client.open("/", **kwargs))


@pytest.mark.rfc("B-10")
@pytest.mark.parametrize(
    "kwargs",
    [
        pytest.param({"query_string": "access_token=good&access_token=good"}, id="query-twice"),
        pytest.param(
            {"method": "POST", "data": "access_token=good&access_token=good", "content_type": FORM}, id="REQ-23-twice"
        ),
        pytest.param({"query_string": "access_token=a+b"}, id="query-broken"),
        pytest.param({"query_string": "access_token=&access_token=good"}, id="query-twice-once-empty"),
    ],
)
def test_repeated_or_broken_parameter_is_400(build, kwargs):
    api = build(scheme_options={"form": True, "query": True})
    assert_malformed(api, api.client.open("/", **kwargs))


def test_a_parameter_without_a_value_is_nothing_sent(build):  # F-63, RFC 6749 §3.1
    api = build(scheme_options={"form": True, "query": True})
    assert_clean_401(api, api.client.get("/?access_token="))
    assert_clean_401(api, api.client.post("/", data="access_token=", content_type=FORM))
    ran = len(api.ran)
    assert api.client.get("/?access_token=", headers={"Authorization": "Bearer good"}).status_code == 200
    assert api.client.post("/?access_token=", data="access_token=good", content_type=FORM).status_code == 200
    assert len(api.ran) == ran + 2


@pytest.mark.rfc("B-11")
@pytest.mark.parametrize("second", ["good", "bad"])
@pytest.mark.parametrize("ways", [("header", "query"), ("header", "form"), ("form", "query")], ids="+".join)
def test_two_ways_at_once_are_400_REQ_06(build, ways, second):
    api = build(scheme_options={"form": True, "query": True})
    tokens = dict(zip(ways, ("good", second), strict=True))
    kwargs = {"method": "POST"}
    if "header" in tokens:
        kwargs["headers"] = {"Authorization": f"Bearer {tokens['header']}"}
    if "query" in tokens:
        kwargs["query_string"] = {"access_token": tokens["query"]}
    if "form" in tokens:
        kwargs.update(data={"access_token": tokens["form"]}, content_type=FORM)
    assert_malformed(api, api.client.open("/", **kwargs))


@pytest.mark.rfc("B-20")
def test_answer_to_a_query_token_is_private(build):
    api = build(scheme_options={"query": True})
    response = api.client.get("/?access_token=good")
    assert response.status_code == 200
    assert response.cache_control.private or response.cache_control.no_store


def _raises(error):
    def load(token):
        raise error

    return load


@pytest.mark.rfc("B-08", "B-12", "B-23")
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda token: None, id="unknown"),
        pytest.param(_raises(errors.InvalidCredentials()), id="invalid"),
        pytest.param(_raises(errors.ExpiredCredentials()), id="expired"),
        pytest.param(_raises(errors.RevokedCredentials()), id="revoked"),
        pytest.param(lambda token: Identity("bob", expires_at=1), id="expires_at"),
        pytest.param(lambda token: Identity("bob", confirmation={"jkt": "x"}), id="bound-to-a-key"),
    ],
)
def test_every_bad_token_is_401_invalid_token(build, answer):
    api = build(answer)
    response = send(api, "Bearer good")
    assert response.status_code == 401
    assert params_by_scheme(response)["bearer"]["error"] == "invalid_token"
    assert "scope" not in params_by_scheme(response)["bearer"]
    assert (api.seen, api.ran) == (["good"], [])


@pytest.mark.rfc("B-13", "B-03")
def test_missing_scope_is_403_and_names_what_is_needed(build):
    api = build()
    response = send(api, "Bearer good", "/write")
    assert response.status_code == 403
    bearer = params_by_scheme(response)["bearer"]
    assert bearer["error"] == "insufficient_scope"
    assert set(bearer["scope"].split(" ")) == {"admin", "write"}
    assert (response.headers["Cache-Control"], api.ran) == ("no-store", [])


@pytest.mark.rfc("B-07")
@pytest.mark.parametrize(
    ("granted", "status"),
    [(("write", "admin"), 200), (("admin", "write", "x"), 200), (("Write", "Admin"), 403), (("write admin",), 403)],
)
def test_scopes_compare_with_case_and_without_order(build, granted, status):
    api = build(lambda token: Identity("bob", scopes=granted))
    assert send(api, "Bearer good", "/write").status_code == status


@pytest.mark.rfc("B-06")
@pytest.mark.parametrize("scope", ['a"b', "a\\b", "é", "a b", "", "a\tb", "a\x7f"])
def test_scope_outside_the_alphabet_is_refused_at_set_up(scope):
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises((ConfigurationError, TypeError)):
        auth.login_required(scopes={scope})


@pytest.mark.rfc("B-05", "B-14")
def test_error_text_is_cleaned_and_nothing_doubled(build):
    message = 'revoked "by" é \\ Jörg\r\nSet-Cookie: a=b, Bearer realm="evil", error="x"'
    api = build(_raises(errors.RevokedCredentials(message)))
    response = send(api, "Bearer good")
    (line,) = response.headers.getlist("WWW-Authenticate")
    scheme, _, rest = line.partition(" ")
    names = [part.partition("=")[0] for part in parse_http_list(rest)]
    assert (scheme, sorted(names)) == ("Bearer", ["error", "error_description", "realm"])
    description = params_by_scheme(response)["bearer"]["error_description"]
    assert all(character in " !" or "#" <= character <= "[" or "]" <= character <= "~" for character in description)
    assert "Set-Cookie" not in response.headers


@pytest.mark.rfc("B-15")
def test_private_reason_and_token_stay_on_the_server(build):
    api = build(_raises(errors.InvalidCredentials(reason="row 17 of table-x")))
    response = send(api, f"Bearer {TOKEN}")
    sent = f"{response.headers}{response.text}"
    assert "table-x" not in sent
    assert TOKEN not in sent


@pytest.mark.rfc("B-16", "B-04")
@pytest.mark.parametrize(
    "params",
    [{"error_uri": "/errors"}, {"error_uri": 'https://a.example/"'}, {"error_uri": "https://a.example/ b"}, {}],
)
def test_challenge_that_rfc_6750_forbids_cannot_be_made(params):
    with pytest.raises(ValueError):
        Challenge("Bearer", params)


@pytest.mark.rfc("B-25")
def test_plain_http_is_refused_without_inviting_credentials(build):
    api = build(UNAUTHORIZED_REQUIRE_HTTPS=True)
    response = send(api, "Bearer good")
    assert response.status_code == 403
    assert "WWW-Authenticate" not in response.headers
    assert api.seen == []
    assert send(api, "Bearer good", base_url="https://localhost").status_code == 200


@pytest.mark.rfc("B-25")
@pytest.mark.parametrize(("peer", "warned"), [("203.0.113.9", 1), ("127.0.0.1", 0)])
def test_plain_http_from_another_machine_is_warned_about(build, caplog, peer, warned):
    api = build()
    environ = {"REMOTE_ADDR": peer, "HTTP_AUTHORIZATION": "Bearer good"}
    for _ in range(2):
        assert api.client.get("/", environ_overrides=environ).status_code == 200
    found = [record for record in caplog.records if "over plain HTTP" in record.getMessage()]
    assert [record.levelname for record in found] == ["WARNING"] * warned


@pytest.mark.parametrize(
    ("value", "status"),
    [("Bearer bad", 401), ("Bearer a b", 400), ("bearer bad", 401), ("Foo x", 200), (None, 200), ("Bearer", 200)],
)
def test_optional_view_refuses_bad_credentials_REQ_24(build, value, status):
    api = build()
    response = api.client.get("/optional", headers={} if value is None else {"Authorization": value})
    assert response.status_code == status
    assert len(api.ran) == (status == 200)


def test_two_schemes_that_read_the_same_field_are_refused_REQ_25(make_app):
    auth = Auth(Bearer(lambda token: "a"), Bearer(lambda token: "b"))
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "x"))
    with pytest.raises(ConfigurationError):
        app.test_client().get("/")


@pytest.mark.rfc("H-29")
@pytest.mark.parametrize("size", [16_385, 70_000, 300_000])
def test_oversized_field_is_400_and_never_logged_LIM_01(build, caplog, size):
    caplog.set_level(1)
    api = build()
    value = "Bearer " + "s3cr3t" * size
    assert_malformed(api, send(api, value[:size]))
    assert "s3cr3t" not in caplog.text


@pytest.mark.parametrize(
    ("dots", "status", "error"),
    [(1, 401, "invalid_token"), (3, 401, "invalid_token"), (50_000, 400, "invalid_request")],
)
def test_dots_LIM_02(build, dots, status, error):
    api = build()
    response = send(api, "Bearer " + "." * dots)
    assert response.status_code == status
    assert params_by_scheme(response)["bearer"]["error"] == error


@pytest.mark.parametrize("way", ["query", "form"])
def test_lim_01_a_token_elsewhere_is_capped_too(make_app, way):
    seen = []
    auth = Auth(Bearer(lambda token: seen.append(token), query=True, form=True))
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"), methods=["GET", "POST"])
    client, token = app.test_client(), "a" * 16385
    sent = {"access_token": token}
    answer = client.get("/", query_string=sent) if way == "query" else client.post("/", data=sent)
    assert answer.status_code == 400
    assert not seen


@pytest.mark.parametrize(
    ("method", "size", "taken"),
    [("POST", 0, True), ("PUT", 0, True), ("PATCH", 0, True), ("POST", MAX_FORM, True), ("POST", MAX_FORM + 1, False)]
    + [(method, 0, False) for method in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE")],
)
def test_a_form_counts_where_the_method_has_a_body(make_app, method, size, taken):
    auth = Auth(Bearer({"plain": Identity("ada")}.get, form=True))
    app = make_app(auth)
    view = auth.login_required(lambda: "in")
    app.add_url_rule("/", "view", view, methods=[method], provide_automatic_options=False)
    form = "access_token=plain" + "&b=" + "x" * max(0, size - len("access_token=plain&b="))
    content = "application/x-www-form-urlencoded"
    response = app.test_client().open("/", method=method, data=form, content_type=content)
    assert response.status_code == (200 if taken else 401)


def test_a_form_without_a_length_is_not_searched(make_app):
    auth = Auth(Bearer({"plain": Identity("ada")}.get, form=True))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["POST"])
    response = app.test_client().post(
        "/", data="access_token=plain", content_type="application/x-www-form-urlencoded",
        environ_overrides={"CONTENT_LENGTH": ""},
    )  # fmt: skip
    assert response.status_code == 401
