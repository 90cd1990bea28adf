"""Which challenges a refusal has. What is cached of refusals: nothing of one request shows in the next."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, request

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthError,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    Identity,
    InvalidCredentials,
    StepUpRequired,
    abort_forbidden,
    abort_unauthorized,
    errors,
)
from flask_unauthorized.policy.challenges import MAX_CACHED
from flask_unauthorized.runtime.refuse import plan_in_force
from flask_unauthorized.runtime.request_state import state_for
from flask_unauthorized.testing import assert_unauthorized
from flask_unauthorized.wire import parse_challenges
from tests.helpers import app_with_schemes, challenges_of, get_view
from tests.independent import independent

MakeApp = Callable[..., Flask]
GOOD = {"Authorization": "Bearer good"}


def _auth() -> Auth[Any]:
    return Auth(Bearer({"good": Identity("ada")}.get), Basic({}.get, realm="console"))


def test_what_a_hook_changes_in_one_answer_is_not_in_the_next(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))

    @app.after_request
    def change(response: Response) -> Response:
        if "change" in request.args:
            response.headers["X-Only-Here"] = "yes"
            response.headers.remove("Vary")
            response.set_data(b"changed")
        return response

    client = app.test_client()
    first, changed, last = client.get("/"), client.get("/?change"), client.get("/")
    assert changed.data == b"changed"
    assert changed.headers["Content-Length"] == "7"
    assert "X-Only-Here" in changed.headers
    assert (first.data, list(first.headers)) == (last.data, list(last.headers))


def test_what_a_decorator_above_says_counts_for_this_request_only(make_app: MakeApp, auth: Auth[Any]) -> None:
    def outer(view: Callable[[], str]) -> Callable[[], str]:
        @wraps(view)
        def run() -> str:
            try:
                return view()
            except AuthError as error:
                if "own" in request.args:
                    error.description = "Ask Grace."  # type: ignore[attr-defined]  # all refusals have one
                raise

        return run

    app = make_app(auth)
    app.add_url_rule("/", view_func=outer(auth.login_required(lambda: "")))
    client = app.test_client()
    texts = [client.get(path).get_json()["message"] for path in ("/", "/?own", "/", "/?own")]
    assert texts[1] == texts[3] == "Ask Grace."
    assert texts[0] == texts[2] != "Ask Grace."


def test_a_message_of_the_app_is_not_kept_for_others(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)

    @app.get("/<text>")
    @auth.login_required
    def view(text: str) -> str:
        abort_unauthorized(None if text == "none" else text)

    client = app.test_client()
    messages = [client.get(f"/{text}", headers=GOOD).get_json()["message"] for text in ("one", "none", "two", "none")]
    assert messages[0] == "one"
    assert messages[2] == "two"
    assert messages[1] == messages[3] == "Authentication is required to access this resource."


def test_scripts_and_others_get_their_own_answers_in_any_order(make_app: MakeApp) -> None:
    """A script isn't offered what opens a password box (Basic), where there is another scheme."""
    auth = _auth()
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        assert len(client.get("/").headers.getlist("WWW-Authenticate")) == 2
        script = client.get("/", headers={"X-Requested-With": "XMLHttpRequest"})
        assert [line.split()[0] for line in script.headers.getlist("WWW-Authenticate")] == ["Bearer"]


def test_the_scheme_that_was_tried_is_the_one_that_is_told(make_app: MakeApp) -> None:
    auth = _auth()
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        told = client.get("/", headers={"Authorization": "Bearer wrong"}).headers.getlist("WWW-Authenticate")
        assert any(line.startswith("Bearer") and 'error="invalid_token"' in line for line in told)
        told = client.get("/", headers={"Authorization": "Basic !"}).headers.getlist("WWW-Authenticate")
        assert not any("error=" in line for line in told)
        told = client.get("/").headers.getlist("WWW-Authenticate")
        assert not any("error=" in line for line in told)


