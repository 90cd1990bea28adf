"""What the clients in these tests talk to: one view per scheme, a git repository, a package index, pages."""

import os

from flask import Flask, send_from_directory

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity

FILES = os.environ.get("CLIENTS_FILES", os.curdir)
bearer = Bearer(lambda token: Identity("ada") if token == "good" else None)
# latin1: requests, and so pip, encode a password of str that way whatever the challenge says.
password = Basic(lambda name, word: name == "ada" and word == "pw wörd", latin1=True)
key = APIKey(lambda given: Identity("device") if given == "good" else None)
auth = Auth(bearer, password, key, realm="clients")
app = Flask(__name__)
auth.init_app(app)


@app.get("/any")
@auth.login_required
def any_scheme():
    return {"you": auth.identity.subject}


@app.get("/bearer")
@auth.login_required(via=bearer)
def only_bearer():
    return {"you": auth.identity.subject}


@app.get("/basic")
@auth.login_required(via=password)
def only_basic():
    return {"you": auth.identity.subject}


@app.get("/two")
@auth.login_required(via=[password, bearer])
def two():
    return {"you": auth.identity.subject}


@app.get("/key")
@auth.login_required(via=key)
def only_key():
    return {"you": auth.identity.subject}


@app.get("/files/<path:name>")
@auth.login_required(via=password)
def files(name):
    """A git repository for its dumb protocol, and a package index."""
    return send_from_directory(FILES, f"{name}index.html" if name.endswith("/") else name)


@app.get("/page")
def page():
    return "<!doctype html><title>open</title><h1>open</h1>"
