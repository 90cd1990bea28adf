"""What the servers of the forged names serve: one view for each place where a name may come from.

``PROXY_FIXES`` in the environment says how many `ProxyFix` stand before the app. A function stands between them,
so that the set-up can't see the second one and refuse it.
"""

import os

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import Auth
from flask_unauthorized.schemes.remote_user import RemoteUser


def known(name):
    return True


server = RemoteUser(known)
named = RemoteUser(known, header="X-Forwarded-User", proxies=["127.0.0.0/8", "::1"])
stranger = RemoteUser(known, header="X-Remote-User", proxies=["10.0.0.5"])
unix = RemoteUser(known, header="X-Unix-User", proxies=["unix:"])
auth = Auth(server, named, stranger, unix, realm="live")
app = Flask("remote_user")
auth.init_app(app)
for scheme, path in ((server, "/server"), (named, "/named"), (stranger, "/stranger"), (unix, "/unix")):
    view = auth.login_required(via=scheme)(lambda: auth.identity.subject)
    app.add_url_rule(path, path[1:], view, methods=["GET", "POST"])
app.add_url_rule("/any", "any", auth.login_required(lambda: auth.identity.subject))


def hidden(layer):
    return lambda environ, start_response: layer(environ, start_response)


for _ in range(int(os.environ.get("PROXY_FIXES", "1"))):
    app.wsgi_app = ProxyFix(hidden(app.wsgi_app))  # type: ignore[method-assign]  # as Flask documents it

try:
    from a2wsgi import WSGIMiddleware
except ImportError:
    pass
else:
    asgi = WSGIMiddleware(app)  # type: ignore[arg-type]
