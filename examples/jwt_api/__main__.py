"""Runs issuer and API, on the ports in ``ISSUER_PORT`` and ``PORT`` (5001 and 5000; 0 for free ones)."""

import logging
import os
import sys
import threading

from flask import Flask
from werkzeug.serving import BaseWSGIServer, make_server

from .api import create_api
from .issuer import create_issuer

TRY = """\
Notes at {api}, tokens from {issuer}. Try:

  token() {{ curl -s -u $1:$1 -d "grant_type=client_credentials&scope=notes:read notes:write" {issuer}/token |
    {python} -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'; }}
  curl -i {api}/notes                                                             # 401: who are you?
  curl -i -H "Authorization: Bearer $(token reader)" {api}/notes                  # 200
  curl -i -X DELETE -H "Authorization: Bearer $(token reader)" {api}/notes        # 403: a scope is lacking
  curl -i -X DELETE -H "Authorization: Bearer $(token writer)" {api}/notes        # 204
  curl -X POST {issuer}/rotate                                                    # the next key signs
  curl -i -H "Authorization: Bearer $(token reader)" {api}/notes                  # 200
"""


def main() -> None:
    """Serves until it is interrupted."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    issuer_app = create_issuer()
    issuer, issuer_url = _server(issuer_app, "ISSUER_PORT", 5001)
    issuer_app.config["URL"] = issuer_url
    api, api_url = _server(create_api(issuer_url), "PORT", 5000)
    threading.Thread(target=issuer.serve_forever, daemon=True).start()
    print(TRY.format(api=api_url, issuer=issuer_url, python=sys.executable), flush=True)
    try:
        api.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        issuer.shutdown()
        issuer.server_close()
        api.server_close()


def _server(app: Flask, variable: str, port: int) -> tuple[BaseWSGIServer, str]:
    server = make_server("127.0.0.1", int(os.environ.get(variable, port)), app, threaded=True)
    return server, f"http://127.0.0.1:{server.server_port}"


main()
