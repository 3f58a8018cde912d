"""The activations of the literature, each with its potential in closed form."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp

from .._types import Array, Float
from ._activations_base import AbstractActivation, check_scale, integral_of, scaled


class _ScaledActivation(AbstractActivation):
    r"""$\alpha f(x/\alpha)$: slope f'(0) at the origin, saturating near $\alpha$."""

    scale: Float[Array, "*batch"] | float = eqx.field(
        default=1.0, converter=check_scale
    )


class Tanh(_ScaledActivation):
    r"""$\alpha\tanh(x/\alpha)$, $\Phi = \alpha^2 \log\cosh(x/\alpha)$.

    `scale` is α: large α is nearly linear over the same states.
    """

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = True

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(jnp.tanh, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_log_cosh, x, self.scale, 2)


class Linear(AbstractActivation):
    r"""$x$, $\Phi = x^2/2$: the linear oscillator."""

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = False
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = True

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return x

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 0.5 * x * x


class HardTanh(_ScaledActivation):
    r"""$\mathrm{clip}(x, -\alpha, \alpha)$, $\Phi = x^2/2$ inside, linear outside."""

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_clip, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_huber, x, self.scale, 2)


class Arctan(_ScaledActivation):
    r"""$\alpha\arctan(x/\alpha)$, $\Phi = z\arctan z - \frac12\log(1+z^2)$ at α = 1."""

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = True

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(jnp.arctan, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_arctan_potential, x, self.scale, 2)


class Erf(_ScaledActivation):
    r"""$\alpha\,\mathrm{erf}(x/\alpha)$, whose slope at the origin is $2/\sqrt\pi$.

    $\Phi = z\,\mathrm{erf}(z) + (e^{-z^2} - 1)/\sqrt\pi$ at α = 1.
    """

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = True

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(jax.lax.erf, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_erf_potential, x, self.scale, 2)


class Softsign(_ScaledActivation):
    r"""$x/(1 + |x|/\alpha)$, $\Phi = |z| - \log(1 + |z|)$ at α = 1."""

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = True
    is_smooth: ClassVar[bool] = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_softsign, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(_softsign_potential, x, self.scale, 2)


class Sine(_ScaledActivation):
    r"""$\alpha\sin(x/\alpha)$, $\Phi = \alpha^2(1 - \cos(x/\alpha))$.

    Odd and bounded, yet its potential is bounded too: level sets are open, and
    neurons may wander from well to well.
    """

    is_odd: ClassVar[bool] = True
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = False
    is_smooth: ClassVar[bool] = True

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(jnp.sin, x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(lambda z: 2 * jnp.sin(0.5 * z) ** 2, x, self.scale, 2)


class Relu(AbstractActivation):
    r"""$\max(x, 0)$, $\Phi = \max(x, 0)^2/2$: neither odd, bounded nor coercive."""

    is_odd: ClassVar[bool] = False
    is_bounded: ClassVar[bool] = False
    is_coercive: ClassVar[bool] = False
    is_smooth: ClassVar[bool] = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.relu(x)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 0.5 * jax.nn.relu(x) ** 2


class RectifiedTanh(_ScaledActivation):
    r"""$\max(\alpha\tanh(x/\alpha), 0)$: bounded, not odd, Φ zero for x < 0.

    The paper's counter-example: the invariant exists, but its level sets are open.
    """

    is_odd: ClassVar[bool] = False
    is_bounded: ClassVar[bool] = True
    is_coercive: ClassVar[bool] = False
    is_smooth: ClassVar[bool] = False

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(lambda z: jnp.tanh(jax.nn.relu(z)), x, self.scale, 1)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return scaled(lambda z: _log_cosh(jax.nn.relu(z)), x, self.scale, 2)


@integral_of(jnp.tanh)
def _log_cosh(x: Array) -> Array:
    size = jnp.abs(x)
    # Below 1 the textbook form cancels to nothing; sinh keeps full relative accuracy.
    small = jnp.log1p(2 * jnp.sinh(0.5 * jnp.minimum(size, 1.0)) ** 2)
    large = size + jnp.log1p(jnp.exp(-2 * size)) - jnp.log(2.0).astype(x.dtype)
    return jnp.where(size < 1, small, large)


def _clip(x: Array) -> Array:
    return jnp.clip(x, -1.0, 1.0)


@integral_of(_clip)
def _huber(x: Array) -> Array:
    size = jnp.abs(x)
    return jnp.where(size < 1, 0.5 * jnp.minimum(size, 1.0) ** 2, size - 0.5)


@integral_of(jnp.arctan)
def _arctan_potential(x: Array) -> Array:
    size = jnp.abs(x)
    below, above = jnp.minimum(size, 1.0), jnp.maximum(size, 1.0)
    # log(1 + x²)/2 without squaring anything large.
    half_log = jnp.where(
        size < 1,
        0.5 * jnp.log1p(below**2),
        jnp.log(above) + 0.5 * jnp.log1p(above**-2),
    )
    return size * jnp.arctan(size) - half_log


def _softsign(x: Array) -> Array:
    return x / (1 + jnp.abs(x))


@integral_of(_softsign)
def _softsign_potential(x: Array) -> Array:
    size = jnp.abs(x)
    # With s = z/(2 + z), log(1 + z) = 2 artanh s and z - 2s = zs: below 1/2 the
    # difference z - log(1 + z) is taken term by term, where it would cancel.
    below = jnp.minimum(size, 0.5)
    s = below / (2 + below)
    series = jnp.zeros_like(s)
    for k in reversed(range(12)):
        series = series * s**2 + 1 / (2 * k + 3)
    return jnp.where(size < 0.5, below * s - 2 * s**3 * series, size - jnp.log1p(size))


def _erf_potential(x: Array) -> Array:
    # Beyond 12 the Gaussian is zero in float64 and its square would overflow float32.
    gauss = jnp.expm1(-(jnp.clip(x, -12.0, 12.0) ** 2))
    return x * jax.lax.erf(x) + gauss * (1 / jnp.sqrt(jnp.pi)).astype(x.dtype)
