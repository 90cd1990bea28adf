"""What clients upload to in these tests: guarded by Digest and by Bearer; and how many threads read unread bodies."""

import sys
import time

from flask import Flask, request

from flask_unauthorized import Auth, Bearer, Digest
from flask_unauthorized.responses.drain import drain

PASSWORDS = {"bob": "hunter2"}
digest = Digest(PASSWORDS.get)
bearer = Bearer(lambda token: "ada" if token == "good" else None)
auth = Auth(digest, bearer, realm="uploads")
app = Flask(__name__)
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)


@app.post("/digest")
@auth.login_required(via=digest)
def with_digest():
    return {"size": len(request.get_data())}


@app.post("/bearer")
@auth.login_required(via=bearer)
def with_bearer():
    return {"size": len(request.get_data())}


@app.get("/held")
def held():
    """The number of threads that wait for a body, seen from outside: by a frame that stays for half a second."""
    before = _waiting()
    time.sleep(0.5)
    return {"held": len(before & _waiting())}


def _waiting():
    return {(thread, id(frame)) for thread, top in sys._current_frames().items() for frame in _drains(top)}


def _drains(frame):
    while frame is not None:
        if frame.f_code is drain.__code__:
            yield frame
        frame = frame.f_back
