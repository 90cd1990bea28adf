"""The log names each switch that weakens an app once, and docs/guides/security.md lists them all."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import redis
from flask import Flask

import flask_unauthorized
from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, SessionCookie
from flask_unauthorized.jose.keys import hmac_key
from flask_unauthorized.loaders.introspection import Introspection
from flask_unauthorized.loaders.jwt import JWT
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.redis import RedisStore
from flask_unauthorized.throttle import Throttle

PAGE = Path(__file__).parents[1] / "docs" / "guides" / "security.md"
ISSUER, AUDIENCE, SECRET = "https://id.example.com", "https://api.example.com", "k" * 32
KEYS = hmac_key(SECRET)
STORE = MemoryStore(single_process=True)


def load(*_):
    return None


def jwt(**options):
    return JWT(ISSUER, keys=KEYS, algorithms=("HS256",), **{"audience": AUDIENCE, **options})


def introspection(audience):
    return Introspection("https://id.example.com/introspect", audience=audience, client_id="api", client_secret=SECRET)


def session():
    return SessionCookie(load)


# The switch as docs/guides/security.md writes it; what makes the app; the settings; words of the log.
SWITCHES = {
    "UNAUTHORIZED_EXPLAIN=True": (lambda: Bearer(load), {"UNAUTHORIZED_EXPLAIN": True}, "tells its caller which check"),
    "UNAUTHORIZED_GUARD='off'": (lambda: Bearer(load), {"UNAUTHORIZED_GUARD": "off"}, "leaves without a challenge"),
    "Bearer(query=True)": (lambda: Bearer(load, query=True), {}, "tokens in URLs end up in logs"),
    "APIKey(query=…)": (lambda: APIKey(load, query="key"), {}, "APIKey(query='key'): keys in URLs end up in logs"),
    "Digest(algorithms=…) with MD5": (
        lambda: Digest(load, algorithms=("SHA-256", "MD5-sess"), realm="r", store=STORE), {}, "with MD5-sess: clients"),
    "Digest(legacy=True)": (lambda: Digest(load, legacy=True, realm="r", store=STORE), {}, "no cnonce and no count"),
    "Basic beside Digest": (
        lambda: (Digest(load, realm="r", store=STORE), Basic(load, realm="r")), {}, "as safe as with Basic alone"),
    "JWT(audience=None)": (lambda: Bearer(jwt(audience=None)), {}, "for any other service opens this one"),
    "Introspection(audience=None)": (lambda: Bearer(introspection(None)), {}, "for any other API opens this one"),
    "JWT(allow_eternal=True)": (lambda: Bearer(jwt(allow_eternal=True)), {}, "without exp that leaks is valid"),
    "JWT(leeway=…) above 300": (lambda: Bearer(jwt(leeway=301)), {}, "301: tokens live that many seconds longer"),
    "hmac_key(allow_short=True)": (
        lambda: hmac_key("s" * 16, allow_short=True) and Bearer(load), {}, "16 octets"),
    "RedisStore without TLS": (
        lambda: Bearer(load, throttle=Throttle(RedisStore("redis://cache.example.com/0"))), {},
        "'cache.example.com' has no TLS"),
    "SECRET_KEY, short or well-known": (session, {"SECRET_KEY": "dev"}, "anyone can guess it"),
    "SESSION_COOKIE_SECURE=False": (session, {"SESSION_COOKIE_SECURE": False}, "goes over plain HTTP too"),
    "SESSION_COOKIE_SAMESITE unset": (session, {"SESSION_COOKIE_SAMESITE": None}, "SAMESITE is not set"),
    "SESSION_COOKIE_SAMESITE='None'": (session, {"SESSION_COOKIE_SAMESITE": "None"}, "pages of all other sites send"),
}  # fmt: skip
DEFAULTS = {"SECRET_KEY": SECRET, "SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Lax"}
# Named in the log when they take effect, which the tests of their modules show.
LATER = {"Throttle(on_outage='allow')", "UNAUTHORIZED_REQUIRE_HTTPS unset"}


@pytest.fixture(autouse=True)
def no_server(monkeypatch):
    """No Redis is asked: these tests are about the log of the set-up."""
    monkeypatch.setattr(redis.Redis, "config_get", lambda self, name: {name: "noeviction"})


def app_of(scheme, *, debug=False, testing=False, **config):
    app = Flask("shop.app")
    app.config.update(DEFAULTS | {"UNAUTHORIZED_REALM": "shop"} | config)
    app.debug, app.testing = debug, testing
    schemes = scheme if isinstance(scheme, tuple) else (scheme,)
    Auth(*schemes, app=app)
    return app


def listed():
    """The part of the page with the switches."""
    return PAGE.read_text(encoding="utf-8").split("## Switches")[1].split("\n## ")[0]


def check(app):
    app.extensions["unauthorized"].check()


@pytest.mark.asvs("V13.4.2", "V12.3.1")
@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_that_weakens_is_named_once_with_its_fix(switch, caplog):
    build, config, words = SWITCHES[switch]
    app = app_of(build(), **config)
    check(app)
    check(app)
    app.test_client().get("/")
    named = [record for record in caplog.records if words in record.getMessage()]
    assert [(record.levelname, record.name) for record in named] == [("WARNING", "flask_unauthorized")], caplog.text


@pytest.mark.parametrize(
    "scheme",
    [
        lambda: Bearer(jwt()),
        lambda: Bearer(introspection(AUDIENCE)),
        lambda: APIKey(load),
        lambda: Digest(load, realm="r", store=STORE),
        lambda: Bearer(load, throttle=Throttle(RedisStore("rediss://cache.example.com/0"))),
        lambda: Bearer(load, throttle=Throttle(RedisStore("redis://127.0.0.1:1/0"))),
        lambda: Bearer(load, throttle=Throttle(RedisStore("redis://localhost:1/0"))),
        lambda: Bearer(load, throttle=Throttle(RedisStore("redis://[::1]:1/0"))),
        lambda: Bearer(load, throttle=Throttle(RedisStore("unix:///run/redis.sock"))),
    ],
)
def test_the_safe_set_up_warns_of_nothing(scheme, caplog):
    check(app_of(scheme()))
    assert not caplog.records


@pytest.mark.parametrize("switch", ["UNAUTHORIZED_EXPLAIN=True", "Bearer(query=True)", "JWT(allow_eternal=True)"])
def test_the_tests_of_an_app_are_told_of_no_switch(switch, caplog):
    build, config, words = SWITCHES[switch]
    check(app_of(build(), testing=True, **config))
    assert words not in caplog.text


def test_explanations_in_debug_mode_are_what_debug_mode_is_for(caplog):
    check(app_of(Bearer(load), debug=True, UNAUTHORIZED_EXPLAIN=True))
    assert not caplog.records


def test_the_password_of_the_redis_server_is_not_logged(caplog):
    check(app_of(Bearer(load, throttle=Throttle(RedisStore("redis://user:pass-of-redis@cache.example.com/0")))))
    assert "cache.example.com" in caplog.text
    assert "pass-of-redis" not in caplog.text


def test_a_client_of_your_own_is_judged_by_its_connections(caplog):
    check(app_of(Bearer(load, throttle=Throttle(RedisStore(redis.Redis("cache.example.com"))))))
    check(app_of(Bearer(load, throttle=Throttle(RedisStore(redis.Redis("cache2.example.com", ssl=True))))))
    assert "'cache.example.com' has no TLS" in caplog.text
    assert "cache2" not in caplog.text


def test_the_page_lists_these_switches_and_no_others():
    rows = re.findall(r"^\| `([^|]+)`([^|`]*) \|", listed(), re.MULTILINE)
    assert {name + rest for name, rest in rows} == {*SWITCHES, *LATER}


# Arguments that sound like a switch and don't weaken the app.
NOT_WEAKENING = {
    "allow_http_loopback": "no other machine can answer",
    "empty_password": "the loader decides about it",
}


def test_each_argument_that_sounds_like_a_switch_is_listed():
    found = {
        f"{owner.__name__}({name}="
        for module in walk_packages(flask_unauthorized.__path__, "flask_unauthorized.")
        for owner in vars(import_module(module.name)).values()
        if (inspect.isclass(owner) or inspect.isfunction(owner)) and owner.__module__.startswith("flask_unauthorized.")
        if not owner.__name__.startswith("_")
        for name in parameters(owner)
        if name.startswith("allow_")
        or name in ("legacy", "insecure", "verify")
        or name.endswith(("_short", "_eternal"))
        if name not in NOT_WEAKENING
    }
    text = listed()
    # ClaimRules are the rules that a JWT has made of its arguments, and check_limits checks these.
    # `python -m flask_unauthorized.lint --insecure` looks at a server, and weakens no app.
    internal = {"ClaimRules(allow_eternal=", "check_limits(allow_eternal=", "Client(verify="}
    assert {name for name in found if name not in text} == internal


def parameters(owner):
    try:
        return inspect.signature(owner).parameters
    except (TypeError, ValueError):
        return ()
