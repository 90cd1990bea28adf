"""The records of the log: each decision that matters is one, with fixed fields and no secret."""

import ast
import hashlib
import hmac
import json
import logging
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Basic,
    Bearer,
    Identity,
    SessionCookie,
    abort_forbidden,
    errors,
    events,
    signals,
)
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Limit, Throttle

from .helpers import SECRET_KEY, bearer_header

ROOT = Path(__file__).parents[1]
LOGGER = "flask_unauthorized"
NAMES = (
    "event", "outcome", "scheme", "subject", "endpoint", "method", "path", "remote_addr", "reason_code", "session",
    "token_id",
)  # fmt: skip
PASSWORD = "correct horse battery"


def hashed(kind, text, key=SECRET_KEY):
    """The documented hash, computed by hand."""
    derived = hmac.new(key.encode(), f"flask_unauthorized.events {kind}".encode(), hashlib.sha256).digest()
    return hmac.new(derived, text.encode(), hashlib.sha256).hexdigest()[:16]


def fields(record):
    return {name: getattr(record, name) for name in NAMES}


def expected(event, outcome, **others):
    base = dict.fromkeys(NAMES) | {"event": event, "outcome": outcome, "remote_addr": "127.0.0.1", "method": "GET"}
    return base | others


@pytest.fixture
def logged(caplog):
    """The events so far, as (level, fields)."""
    caplog.set_level(logging.DEBUG, LOGGER)
    return lambda: [(record.levelname, fields(record)) for record in caplog.records if hasattr(record, "event")]


def load_token(token):
    if token == "down":
        raise AuthUnavailable(reason="the database is down")
    if token == "good":
        return Identity("ada", scopes={"read"}, claims={"jti": "token-number-1"})
    return None


@pytest.fixture
def app(make_app):
    auth = Auth(
        Bearer(load_token),
        Basic(lambda name, password: password == PASSWORD),
        SessionCookie(lambda subject: None if subject == "gone" else Identity(subject), store=MemoryStore()),
        realm="notes",
    )
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.auth = auth
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.add_url_rule("/write", "write", auth.login_required(scopes={"write"})(lambda: "in"))
    app.add_url_rule("/mine", "mine", auth.login_required(lambda: abort_forbidden()))
    app.add_url_rule("/plain", "plain", lambda: ("", 401))
    app.add_url_rule("/login/<name>", "login", lambda name: auth.login(name).subject)
    app.add_url_rule("/confirm", "confirm", auth.login_required(lambda: auth.confirm().subject))
    app.add_url_rule("/logout", "logout", lambda: auth.logout() or "out")
    app.add_url_rule("/end", "end", lambda: auth.end_sessions("ada") or "ended")
    return app


TOKEN = hashed("token", "token-number-1")
ADA = hashed("subject", "ada")


@pytest.mark.asvs("V16.2.1", "V16.3.2")
@pytest.mark.parametrize(
    ("path", "sent", "level", "found"),
    [
        ("/?q=1", {}, "INFO", {"endpoint": "view", "path": "/", "reason_code": "credentials_missing"}),
        (
            "/", bearer_header("wrong"), "INFO",
            {"endpoint": "view", "path": "/", "scheme": "Bearer", "reason_code": "credentials_invalid"},
        ),
        (
            "/", bearer_header("down"), "WARNING",
            {"endpoint": "view", "path": "/", "scheme": "Bearer", "reason_code": "unavailable"},
        ),
        (
            "/write", bearer_header("good"), "INFO",
            {"endpoint": "write", "path": "/write", "scheme": "Bearer", "reason_code": "scope_missing",
             "subject": ADA, "token_id": TOKEN},
        ),
        (
            "/", {"Authorization": "Basic QWRhOndyb25nIHBhc3N3b3Jk"}, "INFO",  # Ada:wrong password
            {"endpoint": "view", "path": "/", "scheme": "Basic", "reason_code": "credentials_invalid", "subject": ADA},
        ),
        (
            "/", {"Authorization": "Basic !!!"}, "INFO",  # not Base64
            {"endpoint": "view", "path": "/", "scheme": "Basic", "reason_code": "credentials_invalid"},
        ),
        (
            "/", bearer_header("a b"), "INFO",
            {"endpoint": "view", "path": "/", "scheme": "Bearer", "reason_code": "malformed"},
        ),
    ],
)  # fmt: skip
def test_a_refusal_is_one_record(app, logged, path, sent, level, found):
    app.test_client().get(path, headers=sent)
    assert logged() == [(level, expected("refused", "failure", **found))]


