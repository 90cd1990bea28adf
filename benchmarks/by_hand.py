"""The decorator that a Flask developer writes without a library.

Pinned: it's a measure for the numbers of all releases, so it must not change.
"""

from functools import wraps

from flask import Response, abort, g, request


def token_required(tokens, scope=None):
    """Lets callers in whose Bearer token is in ``tokens``, with ``scope`` where one is given."""

    def decorate(view):
        @wraps(view)
        def guarded(*args, **kwargs):
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            caller = tokens.get(token) if scheme.lower() == "bearer" else None
            if caller is None:
                abort(Response("Unauthorized", 401, {"WWW-Authenticate": 'Bearer realm="benchmark"'}))
            if scope is not None and scope not in caller.scopes:
                challenge = f'Bearer realm="benchmark", error="insufficient_scope", scope="{scope}"'
                abort(Response("Forbidden", 403, {"WWW-Authenticate": challenge}))
            g.caller = caller
            return view(*args, **kwargs)

        return guarded

    return decorate
