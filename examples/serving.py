"""Run an example that has two servers: the app itself, and the server that its tokens or its users come from.

The app listens on 127.0.0.1 and the port in ``PORT`` (default: 5000). The other server listens on the port after that.
"""

import contextlib
import os
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

PORT = int(os.environ.get("PORT", "5000"))
URL, OTHER_URL = (f"http://127.0.0.1:{port}" for port in (PORT, PORT + 1))


def serve_both(app: Flask, other: Flask, instructions: str) -> None:
    """Print the instructions and serve both apps, until Ctrl+C."""
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    other_server = make_server("127.0.0.1", PORT + 1, other, threaded=True)
    Thread(target=other_server.serve_forever, daemon=True).start()
    print(instructions, flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
