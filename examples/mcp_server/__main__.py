"""Run the MCP server and its authorization server."""

from examples.serving import OTHER_URL, URL, serve_both

from . import server
from .authorization import AuthorizationServer

TRY = """\
An MCP server at {url}/mcp, for clients with tokens of the authorization server at {issuer}.
In an MCP client: {url}/mcp (the client gets its token by itself)
In another terminal:
  curl -i {url}/mcp -X POST                                        # 401: resource_metadata=
  curl -i {url}/.well-known/oauth-protected-resource/mcp           # 200: authorization_servers
  curl -i {other}/.well-known/oauth-authorization-server/demo    # 200: registration_endpoint
  curl -i {url}/mcp -X POST -H 'Authorization: Bearer guess'       # 401: invalid_token
  curl -i {url}/mcp -X POST -H 'Origin: https://evil.example'      # 403, a page of another site
"""

resource, issuer = f"{URL}/mcp", f"{OTHER_URL}/demo"
tokens = AuthorizationServer(issuer, {resource: server.SCOPES, issuer: ("profile",)})  # a token for one isn't for both
text = TRY.format(url=URL, other=OTHER_URL, issuer=issuer)
serve_both(server.create_app(resource, issuer), tokens.app(), text)
