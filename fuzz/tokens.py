"""`read_jws`, `read_json_object` and `JWT` on anything: see README.md."""

import sys

import atheris

with atheris.instrument_imports(
    include=["flask_unauthorized.wire", "flask_unauthorized.loaders", "flask_unauthorized.jose"]
):
    from flask_unauthorized import InvalidCredentials
    from flask_unauthorized.jose import hmac_key
    from flask_unauthorized.loaders.jwt import JWT
    from flask_unauthorized.wire.jws import JOSEError, encode_base64url, read_json_object, read_jws

loader = JWT("https://id", audience="a", keys=hmac_key(b"k" * 32), algorithms=["HS256"], profile="oidc-compat")
HEADER = encode_base64url(b'{"alg":"HS256"}')


def one_input(data: bytes) -> None:
    text = data.decode("latin-1")
    for token in (text, f"{encode_base64url(data)}.e30.eA", f"{HEADER}.{encode_base64url(data)}.{'A' * 43}"):
        try:
            loader(token)
        except InvalidCredentials as refused:
            assert refused.reason
        else:
            raise AssertionError("nobody signed that")
    try:
        read = read_jws(text)
    except JOSEError:
        pass
    else:
        parts = (read.payload, read.signature)
        assert text.split(".")[1:] == [encode_base64url(part) for part in parts]
        assert isinstance(read.header["alg"], str)
    try:
        assert isinstance(read_json_object(data), dict)
    except JOSEError:
        pass


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
