"""Run the app."""

import os

from . import create_app, database

TRY = """\
Payouts, for people who confirm with a passkey. Users and passkeys are stored in {folder}
In a browser: {url}/ (name: ada, password: {password}). Browsers accept no IP address for passkeys.
In another terminal, where a password alone is not enough:
  curl -i {url}/payouts                                                       # 401
  curl -iL {url}/login -b jar -c jar -d 'name=ada&password={password}'     # 200: ada
  curl -i {url}/payouts -b jar                                                # 401: insufficient_user

The warning about SESSION_COOKIE_SECURE is expected: this demo has no HTTPS.
"""

app = create_app()
text = TRY.format(url=app.config["PASSKEY_ORIGIN"], folder=database.FOLDER, password=database.DEMO_PASSWORD)
print(text, flush=True)
app.run(port=int(os.environ.get("PORT", "5000")))
