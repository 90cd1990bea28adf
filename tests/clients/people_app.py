"""The example with a login page, and what tests need besides: who answered, an old login, and a clock to be moved."""

import os
import time

from examples.browser_login import create_app, database
from examples.browser_login.auth import auth

app = create_app()
LATER = database.FOLDER / "a-minute-later"
now = time.time
# All workers see the file, so all have the same clock.
time.time = lambda: now() + 60 * LATER.exists()


@app.after_request
def tell_worker(response):
    response.headers["X-Worker"] = str(os.getpid())
    return response


@app.post("/test/old-login")
@auth.public
def old_login():
    auth.login(database.user_by_name("ada"), auth_time=time.time() - 3600)
    return "in"


@app.post("/test/a-minute-later")
@auth.public
def a_minute_later():
    LATER.touch()
    return "later"