def test_a_view_that_refuses_names_the_caller(app, logged):
    app.test_client().get("/mine", headers=bearer_header("good"))
    (_, accepted), (_, refused) = logged()
    assert (accepted["event"], refused["event"], refused["reason_code"]) == ("authenticated", "refused", "forbidden")
    assert refused["subject"] == ADA


@pytest.mark.asvs("V16.3.1", "V16.3.2")
def test_an_accepted_request_is_a_record_at_debug(app, logged):
    app.test_client().get("/", headers=bearer_header("good"))
    of_view = {"endpoint": "view", "path": "/", "scheme": "Bearer", "subject": ADA, "token_id": TOKEN}
    assert logged() == [("DEBUG", expected("authenticated", "success", **of_view))]


def test_accepted_requests_are_no_record_at_info(app, logged, caplog):
    caplog.set_level(logging.INFO, LOGGER)
    app.test_client().get("/", headers=bearer_header("good"))
    assert logged() == []


@pytest.mark.asvs("V16.3.1")
def test_login_confirmation_and_logout(app, logged):
    client = app.test_client()
    for path in ("/login/ada", "/confirm", "/logout"):
        assert client.get(path).status_code == 200
    found = [(level, one) for level, one in logged() if level != "DEBUG"]
    of_login = {"scheme": "Cookie", "subject": ADA}
    sessions = [one.pop("session") for _, one in found]
    for _, one in found:
        assert one.pop("remote_addr") == "127.0.0.1"
    assert [(level, one["event"], one["outcome"], one["endpoint"]) for level, one in found] == [
        ("INFO", "logged_in", "success", "login"),
        ("INFO", "authenticated", "success", "confirm"),
        ("INFO", "logged_out", "success", "logout"),
    ]
    assert all({name: one[name] for name in of_login} == of_login for _, one in found)
    assert all(re.fullmatch("[0-9a-f]{16}", session) for session in sessions)
    assert sessions[0] != sessions[1] == sessions[2]  # a confirmed login has a new id


def test_the_session_is_the_id_that_users_see(app, logged):
    client = app.test_client()
    client.get("/login/ada")
    with app.app_context():
        (device,) = app.auth.sessions("ada")
    assert logged()[-1][1]["session"] == hashed("session", device.id) == events.session_hash(app, device.id)


def test_a_logout_without_a_login_is_no_event(app, logged):
    app.test_client().get("/logout")
    assert logged() == []


def test_a_login_of_a_rejected_user_claims_the_name(app, logged):
    app.test_client().get("/login/gone")
    ((level, found),) = logged()
    assert (level, found["event"], found["subject"]) == ("INFO", "refused", hashed("subject", "gone"))


def test_ended_sessions(app, logged):
    app.test_client().get("/end")
    of_end = {"endpoint": "end", "path": "/end", "scheme": "Cookie", "subject": ADA}
    assert logged() == [("INFO", expected("sessions_ended", "success", **of_end))]


def test_the_end_of_all_sessions(app, logged):
    with app.app_context():
        app.auth.end_all_sessions()
    ((level, found),) = logged()
    assert (level, found["event"], found["scheme"], found["subject"]) == ("INFO", "sessions_ended", "Cookie", None)


def test_a_repaired_401(app, logged):
    app.test_client().get("/plain")
    assert logged() == [("WARNING", expected("repaired", "failure", endpoint="plain", path="/plain"))]


def test_a_mistake_of_the_set_up(make_app, logged):
    auth = Auth(Bearer(load_token), realm="notes")
    app = make_app(auth)
    app.config["UNAUTHORIZED_GUARD"] = "on"
    app.testing = False
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.test_client().get("/")
    assert [(level, one["event"], one["reason_code"]) for level, one in logged()][:1] == [
        ("CRITICAL", "misconfigured", "misconfigured")
    ]


