"""examples/jwt_api: the commands that it prints do what stands behind them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

needs_tools = pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("curl") and shutil.which("bash")), reason="curl and bash are needed"
)


@pytest.fixture(scope="module")
def printed():
    """What the example prints; it serves until the test is over."""
    environ = {**os.environ, "PORT": "0", "ISSUER_PORT": "0", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "examples.jwt_api"]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as example:
        try:
            lines = []
            while (not lines or lines[-1].strip() or len(lines) < 5) and len(lines) < 1000:
                line = example.stdout.readline()
                assert line, "the example ended"
                lines.append(line)
                if "# 200" in line and "rotate" in lines[-2]:
                    break
            yield "".join(lines)
        finally:
            example.terminate()  # SIGINT is ignored where the tests themselves run in the background
            try:
                example.wait(30)
            except subprocess.TimeoutExpired:
                example.kill()
                raise


@needs_tools
@pytest.mark.rfc("J-13")
def test_key_22_the_commands_do_what_stands_behind_them(printed):
    function = printed[printed.index("  token()") : printed.index("; }") + 3]
    commands = [line for line in printed.splitlines() if line.startswith("  curl -")]
    assert len(commands) == 6
    for line in commands:
        command, _, note = line.partition("# ")
        done = subprocess.run(
            ["bash", "-c", f"{function}\n{command}"], capture_output=True, text=True, timeout=60, check=True
        )
        if re.match(r"\d+", note):
            assert done.stdout.split()[1] == note[:3], (line, done.stdout)
    assert '"you":"reader"' in done.stdout.replace(" ", "")
