"""Digest with auth-int on real servers. The hook reads bodies in the way that the request's query asks for."""

from flask import Flask, request

from flask_unauthorized import Auth, Digest

READERS = {
    b"form": lambda: request.form,
    b"data": lambda: request.get_data(),
    b"stream": lambda: request.stream.read(),
    b"uncached": lambda: request.get_data(cache=False),
}
auth = Auth(
    Digest({"ada": "correct horse"}.get, realm="live", qop=("auth", "auth-int"), max_body=100_000),
)
app = Flask(__name__)
app.config.update(SECRET_KEY="a secret of thirty-two characters", MAX_CONTENT_LENGTH=150_000)
auth.init_app(app)


@app.before_request
def read_before():
    reader = READERS.get(request.query_string)
    if reader is not None:
        reader()


@app.route("/", methods=["GET", "POST"])
@auth.login_required
def index():
    return {"you": auth.identity.subject, "body": len(request.get_data()), "form": request.form.get("a")}
