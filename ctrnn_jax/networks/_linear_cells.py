"""Linear fields over a whole sequence: what one step is, built once for all."""

from typing import NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp

from .._precision import full_matmul as mul
from .._types import Array, Complex, Float
from ..fields import AbstractField
from ..integrate import CayleyStep, ExponentialStep
from ..matrices import BlockRotation
from ._cell import AbstractCell
from ._parallel import runs_parallel


class PropagatorCell(AbstractCell):
    r"""$y^+ = Py + Du + c$: a linear field and its step, multiplied out.

    What `FieldCell.prepare` makes of a dense W; P, D and c have shapes `(n, n)`,
    `(n, m)` and `(n,)`.
    """

    propagator: Float[Array, "n n"]
    drive: Float[Array, "n m"]
    offset: Float[Array, " n"] | None

    @classmethod
    def of(
        cls,
        field: AbstractField,
        solver: CayleyStep | ExponentialStep,
        h: float,
        substeps: int,
    ) -> "PropagatorCell":
        """Return `substeps` steps of size h as one."""
        dtype = field.weight.dtype
        zero = jnp.zeros((), dtype)
        _, step, respond = solver.start(
            field, zero, jnp.asarray(h, dtype), jnp.zeros(field.size, dtype), None
        )
        propagator, response = step, respond
        for _ in range(substeps - 1):
            propagator, response = mul(step, propagator), respond + mul(step, response)
        bias = field.bias
        return cls(
            propagator,
            mul(response, _input_weight(field)),
            None if bias is None else mul(response, bias),
        )

    @property
    def input_size(self) -> int:
        """Number m of input channels."""
        return self.drive.shape[1]

    @property
    def output_size(self) -> int:
        """Number n of neurons."""
        return self.propagator.shape[0]

    def initial_state(self) -> Float[Array, " n"]:
        """Return zero."""
        return jnp.zeros(self.output_size, self.propagator.dtype)

    def step(self, state: Float[Array, " n"], u: Float[Array, " m"]) -> Array:
        """Return the state after one input."""
        state = mul(self.propagator, state) + mul(self.drive, u)
        return state if self.offset is None else state + self.offset

    def output(self, state: Float[Array, " n"]) -> Float[Array, " n"]:
        """Return the state itself."""
        return state

    def scan(
        self, state: Float[Array, " n"], inputs: Float[Array, "time m"]
    ) -> tuple[Array, Float[Array, "time n"]]:
        """Return the last state and all of them, the drives found in one product."""
        drives = mul(inputs, self.drive.T)
        if self.offset is not None:
            drives = drives + self.offset[None]

        def body(y: Array, drive: Array) -> tuple[Array, Array]:
            y = mul(self.propagator, y) + drive
            return y, y

        return jax.lax.scan(body, state, drives)


#: Real and imaginary parts of states or drives of the planes.
Parts: TypeAlias = tuple[Array, Array]


class Multipliers(NamedTuple):
    """What a step multiplies each planar rotation, and a drive held meanwhile, by."""

    state: Complex[Array, " planes"]
    drive: Complex[Array, " planes"]


def rotation_multipliers(
    field: AbstractField,
    solver: CayleyStep | ExponentialStep,
    h: float,
    substeps: int,
) -> Multipliers:
    r"""Return those of a `BlockRotation`, in $z_k = x_{2k} + i x_{2k+1}$.

    There $z' = \lambda z + d$ with $\lambda = -\gamma - i\omega$; an odd last neuron
    does not turn.
    """
    weight = field.weight
    assert isinstance(weight, BlockRotation)
    omega = weight.angular_frequency
    if weight.size % 2:
        omega = jnp.concatenate([omega, jnp.zeros(1, omega.dtype)])
    leak = jnp.broadcast_to(jnp.asarray(field.leak, omega.dtype), omega.shape)
    z = h * jax.lax.complex(-leak, -omega)
    if isinstance(solver, CayleyStep):
        state, drive = (1 + z / 2) / (1 - z / 2), h / (1 - z / 2)
    else:
        state = jnp.exp(z)
        # (e^z - 1)/z by its series where the quotient would cancel.
        small = jnp.abs(z) < 1e-3
        safe = jnp.where(small, jnp.ones_like(z), z)
        series = 1 + z / 2 * (1 + z / 3 * (1 + z / 4))
        drive = h * jnp.where(small, series, jnp.expm1(safe) / safe)
    whole, response = state, drive
    for _ in range(substeps - 1):
        whole, response = state * whole, drive + state * response
    return Multipliers(whole, response)


