"""The endpoint at which an OpenID provider ends logins (OpenID Connect Back-Channel Logout 1.0 §2.5 to §2.8)."""

import io
import json
import logging
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import abort

from flask_unauthorized import Auth, Bearer, ConfigurationError, SessionCookie
from flask_unauthorized.jose import public_key_pem
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.stores.sqlite import SQLiteStore
from tests.helpers import SECRET_KEY
from tests.jose.signing import header, jwk, pem, private, signed
from tests.loaders.test_logout_tokens import CLIENT, ISSUER, logout_claims, logout_token

PATH = "/backchannel-logout"
KEYS = public_key_pem(pem("ES256"), kid="k1")
OTHER = "https://other.example"
BROWSER = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://evil.example"}


def site(make_app, store=None, *, config=None, **options):
    """An app whose users log in at two providers, and a function that logs somebody in."""
    auth = Auth(SessionCookie({"ada": "Ada", "bob": "Bob", "7": "Seven"}.get, store=store or MemoryStore()))
    app = make_app(auth, SECRET_KEY=SECRET_KEY, UNAUTHORIZED_REALM="notes", **(config or {}))
    auth.protect(app)
    auth.backchannel_logout(PATH, **{"issuer": ISSUER, "audience": CLIENT, "keys": KEYS, **options})
    auth.backchannel_logout("/other-provider", issuer=OTHER, audience=CLIENT, keys=KEYS)

    @app.get("/")
    def me():
        return auth.identity.subject

    demanded = {}

    @app.post("/login")
    @auth.public
    def login():
        auth.login(demanded.pop("subject"), **demanded)
        return ""

    def log_in(subject="ada", **options):
        client = app.test_client()
        demanded.clear()
        demanded.update(options, subject=subject)
        assert client.post("/login").status_code == 200
        return client

    return app, log_in


def post(app, token=None, path=PATH, **changes):
    """What a provider sends (§2.5)."""
    data = {} if token is None else {"logout_token": token}
    return app.test_client().post(path, **{"data": data, **changes})


def is_in(client):
    return client.get("/").status_code == 200


def of_session(sid="s1", **changes):
    return logout_token(sid=sid, sub=..., jti=f"{time.monotonic_ns()}", **changes)


# --- what ends


@pytest.mark.asvs("V7.6.1")
def test_a_logout_at_the_provider_ends_the_session_here(make_app):
    app, log_in = site(make_app)
    ada, elsewhere, local = log_in(sid="s1", issuer=ISSUER), log_in(sid="s2", issuer=ISSUER), log_in()
    answer = post(app, of_session("s1"))
    assert (answer.status_code, answer.data, answer.headers["Cache-Control"]) == (200, b"", "no-store")
    assert [is_in(client) for client in (ada, elsewhere, local)] == [False, True, True]


def test_sub_alone_ends_all_sessions_that_the_provider_began(make_app):
    app, log_in = site(make_app)
    ended = [log_in(sid="s1", issuer=ISSUER), log_in(issuer=ISSUER)]
    others = [log_in(), log_in(sid="s1", issuer=OTHER), log_in("bob", sid="s9", issuer=ISSUER)]
    assert post(app, logout_token(sub="ada", sid=...)).status_code == 200
    assert [is_in(client) for client in ended] == [False, False]
    assert [is_in(client) for client in others] == [True, True, True]


def test_a_provider_ends_no_login_of_another_one(make_app):
    """Two providers may have a session of one name, and a user of one name."""
    app, log_in = site(make_app)
    client = log_in(sid="s1", issuer=OTHER)
    assert post(app, of_session("s1")).status_code == 200
    assert post(app, logout_token(sub="ada", sid=...)).status_code == 200
    assert is_in(client)
    assert post(app, of_session("s1", iss=OTHER), path="/other-provider").status_code == 200
    assert not is_in(client)


def test_who_is_logged_out_already_is_a_success(make_app):
    """§2.7: "the logout is considered to have succeeded"."""
    app, _ = site(make_app)
    assert post(app, of_session("nobody's")).status_code == 200


