"""What the server of the client certificates serves: tokens are the hash that they are bound to."""

from flask import Flask

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.certificates import peer_certificate

auth = Auth(
    Bearer(lambda token: Identity("ada", confirmation={"x5t#S256": token}), certificate=peer_certificate), realm="live"
)
app = Flask("certificates")
auth.init_app(app)


@app.get("/")
@auth.login_required
def view():
    return {"you": auth.identity.subject}
