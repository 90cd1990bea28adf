"""A Flask app that says for a reverse proxy whether a request may pass to another service.

`app.py` is the app, beside it are the configurations of nginx, Caddy and Traefik. The guide in docs explains
them.
"""
