"""What a throttle refuses to be made of."""

from datetime import timedelta

import pytest

from flask_unauthorized import Basic, ConfigurationError
from flask_unauthorized.stores.base import Store
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Limit, Throttle


class OldStore(Store):
    """A store that was written before there were throttles."""

    _claim = _spend = _increment = _put = _get = None


def test_a_limit_takes_seconds_or_a_timedelta():
    assert Limit(5, timedelta(minutes=1)).seconds == 60
    assert repr(Limit(5, 60)) == "Limit(5, 60)"


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Limit(0, 60), ConfigurationError, "failures must be 1 to 1000000, not 0"),
        (lambda: Limit(True, 60), TypeError, "failures must be an int, not True: write such as Limit(5, 60)"),
        (lambda: Limit("5", 60), TypeError, "failures must be an int, not '5': write such as Limit(5, 60)"),
        (lambda: Limit(5, 0), ConfigurationError, "the time of a Limit must be 1 to 86400 seconds, not 0"),
        (lambda: Limit(5, 90_000), ConfigurationError, "the time of a Limit must be 1 to 86400 seconds, not 90000"),
        (
            lambda: Throttle(),
            TypeError,
            'Throttle() needs store: write Throttle(SQLiteStore("/var/lib/app/auth.db")), so that all processes '
            "share it",
        ),
        (
            lambda: Throttle({}),
            TypeError,
            "store must be a Store, not {}: see flask_unauthorized.stores",
        ),
        (
            lambda: Throttle(OldStore()),
            ConfigurationError,
            "OldStore has no counters for a throttle: implement its methods _increment_many, _decrement and _forget, "
            "or use MemoryStore, SQLiteStore or RedisStore",
        ),
        (
            lambda: Throttle(MemoryStore(), per_pair=(5, 60)),
            TypeError,
            "per_pair must be a Limit such as Limit(5, 60), not (5, 60)",
        ),
        (
            lambda: Throttle(MemoryStore(), per_pair=Limit(5, 7200)),
            ConfigurationError,
            "per_pair=Limit(5, 7200) waits longer than max_wait=3600: allow more",
        ),
        (
            lambda: Throttle(MemoryStore(), on_outage="open"),
            ConfigurationError,
            "on_outage='open' must be 'refuse' or 'allow'",
        ),
        (
            lambda: Throttle(MemoryStore()).attempt(None),
            TypeError,
            "attempt() takes the name that was entered, a str, not a NoneType",
        ),
        (
            lambda: Basic(lambda name, password: None, throttle=MemoryStore()),
            TypeError,
            "throttle must be a Throttle, not MemoryStore: write throttle=Throttle(SQLiteStore(path))",
        ),
    ],
)
def test_a_mistake_is_explained(make, error, text):
    OldStore.__abstractmethods__ = frozenset()
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value) == text


def test_a_throttle_shows_its_limits():
    assert repr(Throttle(MemoryStore())) == (
        "<Throttle per_pair=Limit(5, 60) per_subject=Limit(50, 86400) per_network=Limit(100, 60)>"
    )
