"""A process of the races of remembered logins: ``python -m tests.browser.racing KIND ADDRESS``.

Each line of its input is a JSON list: the time, which stands still, and a remember cookie. Its threads present
the cookie at once. It writes a line for each: what they got, and how many WARNINGs and signals there were.
"""

import json
import logging
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flask import Flask, session

from flask_unauthorized import Auth, SessionCookie, signals
from flask_unauthorized.authentication import authorization
from flask_unauthorized.schemes.session.devices import public_id
from flask_unauthorized.stores.base import Store
from tests.stores.racing import store_of

from .conftest import KEY

DAY = 86_400
NAME = "session_remember"
THREADS = 8
TRIES = 200
"""How often a thread asks again if a busy store was unavailable."""


def site(store: Store) -> tuple[Flask, "Auth[Any]"]:
    """An app that shows its sessions."""
    auth = Auth(SessionCookie(lambda name: name, store=store, remember=30 * DAY), realm="race")
    app = Flask("race")
    app.config["SECRET_KEY"] = KEY
    auth.init_app(app)

    @app.get("/which")
    @auth.login_required
    def which() -> list[Any]:
        login = session["_unauthorized"]
        return [login["sub"], public_id(login["sid"]), login["begun"]]

    app.add_url_rule("/login/<name>", view_func=lambda name: auth.login(name, remember=True).subject, methods=["POST"],
                     endpoint="login")  # fmt: skip
    app.add_url_rule("/logout", view_func=lambda: auth.logout() or "out", methods=["POST"], endpoint="logout")
    return app, auth


def present(app: Flask, value: str, threads: int) -> list[list[Any]]:
    """Present a cookie by threads at once: the status, the login, and the next cookie of each."""
    together = threading.Barrier(threads)

    def ask(_: int) -> list[Any]:
        together.wait(60)
        for _ in range(TRIES):
            client = app.test_client()
            client.set_cookie(NAME, value)
            answered = client.get("/which")
            if answered.status_code != 503:
                break
        after = client.get_cookie(NAME)
        new = None if after is None or after.value == value else after.value
        return [answered.status_code, answered.json if answered.status_code == 200 else None, new]

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(ask, range(threads)))


class Counting(logging.Handler):
    """Counts WARNINGs about theft, and signals."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warnings = self.signals = 0
        logging.getLogger("flask_unauthorized").addHandler(self)
        signals.session_stolen.connect(self.hear)

    def emit(self, record: logging.LogRecord) -> None:
        self.warnings += "used in two places" in record.getMessage()

    def hear(self, sender: Any, **arguments: Any) -> None:
        self.signals += 1

    def close(self) -> None:
        logging.getLogger("flask_unauthorized").removeHandler(self)
        signals.session_stolen.disconnect(self.hear)
        super().close()


def main(kind: str, address: str) -> None:
    app, _ = site(store_of(kind, address))
    now, counting = [time.time()], Counting()
    time.time = authorization.time = lambda: now[0]
    print("ready", flush=True)
    for line in sys.stdin:
        now[0], value = json.loads(line)
        counting.warnings = counting.signals = 0
        found = present(app, value, THREADS)
        print(json.dumps([found, counting.warnings, counting.signals]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
