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
