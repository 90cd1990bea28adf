"""Refusals that are kept and copied: each answer is whole, its own, and what a constructed response gives."""

import functools

import pytest
from flask import Response
from werkzeug.wrappers import Response as WerkzeugResponse

from flask_unauthorized import Auth, Bearer, Forbidden, Identity, abort_forbidden

TYPES = ["application/problem+json", "application/json", "text/plain", "text/html"]
BAD = {"Authorization": "Bearer bad"}
GOOD = {"Authorization": "Bearer good"}
REQUESTS = [("/", {}, 401), ("/", BAD, 401), ("/", {"Authorization": "Bearer"}, 401), ("/scope", GOOD, 403)]


def load(token):
    return Identity("ada") if token == "good" else None


@pytest.fixture
def app(make_app):
    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth)
    app.add_url_rule("/", "any", auth.login_required(lambda: "fine"))
    app.add_url_rule("/scope", "scope", auth.login_required(scopes={"write"})(lambda: "fine"))
    return app


def answer(app, path="/", headers=None):
    with app.test_client().get(path, headers=headers or {}) as got:
        return got.status, list(got.headers), got.data


def count_constructed(monkeypatch, kind):
    """Wrap the constructor of a class of responses as a monitoring tool does, and return the list that it fills."""
    constructed = []
    original = kind.__init__

    @functools.wraps(original)
    def construct(self, *args, **kwargs):
        if type(self) is Response:  # not those of the test client
            constructed.append(1)
        original(self, *args, **kwargs)

    monkeypatch.setattr(kind, "__init__", construct)
    return constructed


@pytest.mark.parametrize("media", TYPES)
@pytest.mark.parametrize(("path", "headers", "status"), REQUESTS)
def test_a_copy_is_what_was_constructed(app, path, headers, status, media):
    first, *others = (answer(app, path, {**headers, "Accept": media}) for _ in range(3))
    assert others == [first, first]
    assert first[0].startswith(str(status))
    assert dict(first[1])["Content-Length"] == str(len(first[2]))


def test_what_a_hook_does_to_one_refusal_is_not_in_the_next(app):
    plain = answer(app)
    closed = []

    def change(response):
        response.headers["X-Once"] = "yes"
        response.headers.pop("Vary")
        response.call_on_close(lambda: closed.append(1))
        response.set_cookie("once", "1")
        response.response.append(b" and more")
        response.status_code = 418
        return response

    app.after_request_funcs.setdefault(None, []).append(change)
    changed = answer(app)
    app.after_request_funcs[None].remove(change)
    assert changed[0].startswith("418")
    assert closed == [1]
    assert answer(app) == plain
    assert closed == [1]


def test_a_refusal_is_of_the_class_of_the_app(app):
    class Own(Response):
        pass

    app.response_class = Own
    seen = []
    app.after_request(lambda response: seen.append(type(response)) or response)
    for _ in range(3):
        answer(app)
    app.response_class = Response
    answer(app)
    assert seen == [Own, Own, Own, Response]


@pytest.mark.parametrize("kind", [Response, WerkzeugResponse])
def test_a_tool_that_wraps_the_constructor_sees_each_refusal(app, monkeypatch, kind):
    constructed = count_constructed(monkeypatch, kind)
    for expected in (1, 2, 3):
        answer(app)
        assert len(constructed) == expected


@pytest.mark.parametrize("method", ["__new__", "__setattr__", "__init__", "set_data"])
def test_a_class_that_does_anything_of_its_own_constructs_each_refusal(app, method):
    calls = []

    def own(self, *args, **kwargs):
        calls.append(method)
        inherited = getattr(super(Own, self), method)
        return inherited(self) if method == "__new__" else inherited(*args, **kwargs)

    Own = type("Own", (Response,), {method: own})
    app.response_class = Own
    made = []
    for _ in range(3):
        calls.clear()
        answer(app)
        made.append(len(calls))
    assert made[0] > 0
    assert made == made[:1] * 3


def test_a_class_whose_objects_note_more_constructs_each_refusal(app):
    numbers = iter(range(100))

    class Own(Response):
        def _set(self, value):
            vars(self).update(response=value, stamp=next(numbers))

        response = property(lambda self: vars(self)["response"], _set)

    app.response_class = Own
    stamps = []
    app.after_request(lambda response: stamps.append(vars(response)["stamp"]) or response)
    for _ in range(3):
        answer(app)
    assert len(set(stamps)) == 3


def test_a_renderer_that_failed_once_is_asked_again(make_app):
    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth, TESTING=False)
    app.add_url_rule("/", "any", auth.login_required(lambda: "fine"))
    results = iter([ZeroDivisionError(), "mine", "mine again"])

    @auth.renderer("text/plain")
    def render(error):
        result = next(results)
        if isinstance(result, Exception):
            raise result
        return result

    bodies = [answer(app, headers={"Accept": "text/plain"})[2] for _ in range(3)]
    assert b"Authentication is required" in bodies[0]
    assert bodies[1:] == [b"mine", b"mine again"]


def test_a_refusal_that_the_view_changes_gets_its_own_body(make_app):
    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth)
    texts = iter([None, "Ask Ada.", None])

    @app.get("/")
    @auth.login_required
    def view():
        try:
            abort_forbidden()
        except Forbidden as error:
            text = next(texts)
            if text is not None:
                error.description = text
            raise

    plain, changed, again = (answer(app, headers={**GOOD, "Accept": "text/plain"})[2] for _ in range(3))
    assert b"Ask Ada." in changed
    assert plain == again
    assert b"Ask Ada." not in plain


@pytest.mark.parametrize("field", ["WWW-Authenticate", "Cache-Control", "Vary"])
def test_what_a_hook_removes_from_a_ready_response_is_restored(app, field):
    removed = []

    @app.after_request
    def remove(response):
        removed.append(response.headers.pop(field))
        return response

    changed = [answer(app) for _ in range(3)]
    assert len(removed) == 3
    assert all(field in dict(headers) for _, headers, _ in changed)
