"""The page of commands has all commands with their options, and shows what they print."""

import re
import subprocess
from collections.abc import Iterator

import click
import pytest

from flask_unauthorized.cli import commands

from . import pages

PAGE = "docs/reference/commands.md"


def all_commands(group: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with the words that call it."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from all_commands(command, *path, name)


COMMANDS = dict(all_commands(commands))


def sections() -> dict[str, str]:
    """The text of the page by heading."""
    parts = re.split(r"^## (.*)\n", (pages.ROOT / PAGE).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_has_all_commands_and_no_other():
    assert sorted(sections()) == sorted(COMMANDS)
    overview = (pages.ROOT / PAGE).read_text(encoding="utf-8").partition("\n## ")[0]
    assert sorted(re.findall(r"^\| \[`([^`]+)`\]", overview, re.MULTILINE)) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_has_the_arguments_and_options_of_its_command(name):
    text = sections()[name]
    usage = re.search(rf"^`flask unauthorized {name}(.*)`$", text, re.MULTILINE)
    assert usage is not None
    arguments = [one for one in COMMANDS[name].params if isinstance(one, click.Argument)]
    shown = re.findall(r"\b[A-Z]+(?=…| |$)", re.sub(r"--\w+ TEXT", "", usage[1]))
    assert len(shown) == len(arguments)
    options = {one.opts[0]: one for one in COMMANDS[name].params if isinstance(one, click.Option)}
    rows = dict(re.findall(r"^\| `(--[\w-]+)[^`]*` \| (.*) \|$", text, re.MULTILINE))
    assert set(rows) == set(options)
    for option, row in rows.items():
        default = re.search(r"Default: `(\w+)`", row)
        if default is not None:
            assert options[option].default == default[1]


def test_the_commands_print_what_the_page_shows(tmp_path):
    (program,) = pages.blocks(PAGE, "python")
    (tmp_path / "app.py").write_text(program, encoding="utf-8")
    shown = [pair for block in pages.blocks(PAGE, "console") for pair in pages.commands(block)]
    assert len(shown) > len(COMMANDS)
    for command, lines in shown:
        # Without a terminal, the prompt for a password reads the input.
        done = subprocess.run(
            ["sh", "-c", command], cwd=tmp_path, env=pages.environment(), input="correct horse\n" * 2, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, timeout=60,
        )  # fmt: skip
        assert not pages.missing_lines(lines, done.stdout), f"$ {command}\n{done.stdout}"
        assert (done.returncode == 0) or "Error" in done.stdout
