"""`abort_unauthorized` on a route that nobody judged: it asks who is calling, quietly and once."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flask_unauthorized import (
    APIKey,
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    ConfigurationError,
    Digest,
    DPoP,
    ExpiredCredentials,
    Identity,
    MissingCredentials,
    RevokedCredentials,
    StaleNonce,
    TooManyAttempts,
    Unauthorized,
    abort_forbidden,
    abort_unauthorized,
    current_identity,
)
from flask_unauthorized.signals import authenticated, refused
from tests.digest_client import ADA, challenge, sent
from tests.dpop_client import ORIGIN, TOKEN, Holder


class Loader:
    """A loader that says how it answers by the token; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, token: str) -> Any:
        self.asked.append(token)
        kinds: dict[str, Exception] = {
            "expired": ExpiredCredentials(),
            "revoked": RevokedCredentials("Ask Grace."),
            "down": AuthUnavailable(retry_after=7),
            "throttled": TooManyAttempts(retry_after=9),
            "stale": StaleNonce(),
            "bug": ZeroDivisionError(),
        }
        if token in kinds:
            raise kinds[token]
        if token == "over":
            return Identity("ada", expires_at=time.time() - 1)
        return Identity("ada") if token == "good" else None


@pytest.fixture
def loader() -> Loader:
    return Loader()


CASES = [
    (None, 401, None, None),
    ("good", 401, None, None),
    ("bad", 401, "invalid_token", "The credentials are not valid."),
    ("expired", 401, "invalid_token", "The credentials have expired."),
    ("over", 401, "invalid_token", "The credentials have expired."),
    ("revoked", 401, "invalid_token", "Ask Grace."),
    ("stale", 401, "invalid_token", None),
    ("a b", 400, "invalid_request", None),
    ("down", 503, None, None),
    ("throttled", 429, None, None),
]


@pytest.mark.parametrize("where", ["open", "public", "before_request", "optional"])
@pytest.mark.parametrize(("token", "status", "error", "description"), CASES, ids=[str(case[0]) for case in CASES])
def test_what_was_sent_decides(
    make_app: Any,
    loader: Loader,
    where: str,
    token: str | None,
    status: int,
    error: str | None,
    description: str | None,
) -> None:
    # F-12
    auth = Auth(Bearer(loader), Basic(lambda name, password: False))
    app: Flask = make_app(auth)
    stop: Callable[..., Any] = lambda *_: abort_unauthorized()  # noqa: E731
    if where == "before_request":
        app.before_request(stop)
    view: Any = auth.public(lambda: stop()) if where == "public" else lambda: stop()
    view = auth.login_optional(view) if where == "optional" else view
    app.add_url_rule("/", "v", view)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    response = app.test_client().get("/", headers=headers)
    assert response.status_code == status
    told = {line.split()[0]: line for line in response.headers.getlist("WWW-Authenticate")}
    if status == 401:
        assert list(told) == ["Basic", "Bearer"]
    if error is None:
        assert "error=" not in told.get("Bearer", "")
    else:
        assert f'error="{error}"' in told["Bearer"]
    if description is not None:
        assert f'error_description="{description}"' in told["Bearer"]
    assert loader.asked == ([] if token in (None, "a b") else [token])


def test_the_app_may_reword_a_rejection(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized("Sign in again.", reason="own reason"))
    for token, error in (("expired", 'error="invalid_token"'), ("good", None), ("down", None)):
        response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == (503 if token == "down" else 401)
        assert (response.json["message"] == "Sign in again.") is (token != "down")
        assert (error is not None) is ("error=" in str(response.headers))


