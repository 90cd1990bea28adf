"""An app that decides for a reverse proxy whether a request may pass to another service.

Run: ``pip install . && python -m examples.forward_auth``. `app` is the app. Beside it are the configurations of nginx,
Caddy and Traefik. The guide in docs explains them.
"""
