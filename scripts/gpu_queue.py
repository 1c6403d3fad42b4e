"""Make the most of a lent GPU: groups of the papers' plans, the most valuable first, until the time is over.

    python scripts/gpu_queue.py --within 570 --data DIR --jobs 8 --out out

Ledgers and the folders of unfinished runs are packed into out/pack-00.tar, out/pack-01.tar, ... of at most --part MB each. Unpacked in
the repository, all of them together, they leave unfinished runs under runs/, which the same command goes on with, and ledgers under
lent/, which join those that are there:

    make reproduce-chang2018 PROFILE=paper COLLECT=1 JOIN=lent/chang2018/paper

Run it again to go on; what is finished is not made again.
"""
import argparse
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))  # experiments/ is part of the repository, not of the package

QUEUE = (  # paper, profile, what part of the time that is left then, groups of its plan in the order in which they are made
    ("ceni2025", "paper", 0.3, ("first", "pixels")),
    ("chang2018", "paper", 1.0, ("hamiltonian_74", "resnet_32", "few", "hamiltonian_218", "two_step", "cifar100", "large", "deep")),
)
ENDS = 30.0  # seconds that tables, figures and packing may take


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--within", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--data", help="the data root; default $STABLENETS_DATA, else ./data")
    parser.add_argument("--jobs", type=int, default=8, help="runs at a time, one thread each")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--part", type=float, default=15, help="MB of a pack, at most, but for a single larger run")
    given = parser.parse_args()
    end = time.monotonic() + given.within - ENDS
    codes = [made(*entry, given, end) for entry in QUEUE]
    for path in packed(given.runs, given.out, given.part * 1e6):
        print(path)
    return max(codes)


def made(handle: str, profile: str, part: float, groups: Sequence[str], given: argparse.Namespace, end: float) -> int:
    """Make groups of a plan as far as time allows; the exit code."""
    from experiments import load
    from stablenets.claims.reproduce import reproduce
    from stablenets.claims.work import Place
    from stablenets.errors import EXIT_TIME, BadInput

    seconds = part * (end - time.monotonic())
    if seconds < 1:
        return EXIT_TIME
    place = Place(given.runs, f"make reproduce-{handle} PROFILE={profile}", given.device, given.data, profile)
    try:
        return reproduce(load(handle), place, results=given.out / "results", jobs=given.jobs, seeds=None, collect=False, joined=[],
                         only=groups, within=seconds)
    except BadInput as error:  # a data set that is not here, say: the rest can be made
        print(f"gpu_queue: {handle}: {error}", file=sys.stderr)
        return error.exit_code


def packed(runs: Path, out: Path, most: float) -> list[Path]:
    """The tars: ledgers first, then unfinished runs, as many in each as fit."""
    from stablenets.runs.folder import FINISHED, RunFolder

    unfinished = [path for path in sorted(runs.glob("*/")) if (status := RunFolder(path).status()) and status["status"] not in FINISHED]
    parcels = [(path, Path("lent") / path.relative_to(out / "results"))
               for name in ("ledger.csv", "curves.npz") for path in sorted(out.glob(f"results/*/*/{name}"))]
    parcels += [(path, Path("runs") / path.name) for path in unfinished]
    parts: list[tuple[float, list[tuple[Path, Path]]]] = []
    for source, name in parcels:
        size = sum(file.stat().st_size for file in (source.rglob("*") if source.is_dir() else [source]) if file.is_file())
        if not parts or parts[-1][0] + size > most:
            parts.append((0.0, []))
        parts[-1] = (parts[-1][0] + size, [*parts[-1][1], (source, name)])
    for old in out.glob("pack-*.tar"):
        old.unlink()
    paths = [out / f"pack-{index:02d}.tar" for index in range(len(parts))]
    for path, (_, members) in zip(paths, parts, strict=True):
        with tarfile.open(path, "w") as tar:
            for source, name in members:
                tar.add(source, name)
    return paths


if __name__ == "__main__":
    sys.exit(main())
