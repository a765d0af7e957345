"""Kolmogorov-Arnold layers: every connection carries its own learnt curve, a B-spline beside a SiLU.

Liu et al. 2024 ("KAN: Kolmogorov-Arnold Networks", arXiv:2404.19756): equations 2.10 to 2.13 for the curves, section 2.4 for a finer grid, appendix A.2
for grids that follow the inputs. The basis is checked against ``scipy.interpolate.BSpline``, the layers against a function with a known answer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spinelab.core import TaskError

UNIFORM: Final = 0.02
"""Share of an even grid in one that follows the inputs (the paper's grid_eps)."""
MARGIN: Final = 0.01
"""How far the grid reaches beyond the inputs it follows, as a share of their range."""
POINTS_A_PIECE: Final = 8
"""Where curves are compared, in every interval of the grid, when coefficients are fitted anew."""

ELSEWHERE: Final = 0.1
"""Weight of these points beside the inputs that a grid follows."""


def bspline_basis(x: Tensor, knots: Tensor, degree: int) -> Tensor:
    """Return every B-spline at every point by the recursion of Cox and de Boor.

    ``x`` is ``(N, I)``, ``knots`` ``(I, G + 2 degree + 1)`` rising along each row; the answer is ``(N, I, G + degree)``.
    """
    x = x.unsqueeze(2)
    basis = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for k in range(1, degree + 1):
        rising = (x - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
        falling = (knots[:, k + 1 :] - x) / (knots[:, k + 1 :] - knots[:, 1:-k])
        basis = rising * basis[:, :, :-1] + falling * basis[:, :, 1:]
    return basis


class KANLayer(nn.Module):
    """``y_j = sum over i of base_ji silu(x_i) + sum over k of coefficients_jik B_k(x_i)``.

    Parameters
    ----------
    inputs, outputs
        Widths.
    intervals
        Pieces of the grid; each curve has ``intervals + degree`` coefficients.
    degree
        Of the splines; 3 is cubic.
    low, high
        Ends of the grid at the start. Beyond the grid the spline fades to zero and the SiLU alone speaks.
    follow_at
        Training steps at which the grid is laid anew over the inputs of that step; none by default. Left out where several processes train
        together, because each sees other inputs.
    """

    knots: Tensor
    step: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        intervals: int = 5,
        degree: int = 3,
        low: float = -1.0,
        high: float = 1.0,
        follow_at: Sequence[int] = (),
    ) -> None:
        super().__init__()
        if intervals < 1 or degree < 1 or not low < high:
            given = f"A spline of degree {degree} on {intervals} intervals from {low} to {high}"
            raise TaskError(given, expected="a degree and intervals of 1 or more, and low < high", action="correct these numbers")
        self.inputs, self.outputs, self.degree, self.follow_at = inputs, outputs, degree, tuple(follow_at)
        self.register_buffer("knots", _extended(torch.linspace(low, high, intervals + 1).expand(inputs, -1), degree))
        self.register_buffer("step", torch.zeros((), dtype=torch.long))
        self.base = nn.Parameter(torch.empty(outputs, inputs))
        self.coefficients = nn.Parameter(torch.empty(outputs, inputs, intervals + degree))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the SiLU's weights as those of a linear layer, and curves near zero (the paper's start)."""
        nn.init.kaiming_uniform_(self.base, a=5**0.5)
        nn.init.normal_(self.coefficients, std=0.1 / (self.inputs**0.5))

    @property
    def intervals(self) -> int:
        """Pieces of the grid."""
        return self.knots.shape[1] - 2 * self.degree - 1

    @property
    def grid(self) -> Tensor:
        """The ends of the pieces, ``(inputs, intervals + 1)``."""
        return self.knots[:, self.degree : -self.degree]

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(N, outputs)`` for ``(N, inputs)``; the splines are worked out in single precision even under autocast."""
        if self.training and self.follow_at:
            self._follow(x)
        with torch.autocast(x.device.type, enabled=False):
            x = x.to(self.knots.dtype)
            splines = bspline_basis(x, self.knots, self.degree).flatten(1) @ self.coefficients.flatten(1).T
            return functional.linear(functional.silu(x), self.base) + splines

    def curves(self, x: Tensor) -> Tensor:
        """Return the spline part of every connection ``(N, inputs, outputs)``."""
        return torch.einsum("nik,oik->nio", bspline_basis(x, self.knots, self.degree), self.coefficients)

    def _follow(self, x: Tensor) -> None:
        if int(self.step) in self.follow_at and not _several_processes():
            self.update_grid(x.detach())
        self.step += 1

    @torch.no_grad()
    def update_grid(self, x: Tensor) -> None:
        """Lay the grid over the inputs ``(N, inputs)``: nearly as many in each piece; the curves are fitted again, so that they hardly change."""
        x = x.to(self.knots.dtype)
        low, high = x.amin(dim=0), x.amax(dim=0)
        reach = (high - low).clamp_min(1e-3)
        low, high = low - MARGIN * reach, high + MARGIN * reach
        shares = torch.linspace(0, 1, self.intervals + 1, device=x.device, dtype=x.dtype)
        even = low[:, None] + shares * (high - low)[:, None]
        by_inputs = torch.quantile(x, shares, dim=0).T
        by_inputs[:, 0], by_inputs[:, -1] = low, high
        # a share of the even grid keeps pieces apart where many inputs are alike
        self._relay(UNIFORM * even + (1 - UNIFORM) * by_inputs, x)

    @torch.no_grad()
    def extend_grid(self, times: int) -> None:
        """Divide every piece of the grid into ``times``; on the grid the function stays exactly what it was."""
        if times < 1:
            raise TaskError(f"A grid {times} times as fine", expected="a whole number of 1 or more", action="give 2 to halve every piece")
        parts = torch.arange(times, device=self.knots.device) / times
        left, width = self.grid[:, :-1], self.grid.diff(dim=1)
        finer = (left[:, :, None] + parts * width[:, :, None]).flatten(1)
        self._relay(torch.cat([finer, self.grid[:, -1:]], dim=1))

    def _relay(self, grid: Tensor, inputs: Tensor | None = None) -> None:
        """Replace the grid; the new coefficients follow the old curves by least squares, in double precision.

        They are compared at points in every piece and, where there are ``inputs``, mostly there.
        """
        within = (torch.arange(POINTS_A_PIECE, device=grid.device, dtype=torch.float64) + 0.5) / POINTS_A_PIECE
        left, width = grid[:, :-1].double(), grid.double().diff(dim=1)
        points = (left[:, :, None] + within * width[:, :, None]).flatten(1).T
        weight = torch.ones(len(points), 1, device=grid.device, dtype=torch.float64)
        if inputs is not None:
            points = torch.cat([points, inputs.double()])
            weight = torch.cat([ELSEWHERE * weight, weight.new_ones(len(inputs), 1)])
        knots = _extended(grid, self.degree)
        new = bspline_basis(points, knots.double(), self.degree).transpose(0, 1) * weight
        wanted = torch.einsum("nik,oik->ino", bspline_basis(points, self.knots.double(), self.degree), self.coefficients.double()) * weight
        fitted = torch.linalg.lstsq(new, wanted).solution
        self.knots = knots
        self.coefficients = _refilled(self.coefficients, fitted.permute(2, 0, 1))


