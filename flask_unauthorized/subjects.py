"""Subjects: whose credentials were tried. Names that a database may take for one account share one counter.

An attacker who can write one name in many ways would have as many counters. So `subject_key` is coarse:

1. Compatibility forms become ordinary characters (NFKD), as in full-width letters.
2. Letters lose their case and their marks, strokes too. Many collations of MySQL and MariaDB compare without them.
   ``æ`` and ``œ`` become two letters.
3. Characters that collations ignore (format and control characters) and white space are removed. In a long name this
   is done before the name is cut. Otherwise blanks in front would make one name end after any number of its letters,
   and each of these parts would have a counter of its own.

Two accounts whose names differ in nothing else share a counter. They share failures then, and nothing else: no key is
ever used to find an account. The throttle counts by these keys, and `events` hashes them.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Final

MAX_SUBJECT: Final = 1024
"""How many characters of a name count. A longer name shares its counter with names that begin alike."""
_IGNORED: Final = frozenset({"Cc", "Cf", "Mn", "Me", "Zs", "Zl", "Zp"})
"""The general categories of Unicode that are left out."""
_LATIN: Final = re.compile(r"LATIN SMALL (?:LETTER|LIGATURE) (?:DOTLESS )?([A-Z]{1,2})(?: WITH .*)?").fullmatch


def subject_key(name: str) -> str:
    """Return the key under which attempts for ``name`` are counted."""
    return _key_of(short_name(name))  # The cache must not hold names as long as a client likes.


def short_name(name: str) -> str:
    """Return ``name``, or at most `MAX_SUBJECT` characters of a longer one. Both have the same key."""
    return name if len(name) <= MAX_SUBJECT else "".join(islice(_characters_that_count(name), MAX_SUBJECT))


def _characters_that_count(name: str) -> Iterator[str]:
    # Character by character, because normalizing a long run of marks takes time in proportion to its square.
    for character in name:
        for part in unicodedata.normalize("NFKD", character):
            if unicodedata.category(part) not in _IGNORED:
                yield part


@functools.lru_cache(maxsize=1024)
def _key_of(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    text = text.casefold()
    if text.isascii() and text.isalnum():
        return text
    # Case folding may make marks of its own, so the text is decomposed once more.
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(_base_of(character) for character in decomposed if unicodedata.category(character) not in _IGNORED)


def _base_of(character: str) -> str:
    """Return the plain letters of a small Latin letter that has no decomposition, such as ``o`` of ``ø``."""
    found = None if character.isascii() else _LATIN(unicodedata.name(character, ""))
    return character if found is None else found[1].lower()
