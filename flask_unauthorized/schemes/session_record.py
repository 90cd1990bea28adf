"""The login as Flask's session records it.

Flask signs the session with ``SECRET_KEY``, so a client can't change it. Still, the content isn't trusted to have the
right shape: code of the app may write into the session, and an older version of the app may have written it.
`read_record` accepts exactly what `LoginRecord.to_session` wrote, and nothing else.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any, ClassVar, Final

SESSION_KEY: Final = "_unauthorized"
"""The key of the session under which the login is stored."""
# Sessions last longer than one version of this package, so these names can't change.
_FIELDS: Final = ("sub", "at", "acr", "sid", "begun", "seen", "again", "realm")
_FIELD_SET: Final = frozenset(_FIELDS)
_REMEMBERED: Final = "remembered"  # only in sessions that a remember cookie has opened
_FIELD_SET_OF_REMEMBERED: Final = _FIELD_SET | {_REMEMBERED}
_values: Final = itemgetter(*_FIELDS)
_TEXT_OR_NONE: Final = (str, type(None))
_NUMBERS: Final = (float, int)  # JSON has no other numbers; bool isn't one


class LoginRecord:
    """A login. Its ``repr`` shows nothing.

    Attributes:
        subject: The user who logged in.
        auth_time: When the user authenticated, in seconds since 1970. That may have been earlier, at an identity
            provider.
        acr: The class of the login, or ``None``.
        session_id: A random value that names the session. All sessions of one remember cookie have the same one.
        begun: When the session began, in seconds since 1970.
        last_used: When the session was used last, in seconds since 1970; updated about once a minute.
        is_repeated: Whether the user was logged in already when they logged in.
        realm: The realm in which the login is valid. Another app with the same key, or another tenant, may have another
            user of the same name.
        entry: What the store holds of the session. It is set when the store has been asked, and isn't recorded.
        is_remembered: Whether a remember cookie has opened the session.
    """

    __slots__ = ("acr", "auth_time", "begun", "entry", "is_repeated", "last_used", "realm", "session_id", "subject")
    entry: str | None
    is_remembered: ClassVar[bool] = False  # an attribute of the class, which costs a request nothing

    def __init__(
        self,
        subject: str,
        auth_time: float,
        acr: str | None,
        session_id: str,
        begun: float,
        last_used: float,
        is_repeated: bool,
        realm: str,
    ) -> None:
        self.subject = subject
        self.auth_time = auth_time
        self.acr = acr
        self.session_id = session_id
        self.begun = begun
        self.last_used = last_used
        self.is_repeated = is_repeated
        self.realm = realm

    def __repr__(self) -> str:
        return "<LoginRecord>"

    def to_session(self) -> dict[str, Any]:
        """Return what the session stores, as JSON values."""
        values = (
            self.subject, self.auth_time, self.acr, self.session_id, self.begun, self.last_used, self.is_repeated,
            self.realm,
        )  # fmt: skip
        return dict(zip(_FIELDS, values, strict=True))


class RememberedRecord(LoginRecord):
    """A login whose session was opened by a remember cookie."""

    __slots__ = ()
    is_remembered: ClassVar[bool] = True

    def to_session(self) -> dict[str, Any]:
        return {**super().to_session(), _REMEMBERED: True}


def read_record(content: Any) -> LoginRecord | None:
    """Return the login in a session's content; ``None`` unless `LoginRecord.to_session` wrote it."""
    record = _record_class(content)
    if record is None:
        return None
    subject, at, acr, sid, begun, seen, again, realm = _values(content)
    texts = isinstance(subject, str) and subject and isinstance(sid, str) and isinstance(realm, str)
    valid = texts and isinstance(acr, _TEXT_OR_NONE) and isinstance(again, bool)
    valid = valid and is_time(at) and is_time(begun) and is_time(seen)
    return record(subject, at, acr, sid, begun, seen, again, realm) if valid else None


def _record_class(content: Any) -> type[LoginRecord] | None:
    if not isinstance(content, Mapping):
        return None
    if content.keys() == _FIELD_SET:
        return LoginRecord
    is_remembered = content.keys() == _FIELD_SET_OF_REMEMBERED and content[_REMEMBERED] is True
    return RememberedRecord if is_remembered else None


def is_time(value: Any) -> bool:
    """Return whether a value is a number of seconds since 1970. NaN and infinity are not."""
    return type(value) in _NUMBERS and abs(value) < 1e11
