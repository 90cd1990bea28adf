"""Check the project, one session per kind of check.

``nox --list`` shows the sessions, ``nox -s lint`` runs one, and ``nox -s ci`` runs what must pass before a change
lands. Arguments after ``--`` replace the paths that a test session runs: ``nox -s tests-3.12 -- tests/stores -x``.

Tests never run against the checkout. The session ``build`` makes a source archive and a wheel of it. Each test session
installs the wheel, then copies everything but the package to a folder of its own and runs there, so that only the
wheel can be imported.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
NOT_SOURCE = (".git", ".nox", ".venv", "build", "dist", "__pycache__", ".*_cache")
NEEDS_NO_PACKAGE = ("tests", "examples", "docs", "benchmarks", "fuzz", "tools")

# The commands of pyenv fail for versions that aren't active. Its interpreters themselves always work.
PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
os.environ["PATH"] = os.pathsep.join([*map(str, sorted(PYENV.glob("3.1[0-9]*/bin"))), os.environ["PATH"]])
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"
# The next version is tested wherever it is installed, before a classifier names it.
SUPPORTED = (*nox.project.python_versions(PROJECT), "3.14")
FOUND = [version for version in SUPPORTED if version == CURRENT or shutil.which(f"python{version}")]
OLDEST, NEWEST = FOUND[0], FOUND[-1]
BETWEEN = FOUND[1:-1] or [NEWEST]

# One number seeds the hashes of strings and the random order. Set SEED to repeat a run.
SEED = os.environ.get("SEED") or str(int(time.time()))

# Other sessions run these tests, because they need more than the extra `test`.
NEED_A_DATABASE = (
    "tests/loaders/stored/test_databases.py",
    "tests/loaders/stored/test_extensions.py",
    "tests/loaders/pairs/test_databases.py",
)
ELSEWHERE = (
    "tests/test_typing.py", "tests/clients", "tests/neighbours", "tests/live/test_uploads.py", "tests/docs",
    *NEED_A_DATABASE,
)  # fmt: skip
NEED_A_NEIGHBOUR = (
    "tests/loaders/test_client_authentication.py",
    "tests/loaders/test_jwt_extended.py",
    "tests/browser/test_oidc_example.py",
    "tests/docs/test_views_guides.py",
    "tests/live/test_remote_user.py",
    "tests/loaders/test_loaders_guide.py",
    "tests/loaders/stored/test_guide.py",
    "tests/pytest_plugin/test_plugin.py",
    "tests/runtime/test_dispatch_escapes.py",
    "tests/schemes/session/test_sha256_sessions.py",
    "tests/test_backchannel_logout.py",
    "tests/test_certificates.py",
    "tests/test_errors_travel.py",
    "tests/test_testing.py",
    "tests/docs/test_blocks.py",
    "tests/docs/test_symptoms_neighbours.py",
    "tests/docs/test_people_guides.py",
)
# What shows that the documentation is right: its programs run, generated pages are fresh, links lead somewhere.
CHECK_THE_DOCS = (
    "tests/docs",
    "tests/test_readme.py",
    "tests/test_recipes.py",
    "tests/test_guides.py",
    "tests/test_links.py",
    "tests/test_conformance_page.py",
    "tests/http_client/test_table.py",
    "tests/loaders/test_guide.py",
    "tests/loaders/test_loaders_guide.py",
    "tests/loaders/stored/test_guide.py",
    "tests/loaders/pairs/test_guide.py",
    "tests/browser/test_example.py",
    "tests/test_examples.py",
)
# In two processes. The tests of one file share servers, so they stay together.
BY_FILE = ("-n", "2", "--dist", "loadfile")
LEAST_COVERAGE = 98  # percent of lines and branches

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "types", "tests", "docs"]


def install_group(session: nox.Session, name: str) -> None:
    """Install a dependency group, which the pip of older Pythons can't read."""
    session.install(*nox.project.dependency_groups(PROJECT, name))


def install_wheel(session: nox.Session, *others: str) -> None:
    """Install the built wheel with the extra ``test``, and what else is named."""
    wheels = sorted(_built_files(session).glob("*.whl"))
    if not wheels:
        session.error("There is no wheel. Run nox without --no-deps, so that the session `build` makes one.")
    session.install(f"{wheels[-1]}[test]", *others)
    # In a reused environment pip takes a wheel of the same version for the same wheel.
    session.install("--force-reinstall", "--no-deps", str(wheels[-1]))


