"""What sits exactly on a limit of a session, and whose subject it is."""

import time

import pytest

from flask_unauthorized import Auth, SessionCookie
from tests.browser.conftest import KEY, PAGE


@pytest.mark.parametrize(("options", "seconds"), [({"idle": 600}, 600), ({"idle": None, "lifetime": 900}, 900)])
def test_a_session_lives_to_its_last_second(build, monkeypatch, options, seconds):
    begun = int(time.time())
    for after, status in ((seconds, 200), (seconds + 1, 401)):
        monkeypatch.setattr(time, "time", lambda: begun)
        shop = build(**options)
        shop.client.post("/login")
        monkeypatch.setattr(time, "time", lambda after=after: begun + after)
        assert shop.client.get("/page").status_code == status


@pytest.mark.parametrize("page", ["http://localhost:3000/login", "https://id.example/login"])
def test_a_login_page_elsewhere(build, page):
    response = build(login_view=page).client.get("/page", headers=PAGE)
    assert response.status_code == 302
    assert response.headers["Location"] == f"{page}?next=%2Fpage"


def test_the_subject_of_a_user_object_is_made_by_the_function_given(make_app):
    class User:
        def __init__(self, number):
            self.number = number

        def get_id(self):
            return "not this"

    users = {"7": User(7)}
    auth = Auth(SessionCookie(users.get, subject=lambda user: str(user.number)))
    app = make_app(auth, SECRET_KEY=KEY)
    app.add_url_rule("/login", "login", lambda: auth.login(users["7"]).subject, methods=["POST"])
    app.add_url_rule("/", "page", auth.login_required(lambda: str(auth.user.number)))
    client = app.test_client()
    assert client.post("/login").text == "7"
    assert client.get("/").text == "7"
