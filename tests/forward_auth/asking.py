"""An app that proxies ask, and the requests of nginx and Caddy."""

from typing import Any

from flask import request
from werkzeug.test import TestResponse

from flask_unauthorized import Auth, Bearer, Identity, SessionCookie
from tests.helpers import SECRET_KEY, MakeApp

PROXY = "192.0.2.1"
GOOD = {"Authorization": "Bearer good"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}
CROSS_SITE = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}


def by_nginx(uri: str = "/report", method: str | None = "GET", host: str = "shop.example", proto: str = "https") -> Any:
    """The fields of nginx, as docs/guides/forward-auth.md configures it."""
    fields = {"X-Original-URI": uri, "X-Forwarded-Host": host, "X-Forwarded-Proto": proto}
    return fields if method is None else {**fields, "X-Original-Method": method}


def by_caddy(uri: str = "/report", method: str = "GET", host: str = "shop.example", proto: str = "https") -> Any:
    """The fields of Caddy and Traefik."""
    return {
        "X-Forwarded-Uri": uri, "X-Forwarded-Method": method, "X-Forwarded-Host": host, "X-Forwarded-Proto": proto,
        "X-Forwarded-For": "203.0.113.7",
    }  # fmt: skip


class Asked:
    """An app that proxies ask.

    Attributes:
        app: The app.
        auth: Its `Auth`.
        loaded: What the loaders got.
        handled: Method and host of the requests that reached the app, as its hooks see them.
    """

    def __init__(self, make_app: MakeApp, *schemes: Any, config: Any = (), **arguments: Any) -> None:
        self.loaded: list[str] = []
        self.handled: list[tuple[str, str]] = []
        people = SessionCookie(self._load_person, login_view="login", idle=1800)
        programs = Bearer(self._load_token)
        self.auth: Auth[Any] = Auth(*(schemes or (people, programs)), realm="shop")
        self.app = make_app(self.auth, SECRET_KEY=SECRET_KEY, **dict(config))
        self.auth.forward_auth("/auth", **{"proxies": [PROXY], **arguments})

        @self.app.route("/login", methods=["GET", "POST"])
        @self.auth.public
        def login() -> str:
            self.auth.login("ada")
            return "in"

        @self.app.before_request
        def note() -> None:
            self.handled.append((request.method, request.host))

        self.client = self.app.test_client()

    def _load_person(self, subject: str) -> Any:
        self.loaded.append(subject)
        return Identity(subject, roles={"editor"}) if subject == "ada" else None

    def _load_token(self, token: str) -> Any:
        self.loaded.append(token)
        return Identity("ada", scopes={"write", "read"}) if token == "good" else None

    def log_in(self) -> "Asked":
        """Let the client have the cookie of a session."""
        assert self.client.post("/login", base_url="https://shop.example").text == "in"
        cookie = self.client.get_cookie("session", domain="shop.example")
        assert cookie is not None
        self.client.set_cookie("session", cookie.value)  # the proxy sends it to the app's own address
        self.loaded.clear()
        self.handled.clear()
        return self

    def __call__(self, fields: Any, /, *, peer: str = PROXY, path: str = "/auth", **more: Any) -> TestResponse:
        """Ask as a proxy does."""
        return self.client.get(path, headers=dict(fields), environ_overrides={"REMOTE_ADDR": peer, **more})
