"""How error messages show what stands in a document: a short text, however large the document is."""

from reprlib import Repr
from typing import Any, Final

_SHORT: Final = Repr()
_SHORT.maxlevel = 2
_SHORT.maxstring = _SHORT.maxother = 80


def shown(value: Any) -> str:
    """Return the beginning of the ``repr`` of a value."""
    return _SHORT.repr(value)
