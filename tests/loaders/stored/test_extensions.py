"""Stored tokens in apps with Flask-SQLAlchemy, Flask-SQLAlchemy-Lite, Flask-Migrate and detect-secrets."""

import subprocess
import sys

import pytest
from flask import Flask
from sqlalchemy import inspect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.stored import StoredTokenMixin, StoredTokens, TokenFormat
from tests.canaries import register
from tests.helpers import bearer_header

from .servers import missing

try:
    import alembic  # noqa: F401
    import flask_migrate
    import flask_sqlalchemy_lite
    from detect_secrets.plugins.base import RegexBasedDetector
    from flask_sqlalchemy import SQLAlchemy
except ImportError as error:
    missing(f"{error.name} is not installed")


def app_of(tokens, db, folder, **config):
    app = Flask("shop")
    app.config.update(TESTING=True, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'shop.db'}", **config)
    db.init_app(app)
    auth = Auth(Bearer(tokens), app=app)
    app.add_url_rule("/", "view", auth.login_required(lambda: auth.identity.subject))
    return app


def asked(app, tokens):
    with app.app_context():
        issued = tokens.issue("42", name="CI")
    register(issued.token)
    client = app.test_client()
    statuses = [client.get("/", headers=bearer_header(issued.token)).status_code]
    with app.app_context():
        assert tokens.get(issued.record.id, "42").last_used_at is not None
        tokens.revoke(issued.record.id, "42")
    return [*statuses, client.get("/", headers=bearer_header(issued.token)).status_code]


def test_flask_sqlalchemy_with_its_db(tmp_path):
    db = SQLAlchemy()
    tokens = StoredTokens(db, prefix="notes")
    app = app_of(tokens, db, tmp_path)
    with app.app_context():
        db.create_all()  # the table is in the metadata of db
    assert asked(app, tokens) == [200, 401]
    assert StoredTokens(db, prefix="other").table is tokens.table


@pytest.mark.parametrize("given", ["db", "session"])
def test_flask_sqlalchemy_with_a_model_in_another_database(tmp_path, given):
    db = SQLAlchemy()

    class AccessToken(StoredTokenMixin, db.Model):
        __tablename__ = "access_tokens"
        __bind_key__ = "auth"

    tokens = StoredTokens(db if given == "db" else db.session, prefix="notes", table=AccessToken)
    app = app_of(tokens, db, tmp_path, SQLALCHEMY_BINDS={"auth": f"sqlite:///{tmp_path / 'auth.db'}"})
    with app.app_context():
        db.create_all()
        assert inspect(db.engines["auth"]).get_table_names() == ["access_tokens"]
        assert inspect(db.engines[None]).get_table_names() == []
    assert asked(app, tokens) == [200, 401]


def test_a_view_that_rolls_back_loses_no_revocation(tmp_path):
    db = SQLAlchemy()

    class Note(db.Model):
        id: Mapped[int] = mapped_column(primary_key=True)

    tokens = StoredTokens(db, prefix="notes")
    app = app_of(tokens, db, tmp_path)
    with app.app_context():
        db.create_all()
        issued = tokens.issue("42", name="CI")
        db.session.add(Note())
        tokens.revoke(issued.record.id, "42")
        db.session.rollback()
        assert tokens.get(issued.record.id, "42").state == "revoked"
        assert db.session.query(Note).count() == 0


def test_flask_sqlalchemy_lite(tmp_path):
    db = flask_sqlalchemy_lite.SQLAlchemy()
    tokens = StoredTokens(db, prefix="notes")
    app = app_of(tokens, db, tmp_path, SQLALCHEMY_ENGINES={"default": f"sqlite:///{tmp_path / 'lite.db'}"})
    with app.app_context():
        tokens.create_table()
    assert asked(app, tokens) == [200, 401]


def test_flask_sqlalchemy_lite_with_the_mixin(tmp_path):
    class Model(DeclarativeBase):
        pass

    class AccessToken(StoredTokenMixin, Model):
        __tablename__ = "access_tokens"

    db = flask_sqlalchemy_lite.SQLAlchemy()
    tokens = StoredTokens(db, prefix="notes", table=AccessToken)
    app = app_of(tokens, db, tmp_path, SQLALCHEMY_ENGINES={"default": f"sqlite:///{tmp_path / 'lite.db'}"})
    with app.app_context():
        Model.metadata.create_all(db.engine)
    assert asked(app, tokens) == [200, 401]


APP = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_unauthorized import Auth, Bearer
from flask_unauthorized.loaders.stored import StoredTokens

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///shop.db"
db = SQLAlchemy(app)
Migrate(app, db)
auth = Auth(Bearer(StoredTokens(db, prefix="notes")), app=app)
"""


def test_flask_migrate_writes_one_migration_and_a_second_one_is_empty(tmp_path):
    (tmp_path / "app.py").write_text(APP)

    def flask(*arguments):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "flask", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        return done.returncode, done.stdout + done.stderr

    code, output = flask("unauthorized", "check")
    assert code == 1
    assert "run the migration" in output
    for command in (("init",), ("migrate", "-m", "tokens"), ("upgrade",)):
        code, output = flask("db", *command)
        assert code == 0, output
    (migration,) = (tmp_path / "migrations" / "versions").glob("*.py")
    assert "op.create_table('auth_tokens'" in migration.read_text()
    assert "flask_unauthorized" not in migration.read_text()  # plain types: no import of ours in the app's history
    assert flask("unauthorized", "check")[0] == 0
    code, output = flask("db", "check")
    assert code == 0, output
    code, output = flask("unauthorized", "tokens", "issue", "42", "--name", "CI")
    assert code == 0, output
    assert flask_migrate.__name__


def test_a_scanner_finds_each_token_and_no_text_with_one_changed_character():
    notes = TokenFormat("notes")

    class NotesTokenDetector(RegexBasedDetector):
        secret_type = "Notes token"
        denylist = [__import__("re").compile(notes.pattern)]

        def analyze_string(self, string):
            return (found for found in super().analyze_string(string) if notes.is_token(found))

    detector = NotesTokenDetector()
    made = [notes.make().arguments[0] for _ in range(1000)]
    changed = [one[:9] + ("a" if one[9] != "a" else "b") + one[10:] for one in made]

    def found(texts):
        return sum(bool(detector.analyze_line("app.py", f'TOKEN = "{text}"', 1)) for text in texts)

    assert (found(made), found(changed)) == (1000, 0)
