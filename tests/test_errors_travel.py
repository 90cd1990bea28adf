"""Errors can be pickled and copied (F-50), and their texts may be translated when they are read (F-16)."""

import copy
import json
import logging
import pickle

import pytest
from flask import Response, abort, g
from markupsafe import Markup
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import (
    Auth,
    AuthError,
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
    SessionStolen,
    StepUpRequired,
    TooManyAttempts,
    Unauthorized,
    abort_forbidden,
    abort_unauthorized,
)
from flask_unauthorized.errors import AuthUnavailable, CrossSiteRequest, StaleNonce
from flask_unauthorized.signals import refused
from tests.helpers import raise_error

GOOD = {"Authorization": "Bearer good"}


class Own(InvalidCredentials):
    """An app's own, which can't be made without its arguments."""

    description = "Yours has been blocked."

    def __init__(self, user, *, until):
        super().__init__(f"{user} is blocked until {until}", reason="blocked")
        self.until = until


class Lazy:
    """What Flask-Babel's ``lazy_gettext()`` returns: a text in the language of whoever reads it, and not picklable."""

    def __init__(self, **texts):
        self.texts = texts
        self.unpicklable = lambda: None

    def __str__(self):
        return self.texts[g.language]

    def __len__(self):
        return len(str(self))

    def __mod__(self, other):
        return str(self) % other

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(str(self), name)


WAYS = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle{n}": lambda error, n=n: pickle.loads(pickle.dumps(error, n))
        for n in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}
ERRORS = [
    AuthError(),
    *(
        kind(*args, reason="why")
        for kind in (
            Unauthorized, MissingCredentials, InvalidCredentials, ExpiredCredentials, RevokedCredentials, SessionStolen,
            StaleNonce, InvalidProof, NonceRequired, StepUpRequired, MalformedCredentials, Forbidden, CrossSiteRequest,
            InsufficientScope, TooManyAttempts, AuthUnavailable,
        )
        for args in ((), ("A text.",))
    ),
    StepUpRequired(max_age=300, acr_values=("gold", "silver")),
    InsufficientScope("More.", scopes={"b", "a"}),
    TooManyAttempts(retry_after=7),
    AuthUnavailable(retry_after=9),
    Own("ada", until=2030),
]  # fmt: skip


def observable_parts(error):
    fields = {name: value for name, value in vars(error).items() if name != "refusal_number"}
    return type(error), str(error), error.args, fields, list(error.auth_headers())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_a_copy_says_the_same(error, way):  # F-50
    copied = way(error)
    assert copied is not error
    assert observable_parts(copied) == observable_parts(error)
    if hasattr(error, "get_response"):
        assert copied.get_response().headers == error.get_response().headers


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("error", ERRORS[1:], ids=repr)
def test_after_it_was_raised_in_a_request(make_app, error, way):  # F-50
    auth = Auth(Bearer(lambda token: Identity("ada")), realm="notes")
    app = make_app(auth)
    caught = []

    def view():
        try:
            raise error
        except AuthError as raised:
            caught.append(raised)
            raise

    app.add_url_rule("/", "view", auth.login_required(view))
    app.register_error_handler(type(error), lambda raised: caught.append(raised) or raised)
    first = app.test_client().get("/", headers=GOOD)
    assert len(caught) == 2
    copied = way(caught[1])
    assert observable_parts(copied) == observable_parts(error)
    assert all(isinstance(challenge, Challenge) for challenge in copied.challenges)
    # A copy that is raised in another request is logged there, signaled, and gets its challenges.
    app.view_functions["view"] = auth.login_required(lambda: (_ for _ in ()).throw(copied))
    second = app.test_client().get("/", headers=GOOD)
    assert (second.status_code, second.headers.getlist("WWW-Authenticate")) == (
        first.status_code,
        first.headers.getlist("WWW-Authenticate"),
    )