def run_pytest(session: nox.Session, *options: str, paths: tuple[str, ...] = (), with_coverage: bool = False) -> Path:
    """Run tests beside a copy of everything but the package. Return the folder of the copy."""
    folder = Path(session.virtualenv.location).resolve() / "tree"
    shutil.rmtree(folder, ignore_errors=True)
    for name in NEEDS_NO_PACKAGE:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (*ROOT.glob("*.md"), ROOT / "LICENSE", ROOT / "pyproject.toml", ROOT / "noxfile.py"):
        shutil.copy(file, folder)
    arguments = ["--", *session.posargs] if session.posargs else []
    session.log(f"To repeat this run: {shlex.join([f'SEED={SEED}', 'nox', '-s', session.name, *arguments])}")
    command = ("coverage", "run", "-m", "pytest") if with_coverage else ("python", "-m", "pytest")
    with session.chdir(folder):
        # Workers must collect the tests in one order, so they share the seed of hashes.
        environment = {"PYTHONHASHSEED": str(int(SEED) % 2**32)}
        session.run(*command, "-q", "-p", "no:cacheprovider", *options, *(session.posargs or paths), env=environment)
    return folder


def all_tests() -> tuple[str, ...]:
    """Options for all tests that need nothing but the extra ``test``, in two processes."""
    return ("-n", "2", *(f"--ignore={path}" for path in ELSEWHERE))


def collect_as_a_user(session: nox.Session) -> None:
    """Collect all tests with the extra ``test`` alone, as a user has it: a missing tool must skip tests, not break."""
    session.env["CI"] = ""
    run_pytest(session, "--collect-only", "-q")
    del session.env["CI"]