class KAN(nn.Sequential):
    """Kolmogorov-Arnold layers one after the other; ``widths`` ``[2, 5, 1]`` is two inputs, five sums, one answer."""

    def __init__(
        self, widths: Sequence[int], *, intervals: int = 5, degree: int = 3, low: float = -1.0, high: float = 1.0, follow_at: Sequence[int] = ()
    ) -> None:
        layers = (KANLayer(i, o, intervals=intervals, degree=degree, low=low, high=high, follow_at=follow_at) for i, o in itertools.pairwise(widths))
        super().__init__(*layers)

    @torch.no_grad()
    def update_grid(self, x: Tensor) -> None:
        """Lay every layer's grid over what reaches it of these inputs."""
        for layer in self:
            cast("KANLayer", layer).update_grid(x)
            x = layer(x)

    def extend_grid(self, times: int) -> None:
        """Divide every piece of every grid into ``times``. The parameters are new objects: make the optimiser afterwards."""
        for layer in self:
            cast("KANLayer", layer).extend_grid(times)


def _extended(grid: Tensor, degree: int) -> Tensor:
    """Return the grid with ``degree`` more knots at each end, at the distance of the mean piece."""
    step = (grid[:, -1:] - grid[:, :1]) / (grid.shape[1] - 1)
    beyond = torch.arange(1, degree + 1, device=grid.device, dtype=grid.dtype)
    return torch.cat([grid[:, :1] - step * beyond.flip(0), grid, grid[:, -1:] + step * beyond], dim=1)


def _refilled(parameter: nn.Parameter, values: Tensor) -> nn.Parameter:
    """Return the same parameter with new values, so that an optimiser keeps it, or a new one where the shape changed."""
    if parameter.shape != values.shape:
        return nn.Parameter(values.to(parameter.dtype).contiguous())
    parameter.copy_(values)
    return parameter


def _several_processes() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
