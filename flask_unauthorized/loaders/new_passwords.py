"""`acceptable`: whether a user may choose a password, for forms that register users and change passwords.

Theory of operation
-------------------

The rules are those of NIST SP 800-63B-4 §3.1.1.2 and OWASP ASVS 5 (6.2.1 to 6.2.12). They run from the cheapest to the
most expensive, and the first that a password breaks is the reason:

1. **Form.** The password is normalized as `Passwords` does it (NFC). A password that `Basic` can't send, because of a
   control character or its size, would lock its owner out.
2. **Length**, in characters. There is no other rule of composition, because such rules make passwords weaker.
3. **Context.** Passwords that are made of the names of user and service are guessed first. The whole password is
   judged, not single words in it (NIST). It breaks the rule if it has fewer than four letters besides such words.
4. **Common passwords.** The list in ``common_passwords.txt`` has 8 000. Few of them are as long as 15 characters, but
   two of them in a row are. So a password that consists of one or two common ones is common, and so are repeated
   characters, alphabets and rows of keys.
5. **Breached passwords**, by the app's callable. Its exceptions pass through, so an outage never accepts a password.

Nothing here logs or keeps a password.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final, Literal

from ..errors import ConfigurationError
from ..schemes.run_async import resolve_awaitable
from .claims import validated_callable

Reason = Literal["malformed", "too_short", "too_long", "context", "common", "breached"]

MAX_OCTETS: Final = 4096
"""Longest password, in bytes of UTF-8: what `Basic` accepts."""
MAX_NAME: Final = 1024
"""How many characters of a name are compared. Normalizing takes time in proportion to the square of a run of marks."""
LEAST_LENGTH: Final = 8
"""Least value of ``min_length`` (ASVS 6.2.1)."""
MIN_WORD: Final = 3
"""Shorter words of the context are in many passwords by chance."""
MIN_OTHER_LETTERS: Final = 4
"""Least number of letters besides the words of the context, in a password that has such words."""
MIN_DIFFERENT: Final = 5
"""Least number of different characters."""
_ROWS: Final = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What `acceptable` returns: true if the password may be used.

    Example:
        Choose your own text for each reason::

            from flask_unauthorized.loaders import acceptable

            TEXTS = {"too_short": "Use 15 characters or more.", "common": "Attackers try this one first."}
            answer = acceptable("hunter2")
            assert TEXTS[answer.reason] == "Use 15 characters or more."

    Attributes:
        reason: Why not, for your own texts: ``"malformed"`` (a control character, or half of a surrogate pair),
            ``"too_short"``, ``"too_long"``, ``"context"`` (it is made of the name or words of the service, with a
            few other characters), ``"common"`` or ``"breached"``. ``None`` if the password may be used.
    """

    reason: Reason | None = None

    def __bool__(self) -> bool:
        """Return whether the password may be used."""
        return self.reason is None


def acceptable(
    password: str,
    *,
    name: str = "",
    service: str | Iterable[str] = (),
    min_length: int = 15,
    breached: Callable[[str], Any] | None = None,
) -> Acceptance:
    """Return whether a user may choose a password, and why not.

    Example:
        Refuse a weak password in a form::

            from flask_unauthorized.loaders import acceptable

            answer = acceptable("passwordpassword", name="ada@example.com", service="Notes")
            if not answer:
                print(answer.reason)  # common

    Args:
        password: The new password.
        name: The user's name or address: its first 1024 characters. The whole name counts, and each word of it.
        service: The name of your service, or several names that attackers would try. They count like the user's.
            Names and words of fewer than three characters don't count.
        min_length: Least length in characters: 15 if the password alone logs users in, 8 or more if there is always a
            second factor (NIST SP 800-63B-4 §3.1.1.2).
        breached: Called with the password if all other rules accept it. It returns whether the password is known from a
            breach, and may be async. Its exceptions pass through: `AuthUnavailable` makes a 503.

    Raises:
        ConfigurationError: ``min_length`` is less than 8 or more than 64, or ``breached`` isn't callable.
        TypeError: An argument has the wrong type, or ``breached`` returned something else than a ``bool``.
    """
    for argument, value in (("password", password), ("name", name)):
        if not isinstance(value, str):
            raise TypeError(f"{argument} must be a str, not {type(value).__name__}")
    if isinstance(min_length, bool) or not isinstance(min_length, int) or not LEAST_LENGTH <= min_length <= 64:
        raise ConfigurationError(f"min_length={min_length!r} must be a whole number from {LEAST_LENGTH} to 64")
    validated_callable("breached", breached)
    reason = _broken_rule(password, _words([name, *_names(service)]), min_length)
    if reason is None and breached is not None:
        is_breached = resolve_awaitable(breached(unicodedata.normalize("NFC", password)))
        if not isinstance(is_breached, bool):
            raise TypeError(f"breached() returned a {type(is_breached).__name__}: it must return True or False")
        reason = "breached" if is_breached else None
    return Acceptance(reason)


def _broken_rule(password: str, words: list[str], min_length: int) -> Reason | None:
    # The size comes first: what follows takes time in proportion to it.
    if len(password) > MAX_OCTETS:
        return "too_long"
    password = unicodedata.normalize("NFC", password)
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        return "malformed"
    if len(password) < min_length:
        return "too_short"
    if len(password.encode()) > MAX_OCTETS:
        return "too_long"
    folded = _folded(password)
    if _is_of_context(folded, words):
        return "context"
    return "common" if _is_common(folded) else None


def _is_of_context(folded: str, words: list[str]) -> bool:
    rest = folded
    for word in words:
        rest = rest.replace(word, " ")
    return rest != folded and sum(map(str.isalpha, rest)) < MIN_OTHER_LETTERS


def _is_common(folded: str) -> bool:
    if len(set(folded)) < MIN_DIFFERENT or any(folded in row * (len(folded) // len(row) + 2) for row in _all_rows()):
        return True
    common = _common_passwords()
    if folded in common:
        return True
    longest = max(map(len, common))
    cuts = range(max(1, len(folded) - longest), min(longest, len(folded) - 1) + 1)
    return any(folded[:cut] in common and folded[cut:] in common for cut in cuts)


def _names(service: str | Iterable[str]) -> list[str]:
    names = [service] if isinstance(service, str) or not isinstance(service, Iterable) else list(service)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"service must be a str or several, not {names!a}")
    return names


def _words(names: list[str]) -> list[str]:
    """Return names and their words, the longest first, so that no word hides a part of a longer one."""
    folded = [_folded(name[:MAX_NAME]) for name in names]
    found = {word for name in folded for word in (name, *re.findall(r"[^\W_]+", name)) if len(word) >= MIN_WORD}
    return sorted(found, key=lambda word: (-len(word), word))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _all_rows() -> Iterable[str]:
    return (direction for row in _ROWS for direction in (row, row[::-1]))


@functools.cache
def _common_passwords() -> frozenset[str]:
    text = resources.files(__name__.rpartition(".")[0]).joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.splitlines() if line and not line.startswith("# ") and line != "#")
