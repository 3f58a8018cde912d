"""Settings of every test: float64, strict promotion, fixed seeds."""

import gc
import itertools
import os
import sys
import types
from pathlib import Path

# Read when JAX first looks for devices: several test processes share a GPU only
# if none of them takes most of its memory at the start.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# No test needs a display.
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import jax
import pytest

# A property-based test must fail for everyone or for no one: examples follow
# from the test's source. No deadline: a first call compiles.
hypothesis.settings.register_profile(
    "ctrnn_jax", derandomize=True, deadline=None, max_examples=25, database=None
)
hypothesis.settings.load_profile("ctrnn_jax")


def _has_gpu():
    return any(device.platform == "gpu" for device in jax.devices())


def _do_without_beartype():
    """Stand in for beartype where a machine has a GPU but not it; say whether.

    A machine that others keep may take no packages. Annotations then go unchecked, and
    a line at the top says so. Never in CI, nor without a GPU.
    """
    try:
        import beartype  # noqa: F401
    except ImportError:
        if os.environ.get("CI") or not _has_gpu():
            raise
        stand_in = types.ModuleType("beartype")
        vars(stand_in)["beartype"] = lambda function: function
        sys.modules["beartype"] = stand_in
        return True
    return False


# Before jaxtyping's plugin looks for it.
_UNCHECKED = _do_without_beartype()


def pytest_report_header():
    if _UNCHECKED:
        return "WARNING: beartype is not installed, so no annotation is checked"
    return None


def pytest_configure():
    # Set for the whole run and not by a fixture, so that arrays made while a
    # test module is imported follow the same rules.
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_numpy_rank_promotion", "raise")
    jax.config.update("jax_numpy_dtype_promotion", "strict")


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("needs a GPU; none is visible to JAX")


@pytest.fixture(autouse=True)
def _promotion(request):
    """Relax dtype promotion where marked: optax's Adam divides a float by int32."""
    if request.node.get_closest_marker("standard_promotion"):
        with jax.numpy_dtype_promotion("standard"):
            yield
    else:
        yield


@pytest.fixture(autouse=True)
def _close_figures():
    """Close what a test drew, whose number matplotlib would warn about."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(autouse=True)
def _bounded_number_of_programs():
    """Drop compiled programs before the process runs out of memory mappings.

    Each holds some, thousands of tests compile several, and at Linux's default of
    65 530 a process the next compilation crashes.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 20_000:
        jax.clear_caches()
        gc.collect()


@pytest.fixture
def getkey():
    """Return a function that gives a new random key at each call.

    The same sequence in every test and in every run.
    """
    root = jax.random.key(20250413)
    count = itertools.count()
    return lambda: jax.random.fold_in(root, next(count))
