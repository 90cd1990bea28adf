"""Signals and log records, and that neither contains a secret."""

import logging
import pickle
import re
from base64 import b64encode
from contextlib import contextmanager

import pytest
from flask import abort
from werkzeug.exceptions import Unauthorized as HTTPUnauthorized

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Identity,
    InvalidCredentials,
    MissingCredentials,
    StepUpRequired,
    abort_forbidden,
    abort_unauthorized,
    signals,
)
from flask_unauthorized.loaders import StaticTokens
from tests.helpers import bearer_header, get_view, raise_error

CANARY = "s3cr3tCanary42"
KINDS = ("authenticated", "refused", "repaired")


def load(token):
    return Identity("ada", scopes={"read"}) if token == "good" else None


@contextmanager
def heard(*kinds):
    """All signals sent while inside, as (kind, sender, arguments)."""
    found = []
    receivers = []
    for kind in kinds or KINDS:

        def receive(sender, kind=kind, **arguments):
            found.append((kind, sender, arguments))

        receivers.append((kind, receive))
        getattr(signals, kind).connect(receive)
    try:
        yield found
    finally:
        for kind, receive in receivers:
            getattr(signals, kind).disconnect(receive)


@pytest.fixture
def auth():
    return Auth(Bearer(load), realm="notes")


@pytest.fixture
def app(make_app, auth):
    app = make_app(auth)
    app.add_url_rule("/", "guarded", auth.login_required(lambda: "fine"))
    app.add_url_rule("/write", "write", auth.login_required(scopes={"write"})(lambda: "fine"))
    app.add_url_rule("/mine", "mine", auth.login_required(lambda: abort_forbidden("no")))
    app.add_url_rule("/open", "open", lambda: "fine")
    app.add_url_rule("/abort", "abort", lambda: abort(401))
    app.add_url_rule("/plain", "plain", lambda: ("", 401))
    app.add_url_rule("/optional", "optional", auth.login_optional(lambda: "fine"))
    return app


# --- signals


def test_authenticated_names_identity_and_scheme(app):
    with heard() as found:
        app.test_client().get("/", headers=bearer_header("good"))
    told = {"identity": Identity("ada", scopes={"read"}), "scheme": "Bearer", "session": None}
    assert found == [("authenticated", app, told)]


@pytest.mark.parametrize("path", ["/open", "/optional"])
def test_nothing_is_said_of_an_anonymous_request_that_is_let_in(app, path):
    with heard() as found:
        assert app.test_client().get(path).status_code == 200
    assert found == []


def test_authenticated_is_said_once_a_request(make_app):
    auth = Auth(Bearer(load))
    app = make_app(auth)
    auth.protect(app, public={"static"})

    @app.get("/")
    @auth.login_required(scopes={"read"})
    def view():
        auth.require()
        return auth.require(scopes={"read"}).subject

    with heard() as found:
        assert app.test_client().get("/", headers=bearer_header("good")).text == "ada"
    assert [kind for kind, _, _ in found] == ["authenticated"]


@pytest.mark.parametrize(
    ("path", "headers", "kind", "reason"),
    [
        ("/", {}, "MissingCredentials", "no credentials"),
        ("/", {"Authorization": "Negotiate abc"}, "MissingCredentials", "no credentials"),
        ("/", bearer_header("bad"), "InvalidCredentials", "the loader of Bearer returned None for the token"),
        ("/", bearer_header("!"), "MalformedCredentials", "b64token"),
        ("/", bearer_header("a, Bearer b"), "MalformedCredentials", ""),
        ("/optional", bearer_header("bad"), "InvalidCredentials", "the loader of Bearer returned None for the token"),
        ("/write", bearer_header("good"), "InsufficientScope", "write"),
        ("/mine", bearer_header("good"), "Forbidden", None),
        ("/abort", {}, "Unauthorized", None),
    ],
)
def test_refused_has_the_error_with_its_reason(app, path, headers, kind, reason):
    with heard("refused") as found:
        status = app.test_client().get(path, headers=headers).status_code
    ((name, sender, arguments),) = found
    assert (name, sender, set(arguments)) == ("refused", app, {"error", "identity", "subject", "session"})
    error = arguments["error"]
    assert (type(error).__name__, error.code) == (kind, status)
    if reason is not None:
        assert reason in error.reason
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)


