"""What an activation knows about itself."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import Array, Float


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
        quotient cancels; a five-point Gauss rule is then exact to rounding for a
        smooth φ (error below $10^{-12} |b-a|^{10} \max|\varphi^{(10)}|$), and the
        midpoint value is used for one with kinks.
        """
        gap = b - a
        near = jnp.abs(gap) < (0.1 if self.is_smooth else jnp.finfo(a.dtype).eps)
        # Both branches are made finite so that the unused one has a finite gradient.
        apart = jnp.where(near, jnp.ones_like(gap), gap)
        quotient = (self.potential(b) - self.potential(a)) / apart
        if self.is_smooth:
            rule = sum(
                weight * self(a + node * gap)
                for node, weight in zip(_NODES, _WEIGHTS, strict=True)
            )
        else:
            rule = self(a + 0.5 * gap)
        return jnp.where(near, rule, quotient)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
# From [-1, 1] to [0, 1], as Python floats so that they take the state's dtype.
_NODES = [float(node) for node in (_NODES + 1) / 2]
_WEIGHTS = [float(weight) for weight in _WEIGHTS / 2]


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
    return CustomActivation(activation)


def scaled(
    function: Callable[[Array], Array], x: Array, scale: Array | float, power: int
) -> Array:
    r"""Return $\alpha^p f(x/\alpha)$, doing nothing for the literal scale 1.0."""
    if isinstance(scale, float) and scale == 1.0:
        return function(x)
    return scale**power * function(x / scale)


def check_scale(scale: Array | float) -> Array | float:
    """Return `scale` as a float or array, refusing what is not positive."""
    if isinstance(scale, int | float | np.number):
        if not 0 < scale < float("inf"):
            raise ValueError(f"scale must be positive and finite, got {scale}.")
        return float(scale)
    array = jnp.asarray(scale)
    if not isinstance(array, jax.core.Tracer) and not np.all(np.asarray(array) > 0):
        raise ValueError(f"scale must be positive, got {array}.")
    return array
