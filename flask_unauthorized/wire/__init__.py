"""Reading and writing authentication fields: pure functions and values, standard library only."""

from .challenge import Challenge, parse_challenges
from .credentials import Credentials, parse_authorization
from .grammar import GrammarError

__all__ = ["Challenge", "Credentials", "GrammarError", "parse_authorization", "parse_challenges"]