def test_a_stale_digest_nonce_stays_stale(make_app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # F-12
    auth = Auth(Digest(lambda name: ADA, realm="r", nonce_lifetime=60))
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")
    app.add_url_rule("/", "v", lambda: abort_unauthorized())
    client = app.test_client()
    told = challenge(client.get("/").headers["WWW-Authenticate"])
    assert "stale" not in told
    good = client.get("/", headers=sent(told))
    assert (good.status_code, challenge(good.headers["WWW-Authenticate"]).get("stale")) == (401, None)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    late = client.get("/", headers=sent(told, nc=2))
    assert (late.status_code, challenge(late.headers["WWW-Authenticate"])["stale"]) == (401, "true")


def test_dpop_tells_its_nonce_and_spends_a_proof_once(make_app: Any) -> None:
    # F-12
    holder = Holder()
    loader = {TOKEN: Identity("ada", confirmation={"jkt": holder.jkt})}.get
    auth = Auth(DPoP(loader, origin=ORIGIN, nonce=True))
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")
    app.add_url_rule("/", "v", lambda: abort_unauthorized())
    app.add_url_rule("/g", "g", auth.login_required(lambda: "in"))
    client = app.test_client()
    first = client.get("/", headers=holder.sent())
    assert first.status_code == 401
    assert 'error="use_dpop_nonce"' in first.headers["WWW-Authenticate"]
    nonce = first.headers["DPoP-Nonce"]
    proof = holder.sent(nonce=nonce)
    assert "error=" not in client.get("/", headers=proof).headers["WWW-Authenticate"]
    assert 'error="invalid_dpop_proof"' in client.get("/", headers=proof).headers["WWW-Authenticate"]
    assert client.get("/g", headers=holder.sent(path="/g", nonce=nonce)).text == "in"


@pytest.mark.parametrize("scheme", ["digest", "dpop"])
def test_a_hook_that_asks_does_not_spend_what_counts_once(make_app: Any, scheme: str) -> None:
    # F-12: the judgment takes over what the question found.
    holder = Holder()
    dpop = DPoP({TOKEN: Identity("ada", confirmation={"jkt": holder.jkt})}.get, origin=ORIGIN)
    digest = Digest({"ada": ADA}.get, realm="r")
    auth = Auth(digest if scheme == "digest" else dpop)
    app = make_app(auth, SECRET_KEY="0123456789abcdef0123456789abcdef")

    @app.before_request
    def ask() -> None:
        with suppress(Unauthorized):
            abort_unauthorized()

    app.add_url_rule("/", "v", auth.login_required(lambda: auth.identity.subject or ""))
    client = app.test_client()
    headers = holder.sent() if scheme == "dpop" else sent(challenge(client.get("/").headers["WWW-Authenticate"]))
    assert client.get("/", headers=headers).text == "ada"
    assert client.get("/", headers=headers).status_code == 401


def test_asking_is_quiet(make_app: Any, loader: Loader, caplog: pytest.LogCaptureFixture) -> None:
    # F-12: one refusal is logged and signaled, that of the app; nobody was let in.
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized())
    caplog.set_level(logging.INFO, "flask_unauthorized")
    told: list[Any] = []
    with (
        refused.connected_to(lambda sender, error, **extra: told.append(error), app),
        authenticated.connected_to(lambda sender, **_: told.append("authenticated"), app),
    ):
        app.test_client().get("/", headers={"Authorization": "Bearer good"})
    assert [type(one).__name__ for one in told] == ["MissingCredentials"]
    assert len(caplog.records) == 1


def test_the_same_question_and_a_judgment_verify_once(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    def view() -> str:
        for _ in range(2):
            with pytest.raises(MissingCredentials):
                abort_unauthorized()
        return auth.identity.subject or ""

    @app.before_request
    def ask() -> None:
        with pytest.raises(MissingCredentials):
            abort_unauthorized()

    assert app.test_client().get("/", headers={"Authorization": "Bearer good"}).text == "ada"
    assert loader.asked == ["good"]


def test_a_loader_may_abort(make_app: Any) -> None:
    # F-12: while it verifies, nothing is verified again.
    def load(token: str) -> Any:
        abort_unauthorized("Not this one.")

    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/guarded", "guarded", auth.login_required(lambda: ""))
    app.add_url_rule("/open", "open", lambda: abort_unauthorized())
    for path in ("/guarded", "/open"):
        response = app.test_client().get(path, headers={"Authorization": "Bearer x"})
        assert response.status_code == 401
        assert 'error="invalid_token", error_description="Not this one."' in response.headers["WWW-Authenticate"]


def test_a_bug_of_a_loader_is_raised_once(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized())

    @app.before_request
    def ask() -> None:
        with pytest.raises(ZeroDivisionError):
            abort_unauthorized()

    assert app.test_client().get("/", headers={"Authorization": "Bearer bug"}).status_code == 401
    assert loader.asked == ["bug"]


def test_a_token_is_never_sent_to_a_loader_that_was_not_meant(make_app: Any, caplog: Any) -> None:
    # F-12, "Lazy identification": two schemes read the same field, so nobody is asked.
    asked: list[str] = []
    people, machines = Bearer(lambda token: asked.append("people")), Bearer(lambda token: asked.append("machines"))
    auth = Auth(people, machines)
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized())
    app.add_url_rule("/m", "m", auth.public(via=machines)(lambda: abort_unauthorized()))
    headers = {"Authorization": "Bearer x"}
    with caplog.at_level(logging.DEBUG):
        response = app.test_client().get("/", headers=headers)
    assert (response.status_code, asked) == (401, [])
    assert "error" not in response.headers["WWW-Authenticate"]
    assert "v: several schemes of the Auth read what was sent as Bearer" in caplog.messages
    assert "invalid_token" in app.test_client().get("/m", headers=headers).headers["WWW-Authenticate"]
    assert asked == ["machines"]


def test_a_cookie_of_another_sites_request_is_nobody(make_app: Any) -> None:
    auth = Auth(APIKey(lambda key: Identity("ada"), cookie="key"))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized(), methods=["POST"])
    client = app.test_client()
    client.set_cookie("key", "k")
    response = client.post("/", headers={"Origin": "https://evil.example"})
    assert response.status_code == 401
    assert "error" not in response.headers["WWW-Authenticate"]


