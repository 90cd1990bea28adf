"""The MCP server: notes that an agent may read, and may add to where it was allowed to."""

from typing import Any

from flask import Flask, request

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.jwks import JWKS
from flask_unauthorized.loaders.jwt import JWT

from .protocol import Tool, answer

SCOPES = ("notes:read", "notes:write")


def create_app(resource: str, issuer: str) -> Flask:
    """The app that serves MCP at ``resource`` for callers with tokens that ``issuer`` made for it."""
    keys = JWKS.of_issuer(issuer, allow_http_loopback=True)  # http for the demo alone
    auth = Auth(
        Bearer(JWT(issuer, audience=resource, keys=keys)),
        realm="notes",
        implied_scopes={"notes:write": {"notes:read"}},
    )
    auth.protected_resource(
        resource,
        authorization_servers=[issuer],
        scopes=SCOPES,
        name="Notes",
        origins=(),  # a page of another site can't use it
    )
    app = Flask(__name__)
    auth.init_app(app)
    notes = ["call Grace"]

    def list_notes() -> str:
        return "\n".join(notes)

    @auth.login_required(scopes={"notes:write"})  # else 403, which tells the client what to come back with
    def add_note(text: str) -> str:
        notes.append(text)
        return f"There are {len(notes)} notes."

    tools = {
        "list_notes": Tool(list_notes, "All notes, one a line."),
        "add_note": Tool(add_note, "Adds a note.", ("text",)),
    }

    @app.post("/mcp")
    @auth.login_required(scopes={"notes:read"})
    def mcp() -> Any:
        return answer(request.get_json(silent=True), request.headers.get("MCP-Protocol-Version"), tools)

    auth.check(app)
    return app
