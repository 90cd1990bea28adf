"""An app with a protected resource at /mcp, and what a client reads of it."""

from flask_unauthorized import Auth, Bearer, Identity
from flask_unauthorized.loaders import StaticTokens
from flask_unauthorized.resource_metadata.document import WELL_KNOWN
from tests.helpers import challenges_of

ORIGIN = "https://api.example.com"
RESOURCE = f"{ORIGIN}/mcp"
ISSUER = "https://as.example.com"
METADATA_PATH = f"{WELL_KNOWN}/mcp"
METADATA_URL = f"{ORIGIN}{METADATA_PATH}"
TOKENS = StaticTokens(
    {
        "all": Identity("ada", scopes={"notes:read", "notes:write"}),
        "read": Identity("ada", scopes={"notes:read"}),
        "write": Identity("ada", scopes={"notes:write"}),
        "none": Identity("ada"),
    }
)


def challenges(response):
    """All challenges, read by an independent parser: scheme in lower case -> parameters."""
    return {name.lower(): params for name, params in challenges_of(response)}


def app_with_resource(make_app, *schemes, resource=RESOURCE, demands=None, config=None, **declared):
    """An `Auth` and an app with a view at /mcp and one elsewhere. Both have the same demands: by default notes:read."""
    auth = Auth(*(schemes or (Bearer(TOKENS),)), realm="notes")
    app = make_app(auth, **(config or {}))
    auth.protected_resource(resource, **{"authorization_servers": [ISSUER], **declared})
    guard = auth.login_required(**({"scopes": {"notes:read"}} if demands is None else demands))
    app.add_url_rule("/mcp", "mcp", guard(lambda: "inside"), methods=["GET", "POST"])
    app.add_url_rule("/other", "other", guard(lambda: "outside"))
    return auth, app


def get_document(app, path=METADATA_PATH, **options):
    """The metadata document that the app serves."""
    response = app.test_client().get(path, **options)
    assert (response.status_code, response.mimetype) == (200, "application/json")
    return response.json
