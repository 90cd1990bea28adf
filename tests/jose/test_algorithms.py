"""The names of algorithms that a developer gives."""

import pytest

from flask_unauthorized import ConfigurationError
from flask_unauthorized.jose.algorithms import validated_algorithms


def test_names_become_a_set():
    assert validated_algorithms(["RS256", "ES256", "RS256"]) == {"RS256", "ES256"}
    assert validated_algorithms(name for name in ("EdDSA", "Ed25519")) == {"EdDSA", "Ed25519"}


@pytest.mark.parametrize(
    ("names", "error", "text"),
    [
        ("RS256", TypeError, r"^algorithms='RS256' is a bare string: write \('RS256',\)$"),
        (b"RS256", TypeError, r"^algorithms=b'RS256' is a bare string"),
        ((), ConfigurationError, r"^algorithms is empty: name those that the issuer signs with"),
        (
            ["RS256", "RS255"],
            ConfigurationError,
            r"^'RS255' is not an algorithm that is verified: choose among ES",
        ),
        (["none"], ConfigurationError, r"^'none' is not an algorithm that is verified"),
    ],
)
def test_what_names_no_algorithm(names, error, text):
    with pytest.raises(error, match=text):
        validated_algorithms(names)
