"""An app whose users log in at an OpenID provider, with step-up and logout everywhere, and the provider beside it.

Run: ``pip install ".[jwt]" authlib requests && python -m examples.oidc_login``. `app` is what you write.
`provider` is a demo that stands for Keycloak, Entra, Auth0 and the like. With ``RESPONSE_MODE=form_post``, the provider
posts its response to the app. Otherwise it redirects the browser.
"""
