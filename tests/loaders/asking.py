"""Loaders that introspect, and what the introspection endpoint responds with."""

from types import SimpleNamespace

from flask_unauthorized.loaders.introspection import Introspection
from tests.canaries import register

TOKEN = "2YotnFZFEjr1zCsicMWpAA"
AUDIENCE = "https://api.example.com"
SECRET = "gX1fBat3bV"
ACTIVE = {"active": True, "aud": AUDIENCE, "sub": "ada", "client_id": "l238j323ds-23ij4", "scope": "read write"}
BOUND = {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}


def make_introspection(server, **options):
    """Return a loader for the introspection endpoint of ``server``."""
    given = {"client_id": "s6BhdRkqt3", "client_secret": SECRET, "audience": AUDIENCE, **options}
    register(TOKEN, *(given[name] for name in ("client_secret", "access_token") if isinstance(given.get(name), str)))
    return Introspection(server.url + "/introspect", allow_http_loopback=True, **given)


def with_clock(loader, clock, monkeypatch):
    """Set the monotonic clock and the wall clock of a loader, and return it."""
    loader._cache.clock = loader._endpoint.clock = clock
    for module in ("introspection", "introspection_cache"):
        monkeypatch.setattr(f"flask_unauthorized.loaders.{module}.time", SimpleNamespace(time=clock, monotonic=clock))
    return loader
