"""What the log says of an exception of the app's code that the extension catches for good: its text and where it arose.

Flask never sees such an exception, so no other line of the log tells the developer about it.
"""

import logging

import pytest

from flask_unauthorized import Auth, Bearer, MissingCredentials, SessionCookie, signals

GUARDED = {
    "receiver": "a receiver of the signal unauthorized-refused failed",
    "renderer": "the renderer for application/json failed; the built-in response is sent",
    "lazy text": "a lazily translated text (Broken) could not be rendered",
}


class Mistake(Exception):
    pass


def broken(*args, **arguments):
    raise Mistake("a mistake of the app")


class Broken:
    __str__ = __len__ = __mod__ = broken


def mistakes(caplog):
    """Return the lines that have an exception, with its type, its text, and the function that raised it."""
    found = []
    for record in caplog.records:
        if record.exc_info:
            kind, error, trace = record.exc_info
            while trace.tb_next:
                trace = trace.tb_next
            found.append((record.getMessage(), kind, str(error), trace.tb_frame.f_code.co_name))
    return found


@pytest.mark.parametrize("place", GUARDED)
def test_the_refusal_stands_and_the_log_has_the_traceback(make_app, caplog, place):
    auth = Auth(Bearer(lambda token: None))
    app = make_app(auth)

    def view():
        raise MissingCredentials(Broken() if place == "lazy text" else None)

    app.add_url_rule("/", "view", auth.public(view))
    if place == "renderer":
        auth.renderer("application/json")(broken)
    with caplog.at_level(logging.ERROR, "flask_unauthorized"):
        if place == "receiver":
            with signals.refused.connected_to(broken):
                response = app.test_client().get("/")
        else:
            response = app.test_client().get("/")
    assert response.status_code == 401
    assert response.json == {
        "error": "Unauthorized", "message": "Authentication is required to access this resource.",
    }  # fmt: skip
    found = [line for line in mistakes(caplog) if line[0] == GUARDED[place]]
    assert found
    assert set(found) == {(GUARDED[place], Mistake, "a mistake of the app", "broken")}


def test_a_logout_stands_and_the_log_has_the_traceback_of_the_loader(make_app, caplog):
    users = {"ada": "ada"}.get
    auth = Auth(SessionCookie(lambda name: users(name)))
    app = make_app(auth, SECRET_KEY="x" * 32)
    app.add_url_rule("/login", "login", auth.public(lambda: auth.login("ada").subject), methods=["POST"])
    app.add_url_rule("/logout", "logout", auth.public(lambda: str(auth.logout())), methods=["POST"])
    client = app.test_client()
    client.post("/login")
    users = broken
    with caplog.at_level(logging.ERROR, "flask_unauthorized"), signals.logged_out.connected_to(lambda app, **_: None):
        assert client.post("/logout").status_code == 200
    assert mistakes(caplog) == [
        ("the signal logged_out names no user, because the loader failed", Mistake, "a mistake of the app", "broken")
    ]
