"""Both servers in one process, each on a port of its own: the authorization server in a thread."""

import sys
from threading import Thread

from werkzeug.serving import make_server

from . import server
from .authorization import AuthorizationServer

PORTS = (5000, 5001)

given = tuple(int(argument) for argument in sys.argv[1:3])
port, other_port = given + PORTS[len(given) :]
resource = f"http://127.0.0.1:{port}/mcp"
issuer = f"http://127.0.0.1:{other_port}/demo"

others = AuthorizationServer(issuer, {resource: server.SCOPES, issuer: ("profile",)})  # a token for one isn't for both
tokens = make_server("127.0.0.1", other_port, others.app(), threaded=True)
Thread(target=tokens.serve_forever, daemon=True).start()
notes = make_server("127.0.0.1", port, server.create_app(resource, issuer), threaded=True)
print(f"MCP server: {resource} (tokens from {issuer})", flush=True)
notes.serve_forever()
