"""`SessionCookie` and its parts: people in browsers, authenticated by Flask's session."""
