"""What an activation knows about itself."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float
from ..matrices._checks import as_scalar, is_concrete


class AbstractActivation(eqx.Module):
    r"""An elementwise activation φ with its potential $\Phi(x) = \int_0^x \varphi$.

    The potential is what makes motion invariants computable:
    $H = \sum_i \Phi(x_i)$. It is written so that it neither overflows nor cancels.

    - `is_odd`: $\varphi(-x) = -\varphi(x)$.
    - `is_bounded`: $\sup |\varphi| < \infty$.
    - `is_coercive`: $\Phi(x) \to \infty$ as $x \to \pm\infty$, so that the level sets
      of H are bounded and conserved motion cannot escape.
    - `is_smooth`: infinitely differentiable.
    """

    is_odd: eqx.AbstractVar[bool]
    is_bounded: eqx.AbstractVar[bool]
    is_coercive: eqx.AbstractVar[bool]
    is_smooth: eqx.AbstractVar[bool]

    @abstractmethod
    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """Return φ(x), elementwise."""

    @abstractmethod
    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        r"""Return $\Phi(x)$ with $\Phi(0) = 0$, elementwise."""

    def average(
        self, a: Float[Array, "*shape"], b: Float[Array, "*shape"]
    ) -> Float[Array, "*shape"]:
        r"""Return the mean of φ between `a` and `b`, elementwise.

        It equals $(\Phi(b) - \Phi(a))/(b - a)$, the discrete gradient of H, and is
        computed by that quotient where a and b are apart. Where they are close the
        quotient cancels, and a quadrature takes over as soon as its error is below
        what the quotient loses by rounding: a five-point Gauss rule for a smooth φ,
        judged by a coarser rule; Simpson's for another, judged by the spread of φ.

        So $(b - a)$ times the result is $\Phi(b) - \Phi(a)$ to the rounding of Φ, for
        every φ and every gap. The mean itself is accurate (relative to Φ, in double
        precision) to about $10^{-12}$ for a smooth φ and $10^{-8}$ for another.
        """
        gap = b - a
        if self.is_smooth:
            values = [self(a + node * gap) for node in _NODES]
            rule = _weigh(_FINE, values)
            error = jnp.abs(rule - _weigh(_COARSE, values[::2]))
        else:
            first, middle, last = self(a), self(a + 0.5 * gap), self(b)
            rule = _weigh(_SIMPSON, [first, middle, last])
            # Whatever φ does between, its mean and the rule lie between its values.
            error = jnp.abs(first - middle) + jnp.abs(middle - last)
        start, stop = self.potential(a), self.potential(b)
        eps = float(jnp.finfo(gap.dtype).eps)
        near = error * jnp.abs(gap) <= 4 * eps * (jnp.abs(start) + jnp.abs(stop))
        # The unused quotient must be finite too, or its gradient would be NaN.
        quotient = (stop - start) / jnp.where(near, jnp.ones_like(gap), gap)
        return jnp.where(near, rule, quotient)


def _mean_rules() -> tuple[list[float], list[float], list[float]]:
    """Return five Gauss nodes on [0, 1], their weights, and those of every other one.

    As Python floats, so that they take the state's dtype.
    """
    nodes, weights = np.polynomial.legendre.leggauss(5)
    outer = 1 / (6 * nodes[-1] ** 2)
    coarse = np.array([outer, 1 - 2 * outer, outer])
    return ((nodes + 1) / 2).tolist(), (weights / 2).tolist(), coarse.tolist()


_NODES, _FINE, _COARSE = _mean_rules()
_SIMPSON = [1 / 6, 2 / 3, 1 / 6]


def _weigh(weights: list[float], values: list[Array]) -> Array:
    total = weights[0] * values[0]
    for weight, value in zip(weights[1:], values[1:], strict=True):
        total = total + weight * value
    return total


class CustomActivation(AbstractActivation):
    r"""Any elementwise function, with its potential if you know it.

    **Arguments:**

    - `function`: φ, an elementwise JAX function.
    - `potential_function`: $\Phi(x) = \int_0^x \varphi$, elementwise, or `None`; asking
      for the energy without it raises an error.
    - `is_odd`, `is_bounded`, `is_coercive`, `is_smooth`: what holds of φ; all `False`
      unless you say so, which is always safe.
    """

    function: Callable[[Array], Array]
    potential_function: Callable[[Array], Array] | None = None
    is_odd: bool = eqx.field(static=True, default=False, kw_only=True)
    is_bounded: bool = eqx.field(static=True, default=False, kw_only=True)
    is_coercive: bool = eqx.field(static=True, default=False, kw_only=True)
    is_smooth: bool = eqx.field(static=True, default=False, kw_only=True)

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return self.function(x)

    def potential(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        if self.potential_function is None:
            name = getattr(self.function, "__name__", repr(self.function))
            raise ValueError(
                f"The activation {name} has no potential, so its energy is unknown. "
                "Give its antiderivative: "
                f"CustomActivation({name}, potential_function=...), with "
                "potential_function(0) == 0."
            )
        return self.potential_function(x)


def as_activation(activation: object) -> AbstractActivation:
    """Return `activation`, wrapping a plain callable as one without a potential."""
    if isinstance(activation, AbstractActivation):
        return activation
    if not callable(activation):
        raise ValueError(
            "activation must be a callable such as Tanh() or jnp.tanh, got "
            f"{activation!r}."
        )
    if isinstance(activation, type):
        raise ValueError(
            f"activation must be an instance, got the class {activation.__name__}; "
            f"write {activation.__name__}()."
        )
    return CustomActivation(activation)  # pyright: ignore[reportArgumentType]


def scaled(
    function: Callable[[Array], Array], x: Array, scale: Array | float, power: int
) -> Array:
    r"""Return $\alpha^p f(x/\alpha)$, doing nothing for the literal scale 1.0.

    A scale of one entry a lane meets the last axis of `x`.
    """
    if isinstance(scale, int | float):
        return function(x) if scale == 1.0 else scale**power * function(x / scale)
    scale = scale.astype(x.dtype)
    if 0 < scale.ndim < x.ndim:
        scale = scale.reshape((1,) * (x.ndim - scale.ndim) + scale.shape)
    return scale**power * function(x / scale)


def integral_of(
    function: Callable[[Array], Array],
) -> Callable[[Callable[[Array], Array]], Callable[[Array], Array]]:
    """Decorate a potential so that its derivative is `function`.

    Potentials of even functions are written in |x|, which JAX differentiates once at
    0, but to second order wrongly; and branches that do not cancel may do so in their
    derivatives.
    """

    def decorate(potential: Callable[[Array], Array]) -> Callable[[Array], Array]:
        primal = jax.custom_jvp(potential)
        primal.defjvps(lambda dx, _, x: function(x) * dx)
        return primal

    return decorate


def check_scale(scale: Array | float) -> Array | float:
    """Return `scale` as a float or scalar array, refusing what is not positive."""
    if isinstance(scale, int | float | np.number):
        if not 0 < scale < float("inf"):
            raise ValueError(f"scale must be positive and finite, got {scale}.")
        return float(scale)
    array = as_scalar("scale", scale)
    if is_concrete(array) and not array > 0:
        raise ValueError(f"scale must be positive, got {array}.")
    return array
