"""The endpoint that nginx, Caddy and Traefik ask before they pass on a request."""
