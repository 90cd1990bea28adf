"""Reading and writing authentication fields: pure functions and values, standard library only.

This room knows RFCs and bytes. It knows no request, no app and no configuration, so each function can be tested and
fuzzed alone, and other code may use it without Flask.
"""

from .challenge import Challenge, parse_challenges
from .credentials import Credentials, parse_authorization
from .grammar import GrammarError

__all__ = ["Challenge", "Credentials", "GrammarError", "parse_authorization", "parse_challenges"]
