"""Make the most of a lent GPU: groups of the papers' plans, the most valuable first, until the time is over.

    python scripts/gpu_queue.py --within 570 --data DIR --jobs 4 --out out

What came out is packed into out/pack-00.tar, out/pack-01.tar, ... of at most --part MB each: the ledgers, and the folders of unfinished
runs. Unpacked in the repository, ledgers lie under lent/ and run folders under runs/, both ignored by git. With these two folders the
same command goes on, on the same machine or on another; what the ledgers hold is not made again. They join the committed ones by

    make reproduce-chang2018 PROFILE=paper SEEDS=1 COLLECT=1 JOIN=lent/chang2018/paper

with SEEDS as in QUEUE.
"""
import argparse
import sys
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))  # experiments/ is part of the repository, not of the package

from experiments import load  # noqa: E402
from stablenets.claims import ledger  # noqa: E402
from stablenets.claims.reproduce import reproduce  # noqa: E402
from stablenets.claims.work import Place  # noqa: E402
from stablenets.errors import EXIT_TIME, BadInput  # noqa: E402
from stablenets.runs.folder import FINISHED, RunFolder  # noqa: E402

PROFILE = "paper"
QUEUE = (  # paper, what part of the time that is left it may take, seeds, groups of its plan in the order in which they are made
    ("ceni2025", 0.3, 3, ("first", "pixels", "hidden", "first_lstm", "pixels_lstm", "first_others", "pixels_others")),
    ("chang2018", 0.7, 1, ("hamiltonian_74", "hamiltonian_218")),
    ("chang2018", 0.5, 1, ("cifar100",)),  # by itself, as STL-10: where the data are missing, the rest is made
    ("chang2018", 1.0, 1, ("resnet_32", "two_step", "few", "large", "deep", "fewer", "inverted", "ablations", "gradients", "cost")),
    ("chang2018", 1.0, 1, ("stl10",)),
)
ENDS = 60.0  # seconds that saving, tables and packing may take
LENT = Path("lent")
LEFT_OUT = ("lock", "checkpoint.previous.pt")  # of a run folder: what means nothing elsewhere, and what is there twice


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--within", type=float, required=True, metavar="SECONDS")
    parser.add_argument("--data", help="the data root; default $STABLENETS_DATA, else ./data")
    parser.add_argument("--jobs", type=int, default=4, help="runs at a time, one thread each")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--part", type=float, default=15, help="MB of a pack; an unfinished run that is larger is left out")
    given = parser.parse_args()
    end = time.monotonic() + given.within - ENDS
    codes = []
    for entry in QUEUE:
        try:
            codes.append(made(*entry, given, end))
        finally:  # whatever happened: the machine may be gone before anybody can look
            for path in packed(given.runs, given.out, given.part * 1e6):
                print(path, flush=True)
        if codes[-1] > 128:
            break
    return next((code for code in codes if code not in (0, EXIT_TIME)), max(codes))


def made(handle: str, part: float, seeds: int, groups: Sequence[str], given: argparse.Namespace, end: float) -> int:
    """Make groups of a plan as far as time allows; the exit code."""
    now = time.monotonic()
    if now >= end:
        return EXIT_TIME
    place = Place(given.runs, f"make reproduce-{handle} PROFILE={PROFILE} SEEDS={seeds}", given.device, given.data, PROFILE)
    before = LENT / handle / PROFILE
    try:
        return reproduce(load(handle), place, results=given.out / "results", jobs=given.jobs, seeds=seeds, collect=False,
                         joined=[before] if before.is_dir() else [], only=groups, deadline=now + part * (end - now))
    except BadInput as error:  # a data set that is not here, say: the rest can be made
        print(f"gpu_queue: {handle}: {error}", file=sys.stderr)
        return error.exit_code


def packed(runs: Path, out: Path, most: float) -> list[Path]:
    """The tars, at most `most` bytes in each: ledgers first, then unfinished runs of the queue in its order."""
    parcels = [({LENT / path.relative_to(out / "results"): path}) for name in (ledger.TABLE, ledger.CURVES)
               for path in sorted(out.glob(f"results/*/{PROFILE}/{name}"))]
    for handle, _, seeds, groups in QUEUE:
        plan = load(handle).plan(PROFILE, seeds)
        for name in dict.fromkeys(work.name for group in groups for work in plan[group]):
            if (runs / name).is_dir() and unfinished(runs / name):
                parcels.append({Path("runs") / path.relative_to(runs): path for path in sorted((runs / name).iterdir())
                                if path.is_file() and path.name not in LEFT_OUT})
    parts: list[dict[Path, Path]] = []
    filled = most
    for parcel in parcels:
        size = sum(path.stat().st_size for path in parcel.values())
        if size > most and len(parcel) > 1:
            print(f"gpu_queue: {next(iter(parcel)).parent} has {size / 1e6:.0f} MB and is left out", file=sys.stderr)
            continue
        if filled + size > most:
            parts.append({})
            filled = 0
        parts[-1] |= parcel
        filled += size
    for old in out.glob("pack-*.tar"):
        old.unlink()
    paths = [out / f"pack-{index:02d}.tar" for index in range(len(parts))]
    for path, members in zip(paths, parts, strict=True):
        with tarfile.open(path, "w") as tar:
            for name, source in members.items():
                tar.add(source, name)
    return paths


def unfinished(folder: Path) -> bool:
    try:
        status = RunFolder(folder).status()
    except BadInput:  # begun anew by whoever goes on
        return False
    return status is not None and status["status"] not in FINISHED


if __name__ == "__main__":
    sys.exit(main())
