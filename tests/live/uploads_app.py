"""What clients upload to in these tests: guarded by Digest and by Bearer; and how many threads read unread bodies."""

import sys

from flask import Flask, request

from flask_unauthorized import Auth, Bearer, Digest, draining

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
    """The number of threads that the extension holds for bodies: seen from outside, by their frames."""
    return {"held": sum(_is_reading(frame) for frame in sys._current_frames().values())}


def _is_reading(frame):
    while frame is not None:
        if frame.f_code is draining.drain.__code__:
            return True
        frame = frame.f_back
    return False
