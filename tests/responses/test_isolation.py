"""Referrer and opener policies of the refusal page and of the redirect to the login page (ASVS 3.4.5, 3.4.8)."""

import pytest
from flask import Response

from flask_unauthorized import Auth, Bearer, SessionCookie

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
REFERRER, OPENER = "Referrer-Policy", "Cross-Origin-Opener-Policy"


def load(*_):
    return None


@pytest.fixture
def client_of(make_app):
    def client(scheme, hook=None, **config):
        auth = Auth(scheme)
        app = make_app(auth, SECRET_KEY="k" * 32, **config)
        app.add_url_rule("/login", "login", lambda: "form")
        app.add_url_rule("/", "home", auth.login_required(lambda: "home"))
        if hook is not None:
            app.after_request(hook)
        return app.test_client()

    return client


def get(client):
    return client.get("/", headers=NAVIGATION)


def people():
    return SessionCookie(load, login_view="login")


@pytest.mark.asvs("V3.4.5", "V3.4.8")
def test_the_page_names_no_url_to_other_sites_and_has_no_opener(client_of):
    response = get(client_of(Bearer(load)))
    assert response.status_code == 401
    assert response.headers.getlist(REFERRER) == ["same-origin"]
    assert response.headers.getlist(OPENER) == ["same-origin"]


@pytest.mark.asvs("V3.4.5")
def test_the_redirect_names_no_url_to_other_sites_and_leaves_pop_ups_their_opener(client_of):
    response = get(client_of(people()))
    assert response.status_code == 302
    assert response.headers.getlist(REFERRER) == ["same-origin"]
    assert OPENER not in response.headers


def test_a_body_for_programs_has_neither(client_of):
    response = client_of(Bearer(load)).get("/")
    assert response.is_json
    assert REFERRER not in response.headers
    assert OPENER not in response.headers


def assigns(response):
    response.headers[REFERRER], response.headers[OPENER] = "strict-origin", "unsafe-none"
    return response


def sets_default(response):
    response.headers.setdefault(REFERRER, "strict-origin")
    response.headers.setdefault(OPENER, "unsafe-none")
    return response


def adds(response):
    response.headers.add(REFERRER, "strict-origin")
    response.headers.add(OPENER, "unsafe-none")
    return response


@pytest.mark.parametrize("hook", [assigns, sets_default, adds])
@pytest.mark.parametrize("scheme", [lambda: Bearer(load), people])
def test_a_policy_of_the_app_stays_however_a_hook_sets_it(client_of, scheme, hook):
    response = get(client_of(scheme(), hook))
    assert response.headers.getlist(REFERRER) == ["strict-origin"]
    assert response.headers.getlist(OPENER) == ["unsafe-none"]


def branded(response):
    response.set_data("<h1>Shop</h1>")
    return response


@pytest.mark.parametrize("hook", [branded, lambda response: Response("theirs", 401, mimetype="text/html")])
def test_a_page_of_the_app_gets_neither(client_of, hook):
    response = get(client_of(Bearer(load), hook))
    assert REFERRER not in response.headers
    assert OPENER not in response.headers


def test_an_accepted_page_gets_neither(make_app):
    auth = Auth(Bearer(lambda token: "ada"))
    app = make_app(auth)
    app.add_url_rule("/", "home", auth.login_required(lambda: "home"))
    response = app.test_client().get("/", headers={"Authorization": "Bearer x", **NAVIGATION})
    assert response.status_code == 200
    assert REFERRER not in response.headers
    assert OPENER not in response.headers
