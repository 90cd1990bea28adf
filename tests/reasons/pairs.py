"""Pairs of tokens: an access token of another maker, and a database that can't be used."""

from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine

from flask_unauthorized import AuthError
from flask_unauthorized.loaders import SignedTokens
from flask_unauthorized.loaders.pairs import Pairs
from tests.canaries import register

from . import Row
from .refusing import APP_KEY, call_of


def another_maker() -> AuthError:
    token = SignedTokens("pairs:notes", 900, secret_key=APP_KEY).issue("42")
    register(token)
    return call_of(Pairs(create_engine("sqlite://"), prefix="notes", secret_key=APP_KEY), token)()


def away() -> AuthError:
    pairs = Pairs(create_engine("sqlite:////nowhere/at/all/t.db"), prefix="notes", secret_key=APP_KEY)
    return call_of(pairs.list, "42")()


def uncounted() -> AuthError:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    pairs = Pairs(engine, prefix="notes", secret_key=APP_KEY)
    pairs.create_table()
    pair = pairs.issue("42")
    register(pair.access, pair.refresh)
    count: Any = lambda *args: 0  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_change", count)
        error = call_of(pairs.refresh, pair.refresh)()
    engine.dispose()
    return error


ROWS = [
    Row(
        "another maker", another_maker, 401,
        "Pairs: the token for salt='pairs:notes' holds type list, expected the list that Pairs writes: SignedTokens "
        "have another salt=",
    ),
    Row(
        "no database", away, 503,
        "Pairs: the database raised OperationalError: look whether it is reachable, writable and not locked",
    ),
    Row(
        "rows are not counted", uncounted, 503,
        "Pairs: 8 attempts to write a login failed: does the driver count the rows of an UPDATE?",
    ),
]  # fmt: skip
