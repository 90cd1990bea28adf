"""Who is calling: the session, the password behind it, and the levels that a passkey raises it to."""

from flask_unauthorized import Auth, SessionCookie
from flask_unauthorized.loaders import Passwords
from flask_unauthorized.stores.sqlite import SQLiteStore

from . import database
from .database import User

DEVICE_BOUND, SYNCED = "phrh", "phr"
"""The levels, by their names in OpenID Connect EAP ACR Values 1.0. Both are phishing-resistant.

``phrh`` also says that hardware protects the key. This app uses it for passkeys that never leave their device. That is
the authenticator's own word: to have it proven, ask for an attestation and check it.
"""
PASSKEY = (DEVICE_BOUND, SYNCED)
"""Any passkey. Demand ``acr="phrh"`` where a passkey that a phone or a browser syncs isn't enough."""
FRESH = 300
"""Seconds for which a confirmation counts."""

store = SQLiteStore(database.FOLDER / "sessions.db")  # sessions that have ended, and challenges that were used
auth: Auth[User] = Auth(
    SessionCookie(
        database.user_by_id,  # on each request: a user who was deleted is out at once
        subject=lambda user: str(user.id),
        login_view="pages.login",
        logout_view="pages.logout",
        store=store,
        keep_query={"next"},  # the step-up page and the page of passkeys have a way back of their own
    ),
    realm="Payouts",
)
# An unknown name takes as long as a wrong password.
check_password = Passwords(database.hash_of, load=database.user_by_name)
