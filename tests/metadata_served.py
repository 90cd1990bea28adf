"""An app with a protected resource at /mcp, and what a client reads of it."""

from flask_unauthorized import (
    Auth,
    Bearer,
    Identity,
)
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.resource_metadata.document import WELL_KNOWN

from .independent import independent

HOST = "https://api.example.com"
MCP = f"{HOST}/mcp"
ISSUER = "https://as.example.com"
PATH = f"{WELL_KNOWN}/mcp"
URL = f"{HOST}{PATH}"
TOKENS = StaticTokens(
    {
        "all": Identity("ada", scopes={"notes:read", "notes:write"}),
        "read": Identity("ada", scopes={"notes:read"}),
        "write": Identity("ada", scopes={"notes:write"}),
        "none": Identity("ada"),
    }
)


def sent(token):
    return {"Authorization": f"Bearer {token}"}


def challenges(response):
    """All challenges, read by a parser that isn't ours: scheme in lower case -> parameters."""
    return {name.lower(): params for name, params in independent(*response.headers.getlist("WWW-Authenticate"))}


def serve(make_app, *schemes, resource=MCP, demands=None, config=None, **declared):
    """An app with one view at /mcp, and one elsewhere, that both want the demands (default: notes:read)."""
    auth = Auth(*(schemes or (Bearer(TOKENS),)), realm="notes")
    app = make_app(auth, **(config or {}))
    auth.protected_resource(resource, **{"authorization_servers": [ISSUER], **declared})
    guard = auth.login_required(**({"scopes": {"notes:read"}} if demands is None else demands))
    app.add_url_rule("/mcp", "mcp", guard(lambda: "inside"), methods=["GET", "POST"])
    app.add_url_rule("/other", "other", guard(lambda: "outside"))
    return auth, app


def document(app, path=PATH, **options):
    response = app.test_client().get(path, **options)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return response.json