@pytest.mark.asvs("V16.3.1", "V6.3.5")
def test_failed_and_throttled_attempts_of_a_login_form(make_app, logged):
    throttle = Throttle(MemoryStore(), per_pair=Limit(1, 60))
    app = make_app(Auth(Bearer(load_token)), SECRET_KEY=SECRET_KEY)

    @app.post("/login")
    def login():
        with throttle.attempt("ADA"):
            return "no", 422

    client = app.test_client()
    assert [client.post("/login").status_code for _ in range(2)] == [422, 429]
    found = [(one["event"], one["reason_code"], one["subject"]) for _, one in logged()]
    assert found == [
        ("refused", "credentials_invalid", ADA),
        ("throttled", "over_limit", ADA),
        ("refused", "over_limit", ADA),
    ]


def test_stored_tokens(logged, make_app):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from flask_unauthorized.loaders.stored import StoredTokens

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
    tokens = StoredTokens(engine, prefix="notes")
    tokens.create_table()
    app = make_app(Auth(Bearer(tokens)), SECRET_KEY=SECRET_KEY)
    with app.app_context():
        first = tokens.issue("ada", name="one")
        second = tokens.rotate(first.record.id, "ada")
        tokens.revoke(second.record.id, "ada")
    engine.dispose()
    found = [(one["event"], one["outcome"], one["subject"], one["token_id"]) for _, one in logged()]
    one, two = hashed("token notes", str(first.record.id)), hashed("token notes", str(second.record.id))
    assert one == events.token_hash(app, first.record.id, "notes")
    assert found == [
        ("token_issued", "success", ADA, one),
        ("token_rotated", "success", ADA, one),
        ("token_revoked", "success", ADA, two),
    ]


def test_a_refresh_token_that_is_used_again(logged, make_app, monkeypatch):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    from flask_unauthorized.loaders.pairs import GrantRefused, Pairs

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)
    pairs = Pairs(engine, prefix="notes", secret_key=SECRET_KEY)
    pairs.create_table()
    app = make_app(Auth(Bearer(pairs)), SECRET_KEY=SECRET_KEY)
    with app.app_context():
        first = pairs.issue("ada")
        pair = first
        for later in (100, 200, 300):  # seconds; within 30 it would be a repetition
            monkeypatch.setattr(time, "time", lambda now=time.time() + later: now)
            pair = pairs.refresh(pair.refresh)
        for token in (first.refresh, "notes_nonsense"):
            with pytest.raises(GrantRefused):
                pairs.refresh(token)
    engine.dispose()
    found = [(level, one["event"], one["outcome"], one["subject"]) for level, one in logged()]
    assert ("INFO", "token_issued", "success", ADA) in found
    assert found.count(("WARNING", "token_reused", "failure", ADA)) == 1
    assert [level for level, event, *_ in found if event == "refused"] == ["INFO", "INFO"]


def test_a_remembered_login(make_app, logged):
    auth = Auth(SessionCookie(lambda subject: Identity(subject), store=MemoryStore(), remember=30 * 86_400))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.add_url_rule("/login", "login", lambda: auth.login("ada", remember=True).subject)
    client = app.test_client()
    client.get("/login")
    client.delete_cookie("session")
    assert client.get("/").status_code == 200
    with app.app_context():
        (device,) = auth.sessions("ada")
    (found,) = [one for one in logged() if one[1]["event"] == "remembered"]
    of_it = {"scheme": "Cookie", "subject": ADA, "endpoint": "view", "path": "/"}
    assert found == ("INFO", expected("remembered", "success", session=hashed("session", device.id), **of_it))


@pytest.mark.parametrize(("audience", "code"), [("another", "wrong_audience"), ("notes", None)])
def test_a_token_for_another_service(make_app, logged, audience, code):
    pytest.importorskip("cryptography")
    jwt = pytest.importorskip("jwt")
    from flask_unauthorized.jose import hmac_key
    from flask_unauthorized.loaders.jwt import JWT

    secret = "a secret of thirty-two characters"
    load = JWT(
        "https://id.example", audience="notes", keys=hmac_key(secret), algorithms=("HS256",), profile="oidc-compat"
    )
    auth = Auth(Bearer(load))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    claims = {"iss": "https://id.example", "sub": "ada", "aud": audience, "exp": time.time() + 60}
    app.test_client().get("/", headers=bearer_header(jwt.encode(claims, secret, algorithm="HS256")))
    assert [one["reason_code"] for _, one in logged()] == [code]


