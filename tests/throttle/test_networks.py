"""Where a request came from: by the address that the server knows, never by a field alone."""

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized.throttle.networks import network_of


def environ(address, forwarded=None, **more):
    sent = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return {"REMOTE_ADDR": address, **sent, **more}


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::FFFF:CB00:7107", "203.0.113.7"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_stands_for_its_network(address, key):  # THR-05
    assert network_of(environ(address)) == (key, False)


@pytest.mark.parametrize("address", ["", None, "localhost", "<local>", "unknown", "1.2.3.4.5"])
def test_a_peer_without_an_address_is_a_proxy(address):
    assert network_of(environ(address)) == ("unix", True)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.31.0.1", "192.168.1.1", "127.0.0.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"],
)
def test_a_private_peer_that_forwards_without_proxy_fix_is_shared(address):
    assert network_of(environ(address, "203.0.113.7")).is_shared
    assert not network_of(environ(address)).is_shared


@pytest.mark.parametrize("address", ["203.0.113.7", "172.32.0.1", "11.0.0.1", "2001:db8::1", "100.128.0.1"])
def test_a_public_peer_cannot_switch_the_limit_off(address):  # THR-04
    with_field = network_of(environ(address, "198.51.100.1"))
    assert with_field == network_of(environ(address))
    assert not with_field.is_shared


def test_proxy_fix_names_the_client():
    seen = []

    def app(environ, start_response):
        seen.append(network_of(environ))
        return []

    fixed = ProxyFix(app, x_for=1)
    fixed(environ("10.0.0.5", "203.0.113.7"), None)
    fixed(environ("10.0.0.5", "10.9.9.9"), None)  # a client inside
    ProxyFix(app, x_for=0, x_proto=1)(environ("10.0.0.5", "203.0.113.7"), None)
    assert seen == [("203.0.113.7", False), ("10.9.9.9", False), ("10.0.0.5", True)]
