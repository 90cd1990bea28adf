"""``python -m examples.token_settings``, on the port in ``PORT``."""

import os

from . import create_app, database

port = int(os.environ.get("PORT", "5000"))
app = create_app()
print(f"Open http://127.0.0.1:{port}/ and log in as ada with {database.DEMO_PASSWORD!r}.", flush=True)
print(f"Users, notes and tokens are stored in {database.FOLDER}", flush=True)
app.run(port=port)
