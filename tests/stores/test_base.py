"""What every store refuses before it asks its back end."""

import pytest

from flask_unauthorized.stores.base import MAX_NUMBER
from flask_unauthorized.stores.memory import MemoryStore


@pytest.mark.parametrize("number", [0, -1, True, 1.0, "1", MAX_NUMBER + 1])
def test_a_series_has_whole_numbers_from_1(number):
    store = MemoryStore()
    with pytest.raises(ValueError, match=f"^number must be an int from 1 to {MAX_NUMBER}, not "):
        store.spend("a", "series", number, 60)
    assert store.spend("a", "series", 1, 60)
    assert store.spend("a", "series", MAX_NUMBER, 60)
