"""What `StoredTokens` writes and reads: checked arguments, digests of owners, times, and records made of rows.

Callers of `StoredTokens` pass on what people typed into a form. So a value that can't be stored is a `ValueError` whose
text a form can show, before anything is written. A value of the wrong type is a mistake of the developer: `TypeError`.
"""

import hashlib
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from ...identity import BareIdentity, Identity, as_set
from ...wire.rules import check_scope_token
from .records import TokenRecord
from .table import MAX_NAME, MAX_OWNER

MAX_NAMES: Final = 4096
"""Most characters of all scopes of a token."""
_DATE_COLUMNS: Final = ("expires_at", "last_used_at", "revoked_at", "ends_at")


def owner_of(who: Identity | str) -> str:
    """Return the owner: the subject of an identity, or the text itself.

    Raises:
        TypeError: ``who`` is neither.
        ValueError: It is longer than 255 characters, or can't be stored.
    """
    owner = who.subject if isinstance(who, Identity) else who
    if not isinstance(owner, str) or not owner:
        raise TypeError(f"the owner of a token is an Identity with a subject, or a subject, not {who!r}")
    if len(owner) > MAX_OWNER or not owner.isprintable():
        raise ValueError(f"an owner has up to {MAX_OWNER} printable characters, not {owner[:64]!a}")
    return owner


def owner_key(owner: str) -> str:
    """Return what statements compare: the SHA-256 of the exact text."""
    return hashlib.sha256(owner.encode()).hexdigest()


def bounds_of(who: Any) -> tuple[Identity, ...]:
    """Return the identity whose scopes bound those of a token; none for a user of whom no scopes are known."""
    return (who,) if isinstance(who, Identity) and not isinstance(who, BareIdentity) else ()


def token_name(name: str) -> str:
    """Return the name of a token in the form NFC, without blanks around it.

    Raises:
        ValueError: It is empty, longer than 100 characters, or has characters that can't be printed.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    # Normalizing takes time in proportion to the square of a long run of marks. No name shrinks to a tenth by it.
    name = unicodedata.normalize("NFC", name).strip() if len(name) <= 10 * MAX_NAME else ""
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"the name of a token has 1 to {MAX_NAME} printable characters")
    return name


def granted(kind: str, names: Iterable[str], bounds: Iterable[Identity]) -> frozenset[str]:
    """Return scopes or roles for a new token.

    Args:
        kind: ``"scopes"`` or ``"roles"``.
        names: What was asked for.
        bounds: Identities that must have all of them.

    Raises:
        TypeError: ``names`` isn't a collection of texts.
        ValueError: A name can't be sent, or one of ``bounds`` hasn't got it.
    """
    if isinstance(names, str | bytes):
        raise TypeError(f"{kind} must be a collection of str, not {names!r}: write {kind}={as_set(names)}")
    wanted = frozenset(names)
    for name in wanted:
        if not isinstance(name, str):
            raise TypeError(f"{kind} must hold str, not {name!r}")
        check_scope_token(name)
    if len(joined(wanted)) > MAX_NAMES:
        raise ValueError(f"{kind} are longer than {MAX_NAMES} characters: grant fewer")
    for bound in bounds:
        excess = wanted - getattr(bound, kind)
        if excess:
            raise ValueError(f"a token can't get more than its owner has. Missing {kind}: {', '.join(sorted(excess))}")
    return wanted


def joined(names: frozenset[str]) -> str:
    """Return names as they are stored: sorted, with a blank between (RFC 6749 §3.3)."""
    return " ".join(sorted(names))


def thumbprint(jkt: str | None) -> str | None:
    """Return the thumbprint of a DPoP key (RFC 9449 §6.1).

    Raises:
        ValueError: It isn't a SHA-256 in base64url.
    """
    if jkt is not None and (not isinstance(jkt, str) or len(jkt) != 43 or not jkt.isascii()):
        raise ValueError(f"jkt={jkt!r} is not the SHA-256 thumbprint of a key (43 characters of base64url)")
    return jkt


def whole_seconds(name: str, span: float | timedelta, *, most: int | None) -> int:
    """Return a span of time in whole seconds, rounded down.

    Raises:
        TypeError: It is neither a number nor a `timedelta`.
        ValueError: It is below one second, or above ``most``.
    """
    number = span.total_seconds() if isinstance(span, timedelta) else span
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise TypeError(f"{name} must be a number of seconds or a timedelta, not {span!r}")
    if not number >= 1 or number == float("inf"):  # NaN isn't more than 1
        raise ValueError(f"{name} must be at least one second, not {_shown(span)}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be at most {_shown(timedelta(seconds=most))}, not {_shown(span)}")
    return int(number)


def _shown(span: float | timedelta) -> str:
    """Return a span of time as users of a form read it."""
    return str(span).removesuffix(", 0:00:00") if isinstance(span, timedelta) else f"{span} seconds"


def stored_time(seconds: float) -> datetime:
    """Return a time as it is stored: UTC, whole seconds, no time zone."""
    return datetime.fromtimestamp(int(seconds), timezone.utc).replace(tzinfo=None)


def aware(stored: datetime | None) -> datetime | None:
    """Return a stored time with its time zone."""
    return None if stored is None else stored.replace(tzinfo=timezone.utc)


def record_of(row: Any) -> TokenRecord:
    """Return the record of a row."""
    return TokenRecord(
        id=row.id,
        owner=row.owner,
        name=row.name,
        scopes=frozenset(row.scopes.split()),
        roles=frozenset(row.roles.split()),
        hint=row.hint,
        created_at=row.created_at.replace(tzinfo=timezone.utc),
        replaced_by=row.replaced_by,
        **{name: aware(getattr(row, name)) for name in _DATE_COLUMNS},
    )
