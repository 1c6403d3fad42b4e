"""Bring your own arrays: `<root>/<dataset>.npz` with train_images, train_labels, test_images,
test_labels and source.

Images uint8, NHWC or NHW; labels whole numbers; source a text that goes into every table. Never
unpickles anything.
"""

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from stablenets.data.arrays import FORMS, Arrays, fault
from stablenets.errors import BadInput

KEYS = ("train_images", "train_labels", "test_images", "test_labels", "source")
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
)  # zipfile's answer to a way of packing that it does not know


def read(path: Path, name: str) -> Arrays:
    try:
        found = load(path)
    except UNREADABLE as error:
        raise BadInput(
            f"{path}: truncated, corrupted or not an npz ({one_line(error)}); write it again with"
            " numpy.savez, or move it away to use torchvision's files"
        ) from None
    if absent := [key for key in KEYS if key not in found]:
        raise BadInput(
            f"{path}: has no {', '.join(absent)}; an npz needs the keys {', '.join(KEYS)}"
        )
    if found["source"].size != 1 or found["source"].dtype.kind != "U":
        raise BadInput(
            f"{path}: source is not a text; say there in one line where the arrays come from"
        )
    for split in ("train", "test"):
        if wrong := fault(found[f"{split}_images"], found[f"{split}_labels"], FORMS[name]):
            raise BadInput(f"{path}: {split} {wrong}; write {name} again with numpy.savez")
    picture = FORMS[name].picture
    return Arrays(
        train_images=found["train_images"].reshape(-1, *picture),
        train_labels=found["train_labels"].astype(np.uint8),
        test_images=found["test_images"].reshape(-1, *picture),
        test_labels=found["test_labels"].astype(np.uint8),
        source=one_line(found["source"].item()),
    )


def load(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:  # opened here, because numpy leaves a damaged zip open
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one array, not an archive of arrays")
        return {key: archive[key] for key in KEYS if key in archive.files}


def one_line(text: object) -> str:
    return " ".join(str(text).split())
