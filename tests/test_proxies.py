"""Which peer is a trusted proxy: addresses, networks, Unix sockets, and what middleware does to REMOTE_ADDR."""

import pytest
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import Auth, Bearer, ConfigurationError, DPoP
from flask_unauthorized.certificates import ClientCert
from flask_unauthorized.proxies import TrustedProxies, came_with_underscores
from flask_unauthorized.schemes.remote_user import RemoteUser


class Socket:
    """A socket whose other end is ``peer``; an exception is raised."""

    def __init__(self, peer):
        self.peer = peer

    def getpeername(self):
        if isinstance(self.peer, Exception):
            raise self.peer
        return self.peer


@pytest.mark.parametrize(
    ("named", "peer", "trusted"),
    [
        ("10.0.0.5", "10.0.0.5", True),
        ("10.0.0.5", "10.0.0.6", False),
        ("10.0.0.0/8", "10.255.255.255", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.5", "::ffff:10.0.0.5", True),
        ("10.0.0.5", "::10.0.0.5", False),
        ("2001:db8::/32", "2001:DB8:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("::1", "127.0.0.1", False),
        ("fe80::/10", "fe80::1%eth0", True),
        ("10.0.0.5", "010.0.0.5", False),
        ("10.0.0.5", "10.0.0.5 ", False),
        ("10.0.0.5", "167772165", False),
        ("10.0.0.5", "", False),
        ("10.0.0.5", None, False),
        ("127.0.0.1", "localhost", False),
        ("unix:", "", True),
        ("unix:", None, True),
        ("unix:", "localhost", True),
        ("unix:", "<local>", True),
        ("unix:", "127.0.0.1", False),
    ],
)
def test_addresses(named, peer, trusted):
    assert TrustedProxies([named]).trusts({"REMOTE_ADDR": peer}) is trusted


def test_without_an_address_only_a_unix_socket_is_trusted():
    assert not TrustedProxies(["10.0.0.5"]).trusts({})
    assert TrustedProxies(["10.0.0.5", "unix:"]).trusts({})


def through(proxy_fixes, environ):
    """The environ as it is inside of a number of ProxyFix."""
    found = {}
    app = lambda environ, start_response: found.update(environ) or []  # noqa: E731
    for _ in range(proxy_fixes):
        app = ProxyFix(app)
    app(environ, None)
    return found


def test_proxy_fix_does_not_change_the_peer():
    proxies = TrustedProxies(["10.0.0.5"])
    assert proxies.trusts(through(1, {"REMOTE_ADDR": "10.0.0.5", "HTTP_X_FORWARDED_FOR": "192.0.2.1"}))
    forged = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "10.0.0.5"}
    inside = through(1, forged)
    assert inside["REMOTE_ADDR"] == "10.0.0.5"
    assert not proxies.trusts(inside)


@pytest.mark.parametrize("key", ["gunicorn.socket", "werkzeug.socket"])
def test_the_socket_decides_where_the_address_was_replaced_without_a_record(key):
    """A second ProxyFix overwrites the record of the first, and other middlewares keep none."""
    proxies = TrustedProxies(["10.0.0.5"])
    for replaced in (
        through(2, {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": "10.0.0.5"}),
        {"REMOTE_ADDR": "10.0.0.5"},
    ):
        assert proxies.trusts(replaced)  # nothing shows it without the socket
        assert not proxies.trusts({**replaced, key: Socket(("192.0.2.1", 40000))})
        assert proxies.trusts({**replaced, key: Socket(("10.0.0.5", 40000))})
        assert proxies.trusts({**replaced, key: Socket(("::ffff:10.0.0.5", 40000, 0, 0))})


@pytest.mark.parametrize("peer", [OSError("closed"), ValueError("closed"), "", b"", "/run/client.sock"])
def test_a_socket_that_has_no_address(peer):
    environ = {"REMOTE_ADDR": "10.0.0.5", "gunicorn.socket": Socket(peer)}
    assert not TrustedProxies(["10.0.0.5"]).trusts(environ)
    is_unix = not isinstance(peer, Exception)
    assert TrustedProxies(["unix:"]).trusts({**environ, "REMOTE_ADDR": ""}) is is_unix


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], False),
        ([(b"x-forwarded-user", b"ada")], False),
        ([(b"x_forwarded_user", b"ada")], True),
        ([(b"x-forwarded-user", b"ada"), (b"X-Forwarded_User", b"admin")], True),
        ([(b"x_forwarded_users", b"ada")], False),
    ],
)
def test_underscores_where_the_server_shows_names(sent, found):
    assert came_with_underscores({"asgi.scope": {"headers": sent}}, "X-Forwarded-User") is found
    assert not came_with_underscores({}, "X-Forwarded-User")


def by_remote_user(app):
    Auth(RemoteUser(lambda name: True, header="X-Forwarded-User", proxies=["10.0.0.5"])).init_app(app)


def by_certificate(app):
    Auth(Bearer(lambda token: None, certificate=ClientCert(["10.0.0.5"]))).init_app(app)


def by_certificate_beside_a_key(app):
    Auth(DPoP(lambda token: None, origin="https://a.example", certificate=ClientCert(["10.0.0.5"]))).init_app(app)


def by_forward_auth(app):
    auth = Auth(Bearer(lambda token: None))
    auth.init_app(app)
    auth.forward_auth("/auth", proxies=["10.0.0.5"])


def by_nothing(app):
    Auth(Bearer(lambda token: None)).init_app(app)


@pytest.mark.parametrize("use", [by_remote_user, by_certificate, by_certificate_beside_a_key, by_forward_auth])
@pytest.mark.parametrize(
    ("layers", "is_safe"),
    [
        ([], True),
        ([{"x_for": 1}], True),
        ([{"x_for": 1}, {"x_for": 0, "x_proto": 1}], True),  # the outer one leaves the address alone
        ([{"x_for": 0, "x_proto": 1}, {"x_for": 1}], False),
        ([{"x_for": 1}, {"x_for": 1}], False),
        ([{"x_for": 1}, {"x_for": 0}, {"x_for": 1}], False),
    ],
    ids=str,
)
def test_a_second_proxy_fix_would_let_a_client_choose_the_peer(use, layers, is_safe):
    """Layers are written from the inside out. Servers such as waitress and mod_wsgi pass on no socket."""
    app = Flask("site")
    use(app)
    for arguments in layers:
        app.wsgi_app = ProxyFix(app.wsgi_app, **arguments)
    auth = app.extensions["unauthorized"]
    if is_safe:
        auth.check()
        return
    with pytest.raises(ConfigurationError, match=r"ProxyFix stands twice around the app .site.*use one ProxyFix"):
        auth.check()


def test_apps_that_compare_no_peer_may_have_several_proxy_fixes():
    app = Flask("site")
    by_nothing(app)
    app.wsgi_app = ProxyFix(ProxyFix(app.wsgi_app))
    app.extensions["unauthorized"].check()


def test_a_layer_that_names_itself_does_not_stop_the_set_up():
    class Layer:
        def __init__(self, inner):
            self.inner = inner
            self.app = self

    app = Flask("site")
    by_remote_user(app)
    app.wsgi_app = Layer(app.wsgi_app)
    app.extensions["unauthorized"].check()
