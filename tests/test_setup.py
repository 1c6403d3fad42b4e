"""What set-up promises, without a network and without a real .venv: python3 and pip are stand-ins
on a PATH of their own.
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
    "sleep",
    "uname",
)
LITTER = {
    ".git",
    ".hypothesis",
    ".venv",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "wandb",
}  # anywhere
LOCAL = {"build", "data", "dist", "multirun", "outputs", "runs"}  # at the top

# Answers as the python of a version would, and notes every package that pip is asked for; only the
# lock is taken by a real python.
FAKE = f"""#!/bin/sh
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
    """A checkout that holds set-up only, and a PATH of its own with a stand-in python3."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "scripts/setup.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    path = tmp_path / "path"
    path.mkdir()
    for tool in (*TOOLS, "chmod"):
        (path / tool).symlink_to(shutil.which(tool))
    (path / "python3").write_text(FAKE)
    (path / "python3").chmod(0o755)
    return tmp_path


def begin(checkout, **variables):
    env = {"PATH": str(checkout / "path"), "SETUP_GB": "0", **variables}
    return subprocess.Popen(
        ["sh", "scripts/setup.sh"],
        cwd=checkout,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def setup(checkout, **variables):
    process = begin(checkout, **variables)
    process.out, process.err = process.communicate(timeout=30)
    return process


def installs(checkout):
    noted = checkout / "installs"
    return noted.read_text().splitlines() if noted.exists() else []


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"FAKE_VERSION": "3.8"}, ("Python 3.8", "3.11, 3.12 or 3.13", "make PYTHON=python3.12")),
        ({"FAKE_VERSION": "3.10"}, ("Python 3.10", "make PYTHON=python3.12")),
        ({"FAKE_VERSION": "3.14"}, ("Python 3.14", "make PYTHON=python3.12")),
        ({"PYTHON": "python3.99"}, ("python3.99 is not installed",)),
        ({"FAKE_VENV": "1"}, ("venv module is missing", "apt install python3.12-venv")),
        ({"SETUP_GB": "9000000"}, ("not enough room", "9000000 GB", "SETUP_GB=0")),
    ],
)
def test_what_is_missing_is_said_in_one_line_before_any_work(checkout, variables, words):
    done = setup(checkout, **variables)
    assert done.returncode == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("setup: ")
    assert [word for word in words if word not in done.err] == []
    assert not (checkout / ".venv").exists()


def test_no_python_at_all(checkout):
    (checkout / "path/python3").unlink()
    done = setup(checkout)
    assert (done.returncode, done.err) == (
        2,
        "setup: python3 is not installed; stablenets needs Python 3.11, 3.12 or 3.13\n",
    )


def test_the_lock_then_the_checkout_and_then_nothing(checkout):
    assert setup(checkout).returncode == 0
    lock, project = installs(checkout)
    assert lock.endswith("-r requirements.lock")
    assert project.endswith("--no-deps --no-build-isolation -e .")
    again = setup(checkout)
    assert (again.returncode, again.out, again.err, len(installs(checkout))) == (0, "", "", 2)


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_a_change_installs_again(checkout, name):
    setup(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    setup(checkout)
    assert len(installs(checkout)) == 4


def test_another_python_makes_another_venv(checkout):
    setup(checkout)
    (checkout / ".venv/old").touch()
    (checkout / "path/python3.13").write_text(FAKE.replace("3.12", "3.13"))
    (checkout / "path/python3.13").chmod(0o755)
    assert "Python 3.13" in setup(checkout, PYTHON="python3.13").out
    assert not (checkout / ".venv/old").exists()


def test_a_moved_checkout_makes_its_venv_again(checkout, tmp_path_factory):
    setup(checkout)
    (checkout / ".venv/old").touch()
    moved = checkout.rename(tmp_path_factory.mktemp("elsewhere") / "a folder")
    assert setup(moved).returncode == 0
    assert not (moved / ".venv/old").exists()


def test_an_unfinished_venv_is_made_afresh_and_a_hand_made_one_is_kept(checkout):
    (checkout / ".venv/bin").mkdir(parents=True)
    shutil.copy(checkout / "path/python3", checkout / ".venv/bin/python")
    (checkout / ".venv/mine").touch()
    failed = setup(checkout, FAKE_PIP="1")
    assert failed.returncode == 2
    assert "could not install the packages" in failed.err
    assert (checkout / ".venv/mine").exists()
    assert setup(checkout).returncode == 0
    assert not (checkout / ".venv/mine").exists()


def test_two_at_once_install_once(checkout):
    both = [begin(checkout, FAKE_SLEEP="0.2") for _ in range(2)]
    outs = sorted(process.communicate(timeout=30)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert len(installs(checkout)) == 2
    assert "setup: done" in "".join(outs)


def make(*arguments):
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


def test_help_is_the_default_and_lists_every_target():
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert make() == make("help")
    assert re.findall(r"^  make (\S+)", make(), re.M) == targets
    assert "test" in targets


@pytest.mark.parametrize("target", ["train", "test", "test-all", "lint", "data", "report", "bench"])
def test_every_working_target_starts_with_set_up(target):
    steps = make("-n", target).splitlines()
    assert steps[0] == "sh scripts/setup.sh"
    assert steps[1].startswith(".venv/bin/")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return [line.split(" ;")[0] for line in lines if line and not line.startswith("#")]


def test_the_lock_pins_exactly_all_that_the_project_asks_for():
    assert [pin for pin in pins() if not re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", pin)] == []
    needs = project()["dependencies"] + project()["optional-dependencies"]["dev"]
    wanted = {re.split(r"[<>=~! \[]", need)[0] for need in needs}
    assert wanted - {pin.split("==")[0] for pin in pins()} == set()


def test_set_up_takes_the_pythons_that_the_project_takes():
    first, end = map(
        int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project()["requires-python"]).groups()
    )
    taken = " | ".join(f"3.{minor}" for minor in range(first, end))
    assert f"    {taken}) ;;\n" in (ROOT / "scripts/setup.sh").read_text()


def test_no_file_names_a_package_index_or_a_place_on_one_machine():
    index = r"index-url|find-links|https?://\S*(/simple\b|/whl\b|\.whl\b)"
    place = r"(?<![\w.$}])/(work|root|home|Users|tmp/[a-z])/|\.\./shared"
    allowed = {Path("tests/test_setup.py"): r".*", Path(".ci/run"): r"\.\./shared"}
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = set(folders) - LITTER - (LOCAL if Path(folder) == ROOT else set())
        for path in (Path(folder, name) for name in names):
            try:
                text = path.read_text()
            except UnicodeDecodeError:
                continue
            hits = {match.group() for match in re.finditer(f"{index}|{place}", text, re.I)}
            name = path.relative_to(ROOT)
            found += [
                f"{name}: {hit}"
                for hit in sorted(hits)
                if not re.fullmatch(allowed.get(name, "(?!)"), hit)
            ]
    assert found == []


def test_importing_the_package_loads_nothing_that_waits():
    """torch itself takes long enough: an error message should not wait for compilers, loggers and
    plotters too.
    """
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
