"""Step-up (RFC 9470): a transfer demands a second factor, and a login of the last five minutes.

Run: ``pip install . && python examples/step_up.py``. Real tokens come from an identity provider. The loaders `JWT` and
`Introspection` read ``auth_time`` and ``acr`` from them.
"""

import os
import time

from flask import Flask

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.loaders import StaticTokens

TRY = """\
A bank: a transfer demands a second factor, and a login of the last five minutes.
In another terminal, within five minutes:
  curl -i {url}/balance -H 'Authorization: Bearer demo-token-password-this-morning'             # 200: 42
  curl -i -X POST {url}/transfers -H 'Authorization: Bearer demo-token-password-this-morning'   # 401: max_age="300"
  curl -i -X POST {url}/transfers -H 'Authorization: Bearer demo-token-password-just-now'       # 401: acr_values="mfa"
  curl -i -X POST {url}/transfers -H 'Authorization: Bearer demo-token-second-factor-just-now'  # 200: ada
"""
now = time.time()
tokens = {
    "demo-token-password-this-morning": Identity("ada", acr="pwd", auth_time=now - 4 * 3600),
    "demo-token-password-just-now": Identity("ada", acr="pwd", auth_time=now),
    "demo-token-second-factor-just-now": Identity("ada", acr="mfa", auth_time=now),
}
auth = Auth(Bearer(StaticTokens(tokens)), realm="bank")
app = Flask(__name__)
auth.init_app(app)


@app.get("/balance")
@auth.login_required
def balance() -> dict[str, object]:
    return {"of": auth.identity.subject, "euros": 42}


@app.post("/transfers")
@auth.login_required(max_age=300, acr="mfa")
def transfer() -> dict[str, object]:
    return {"sent by": auth.identity.subject}


auth.check(app)
if __name__ == "__main__":
    port = int(os.environ.get("PORT", "5000"))
    print(TRY.format(url=f"http://127.0.0.1:{port}"), flush=True)
    app.run(port=port)
