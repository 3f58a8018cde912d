"""Which of two engines runs the compiled loop of an ensemble: XLA, or a kernel."""

import logging
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import equinox as eqx

from .._types import PyTree
from ._fused._launch import on_nvidia
from ._fused._refusal import NotFused

#: `"auto"`: a kernel on an NVIDIA GPU where one covers the call, else XLA.
Engine: TypeAlias = Literal["auto", "xla", "pallas"]

_LOGGER = logging.getLogger("ctrnn_jax")


def check_engine(engine: str) -> None:
    """Refuse a name that is none of the engines'.

    **Raises:** `ValueError` naming them.
    """
    if engine not in ("auto", "xla", "pallas"):
        raise ValueError(f"engine must be 'auto', 'xla' or 'pallas', got {engine!r}.")


def wants_kernel(engine: str) -> bool:
    """Whether a kernel should be tried: asked for, or on a GPU that has them."""
    return engine == "pallas" or (engine == "auto" and on_nvidia())


def decline(engine: str, reason: str) -> None:
    """Say why XLA runs in place of a kernel.

    **Raises:** `ValueError` where a kernel was asked for by name.
    """
    if engine == "pallas":
        raise ValueError(
            f"engine='pallas' does not cover this call, because {reason}. Change that, "
            "or use engine='auto', which runs it in XLA."
        )
    _LOGGER.info("simulate_ensemble runs in XLA, because %s.", reason)


def with_kernel(
    engine: str,
    kernel: Callable[..., PyTree],
    plain: Callable[..., PyTree],
    *arguments: PyTree,
) -> PyTree:
    """Return `kernel(*arguments)` where it covers them, else `plain(*arguments)`."""
    try:
        return kernel(*arguments)
    except NotFused as refusal:
        decline(engine, str(refusal))
    return plain(*arguments)


def derived_by(
    plain: Callable[..., PyTree], kernel: Callable[..., PyTree]
) -> Callable[..., PyTree]:
    """Return `kernel`, with the derivatives of `plain`, which computes the same."""

    @eqx.filter_custom_jvp
    def run(*arguments: PyTree) -> PyTree:
        return kernel(*arguments)

    @run.def_jvp
    def _(primals: PyTree, tangents: PyTree) -> Any:
        return eqx.filter_jvp(plain, primals, tangents)

    return run
