"""The example with a login page, and what tests need besides: who answered, and a login that is an hour old."""

import os
import time

from examples.browser_login import create_app, database
from examples.browser_login.auth import auth

app = create_app()


@app.after_request
def tell_worker(response):
    response.headers["X-Worker"] = str(os.getpid())
    return response


@app.post("/test/old-login")
@auth.public
def old_login():
    auth.login(database.user_by_name("ada"), auth_time=time.time() - 3600)
    return "in"