def test_refused_carries_challenges_and_a_receiver_cannot_change_them(app):
    def meddle(sender, error, **extra):
        error.challenges = ()
        error.code = 200

    with heard("refused") as found, signals.refused.connected_to(meddle):
        response = app.test_client().get("/")
    assert response.status_code == 401
    assert response.headers.getlist("WWW-Authenticate") == ['Bearer realm="notes"']
    assert len(found) == 1


@pytest.mark.parametrize(
    "view",
    [
        lambda: abort_unauthorized(reason="because"),
        lambda: raise_error(InvalidCredentials(reason="because")),
        lambda: raise_error(MissingCredentials(reason="because")),
        lambda: raise_error(StepUpRequired(max_age=5, reason="because")),
    ],
    ids=["abort", "invalid", "missing", "step_up"],
)
def test_a_view_that_refuses_is_reported_once(app, caplog, view):
    caplog.set_level(logging.INFO)
    app.add_url_rule("/view", "view", view)
    with heard() as found:
        assert app.test_client().get("/view").status_code == 401
    ((name, _, arguments),) = found
    assert (name, arguments["error"].reason) == ("refused", "because")
    assert [r.getMessage().count("because") for r in caplog.records if r.name == "flask_unauthorized"] == [1]


def test_repaired_names_endpoint_and_challenges(app, caplog):
    with heard() as found:
        app.test_client().get("/plain")
    ((name, sender, arguments),) = found
    assert (name, sender, arguments["endpoint"]) == ("repaired", app, "plain")
    assert [str(challenge) for challenge in arguments["challenges"]] == ['Bearer realm="notes"']


def test_the_log_warns_of_each_endpoint_once_and_then_only_tells(app, caplog):
    caplog.set_level(logging.DEBUG, "flask_unauthorized")
    app.add_url_rule("/other", "other", lambda: ("no", 401))
    for path in ("/plain", "/plain", "/other", "/plain"):
        app.test_client().get(path)
    records = [
        (r.levelname, r.getMessage().rpartition(" ")[2]) for r in caplog.records if r.name == "flask_unauthorized"
    ]
    assert records == [("WARNING", "plain"), ("DEBUG", "plain"), ("WARNING", "other"), ("DEBUG", "plain")]


def test_signals_reach_only_receivers_of_their_app(app, make_app):
    other = make_app(Auth(Bearer(load)))
    found = []

    def receive(sender, error, **extra):
        found.append(sender)

    with signals.refused.connected_to(receive, sender=other):
        app.test_client().get("/")
        assert found == []


@pytest.mark.parametrize("failure", [ZeroDivisionError, HTTPUnauthorized, InvalidCredentials, TypeError])
@pytest.mark.parametrize(
    ("kind", "path", "headers", "status"),
    [
        ("authenticated", "/", bearer_header("good"), 200),
        ("refused", "/", {}, 401),
        ("refused", "/write", bearer_header("good"), 403),
        ("repaired", "/plain", {}, 401),
    ],
)
def test_err_09_a_failing_receiver_changes_nothing(app, caplog, kind, path, headers, status, failure):
    after = []

    def fail(sender, **arguments):
        after.append(kind)
        raise failure

    def listen(sender, **arguments):
        after.append(kind)

    signal = getattr(signals, kind)
    with signal.connected_to(fail), signal.connected_to(listen):
        response = app.test_client().get(path, headers=headers)
    assert response.status_code == status
    assert bool(response.headers.getlist("WWW-Authenticate")) is (status != 200)
    assert after == [kind, kind]
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.name for record in errors] == ["flask_unauthorized"]


# --- secrets (LEK)


def basic(user, password):
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


