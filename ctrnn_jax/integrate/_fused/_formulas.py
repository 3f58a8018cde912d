"""Functions that kernels need and the compiler of kernels lacks, in ones it has."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from ..._types import Array

# erf(x) = x P(x²)/Q(x²) below 1, and erfc(x) = e^(-x²) P(x)/Q(x) above, both to a
# double's rounding: Cephes (Moshier 1989), ndtr.c.
_ERF_TOP = (
    9.60497373987051638749e0,
    9.00260197203842689217e1,
    2.23200534594684319226e3,
    7.00332514112805075473e3,
    5.55923013010394962768e4,
)
_ERF_BOTTOM = (
    1.0,
    3.35617141647503099647e1,
    5.21357949780152679795e2,
    4.59432382970980127987e3,
    2.26290000613890934246e4,
    4.92673942608635921086e4,
)
_ERFC_TOP = (
    2.46196981473530512524e-10,
    5.64189564831068821977e-1,
    7.46321056442269912687e0,
    4.86371970985681366614e1,
    1.96520832956077098242e2,
    5.26445194995477358631e2,
    9.34528527171957607540e2,
    1.02755188689515710272e3,
    5.57535335369399327526e2,
)
_ERFC_BOTTOM = (
    1.0,
    1.32281951154744992508e1,
    8.67072140885989742329e1,
    3.54937778887819891062e2,
    9.75708501743205489753e2,
    1.82390916687909736289e3,
    2.24633760818710981792e3,
    1.65666309194161350182e3,
    5.57535340817727675546e2,
)


def erf(x: Array) -> Array:
    """Return the error function, elementwise."""
    size = jnp.abs(x)
    square = jnp.square(jnp.minimum(size, 1.0))
    small = x * _polynomial(_ERF_TOP, square) / _polynomial(_ERF_BOTTOM, square)
    # At 6 nothing is left of erfc beside 1, in double precision.
    far = jnp.clip(size, 1.0, 6.0)
    rest = jnp.exp(-far * far) * _polynomial(_ERFC_TOP, far)
    large = 1.0 - rest / _polynomial(_ERFC_BOTTOM, far)
    return jnp.where(size < 1.0, small, jnp.where(x < 0.0, -large, large))


def round_to_even(x: Array) -> Array:
    """Return the nearest integer, of two the even one, elementwise."""
    below = jnp.floor(x)
    # Exact: the operands are within a factor of two, or the result is below 1.
    over = x - below
    half = 0.5 * below
    odd = half != jnp.floor(half)
    up = (over > 0.5) | ((over == 0.5) & odd)
    return jnp.where(up, below + 1.0, below)


def is_finite(x: Array) -> Array:
    """Return whether a number is neither infinite nor NaN, elementwise."""
    return jnp.abs(x) < jnp.inf


def logistic(x: Array) -> Array:
    """Return 1/(1 + e⁻ˣ), elementwise."""
    return 1.0 / (1.0 + jnp.exp(-x))


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    total = jnp.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


#: Primitives by name, and the formula that stands for them in a kernel.
FORMULAS = {
    "erf": lambda x, **_: erf(x),
    "erfc": lambda x, **_: 1.0 - erf(x),
    "is_finite": lambda x, **_: is_finite(x),
    "logistic": lambda x, **_: logistic(x),
    "round": lambda x, rounding_method, **_: (
        round_to_even(x)
        if rounding_method == jax.lax.RoundingMethod.TO_NEAREST_EVEN
        else jnp.floor(jnp.abs(x) + 0.5) * jnp.sign(x)
    ),
}

#: Primitives that act on each number alone and that kernels have.
ELEMENTWISE = frozenset(
    (
        *(
            "abs",
            "acos",
            "acosh",
            "add",
            "add_any",
            "and",
            "asin",
            "asinh",
            "atan",
            "atan2",
        ),
        *("atanh", "bitcast_convert_type", "cbrt", "ceil", "clamp", "cos", "cosh"),
        *("convert_element_type", "div", "eq", "exp", "exp2", "expm1", "floor", "ge"),
        *("gt", "integer_pow", "le", "log", "log1p", "lt", "max", "min", "mul", "ne"),
        *("neg", "nextafter", "not", "or", "pow", "rem", "rsqrt", "select_n"),
        *("shift_left", "shift_right_arithmetic", "shift_right_logical", "sign", "sin"),
        *("sinh", "sqrt", "square", "sub", "tan", "tanh", "xor"),
    )
)
