"""What DPoP clients talk to, on several workers. A token is the thumbprint of the key that it is bound to."""

import os

from flask import Flask

from flask_unauthorized import Auth, Bearer, DPoP, Identity
from flask_unauthorized.stores.sqlite import SQLiteStore

ORIGIN = os.environ.get("CLIENTS_ORIGIN", "http://localhost")


def load(token):
    return Identity("ada", scopes={"read"}, confirmation={"jkt": token})


store = SQLiteStore(os.environ.get("CLIENTS_STORE", "store.db"))
plain = DPoP(load, origin=ORIGIN, store=store)
nonces = DPoP(load, origin=ORIGIN, store=store, nonce=True)
brief = DPoP(load, origin=ORIGIN, store=store, nonce=True, nonce_lifetime=1)
bearer = Bearer(load)
auth = Auth(plain, nonces, brief, bearer, realm="clients")
app = Flask("dpop-clients")
app.config["SECRET_KEY"] = "a secret of thirty-two characters"
auth.init_app(app)


def view(rest=""):
    return {"you": auth.identity.subject, "worker": os.getpid()}


for path, via in {"plain": [plain], "nonces": [nonces], "brief": [brief], "beside": [bearer, nonces]}.items():
    guarded = auth.login_required(via=via)(view)
    app.add_url_rule(f"/{path}", path, guarded, methods=["GET", "POST"])
    app.add_url_rule(f"/{path}/<path:rest>", f"{path}-rest", guarded, methods=["GET", "POST"])
app.add_url_rule("/scope", "scope", auth.login_required(via=plain, scopes={"write"})(view))
