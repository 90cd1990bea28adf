"""What tests of several rooms need: apps with a view at ``/``, request headers, and the challenges of a response."""

import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final, NoReturn

from flask import Flask
from werkzeug.test import TestResponse

from flask_unauthorized import APIKey, Auth, Bearer, Identity, Scheme, current_identity

from .independent import independent

SECRET_KEY = "a secret of thirty-two characters"
MakeApp = Callable[..., Flask]


def app_with_view(make_app: MakeApp, auth: Auth[Any], view: Any = None, *, guard: Any = None, **config: Any) -> Flask:
    """Return an app with a guarded view, which by default names the caller's subject and user."""
    app = make_app(auth, **config)
    view = view or (lambda: f"{auth.identity.subject} {auth.get_user()}")
    app.add_url_rule("/", "view", (guard or auth.login_required)(view))
    return app


def app_with_schemes(make_app: MakeApp, *schemes: Scheme[Any], **config: Any) -> Any:
    """Return an app with a guarded view, its `Auth` as ``app.auth``, and who was let in as ``app.ran``."""
    auth: Auth[Any] = Auth(*schemes, realm="site")
    app: Any = make_app(auth, SECRET_KEY=SECRET_KEY, **config)
    app.auth, app.ran = auth, []

    @app.route("/", methods=["GET", "POST"])
    @auth.login_required
    def view() -> str:
        app.ran.append(auth.identity.subject)
        return "ran"

    return app


def get_view(
    make_app: MakeApp, auth: Auth[Any], guard: Any = None, view: Any = None, headers: Any = ()
) -> TestResponse:
    """Return the response to GET of a guarded view, in an app of its own."""
    app = app_with_view(make_app, auth, view or (lambda: "fine"), guard=guard)
    return app.test_client().get("/", headers=dict(headers))


def bearer_header(token: str) -> dict[str, str]:
    """Return the request header for a bearer token."""
    return {"Authorization": f"Bearer {token}"}


AS_ADA: Final = bearer_header("ada")
AS_BOSS: Final = bearer_header("boss")


def make_auth_of_two() -> Auth[Any]:
    """Return an `Auth` with the callers of `AS_ADA` and `AS_BOSS`, who may do more, and a device with an API key."""
    people = {
        "ada": Identity("ada", scopes={"read"}, roles={"user"}),
        "boss": Identity("boss", scopes={"read", "write"}, roles={"user", "boss"}),
    }
    return Auth(Bearer(people.get), APIKey(lambda key: Identity("device") if key == "good" else None))


def name_of_caller() -> str:
    """Return the name of the caller."""
    return str(current_identity.subject) if current_identity else "anonymous"


def challenge_lines(response: Any) -> list[str]:
    """Return the lines of ``WWW-Authenticate``."""
    return list(response.headers.getlist("WWW-Authenticate"))


def challenges_of(response: Any) -> list[tuple[str, dict[str, str]]]:
    """Return scheme and parameters of each challenge, as a parser that isn't ours reads them."""
    return independent(*challenge_lines(response))


def raise_error(error: BaseException | type[BaseException]) -> NoReturn:
    """Raise, where an expression is needed."""
    raise error


def is_listening(port: int) -> bool:
    """Return whether a server of this machine accepts connections on a port.

    Where none listens, the system may choose the same port for the client, which is then connected to itself and keeps
    the server from using it.
    """
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        return bool(connection.getsockname() != connection.getpeername())
    return False


def free_port(count: int = 1) -> int:
    """Return a port of this machine that no server has. The ports after it are free, too, if ``count`` is higher."""
    while True:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError, OverflowError):
            first = probes.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            for other in range(port + 1, port + count):
                probes.enter_context(socket.socket()).bind(("127.0.0.1", other))
            return port
