"""Data sets: points in the plane, feature vectors, images and sequences, as tensors on the device.

    from stablenets.data import DATASETS, CommonDataOptions, load
    from stablenets.schema import build

    options = build(DATASETS["digits"], {}, "dataset")
    dataset = load(options, CommonDataOptions(), root="data")
    for x, y in dataset.train.batches(128, seed=0, epoch=0):
        ...

docs/how-to/add-a-dataset.md shows how to add one.
"""

from pathlib import Path

from stablenets.data.dataset import (
    CommonDataOptions,
    Dataset,
    DatasetFacts,
    Device,
    ReadSettings,
    Split,
)
from stablenets.data.generated import Adding, Copy, GeneratedData
from stablenets.data.images import CIFAR10, CIFAR100, MNIST, STL10, Digits
from stablenets.data.planar import DoubleCircles, DoubleMoons, Ellipses, Peaks, SwissRoll
from stablenets.data.resident import ResidentData
from stablenets.data.sequences import (
    PermutedDigits,
    PermutedMNIST,
    SequentialDigits,
    SequentialMNIST,
)
from stablenets.errors import BadInput

__all__ = [
    "DATASETS",
    "CommonDataOptions",
    "Dataset",
    "DatasetFacts",
    "DatasetOptions",
    "Split",
    "check_data_options",
    "load",
]

# A data set with its own options: an instance of one of `DATASETS`.
DatasetOptions = ResidentData | GeneratedData

# The class of each data set by the name that dataset=NAME takes on the command line.
DATASETS: dict[str, type[DatasetOptions]] = {
    "ellipses": Ellipses,
    "swiss_roll": SwissRoll,
    "peaks": Peaks,
    "double_moons": DoubleMoons,
    "double_circles": DoubleCircles,
    "digits": Digits,
    "sdigits": SequentialDigits,
    "psdigits": PermutedDigits,
    "mnist": MNIST,
    "smnist": SequentialMNIST,
    "psmnist": PermutedMNIST,
    "cifar10": CIFAR10,
    "cifar100": CIFAR100,
    "stl10": STL10,
    "adding": Adding,
    "copy": Copy,
}


def name_of(options: DatasetOptions) -> str:
    """The key of a data set in `DATASETS`; the name of its class if it is not there."""
    cls = type(options)
    return next((name for name, known in DATASETS.items() if known is cls), cls.__name__)


def check_data_options(options: DatasetOptions, common: CommonDataOptions) -> None:
    """Raise `BadInput` if options of a data set cannot be combined; reads no file."""
    name, kind = name_of(options), options.facts.kind
    if common.augment == "crop_flip" and kind != "image":
        raise BadInput(
            f"dataset.augment=crop_flip: crops images, and {name} is {kind} data; use"
            " dataset.augment=none"
        )
    if common.train_fraction < 1 and options.is_generated:
        raise BadInput(
            f"dataset.train_fraction={common.train_fraction}: {name} draws new examples every"
            " epoch; use dataset.examples instead"
        )


def load(
    options: DatasetOptions,
    common: CommonDataOptions,
    *,
    root: Path | str,
    split_seed: int = 0,
    permutation_seed: int = 0,
    device: Device = "cpu",
    download: bool = False,
) -> Dataset:
    """Return a data set on a device, divided into training, validation and test examples.

    Args:
        options: The data set with its own options: an instance of one of `DATASETS`.
        common: The options that every data set has.
        root: The folder with the files of data sets; read for MNIST, CIFAR and STL-10 only.
        split_seed: Seed of everything that is drawn but the permutation: validation set, subset,
            generated examples.
        permutation_seed: Seed of the order of the pixels in permuted sequences.
        device: Where the tensors are kept.
        download: Whether files that are missing under `root` are downloaded.

    Raises:
        BadInput: If options cannot be combined, or files are missing or damaged.

    Examples:
        >>> dataset = load(DATASETS["ellipses"](), CommonDataOptions(), root="data")
        >>> len(dataset.train), len(dataset.validation), len(dataset.test)
        (1800, 200, 400)
    """
    check_data_options(options, common)
    settings = ReadSettings(Path(root), download, split_seed, permutation_seed)
    return options.load(name_of(options), common, settings, device)
