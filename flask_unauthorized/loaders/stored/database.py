"""`Database`: connections for `StoredTokens`, and what the failures of a database mean.

1. The developer gives an engine, or something that leads to one: a ``sessionmaker``, a scoped session, a callable that
   returns a `Session`, or the ``db`` of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite. It is followed on each use, because
   these may choose an engine by the app or by the request.
2. Statements run on a connection of their own. So the app's transaction is never committed here, a rollback of the app
   undoes no revocation, and a look-up opens no transaction in the app's session.
3. If the app's session is bound to a connection, as test suites do it, that connection is used, with a savepoint.
4. SQLite lets writers wait for seconds. Here they wait `BUSY_TIMEOUT` at most, because a request waits for them.

A database that is down, locked or read-only is a 503 (`AuthUnavailable`). Only the type of its error is passed on,
because the text may hold the password of the connection. A missing table or column is a mistake of the developer
(`ConfigurationError`). A name with a character that the database doesn't know is a `ValueError`. All other errors are
bugs.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table, exc, inspect
from sqlalchemy.orm import Session

from ...errors import AuthUnavailable, ConfigurationError

BUSY_TIMEOUT: Final = 250
"""Longest wait for another writer of a SQLite file, in milliseconds."""
CREATE_ATTEMPTS: Final = 20
"""How often `Database.create_table` tries, while another worker makes the same table."""
_UNKNOWN_IN_SQLITE: Final = ("no such table", "no such column")
_UNKNOWN_IN_MYSQL: Final = (1054, 1146)  # ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE
_UNAVAILABLE: Final = (exc.OperationalError, exc.InterfaceError, exc.InternalError, exc.TimeoutError)
_FIX: Final = "give an Engine, a sessionmaker, a scoped session, a callable that returns a Session, or db"


class Database:
    """Where the tokens are.

    Args:
        given: What the developer passed.
        table: The table of the tokens.
        label: Whose table it is, for messages.

    Raises:
        TypeError: ``given`` leads to no engine.
    """

    def __init__(self, given: Any, table: Table, label: str = "StoredTokens") -> None:
        self._table = table
        self._label = label
        self._bind = _bind_of(given, table)

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection for reading. Raises `AuthUnavailable` and `ConfigurationError`, see the module."""
        with self._explained():
            bind = self._bind()
            if isinstance(bind, Connection):
                yield bind
                return
            with bind.connect() as connection, _patience(connection):
                yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection for writing. What was written counts if the block ends without an exception."""
        with self._explained():
            bind = self._bind()
            if isinstance(bind, Connection):
                with bind.begin_nested():
                    yield bind
                return
            with bind.connect() as connection, _patience(connection), connection.begin():
                yield connection

    def create_table(self) -> None:
        """Create the table and its indexes, unless it exists. Several workers may do so at the same time."""
        for attempt in range(1, CREATE_ATTEMPTS + 1):
            try:
                self._create(with_indexes=attempt > 1)
            except (AuthUnavailable, ConfigurationError, exc.IntegrityError):  # what databases say differs
                if attempt == CREATE_ATTEMPTS or not self._has_table():
                    raise
            else:
                return

    def _create(self, *, with_indexes: bool) -> None:
        """Create the table with its indexes, unless it exists; ``with_indexes``, also those that it lacks.

        In SQLite, an attempt that failed may have made the table and not all indexes. A table that was there before
        isn't changed: a migration may have named its indexes in another way.
        """
        with self.transaction() as connection:
            self._table.create(connection, checkfirst=True)
            for index in self._table.indexes if with_indexes else ():
                index.create(connection, checkfirst=True)

    def _has_table(self) -> bool:
        with self._explained():  # without `BUSY_TIMEOUT`, as no request waits
            return inspect(self._bind()).has_table(self._table.name, schema=self._table.schema)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except exc.DBAPIError as error:
            kind = type(error.orig).__name__
            if _is_unknown_table(error):
                raise ConfigurationError(
                    f"the database refuses the table {self._table.fullname!r} of {self._label} ({kind}): run the "
                    "migration that creates it, or tokens.create_table()"
                ) from None
            if isinstance(error, _UNAVAILABLE) or error.connection_invalidated:
                raise _unavailable(self._label, kind) from None
            if isinstance(error, exc.DataError):
                raise ValueError(
                    f"the database can't store a text ({kind}): use other characters in the name, or give the table "
                    "the character set utf8mb4"
                ) from None
            raise
        except exc.TimeoutError as error:
            raise _unavailable(self._label, type(error).__name__) from None


def _unavailable(label: str, kind: str) -> AuthUnavailable:
    return AuthUnavailable(
        reason=f"{label}: the database raised {kind}: look whether it is reachable, writable and not locked"
    )


def _is_unknown_table(error: exc.DBAPIError) -> bool:
    if isinstance(error, exc.ProgrammingError):
        return True
    arguments = getattr(error.orig, "args", ()) or ("",)
    return arguments[0] in _UNKNOWN_IN_MYSQL or str(arguments[0]).startswith(_UNKNOWN_IN_SQLITE)


@contextmanager
def _patience(connection: Connection) -> Iterator[None]:
    """Let SQLite wait for `BUSY_TIMEOUT` only, on a connection that the app also uses."""
    if connection.dialect.name != "sqlite":
        yield
        return
    cursor: Any = connection.connection.cursor()
    (before,) = cursor.execute("PRAGMA busy_timeout").fetchone()
    cursor.execute(f"PRAGMA busy_timeout = {min(before, BUSY_TIMEOUT)}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {before}")
        cursor.close()


def _bind_of(given: Any, table: Table) -> Callable[[], Engine | Connection]:
    """Return what finds the engine at each use."""
    if type(given).__module__.startswith("sqlalchemy.ext.asyncio"):
        raise TypeError(
            f"StoredTokens got a {type(given).__name__}, and a loader of its kind isn't async: make an engine with a "
            "sync driver for the same database, create_engine(url)"
        )
    if isinstance(given, Engine):
        return lambda: given
    if isinstance(given, Session):
        raise TypeError(f"StoredTokens got a Session, which only one thread may use: {_FIX}")
    if hasattr(type(given), "engines"):  # Flask-SQLAlchemy and Flask-SQLAlchemy-Lite; both need an app context
        return lambda: _engine_of(given.engines, table)
    if not callable(given):
        raise TypeError(f"StoredTokens takes no {type(given).__name__} as its database: {_FIX}")
    return lambda: _bind_of_session(given(), table)


def _engine_of(engines: Mapping[str | None, Engine], table: Table) -> Engine:
    key = table.metadata.info.get("bind_key")  # Flask-SQLAlchemy: __bind_key__ of a model
    return engines[key] if key in engines else engines["default"]


def _bind_of_session(session: Any, table: Table) -> Engine | Connection:
    if not isinstance(session, Session):
        raise TypeError(f"the database of StoredTokens returned a {type(session).__name__}, expected a Session: {_FIX}")
    return session.get_bind(clause=table)


def metadata_of(given: Any) -> Any:
    """Return the metadata of Flask-SQLAlchemy's ``db``, whose migrations then contain the table; else ``None``."""
    return getattr(given, "metadata", None) if hasattr(type(given), "engines") else None
