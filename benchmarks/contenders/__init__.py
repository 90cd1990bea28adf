"""The contenders: a module for each library, imported when asked for."""

from importlib import import_module

from .base import Contender

MODULES = (
    "none",
    "ours",
    "ours_jwt",
    "ours_dpop",
    "ours_introspection",
    "features",
    "bare_jwt",
    "httpauth",
    "authlib",
    "login",
    "jwt_extended",
    "stored",
)


def contenders(module: str) -> tuple[Contender, ...]:
    """All contenders of one module."""
    found: tuple[Contender, ...] = import_module(f"{__name__}.{module}").CONTENDERS
    return found


def all_contenders() -> list[Contender]:
    """All of them, which imports all libraries."""
    return [contender for module in MODULES for contender in contenders(module)]


def find(key: str) -> Contender:
    """One contender, by its key: only its library is imported."""
    return next(contender for contender in contenders(key.partition(".")[0]) if contender.key == key)
