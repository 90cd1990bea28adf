"""Reading and writing authentication fields: pure functions and values, standard library only.

This room knows RFCs and bytes. It knows no request, no app and no configuration, so each function can be tested and
fuzzed alone, and other code may use it without Flask.
"""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names
from .challenge import Challenge, parse_challenges
from .grammar import GrammarError

if TYPE_CHECKING:
    from .credentials import Credentials, parse_authorization
else:
    # The extension reads Authorization scheme by scheme, without these.
    __getattr__, __dir__ = lazy_names(__name__, {".credentials": ("Credentials", "parse_authorization")})

__all__ = ["Challenge", "Credentials", "GrammarError", "parse_authorization", "parse_challenges"]