def test_a_copy_from_another_process_is_signaled(make_app):  # F-50
    """The note that an error was logged must not be copied: requests are counted in each process."""
    auth = Auth(Bearer(lambda token: None), realm="notes")
    app = make_app(auth)
    raised, received = [], []

    @app.get("/")
    def view():
        try:
            abort_unauthorized("no")
        except AuthError as error:
            raised.append(error)
            raise

    @app.get("/again")
    def raise_a_copy():
        raise pickle.loads(pickle.dumps(raised[0]))

    client = app.test_client()
    client.get("/")
    assert "refusal_number" in vars(raised[0])
    assert "refusal_number" not in vars(pickle.loads(pickle.dumps(raised[0])))
    listener = lambda sender, **sent: received.append(sent["error"])  # noqa: E731
    with refused.connected_to(listener):
        assert client.get("/again").status_code == 401
    assert len(received) == 1


def test_flask_caching_keeps_a_refusal_without_a_complaint(make_app, caplog):  # F-50
    caching = pytest.importorskip("flask_caching")
    auth = Auth(Bearer(lambda token: None), realm="notes")
    app = make_app(auth)
    cache = caching.Cache(app, config={"CACHE_TYPE": "SimpleCache"})
    app.add_url_rule("/", "view", cache.cached(60)(lambda: MissingCredentials()))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert app.test_client().get("/").headers["WWW-Authenticate"] == 'Bearer realm="notes"'
    assert [record for record in caplog.records if record.exc_info] == []


# --- texts that are translated when they are read


SIGN_IN = {"en": "Sign in again.", "de": "Bitte neu anmelden."}


def lazy_app(make_app, view=None, **config):
    auth = Auth(Bearer(lambda token: Identity("ada") if token == "good" else None), realm="notes")
    app = make_app(auth, **config)

    @app.before_request
    def choose():
        from flask import request

        g.language = request.args["lang"]

    if view is not None:
        app.add_url_rule("/", "view", view)
    return app, auth


MAKERS = {
    "abort_unauthorized": lambda text: abort_unauthorized(text),
    "by_keyword": lambda text: abort_unauthorized(message=text, error=ExpiredCredentials),
    "reason": lambda text: abort_unauthorized(text, reason=text),
    "abort": lambda text: abort(401, description=text),
    "werkzeug": lambda text: raise_error(HTTPUnauthorized(text)),
    "error": lambda text: raise_error(InvalidCredentials(text)),
    "scope": lambda text: raise_error(InsufficientScope(text, scopes="a b")),
    "step_up": lambda text: raise_error(StepUpRequired(text, max_age=5)),
    "later": lambda text: raise_error(TooManyAttempts(text, retry_after=5)),
    "down": lambda text: raise_error(AuthUnavailable(text)),
    "returned": lambda text: MissingCredentials(text),
    "copied": lambda text: raise_error(pickle.loads(pickle.dumps(MissingCredentials(text)))),
    "attribute": lambda text: raise_error(type("Own", (Unauthorized,), {"description": text})()),
}


@pytest.mark.parametrize("language", SIGN_IN)
@pytest.mark.parametrize("accept", ["application/json", "application/problem+json", "text/html", "text/plain"])
@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("explain", [True, False])
def test_a_lazy_text_is_in_the_callers_language(make_app, maker, accept, language, explain):  # F-16
    text = Lazy(**SIGN_IN)
    app, _ = lazy_app(make_app, lambda: MAKERS[maker](text), UNAUTHORIZED_EXPLAIN=explain)
    response = app.test_client().get(f"/?lang={language}", headers={"Accept": accept})
    assert 400 <= response.status_code <= 503
    assert response.status_code != 500
    assert SIGN_IN[language] in response.text


def test_one_error_object_for_all_languages(make_app):  # F-16
    error = MissingCredentials(Lazy(**SIGN_IN))
    app, _ = lazy_app(make_app, lambda: raise_error(error))
    for language in ("en", "de", "en"):
        assert app.test_client().get(f"/?lang={language}").json["message"] == SIGN_IN[language]


def test_a_lazy_text_in_the_challenge(make_app):  # F-16
    app, auth = lazy_app(make_app)
    view = auth.login_required(lambda: raise_error(InvalidCredentials(Lazy(**SIGN_IN))))
    app.add_url_rule("/", "view", view)
    line = app.test_client().get("/?lang=de", headers=GOOD).headers["WWW-Authenticate"]
    assert line == 'Bearer realm="notes", error="invalid_token", error_description="Bitte neu anmelden."'