def test_the_sub_beside_a_sid_need_not_be_the_apps_subject(make_app):
    app, log_in = site(make_app)
    client = log_in("7", sid="s1", issuer=ISSUER)
    assert post(app, logout_token(sub="248289761001", sid="s1")).status_code == 200
    assert not is_in(client)


def test_subject_maps_the_providers_name_of_a_user(make_app):
    async def of_sub(sub):
        return {"248289761001": "7"}.get(sub)

    app, log_in = site(make_app, subject=of_sub)
    client, bob = log_in("7", sid="s1", issuer=ISSUER), log_in("bob", sid="s2", issuer=ISSUER)
    assert post(app, logout_token(sub="unknown", sid=..., jti="1")).status_code == 200
    assert post(app, logout_token(sub="248289761001", sid="s2", jti="2")).status_code == 200  # not bob's name there
    assert is_in(client)
    assert is_in(bob)
    assert post(app, logout_token(sub="248289761001", sid=..., jti="3")).status_code == 200
    assert not is_in(client)
    assert is_in(bob)


@pytest.mark.parametrize("returned", ["", 7, True, b"7"])
def test_a_subject_that_is_none_is_the_developers_mistake(make_app, returned):
    app, log_in = site(make_app, subject=lambda sub: returned)
    client, token = log_in("7", sid="s1", issuer=ISSUER), logout_token(sid="s1")
    with pytest.raises(TypeError, match=r"subject= of backchannel_logout\(\) returned"):
        post(app, token)
    assert is_in(client)


# --- what is refused


def assert_refused(answer, status=400):
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["error"] == ("invalid_request" if status != 503 else "temporarily_unavailable")  # RFC 6749 §5.2
    assert not {"Set-Cookie", "WWW-Authenticate", "Location"}.intersection(answer.headers.keys())


BAD = {
    "another audience": lambda: logout_token(aud="other-app", sub="ada", sid="s1"),
    "another issuer": lambda: of_session(iss=OTHER),
    "an ID token": lambda: signed(header(typ="JWT"), logout_claims(events=..., nonce="n", sub="ada", sid="s1")),
    "with a nonce": lambda: of_session(nonce="n"),
    "expired": lambda: of_session(now=int(time.time()) - 500),
    "from the future": lambda: of_session(now=int(time.time()) + 500),
    "signed by another": lambda: signed(header(typ="logout+jwt"), logout_claims(), key=private("ES256", 1)),
    "empty": lambda: "",
    "no token": lambda: "x.y.z",
    "not of ASCII": lambda: "\u00fc.\u00fc.\u00fc",
    "encrypted": lambda: "a.b.c.d.e",
}


@pytest.mark.asvs("V10.5.5")
@pytest.mark.parametrize("made", BAD.values(), ids=BAD)
def test_a_token_that_is_not_valid(make_app, made, caplog):
    caplog.set_level(logging.INFO, "flask_unauthorized")
    app, log_in = site(make_app)
    client = log_in(sid="s1", issuer=ISSUER)
    first, second = post(app, made()), post(app, made())
    for answer in (first, second):
        assert_refused(answer)
        assert answer.json["error_description"] == "The logout token is missing or not valid."
    assert is_in(client)
    told = [record for record in caplog.records if "refused a logout" in record.message]
    assert [record.levelname for record in told] == ["WARNING", "INFO"]


def encoded(token, *more):
    return "&".join((f"logout_token={token}", *more))


