"""`outage`: the loaders of an app and all stores fail, as if their databases were down."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from flask import Flask

from ..errors import AuthUnavailable
from ..runtime.app_state import app_state_of
from ..schemes.base import AnyScheme
from ..stores.base import Store

_OPERATIONS: Final = (
    "claim", "spend", "increment", "increment_many", "decrement", "forget", "put", "replace", "get", "get_many",
)  # fmt: skip


@contextmanager
def outage(app: Flask, error: Exception | None = None) -> Iterator[None]:
    """Let loaders and stores fail. See `Unauthorized.down`."""
    schemes = [scheme for scheme in app_state_of(app).configuration.schemes if scheme._loader is not None]
    before = [scheme._loader for scheme in schemes]

    def store_down(*_: Any, **__: Any) -> Any:
        raise AuthUnavailable(reason="the test has taken the stores down")

    patches = [patch.object(Store, name, store_down) for name in _OPERATIONS]
    try:
        for one in patches:
            one.start()
        for scheme in schemes:
            scheme._loader = _failing(_error_of(scheme) if error is None else error)
        yield
    finally:
        for scheme, load in zip(schemes, before, strict=True):
            scheme._loader = load
        for one in patches:
            one.stop()


def _failing(error: Exception) -> Any:
    def load(*_: Any) -> Any:
        raise error.with_traceback(None)

    return load


def _error_of(scheme: AnyScheme) -> Exception:
    """Return an exception by which the loader of a scheme may say that its back end is down."""
    if not scheme._unavailable:
        return AuthUnavailable(reason="the test has taken the loaders down")
    kind = scheme._unavailable[0]
    try:
        return kind("the test has taken the loaders down")
    except TypeError:  # Some need more arguments, and nothing reads them here.
        return kind.__new__(kind)