def _built_files(session: nox.Session) -> Path:
    return Path(session.cache_dir).resolve() / "dist"


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, docstrings, complexity, spelling and wording."""
    install_group(session, "lint")
    failed = []
    for command in (
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("codespell",),
        ("python", "tools/prose.py"),
        ("python", "tools/complexity.py", "flask_unauthorized"),
    ):
        try:
            session.run(*command)
        except CommandFailed:  # the others run too, so that one run shows everything
            failed.append(" ".join(command))
    if failed:
        session.error(f"failed: {', '.join(failed)}")


@nox.session
def build(session: nox.Session) -> None:
    """Build the source archive, and the wheel from it, twice: in two folders, to equal bytes."""
    install_group(session, "build")
    # The time of the commit stands in the archives, so that everybody builds the same bytes.
    moment = os.environ.get("SOURCE_DATE_EPOCH") or _time_of_commit()
    digests = []
    for folder in (_built_files(session), _built_files(session).with_name("dist-again")):
        shutil.rmtree(folder, ignore_errors=True)
        source = Path(session.create_tmp()) / folder.name
        shutil.rmtree(source, ignore_errors=True)
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        session.run(
            "python", "-m", "build", "--outdir", str(folder), str(source),
            env={"SOURCE_DATE_EPOCH": moment}, silent=True,
        )  # fmt: skip
        digests.append({file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())})
    if digests[0] != digests[1]:
        session.error(f"two builds of the same source differ: {digests[0]} and {digests[1]}")
    for name, digest in digests[0].items():
        session.log(f"{digest}  {name}")


def _time_of_commit() -> str:
    """Return when the checked-out commit was made, in seconds since 1970; a fixed time outside of a clone."""
    command = ("git", "-C", str(ROOT), "log", "-1", "--format=%ct")
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "1767225600"  # 2026-01-01


@nox.session(default=False, requires=["build"])
def sbom(session: nox.Session) -> None:
    """Write the SBOM of the wheel with all extras (CycloneDX), and look for known weaknesses in what it names."""
    wheel = max(_built_files(session).glob("*.whl"))
    users = Path(session.create_tmp()) / "users"  # what users get, without the tools of this session
    shutil.rmtree(users, ignore_errors=True)
    session.run("python", "-m", "venv", str(users), silent=True)
    python = str(users / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    extras = ",".join(sorted(set(PROJECT["project"]["optional-dependencies"]) - {"test"}))
    session.run(python, "-m", "pip", "install", "-q", f"{wheel}[{extras}]", external=True)
    session.run(python, "-m", "pip", "uninstall", "-q", "-y", "pip", "setuptools", external=True)
    install_group(session, "sbom")
    file = _built_files(session).with_name(f"{wheel.name.split('-py3')[0]}.cdx.json")
    session.run("cyclonedx-py", "environment", python, "--output-reproducible", "--of", "JSON", "-o", str(file))
    session.log(f"written: {file}")
    session.run("pip-audit", "--path", next(str(path) for path in users.rglob("site-packages")))


@nox.session(requires=["build"])
def types(session: nox.Session) -> None:
    """Run both type checkers over the package, and over uses that they must accept or refuse."""
    install_group(session, "types")
    install_wheel(session)
    pyright = ("pyright", "--pythonpath", shutil.which("python", path=session.bin) or "python")
    for command in (("mypy",), pyright):
        session.run(*command)
        session.run(*command, "noxfile.py", "tools")
    run_pytest(session, paths=("tests/test_typing.py",))


@nox.session(python=FOUND, requires=["build"])
def tests(session: nox.Session) -> None:
    """Run the tests against the wheel, on each Python that is found."""
    install_group(session, "tests")
    install_wheel(session)
    collect_as_a_user(session)
    run_pytest(session, *all_tests())


@nox.session(name="tests-lowest", python=OLDEST, requires=["build"])
def tests_lowest(session: nox.Session) -> None:
    """Run the tests in a random order, with the lowest Python, Flask and Werkzeug."""
    install_group(session, "random-order")
    install_wheel(session, "flask==3.0.0", "werkzeug==3.1.6")
    collect_as_a_user(session)
    run_pytest(session, *all_tests(), f"--randomly-seed={SEED}")


@nox.session(python=NEWEST, requires=["build"])
def coverage(session: nox.Session) -> None:
    """Run the tests and measure which lines and branches they reach. `coverage html` then shows them."""
    install_group(session, "coverage")
    install_wheel(session)
    folder = run_pytest(session, *all_tests(), with_coverage=True)
    session.run("coverage", "combine", "--quiet", str(folder))
    # Some of the tests alone can't reach all of the package.
    least = () if session.posargs else (f"--fail-under={LEAST_COVERAGE}",)
    session.run("coverage", "report", "--skip-covered", "--show-missing", *least)


@nox.session(name="random-apps", requires=["build"])
def random_apps(session: nox.Session) -> None:
    """Try apps that are made at random, new ones in each run."""
    install_wheel(session)
    session.env["RANDOM_APPS"] = "300"
    run_pytest(session, paths=("tests/test_random_apps.py", "tests/policy/test_random_routes.py"))


@nox.session(python=BETWEEN[0], requires=["build"])
def clients(session: nox.Session) -> None:
    """Let real clients, from curl to browsers, talk to real servers."""
    install_group(session, "clients")
    install_wheel(session)
    run_pytest(session, *BY_FILE, paths=("tests/clients", "tests/live/test_uploads.py", "tests/test_examples.py"))


@nox.session(python=BETWEEN[-1], requires=["build"])
def neighbours(session: nox.Session) -> None:
    """Run the extension beside other Flask extensions."""
    install_group(session, "tests")
    install_wheel(session, *nox.project.dependency_groups(PROJECT, "neighbours"))
    run_pytest(session, *BY_FILE, paths=("tests/neighbours", *NEED_A_NEIGHBOUR, *NEED_A_DATABASE))


@nox.session(python=NEWEST, requires=["build"])
def docs(session: nox.Session) -> None:
    """Build the site, run the programs of the docs, check that generated pages are fresh, and follow links."""
    install_group(session, "docs")
    install_wheel(session)
    site = Path(session.virtualenv.location).resolve() / "site"
    shutil.rmtree(site, ignore_errors=True)
    session.run("sphinx-build", "-W", "--keep-going", "-q", "-j", "auto", str(ROOT / "docs"), str(site))
    session.env["SITE"] = str(site)  # which tests/docs/test_site.py looks at
    run_pytest(session, *BY_FILE, paths=CHECK_THE_DOCS)
    session.log(f"open {site / 'index.html'}")


@nox.session(default=False, venv_backend="none")
def dev(session: nox.Session) -> None:
    """Make `.venv`: the checkout itself (editable), what the tests need, and all tools."""
    python = ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        session.run(sys.executable, "-m", "venv", ".venv")
    tools = nox.project.dependency_groups(PROJECT, "dev")
    session.run(str(python), "-m", "pip", "install", "-q", "-e", ".[test]", *tools)


@nox.session(default=False, venv_backend="none")
def ci(session: nox.Session) -> None:
    """Run everything that must pass before a change lands.

    The oldest Python runs the tests with the lowest Flask in a random order, and the newest one measures coverage. The
    Pythons between run the clients and the neighbours. All of this must end within half an hour. The session `tests`
    runs all tests on each Python.
    """
    for name in (
        "lint", "build", "types", "docs", "clients", "neighbours", "tests-lowest", "coverage", "random-apps",
    ):  # fmt: skip
        session.notify(name)