def test_equal_ids_of_two_tables_are_two_tokens(app):
    hashes = {events.token_hash(app, 5), events.token_hash(app, 5, "notes"), events.token_hash(app, 5, "shop")}
    assert len(hashes) == 3


def test_a_throttled_attempt_names_its_scheme(make_app, logged):
    throttle = Throttle(MemoryStore(), per_pair=Limit(1, 60))
    auth = Auth(Basic(lambda name, password: password == PASSWORD, throttle=throttle))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    for password in ("cGFzc3dvcmQgb25l", "cGFzc3dvcmQgdHdv"):
        app.test_client().get("/", headers={"Authorization": f"Basic YWRhOmd1ZXNz{password}"})
    found = [(one["event"], one["scheme"], one["subject"]) for _, one in logged()]
    assert found == [("refused", "Basic", ADA), ("throttled", "Basic", ADA), ("refused", "Basic", ADA)]


# --- finer reason codes


@pytest.mark.parametrize(
    ("demand", "config", "code"),
    [
        ({"roles": {"admin"}}, {}, "role_missing"),
        ({"max_age": 60}, {}, "too_old"),
        ({"acr": "mfa"}, {}, "too_weak"),
        ({"amr": {"hwk"}}, {}, "too_weak"),
        ({}, {"UNAUTHORIZED_REQUIRE_HTTPS": True}, "plain_http"),
    ],
)
def test_finer_codes(make_app, logged, demand, config, code):
    auth = Auth(Bearer(load_token))
    app = make_app(auth, SECRET_KEY=SECRET_KEY, **config)
    app.add_url_rule("/", "view", auth.login_required(**demand)(lambda: "in"))
    app.test_client().get("/", headers=bearer_header("good"))
    assert [(one["event"], one["reason_code"]) for _, one in logged()] == [("refused", code)]


def test_an_ended_session_has_a_code(app, logged):
    client = app.test_client()
    client.get("/login/ada")
    cookie = client.get_cookie("session").value
    client.get("/logout")
    client.set_cookie("session", cookie)
    client.get("/")
    assert (logged()[-1][1]["event"], logged()[-1][1]["reason_code"]) == ("refused", "session_ended")


@pytest.mark.parametrize("path", ["/logout", "/end"])
def test_a_remembered_login_that_was_ended_has_the_same_code(make_app, logged, path):
    auth = Auth(SessionCookie(lambda subject: Identity(subject), store=MemoryStore(), remember=30 * 86_400))
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    app.add_url_rule("/login", "login", lambda: auth.login("ada", remember=True).subject)
    app.add_url_rule("/logout", "logout", lambda: auth.logout() or "out")
    app.add_url_rule("/end", "end", lambda: auth.end_sessions("ada") or "ended")
    client = app.test_client()
    sent = client.get("/login").headers.getlist("Set-Cookie")
    (remembered,) = [line.partition(";")[0] for line in sent if not line.startswith("session=")]
    client.get(path)
    app.test_client(use_cookies=False).get("/", headers={"Cookie": remembered})
    assert (logged()[-1][1]["event"], logged()[-1][1]["reason_code"]) == ("refused", "session_ended")


# --- what a name may hold


def test_names_are_hashed_if_the_setting_says_so(app, logged):
    app.config["UNAUTHORIZED_LOG_SUBJECTS"] = "hash"
    app.test_client().get("/", auth=("ada", "wrong horse"))
    assert logged()[-1][1]["subject"] == ADA


@pytest.mark.asvs("V16.4.1")
def test_names_as_text_are_cut_and_escaped(make_app, logged, caplog):
    app = make_app(Auth(SessionCookie(lambda subject: subject)), SECRET_KEY=SECRET_KEY)
    app.config["UNAUTHORIZED_LOG_SUBJECTS"] = "text"
    auth = app.extensions["unauthorized"].configuration
    assert auth is not None
    with app.test_request_context("/a%0d%0aforged/" + "p" * 1_000_000):
        events.log_event(logging.INFO, "refused", "x", subject="x\r\nERROR forged\x1b" + "n" * 1_000_000)
    ((_, found),) = logged()
    assert found["subject"] == "x??ERROR forged?" + "n" * (300 - 16)
    assert len(found["path"]) == 300
    assert all(value is None or value.isprintable() for value in found.values())


