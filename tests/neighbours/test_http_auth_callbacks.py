"""What callbacks of Flask-HTTPAuth return works here, or is a 500 whose message says what to return."""

import enum
import hashlib
from functools import partial
from typing import NamedTuple

import pytest
from flask import Flask

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest
from tests.canaries import register
from tests.digest_client import challenge, credentials_for, sent

flask_httpauth = pytest.importorskip("flask_httpauth")

SENT = {"Authorization": "Bearer good"}
KEY = {"X-API-Key": "good"}
BASIC = {"Authorization": "Basic YWRhOnB3"}  # ada:pw


class User:
    """A user object, with which a loader may return a user who is false."""

    def __init__(self, size=1):
        self.size = size

    def __len__(self):
        return self.size


class Row(NamedTuple):
    id: int


class Name(str, enum.Enum):
    ADA = "ada"


# What callbacks in Flask-HTTPAuth's tests and docs return, and what a database or a slip adds.
RETURNED = {
    "a name": "ada", "another name": "bob", "True": True, "False": False, "None": None, "an object": User(),
    "a falsy object": User(0), "a row": Row(7), "an enum": Name.ADA, "empty": "", "0": 0, "1": 1, "7": 7, "0.0": 0.0,
    "a dict": {"name": "ada"}, "an empty dict": {}, "a list": [], "a tuple": ("ada", "admin"), "an empty tuple": (),
    "bytes": b"ada",
}  # fmt: skip


def theirs(kind, callback):
    app = Flask("theirs")
    if kind is Basic:
        auth = flask_httpauth.HTTPBasicAuth()
        auth.verify_password(callback)
    else:
        named = {"scheme": "Bearer"} if kind is Bearer else {"scheme": "ApiKey", "header": "X-API-Key"}
        auth = flask_httpauth.HTTPTokenAuth(**named)
        auth.verify_token(callback)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    return app


def ours(kind, callback):
    app = Flask("ours")
    auth = Auth(kind(callback), app=app)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    return app


def is_mistake(kind, returned):
    """Whether it may mean no, or names no caller. Written from the design, not from the code."""
    if isinstance(returned, bool):
        return kind is not Basic
    if isinstance(returned, (int, float)):
        return kind is Basic or returned <= 0
    return returned in ("", {"name": "ada"}, {}, [], ("ada", "admin"), (), b"ada")


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(("kind", "headers"), [(Basic, BASIC), (Bearer, SENT), (APIKey, KEY)])
@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED)
def test_the_same_status_or_a_message(kind, headers, returned, is_async):
    def callback(*given):
        return returned

    async def async_callback(*given):
        return returned

    load = async_callback if is_async else callback
    expected = theirs(kind, load).test_client().get("/", headers=headers).status_code
    get = partial(ours(kind, load).test_client().get, "/", headers=headers)
    if is_mistake(kind, returned):
        with pytest.raises(TypeError, match=rf"the loader of {kind.name} returned .*: .*return .*None for no"):
            get()
    else:
        assert get().status_code == expected


@pytest.mark.parametrize(("returned", "status"), [("good", 200), (None, 401), ("", 401)])
def test_get_password_of_digest(returned, status):
    app = Flask("ours")
    app.secret_key = "a secret of thirty-two characters"
    auth = Auth(Digest(lambda name: returned), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    client = app.test_client()
    told = challenge(client.get("/").headers["WWW-Authenticate"])
    assert client.get("/", headers=sent(told, password="good")).status_code == status


@pytest.mark.parametrize("returned", [True, False, 0, 7, b"good", User(), ["good"]], ids=lambda one: type(one).__name__)
def test_what_cannot_be_a_secret_of_digest_says_what_to_return(returned):
    app = Flask("ours")
    app.secret_key = "a secret of thirty-two characters"
    app.config["PROPAGATE_EXCEPTIONS"] = True
    auth = Auth(Digest(lambda name: returned), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    client = app.test_client()
    told = challenge(client.get("/").headers["WWW-Authenticate"])
    with pytest.raises(TypeError, match=r"returned a .* as the secret: return the password"):
        client.get("/", headers=sent(told, password="good"))


def test_the_stored_hash_of_use_ha1_pw(caplog):
    """Flask-HTTPAuth returns H(A1) as a str. Here that is a password, and the reason of the refusal says so."""
    caplog.set_level("INFO", "flask_unauthorized")
    ha1 = hashlib.md5(b"ada:meters:good").hexdigest()
    register(ha1)
    for returned, status in (({"MD5": ha1}, 200), (ha1, 401)):
        app = Flask("ours")
        app.secret_key = "a secret of thirty-two characters"
        auth = Auth(Digest(lambda name, returned=returned: returned, realm="meters", algorithms=("MD5",)), app=app)
        app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
        client = app.test_client()
        told = challenge(client.get("/").headers["WWW-Authenticate"])
        assert credentials_for(told)["algorithm"] == "MD5"
        assert client.get("/", headers=sent(told, password="good")).status_code == status
    assert "a stored hash was returned as a str" in caplog.messages[-1]