def test_of_abort_forbidden_and_a_loader(make_app):  # F-16
    text = Lazy(en="Not yours.")

    def load(token):
        if token == "bad":
            raise HTTPUnauthorized(text)
        return Identity("ada")

    auth = Auth(Bearer(load), realm="notes")
    app = make_app(auth)
    app.before_request(lambda: setattr(g, "language", "en"))
    app.add_url_rule("/", "view", auth.login_required(lambda: abort_forbidden(text)))
    for _ in range(2):
        for token, status in (("good", 403), ("bad", 401)):
            response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
            assert (response.status_code, response.json["message"]) == (status, "Not yours.")


def test_a_lazy_reason_is_logged(make_app, caplog):  # F-16
    app, _ = lazy_app(make_app, lambda: abort_unauthorized(reason=Lazy(**SIGN_IN)))
    with caplog.at_level(logging.INFO, "flask_unauthorized"):
        assert app.test_client().get("/?lang=de").status_code == 401
    assert "(Bitte neu anmelden.)" in caplog.text


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_broken_translation_never_costs_the_refusal(make_app, accept):  # F-16
    app, _ = lazy_app(make_app, lambda: abort_unauthorized(Lazy(en="Sign in.")))
    response = app.test_client().get("/?lang=fr", headers={"Accept": accept})
    assert response.status_code == 401
    assert "Authentication is required" in response.text or "This address is for programs" in response.text


def test_texts_of_the_page_may_be_lazy(make_app):  # F-16
    app, auth = lazy_app(make_app, lambda: abort_unauthorized())
    auth.texts["en"]["missing_token.title"] = Lazy(en="Members only", de="Nur für Mitglieder", xx="{oops}")
    auth.texts["en"]["do.other"] = Lazy(en="Use {scheme}")
    auth.check(app)  # outside of a request, where nothing can be translated
    html = {"Accept": "text/html"}
    assert "<h1>Members only</h1>" in app.test_client().get("/?lang=en", headers=html).text
    assert "<h1>Nur für Mitglieder</h1>" in app.test_client().get("/?lang=de", headers=html).text
    for broken in ("xx", "fr"):
        assert "<h1>This address is for programs</h1>" in app.test_client().get(f"/?lang={broken}", headers=html).text


@pytest.mark.parametrize("value", [5, 1.5, True, b"text", {"a": 1}, ["a"], ("a",), object(), ValueError("secret")])
def test_what_is_no_text_is_refused(make_app, value):  # F-16
    with pytest.raises(TypeError, match="message must be a str"):
        InvalidCredentials(value)
    app, _ = lazy_app(make_app, lambda: abort(401, description=value))
    assert app.test_client().get("/?lang=en").json["message"] == "Authentication is required to access this resource."
    auth = Auth(Bearer(lambda token: None))
    auth.texts["en"]["do"] = value
    with pytest.raises(ConfigurationError, match="must be a str"):
        auth.check(make_app(auth))


def test_realms_stay_plain():  # F-16
    for make in (
        lambda text: Auth(Bearer(lambda t: None), realm=text),
        lambda text: Bearer(lambda t: None, realm=text),
    ):
        with pytest.raises((TypeError, ConfigurationError), match="realm must be a str"):
            make(Lazy(en="shop"))


@pytest.mark.parametrize("text", [Lazy(en="<b>x</b>"), Markup("<b>x</b>"), "<b>x</b>"], ids=["lazy", "markup", "str"])
def test_a_text_is_no_html(make_app, text):
    """Also in the body that Werkzeug makes, for a handler that returns the error."""
    app, _ = lazy_app(make_app, lambda: abort_unauthorized(text))
    app.register_error_handler(MissingCredentials, lambda error: Response(error.get_body(), 401))
    assert "<b>" not in app.test_client().get("/?lang=en").text


def test_flask_babel(make_app):  # F-16
    babel = pytest.importorskip("flask_babel")
    text = babel.lazy_gettext("Sign in again.")
    auth = Auth(Bearer(lambda token: None), realm="notes")
    app = make_app(auth)
    babel.Babel(app, locale_selector=lambda: "de")
    app.add_url_rule("/", "view", lambda: abort_unauthorized(text))
    app.add_url_rule("/abort", "abort", lambda: abort(401, description=text))
    for path in ("/", "/abort"):
        assert json.loads(app.test_client().get(path).data)["message"] == "Sign in again."