def test_details_that_no_error_takes_are_the_developers_mistake(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_unauthorized(max_age=3))
    with pytest.raises(TypeError, match="max_age"):
        app.test_client().get("/", headers={"Authorization": "Bearer bad"})
    other = make_app(Auth(Bearer(loader)))
    other.add_url_rule("/", "v", lambda: abort_unauthorized(via=auth.schemes[0]))
    with pytest.raises(ConfigurationError, match="this Auth doesn't have"):
        other.test_client().get("/")


def test_abort_forbidden_asks_loudly(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    app.add_url_rule("/", "v", lambda: abort_forbidden("Not yours."))
    statuses = [
        app.test_client().get("/", headers={"Authorization": f"Bearer {token}"}).status_code
        for token in ("good", "bad", "down", "a b")
    ]
    assert statuses == [403, 401, 503, 400]
    assert app.test_client().get("/").status_code == 401


# --- hooks that ask before the view is judged


@pytest.mark.parametrize("guard", ["protect", "blueprint", "decorator", "method"])
@pytest.mark.parametrize(
    ("token", "subject"), [(None, None), ("good", "ada"), ("bad", None), ("over", None), ("a b", None)]
)
def test_hooks_of_guarded_views_know_the_caller(
    make_app: Any, loader: Loader, guard: str, token: str | None, subject: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    # F-12: a limiter's key, an audit hook. Asking refuses nobody and verifies once.
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    asked: list[Any] = []
    app.before_request(lambda: asked.append((auth.get_identity() or Identity("nobody")).subject))
    app.before_request(lambda: asked.append(current_identity.subject if current_identity else "nobody"))
    blueprint = Blueprint("part", __name__)
    if guard == "protect":
        auth.protect(app)
    if guard == "blueprint":
        auth.protect(blueprint)

    class Item(MethodView):
        @auth.login_required
        def get(self) -> str:
            return "in"

    if guard == "method":
        blueprint.add_url_rule("/", view_func=Item.as_view("v"))
    else:
        blueprint.add_url_rule("/", "v", auth.login_required(lambda: "in") if guard == "decorator" else lambda: "in")
    app.register_blueprint(blueprint)
    caplog.set_level(logging.INFO, "flask_unauthorized")
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    for _ in range(2):
        asked.clear()
        loader.asked.clear()
        caplog.clear()
        status = app.test_client().get("/", headers=headers).status_code
        assert status == (400 if token == "a b" else 200 if subject else 401)
        assert asked == [subject or "nobody"] * 2
        assert loader.asked == ([] if token in (None, "a b") else [token])
        assert len(caplog.records) == (0 if subject else 1)


def test_a_hook_that_answers_says_what_it_depends_on(make_app: Any, loader: Loader) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    auth.protect(app)

    @app.before_request
    def answer() -> Any:
        caller = auth.get_identity()
        return (caller.subject if caller else "nobody"), 200, {"Cache-Control": "public, max-age=60"}

    app.add_url_rule("/", "v", lambda: "in")
    client = app.test_client()
    ada = client.get("/", headers={"Authorization": "Bearer good"})
    assert (ada.text, ada.headers["Vary"]) == ("ada", "Authorization")
    assert {part.strip() for part in ada.headers["Cache-Control"].split(",")} == {"private", "max-age=60"}
    assert client.get("/").headers["Vary"] == "Authorization"


def test_a_hook_asks_while_the_back_end_is_down(
    make_app: Any, loader: Loader, caplog: pytest.LogCaptureFixture
) -> None:
    auth = Auth(Bearer(loader))
    app = make_app(auth)
    auth.protect(app)
    for _ in range(2):
        app.before_request(lambda: auth.get_user())
    app.add_url_rule("/", "v", lambda: "in")
    assert app.test_client().get("/", headers={"Authorization": "Bearer down"}).status_code == 503
    assert loader.asked == ["down"]
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 2  # that nobody is identified, and the refusal itself


def test_a_loader_that_asks_who_is_calling_in_a_hook(make_app: Any) -> None:
    seen: list[Any] = []

    def load(token: str) -> Identity:
        seen.append(auth.get_identity())
        return Identity("ada")

    auth = Auth(Bearer(load))
    app = make_app(auth)
    auth.protect(app)
    app.before_request(lambda: seen.append(auth.get_identity()) or None)
    app.add_url_rule("/", "v", lambda: auth.identity.subject)
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "ada"
    assert [one and one.subject for one in seen] == [None, "ada"]


def test_a_body_that_is_too_long_is_nobody(make_app: Any) -> None:
    auth = Auth(Bearer(lambda token: Identity("ada"), form=True))
    app = make_app(auth, MAX_CONTENT_LENGTH=10)
    auth.protect(app)
    seen: list[Any] = []
    app.before_request(lambda: seen.append(auth.get_identity()) or None)
    app.add_url_rule("/", "v", lambda: "in", methods=["POST"])
    assert app.test_client().post("/", data={"access_token": "x" * 100}).status_code == 413
    assert seen == [None]
