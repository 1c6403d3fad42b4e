"""Tests of scripts/setup.sh and the Makefile, without network access and without a real .venv.

python3 and pip are replaced by a shell script on a PATH that holds nothing else.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = (
    "sh",
    "awk",
    "cat",
    "cksum",
    "cut",
    "df",
    "dirname",
    "du",
    "env",
    "mkdir",
    "rm",
    "sed",
    "sleep",
    "uname",
)
IGNORED_ANYWHERE = {
    ".git",
    ".hypothesis",
    ".venv",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "wandb",
}
IGNORED_AT_THE_TOP = {"build", "data", "dist", "multirun", "outputs", "runs", "site"}

# Answers like Python of a given version, and records what pip is asked to install. The file lock is
# taken by a real Python.
FAKE_PYTHON = f"""#!/bin/sh
case "$*" in
    *version_info*) echo "${{FAKE_VERSION:-3.12}}" ;;
    *ensurepip*default-pip*) ;;
    *ensurepip*) exit "${{FAKE_VENV:-0}}" ;;
    "-m venv"*) mkdir -p .venv/bin && cat "$0" >.venv/bin/python && chmod +x .venv/bin/python ;;
    *"pip install"*) echo "$*" >>installs; sleep "${{FAKE_SLEEP:-0}}"; exit "${{FAKE_PIP:-0}}" ;;
    -) exec {sys.executable} - ;;
esac
"""


@pytest.fixture
def checkout(tmp_path):
    """Return a folder with only the files of set-up, and a PATH with a fake python3."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "scripts/setup.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / "path"
    path.mkdir()
    for tool in (*TOOLS, "chmod"):
        (path / tool).symlink_to(shutil.which(tool))
    (path / "python3").write_text(FAKE_PYTHON)
    (path / "python3").chmod(0o755)
    return tmp_path


def start_setup(checkout, **variables):
    env = {"PATH": str(checkout / "path"), "SETUP_GB": "0", **variables}
    return subprocess.Popen(
        ["sh", "scripts/setup.sh"],
        cwd=checkout,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_setup(checkout, **variables):
    process = start_setup(checkout, **variables)
    process.out, process.err = process.communicate(timeout=30)
    return process


def installs(checkout):
    """Return the recorded calls of pip install."""
    record = checkout / "installs"
    return record.read_text().splitlines() if record.exists() else []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"FAKE_VERSION": "3.8"}, ("Python 3.8", "3.11, 3.12 or 3.13", "make PYTHON=python3.12")),
        ({"FAKE_VERSION": "3.10"}, ("Python 3.10", "make PYTHON=python3.12")),
        ({"FAKE_VERSION": "3.14"}, ("Python 3.14", "make PYTHON=python3.12")),
        ({"PYTHON": "python3.99"}, ("python3.99 is not installed",)),
        ({"FAKE_VENV": "1"}, ("venv module is missing", "apt install python3.12-venv")),
        ({"SETUP_GB": "9000000"}, ("disk space", "9000000 GB", "SETUP_GB=0")),
    ],
)
def test_a_missing_requirement_is_reported_in_one_line_before_any_work(checkout, variables, words):
    done = run_setup(checkout, **variables)
    assert done.returncode == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("setup: ")
    assert [word for word in words if word not in done.err] == []
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_reported_with_the_versions_that_work(checkout):
    (checkout / "path/python3").unlink()
    done = run_setup(checkout)
    assert done.returncode == 2
    assert "python3 is not installed" in done.err
    assert "3.11, 3.12 or 3.13" in done.err


def test_set_up_installs_the_lock_then_the_repository_and_nothing_the_next_time(checkout):
    assert run_setup(checkout).returncode == 0
    tools, lock, project = installs(checkout)
    assert tools.endswith("--require-hashes -r .venv/build-tools.txt")
    assert lock.endswith("--require-hashes -r .venv/packages.txt")
    assert project.endswith("--no-deps -e .")
    again = run_setup(checkout)
    assert (again.returncode, again.out, again.err, len(installs(checkout))) == (0, "", "", 3)