def test_each_media_type_is_kept_for_itself(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    for _ in range(2):
        for media in ("application/json", "application/problem+json", "text/plain", "text/html"):
            assert client.get("/", headers={"Accept": media}).mimetype == media


def test_a_response_class_of_the_app_makes_each_body(make_app: MakeApp, auth: Auth[Any]) -> None:
    class Counting(Response):
        made = 0

        def set_data(self, value: bytes | str) -> None:
            Counting.made += 1
            super().set_data(value)

    app = make_app(auth)
    app.response_class = Counting
    app.add_url_rule("/", view_func=auth.login_required(lambda: ""))
    client = app.test_client()
    bodies = {client.get("/").data for _ in range(3)}
    assert Counting.made == 3
    assert len(bodies) == 1


def test_ever_new_scopes_are_not_kept_for_ever(make_app: MakeApp, auth: Auth[Any]) -> None:
    app = make_app(auth)
    kept: list[int] = []

    @app.get("/<int:number>")
    @auth.login_required
    def view(number: int) -> str:
        plan = plan_in_force(request, state_for(request))
        kept.append(len(plan.challenges.ready_refusals))
        abort_forbidden(scopes={f"notes:{number}"})

    client = app.test_client()
    for number in range(MAX_CACHED + 10):
        answer = client.get(f"/{number}", headers=GOOD)
        assert f'scope="notes:{number}"' in answer.headers["WWW-Authenticate"]
    assert max(kept) <= MAX_CACHED


@pytest.mark.rfc("H-22")
@pytest.mark.parametrize("turned", [False, True])
def test_schemes_that_all_clients_know_stand_before_those_that_few_do(make_app, turned):
    given = [
        APIKey(lambda key: None),
        DPoP(lambda token: None, origin="https://api.example"),
        Bearer(lambda token: None),
        Basic(lambda name, password: None),
        Digest(lambda name: None),
    ]
    auth = Auth(*(reversed(given) if turned else given))
    app = make_app(auth, SECRET_KEY="a secret of thirty-two characters")
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    for _ in range(2):
        lines = app.test_client().get("/").headers.getlist("WWW-Authenticate")
        assert [line.partition(" ")[0] for line in lines[:3]] == ["Digest", "Basic", "Bearer"]
        assert {line.partition(" ")[0] for line in lines[3:]} == {"DPoP", "ApiKey"}


def test_challenges_that_servers_would_cut_are_a_mistake(make_app):
    auth = Auth(Bearer({}.get))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(scopes={f"{n:0100}" for n in range(82)})(lambda: ""))
    with pytest.raises(ConfigurationError, match=r"bytes long, more than 8192.*demand fewer scopes"):
        auth.check(app)


@pytest.mark.parametrize(
    ("scheme", "vary"),
    [
        (Bearer({}.get), {"Accept", "Authorization"}),
        (APIKey({}.get), {"Accept", "X-Api-Key"}),
        (APIKey({}.get, cookie="key"), {"Accept", "Cookie"}),
        (APIKey({}.get, query="key"), {"Accept"}),  # the query is part of what a cache stores a response under
    ],
)
def test_a_refusal_varies_on_the_fields_that_are_read(make_app, scheme, vary):
    refused = get_view(make_app, Auth(scheme))
    assert {name.strip() for name in refused.headers["Vary"].split(",")} - {"Accept-Language"} == vary


@pytest.mark.rfc("H-35", "BA-14")
def test_parts_of_an_app_have_realms_of_their_own(make_app):
    shop = Basic(lambda name, password: name == "customer", realm="shop")
    office = Basic(lambda name, password: name == "clerk", realm="Shop")
    auth = Auth(shop, office, realm="neither")
    app = make_app(auth)
    for name, scheme in (("shop", shop), ("office", office)):
        part = Blueprint(name, __name__, url_prefix=f"/{name}")
        part.add_url_rule("/", "view", lambda: "fine")
        auth.protect(part, via=scheme)
        app.register_blueprint(part)
    client = app.test_client()
    for path, realm, own, other in (("/shop/", "shop", "customer", "clerk"), ("/office/", "Shop", "clerk", "customer")):
        assert client.get(path, auth=(own, "pw")).status_code == 200
        for refused in (client.get(path), client.get(path, auth=(other, "pw"))):
            assert refused.status_code == 401
            told = challenges_of(refused)
            assert [(scheme.lower(), params["realm"]) for scheme, params in told] == [("basic", realm)]


