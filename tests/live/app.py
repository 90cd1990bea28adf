"""The app that real servers serve in these tests. Counts nothing, keeps nothing."""

from flask import Flask, request

from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity

bearer = Bearer(lambda token: Identity("ada") if token == "good" else None)
password = Basic(lambda name, word: name == "ada" and word == "pw")
auth = Auth(
    bearer, password, APIKey(lambda key: Identity("device") if key == "good" else None), realm='a "live" \\ test'
)
app = Flask(__name__)
auth.init_app(app)


@app.route("/", methods=["GET", "POST"])
@auth.login_required
def index():
    return {"you": auth.identity.subject, "body": len(request.get_data())}


@app.after_request
def conditional(response):
    """Without the extension, this hook makes 304, 412, 206 and 416 of the refusals of this app."""
    response.add_etag()
    length = None if response.is_streamed else len(response.get_data())
    return response.make_conditional(request, accept_ranges=True, complete_length=length)


@app.get("/bare")
def bare():
    return "", 401
