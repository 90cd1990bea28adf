"""An MCP server in Flask whose authorization is all flask_unauthorized's, with an authorization server for the demo.

Run ``python -m examples.mcp_server`` (needs ``pip install 'flask-unauthorized[jwt]'``), and point an MCP client
at http://127.0.0.1:5000/mcp. It finds out by itself where to get a token, and gets one. Arguments are other ports:
``python -m examples.mcp_server 8000 8001``.

- `server` is what you would write: the tools, and who may call them;
- `protocol` is as much of MCP as they need;
- `authorization` stands for your identity provider (Keycloak, Entra, Auth0, Okta). This demo accepts everyone.
"""
