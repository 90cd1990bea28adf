"""``python -m examples.browser_login``, on the port in ``PORT``."""

import os

from . import create_app, database

port = int(os.environ.get("PORT", "5000"))
print(f"Open http://127.0.0.1:{port}/ and register. What you write is kept in {database.FOLDER}")
create_app().run(port=port)
