"""Run what a change must pass, each session in a fresh environment: `nox -s tests lint`.

`nox -l` lists the sessions. An interpreter that is not installed skips its session.
"""

import re

import nox

nox.options.sessions = ["lint", "tests"]
nox.options.reuse_existing_virtualenvs = True
OFFLINE = {"HF_HUB_OFFLINE": "1"}
# Tests of every room; a few files only of those that take long. Pickles are read with torch 2.10 or
# newer only: older ones get a message, so the tests that read pickles are left out. In bfloat16 on
# a CPU, diffusers 0.36 with torch 2.6 draws noise, also without clipcond.
OLDEST = [
    "--ignore=tests/checkpoints/test_pickles.py",
    "--ignore=tests/checkpoints/test_textual_inversions.py",
    "--deselect=tests/checkpoints/test_fuzz.py::test_a_damaged_file_is_refused_or_read_as_it_is[pt",
    "--deselect=tests/pipelines/test_adapters.py::test_a_tower_by_name_follows_the_pipeline",
    *("tests/cli", "tests/metadata", "tests/prompt/test_parse.py", "tests/chunking"),
    *("tests/tokenizers", "tests/towers", "tests/checkpoints", "tests/weighting"),
    *("tests/adapters", "tests/reading", "tests/conditioning", "tests/pipelines"),
    *("tests/training/test_align.py", "tests/parity/test_a1111_tensors.py"),
    "tests/end_to_end/test_cli.py",
    *("tests/end_to_end/test_embedded.py", "tests/end_to_end/test_embedded_zh.py"),
]

ALL = ["-m", "slow or not slow"]


def lower_bounds(*extras: str) -> list[str]:
    """Return the oldest release that pyproject allows of each dependency: "torch==2.6"."""
    project = nox.project.load_toml("pyproject.toml")["project"]
    wanted = [*project["dependencies"]]
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\w.]+)", each) for each in wanted)
    return [f"{match[1]}=={match[2]}" for match in found if match]


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests with the newest releases."""
    session.install("-e", ".[test]")
    session.run("pytest", *(session.posargs or ALL), env=OFFLINE)


@nox.session(python="3.13")
def py313(session: nox.Session) -> None:
    """Run all tests on Python 3.13."""
    session.install("-e", ".[test]")
    session.run("pytest", *(session.posargs or ALL), env=OFFLINE)


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """Run tests of every room on Python 3.10 with all lower bounds together."""
    session.install(*lower_bounds("test"))
    session.install("-e", ".", "--no-deps")
    session.run("pytest", *(session.posargs or OLDEST), env=OFFLINE)


@nox.session
def deep(session: nox.Session) -> None:
    """Try many more random inputs than the ordinary run does; takes half an hour."""
    session.install("-e", ".[test]")
    rooms = session.posargs or [
        *(
            "tests/prompt",
            "tests/chunking",
            "tests/conditioning",
            "tests/towers/test_random_events.py",
        )
    ]
    env = {**OFFLINE, "CLIPCOND_FUZZ": "10000"}
    session.run("pytest", "--hypothesis-profile=deep", *ALL, *rooms, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types, and which room imports which."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--strict")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; a broken link or a missing page is an error."""
    session.install("-e", ".[docs]")
    session.run("mkdocs", "build", "--strict", *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the wheel, install it elsewhere and check a user's program against it."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/packaging", *session.posargs, env=OFFLINE)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run all tests and report which lines and branches they reach."""
    session.install("-e", ".[test]")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *(session.posargs or ALL), env=OFFLINE)
    session.run("coverage", "combine")
    session.run("coverage", "report")
