"""The programs of docs/guides/recipes.md do what the page says, but for those that need other extensions."""

import gc
import logging
import re
import sqlite3
from contextlib import closing, contextmanager

import pytest
from flask import Flask

from flask_unauthorized import Identity
from flask_unauthorized.signals import logged_in

from .docs.recipes import GUIDES, HTTPS, run


def test_the_table_names_every_recipe():
    headings = re.findall(r"^## (.*)$", GUIDES["recipes"], re.MULTILINE)
    named = re.findall(r"\[([^]]*)\]\(#", GUIDES["recipes"].partition("\n## ")[0])
    assert [*named, "See also"] == headings


def test_a_record_of_logins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = run("A record of logins")["app"].test_client()
    refused = client.post("/login", data={"name": "ada", "password": "wrong"}, base_url=HTTPS)
    assert (refused.status_code, refused.json["message"]) == (401, "Wrong name or password.")
    right = {"name": "ada", "password": "correct horse"}
    assert client.post("/login", data=right, base_url=HTTPS).json == {"you": "ada"}
    assert client.post("/logout", base_url=HTTPS).status_code == 204
    assert client.post("/logout", base_url=HTTPS).status_code == 204  # no login, so no row
    with closing(sqlite3.connect("audit.db")) as database:
        rows = database.execute("select event, subject, detail, address from audit").fetchall()
    assert rows == [
        ("refused", None, "the login form had a wrong name or password", "127.0.0.1"),
        ("login", "ada", None, "127.0.0.1"),
        ("logout", "ada", None, "127.0.0.1"),
    ]


def test_connect_holds_a_local_receiver_weakly_and_connect_via_holds_it():
    sender, heard = Flask("app"), []

    def connect():
        def weakly(app, **_):
            heard.append("weakly")

        @logged_in.connect_via(sender)
        def strongly(app, **_):
            heard.append("strongly")

        logged_in.connect(weakly, sender)
        return strongly.__code__

    code = connect()
    gc.collect()
    logged_in.send(sender, identity=Identity("ada"), scheme="Cookie")
    assert heard == ["strongly"]
    for receiver in list(logged_in.receivers_for(sender)):
        if getattr(receiver, "__code__", None) is code:
            logged_in.disconnect(receiver, sender)


@contextmanager
def logging_of_a_fresh_process():
    """Take pytest's handlers away, so that the program configures the logging."""
    root = logging.getLogger()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(root, "handlers", [])
        patch.setattr(root, "level", logging.WARNING)
        yield
    root.manager._clear_cache()  # loggers remember which levels they log


@pytest.mark.parametrize(
    ("sent", "bar", "name"),
    [
        (None, '<a href="/notes">Log in</a>', "-"),
        (("ada", "correct horse"), "ada", "ada"),
        (("ada", "wrong"), '<a href="/notes">Log in</a>', "-"),
    ],
)
def test_navigation_bar_and_log(capsys, sent, bar, name):
    with logging_of_a_fresh_process():
        app = run("Navigation bar and log")["app"]
        answer = app.test_client().get("/", auth=sent)
        app.logger.info("outside of a request")
    assert (answer.status_code, answer.text.replace("\n", "")) == (200, f"<nav>{bar}</nav>")
    assert capsys.readouterr().err == f"INFO [{name}] home page\nINFO [-] outside of a request\n"


def test_the_log_of_the_loader_has_no_caller(capsys):
    logged = ("(name, password) ==", 'app.logger.info("checking") or (name, password) ==')
    with logging_of_a_fresh_process():
        run("Navigation bar and log", logged)["app"].test_client().get("/", auth=("ada", "correct horse"))
    assert capsys.readouterr().err == "INFO [-] checking\nINFO [ada] home page\n"
