"""Verifying credentials."""

import base64
import traceback

import pytest

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity, InvalidCredentials
from flask_unauthorized.loaders import Passwords, SignedTokens


def _locals_of(error: BaseException) -> str:
    frames = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True)
    ours = [frame for frame in frames if "flask_unauthorized" in frame.filename]
    return "".join(str(frame.locals) for frame in ours)


def _down(name: str) -> str:
    raise KeyError("database")


@pytest.mark.asvs("V13.3.1")
def test_lek_05_no_secret_in_the_locals_of_our_frames(make_app):
    signed = SignedTokens("s", 60, load=_down)
    auth = Auth(Bearer(signed), Basic(Passwords(_down)))
    app = make_app(auth, SECRET_KEY="x" * 32)
    app.add_url_rule("/", "index", auth.login_required(lambda: "x"))
    with app.app_context():
        token = signed.issue("ada")
    canary = base64.b64encode(b"ada:canary-password").decode()
    for credentials, secret in ((f"Bearer {token}", token), (f"Basic {canary}", "canary-password")):
        with pytest.raises(KeyError) as caught:
            app.test_client().get("/", headers={"Authorization": credentials})
        assert secret not in _locals_of(caught.value)


def test_a_rejection_by_one_scheme_leaves_the_result_of_another(make_app):
    asked = []
    tokens = Bearer(lambda token: asked.append(token) or Identity("ada", scopes={"read"}))
    keys = APIKey(lambda key: asked.append(key))
    auth = Auth(tokens, keys)

    @auth.public
    def view():
        assert auth.require(via=tokens).subject == "ada"
        with pytest.raises(InvalidCredentials):
            auth.require(via=keys)
        return auth.require(via=tokens, scopes={"read"}).subject

    app = make_app(auth)
    app.add_url_rule("/", "view", view)
    response = app.test_client().get("/", headers={"Authorization": "Bearer token", "X-Api-Key": "key"})
    assert (response.text, asked) == ("ada", ["token", "key"])