def test_a_setting_of_another_word_is_a_mistake(make_app):
    auth = Auth(Bearer(load_token))
    with pytest.raises(errors.ConfigurationError, match="UNAUTHORIZED_LOG_SUBJECTS='names': use one of hash, text"):
        auth.check(make_app(auth, UNAUTHORIZED_LOG_SUBJECTS="names"))


def test_no_secret_is_in_a_field(app, logged, caplog):
    client = app.test_client()
    client.get("/", headers={"Authorization": "Basic " + "YWRhOndyb25nIGhvcnNl"})
    client.get("/login/ada")
    client.get("/", headers={"Authorization": "Basic " + "cGEkJHdvcmQgYXMgbmFtZTp4"})  # pa$$word as name:x
    client.get("/?access_token=very-secret-token", headers=bearer_header("very-secret-token"))
    client.get("/")
    with client.session_transaction() as session:
        session_id = session["_unauthorized"]["sid"]
    cookie = client.get_cookie("session").value
    assert len(logged()) == 5
    everything = " ".join(str(vars(record)) + record.getMessage() for record in caplog.records)
    for secret in ("wrong horse", "YWRhOn", "pa$$word", "very-secret-token", session_id, cookie):
        assert secret not in everything


# --- handlers and receivers that fail


class Failing(logging.Handler):
    def emit(self, record):
        if getattr(record, "event", None):
            raise ZeroDivisionError


class AlwaysFailing(logging.Handler):
    def emit(self, record):
        raise ZeroDivisionError


class FailingFilter(logging.Filter):
    def filter(self, record):
        if getattr(record, "event", None):
            raise ZeroDivisionError
        return True


@pytest.mark.parametrize("kind", [Failing, FailingFilter])
@pytest.mark.parametrize(("sent", "status"), [({}, 401), (bearer_header("good"), 200)])
def test_a_handler_or_filter_that_fails_costs_one_error(app, caplog, logged, kind, sent, status):
    logger, fault = logging.getLogger(LOGGER), kind()
    add, remove = (
        (logger.addFilter, logger.removeFilter) if kind is FailingFilter else (logger.addHandler, logger.removeHandler)
    )
    add(fault)
    try:
        response = app.test_client().get("/", headers=sent)
    finally:
        remove(fault)
    assert response.status_code == status
    assert [record.levelname for record in caplog.records if record.levelno >= logging.ERROR] == ["ERROR"]


def test_a_log_record_factory_that_fails_costs_no_request(app, logged, capsys):
    def fail(*args, **kwargs):
        raise ZeroDivisionError

    client, factory = app.test_client(), logging.getLogRecordFactory()
    client.get("/")
    logging.setLogRecordFactory(fail)
    try:
        statuses = [client.get("/", headers=sent).status_code for sent in ({}, bearer_header("good"))]
    finally:
        logging.setLogRecordFactory(factory)
    assert statuses == [401, 200]
    assert "was not logged" in capsys.readouterr().err


def test_a_handler_that_always_fails_leaves_a_line_on_stderr(app, logged, capsys):
    fault = AlwaysFailing()
    logging.getLogger(LOGGER).addHandler(fault)
    try:
        assert app.test_client().get("/").status_code == 401
    finally:
        logging.getLogger(LOGGER).removeHandler(fault)
    assert capsys.readouterr().err.count("the event refused was not logged") == 1


def test_a_record_factory_with_the_same_names_loses_no_event(app, logged):
    factory = logging.getLogRecordFactory()

    def with_path(*args, **kwargs):
        record = factory(*args, **kwargs)
        record.path = record.remote_addr = "from the factory"
        return record

    logging.setLogRecordFactory(with_path)
    try:
        app.test_client().get("/")
    finally:
        logging.setLogRecordFactory(factory)
    assert [(one["event"], one["path"]) for _, one in logged()] == [("refused", "/")]


