"""``python -m examples.passkey_step_up``, on the port in ``PORT``."""

import os

from . import create_app, database

port = int(os.environ.get("PORT", "5000"))
app = create_app()
print(f"Open {app.config['PASSKEY_ORIGIN']}/ and log in as ada with {database.DEMO_PASSWORD!r}.", flush=True)
print(f"Passkeys are stored in {database.FOLDER}", flush=True)
app.run(port=port)
