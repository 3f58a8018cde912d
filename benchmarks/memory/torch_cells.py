"""The same networks in PyTorch, cells written by hand, from the same weights."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..suites import NotInstalled

try:
    import torch
except ModuleNotFoundError as missing:  # pragma: no cover
    raise NotInstalled(str(missing.name)) from missing


class _Network(torch.nn.Module):
    """A cell over time, and a linear readout of every state."""

    def __init__(self, network: Any):
        super().__init__()
        linear = network.readout.linear
        self.readout = torch.nn.Linear(linear.in_features, linear.out_features)
        with torch.no_grad():
            self.readout.weight.copy_(_tensor(linear.weight))
            self.readout.bias.copy_(_tensor(linear.bias))

    def parameter(self, array: Any) -> torch.nn.Parameter:
        return torch.nn.Parameter(_tensor(array))


class TanhSkew(_Network):
    """φ(x) = α tanh(x/α) stepped by leapfrog, as `tanh-skew`."""

    def __init__(self, network: Any, compiled: bool):
        super().__init__(network)
        field = network.cells[0].field
        self.coupling = self.parameter(field.weight.coupling)
        self.input_weight = self.parameter(field.input_weight)
        self.bias = self.parameter(field.bias)
        self.scale = float(field.activation.scale)
        self.cell = torch.compile(self._step) if compiled else self._step

    def _step(self, p: Any, q: Any, rate: Any, drive: Any, c: Any) -> Any:
        scale, half = self.scale, 0.5 * drive
        first, second = half[:, : p.shape[1]], half[:, p.shape[1] :]
        q = q + 0.5 * rate + second
        p = p + first + scale * torch.tanh(q / scale) @ c.T + first
        rate = -(scale * torch.tanh(p / scale)) @ c
        q = q + second + 0.5 * rate
        return p, q, rate

    def forward(self, inputs: Any) -> Any:
        drives = inputs @ self.input_weight.T + self.bias
        batch, c = inputs.shape[0], self.coupling
        p = inputs.new_zeros(batch, c.shape[0])
        q = inputs.new_zeros(batch, c.shape[1])
        rate, states = torch.zeros_like(q), []
        for drive in drives.unbind(1):
            p, q, rate = self.cell(p, q, rate, drive, c)
            states.append(torch.cat([p, q], 1))
        return self.readout(torch.stack(states, 1))


class LinearRotation(_Network):
    """Planar rotations, as `linear-rotation`."""

    def __init__(self, network: Any, compiled: bool):
        super().__init__(network)
        field = network.cells[0].field
        self.omega = self.parameter(field.weight.angular_frequency)
        self.input_weight = self.parameter(field.input_weight)
        self.bias = self.parameter(field.bias)
        self.cell = torch.compile(self._step) if compiled else self._step

    @staticmethod
    def _step(x: Any, y: Any, dx: Any, dy: Any, cos: Any, sin: Any) -> Any:
        return cos * x + sin * y + dx, cos * y - sin * x + dy

    def forward(self, inputs: Any) -> Any:
        cos, sin = torch.cos(self.omega), torch.sin(self.omega)
        # (e^z - 1)/z for z = -iω.
        real, imaginary = sin / self.omega, (cos - 1) / self.omega
        forces = inputs @ self.input_weight.T + self.bias
        fx, fy = forces[..., ::2], forces[..., 1::2]
        dx, dy = real * fx - imaginary * fy, real * fy + imaginary * fx
        x = inputs.new_zeros(inputs.shape[0], len(self.omega))
        y, states = torch.zeros_like(x), []
        for one, other in zip(dx.unbind(1), dy.unbind(1), strict=True):
            x, y = self.cell(x, y, one, other, cos, sin)
            states.append(torch.stack([x, y], -1).flatten(1))
        return self.readout(torch.stack(states, 1))


class FusedGRU(_Network):
    """`torch.nn.GRU`."""

    def __init__(self, network: Any):
        super().__init__(network)
        cell = network.cells[0].cell
        size, channels = cell.hidden_size, cell.input_size
        self.layer = torch.nn.GRU(channels, size, batch_first=True)
        silent = np.zeros(2 * size, np.float32)
        with torch.no_grad():
            self.layer.weight_ih_l0.copy_(_tensor(cell.weight_ih))
            self.layer.weight_hh_l0.copy_(_tensor(cell.weight_hh))
            self.layer.bias_ih_l0.copy_(_tensor(cell.bias))
            hidden = np.concatenate([silent, np.asarray(cell.bias_n)])
            self.layer.bias_hh_l0.copy_(_tensor(hidden))

    def forward(self, inputs: Any) -> Any:
        return self.readout(self.layer(inputs)[0])


class FusedLSTM(_Network):
    """`torch.nn.LSTM`, whose gates are in the order of equinox's."""

    def __init__(self, network: Any):
        super().__init__(network)
        cell = network.cells[0].cell
        size, channels = cell.hidden_size, cell.input_size
        self.layer = torch.nn.LSTM(channels, size, batch_first=True)
        with torch.no_grad():
            self.layer.weight_ih_l0.copy_(_tensor(cell.weight_ih))
            self.layer.weight_hh_l0.copy_(_tensor(cell.weight_hh))
            self.layer.bias_ih_l0.copy_(_tensor(cell.bias))
            self.layer.bias_hh_l0.zero_()

    def forward(self, inputs: Any) -> Any:
        return self.readout(self.layer(inputs)[0])


def copy_batch(batch: int, delay: int, device: str = "cpu") -> tuple[Any, Any]:
    """Return inputs and targets of copy memory, ten of eight symbols."""
    symbols = torch.randint(1, 9, (batch, 10), device=device)
    shown = torch.zeros(batch, delay + 20, dtype=torch.long, device=device)
    shown[:, :10] = symbols
    shown[:, delay + 9] = 9
    targets = torch.zeros_like(shown)
    targets[:, -10:] = symbols
    return torch.nn.functional.one_hot(shown, 10).float(), targets


def training_step(
    module: torch.nn.Module,
    rate: float,
    batch: int,
    delay: int,
    device: str = "cpu",
    **options: Any,
) -> Callable[[], None]:
    """Return one step of Adam, with these further options, on a new batch."""
    optimiser = torch.optim.Adam(module.parameters(), lr=rate, **options)

    def step() -> None:
        inputs, targets = copy_batch(batch, delay, device)
        optimiser.zero_grad(set_to_none=True)
        loss_of(module, inputs, targets).backward()
        optimiser.step()

    return step


def loss_of(module: torch.nn.Module, inputs: Any, targets: Any) -> Any:
    """Return the mean cross-entropy over all samples."""
    return torch.nn.functional.cross_entropy(
        module(inputs).flatten(0, 1), targets.flatten()
    )


def _tensor(array: Any) -> Any:
    return torch.tensor(np.asarray(array))
