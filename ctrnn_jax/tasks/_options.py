"""What tasks check of their options, and the dtype of what they make."""

import jax.numpy as jnp

from .._types import DTypeLike


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuse what is no whole number, or below `least`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(
            f"{name} must be a whole number, at least {least}, got {value!r}."
        )


def check_share(name: str, value: float, *, least: float = 0.0) -> None:
    """Refuse what does not lie in (`least`, 1]."""
    if not least < value <= 1:
        raise ValueError(
            f"{name} must be above {least:g} and at most 1, got {value!r}."
        )


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def check_dtype(dtype: DTypeLike | None) -> None:
    """Refuse what is no floating dtype, or one that JAX would narrow in silence."""
    if dtype is None:
        return
    wanted = jnp.dtype(dtype)
    if not jnp.issubdtype(wanted, jnp.floating):
        raise ValueError(f"dtype must be floating, got {wanted}.")
    if jnp.finfo(wanted).bits > jnp.finfo(jnp.result_type(float)).bits:
        raise ValueError(
            f"dtype is {wanted}, but JAX's 64-bit mode is off; set "
            "jax.config.update('jax_enable_x64', True), or ask for float32."
        )


def resolve_dtype(dtype: DTypeLike | None) -> DTypeLike:
    """Return `dtype`, or JAX's default floating one."""
    return jnp.result_type(float) if dtype is None else jnp.dtype(dtype)
