"""A refusal ignores preconditions and ranges (RFC 9110 §13.2.1, §14.2), whatever the app's hooks make of answers."""

from contextlib import suppress

import pytest
from flask import Blueprint, Flask, Response, abort, after_this_request, jsonify, make_response, redirect, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthError,
    Basic,
    Bearer,
    Identity,
    SessionCookie,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.errors import AuthUnavailable, MalformedCredentials, TooManyAttempts
from tests.helpers import raise_error

BODY = "0123456789"
GOOD = {"Authorization": "Bearer good"}
CONDITIONS = {
    "any": {"If-None-Match": "*"},
    "wrong_match": {"If-Match": '"nothing"'},
    "modified": {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    "unmodified": {"If-Unmodified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    "range": {"Range": "bytes=0-3"},
    "beyond": {"Range": "bytes=9999-"},
    "if_range": {"Range": "bytes=0-3", "If-Range": '"x"'},
    "no_condition": {},
}
each_condition = pytest.mark.parametrize("sent", CONDITIONS.values(), ids=CONDITIONS)


def conditional(response):
    """What Werkzeug's documentation shows, with ranges."""
    response.add_etag()
    response.last_modified = 1_700_000_000
    return response.make_conditional(request, accept_ranges=True, complete_length=len(response.get_data()))


def by_environ(response):
    response.add_etag()
    return response.make_conditional(request.environ, accept_ranges=True, complete_length=len(response.get_data()))


def load(token):
    if token == "down":
        raise ConnectionError
    return Identity("ada", scopes={"read"}) if token == "good" else None


@pytest.fixture
def auth():
    return Auth(Bearer(load), unavailable=(ConnectionError,), realm="notes")


@pytest.fixture(params=[conditional, by_environ], ids=["request", "environ"])
def app(make_app, auth, request):
    app = make_app(auth)
    app.after_request(request.param)
    app.add_url_rule("/", "guarded", auth.login_required(lambda: BODY), methods=["GET", "PUT"])
    return app


def refused(response, status):
    assert response.status_code == status
    assert response.get_data() != b""
    for name in ("ETag", "Last-Modified", "Accept-Ranges", "Content-Range"):
        assert name not in response.headers
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    if status == 401:
        assert response.headers.getlist("WWW-Authenticate")[0].startswith("Bearer ")


@pytest.mark.rfc("H-26", "H-27")
@each_condition
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_the_unauthenticated_get_neither_304_nor_412_nor_a_range(app, method, sent):  # F-06
    known = app.test_client().get("/", headers=GOOD)
    for condition in (sent, {"If-None-Match": known.headers["ETag"]}):
        refused(app.test_client().open("/", method=method, headers=condition), 401)
        bad = {"Authorization": "Bearer bad"}
        refused(app.test_client().open("/", method=method, headers={**condition, **bad}), 401)


@pytest.mark.rfc("H-26", "H-27")
def test_a_good_caller_gets_304_and_206(app):
    client = app.test_client()
    known = client.get("/", headers=GOOD)
    assert (known.status_code, known.text) == (200, BODY)
    again = client.get("/", headers={**GOOD, "If-None-Match": known.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    part = client.get("/", headers={**GOOD, "Range": "bytes=2-4"})
    assert (part.status_code, part.text, part.headers["Content-Range"]) == (206, "234", "bytes 2-4/10")
    assert client.get("/", headers={**GOOD, "If-Match": '"other"'}).status_code == 412


REFUSALS = {
    "abort_unauthorized": (lambda: abort_unauthorized("no"), 401),
    "abort_401": (lambda: abort(401), 401),
    "abort_401_text": (lambda: abort(401, "no"), 401),
    "upstream": (lambda: abort(401, www_authenticate=WWWAuthenticate("bearer", {"realm": "up"})), 401),
    "werkzeug": (lambda: raise_error(HTTPUnauthorized()), 401),
    "malformed": (lambda: raise_error(MalformedCredentials()), 400),
    "throttled": (lambda: raise_error(TooManyAttempts()), 429),
    "unavailable": (lambda: raise_error(AuthUnavailable()), 503),
}


@each_condition
@pytest.mark.parametrize("kind", REFUSALS)
def test_any_refusal_of_an_open_view_ignores_them(app, kind, sent):  # F-06
    view, status = REFUSALS[kind]
    app.add_url_rule("/open", "open", view)
    refused(app.test_client().get("/open", headers=sent), status)


@each_condition
@pytest.mark.parametrize("where", ["guarded", "forbidden", "scopes", "require", "before", "protect", "down", "async"])
def test_wherever_it_is_refused(make_app, auth, where, sent):  # F-06
    app = make_app(auth)
    app.after_request(conditional)
    headers, status, view = {}, 401, (lambda: BODY)
    if where in ("forbidden", "scopes"):
        headers, status = GOOD, 403
    if where == "forbidden":
        view = auth.login_required(lambda: abort_forbidden("no"))
    elif where == "scopes":
        view = auth.login_required(scopes={"write"})(view)
    elif where == "require":
        view = lambda: auth.require().subject  # noqa: E731
    elif where == "before":
        app.before_request(lambda: auth.require() and None)
    elif where == "protect":
        auth.protect(app)
    elif where == "down":
        headers, status, view = {"Authorization": "Bearer down"}, 503, auth.login_required(view)
    elif where == "async":

        @auth.login_required
        async def view():
            return BODY

    else:
        view = auth.login_required(view)
    app.add_url_rule("/", "view", view)
    refused(app.test_client().get("/", headers={**headers, **sent}), status)


@each_condition
@pytest.mark.parametrize("kind", [401, HTTPException, AuthError])
@pytest.mark.parametrize("where", ["app", "blueprint"])
@pytest.mark.parametrize("by", ["guard", "abort"])
def test_with_a_handler_of_the_app_or_a_blueprint(make_app, auth, where, kind, by, sent):  # F-06
    app, blueprint = make_app(auth), Blueprint("part", __name__)
    app.after_request(conditional)
    if kind is not AuthError:
        target = app if where == "app" else blueprint
        target.register_error_handler(kind, lambda error: (jsonify(mine=error.code), error.code))
    view = auth.login_required(lambda: BODY) if by == "guard" else (lambda: abort_unauthorized())
    blueprint.add_url_rule("/", "view", view)
    app.register_blueprint(blueprint)
    refused(app.test_client().get("/", headers=sent), 401)


@each_condition
@pytest.mark.parametrize("where", ["blueprint", "this_request"])
def test_with_other_kinds_of_hooks(make_app, auth, where, sent):  # F-06
    app, blueprint = make_app(auth), Blueprint("part", __name__)
    if where == "blueprint":
        blueprint.after_request(conditional)
    else:
        app.before_request(lambda: after_this_request(conditional) and None)
    blueprint.add_url_rule("/", "view", auth.login_required(lambda: BODY))
    app.register_blueprint(blueprint)
    refused(app.test_client().get("/", headers=sent), 401)


@each_condition
def test_what_was_read_before_counts_no_more(make_app, auth, sent):  # F-06
    """Werkzeug keeps on the request what it has parsed."""
    app = make_app(auth)
    names = ("if_match", "if_none_match", "if_modified_since", "if_unmodified_since", "if_range", "range")
    app.before_request(lambda: [getattr(request, name) for name in names] and None)

    @app.after_request
    def by_hand(response):
        if "*" in request.if_none_match or request.if_modified_since or request.if_unmodified_since:
            return Response(status=304)
        return Response(status=412) if request.if_match or request.range else response

    app.add_url_rule("/", "view", auth.login_required(lambda: BODY))
    for _ in range(2):
        refused(app.test_client().get("/", headers=sent), 401)


@pytest.mark.parametrize("sent", [{"If-None-Match": "*"}, {"Range": "bytes=9999-"}], ids=["match", "range"])
def test_the_way_to_the_login_page_ignores_them(make_app, sent):  # F-06
    auth = Auth(SessionCookie(lambda subject: subject, login_view="login"))
    app = make_app(auth, SECRET_KEY="x" * 32)
    app.after_request(conditional)
    app.add_url_rule("/login", "login", lambda: "form")
    app.add_url_rule("/", "view", auth.login_required(lambda: BODY))
    page = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
    response = app.test_client().get("/", headers={**page, **sent})
    assert (response.status_code, response.location) == (302, "/login?next=/")
    assert not {"ETag", "Last-Modified", "Accept-Ranges"} & set(response.headers.keys())


def test_a_view_that_catches_the_refusal_still_sees_if_match(make_app, auth):
    """Otherwise one update would undo another (RFC 9110 §13.1.1)."""
    app = make_app(auth)

    @app.put("/")
    def update():
        with suppress(AuthError):
            auth.require()
        return make_response("stored") if request.if_match.contains("1") else ("changed meanwhile", 412)

    @app.put("/guarded")
    @auth.login_required
    def guarded():
        with suppress(AuthError):
            auth.require(scopes={"write"})
        return make_response("stored") if request.if_match.contains("1") else ("changed meanwhile", 412)

    for path in ("/", "/guarded"):
        answers = [app.test_client().put(path, headers={**GOOD, "If-Match": tag}).status_code for tag in ('"1"', '"2"')]
        assert answers == [200, 412]
    assert app.test_client().put("/", headers={"If-Match": '"2"'}).status_code == 412


@pytest.mark.parametrize("scheme", ["basic", "key"])
def test_of_other_schemes(make_app, scheme):
    schemes = {"basic": Basic(lambda name, password: password == "pw"), "key": APIKey(load)}
    sent = {"basic": {"Authorization": "Basic YWRhOnB3"}, "key": {"X-API-Key": "good"}}[scheme]
    auth = Auth(schemes[scheme])
    app = make_app(auth)
    app.after_request(conditional)
    app.add_url_rule("/", "view", auth.login_required(lambda: BODY))
    client = app.test_client()
    tag = client.get("/", headers=sent).headers["ETag"]
    assert client.get("/", headers={**sent, "If-None-Match": tag}).status_code == 304
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 401


def test_answers_of_the_app_keep_their_conditions(make_app, auth):
    app = make_app(auth)
    app.after_request(conditional)
    app.add_url_rule("/", "open", lambda: BODY)
    app.add_url_rule("/moved", "moved", lambda: redirect("/"))
    client = app.test_client()
    tag = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": tag}).status_code == 304
    assert "ETag" in client.get("/moved").headers


def test_without_the_extension_the_hook_answers_304():
    """The hooks of this file do turn refusals into other answers, where nobody stops them."""
    app = Flask("bare")
    app.after_request(conditional)
    app.add_url_rule("/", "view", lambda: ("no", 401))
    assert app.test_client().get("/", headers={"If-None-Match": "*"}).status_code == 304
    assert app.test_client().get("/", headers={"If-Match": '"x"'}).status_code == 412


@pytest.mark.parametrize("sent", [{"If-None-Match": "*"}, {"If-Match": '"other"'}, {"Range": "bytes=0-0"}])
@pytest.mark.parametrize("answer", [lambda: ("", 401), lambda: Response("no", 401), lambda: abort(Response("no", 401))])
@pytest.mark.parametrize("guard", ["decorator", "protect", "blueprint"])
def test_a_bare_401_of_a_guarded_view_stays_one(make_app, guard, answer, sent):  # F-06
    auth = Auth(Bearer({"good": Identity("ada")}.get))
    app = make_app(auth)
    target = Blueprint("part", __name__)
    app.after_request(lambda response: conditional(response))
    if guard == "protect":
        auth.protect(app)
    if guard == "blueprint":
        auth.protect(target)
    target.add_url_rule("/bare", "bare", auth.login_required(answer) if guard == "decorator" else answer)
    target.add_url_rule(
        "/fine", "fine", auth.login_required(lambda: "fine") if guard == "decorator" else lambda: "fine"
    )
    app.register_blueprint(target)
    client = app.test_client()
    headers = {"Authorization": "Bearer good", **sent}
    assert client.get("/bare", headers=headers).status_code == 401
    expected = {"If-None-Match": 304, "If-Match": 412, "Range": 206}
    assert client.get("/fine", headers=headers).status_code == next(expected[name] for name in sent)
