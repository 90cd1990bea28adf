"""Run the app."""

import os

from .app import app

TRY = """\
An app that decides for a reverse proxy. The configurations of nginx, Caddy and Traefik expect it on port 5000.
In a browser: {url}/login (name: ada, password: correct horse)
In another terminal, as a proxy asks:
  ask() {{ curl -i -H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Proto: http' -H 'X-Forwarded-Host: localhost:8080' \\
    -H 'X-Forwarded-Uri: /report' "$@"; }}
  ask {url}/auth                                                                        # 401
  ask {url}/auth -H 'Authorization: Bearer demo-token-of-ada-0123456789'                # 204: ada
  ask {url}/auth/meters                                                                 # 401: Digest
  curl -i {url}/login -d 'name=ada&password=guess'                                      # 422

The warning about SESSION_COOKIE_SECURE is expected: this demo has no HTTPS.
"""

port = int(os.environ.get("PORT", "5000"))
print(TRY.format(url=f"http://127.0.0.1:{port}"), flush=True)
app.run(port=port)
