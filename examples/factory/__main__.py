"""Run the app."""

import os

from . import create_app

TRY = """\
Devices that send what they measure with a key, and a console for operators with a password.
In a browser: {url}/ (name: olga, password: let me in)
In another terminal:
  json='Content-Type: application/json'
  curl -i {url}/                                                                                         # 200
  curl -i {url}/api/health                                                                               # 200: up
  curl -i {url}/api/telemetry/thermometer -H "$json" -d 21                                               # 401
  curl -i {url}/api/telemetry/thermometer -H "$json" -d 21 -H 'X-Device-Key: key-of-thermometer'         # 201: 21
  curl -i {url}/api/telemetry/lamp -H "$json" -d 21 -H 'X-Device-Key: key-of-thermometer'                # 403
  curl -i {url}/api/telemetry/old-lamp -H "$json" -d 21 -H 'X-Device-Key: key-of-old-lamp'               # 401: retired
  curl -i {url}/console/ -u 'olga:let me in'                                                             # 200: olga
"""

port = int(os.environ.get("PORT", "5000"))
print(TRY.format(url=f"http://127.0.0.1:{port}"), flush=True)
create_app().run(port=port)
