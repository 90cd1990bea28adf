"""`SHA256Sessions`: the signature of Flask's session. The cookies here are signed and read by itsdangerous alone."""

import hashlib
import json
from importlib.metadata import version

import pytest
from flask import Flask, session
from itsdangerous import BadSignature, URLSafeTimedSerializer

from flask_unauthorized import Auth, SessionCookie, SHA256Sessions
from flask_unauthorized.stores.memory import MemoryStore

KEY = "a secret of thirty-two characters"
OLD_KEY = "the secret of last year, 32 characters"
HAS_FALLBACKS = pytest.mark.skipif(version("flask") < "3.1", reason="SECRET_KEY_FALLBACKS came with Flask 3.1")


def serializer(digest, key=KEY, salt="cookie-session", derivation="hmac"):
    return URLSafeTimedSerializer(
        key, salt=salt, serializer=json, signer_kwargs={"key_derivation": derivation, "digest_method": digest}
    )


def site(interface, **config):
    app = Flask("site")
    app.config.update(SECRET_KEY=KEY, TESTING=True, **config)
    app.session_interface = interface
    auth = Auth(SessionCookie(lambda name: name, store=MemoryStore()), realm="shop")
    auth.init_app(app)
    app.add_url_rule("/login", "login", lambda: auth.login("ada").subject, methods=["POST"])
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    app.add_url_rule("/show", "show", lambda: str(session.get("cart")))
    app.add_url_rule("/set", "set", lambda: session.update(cart="four") or "set")
    return app


def show(app, value):
    client = app.test_client()
    client.set_cookie("session", value)
    return client.get("/show").text


@pytest.mark.asvs("V11.4.1", "V11.4.3")
def test_a_login_is_signed_with_sha256_and_accepted():
    client = site(SHA256Sessions()).test_client()
    client.post("/login")
    value = client.get_cookie("session").value
    assert serializer(hashlib.sha256).loads(value)["_unauthorized"]["sub"] == "ada"
    with pytest.raises(BadSignature):
        serializer(hashlib.sha1).loads(value)
    assert client.get("/page").text == "ada"


def test_an_old_cookie_is_read_and_replaced_when_the_session_changes():
    client = site(SHA256Sessions()).test_client()
    old = serializer(hashlib.sha1).dumps({"cart": "three"})
    client.set_cookie("session", old)
    assert client.get("/show").text == "three"
    assert client.get_cookie("session").value == old
    client.get("/set")
    assert serializer(hashlib.sha256).loads(client.get_cookie("session").value) == {"cart": "four"}


def test_a_login_of_before_stays_valid():
    app = site(None)
    app.session_interface = Flask("other").session_interface
    client = app.test_client()
    client.post("/login")
    app.session_interface = SHA256Sessions()
    assert client.get("/page").text == "ada"
    app.session_interface = SHA256Sessions(read_sha1=False)
    assert client.get("/page").status_code == 401


def test_a_remembered_login_of_before_opens_a_session_with_the_new_signature():
    app = Flask("site")
    app.config.update(SECRET_KEY=KEY, TESTING=True)
    auth = Auth(SessionCookie(lambda name: name, store=MemoryStore(), remember=30 * 86_400), realm="shop", app=app)
    app.add_url_rule("/login", "login", lambda: auth.login("ada", remember=True).subject, methods=["POST"])
    app.add_url_rule("/page", "page", auth.login_required(lambda: auth.identity.subject))
    client = app.test_client()
    client.post("/login")
    client.delete_cookie("session")
    app.session_interface = SHA256Sessions()
    assert client.get("/page").text == "ada"
    value = client.get_cookie("session").value
    assert serializer(hashlib.sha256).loads(value)["_unauthorized"]["sub"] == "ada"


def test_flask_logins_cookie_stays_valid_for_flask_login_and_is_no_login_of_ours():
    flask_login = pytest.importorskip("flask_login")
    app = site(None)
    app.session_interface = Flask("other").session_interface
    manager = flask_login.LoginManager(app)

    @manager.user_loader
    def load(name):
        user = flask_login.UserMixin()
        user.id = name
        return user

    app.add_url_rule("/theirs/login", "their_login", lambda: str(flask_login.login_user(load("bob"), remember=True)))
    app.add_url_rule("/theirs", "theirs", lambda: flask_login.current_user.get_id() or "nobody")
    client = app.test_client()
    client.get("/theirs/login")
    app.session_interface = SHA256Sessions()
    assert client.get("/theirs").text == "bob"
    assert client.get("/page").status_code == 401
    client.delete_cookie("session")  # Flask-Login has a remember cookie of its own.
    assert client.get("/theirs").text == "bob"
    assert client.get("/page").status_code == 401