FORM = "application/x-www-form-urlencoded"
SHAPES = {
    "two parameters": lambda token: {"data": encoded(token, f"logout_token={token}"), "content_type": FORM},
    "an empty one beside it": lambda token: {"data": encoded(token, "logout_token="), "content_type": FORM},
    "JSON": lambda token: {"data": json.dumps({"logout_token": token}), "content_type": "application/json"},
    "a form with files": lambda token: {"data": {"logout_token": token}, "content_type": "multipart/form-data"},
    "no content type": lambda token: {"data": encoded(token), "content_type": ""},
    "in the query": lambda token: {"data": "", "content_type": FORM, "query_string": {"logout_token": token}},
    "in the query and a field": lambda token: {"headers": {"Authorization": f"Bearer {token}"}, "data": {}},
    "1 MB": lambda token: {"data": encoded(token, "x=" + "y" * 2**20), "content_type": FORM},
    "a token of 1 MB": lambda token: {"data": encoded(token + "A" * 2**20), "content_type": FORM},
    "many parameters": lambda token: {"data": encoded(token, *["x=1"] * 50), "content_type": FORM},
    "octets": lambda token: {"data": b"\xff\xfe" + token.encode(), "content_type": FORM},
    "percent signs that are no text": lambda token: {"data": encoded(token, "x=%ff%fe"), "content_type": FORM},
    "shorter than it says": lambda token: {
        "input_stream": io.BytesIO(encoded(token).encode()),
        "content_type": FORM,
        "environ_overrides": {"CONTENT_LENGTH": "10000"},
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_request_that_is_no_logout_request(make_app, shape):
    """§2.8: "If the logout request was invalid or the logout failed, the RP MUST respond with HTTP 400"."""
    app, log_in = site(make_app)
    client = log_in(sid="s1", issuer=ISSUER)
    assert_refused(app.test_client().post(PATH, **shape(of_session())))
    assert is_in(client)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods(make_app, method):
    app, log_in = site(make_app)
    client, token = log_in(sid="s1", issuer=ISSUER), of_session()
    answer = app.test_client().open(PATH, method=method, query_string={"logout_token": token}, content_type=FORM)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert answer.headers["Cache-Control"] == "no-store"
    assert (answer.data == b"") == (method == "HEAD")
    assert is_in(client)


def test_other_parameters_and_a_charset_are_ignored(make_app):
    """§2.5: values that are not understood MUST be ignored."""
    app, log_in = site(make_app)
    client = log_in(sid="s1", issuer=ISSUER)
    body = encoded(of_session(), "state=1", "x=")
    assert app.test_client().post(PATH, data=body, content_type=f"{FORM}; charset=UTF-8").status_code == 200
    assert not is_in(client)


def test_a_debugging_body_names_the_reason(make_app):
    app, _ = site(make_app, config={"UNAUTHORIZED_EXPLAIN": True})
    answer = post(app, logout_token(aud='"other"\\'))
    assert_refused(answer)
    described = answer.json["error_description"]
    assert described.startswith("aud is ")
    assert not set(described) & set('"\\')  # RFC 6749 §5.2


# --- once


@pytest.mark.asvs("V10.5.5")
def test_a_token_counts_once(make_app):
    app, log_in = site(make_app)
    token = logout_token(sub="ada", sid=...)
    assert post(app, token).status_code == 200
    again = log_in(issuer=ISSUER)
    assert_refused(post(app, token))
    assert is_in(again)  # a captured token ends no later login


def test_one_jti_of_two_providers_are_two_tokens(make_app):
    app, _ = site(make_app)
    assert post(app, logout_token(jti="1")).status_code == 200
    assert post(app, logout_token(jti="1", iss=OTHER), path="/other-provider").status_code == 200


def test_a_token_at_the_same_time_counts_once(make_app, tmp_path):
    store = SQLiteStore(tmp_path / "store.db")
    app, log_in = site(make_app, store)
    client, token = log_in(sid="s1", issuer=ISSUER), of_session()
    post(app)  # the set-up is over
    gate = threading.Barrier(20)

    def send(_):
        gate.wait(20)
        return post(app, token).status_code

    with ThreadPoolExecutor(20) as pool:
        statuses = sorted(pool.map(send, range(20)))
    assert statuses == [200] + [400] * 19
    assert not is_in(client)
    store.close()


def test_a_used_token_is_known_until_it_cannot_be_accepted(make_app, monkeypatch):
    """The entry lives as long as the token and the leeway, not as long as the ``exp`` alone."""
    lifetimes = []

    class Recording(MemoryStore):
        def _replace(self, key, old, new, lifetime):
            if ":logout-token:" in key:
                lifetimes.append(lifetime)
            return super()._replace(key, old, new, lifetime)

    app, _ = site(make_app, Recording())
    assert post(app, logout_token(exp=int(time.time()) + 1000)).status_code == 200
    assert 1000 + 60 - 5 < lifetimes[0] <= 1000 + 60


# --- what fails on the server's side


class Failing(MemoryStore):
    """A store that can be switched off, for some kinds of entries."""

    unavailable_errors = (ConnectionError,)
    fails_on = "nothing"

    def _get(self, key):
        self._check(key)
        return super()._get(key)

    def _replace(self, key, old, new, lifetime):
        self._check(key)
        return super()._replace(key, old, new, lifetime)

    def _put(self, key, value, lifetime):
        self._check(key)
        return super()._put(key, value, lifetime)

    def _check(self, key):
        if f":{self.fails_on}" in key:
            raise ConnectionError("redis://:s3cret@host")


@pytest.mark.parametrize("purpose", ["logout-token:", "session", "provider-session:"])
def test_a_store_that_is_down_is_a_503_and_the_provider_may_try_again(make_app, purpose, caplog):
    """Promise 3. Nothing was recorded that would refuse the second try."""
    store = Failing()
    app, log_in = site(make_app, store)
    client, token = log_in(sid="s1", issuer=ISSUER), of_session()
    store.fails_on = purpose
    answer = post(app, token)
    assert_refused(answer, 503)
    assert int(answer.headers["Retry-After"]) > 0
    store.fails_on = "nothing"
    assert "s3cret" not in caplog.text
    assert post(app, token).status_code == 200
    assert not is_in(client)


def test_a_store_that_fails_when_the_token_is_recorded(make_app):
    store = Failing()
    app, log_in = site(make_app, store)
    client, token = log_in(sid="s1", issuer=ISSUER), of_session()

    original = store._replace

    def fails(key, old, new, lifetime):
        if ":logout-token:" in key:
            raise ConnectionError
        return original(key, old, new, lifetime)

    store._replace = fails
    assert_refused(post(app, token), 503)
    assert not is_in(client)
    store._replace = original
    assert post(app, token).status_code == 200


def test_a_key_server_that_is_down_is_a_503(make_app):
    down = True

    def fetch(url):
        if down:
            raise ConnectionError
        return json.dumps({"keys": [jwk("ES256", kid="k1")]}).encode()

    app, log_in = site(make_app, keys=JWKS("https://id.example.com/keys", fetch=fetch))
    client, token = log_in(sid="s1", issuer=ISSUER), of_session()
    assert_refused(post(app, token), 503)
    assert is_in(client)


def test_what_subject_raises_follows_unavailable(make_app):
    def look_up(sub):
        raise LookupError if sub == "bug" else TimeoutError

    auth = Auth(SessionCookie(str, store=MemoryStore()), unavailable=[TimeoutError])
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    auth.backchannel_logout(PATH, issuer=ISSUER, audience=CLIENT, keys=KEYS, subject=look_up)
    assert_refused(post(app, logout_token()), 503)
    with pytest.raises(LookupError):
        post(app, logout_token(sub="bug"))


# --- around it


def test_hooks_that_demand_something_do_not_stop_the_provider(make_app):
    app, log_in = site(make_app)
    is_closed = False

    @app.before_request
    def maintenance():
        if is_closed:
            abort(400)

    client = log_in(sid="s1", issuer=ISSUER)
    is_closed = True
    assert client.get("/").status_code == 400
    assert post(app, of_session(), headers=BROWSER).status_code == 200
    is_closed = False
    assert not is_in(client)


def test_csrf_protect_of_flask_wtf_before_it(make_app):
    csrf = pytest.importorskip("flask_wtf.csrf")
    app, log_in = site(make_app)
    csrf.CSRFProtect(app).exempt(app.view_functions["login"])

    app.post("/form")(lambda: "sent")
    client = log_in(sid="s1", issuer=ISSUER)
    assert client.post("/form").status_code == 400  # it is there
    assert post(app, of_session()).status_code == 200
    assert not is_in(client)


def test_a_caller_with_a_session_is_no_provider(make_app):
    _, log_in = site(make_app)
    client = log_in(sid="s1", issuer=ISSUER)
    assert_refused(client.post(PATH, data={}))
    assert_refused(client.post(PATH, data={"logout_token": "x"}, headers=BROWSER))
    assert is_in(client)


def test_it_works_below_a_prefix_and_in_each_app_of_the_auth(make_app):
    auth = Auth(SessionCookie(str, store=MemoryStore()))
    early = make_app(auth, SECRET_KEY=SECRET_KEY, UNAUTHORIZED_REALM="early")
    auth.backchannel_logout(PATH, issuer=ISSUER, audience=CLIENT, keys=KEYS)
    late = make_app(auth, SECRET_KEY=SECRET_KEY, UNAUTHORIZED_REALM="late")
    token = logout_token()
    for app in (early, late):  # Each has its own users, so one token counts once in each.
        answer = app.test_client().post(PATH, base_url="http://localhost/mounted", data={"logout_token": token})
        assert answer.status_code == 200
    assert post(early, token).status_code == 400


# --- the set-up


def make_auth(store=None):
    return Auth(SessionCookie(str, store=MemoryStore() if store is None else store))


class Own(MemoryStore):
    """A store of a user, from before `replace`."""

    _replace = Store._replace


@pytest.mark.parametrize(
    ("auth", "changes", "message"),
    [
        (lambda: Auth(SessionCookie(str)), {}, "the SessionCookie has no store"),
        (lambda: make_auth(Own()), {}, "the SessionCookie has a Own without replace"),
        (lambda: Auth(Bearer(str)), {}, "has 0 SessionCookie schemes"),
        (make_auth, {"path": "logout"}, "a fixed path without variables"),
        (make_auth, {"path": "/<x>"}, "a fixed path without variables"),
        (make_auth, {"audience": None}, "audience=None"),
        (make_auth, {"issuer": ""}, "issuer must be the exact text"),
        (make_auth, {"keys": None, "issuer": "http://id.example"}, "must begin with https://"),
        (make_auth, {"subject": "sub"}, "subject must be callable"),
    ],
)
def test_what_cannot_work(auth, changes, message):
    given = {"path": PATH, "issuer": ISSUER, "audience": CLIENT, "keys": KEYS, **changes}
    with pytest.raises(ConfigurationError, match=message):
        auth().backchannel_logout(given.pop("path"), **given)


def test_a_path_of_another_type():
    with pytest.raises(TypeError, match='backchannel_logout\\("/backchannel-logout", issuer=…\\)'):
        make_auth().backchannel_logout(7, issuer=ISSUER, audience=CLIENT, keys=KEYS)


def test_twice_for_one_path(make_app):
    auth = make_auth()
    auth.backchannel_logout(PATH, issuer=ISSUER, audience=CLIENT, keys=KEYS)
    with pytest.raises(ConfigurationError, match="was called twice"):
        auth.backchannel_logout(PATH, issuer=OTHER, audience=CLIENT, keys=KEYS)


def test_after_the_first_request(make_app):
    auth = make_auth()
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    app.test_client().get("/")
    with pytest.raises(ConfigurationError, match="has served a request"):
        auth.backchannel_logout(PATH, issuer=ISSUER, audience=CLIENT, keys=KEYS)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_route_of_the_app_at_the_same_path(make_app, is_first):
    auth = make_auth()
    app = make_app(auth, SECRET_KEY=SECRET_KEY)
    steps = [
        lambda: auth.backchannel_logout(PATH, issuer=ISSUER, audience=CLIENT, keys=KEYS),
        lambda: app.add_url_rule(PATH, view_func=auth.public(lambda: "mine"), endpoint="mine"),
    ]
    for step in steps if is_first else reversed(steps):
        step()
    with pytest.raises(ConfigurationError, match="has a route for '/backchannel-logout' already"):
        auth.check(app)


def test_apps_without_it_load_nothing_of_it():
    program = (
        "import sys; from flask import Flask; from flask_unauthorized import *\n"
        "from flask_unauthorized.stores.memory import MemoryStore\n"
        "app = Flask('x'); app.secret_key = 'k'; auth = Auth(SessionCookie(str, store=MemoryStore()), app=app)\n"
        "app.test_client().get('/')\n"
        "print([name for name in sys.modules if 'logout' in name or name.endswith('loaders.jwt')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