class RotationCell(AbstractCell):
    r"""Uncoupled planar rotations $z^+ = az + Du + c$: O(n) a step.

    What `FieldCell.prepare` makes of a `BlockRotation`; a, D and c are complex, of
    shapes `(planes,)`, `(planes, m)` and `(planes,)`. As a composition of affine maps
    is affine, a sequence can be scanned in parallel over time.
    """

    turn: Complex[Array, " planes"]
    drive: Complex[Array, "planes m"]
    offset: Complex[Array, " planes"] | None
    size: int = eqx.field(static=True)
    associative: bool = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        field: AbstractField,
        multipliers: Multipliers,
        *,
        associative: bool | None,
    ) -> "RotationCell":
        """Return the rotations of a linear field with a `BlockRotation`."""
        response, bias = multipliers.drive, field.bias
        return cls(
            multipliers.state,
            response[:, None] * _planes(_input_weight(field).T).T,
            None if bias is None else response * _planes(bias),
            field.size,
            runs_parallel(associative),
        )

    @property
    def input_size(self) -> int:
        """Number m of input channels."""
        return self.drive.shape[1]

    @property
    def output_size(self) -> int:
        """Number n of neurons."""
        return self.size

    def initial_state(self) -> Float[Array, " n"]:
        """Return zero."""
        return jnp.zeros(self.size, self.turn.real.dtype)

    def step(self, state: Float[Array, " n"], u: Float[Array, " m"]) -> Array:
        """Return the state after one input."""
        drive = jax.lax.complex(*(part[0] for part in self._drives(u[None])))
        z = self.turn * _planes(state) + drive
        return self._neurons(z.real, z.imag)

    def output(self, state: Float[Array, " n"]) -> Float[Array, " n"]:
        """Return the state itself."""
        return state

    def scan(
        self, state: Float[Array, " n"], inputs: Float[Array, "time m"]
    ) -> tuple[Array, Float[Array, "time n"]]:
        """Return the last state and all of them."""
        drives, start = self._drives(inputs), _planes(state)
        if self.associative:
            shifts = jax.lax.complex(*drives).at[0].add(self.turn * start)
            turns = jnp.broadcast_to(self.turn, shifts.shape)
            _, zs = jax.lax.associative_scan(_compose, (turns, shifts))
            parts = zs.real, zs.imag
        else:
            # In real numbers, which a processor's vector units take to better.
            def body(z: Parts, drive: Parts) -> tuple[Parts, Parts]:
                z = self._turned(z, drive)
                return z, z

            _, parts = jax.lax.scan(body, (start.real, start.imag), drives)
        ys = self._neurons(*parts)
        return ys[-1], ys

    def last(
        self, state: Float[Array, " n"], inputs: Float[Array, "time m"]
    ) -> tuple[Array, Float[Array, " n"]]:
        """Return the last state, twice."""
        if self.associative:
            state, _ = self.scan(state, inputs)
            return state, state
        start = _planes(state)
        z, _ = jax.lax.scan(
            lambda z, drive: (self._turned(z, drive), None),
            (start.real, start.imag),
            self._drives(inputs),
        )
        state = self._neurons(*z)
        return state, state

    def _turned(self, z: Parts, drive: Parts) -> Parts:
        cos, sin = self.turn.real, self.turn.imag
        return (
            cos * z[0] - sin * z[1] + drive[0],
            cos * z[1] + sin * z[0] + drive[1],
        )

    def _drives(self, inputs: Float[Array, "time m"]) -> Parts:
        real = mul(inputs, self.drive.real.T)
        imaginary = mul(inputs, self.drive.imag.T)
        if self.offset is None:
            return real, imaginary
        return real + self.offset.real[None], imaginary + self.offset.imag[None]

    def _neurons(
        self,
        real: Float[Array, "*time planes"],
        imaginary: Float[Array, "*time planes"],
    ) -> Float[Array, "*time n"]:
        pairs = jnp.stack([real, imaginary], axis=-1)
        return pairs.reshape(*real.shape[:-1], -1)[..., : self.size]


def _planes(y: Float[Array, "*time n"]) -> Complex[Array, "*time planes"]:
    """Return neurons 2k and 2k + 1 as the parts of one complex number."""
    if y.shape[-1] % 2:
        y = jnp.concatenate([y, jnp.zeros_like(y[..., :1])], axis=-1)
    return jax.lax.complex(y[..., ::2], y[..., 1::2])


def _compose(
    first: tuple[Array, Array], second: tuple[Array, Array]
) -> tuple[Array, Array]:
    """Return the affine map `first` and then `second`."""
    return second[0] * first[0], second[0] * first[1] + second[1]


def input_size_of(field: AbstractField) -> int:
    """Return the number of input channels, 0 without an `input_weight`."""
    return 0 if field.input_weight is None else field.input_weight.shape[1]


def _input_weight(field: AbstractField) -> Float[Array, "n m"]:
    if field.input_weight is None:
        return jnp.zeros((field.size, 0), field.weight.dtype)
    return field.input_weight
