"""Who is calling: the session, and the password behind it."""

from datetime import timedelta

from flask_unauthorized import Auth, SessionCookie
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.stores.sqlite import SQLiteStore

from . import database
from .database import User

auth: Auth[User] = Auth(
    SessionCookie(
        database.user_by_id,  # on each request: a user who was deleted is out at once
        subject=lambda user: str(user.id),
        login_view="pages.login",
        logout_view="pages.logout",
        store=SQLiteStore(database.FOLDER / "sessions.db"),  # a logout counts for copied cookies too; lists the devices
        remember=timedelta(days=30),  # for those who tick "Remember me"
    ),
    realm="Notes",
)
# An unknown name takes as long as a wrong password.
check_password = Passwords(database.hash_of, load=database.user_by_name)
