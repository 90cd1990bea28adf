"""``audit --asvs``: each row, met and not met, and left out where the app has nothing that it is about."""

import json
import logging

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from flask_unauthorized import Auth, Basic, Bearer, Digest, DPoP, SessionCookie, SHA256Sessions
from flask_unauthorized.cli import commands
from flask_unauthorized.jose import hmac_key
from flask_unauthorized.loaders.jwt import JWT, Issuers
from flask_unauthorized.loaders.revocation import Revocations
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Throttle
from tests.conformance.audits import ROWS, parts

ISSUER = "https://login.example.com"


def load(*_):
    raise AssertionError("a loader was called")


def store():
    return MemoryStore(single_process=True)


def states(*schemes, guard=None, protect=None, sessions=None, bound_only=None, **config):
    """Return by id whether each row is met."""
    app = Flask("shop", static_folder=None)
    app.config.update(SECRET_KEY="a secret of thirty-two characters", **config)
    if sessions:
        app.session_interface = sessions
    auth = Auth(*schemes, app=app, bound_only=bound_only)
    if protect is not None:
        auth.protect(app, **protect)
    if guard is not None:
        app.add_url_rule("/a", "a", auth.login_required(**guard)(lambda: "in"))
    done = app.test_cli_runner().invoke(commands, ["audit", "--asvs", "--json"], obj=ScriptInfo(create_app=lambda: app))
    assert done.exit_code == 0, done.output
    return {row["id"]: row["met"] for row in json.loads(done.output)["rows"]}


HOST_COOKIE = {"SESSION_COOKIE_NAME": "__Host-session", "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"}
EC = ("ES256", "EdDSA")


def people(**options):
    return SessionCookie(load, **{"store": None, **options})


def jwt(**options):
    return Bearer(JWT(ISSUER, **{"audience": "shop", "user": None, **options}))


def issuers(*options):
    """Return a scheme for the tokens of several issuers, each with options of its own."""
    loaders = [
        JWT(f"{ISSUER}/{number}", **{"audience": "shop", "user": None, **one}) for number, one in enumerate(options)
    ]
    return Bearer(Issuers(*loaders))


def digest(**options):
    return Digest(load, store=store(), **options)


@pytest.mark.parametrize(
    ("rows", "met", "unmet"),
    [
        ("2.4.1 6.3.1", lambda: states(Basic(load, throttle=Throttle(store()))), lambda: states(Basic(load))),
        ("2.4.1 6.3.1", lambda: states(digest(throttle=Throttle(store()))), lambda: states(digest())),
        (
            "3.3.1 3.3.2 3.3.3", lambda: states(people(), **HOST_COOKIE),
            lambda: states(people(), SESSION_COOKIE_SAMESITE="None"),
        ),
        (
            "3.3.1", lambda: states(people(), **HOST_COOKIE),
            lambda: states(people(), **{**HOST_COOKIE, "SESSION_COOKIE_SECURE": False}),
        ),
        ("3.3.2", lambda: states(people(), SESSION_COOKIE_SAMESITE="Strict"), lambda: states(people())),
        ("3.5.8", lambda: states(people(cross_site_reads=False)), lambda: states(people())),
        ("6.3.4 8.2.1", lambda: states(Bearer(load), protect={}), lambda: states(Bearer(load))),
        (
            "6.3.4 8.2.1", lambda: states(Bearer(load), protect={"public": {"a": "x"}}),
            lambda: states(Bearer(load), protect={"unless": lambda: True}),
        ),
        ("7.3.1", lambda: states(people()), lambda: states(people(idle=None))),
        ("7.4.1 7.4.3 7.4.5 7.5.2", lambda: states(people(store=store())), lambda: states(people())),
        ("7.4.1", lambda: states(jwt(revoked=Revocations(store()))), lambda: states(jwt())),
        ("7.5.1 7.5.3", lambda: states(people(), guard={"max_age": 300}), lambda: states(people(), guard={})),
        ("7.5.1 7.5.3", lambda: states(people(), guard={"amr": {"otp"}}), lambda: states(people())),
        ("7.5.1 7.5.3", lambda: states(people(), guard={"acr": "mfa"}), lambda: states(Bearer(load), guard={})),
        ("9.2.1", lambda: states(jwt(leeway=0)), lambda: states(jwt())),
        ("9.2.3", lambda: states(jwt()), lambda: states(jwt(audience=None))),
        (
            "10.3.5", lambda: states(DPoP(load, origin="https://shop.example"), bound_only=True),
            lambda: states(Bearer(load), DPoP(load, origin="https://shop.example")),
        ),
        ("9.2.3", lambda: states(issuers({})), lambda: states(issuers({}, {"audience": None}))),
        ("11.2.3", lambda: states(jwt(min_rsa_bits=3072)), lambda: states(jwt())),
        ("11.2.3", lambda: states(jwt(min_rsa_bits=3072)), lambda: states(jwt(algorithms=("PS256",)))),
        ("11.6.1", lambda: states(jwt(algorithms=("PS256",))), lambda: states(jwt(algorithms=("PS256", "RS256")))),
        ("11.2.3 11.6.1", lambda: states(jwt(algorithms=EC)), lambda: states(jwt(algorithms=("RS256",)))),
        (
            "11.4.1 11.4.3", lambda: states(people(), sessions=SHA256Sessions()), lambda: states(people()),
        ),
        ("12.2.1", lambda: states(Bearer(load), UNAUTHORIZED_REQUIRE_HTTPS=True), lambda: states(Bearer(load))),
        ("14.2.1", lambda: states(Bearer(load)), lambda: states(Bearer(load, query=True))),
        (
            "14.3.2", lambda: states(Bearer(load), guard={"no_store": True}), lambda: states(Bearer(load), guard={}),
        ),
    ],
)  # fmt: skip
def test_a_row_follows_its_setting(rows, met, unmet):
    for states_found, expected in ((met(), True), (unmet(), False)):
        assert {row: states_found[row] for row in rows.split()} == dict.fromkeys(rows.split(), expected)


