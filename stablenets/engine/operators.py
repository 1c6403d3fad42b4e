"""Linear operators with exact adjoints: the only place where dense and convolutional layers differ.

An operator holds the kernel of one layer, or the kernels of all layers with depth in front. It
offers what the papers write: `K(x)`, `K(x, b)` for K x + b, the adjoint `K.T`, sums, differences,
multiples and products. `(K.T - K) / 2` is an operator again: it is computed once for all layers,
and each layer applies it by one matrix product or one convolution. A dynamics never asks which kind
of operator it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Operator:
    """A linear map, or a stack of them along dimension 0."""

    kernel: Tensor
    feature_dims: ClassVar[int]  # dimensions of one example's state: 1 for (n,), 3 for (c, H, W)

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        """Return K x, or K x + b in one call."""
        raise TypeError(f"{type(self).__name__} does not define K(x)")

    @property
    def T(self) -> Operator:  # noqa: N802 - the papers' name
        raise TypeError(f"{type(self).__name__} has no adjoint")

    def __add__(self, other: Operator) -> Operator:
        return type(self)(self.kernel + other.kernel)

    def __sub__(self, other: Operator) -> Operator:
        return type(self)(self.kernel - other.kernel)

    def __mul__(self, factor: float) -> Operator:
        return type(self)(self.kernel * factor)

    def __rmul__(self, factor: float) -> Operator:
        return self * factor

    def __neg__(self) -> Operator:
        return self * -1.0

    def __truediv__(self, divisor: float) -> Operator:
        return type(self)(self.kernel / divisor)

    def __matmul__(self, other: Self) -> Operator | Product:
        """Return the operator that applies `other` first, then this one."""
        return Product(self, other)

    def mixed(self, M: Tensor) -> Operator:
        """Return M K for a matrix M, (..., m, n), that acts on the output features."""
        raise TypeError(f"{type(self).__name__} does not define M K")

    def masked(self, M: Tensor) -> Operator:
        """Return K with the weight from feature j to i multiplied by M_ij, M (..., n, n)."""
        raise TypeError(f"{type(self).__name__} does not define a mask")

    @staticmethod
    def laid_out(x: Tensor) -> Tensor:
        """Return the same states in the memory layout that is fastest for the layers."""
        return x

    def unbind(self) -> list[Operator]:
        """Return one operator for each layer.

        With one call of `unbind`, the time of the backward pass is linear in depth. If a loop
        indexes the stack, it is quadratic.
        """
        return [type(self)(kernel) for kernel in self.kernel.unbind(0)]


class Dense(Operator):
    """K x for examples as rows, x (B, n); kernel (..., n, n)."""

    feature_dims = 1

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        return x @ self.kernel.mT if b is None else torch.addmm(b, x, self.kernel.mT)

    @property
    def T(self) -> Dense:  # noqa: N802
        return Dense(self.kernel.mT)

    def __matmul__(self, other: Self) -> Dense:
        return Dense(self.kernel @ other.kernel)

    def mixed(self, M: Tensor) -> Dense:
        return Dense(M @ self.kernel)

    def masked(self, M: Tensor) -> Dense:
        return Dense(self.kernel * M)

    @staticmethod
    def kernel_shape(width: int) -> tuple[int, ...]:
        return (width, width)

    def identity(self) -> Dense:
        """Return the identity map on the same space."""
        return Dense(
            torch.eye(self.kernel.shape[-1], dtype=self.kernel.dtype, device=self.kernel.device)
        )


class Conv(Operator):
    """K * x for states (B, c, H, W): 3x3 kernels (..., c, c, 3, 3), stride 1, zero padding.

    With an odd kernel and zero padding the adjoint is a convolution too: its channels are swapped
    and its kernel is flipped. It equals `conv_transpose2d` with the same kernel, and K - K.T is a
    single convolution.
    """

    feature_dims = 3
    SIZE: ClassVar[int] = 3

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        Kx = F.conv2d(x, self.kernel, padding=self.SIZE // 2)
        return Kx if b is None else Kx + b

    @staticmethod
    def laid_out(x: Tensor) -> Tensor:
        """Return x with channels last in memory.

        Float32 convolutions of few channels are faster so (row `layout` of scripts/bench.py). It is
        done by permuting, since vmap supports no memory format.
        """
        return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)

    @property
    def T(self) -> Conv:  # noqa: N802
        return Conv(self.kernel.transpose(-4, -3).flip(-2, -1))

    def mixed(self, M: Tensor) -> Conv:
        return Conv(torch.einsum("...ij,...jkhw->...ikhw", M, self.kernel))

    def masked(self, M: Tensor) -> Conv:
        return Conv(self.kernel * M[..., None, None])

    @staticmethod
    def kernel_shape(width: int) -> tuple[int, ...]:
        return (width, width, Conv.SIZE, Conv.SIZE)

    def identity(self) -> Conv:
        """Return the identity map on the same space: a centred delta for each channel."""
        kernel = torch.zeros(
            self.kernel.shape[-4:], dtype=self.kernel.dtype, device=self.kernel.device
        )
        torch.nn.init.dirac_(kernel)
        return Conv(kernel)


@dataclass(frozen=True, eq=False)
class Product:
    """Two convolutions applied one after the other.

    They are not one convolution, since the image is padded by zeros between them.
    """

    last: Operator
    first: Operator

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        return self.last(self.first(x), b)


OPERATORS: dict[str, type[Dense] | type[Conv]] = {"dense": Dense, "conv": Conv}
