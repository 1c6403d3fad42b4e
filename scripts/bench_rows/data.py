"""Batches by stablenets and by a torch DataLoader with torchvision's transforms, random pixels."""

from collections import deque
from collections.abc import Callable

import torch
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from bench_rows.row import Row
from stablenets.data.augment import CropFlip
from stablenets.data.permutations import draw_torch_permutation
from stablenets.data.resident import ResidentSplit
from stablenets.data.scaling import Scaling, fit_channel_scaling

BATCH = 128


class Pictures(TorchDataset):
    """PIL images that are transformed one by one, as in torchvision's MNIST and CIFAR-10."""

    def __init__(self, pixels: torch.Tensor, transform: Callable):
        self.pixels, self.transform = pixels.numpy(), transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), 0


def psmnist_batches() -> Row:
    count, order = 60000, draw_torch_permutation(784, 0)
    pixels = torch.randint(256, (count, 28, 28), dtype=torch.uint8)
    split = ResidentSplit(
        pixels.flatten(1)[:, order].unsqueeze(-1),
        torch.zeros(count, dtype=torch.long),
        Scaling(1 / 255),
    )
    transform = transforms.Compose(
        [transforms.ToTensor(), transforms.Lambda(lambda image: image.view(-1, 1)[order])]
    )
    return Row(
        "psMNIST batches",
        epoch_of(split),
        loader(pixels, transform),
        copies(count, (784, 1)),
        count,
        "sequences",
        f"(B, 784, 1) float32, B={BATCH}; plain: DataLoader, ToTensor, permute",
    )


def cifar_crop_flip() -> Row:
    count = 20000
    pixels = torch.randint(256, (count, 32, 32, 3), dtype=torch.uint8)
    images = pixels.permute(0, 3, 1, 2).contiguous()
    split = ResidentSplit(
        images,
        torch.zeros(count, dtype=torch.long),
        fit_channel_scaling(images),
        CropFlip(images, 4),
    )
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )
    return Row(
        "CIFAR crop_flip batches",
        epoch_of(split),
        loader(pixels, transform),
        copies(count, (3, 32, 32)),
        count,
        "images",
        f"(B, 3, 32, 32) float32, B={BATCH}, pad 4; plain: DataLoader, RandomCrop,"
        " RandomHorizontalFlip, ToTensor, Normalize",
    )


def epoch_of(split: ResidentSplit) -> Callable[[], object]:
    return lambda: deque(
        split.batches(BATCH, seed=0, epoch=0), maxlen=0
    )  # made and let go at once, as on the plain side


def loader(pixels: torch.Tensor, transform: Callable) -> Callable[[], object]:
    batches = DataLoader(Pictures(pixels, transform), batch_size=BATCH, shuffle=True, num_workers=0)
    return lambda: deque(batches, maxlen=0)


def copies(count: int, shape: tuple[int, ...]) -> Callable[[], None]:
    batch = torch.rand(BATCH, *shape)

    def run() -> None:
        for _ in range(-(-count // BATCH)):
            batch.clone()

    return run
