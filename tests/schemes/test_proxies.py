"""Which peers are named proxies. Addresses come from the documentation ranges (RFC 5737, RFC 3849)."""

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import ConfigurationError
from flask_unauthorized.schemes.proxies import TrustedProxies, came_with_underscores


@pytest.mark.parametrize(
    ("proxies", "peer", "trusted"),
    [
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["192.0.2.0/24"], "192.0.2.255", True),
        (["192.0.2.0/24"], "192.0.3.0", False),
        (["198.51.100.7", "192.0.2.0/24"], "192.0.2.9", True),
        (["2001:db8::/32"], "2001:db8::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:0DB8::1"], "2001:db8:0::1", True),
        (["192.0.2.1"], "::ffff:192.0.2.1", True),  # an IPv6 socket that takes IPv4 as well
        (["::ffff:192.0.2.1"], "192.0.2.1", True),
        (["::ffff:192.0.2.0/120"], "192.0.2.77", True),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["192.0.2.1"], "192.0.2.1, 203.0.113.1", False),
        (["192.0.2.1"], "192.0.2.1:4711", False),
        (["192.0.2.1"], "unknown", False),
        (["192.0.2.1"], "", False),
        (["0.0.0.0/0", "::/0"], "", False),  # a UNIX socket is named, or it isn't trusted
        (["0.0.0.0/0", "::/0"], "localhost", False),
        (["unix"], "", True),  # gunicorn
        (["unix"], "localhost", True),  # waitress
        (["unix"], "<local>", True),  # Werkzeug
        (["unix"], "127.0.0.1", False),
        (["unix"], "unknown", False),
        (["unix"], "unix", False),
    ],
)
def test_the_peer_decides(proxies, peer, trusted):
    assert TrustedProxies(proxies).sent({"REMOTE_ADDR": peer}) is trusted


@pytest.mark.parametrize("environ", [{}, {"REMOTE_ADDR": None}, {"REMOTE_ADDR": 7}])
def test_a_server_that_names_no_peer_is_like_a_unix_socket(environ):
    assert TrustedProxies(["unix"]).sent(environ)
    assert not TrustedProxies(["0.0.0.0/0", "::/0"]).sent(environ)


def test_the_peer_is_compared_as_it_was_before_proxy_fix():
    seen = []
    proxies = TrustedProxies(["192.0.2.1"])

    def app(environ, start_response):
        seen.append((environ["REMOTE_ADDR"], proxies.sent(environ)))
        return []

    for peer, forwarded in (("192.0.2.1", "203.0.113.9"), ("203.0.113.9", "192.0.2.1")):
        ProxyFix(app)({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded, "wsgi.url_scheme": "http"}, None)
    assert seen == [("203.0.113.9", True), ("192.0.2.1", False)]


@pytest.mark.parametrize(
    ("proxies", "error", "message"),
    [
        ("127.0.0.1", TypeError, "proxies='127.0.0.1' is a bare string: write [\"127.0.0.1\"]"),
        (7, TypeError, "proxies must be a list of addresses and networks, not 7"),
        ([7], TypeError, "proxies must hold str, not int"),
        ([], ConfigurationError, 'proxies is empty: name the addresses of your proxies, such as ["127.0.0.1"]'),
        (
            ["proxy.example"],
            ConfigurationError,
            "proxies has 'proxy.example', which is not an address or a network: write such as \"10.0.0.5\", "
            '"10.0.0.0/24" or "unix"',
        ),
        (
            ["192.0.2.1/24"],
            ConfigurationError,
            "proxies has '192.0.2.1/24', which is not an address or a network: write such as \"10.0.0.5\", "
            '"10.0.0.0/24" or "unix". 192.0.2.1/24 lies in 192.0.2.0/24',
        ),
        (
            ["*"],
            ConfigurationError,
            "proxies has '*', which is not an address or a network: write such as \"10.0.0.5\", "
            '"10.0.0.0/24" or "unix"',
        ),
    ],
)
def test_values_are_checked_when_the_object_is_made(proxies, error, message):
    with pytest.raises(error) as raised:
        TrustedProxies(proxies)
    assert str(raised.value) == message


def test_the_message_names_the_argument():
    with pytest.raises(ConfigurationError) as raised:
        TrustedProxies([], "peers")
    assert str(raised.value).startswith("peers is empty: ")


def test_repr():
    assert repr(TrustedProxies(["unix", "10.0.0.0/8"])) == "TrustedProxies(['unix', '10.0.0.0/8'])"


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ([], False),
        ([b"x-remote-user"], False),
        ([b"x_remote_user"], True),
        ([b"x-remote_user", b"x-remote-user"], True),
        ([b"X_Remote_User"], True),
        ([b"x_remote_name"], False),
    ],
)
def test_a_spelling_with_underscores_is_found_where_the_server_names_it(sent, found):
    environ = {"asgi.scope": {"headers": [(name, b"root") for name in sent]}}  # as a2wsgi does
    assert came_with_underscores(environ, "X-Remote-User") is found
    assert not came_with_underscores({}, "X-Remote-User")
