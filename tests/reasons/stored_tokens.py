"""Stored tokens: of another kind, unknown, ended, of an owner who is gone, and databases that are away."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import QueuePool, StaticPool, create_engine

from flask_unauthorized import AuthError
from flask_unauthorized.loaders.stored import StoredTokens
from tests.canaries import register

from . import Row
from .refusing import NOW, call_of, clock

AT = "2027-01-15 08:00:00"  # NOW


def stored(prepare: Callable[[Any, Any], Any] = lambda tokens, issued: None, at: int = NOW, **options: Any) -> Any:
    """A row's ``make``: a token is issued at `NOW`, something happens to it, and it is used at ``at``."""

    def run() -> AuthError:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        tokens = StoredTokens(engine, prefix="notes", **options)
        tokens.create_table()
        with clock(NOW):
            issued = tokens.issue("42", name="CI", lifetime=3600)
            register(issued.token)
            token = prepare(tokens, issued) or issued.token
        with clock(at):
            error = call_of(tokens, token)()
        engine.dispose()
        return error

    return run


def another(tokens: Any, issued: Any) -> str:
    token: str = tokens.format.make().arguments[0]
    register(token)
    return token


def away() -> AuthError:
    return call_of(StoredTokens(create_engine("sqlite:////nowhere/at/all/t.db"), prefix="notes").list, "42")()


def exhausted() -> AuthError:
    engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01)
    with engine.connect():
        error = call_of(StoredTokens(engine, prefix="notes").list, "42")()
    engine.dispose()
    return error


owners: dict[str, Any] = {}


def leaves(tokens: Any, issued: Any) -> None:
    owners.clear()


def gone() -> AuthError:
    owners["42"] = object()
    error: AuthError = stored(leaves, load=owners.get)()
    return error


LOOK = "look whether it is reachable, writable and not locked"
ROWS = [
    Row(
        "another form", stored(lambda tokens, issued: issued.token[:-1]), 401,
        "StoredTokens: the token has another form than those with prefix=notes, or a wrong checksum: it is of another "
        "kind, truncated or mistyped",
    ),
    Row(
        "unknown", stored(another), 401,
        "StoredTokens: no token of kind 'access' in the table auth_tokens has this digest: it was never issued, was "
        "pruned, or has another pepper=",
    ),
    Row(
        "revoked", stored(lambda tokens, issued: tokens.revoke(1, "42") and None), 401,
        f"StoredTokens: token 1 was revoked at {AT} UTC",
    ),
    Row(
        "rotated", stored(lambda tokens, issued: register(tokens.rotate(1, "42", overlap=0).token)), 401,
        f"StoredTokens: token 1 was replaced by token 2, and its overlap ended at {AT} UTC",
    ),
    Row("expired", stored(at=NOW + 3600), 401, "StoredTokens: token 1 expired at 2027-01-15 09:00:00 UTC"),
    Row("the owner is gone", gone, 401, "StoredTokens: load= returned None for the owner of token 1"),
    Row("no database", away, 503, f"StoredTokens: the database raised OperationalError: {LOOK}"),
    Row("no connection left", exhausted, 503, f"StoredTokens: the database raised TimeoutError: {LOOK}"),
]  # fmt: skip