def test_old_cookies_are_refused_when_they_are_no_longer_read():
    app = site(SHA256Sessions(read_sha1=False))
    assert show(app, serializer(hashlib.sha1).dumps({"cart": "three"})) == "None"
    assert show(app, serializer(hashlib.sha256).dumps({"cart": "three"})) == "three"


def test_an_old_cookie_ends_with_the_lifetime_of_sessions():
    app = site(SHA256Sessions(), PERMANENT_SESSION_LIFETIME=-5)
    assert show(app, serializer(hashlib.sha1).dumps({"cart": "three"})) == "None"
    assert show(app, serializer(hashlib.sha256).dumps({"cart": "three"})) == "None"


def changed(value):
    """The same cookie with another first letter of its MAC."""
    payload, _, mac = value.rpartition(".")
    return f"{payload}.{'B' if mac[0] == 'A' else 'A'}{mac[1:]}"


@pytest.mark.parametrize(
    "forged",
    [
        changed(serializer(hashlib.sha256).dumps({"cart": "three"})),
        changed(serializer(hashlib.sha1).dumps({"cart": "three"})),
        serializer(hashlib.md5).dumps({"cart": "three"}),
        serializer(hashlib.sha512).dumps({"cart": "three"}),
        serializer(hashlib.sha256, key="another").dumps({"cart": "three"}),
        serializer(hashlib.sha1, key="another").dumps({"cart": "three"}),
        serializer(hashlib.sha1, key=OLD_KEY).dumps({"cart": "three"}),
        serializer(hashlib.sha1, salt="another").dumps({"cart": "three"}),
        serializer(hashlib.sha1, derivation="none").dumps({"cart": "three"}),
        serializer(hashlib.sha256, derivation="none").dumps({"cart": "three"}),
        serializer(hashlib.sha256).dumps({"cart": "three"}).rpartition(".")[0],
        serializer(hashlib.sha256).dumps({"cart": "three"}).rpartition(".")[0] + ".",
        "",
        ".",
        "é",
    ],
    ids=[
        "SHA-256 changed", "SHA-1 changed", "MD5", "SHA-512", "SHA-256 of another key", "SHA-1 of another key",
        "SHA-1 of an old key", "another salt", "SHA-1 without derivation", "SHA-256 without derivation", "no MAC",
        "an empty MAC", "empty", "a dot", "not ASCII",
    ],
)  # fmt: skip
def test_a_cookie_with_a_wrong_mac_is_refused(forged):
    assert show(site(SHA256Sessions()), forged) == "None"


@HAS_FALLBACKS
@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha256])
def test_keys_of_before_are_read_and_the_newest_signs(digest):
    app = site(SHA256Sessions(), SECRET_KEY_FALLBACKS=[OLD_KEY])
    assert show(app, serializer(digest, key=OLD_KEY).dumps({"cart": "three"})) == "three"
    client = app.test_client()
    client.get("/set")
    assert serializer(hashlib.sha256).loads(client.get_cookie("session").value) == {"cart": "four"}


def test_flags_of_the_cookie_are_those_of_flask():
    config = {"SESSION_COOKIE_SECURE": True, "SESSION_COOKIE_SAMESITE": "Strict", "SESSION_COOKIE_PATH": "/shop"}
    if version("flask") >= "3.1":
        config["SESSION_COOKIE_PARTITIONED"] = True
    lines = []
    for interface in (SHA256Sessions(), Flask("other").session_interface):
        sent = site(interface, **config).test_client().get("/set").headers["Set-Cookie"]
        lines.append(sent.partition(";")[2])
    assert lines[0] == lines[1]
    assert "Secure" in lines[0]


def test_without_a_secret_key_there_is_no_serializer():
    assert SHA256Sessions().get_signing_serializer(Flask("site")) is None


def test_a_wrong_switch_is_a_mistake():
    with pytest.raises(TypeError, match="read_sha1"):
        SHA256Sessions(read_sha1="no")
