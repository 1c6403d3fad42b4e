"""Arrays that the user provides: `<root>/<dataset>.npz`, written with numpy.savez.

It holds train_images, train_labels, test_images, test_labels and source. Images are uint8, (N, H,
W) or (N, H, W, C); labels are whole numbers; source is one line of text, which becomes part of the
provenance of every result. Nothing is ever unpickled.
"""

import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from stablenets.data.arrays import IMAGE_FORMATS, ImageArrays, find_fault
from stablenets.errors import BadInput

LARGEST = 1 << 32  # bytes of an array; a small file can unpack to more than any memory holds
KEYS = ("train_images", "train_labels", "test_images", "test_labels", "source")
# What numpy and zipfile raise on damaged files. A header may also ask for more memory than there is
# (MemoryError, OverflowError) or name an unknown compression (NotImplementedError).
UNREADABLE = (
    OSError,
    ValueError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    MemoryError,
    OverflowError,
)


def read_npz(path: Path, name: str) -> ImageArrays:
    """Return the arrays of the file, checked against the format of the data set.

    Args:
        path: The npz file.
        name: The data set, a key of `IMAGE_FORMATS`.

    Raises:
        BadInput: If the file cannot be read, or its arrays do not have that format.
    """
    try:
        found = load_archive(path)
    except UNREADABLE as error:
        raise BadInput(
            f"{path}: truncated, corrupted or not an npz ({on_one_line(error)}); write it again"
            " with numpy.savez, or move it away to use torchvision's files"
        ) from None
    if absent := [key for key in KEYS if key not in found]:
        raise BadInput(
            f"{path}: has no {', '.join(absent)}; an npz needs the keys {', '.join(KEYS)}"
        )
    if found["source"].size != 1 or found["source"].dtype.kind != "U":
        raise BadInput(
            f"{path}: source is not a text; it must say in one line where the arrays come from"
        )
    for split in ("train", "test"):
        fault = find_fault(found[f"{split}_images"], found[f"{split}_labels"], IMAGE_FORMATS[name])
        if fault:
            raise BadInput(f"{path}: {split} {fault}; write {name} again with numpy.savez")
    size = IMAGE_FORMATS[name].size
    return ImageArrays(
        train_images=found["train_images"].reshape(-1, *size),
        train_labels=found["train_labels"].astype(np.uint8),
        test_images=found["test_images"].reshape(-1, *size),
        test_labels=found["test_labels"].astype(np.uint8),
        source=on_one_line(found["source"].item()),
    )


def load_archive(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz by their keys; keys that are not needed are left out."""
    with path.open("rb") as file:  # opened here, because numpy leaves a damaged zip open
        archive = np.load(file, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one array, not an archive of arrays")
        assert archive.zip is not None  # it is None only after it is closed
        for packed in archive.zip.infolist():
            if packed.file_size > LARGEST:
                raise ValueError(f"{packed.filename} has {packed.file_size:,} bytes")
        return {key: archive[key] for key in KEYS if key in archive.files}


def on_one_line(text: object) -> str:
    """The text with all white space folded to single spaces."""
    return " ".join(str(text).split())
