"""The quick start: two schemes, three protected views, one page. Run: ``python examples/quickstart.py``.

It listens on http://127.0.0.1:5000 (or on the port in ``PORT``) and is a demo: real tokens and passwords come from a
database or the environment, not from the source.
"""

import os

from flask import Flask
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Basic, Bearer, Identity
from flask_unauthorized.loaders import Passwords, StaticTokens

tokens = StaticTokens(
    {
        "demo-token-of-ada-0123456789": Identity("ada", scopes={"notes:read", "notes:write"}),
        "demo-token-of-bob-0123456789": Identity("bob", scopes={"notes:read"}),
    }
)
bearer = Bearer(tokens)
password = Basic(Passwords({"ada": generate_password_hash("correct horse")}))
auth = Auth(bearer, password, realm="notes")

app = Flask(__name__)
auth.init_app(app)
notes = ["call Grace"]


@app.get("/")
def index() -> str:
    return (
        '<!doctype html><html lang="en"><title>Notes</title><h1>Notes</h1>'
        '<p><a href="/me">Who am I?</a> asks your browser for a name and a password: ada, correct horse.</p>'
    )


@app.get("/me")
@auth.login_required(via=[bearer, password])
def me() -> dict[str, str | None]:
    return {"you": auth.identity.subject}


@app.get("/notes")
@auth.login_required(scopes={"notes:read"}, via=bearer)
def read_notes() -> dict[str, list[str]]:
    return {"notes": notes}


@app.delete("/notes")
@auth.login_required(scopes={"notes:write"}, via=bearer)
def delete_notes() -> tuple[str, int]:
    notes.clear()
    return "", 204


auth.check(app)

if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")))
