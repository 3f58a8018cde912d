"""The JAX settings that the experiments run under, whatever the user's are."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def experiment_settings() -> Iterator[None]:
    """Use float64 and JAX's default promotion inside, and restore the settings after.

    Drifts of 1e-12 are not measured in float32, and what optax and the per-lane
    parameters of an ensemble promote is meant.
    """
    enable_x64 = getattr(jax, "enable_x64", None)
    if enable_x64 is None:  # before jax 0.8
        from jax.experimental import enable_x64  # pyright: ignore
    with (
        enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield
