"""An app whose users log in at an OpenID provider, and the provider with it. Run: ``python -m examples.oidc_login``.

Both listen on 127.0.0.1. `app` is what you write. `provider` stands for Keycloak, Entra, Auth0 and the like, and is a
demo.
"""
