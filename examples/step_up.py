"""Step-up (RFC 9470): a transfer wants a login of the last five minutes, by a second factor. Run:

    pip install . && python examples/step_up.py

Its tokens come from a table; those of a real API come from an identity provider, whose ``auth_time`` and ``acr`` the
loaders `JWT` and `Introspection` read.
"""

import os
import time

from flask import Flask

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.loaders import StaticTokens

now = time.time()
tokens = StaticTokens(
    {
        "password-this-morning": Identity("ada", acr="pwd", auth_time=now - 4 * 3600),
        "password-just-now": Identity("ada", acr="pwd", auth_time=now),
        "second-factor-just-now": Identity("ada", acr="mfa", auth_time=now),
    }
)
auth = Auth(Bearer(tokens), realm="bank")
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
    address = f"http://127.0.0.1:{port}"
    print(f"curl -i {address}/balance -H 'Authorization: Bearer password-this-morning'           # 200")
    for token, status in (
        ("password-this-morning ", '401, max_age="300" and acr_values="mfa"'),
        ("password-just-now     ", "401 as well: fresh, and not strong enough"),
        ("second-factor-just-now", "200"),
    ):
        print(f"curl -i -X POST {address}/transfers -H 'Authorization: Bearer {token.strip()}'  # {status}")
    app.run(port=port)
