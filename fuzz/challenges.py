"""`parse_challenges` on anything: see README.md."""

import sys

import atheris

with atheris.instrument_imports(include=["flask_unauthorized.wire"]):
    from flask_unauthorized.wire import GrammarError, parse_challenges


def one_input(data: bytes) -> None:
    text = data.decode("latin-1")
    try:
        challenges = parse_challenges(text)
    except GrammarError:
        return
    try:
        printed = [str(challenge) for challenge in challenges]
    except GrammarError:
        return
    for challenge, line in zip(challenges, printed, strict=True):
        assert "\r" not in line
        assert "\n" not in line
        assert parse_challenges(line) == (challenge,), (text, line)
    assert parse_challenges(printed) == challenges


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
