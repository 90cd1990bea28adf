"""One request: from what was sent to an `Identity` or an `AuthError`."""
