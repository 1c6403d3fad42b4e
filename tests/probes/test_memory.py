"""Bytes that a forward keeps, and the peak of a process."""

import subprocess
import sys

import torch

from stablenets.probes import kept_bytes, peak_resident_bytes


def test_kept_bytes_count_each_activation_once():
    """A Tanh keeps its output and a Linear its input: four states in four pairs of layers.

    Data and weights do not count.
    """
    x = torch.randn(7, 6)
    net = torch.nn.Sequential(
        *(layer for _ in range(4) for layer in (torch.nn.Linear(6, 6), torch.nn.Tanh()))
    )
    assert kept_bytes(net, x) == 4 * x.nbytes
    assert kept_bytes(net.requires_grad_(False), x) == 0


def test_a_child_process_has_a_peak_of_its_own():
    """A parent that holds much memory does not count."""
    held = torch.ones(2**28)  # 1 GiB
    assert peak_resident_bytes() > held.nbytes
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            "from stablenets.probes import peak_resident_bytes; print(peak_resident_bytes())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert 2**24 < int(child.stdout) < held.nbytes
