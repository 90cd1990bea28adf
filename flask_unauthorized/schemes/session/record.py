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
# These two are only in sessions whose login has them. So other sessions keep their size, and stay readable for the
# versions before these fields.
_METHODS: Final = "amr"
_ISSUER: Final = "iss"
_OPTIONAL: Final = frozenset({_REMEMBERED, _METHODS, _ISSUER})
_NO_METHODS: Final[frozenset[str]] = frozenset()
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
        amr: The methods of the login.
        issuer: The identity provider where the user logged in, or ``None``.
    """

    __slots__ = (
        "acr", "amr", "auth_time", "begun", "entry", "is_repeated", "issuer", "last_used", "realm", "session_id",
        "subject",
    )  # fmt: skip
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
        amr: frozenset[str] = _NO_METHODS,
        issuer: str | None = None,
    ) -> None:
        self.subject = subject
        self.auth_time = auth_time
        self.acr = acr
        self.session_id = session_id
        self.begun = begun
        self.last_used = last_used
        self.is_repeated = is_repeated
        self.realm = realm
        self.amr = amr
        self.issuer = issuer

    def __repr__(self) -> str:
        return "<LoginRecord>"

    def to_session(self) -> dict[str, Any]:
        """Return what the session stores, as JSON values."""
        values = (
            self.subject, self.auth_time, self.acr, self.session_id, self.begun, self.last_used, self.is_repeated,
            self.realm,
        )  # fmt: skip
        content: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
        if self.amr:
            content[_METHODS] = sorted(self.amr)
        if self.issuer is not None:
            content[_ISSUER] = self.issuer
        return content


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
    values = _values(content)
    subject, at, acr, sid, begun, seen, again, realm = values
    texts = isinstance(subject, str) and subject and isinstance(sid, str) and isinstance(realm, str)
    valid = texts and isinstance(acr, _TEXT_OR_NONE) and isinstance(again, bool)
    valid = valid and is_time(at) and is_time(begun) and is_time(seen)
    if not valid:
        return None
    return _with_optional_values(record, content, values) if len(content) > len(_FIELDS) else record(*values)


def _with_optional_values(record: type[LoginRecord], content: Mapping[str, Any], values: Any) -> LoginRecord | None:
    subject, at, acr, sid, begun, seen, again, realm = values
    methods, issuer = content.get(_METHODS, _NO_METHODS), content.get(_ISSUER)
    if not are_methods(methods) or not _is_issuer(issuer):
        return None
    return record(subject, at, acr, sid, begun, seen, again, realm, frozenset(methods), issuer)


def _record_class(content: Any) -> type[LoginRecord] | None:
    if not isinstance(content, Mapping):
        return None
    if content.keys() == _FIELD_SET:
        return LoginRecord
    if content.keys() - _OPTIONAL != _FIELD_SET:
        return None
    if _REMEMBERED not in content:
        return LoginRecord
    return RememberedRecord if content[_REMEMBERED] is True else None


def are_methods(value: Any) -> bool:
    """Return whether a value that was read is a collection of texts, as ``amr`` is."""
    return isinstance(value, (list, tuple, frozenset)) and all(isinstance(one, str) for one in value)


def _is_issuer(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value != "")


def is_time(value: Any) -> bool:
    """Return whether a value is a number of seconds since 1970. NaN and infinity are not."""
    return type(value) in _NUMBERS and abs(value) < 1e11
