"""Which origins may be trusted."""

import pytest

from flask_unauthorized import APIKey, ConfigurationError, Identity

ADA_BY_TOKEN = {"good": Identity("ada")}


@pytest.mark.parametrize("origin", ["https://user@a.example", "https://a.example/", "ftp://a.example", "a.example"])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ConfigurationError, match="is not an origin"):
        APIKey(ADA_BY_TOKEN.get, cookie="k", trusted_origins=[origin])


@pytest.mark.parametrize("origin", ["http://a.example", "https://a.example:8443"])
def test_origins_of_both_schemes_are_trusted(origin):
    assert APIKey({}.get, cookie="k", trusted_origins=[origin]).trusted_origins == {origin}
    with pytest.raises(ConfigurationError, match="is not an origin: write https://host or https://host:port"):
        APIKey({}.get, cookie="k", trusted_origins=[origin + "/path"])


def test_hosts_of_other_schemes_are_no_addresses():
    """A host that ends in a number is an IPv4 address for the schemes of the web only (URL standard, opaque hosts)."""
    assert APIKey({}.get, cookie="k", trusted_origins=["app://v1.2"]).trusted_origins == {"app://v1.2"}
    with pytest.raises(ConfigurationError, match="is not an origin"):
        APIKey({}.get, cookie="k", trusted_origins=["https://v1.2"])
