"""The rotation of single-use secrets: the cookies of remembered logins, and refresh tokens.

A stolen long-lived secret is worth as much as a password. Therefore each use replaces it. If two copies of a secret are
in use, the second one is then presented after it was replaced, which reveals the theft. But honest clients also present
old secrets: answers get lost, and the tabs of a browser ask in parallel. This module tells the two apart. It is pure:
it reads no clock, makes no secret, and writes nothing.

The state (`Rotation`) holds SHA-256 hashes of up to three secrets: the valid one, its successor that was issued but not
yet presented, and its predecessor. `present` decides in this order:

1. **The valid secret.** If it has no successor, one is issued: rotated. Presented again within `REPEAT_SECONDS` of the
   issue, or by a clock that was set back: repeated. Later: the answer with the successor was lost. So another successor
   takes the place of the one that was never presented: rotated.
2. **The successor.** Its answer has arrived. It becomes the valid secret, the former one becomes the predecessor, and a
   successor of its own is issued: rotated. But while the predecessor still counts, nothing changes: repeated.
3. **The predecessor** counts from `MAX_CLOCK_SKEW` before the moment in which its successor was confirmed to
   `REPEAT_SECONDS` after it: repeated. The lower bound keeps a clock that was set back by a day from accepting it for
   a day. The skew is for hosts whose clocks differ.
4. **Anything else** was replaced before, or was never issued: reused.

Invariants:

- A replaced secret counts for `REPEAT_SECONDS` more. For this a burst of requests can't confirm two successors within
  that time (the second sentence of rule 2). Otherwise the state would have to remember a predecessor per request, or
  it would call a parallel request of the same client a theft.
- A client that presents the secret that it received last is never judged as reused, as long as each request and its
  answer together take at most half of `REPEAT_SECONDS`. No clock may be set while they are on their way.
- If two holders of one secret both go on, one of them presents a secret that the other has made worthless: reused, at
  the latest when each has presented what it received. No rule makes a replaced secret valid again.
- Times are whole seconds since 1970 by the wall clock, because hosts share no other clock, and not every database
  stores fractions.

The caller stores the new state atomically, such as with `Store.replace` or ``UPDATE … WHERE`` with all old columns.
The caller that loses this race reads the state and presents again.
"""

import enum
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from typing import Final

from .wire.rules import MAX_CLOCK_SKEW

REPEAT_SECONDS: Final = 30
"""How long a secret still counts after it was replaced, in seconds."""
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TIME: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_ABSENT: Final = "-"


class Outcome(enum.Enum):
    """What the presentation of a secret means."""

    ROTATED = "rotated"
    """The secret counts. Store the new state, then send the new secret."""
    REPEATED = "repeated"
    """The secret counts. The state is unchanged, and no new secret is sent."""
    REUSED = "reused"
    """The secret was replaced before, so a copy of it is in use; or it was never issued."""


@dataclass(frozen=True, slots=True, repr=False)
class Rotation:
    """The state of one series of secrets. Begin with ``Rotation(secret_hash(first))``.

    The five fields are plain text and whole numbers, so they may be the columns of a table.

    Args:
        valid: Hash of the valid secret, see `secret_hash`.
        successor: Hash of the secret that was issued to replace it, and hasn't been presented.
        issued: When the successor was issued, in seconds since 1970.
        predecessor: Hash of the secret that the valid one replaced.
        confirmed: When the valid secret was first presented, in seconds since 1970. The predecessor ended with that.

    Raises:
        ValueError: A field isn't a hash or a time, or only one field of a pair is set.
    """

    valid: str
    successor: str | None = None
    issued: int | None = None
    predecessor: str | None = None
    confirmed: int | None = None

    def __post_init__(self) -> None:
        _validate_hash(self.valid)
        for secret, moment in ((self.successor, self.issued), (self.predecessor, self.confirmed)):
            if (secret is None) is not (moment is None):
                raise ValueError("a rotation has a hash and its time, or neither of them")
            if secret is not None:
                _validate_hash(secret)
            if moment is not None and (isinstance(moment, bool) or not isinstance(moment, int) or moment < 0):
                raise ValueError(f"the time of a rotation must be whole seconds since 1970, not {moment!r}")

    def to_text(self) -> str:
        """Return the state as text for a store: five fields of ASCII with a blank in between, 217 bytes at most."""
        fields = (self.valid, self.successor, self.issued, self.predecessor, self.confirmed)
        return " ".join(_ABSENT if field is None else str(field) for field in fields)

    @classmethod
    def from_text(cls, text: str) -> "Rotation":
        """Return the state that `to_text` wrote.

        Raises:
            ValueError: `to_text` can't have written ``text``.
        """
        fields = text.split(" ")
        if len(fields) != 5:
            raise ValueError(f"a rotation has 5 fields, not {len(fields)}")
        valid, successor, issued, predecessor, confirmed = (None if field == _ABSENT else field for field in fields)
        return cls(valid or "", successor, _time(issued), predecessor, _time(confirmed))

    def __repr__(self) -> str:
        return f"<Rotation issued={self.issued} confirmed={self.confirmed}>"


def secret_hash(secret: str) -> str:
    """Return the SHA-256 of a secret, as 64 hex digits. Plain, because the secret is random and has 128 bits or more.

    Args:
        secret: Any text.
    """
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def present(state: Rotation, presented: str, new: str, now: float) -> tuple[Outcome, Rotation]:
    """Judge the presentation of a secret. The module's docstring has the rules.

    Args:
        state: The state of the series.
        presented: The hash of the secret that was presented, see `secret_hash`.
        new: The hash of a secret that was just made. It becomes the successor if the outcome is ``ROTATED``.
        now: The time by the wall clock, in seconds since 1970.

    Returns:
        The outcome and the state afterwards. Only with ``ROTATED`` it differs from ``state``.

    Raises:
        ValueError: ``presented`` or ``new`` isn't a hash.
    """
    _validate_hash(presented)
    _validate_hash(new)
    second = int(now)
    predecessor_counts = state.confirmed is not None and -MAX_CLOCK_SKEW <= second - state.confirmed <= REPEAT_SECONDS
    if _same(presented, state.valid):
        if state.issued is not None and second - state.issued <= REPEAT_SECONDS:
            return Outcome.REPEATED, state
        return Outcome.ROTATED, replace(state, successor=new, issued=second)
    if _same(presented, state.successor):
        if predecessor_counts:
            return Outcome.REPEATED, state
        return Outcome.ROTATED, Rotation(presented, new, second, predecessor=state.valid, confirmed=second)
    if predecessor_counts and _same(presented, state.predecessor):
        return Outcome.REPEATED, state
    return Outcome.REUSED, state


def _same(presented: str, known: str | None) -> bool:
    return known is not None and hmac.compare_digest(presented, known)


def _validate_hash(value: str) -> None:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("the hash of a secret must be 64 lower-case hex digits: use secret_hash()")


def _time(field: str | None) -> int | None:
    if field is not None and not _TIME.fullmatch(field):
        raise ValueError("the time of a rotation must be whole seconds since 1970")
    return None if field is None else int(field)