def test_refused_names_the_tried_name_and_the_session_as_the_record_does(app, logged):
    found = []

    def receive(sender, *, subject, session, **extra):
        found.append((subject, session))

    client = app.test_client()
    client.get("/login/ada")
    with app.app_context():
        (device,) = app.auth.sessions("ada")
    with signals.refused.connected_to(receive, app):
        assert app.test_client().get("/", auth=("ada", "wrong")).status_code == 401
        assert app.test_client().get("/").status_code == 401
        assert client.get("/mine").status_code == 403
    assert found == [(ADA, None), (None, None), (ADA, device.id)]


def test_refused_has_the_identity(app):
    heard = []

    def receive(sender, error, identity, **extra):
        heard.append((error.reason_code, None if identity is None else identity.subject))

    with signals.refused.connected_to(receive, sender=app):
        app.test_client().get("/write", headers=bearer_header("good"))
        app.test_client().get("/write", headers=bearer_header("wrong"))
    assert heard == [("scope_missing", "ada"), ("credentials_invalid", None)]


# --- hashes

PROGRAM = """
from flask import Flask
from flask_unauthorized.events import subject_hash
app = Flask("other")
app.secret_key = {key!r}
print(subject_hash(app, " ADA"))
"""


@pytest.mark.parametrize(("key", "equal"), [(SECRET_KEY, True), (SECRET_KEY + "x", False)])
def test_hashes_are_equal_in_all_processes_of_one_key(app, key, equal):
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(key=key)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashed("subject", "ada", key)
    assert (done.stdout.strip() == events.subject_hash(app, "ada")) is equal


def test_long_names_with_lone_surrogates_have_a_hash(app):
    assert re.fullmatch("[0-9a-f]{16}", events.subject_hash(app, "a\ud800" * 1_000_000))


# --- the tables


def rows(text, head):
    lines = text[text.index(f"| {head} |") :].splitlines()[2:]
    table = []
    for line in map(str.strip, lines):  # they are indented in the docstring
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


@pytest.mark.asvs("V16.1.1")
@pytest.mark.parametrize("head", ["field", "event", "reason_code"])
def test_the_page_shows_the_tables_of_the_module(head):
    page = (ROOT / "docs" / "reference" / "logging.md").read_text(encoding="utf-8")
    assert rows(page, head) == rows(events.__doc__, head)


@pytest.mark.asvs("V16.1.1")
def test_the_tables_and_the_code_agree():
    names = {head: [row[0].strip("`") for row in rows(events.__doc__, head)] for head in ("field", "event")}
    assert tuple(names["field"]) == events.FIELDS == NAMES
    assert {row[0].strip("`"): row[1] for row in rows(events.__doc__, "event")} == events.EVENTS


def test_the_codes_of_the_code_are_those_of_the_table():
    used = {kind.reason_code for kind in vars(errors).values() if hasattr(kind, "reason_code")}
    for path in Path(errors.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                values = [keyword.value for keyword in node.keywords if keyword.arg == "reason_code"]
                if isinstance(node.func, ast.Name) and node.func.id == "with_code":
                    values.append(node.args[1])
                if any(isinstance(value, ast.IfExp) for value in values):
                    values = [value.body for value in values]
                used |= {value.value for value in values if isinstance(value, ast.Constant)} - {None}
    used |= {"too_old", "too_weak"}  # authorization.py chooses between them
    assert used == {row[0].strip("`") for row in rows(events.__doc__, "reason_code")}


@pytest.mark.asvs("V16.2.4")
def test_the_json_recipe_runs_as_pasted(capsys):
    page = (ROOT / "docs" / "reference" / "logging.md").read_text(encoding="utf-8")
    program = next(block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "JSONFormatter" in block)
    logger = logging.getLogger(LOGGER)
    level, handlers = logger.level, logger.handlers[:]
    scope = {"__name__": "app"}
    try:
        exec(compile(program, "app.py", "exec"), scope)
        scope["app"].test_client().get("/notes", headers={"Authorization": "Basic YWRhOmd1ZXNz"})
    finally:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    line = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert {name: line[name] for name in ("level", "event", "subject", "endpoint", "session")} == {
        "level": "INFO",
        "event": "refused",
        "subject": hashed("subject", "ada", "only for this demo, 32 characters"),
        "endpoint": "notes",
        "session": None,
    }
