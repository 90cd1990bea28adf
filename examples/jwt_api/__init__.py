"""An API behind an identity provider, and the provider with it. Run: ``python -m examples.jwt_api``.

Both listen on 127.0.0.1, and the program prints commands to try. `issuer` stands for Keycloak, Entra, Auth0 and the
like, and is a demo: of the two, `api` is what you write.
"""
