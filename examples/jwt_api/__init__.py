"""An API behind an identity provider whose keys rotate, with the provider beside it.

Run: ``pip install ".[jwt]" && python -m examples.jwt_api``. `api` is what you write. `issuer` is a demo that stands for
Keycloak, Entra, Auth0 and the like.
"""