ENCODED = b64encode(f"ada:{CANARY}".encode()).decode()
REQUESTS = {
    "token": bearer_header(CANARY),
    "token_prefix": bearer_header("bad." + CANARY),
    "token_malformed": bearer_header(CANARY + "!"),
    "token_doubled": bearer_header(f"{CANARY}, Bearer {CANARY}"),
    "token_too_long": bearer_header(CANARY * 700),
    "token_of_no_scheme": {"Authorization": CANARY},
    "odd_scheme_name": {"Authorization": f"{CANARY}\x01 {CANARY}"},
    "unknown_scheme": {"Authorization": f"Negotiate {CANARY}"},
    "hidden_behind_unknown": {"Authorization": f"Negotiate {CANARY}, Bearer {CANARY}"},
    "password": basic("ada", CANARY),
    "user_as_secret": basic(CANARY, "pw"),
    "password_controls": basic("ada", CANARY + "\x00"),
    "password_no_colon": {"Authorization": "Basic " + b64encode(CANARY.encode()).decode()},
    "basic_not_base64": {"Authorization": f"Basic {CANARY}!"},
    "key": {"X-API-Key": CANARY},
    "key_doubled": {"X-API-Key": f"{CANARY}, {CANARY}"},
    "key_too_long": {"X-API-Key": CANARY * 50},
    "key_controls": {"X-API-Key": CANARY + "\x01"},
    "two_at_once": {**bearer_header(CANARY), "X-API-Key": CANARY},
    "proxy": {"Proxy-Authorization": f"Basic {CANARY}"},
    "cookie": {"Cookie": f"session={CANARY}"},
}


def refuse(*secrets):
    return None


def unavailable(*secrets):
    raise ConnectionError(f"redis://user:{CANARY}@store down while looking for {secrets}")


def refuse_with(*secrets):
    raise InvalidCredentials(reason="not known here")


def accept(*secrets):
    return Identity("ada")


@pytest.mark.asvs("V16.2.5")
@pytest.mark.rfc("H-38")
@pytest.mark.parametrize("accept_header", ["application/json", "application/problem+json", "text/html", "text/plain"])
@pytest.mark.parametrize("loader", [refuse, unavailable, refuse_with, accept], ids=lambda loader: loader.__name__)
@pytest.mark.parametrize("sent", REQUESTS)
def test_lek_03_lek_04_and_lek_06_no_canary_anywhere(make_app, caplog, sent, loader, accept_header):
    caplog.set_level(logging.DEBUG)
    auth = Auth(Bearer(loader), Basic(loader), APIKey(loader), realm="notes", unavailable=[ConnectionError])
    app = make_app(auth)
    app.debug = True
    app.add_url_rule("/", "view", auth.login_required(roles={"admin"})(lambda: "fine"))
    with heard() as found:
        response = app.test_client().get("/", headers={**REQUESTS[sent], "Accept": accept_header})
    assert response.status_code in {400, 401, 403, 503}
    visible = [response.text, str(response.headers), repr(found), caplog.text]
    visible += [repr(vars(record)) for record in caplog.records]
    for _, _, arguments in found:
        visible += [repr(vars(argument)) for argument in arguments.values() if hasattr(argument, "__dict__")]
        visible += [str(argument) for argument in arguments.values()]
    for secret in (CANARY, ENCODED, b64encode(CANARY.encode()).decode()):
        assert not [text for text in visible if secret in text]


@pytest.mark.parametrize("accept_header", ["application/json", "application/problem+json", "text/plain"])
@pytest.mark.parametrize("loader", [refuse, unavailable, accept], ids=lambda loader: loader.__name__)
def test_lek_09_no_internals_in_the_answer_even_in_debug(make_app, loader, accept_header):
    auth = Auth(Bearer(loader), unavailable=[ConnectionError])
    app = make_app(auth)
    app.debug = True
    app.add_url_rule("/", "view", auth.login_required(roles={"admin"})(lambda: "fine"))
    response = app.test_client().get("/", headers={**bearer_header("any"), "Accept": accept_header})
    words = r"Traceback|\.py|Error\b|flask|redis|Credentials\(|class |lambda|line \d"
    assert not re.search(words, response.text + str(response.headers))


