"""Notes with two schemes: programs send a token, people send a password.

Run: ``pip install . && python examples/quickstart.py``. Real tokens and passwords belong in a database.
"""

import os

from flask import Flask
from werkzeug.security import generate_password_hash

from flask_unauthorized import Auth, Basic, Bearer, Identity
from flask_unauthorized.loaders import Passwords, StaticTokens

TRY = """\
Notes, for programs with a token and people with a password.
In a browser: {url}/ (name: ada, password: correct horse)
In another terminal:
  curl -i {url}/notes                                                                     # 401
  curl -i {url}/notes -H 'Authorization: Bearer demo-token-of-bob-0123456789'             # 200: call Grace
  curl -i {url}/notes -H 'Authorization: Bearer demo-token-of-bob-0123456789' -X DELETE   # 403: insufficient_scope
  curl -i {url}/me -u 'ada:correct horse'                                                 # 200: ada
"""
ada = Identity("ada", scopes={"notes:read", "notes:write"})
bob = Identity("bob", scopes={"notes:read"})
bearer = Bearer(StaticTokens({"demo-token-of-ada-0123456789": ada, "demo-token-of-bob-0123456789": bob}))
password = Basic(Passwords({"ada": generate_password_hash("correct horse")}))
app = Flask(__name__)
auth = Auth(bearer, password, realm="notes", app=app)
notes = ["call Grace"]


@app.get("/")
def index() -> str:
    return '<!doctype html><html lang="en"><title>Notes</title><a href="/me">Who am I?</a>'


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
    port = int(os.environ.get("PORT", "5000"))
    print(TRY.format(url=f"http://127.0.0.1:{port}"), flush=True)
    app.run(port=port)
