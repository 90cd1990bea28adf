"""`SessionCookie` and its parts: people in browsers, authenticated by Flask's session.

From the top down:

- `lifecycle`: what a login, a confirmation and a logout do to the session;
- `scheme`: `SessionCookie`, which reads and verifies the session on each request;
- `remembered_logins`: how a remember cookie opens a session, and `remember_cookie`: its name, flags and value;
- `entries`: what the store keeps of sessions, by `devices` (one login), `not_before` (all logins of a user until a
  moment) and `storage` (keys, lifetimes, lists);
- `flask_session` and `record`: the login in Flask's session;
- `sha256_sessions`: Flask's session with another signature, for apps that must not use SHA-1;
- `page_urls` and `settings`: checks of the pages and of Flask's settings.
"""
