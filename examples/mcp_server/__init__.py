"""An MCP server whose authorization is all from the extension, with an authorization server beside it.

Run: ``pip install ".[jwt]" && python -m examples.mcp_server``. Point an MCP client at http://127.0.0.1:5000/mcp. It
finds out by itself where to get a token, and gets one.

- `server` is what you write: the tools, and who may call them;
- `protocol` is as much of MCP as they need;
- `authorization` stands for your identity provider (Keycloak, Entra, Auth0, Okta). This demo accepts everyone.
"""
