"""Who is calling: people by their session, programs by a token."""

from sqlalchemy import create_engine

from flask_unauthorized import APIKey, Auth, Bearer, SessionCookie
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.loaders.stored import StoredTokens
from flask_unauthorized.stores.sqlite import SQLiteStore
from flask_unauthorized.throttle import Throttle

from . import database
from .database import User

store = SQLiteStore(database.FOLDER / "sessions.db")  # sessions that have ended, and failed logins
throttle = Throttle(store)
engine = create_engine(f"sqlite:///{database.FILE}")
tokens = StoredTokens(
    engine,
    prefix="notes",
    load=database.identity_of,  # on each request: a token never has more scopes than its owner has then
    max_per_owner=20,
)
session = SessionCookie(
    database.identity_of,  # on each request: a user who was deleted is out at once
    login_view="pages.login",
    logout_view="pages.logout",
    store=store,
)
bearer = Bearer(tokens, throttle=throttle)
key = APIKey(tokens, header="X-API-Key", throttle=throttle)
auth: Auth[User] = Auth(session, bearer, key, realm="Notes")
# An unknown name takes as long as a wrong password.
check_password = Passwords(database.hash_of, load=database.identity_by_name)