@pytest.mark.rfc("B-27", "B-21")
@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        (errors.MissingCredentials, 401, {"bearer": None}),
        (errors.InvalidCredentials, 401, {"bearer": "invalid_token"}),
        (errors.ExpiredCredentials, 401, {"bearer": "invalid_token"}),
        (errors.RevokedCredentials, 401, {"bearer": "invalid_token"}),
        (errors.StepUpRequired, 401, {"bearer": "insufficient_user_authentication"}),
        (errors.MalformedCredentials, 400, {"bearer": "invalid_request"}),
        (errors.InsufficientScope, 403, {"bearer": "insufficient_scope"}),
        (errors.Forbidden, 403, {}),
        (errors.TooManyAttempts, 429, {}),
        (errors.AuthUnavailable, 503, {}),
    ],
)
def test_an_error_code_goes_with_its_status(make_app, auth, kind, status, told):
    def view():
        raise kind

    response = get_view(make_app, auth, auth.login_required, view, GOOD)
    assert response.status_code == status
    lines = response.headers.getlist("WWW-Authenticate")
    assert {scheme.lower(): params.get("error") for scheme, params in independent(*lines)} == told


SCRIPTS = [
    {"X-Requested-With": "XMLHttpRequest"},
    {"HX-Request": "true"},
    {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Site": "cross-site"},
]


OTHERS = [
    {},
    {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Mode": "cors"},  # Node
    {"Sec-Fetch-Site": "none"},
]


@pytest.mark.rfc("F-09")
@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(("sent", "script"), [(sent, True) for sent in SCRIPTS] + [(sent, False) for sent in OTHERS])
def test_a_script_is_offered_what_opens_no_password_box(make_app, sent, script, bare):
    """A true challenge all the same, on one line, which Firefox needs; programs and navigations get all of them."""
    auth = Auth(Basic(lambda name, password: None), APIKey(lambda key: None), Bearer(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", (lambda: ("", 401)) if bare else auth.login_required(lambda: "fine"))
    for headers in (sent, {**sent, "Authorization": "Basic YTpi"}, {**sent, "Authorization": "Bearer x"}):
        answer = app.test_client().get("/", headers=headers)
        assert answer.status_code == 401
        lines = answer.headers.getlist("WWW-Authenticate")
        names = [challenge.scheme for challenge in parse_challenges(lines)]
        assert names == (["Bearer", "ApiKey"] if script else ["Basic", "Bearer", "ApiKey"])
        assert len(lines) == (1 if script else 3)
        assert "Sec-Fetch-Mode" in answer.headers["Vary"]


@pytest.mark.rfc("F-09")
def test_a_script_is_offered_a_password_where_there_is_nothing_else(make_app):
    auth = Auth(Basic(lambda name, password: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    answer = app.test_client().get("/", headers=SCRIPTS[0])
    assert_unauthorized(answer, scheme="Basic")
    assert "Sec-Fetch-Mode" not in answer.headers["Vary"]


def test_a_realm_of_one_tenant_is_not_told_to_the_next(make_app):
    from flask import has_request_context, request

    class Tenants(Bearer):
        static = False

        @property
        def realm(self):
            return request.host if has_request_context() else None

    auth = Auth(Tenants(lambda token: None))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: ""))
    for host in ("acme.example", "globex.example"):
        for headers in ({}, {"Authorization": "Bearer x"}):
            refused = app.test_client().get("/", base_url=f"http://{host}/", headers=headers)
            assert f'realm="{host}"' in refused.headers["WWW-Authenticate"]


def test_a_translated_wording_is_not_kept(make_app, monkeypatch):
    language = []
    monkeypatch.setattr(InvalidCredentials, "description", property(lambda error: language[-1]))
    client = app_with_schemes(make_app, Bearer(lambda token: None)).test_client()
    for words in ("No.", "Nein."):
        language.append(words)
        refused = client.get("/", headers={"Authorization": "Bearer x"})
        assert f'error_description="{words}"' in refused.headers["WWW-Authenticate"]
        assert refused.json["message"] == words


def test_an_error_raised_twice_has_the_challenges_of_each_route(make_app):
    bearer, key = Bearer(lambda token: "a"), APIKey(lambda key: None)
    auth = Auth(bearer, key)
    app = make_app(auth, UNAUTHORIZED_REALM="r")
    again = StepUpRequired(max_age=5)

    def view():
        raise again

    app.add_url_rule("/a", "a", auth.login_optional(via=bearer)(partial(view)))
    app.add_url_rule("/b", "b", auth.login_optional(via=key)(partial(view)))
    client = app.test_client()
    for _ in range(2):
        assert client.get("/a").headers.getlist("WWW-Authenticate") == ['Bearer realm="r"']
        (line,) = client.get("/b").headers.getlist("WWW-Authenticate")
        assert line.startswith("ApiKey ")
