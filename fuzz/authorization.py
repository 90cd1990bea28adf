"""`parse_authorization` on anything: see README.md."""

import sys

import atheris

with atheris.instrument_imports(include=["flask_unauthorized.wire"]):
    from flask_unauthorized.wire import GrammarError, parse_authorization
    from flask_unauthorized.wire.grammar import is_token, is_token68


def one_input(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        credentials = parse_authorization(text)
    except GrammarError:
        return
    if credentials is None:
        assert not text.strip(" \t")
        return
    assert is_token(credentials.scheme)
    assert text.strip(" \t").lower().startswith(credentials.scheme.lower())
    assert credentials.token68 is None or (is_token68(credentials.token68) and not credentials.params)
    names = [name.lower() for name, _ in credentials.params]
    assert len(names) == len(set(names)) <= 32
    for name, value in credentials.params:
        assert is_token(name)
        assert credentials.get(name.upper()) == value
        # What a quoted string stands for was there, but for its backslashes.
        assert value.replace("\\", "") in text.replace("\\", "")
    assert repr(credentials) == f"Credentials(scheme={credentials.scheme!r})"


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