def test_set_up_installs_the_extras_only_where_they_are_wanted(checkout):
    run_setup(checkout)
    packages = checkout / ".venv/packages.txt"
    base = packages.read_text()
    assert "\ntorch==" in base
    assert "\nray==" not in base
    assert (checkout / ".venv/build-tools.txt").read_text().startswith("setuptools==")
    run_setup(checkout, EXTRAS="1")
    assert packages.read_text() == (checkout / "requirements.lock").read_text()
    assert len(installs(checkout)) == 6
    run_setup(checkout)
    assert len(installs(checkout)) == 6


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_changed_file_of_dependencies_installs_again(checkout, name):
    run_setup(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    run_setup(checkout)
    assert len(installs(checkout)) == 6


def test_another_python_version_makes_a_new_venv(checkout):
    run_setup(checkout)
    (checkout / ".venv/old").touch()
    (checkout / "path/python3.13").write_text(FAKE_PYTHON.replace("3.12", "3.13"))
    (checkout / "path/python3.13").chmod(0o755)
    assert "Python 3.13" in run_setup(checkout, PYTHON="python3.13").out
    assert not (checkout / ".venv/old").exists()


def test_a_moved_repository_makes_a_new_venv(checkout, tmp_path_factory):
    run_setup(checkout)
    (checkout / ".venv/old").touch()
    moved = checkout.rename(tmp_path_factory.mktemp("elsewhere") / "a folder")
    assert run_setup(moved).returncode == 0
    assert not (moved / ".venv/old").exists()


def test_an_unfinished_venv_is_replaced_and_one_made_by_hand_is_kept(checkout):
    (checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy(checkout / "path/python3", checkout / ".venv/bin/python")
    (checkout / ".venv/mine").touch()
    failed = run_setup(checkout, FAKE_PIP="1")
    assert failed.returncode == 2
    assert "could not install the packages" in failed.err
    assert (checkout / ".venv/mine").exists()
    assert run_setup(checkout).returncode == 0
    assert not (checkout / ".venv/mine").exists()


def test_two_set_ups_at_the_same_time_install_once(checkout):
    both = [start_setup(checkout, FAKE_SLEEP="0.2") for _ in range(2)]
    outs = sorted(process.communicate(timeout=30)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert len(installs(checkout)) == 3
    assert "setup: done" in "".join(outs)


def make(*arguments):
    """Return what make prints."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=env,
        text=True,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout


def test_help_is_the_default_target_and_lists_every_target():
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert make() == make("help")
    assert re.findall(r"^  make (\S+)", make(), re.M) == targets
    assert "test" in targets


@pytest.mark.parametrize(
    "target", ["train", "test", "test-all", "lint", "data", "report", "bench", "docs"]
)
def test_every_target_that_runs_something_starts_with_set_up(target):
    steps = make("-n", target).splitlines()
    assert steps[0] == "sh scripts/setup.sh"
    assert ".venv/bin/" in steps[1]


def read_project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def read_lock():
    """The text of the base part and of the extras; one requirement a line, with its hashes."""
    base, extras = (ROOT / "requirements.lock").read_text().split("# extras: ")
    return base.replace("\\\n", ""), extras.partition("\n")[2].replace("\\\n", "")


def read_pins(text):
    return [line.split()[0] for line in text.splitlines() if not line.startswith("#")]


def test_the_lock_pins_one_version_of_every_dependency():
    base, extras = map(read_pins, read_lock())
    pins = base + extras
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", pin)] == []
    project = read_project()

    def names(needs):
        return {re.split(r"[<>=~! \[]", need)[0].lower() for need in needs}

    optional = project["optional-dependencies"]
    installed = names(project["dependencies"] + optional["dev"] + optional["docs"])
    assert installed - {pin.split("==")[0] for pin in base} == set()
    wanted = installed.union(*map(names, optional.values()))
    assert wanted - {pin.split("==")[0] for pin in pins} == set()


def test_every_pin_of_the_lock_has_hashes():
    for line in "".join(read_lock()).splitlines():
        if not line.startswith("#"):
            assert re.search(r"( +--hash=sha256:[0-9a-f]{64})+$", line), line


def test_set_up_accepts_the_python_versions_of_the_project():
    first, end = map(
        int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", read_project()["requires-python"]).groups()
    )
    accepted = " | ".join(f"3.{minor}" for minor in range(first, end))
    assert f"    {accepted}) ;;\n" in (ROOT / "scripts/setup.sh").read_text()


def test_no_file_names_a_package_index_or_a_path_of_one_machine():
    index = r"index-url|find-links|https?://\S*(/simple\b|/whl\b|\.whl\b)"
    path_of_a_machine = r"(?<![\w.$}])/(work|root|home|Users|tmp/[a-z])/|\.\./shared"
    allowed = {Path("tests/test_setup.py"): r".*", Path(".ci/run"): r"\.\./shared"}
    found = []
    for folder, folders, names in os.walk(ROOT):
        ignored = IGNORED_AT_THE_TOP if Path(folder) == ROOT else set()
        folders[:] = set(folders) - IGNORED_ANYWHERE - ignored
        for path in (Path(folder, name) for name in set(names) - IGNORED_ANYWHERE):
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            hits = {
                match.group() for match in re.finditer(f"{index}|{path_of_a_machine}", text, re.I)
            }
            name = path.relative_to(ROOT)
            found += [
                f"{name}: {hit}"
                for hit in sorted(hits)
                if not re.fullmatch(allowed.get(name, "(?!)"), hit)
            ]
    assert found == []


def test_importing_the_package_imports_no_slow_package_except_torch():
    """An error message should not wait for compilers, loggers and plotting."""
    heavy = (
        "torch._dynamo",
        "joblib",
        "matplotlib",
        "pandas",
        "scipy",
        "sklearn",
        "torchvision",
        "wandb",
    )
    code = (
        "import sys, stablenets.nets, stablenets.probes, stablenets.training.run; print([name for"
        " name in"
        f" {heavy} if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True
        ).stdout
        == "[]\n"
    )
