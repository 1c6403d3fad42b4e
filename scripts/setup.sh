#!/bin/sh
# Makes .venv, with exactly the packages of requirements.lock and this checkout on top, by uv where it is installed, else by pip.
# Every make target starts here, so what is in order already costs a few milliseconds. What is missing is said in one line, first.
#   PYTHON    the python to make it from (python3)
#   SETUP_GB  room that the packages need on this disk, in GB; 0 skips the check
set -eu
cd "$(dirname "$0")/.."

stamp=.venv/.setup  # "unfinished", or what .venv was made from and where: its scripts hold its full path and break when it moves
here=$(pwd -P)
key="$(cat requirements.lock pyproject.toml | cksum) $here"

die() {
    echo "setup: $*" >&2
    exit 2
}

version() {
    "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

# Is there a .venv to build on: made by hand, or here and to its end, and from PYTHON if one was asked for?
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
    install() { uv pip install --compile-bytecode --python .venv/bin/python --build-constraints requirements.lock "$@"; }
else
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python cannot make virtual environments: its venv module is missing (Debian, Ubuntu: apt install python$found-venv)"
    [ -t 1 ] || quiet=--quiet
    # ensurepip on its own: a .venv that uv made has no pip
    create() {
        { [ -x .venv/bin/python ] || "$python" -m venv --without-pip .venv; } && .venv/bin/python -m ensurepip --default-pip >/dev/null
    }
    # what is built from source is built with the lock's setuptools: older pips read the first name, newer ones the second
    install() {
        PIP_CONSTRAINT=requirements.lock PIP_BUILD_CONSTRAINT=requirements.lock \
            .venv/bin/python -m pip install --disable-pip-version-check --use-pep517 ${quiet:-} "$@"
    }
fi

# One set-up at a time: the lock belongs to the open file, so it ends with this process, however that ends.
exec 9>>.setup.lock
"$python" - <<'EOF'
import fcntl
try:
    fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("setup: waiting for another set-up of this folder", flush=True)
    fcntl.flock(9, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks: then two set-ups at once are the user's care
EOF
finished && exit 0

# torch for Linux brings its CUDA libraries, whatever the machine
case $(uname -s) in Linux) need=7 ;; *) need=2 ;; esac
need=${SETUP_GB:-$need}
free=$(df -Pk . | awk 'END { print $4 }')
used=$(du -sk .venv 2>/dev/null | cut -f 1)
[ "$need" -eq 0 ] || [ $((free + ${used:-0})) -ge $((need * 1000000)) ] ||
    die "not enough room here: .venv takes about $need GB, $((free / 1000000)) GB are free (SETUP_GB=0 skips this check)"

# A .venv that was not finished may hold half a package, which pip takes for a whole one: start afresh.
usable || rm -rf .venv
mkdir -p .venv
echo unfinished >$stamp
echo "setup: .venv with Python $found and the packages of requirements.lock; a few GB, so the first time takes minutes"
create || die "could not make .venv: see above"
install -r requirements.lock && install --no-deps --no-build-isolation -e . ||
    die "could not install the packages: see above; the next call starts afresh"
echo "$key" >$stamp
echo "setup: done"
