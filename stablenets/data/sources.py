"""Finds the arrays of an image dataset: the npz first, then torchvision's layout, then, if asked
to, the network.
"""

import os
from pathlib import Path

from stablenets.data import npz
from stablenets.data.arrays import Arrays
from stablenets.data.fetch import fetch
from stablenets.data.layouts import LAYOUTS
from stablenets.errors import BadInput


def find(name: str, root: Path, download: bool) -> Arrays:
    """The verified arrays of `name` (a key of LAYOUTS) under `root`."""
    own = root / f"{name}.npz"
    if os.path.exists(own):  # unlike Path.exists, False where we may not look
        return npz.read(own, name)
    layout = LAYOUTS[name]
    folder = root / layout.folder
    if absent := [file for file in layout.files() if not os.path.isfile(folder / file)]:
        if not download:
            raise BadInput(missing(name, root, folder, absent))
        fetch(name, root)
    return layout.read(folder)


def missing(name: str, root: Path, folder: Path, absent: list[str]) -> str:
    what = (
        f"{folder} is incomplete, without {', '.join(absent)}"
        if folder.exists()
        else f"not found under data_root={root}"
    )
    return (
        f"dataset {name}: {what}; run `make data DATASETS={name}`, or set download=true, "
        f"or point data_root= at a folder that holds {name}.npz or {LAYOUTS[name].folder}"
    )
