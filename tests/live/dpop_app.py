"""What the servers of the DPoP tests serve; a token is the thumbprint of the key that it is bound to."""

from flask import Flask

from flask_unauthorized import Auth, DPoP, Identity
from tests.dpop_client import ORIGIN

auth = Auth(DPoP(lambda token: Identity("ada", confirmation={"jkt": token}), origin=ORIGIN, nonce=True), realm="live")
app = Flask("dpop")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)
app.add_url_rule("/", "root", auth.login_required(lambda: "in"))
app.add_url_rule("/<path:rest>", "view", auth.login_required(lambda rest: "in"))
