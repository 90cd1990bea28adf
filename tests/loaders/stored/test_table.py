"""Where the table may be: an engine, sessions, models of the app. Extensions and migrations: test_extensions.py."""

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Engine,
    ForeignKey,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    inspect,
    select,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

from flask_unauthorized import ConfigurationError
from flask_unauthorized.loaders.stored import AlreadyRotated, StoredTokenMixin, StoredTokens, tokens_table


def lives(tokens):
    """Issue, use, rotate and revoke, and say what a list shows."""
    tokens.create_table()
    old = tokens.issue("42", name="CI", scopes={"a"})
    assert tokens(old.token).scopes == {"a"}
    new = tokens.rotate(old.record.id, "42", overlap=0)
    assert tokens(new.token).subject == "42"
    shown = [(record.id, record.name) for record in tokens.list("42")]
    assert tokens.revoke(new.record.id, "42")
    return shown == [(new.record.id, "CI")]


def columns_of(table):
    return {column.name: (str(column.type), column.nullable) for column in table.columns}


@pytest.mark.parametrize(
    "given",
    [
        lambda engine: engine,
        sessionmaker,
        lambda engine: scoped_session(sessionmaker(engine)),
        lambda engine: lambda: Session(engine),
        lambda engine: sessionmaker(binds={Table: engine}, bind=engine),
    ],
    ids=["Engine", "sessionmaker", "scoped_session", "callable", "binds"],
)
def test_what_leads_to_the_database(engine, given):
    assert lives(StoredTokens(given(engine), prefix="notes"))


def test_a_model_with_the_mixin_and_columns_of_its_own(engine):
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    class AccessToken(StoredTokenMixin, Base):
        __tablename__ = "access_tokens"
        user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
        user: Mapped[User | None] = relationship()

    Base.metadata.create_all(engine)
    tokens = StoredTokens(engine, prefix="notes", table=AccessToken)
    assert lives(tokens)
    with Session(engine) as session:
        found = session.scalars(select(AccessToken).order_by(AccessToken.id)).all()
        assert [(one.owner, one.replaced_by, one.user) for one in found] == [("42", 2, None), ("42", None, None)]
    assert {index["name"] for index in inspect(engine).get_indexes("access_tokens")} == {
        "ix_access_tokens_digest",
        "ix_access_tokens_owner_key",
        "ix_access_tokens_family",
    }


def test_a_model_that_is_a_dataclass(engine):
    class Base(MappedAsDataclass, DeclarativeBase):
        pass

    class AccessToken(StoredTokenMixin, Base):
        __tablename__ = "access_tokens"
        note: Mapped[str | None] = mapped_column(String(50), default=None)

    assert lives(StoredTokens(engine, prefix="notes", table=AccessToken))


def test_the_mixin_has_the_columns_of_the_table():
    class Base(DeclarativeBase):
        pass

    class AccessToken(StoredTokenMixin, Base):
        __tablename__ = "access_tokens"

    assert columns_of(AccessToken.__table__) == columns_of(tokens_table(MetaData()))


def test_a_table_of_the_app_in_its_metadata(engine):
    metadata = MetaData()
    tokens = StoredTokens(engine, prefix="notes", table=tokens_table(metadata, "keys"))
    assert lives(tokens)
    assert list(metadata.tables) == ["keys"]


def test_no_column_has_a_default_of_the_server_nor_a_type_of_one_database():
    for column in tokens_table(MetaData()).columns:
        assert column.server_default is None
        assert type(column.type).__module__ == "sqlalchemy.sql.sqltypes"


def test_a_table_without_columns_says_which(engine):
    table = Table("keys", MetaData(), Column("id", BigInteger), Column("digest", String(64)))
    with pytest.raises(ConfigurationError, match="the table 'keys' lacks kind, owner_key"):
        StoredTokens(engine, prefix="notes", table=table)


def test_the_transaction_of_the_app_is_left_alone(engine):
    """The app has read something, and rolls back afterwards: the token stays revoked."""
    session = scoped_session(sessionmaker(engine))
    tokens = StoredTokens(session, prefix="notes")
    tokens.create_table()
    issued = tokens.issue("42", name="CI")
    session.execute(select(tokens.table))
    before = session().in_transaction()
    tokens.revoke(issued.record.id, "42")
    assert session().in_transaction() is before is True
    session.rollback()
    session.remove()
    assert tokens.get(issued.record.id, "42").state == "revoked"


def test_a_look_up_opens_no_transaction_in_the_session_of_the_app(engine):
    session = scoped_session(sessionmaker(engine))
    tokens = StoredTokens(session, prefix="notes")
    tokens.create_table()
    tokens(tokens.issue("42", name="CI").token)
    assert not session().in_transaction()
    session.remove()


def test_a_session_that_is_bound_to_a_connection_as_test_suites_do_it(engine):
    # Without this, sqlite3 begins no transaction before a savepoint, and so commits when it ends.
    event.listen(engine, "connect", lambda connection, record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    tokens_table(MetaData()).create(engine)
    with engine.connect() as connection, connection.begin() as outer:
        tokens = StoredTokens(sessionmaker(connection, join_transaction_mode="create_savepoint"), prefix="notes")
        assert lives(tokens)
        old = tokens.issue("42", name="CI").record
        tokens.rotate(old.id, "42")
        with pytest.raises(AlreadyRotated):  # the new token of this rotation is undone, and nothing else
            tokens.rotate(old.id, "42")
        assert len(tokens.list("42", include_ended=True)) == 4
        outer.rollback()
    assert StoredTokens(engine, prefix="notes").list("42", include_ended=True) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Session, "only one thread may use"),
        ("sqlite://", "takes no str"),
        (None, "takes no NoneType"),
    ],
)
def test_databases_that_are_refused(given, text):
    with pytest.raises(TypeError, match=text):
        StoredTokens(given() if callable(given) else given, prefix="notes")


def test_a_callable_must_return_a_session(engine):
    with pytest.raises(TypeError, match="returned a Engine, expected a Session"):
        StoredTokens(lambda: engine, prefix="notes").list("42")


def test_an_async_engine_is_refused():
    from sqlalchemy.ext.asyncio import AsyncEngine

    made = AsyncEngine.__new__(AsyncEngine)
    assert not isinstance(made, Engine)
    with pytest.raises(TypeError, match="make an engine with a sync driver"):
        StoredTokens(made, prefix="notes")


def test_an_exhausted_pool_is_503(tmp_path):
    from sqlalchemy import QueuePool

    from flask_unauthorized import AuthUnavailable

    engine = create_engine(
        f"sqlite:///{tmp_path / 't.db'}", poolclass=QueuePool, pool_size=1, max_overflow=0, pool_timeout=0.01
    )
    tokens = StoredTokens(engine, prefix="notes")
    tokens.create_table()
    token = tokens.issue("42", name="CI").token
    with engine.connect(), pytest.raises(AuthUnavailable) as caught:
        tokens(token)
    assert "TimeoutError" in caught.value.reason
    engine.dispose()
