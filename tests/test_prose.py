"""The check of wording finds phrases in prose and messages, and leaves code alone."""

from pathlib import Path

import pytest

from tools.prose import findings


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        ("page.md", "Whoever asks is refused.", [1]),
        ("page.md", "A database in trouble\n\n`nobody`: that is our own trouble.\n", [1, 3]),
        ("page.md", "Callers who ask are refused. There is no other way; it is no longer used.", []),
        ("page.md", "```python\nwhoever = nobody\n```\nNobody asks.", [4]),
        ("page.md", "[The page](docs/nobody.md)", []),
        ("page.md", "Nobody asks. <!-- prose: allowed -->", []),
        ("module.py", "nobody = whoever()\n", []),
        ("module.py", "x = 1  # nobody asks\n", [1]),
        ("module.py", '"""First line.\n\nThe rest is no help.\n"""\n', [3]),
        ("module.py", 'raise ValueError(f"{name!r} is no URL: write https://…")\n', [1]),
    ],
)
def test_phrases_are_found_in_prose_only(name, text, lines):
    assert [int(line.split(":")[1]) for line in findings(Path(name), text)] == lines


@pytest.mark.parametrize(
    "phrase",
    [
        "credentials of a scheme that the view doesn't take are nothing",
        "`None` is no.",
        "who should log in gets 401",
        "This is our own trouble.",
        "Outside stay: errors of Flask itself.",
        "Kept is a good answer for 60 seconds.",
        "A token is what RFC 9068 says it is.",
        "Texts that can hardly be read, by day or by night.",
        "For a route that nobody judges, the first scheme is offered.",
        "Of schemes that read the same, the first is offered.",
        "So its challenge can be told.",
        "The error isn't ours.",
        "What a handler says goes before what was recorded.",
        "Whether who was logged in has just logged in once more.",
        "That wasn't enough: nor will the next time be.",
        "Connections whose every wait ends in time.",
        "Their answers end in size.",
        "A flag holds where all schemes have it.",
        "Another one where any has.",
        "The document says what holds.",
        "The view answers 401. The other one answers with 403.",
        "Refuse credentials whose time is over.",
    ],
)
def test_each_phrase_that_readers_stumbled_over_is_found(phrase):
    assert list(findings(Path("page.md"), phrase)), phrase
    assert list(findings(Path("module.py"), f"# {phrase}\n")) or "`" in phrase


@pytest.mark.parametrize(
    "sentence",
    [
        "Unguarded routes offer every scheme. If two schemes read the same field, keep the first.",
        "Challenges on the response take precedence over the recorded ones.",
        "HTTP connections with a total deadline and a response size limit.",
        "Flags ending in `_required` are combined with `all()`, other flags with `any()`.",
        "The document lists the scopes and methods that the app enforces.",
        "Callers who should log in get 401. This address answers programs that send a valid token.",
        "## Who gets what",
        "Who is calling: people by their session, programs by a token.",
        "Who may read the log?",
        "The tests run over all pages, and there is no other way.",
        "It tells whether the caller is known.",
    ],
)
def test_plain_sentences_pass(sentence):
    assert not list(findings(Path("page.md"), sentence))
