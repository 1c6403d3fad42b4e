#!/bin/sh
# Makes .venv with exactly the packages of requirements.lock, verified by their hashes, and installs
# this repository in place. Uses uv if it is installed, and pip otherwise. Every make target runs
# this script first; it takes a few milliseconds if nothing has changed. A missing requirement is
# reported in one line, before any work.
#   PYTHON    the Python that .venv is made from; default: python3
#   EXTRAS    1 installs the packages of the extras, too; a .venv that has them keeps them
#   SETUP_GB  disk space that the packages need, in GB; 0 skips the check
set -eu
cd "$(dirname "$0")/.."

# Holds "unfinished", or the packages, a checksum and the path of this folder. The scripts of .venv
# contain that path, so .venv does not work after the folder has moved.
stamp=.venv/.setup
here=$(pwd -P)
case ${EXTRAS:-0}$(cat $stamp 2>/dev/null) in 1* | 0extras*) packages=extras ;; *) packages=base ;; esac
key="$packages $(cat requirements.lock pyproject.toml | cksum) $here"

die() {
    echo "setup: $*" >&2
    exit 2
}

version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# True if there is a .venv to update: made by hand, or finished by this script in this folder; and
# of the version of PYTHON if PYTHON is given.
usable() {
    case $(cat $stamp 2>/dev/null) in "" | *" $here") ;; *) return 1 ;; esac
    [ -x .venv/bin/python ] && { [ -z "${PYTHON:-}" ] || [ "$(version "$PYTHON")" = "$(version .venv/bin/python)" ]; }
}

finished() {
    [ "$(cat $stamp 2>/dev/null)" = "$key" ] && usable
}

finished && exit 0

python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && usable; then python=.venv/bin/python; fi
command -v "$python" >/dev/null || die "$python is not installed; stablenets needs Python 3.11, 3.12 or 3.13"
found=$(version "$python") || die "$python does not run; try another one: make PYTHON=python3.12 ..."
case $found in
    3.11 | 3.12 | 3.13) ;;
    *) die "$python is Python $found, stablenets needs 3.11, 3.12 or 3.13: make PYTHON=python3.12 ..." ;;
esac

if command -v uv >/dev/null; then
    create() { [ -x .venv/bin/python ] || uv venv --quiet --allow-existing --python "$python" .venv; }
    install() { uv pip install --compile-bytecode --no-build-isolation --python .venv/bin/python "$@"; }
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python cannot make virtual environments: its venv module is missing (Debian, Ubuntu: apt install python$found-venv)"
    [ -t 1 ] || quiet=--quiet
    # ensurepip is called separately because a .venv that uv made has no pip
    create() {
        { [ -x .venv/bin/python ] || "$python" -m venv --without-pip .venv; } && .venv/bin/python -m ensurepip --default-pip >/dev/null
    }
    install() {
        .venv/bin/python -m pip install --disable-pip-version-check --use-pep517 --no-build-isolation ${quiet:-} "$@"
    }
fi

# One set-up at a time. The lock belongs to the open file, so the end of this process releases it.
exec 9>>.setup.lock
"$python" - <<'EOF'
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up of this folder", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks: the user must not run two set-ups at once
EOF
finished && exit 0

# torch for Linux installs its CUDA libraries, also on machines without a GPU
case $(uname -s) in Linux) need=7 ;; *) need=2 ;; esac
need=${SETUP_GB:-$need}
free=$(df -Pk . | awk 'END { print $4 }')
used=$(du -sk .venv 2>/dev/null | cut -f 1)
[ "$need" -eq 0 ] || [ $((free + ${used:-0})) -ge $((need * 1000000)) ] ||
    die "not enough disk space: .venv needs about $need GB, $((free / 1000000)) GB are free (SETUP_GB=0 skips this check)"

# An unfinished .venv may hold an incomplete package, which pip takes for a complete one: start again.
usable || rm -rf .venv
mkdir -p .venv
echo unfinished >$stamp
echo "setup: .venv with Python $found and the packages of requirements.lock; a few GB, the first time takes minutes"
create || die "could not make .venv: see above"
# Packages that are built from source need setuptools, which comes first: from the lock, by its hashes.
sed -n '/^setuptools==/,/[^\\]$/p' requirements.lock >.venv/build-tools.txt
case $packages in
    extras) cat requirements.lock ;;
    base) sed '/^# extras:/,$d' requirements.lock ;;
esac >.venv/packages.txt
install --require-hashes -r .venv/build-tools.txt && install --require-hashes -r .venv/packages.txt &&
    install --no-deps -e . ||
    die "could not install the packages: see above; the next call starts again"
echo "$key" >$stamp
echo "setup: done"