def test_logging(caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    assert [states(Bearer(load))[row] for row in ("16.3.1", "16.3.2", "16.3.3")] == [True] * 3
    caplog.set_level(logging.WARNING, "flask_unauthorized")
    assert [states(Bearer(load))[row] for row in ("16.3.1", "16.3.2", "16.3.3")] == [False] * 3


def test_a_logger_that_is_disabled_logs_nothing(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    logger = logging.getLogger("flask_unauthorized")
    # logging.config.dictConfig() disables all loggers that it doesn't name.
    monkeypatch.setattr(logger, "disabled", True)
    assert states(Bearer(load))["16.3.1"] is False
    monkeypatch.setattr(logger, "disabled", False)
    monkeypatch.setattr(logger.manager, "disable", logging.INFO)
    assert states(Bearer(load))["16.3.1"] is False


def test_rows_about_what_the_app_does_not_have_are_left_out():
    found = states(Bearer(load))
    assert not found.keys() & {"2.4.1", "3.3.1", "7.3.1", "7.4.1", "9.2.1", "11.4.1", "11.6.1", "14.3.2"}
    secret = jwt(keys=hmac_key("x" * 32), algorithms=("HS256",))
    assert states(secret)["11.2.3"] is True


def test_rows_and_words_are_those_of_the_page():
    """The ids, levels and texts of docs/explanation/asvs.md, whose rows say that a setting decides or may undo them."""
    from flask_unauthorized.audit.asvs import _ROWS

    page = {row.id: row for group in parts(ROWS.read_text(encoding="utf-8")).values() for row in group}
    for name, level, asks, _, _ in _ROWS:
        row = page[f"V{name}"]
        assert (row.level, row.asks) == (f"L{level}", asks)
        assert row.state in ("configured", "default")


def test_the_table_names_the_setting_of_rows_that_are_not_met():
    app = Flask("shop")
    Auth(Bearer(load), app=app)
    output = app.test_cli_runner().invoke(commands, ["audit", "--asvs"], obj=ScriptInfo(create_app=lambda: app)).output
    (line,) = [line for line in output.splitlines() if line.startswith("V12.2.1")]
    assert "NOT MET" in line
    assert line.endswith("UNAUTHORIZED_REQUIRE_HTTPS=True")
