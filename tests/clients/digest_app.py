"""What Digest clients talk to, on several workers: one view per choice that an app has."""

import os

from flask import Flask, request, send_from_directory

from flask_unauthorized import Auth, Basic, Bearer, Digest
from flask_unauthorized.stores.sqlite import SQLiteStore

FILES = os.environ.get("CLIENTS_FILES", os.curdir)
PASSWORDS = {"ada": "correct horse", "Jäsøn Doe": "pw wörd", "DOMAIN\\user": "pw"}
store = SQLiteStore(os.environ.get("CLIENTS_STORE", "store.db"))
strong = Digest(PASSWORDS.get, store=store)
with_md5 = Digest(PASSWORDS.get, store=store, algorithms=["SHA-256", "MD5"])
old = Digest(PASSWORDS.get, store=store, algorithms=["MD5"])
whole = Digest(PASSWORDS.get, store=store, qop=["auth", "auth-int"], rspauth=True, nextnonce=True)
brief = Digest(PASSWORDS.get, store=store, nonce_lifetime=5)
first_md5 = Digest(PASSWORDS.get, store=store, algorithms=["MD5", "SHA-256"])
once = Digest(PASSWORDS.get, store=store, algorithms=["SHA-256", "MD5"], nonce_uses=1)
legacy = Digest(PASSWORDS.get, store=store, algorithms=["SHA-256", "MD5"], legacy=True)
password = Basic(lambda name, word: PASSWORDS.get(name) == word)
bearer = Bearer(lambda token: None)
auth = Auth(strong, with_md5, old, whole, brief, first_md5, once, legacy, password, bearer, realm="clients")
app = Flask("digest-clients")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)


def _view():
    return {"you": auth.identity.subject, "worker": os.getpid(), "body": len(request.get_data())}


for path, via in {
    "strong": [strong], "md5": [with_md5], "old": [old], "whole": [whole], "brief": [brief],
    "first-md5": [first_md5], "once": [once], "legacy": [legacy],
    "beside": [strong, password], "beside-bearer": [strong, bearer],
}.items():  # fmt: skip
    app.add_url_rule(f"/{path}", path, auth.login_required(via=via)(_view), methods=["GET", "POST"])


@app.get("/files/<path:name>")
@auth.login_required(via=strong)
def files(name):
    """A git repository for its dumb protocol."""
    return send_from_directory(FILES, name)


@app.get("/page")
def page():
    return "<!doctype html><title>open</title><h1>open</h1>"
