"""Runs provider and app, on the ports in ``PROVIDER_PORT`` and ``PORT`` (5001 and 5000; 0 for free ones).

``RESPONSE_MODE=form_post`` lets the provider post its response to the app, instead of redirecting the browser to it.
"""

import logging
import os
import threading

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from .app import create_app
from .provider import create_provider

TRY = """\
The app is at {app}, the provider at {provider}. In a browser:

  1. Open {app}/ and log in as ada, with the password ada.
  2. Open {app}/vault. It asks for a second factor: log in again with the code 123456.
  3. Open {provider}/ and press "Log out everywhere". The app asks for a login again.

With curl, the same. Two header fields say that a page is opened, as browsers do:

  go() {{ curl -sL -b jar -c jar -H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Site: none' "$@"; }}
  go {app}/                                                     # the provider's login form
  go -d name=ada -d password=ada "$(go -o page -w '%{{url_effective}}' {app}/)"   # Hello, ada
  curl -b jar {app}/api/me                                      # who you are
  go -d '' {provider}/log-out-everywhere                        # 1 app was told
  curl -i -b jar {app}/api/me                                   # 401
"""


def main() -> None:
    """Serves until it is interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    provider_app = create_provider()
    provider, provider_url = _server(provider_app, "PROVIDER_PORT", 5001)
    provider_app.config["URL"] = provider_url
    app_of_yours = create_app(provider_url, os.environ.get("RESPONSE_MODE"))
    app, app_url = _server(app_of_yours, "PORT", 5000)
    provider_app.config["APP_URL"] = app_url
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    print(TRY.format(app=app_url, provider=provider_url), flush=True)
    try:
        app.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        provider.shutdown()
        provider.server_close()
        app.server_close()


def _server(app: Flask, variable: str, port: int) -> tuple[BaseWSGIServer, str]:
    server = make_server("127.0.0.1", int(os.environ.get(variable, port)), app, threaded=True)
    return server, f"http://127.0.0.1:{server.server_port}"


main()
