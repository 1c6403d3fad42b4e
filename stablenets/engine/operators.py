"""Linear operators with exact adjoints: the only place where dense and convolutional layers differ.

An operator holds the kernels of one layer, or of all layers with depth in front, and offers what
the papers write: `K(x)`, `K(x, b)` for K x + b, the adjoint `K.T`, sums, differences and multiples,
so that `(K.T - K) / 2` is an operator again, made once for all layers and applied by one matrix
product or one convolution a layer. Products are operators too: of matrices one matrix, of
convolutions one after the other, since the zeros around the image stand between them. A dynamics
never asks which kind it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Operator:
    """A linear map, or a stack of them along dimension 0; subclasses say how it acts and what its
    adjoint is.
    """

    kernel: Tensor
    feature_dims: ClassVar[int]  # dimensions of one example's state: 1 for (n,), 3 for (c, H, W)

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        """K x, or K x + b in the one kernel that does both."""
        raise TypeError(f"{type(self).__name__} does not say how it acts")

    @property
    def T(self) -> Operator:  # noqa: N802 - the papers' name
        raise TypeError(f"{type(self).__name__} has no adjoint")

    def __add__(self, other: Operator) -> Operator:
        return type(self)(self.kernel + other.kernel)

    def __sub__(self, other: Operator) -> Operator:
        return type(self)(self.kernel - other.kernel)

    def __mul__(self, factor: float) -> Operator:
        return type(self)(self.kernel * factor)

    def __truediv__(self, divisor: float) -> Operator:
        return type(self)(self.kernel / divisor)

    def __matmul__(self, other: Operator) -> Operator | Product:
        """First the other, then this one."""
        return Product(self, other)

    def mixed(self, M: Tensor) -> Operator:
        """M K: the features that come out, mixed by a matrix M (..., m, n)."""
        raise TypeError(f"{type(self).__name__} does not say how its features mix")

    def masked(self, M: Tensor) -> Operator:
        """K with what passes from feature j to feature i multiplied by M_ij, M (..., n, n): 0 cuts
        the connection.
        """
        raise TypeError(f"{type(self).__name__} does not say which features it connects")

    @staticmethod
    def laid_out(x: Tensor) -> Tensor:
        """The same states as they should lie in memory, before all layers."""
        return x

    def unbind(self) -> list[Operator]:
        """One operator a layer. Unbinding once keeps the backward linear in depth; indexing in a
        loop makes it quadratic.
        """
        return [type(self)(kernel) for kernel in self.kernel.unbind(0)]


class Dense(Operator):
    """K(x) = K x for rows x of shape (B, n); kernel (..., n, n)."""

    feature_dims = 1

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        return x @ self.kernel.mT if b is None else torch.addmm(b, x, self.kernel.mT)

    @property
    def T(self) -> Dense:  # noqa: N802
        return Dense(self.kernel.mT)

    def __matmul__(self, other: Dense) -> Dense:
        return Dense(self.kernel @ other.kernel)

    def mixed(self, M: Tensor) -> Dense:
        return Dense(M @ self.kernel)

    def masked(self, M: Tensor) -> Dense:
        return Dense(self.kernel * M)

    @staticmethod
    def kernel_shape(width: int) -> tuple[int, ...]:
        return (width, width)

    @staticmethod
    def fan_in(width: int) -> int:
        return width

    def identity(self) -> Dense:
        """The identity map on the same space."""
        return Dense(
            torch.eye(self.kernel.shape[-1], dtype=self.kernel.dtype, device=self.kernel.device)
        )


class Conv(Operator):
    """K(x) = K * x for states (B, c, H, W): 3x3 kernels (..., c, c, 3, 3), stride 1, zero padding.

    With an odd kernel and zero padding the adjoint is the convolution whose channels are swapped
    and whose kernel is flipped; it equals `conv_transpose2d` with the same kernel, and makes K -
    K.T a single convolution.
    """

    feature_dims = 3
    SIZE: ClassVar[int] = 3

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        Kx = F.conv2d(x, self.kernel, padding=self.SIZE // 2)
        return Kx if b is None else Kx + b

    @staticmethod
    def laid_out(x: Tensor) -> Tensor:
        """Channels last, as (B, H, W, c), with which float32 convolutions of few channels are
        faster (row `layout` of scripts/bench.py); by permuting, since vmap knows no memory
        format.
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

    @staticmethod
    def fan_in(width: int) -> int:
        return width * Conv.SIZE**2

    def identity(self) -> Conv:
        """The identity map on the same space: a centred delta for each channel."""
        kernel = torch.zeros(
            self.kernel.shape[-4:], dtype=self.kernel.dtype, device=self.kernel.device
        )
        torch.nn.init.dirac_(kernel)
        return Conv(kernel)


@dataclass(frozen=True, eq=False)
class Product:
    """Two operators one after the other, where they do not make one of their kind."""

    last: Operator
    first: Operator

    def __call__(self, x: Tensor, b: Tensor | None = None) -> Tensor:
        return self.last(self.first(x), b)


OPERATORS = {"dense": Dense, "conv": Conv}
