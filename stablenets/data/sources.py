"""Where the arrays of an image data set are found under the data root.

`NAME.npz` comes first, then torchvision's layout, then a download if it is allowed.
"""

import os
from pathlib import Path

from stablenets.data.arrays import ImageArrays
from stablenets.data.fetch import fetch
from stablenets.data.layouts import LAYOUTS
from stablenets.data.npz import read_npz
from stablenets.errors import BadInput


def find_arrays(name: str, root: Path, download: bool) -> ImageArrays:
    """Return the verified arrays of a data set.

    Args:
        name: A key of `LAYOUTS`.
        root: The data root.
        download: Whether missing files may be downloaded.

    Raises:
        BadInput: If files are missing, damaged or cannot be read or downloaded.
    """
    npz = root / f"{name}.npz"
    if os.path.exists(npz):  # False, not an error, without permission
        return read_npz(npz, name)
    layout = LAYOUTS[name]
    folder = root / layout.folder
    if absent := [file for file in layout.files() if not os.path.isfile(folder / file)]:
        if not download:
            raise BadInput(missing_files(name, root, folder, absent))
        fetch(name, root)
    return layout.read(folder)


def missing_files(name: str, root: Path, folder: Path, absent: list[str]) -> str:
    """The line that says which files are missing and what can be done."""
    what = (
        f"{folder} is incomplete, without {', '.join(absent)}"
        if folder.exists()
        else f"not found under data_root={root}"
    )
    return (
        f"dataset {name}: {what}; run `make data DATASETS={name}`, or set download=true, "
        f"or point data_root= at a folder that holds {name}.npz or {LAYOUTS[name].folder}"
    )
