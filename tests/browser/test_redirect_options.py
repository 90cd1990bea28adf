"""``redirect=False``, ``redirect_posts=True``, ``htmx=True``: who is led to the login page, and where it leads back."""

import pytest

from flask_unauthorized import Auth, ConfigurationError, SessionCookie
from flask_unauthorized.errors import StepUpRequired
from tests.helpers import challenge_lines, raise_error

from .conftest import KEY

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8"
NAVIGATE = {
    "Accept": CHROME,
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Dest": "document",
}
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}
HTMX = {**FETCH, "HX-Request": "true", "HX-Current-URL": "http://localhost/list?page=2"}


# --- redirect=False


@pytest.mark.parametrize("level", ["view", "optional", "stacked", "protect", "protect and view", "require"])
def test_redirect_false_of_any_level_keeps_the_login_page_away(make_app, level):
    auth = Auth(SessionCookie({"ada": "ada"}.get, login_view="login"), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY)
    never = {"redirect": False}
    guarded = {
        "view": auth.login_required(**never),
        "optional": auth.login_optional(**never),
        "stacked": lambda view: auth.login_required(auth.login_required(**never)(view)),
        "protect": lambda view: view,
        "protect and view": auth.login_required,
        "require": lambda view: lambda: auth.require(**never) and view(),
    }[level]
    if level.startswith("protect"):
        auth.protect(app, public={"static", "login"}, **never)
    app.add_url_rule("/login", "login", lambda: "form")
    app.add_url_rule("/", "view", guarded(lambda: raise_error(StepUpRequired) if level == "optional" else "ran"))
    app.add_url_rule("/other", "other", lambda: auth.require().subject)
    client = app.test_client()
    answer = client.get("/", headers=NAVIGATE)
    assert (answer.status_code, answer.mimetype, answer.location) == (401, "text/html", None)
    assert 'href="/login' not in answer.text
    assert challenge_lines(answer)[0].startswith('Cookie realm="shop", form-action="/login"')
    assert "Sec-Fetch-Dest" not in answer.headers["Vary"]
    if not level.startswith("protect"):
        assert client.get("/other", headers=NAVIGATE).location == "/login?next=/other"


@pytest.mark.parametrize("value", [None, "false", 0])
def test_redirect_is_true_or_false(auth, value):
    for decorate in (auth.login_required, auth.login_optional):
        with pytest.raises(TypeError, match=f"redirect must be True or False, not {value!r}"):
            decorate(redirect=value)


def test_a_level_that_unless_dropped_says_nothing_about_redirects(make_app):
    auth = Auth(SessionCookie({"ada": "ada"}.get, login_view="login"), realm="shop")
    app = make_app(auth, SECRET_KEY=KEY)
    auth.protect(app, redirect=False, unless=lambda: True, public={"static"})
    app.add_url_rule("/login", "login", auth.public(lambda: "form"))
    app.add_url_rule("/", "view", auth.login_required(lambda: "ran"))
    assert app.test_client().get("/", headers=NAVIGATE).location == "/login?next=/"


# --- redirect_posts=True


@pytest.fixture
def posting(build):
    return build(redirect_posts=True).client


def test_forms_get_the_401_unless_the_app_asks_for_the_redirect(build):
    assert build().client.post("/page", headers=NAVIGATE).status_code == 401


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_form_is_redirected_with_303_so_that_the_login_page_is_fetched_by_get(posting, method):
    """RFC 9110 §15.4.4. With 302, browsers may repeat another method than POST."""
    answer = posting.open("/page", method=method, headers={**NAVIGATE, "Referer": "http://localhost/form?page=2"})
    assert (answer.status_code, answer.location) == (303, "/login?next=/form?page%3D2")
    assert answer.headers["Cache-Control"] == "no-store"
    assert {"Referer", "Sec-Fetch-Mode", "Accept"} <= {*answer.headers["Vary"].split(", ")}


def test_a_page_is_still_redirected_with_302_and_leads_back_to_itself(posting):
    answer = posting.get("/page", headers={**NAVIGATE, "Referer": "http://localhost/form"})
    assert (answer.status_code, answer.location) == (302, "/login?next=/page")


@pytest.mark.parametrize(
    "referer",
    [
        None,
        "https://evil.example/form",
        "https://evil.com/form",  # as long as the own origin
        "http://localhost.evil.example/form",
        "http://localhost@evil.example/form",
        "http://localhost:81/form",
        "https://localhost/form",
        "http://localhost",
        "http://localhost//evil.example/",
        "http://localhost/\\evil.example",
        "http://localhost/a/../../b",
        "http://localhost/%2e%2e/b",
        "http://localhost/" + "a" * 3000,
        "http://localhost/f\u00f6rm",
        "/form",
        "",
    ],
)
def test_a_referer_that_is_no_page_of_this_app_leads_nowhere(posting, referer):
    headers = {**NAVIGATE, **({} if referer is None else {"Referer": referer})}
    assert posting.post("/page", headers=headers).location in ("/login", "/login?next=/f%C3%B6rm")


