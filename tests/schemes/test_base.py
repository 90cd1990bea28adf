"""What all schemes have in common."""

import pytest

from flask_unauthorized import Bearer


def test_a_secret_shows_nothing_and_does_not_travel():
    import pickle

    from flask_unauthorized.schemes.base import Secret

    secret = Secret()
    secret.arguments = ("s3cret",)
    assert repr(secret) == "<Secret>"
    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(secret)
    assert repr(Bearer({}.get)) == "<Bearer Bearer>"
