"""The fixture that searches every test's logs, signals and answers for secrets finds planted leaks.  # T-01"""

import logging

import pytest
from flask import Flask, make_response, request, session

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Digest, DPoP, Identity, InvalidCredentials, SessionCookie
from flask_unauthorized.stores.memory import MemoryStore

from .canaries import register, watching
from .digest_client import ADA, challenge, sent
from .dpop_client import ORIGIN, Holder
from .jose.signing import token as signed_token

log = logging.getLogger("flask_unauthorized")
PASSWORD = "pa$$word of ada"
KEY = "key-4711-0815"


def app_with(*schemes, view=lambda: "in", **demands):
    auth = Auth(*schemes)
    app = Flask("leaky")
    app.config.update(SECRET_KEY="a secret key of this test", TESTING=True)
    auth.init_app(app)
    app.add_url_rule("/", "view", auth.login_required(**demands)(view))
    return auth, app.test_client()


def leak(*secrets):
    """A loader that logs what it is given."""
    log.info("asked for %s", secrets)
    return Identity("ada")


def name_with_password():
    app_with(Basic(lambda name, password: log.debug(f"{name}:{password}") or name))[1].get("/", auth=("ada", PASSWORD))


def jwt_at_info():
    app_with(Bearer(leak))[1].get("/", headers={"Authorization": f"Bearer {signed_token()}"})


def signature_of_a_jwt():
    client = app_with(Bearer(lambda token: log.info("signed %s", token.split(".")[2]) or "ada"))[1]
    client.get("/", headers={"Authorization": f"Bearer {signed_token()}"})


def jwt_without_a_request():
    log.info("made %s", signed_token())


def api_key():
    app_with(APIKey(leak))[1].get("/", headers={"X-API-Key": KEY})


def token_in_the_query():
    app_with(Bearer(leak, query=True))[1].get(f"/?access_token={KEY}")


def session_content():
    auth, client = app_with(SessionCookie(lambda subject: subject))
    client.application.add_url_rule("/in", "enter", lambda: (auth.login("ada"), log.info("%r", dict(session)))[1] or "")
    client.get("/in")


def session_value():
    _, client = app_with(SessionCookie(lambda subject: subject, store=MemoryStore()))
    client.application.add_url_rule("/in", "enter", lambda: session.update(note="medical secret") or "medical secret")
    client.get("/in")


def session_cookie():
    auth, client = app_with(SessionCookie(lambda subject: log.info(request.headers.get("Cookie", "")) or subject))
    client.application.add_url_rule("/in", "enter", lambda: str(auth.login("ada").subject))
    client.get("/in")
    client.get("/")


def dpop_proof():
    holder = Holder()

    def load(token):
        log.debug("proof %s", request.headers["DPoP"])
        return Identity("ada", confirmation={"jkt": holder.jkt})

    app_with(DPoP(load, origin=ORIGIN))[1].get("/", headers=holder.sent())


def digest(told):
    client = app_with(Digest(lambda name: told() or ADA))[1]
    line = client.get("/").headers["WWW-Authenticate"]
    client.get("/", headers=sent(challenge(line)))


def digest_field():
    digest(lambda: log.info("%s", request.headers["Authorization"]))


def digest_response():
    digest(lambda: log.info("%s", request.authorization.parameters["response"]))


def digest_password():
    digest(lambda: log.info("the password is %s", ADA))


def traceback():
    def load(token):
        try:
            raise ValueError(f"no such token: {token}")
        except ValueError:
            log.exception("it failed")

    app_with(Bearer(load))[1].get("/", headers={"Authorization": f"Bearer {KEY}"})


def traceback_of_the_app():
    def view():
        raise ValueError(request.headers["X-API-Key"])

    client = app_with(APIKey(lambda key: "ada"), view=view)[1]
    client.application.config.update(TESTING=False, PROPAGATE_EXCEPTIONS=False)
    client.get("/", headers={"X-API-Key": KEY})


def extra_of_a_record():
    app_with(APIKey(lambda key: log.debug("x", extra={"key": key}) or "ada"))[1].get("/", headers={"X-API-Key": KEY})


def reason_in_the_signal():
    def load(key):
        raise InvalidCredentials(reason=f"unknown: {key}")

    logging.disable()
    try:
        app_with(APIKey(load))[1].get("/", headers={"X-API-Key": KEY})
    finally:
        logging.disable(logging.NOTSET)


def body():
    app_with(APIKey(lambda key: "ada"), view=lambda: request.headers["X-API-Key"])[1].get(
        "/", headers={"X-API-Key": KEY}
    )


def streamed_body():
    view = lambda: iter(["your key: ", request.headers["X-API-Key"][:5], request.headers["X-API-Key"][5:]])  # noqa: E731
    assert app_with(APIKey(lambda key: "ada"), view=view)[1].get("/", headers={"X-API-Key": KEY}).text.endswith(KEY)


def header():
    view = lambda: make_response("", 200, {"X-Seen": request.headers["X-API-Key"]})  # noqa: E731
    app_with(APIKey(lambda key: "ada"), view=view)[1].get("/", headers={"X-API-Key": KEY})


def password_in_a_cookie():
    view = lambda: make_response("", 200, {"Set-Cookie": f"p={request.headers['X-API-Key']}"})  # noqa: E731
    app_with(APIKey(lambda key: "ada"), view=view)[1].get("/", headers={"X-API-Key": KEY})


def secret_key():
    app_with(APIKey(lambda key: log.info("%s", request) or "ada"), view=lambda: "a secret key of this test")[1].get(
        "/", headers={"X-API-Key": "any"}
    )


@pytest.mark.parametrize(
    "plant",
    [
        name_with_password, jwt_at_info, signature_of_a_jwt, jwt_without_a_request, api_key, token_in_the_query,
        session_content, session_value, session_cookie, dpop_proof, digest_field, digest_response, digest_password,
        traceback, traceback_of_the_app, extra_of_a_record, reason_in_the_signal, body, streamed_body, header,
        password_in_a_cookie, secret_key,
    ],
    ids=lambda plant: plant.__name__,
)  # fmt: skip
@pytest.mark.rfc("S-03")
def test_a_planted_leak_is_found(plant):
    with watching() as watched:
        plant()
    assert watched.leaks


def test_what_is_not_told_is_no_leak():
    with watching() as watched:
        auth, client = app_with(
            SessionCookie(lambda subject: subject), Basic(lambda name, password: password == PASSWORD)
        )
        client.application.add_url_rule("/in", "enter", lambda: str(auth.login("ada").subject))
        client.get("/in")
        assert client.get("/").status_code == 200
        assert client.get("/", auth=("ada", "wrong password")).status_code == 401
    assert not watched.leaks
    assert watched.secrets


def test_records_reach_other_handlers_by_their_level_only(caplog):
    register("a secret that nobody tells")
    log.debug("too detailed for the level of the root logger")
    assert not caplog.records
    log.warning("told")
    assert [record.getMessage() for record in caplog.records] == ["told"]
