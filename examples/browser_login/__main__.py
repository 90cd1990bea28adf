"""Run the app."""

import os
import secrets

from . import create_app, database

TRY = """\
Notes for people in browsers. What you write is stored in {folder}
In a browser: {url}/ (register with a name and a password)
In another terminal:
  curl -i {url}/api/notes                                                                                # 401
  curl -i {url}/login -d 'name=ada&password=guess'                                                       # 422
  curl -iL {url}/register -b jar -c jar -d 'name=guest-{random}&password=correct horse'                # 200: Welcome
  curl -i {url}/api/notes -b jar -H 'Content-Type: application/json' -d '{{"text": "call Grace"}}'         # 201
  curl -i {url}/api/notes -b jar                                                                         # 200: Grace

The warning about SESSION_COOKIE_SECURE is expected: this demo has no HTTPS.
"""

port = int(os.environ.get("PORT", "5000"))
name = secrets.token_hex(4)  # a new one at each start, because the users are stored
print(TRY.format(url=f"http://127.0.0.1:{port}", folder=database.FOLDER, random=name), flush=True)
create_app().run(port=port)