def test_a_query_with_other_parameters_is_left_out_of_the_way_back(posting):
    answer = posting.post("/page", headers={**NAVIGATE, "Referer": "http://localhost/form?token=s3cret&page=2#part"})
    assert answer.location == "/login?next=/form"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "*/*"},
        {"Accept": "application/json"},
        FETCH,
        {"Accept": CHROME, "X-Requested-With": "XMLHttpRequest"},
        {**NAVIGATE, "Authorization": "Bearer t"},
        {**NAVIGATE, "Upgrade": "websocket"},
    ],
)
def test_programs_and_scripts_that_post_get_the_401(posting, headers):
    answer = posting.post("/page", headers=headers)
    assert answer.status_code == 401
    assert answer.location is None


def test_a_form_of_another_site_is_refused_with_403_while_there_is_a_session(posting):
    posting.post("/login", data={"name": "ada"})
    headers = {**NAVIGATE, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert posting.post("/page", headers=headers).status_code == 403


# --- htmx=True


@pytest.fixture
def htmx(build):
    return build(htmx=True).client


def next_of(answer):
    """The value of ``HX-Redirect``; the challenge and the status stay those of every 401."""
    assert answer.status_code == 401
    assert 'Cookie realm="shop", form-action="/login"' in ", ".join(challenge_lines(answer))
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.headers.get("HX-Redirect")


def test_htmx_is_led_to_the_login_page_only_if_the_app_asks_for_it(build):
    assert next_of(build().client.get("/page", headers=HTMX)) is None


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_fragment_leads_back_to_the_page_around_it(htmx, method):
    for _ in range(2):  # the second response comes out of the cache of refusals
        answer = htmx.open("/page", method=method, headers=HTMX)
        assert next_of(answer) == "/login?next=/list?page%3D2"
        assert {"HX-Request", "HX-Current-URL", "HX-Boosted", "HX-History-Restore-Request"} <= {
            *answer.headers["Vary"].split(", ")
        }
    assert next_of(htmx.get("/page", headers=FETCH)) is None


@pytest.mark.parametrize("url", [None, "https://evil.example/list", "http://localhost//evil.example", "javascript:x"])
def test_a_current_url_that_is_no_page_of_this_app_leads_nowhere(htmx, url):
    headers = {**HTMX, "HX-Current-URL": url} if url else {**FETCH, "HX-Request": "true"}
    assert next_of(htmx.get("/page", headers=headers)) == "/login"


def test_a_boosted_link_leads_back_to_its_target_and_a_boosted_form_to_its_page(htmx):
    boosted = {**HTMX, "HX-Boosted": "true", "Referer": "http://localhost/form"}
    assert next_of(htmx.get("/page", headers=boosted)) == "/login?next=/page"
    assert next_of(htmx.post("/page", headers=boosted)) == "/login?next=/form"


def test_a_page_of_the_history_is_redirected_because_htmx_reads_no_header_there(htmx, build):
    """`loadHistoryFromServer` of htmx 1.9 and 2.0 shows what came with 2xx, and nothing of a 401."""
    restore = {**HTMX, "HX-History-Restore-Request": "true"}
    answer = htmx.get("/page", headers=restore)
    assert (answer.status_code, answer.location) == (302, "/login?next=/page")
    assert build().client.get("/page", headers=restore).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {**HTMX, "HX-Request": "1"},
        {**HTMX, "Authorization": "Bearer t"},
        {"HX-Current-URL": "http://localhost/list"},
    ],
)
def test_other_programs_get_no_redirect(htmx, headers):
    assert next_of(htmx.get("/page", headers=headers)) is None


def test_a_step_up_that_just_failed_is_no_loop(htmx, build):
    site = build(htmx=True)
    site.app.add_url_rule("/gold", "gold", site.auth.login_required(acr="gold")(lambda: "gold"))
    site.client.post("/login", data={"name": "ada"})
    assert site.client.get("/gold", headers=HTMX).headers["HX-Redirect"] == "/login?next=/list?page%3D2"
    site.client.post("/login", data={"name": "ada"})  # again, and not with the class that is demanded
    answer = site.client.get("/gold", headers=HTMX)
    assert (answer.status_code, answer.headers.get("HX-Redirect")) == (401, None)


def test_a_403_has_no_redirect(build):
    site = build(htmx=True)
    site.app.add_url_rule("/boss", "boss", site.auth.login_required(roles={"boss"})(lambda: "boss"))
    site.client.post("/login", data={"name": "ada"})
    answer = site.client.get("/boss", headers=HTMX)
    assert (answer.status_code, answer.headers.get("HX-Redirect")) == (403, None)


def test_an_error_handler_of_the_app_keeps_the_redirect(build):
    site = build(htmx=True)
    site.app.register_error_handler(401, lambda error: ("my page", 401))
    answer = site.client.get("/page", headers=HTMX)
    assert answer.text == "my page"
    assert next_of(answer) == "/login?next=/list?page%3D2"


def test_redirect_false_counts_for_htmx_as_well(build):
    site = build(htmx=True)
    site.app.add_url_rule("/never", "never", site.auth.login_required(redirect=False)(lambda: "never"))
    assert next_of(site.client.get("/never", headers=HTMX)) is None


@pytest.mark.parametrize("option", ["redirect_posts", "htmx"])
def test_the_options_need_a_login_page_and_a_bool(option):
    with pytest.raises(ConfigurationError, match=f"{option}=True needs a login page: set login_view="):
        SessionCookie({}.get, **{option: True})
    with pytest.raises(TypeError, match=f"{option} must be True or False, not 'yes'"):
        SessionCookie({}.get, login_view="login", **{option: "yes"})