@pytest.mark.parametrize(
    "thing",
    [
        StaticTokens({CANARY: "ada"}),
        Bearer(StaticTokens({CANARY: "ada"})),
        Auth(Bearer(StaticTokens({CANARY: "ada"}))),
        Identity("ada", claims={"token": CANARY}, user=[CANARY], confirmation={"jkt": CANARY}),
    ],
    ids=["loader", "scheme", "auth", "identity"],
)
def test_lek_01_no_repr_tells_a_secret(thing):
    assert CANARY not in f"{thing!r} {thing} {thing!s}"


def test_lek_01_credentials_on_their_way_are_wrapped(app):
    with app.test_request_context():
        secrets = [Bearer(load).read(None, CANARY), Basic(refuse).read(None, ENCODED)]
    for secret in secrets:
        assert CANARY not in f"{secret!r} {secret} {secret!s}"
        assert CANARY not in repr(getattr(secret, "__dict__", None))
        with pytest.raises(TypeError):
            pickle.dumps(secret)


def test_lek_02_a_foreign_exception_is_cut_off(make_app):
    auth = Auth(Bearer(unavailable), unavailable=[ConnectionError])
    app = make_app(auth)
    found = []
    app.register_error_handler(503, lambda error: found.append(error) or ("", 503))
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    assert app.test_client().get("/", headers=bearer_header("any")).status_code == 503
    (error,) = found
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert CANARY not in f"{error} {error!r} {error.args} {error.reason} {vars(error)}"


@pytest.mark.asvs("V16.4.1")
@pytest.mark.parametrize(
    "reason",
    [
        "x\r\nERROR forged",
        "x\nERROR forged",
        "x\x1b[31mred",
        "x\u2028forged",
        "x\x85y",
        "x\x00y",
        "x\u202egnp.exe",
        "x\x7f",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("by", ["loader", "view"])
def test_lek_13_no_control_character_reaches_the_log(make_app, caplog, reason, by):
    caplog.set_level(logging.DEBUG)
    auth = Auth(Bearer(lambda token: raise_error(InvalidCredentials(reason=reason))))
    app = make_app(auth)
    view = auth.login_required(lambda: "fine") if by == "loader" else lambda: abort_unauthorized(reason=reason)
    app.add_url_rule("/", "view", view)
    assert app.test_client().get("/", headers=bearer_header("any") if by == "loader" else {}).status_code == 401
    messages = [record.getMessage() for record in caplog.records if record.name == "flask_unauthorized"]
    assert len(messages) == 1
    assert messages[0].isprintable()
    assert len(messages[0].splitlines()) == 1


def test_lek_13_a_long_reason_is_cut(make_app, caplog):
    caplog.set_level(logging.DEBUG)
    app = make_app(Auth(Bearer(load)))
    app.add_url_rule("/", "view", lambda: abort_unauthorized(reason="a" * 10_000))
    app.test_client().get("/")
    assert max(len(record.getMessage()) for record in caplog.records) < 400


@pytest.mark.asvs("V16.5.1")
def test_a_reason_never_leaves_the_server(app):
    app.add_url_rule("/why", "why", lambda: abort_unauthorized(reason=CANARY))
    for media in ("application/json", "application/problem+json", "text/html", "text/plain"):
        response = app.test_client().get("/why", headers={**bearer_header("good"), "Accept": media})
        assert response.status_code == 401
        assert CANARY not in response.text + str(response.headers)


@pytest.mark.parametrize(("headers", "level"), [({}, logging.INFO), (bearer_header("any"), logging.WARNING)])
def test_refusals_are_info_and_server_side_failures_a_warning(make_app, caplog, headers, level):
    caplog.set_level(logging.DEBUG)
    auth = Auth(Bearer(unavailable), unavailable=[ConnectionError])
    app = make_app(auth)
    app.add_url_rule("/", "view_name", auth.login_required(lambda: "fine"))
    app.test_client().get("/", headers=headers)
    (record,) = [record for record in caplog.records if record.name == "flask_unauthorized"]
    assert record.levelno == level
    assert "view_name" in record.getMessage()


@pytest.mark.asvs("V16.2.5")
@pytest.mark.rfc("H-38")
def test_no_credential_is_logged(make_app, auth, caplog):
    caplog.set_level(logging.DEBUG)
    get_view(make_app, auth, headers={"Authorization": "Bearer very-secret-token"})
    assert "very-secret-token" not in caplog.text
