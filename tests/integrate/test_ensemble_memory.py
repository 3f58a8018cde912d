"""What an ensemble takes is what the documentation says, and too much is refused."""

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj
from ctrnn_jax.integrate import _memory

MODEL = cj.VoltageCTRNN(cj.SkewSymmetric(8, key=jr.key(0)))
TS = np.linspace(0.0, 10.0, 11)


class SmallDevice:
    """A device that knows its memory, as a GPU does."""

    def __init__(self, limit):
        self.limit = limit

    def memory_stats(self):
        return {"bytes_limit": self.limit}

    def __repr__(self):
        return "gpu:0"


def _memory_of(saveat, lanes):
    def solve(y0):
        options = {"dt0": 0.1, "solver": cj.RK4(), "saveat": saveat}
        return cj.simulate_ensemble(MODEL, y0, TS, **options).ys

    y0 = jax.ShapeDtypeStruct((lanes, 8), np.float64)
    return jax.jit(solve).lower(y0).compile().memory_analysis()


@pytest.mark.parametrize(
    ("saveat", "saves"), [(None, 11), (diffrax.SaveAt(t1=True), 1)], ids=["ts", "t1"]
)
def test_bytes_are_lanes_times_saves_times_neurons_times_itemsize(saveat, saves):
    for lanes in (1000, 4000):
        found = _memory_of(saveat, lanes)
        assert found.argument_size_in_bytes == lanes * 8 * 8
        assert found.output_size_in_bytes == lanes * saves * 8 * 8
        # What the documentation says of a CPU: the saves once more or less, before
        # they are turned lanes first, and a few states of those at work.
        assert found.temp_size_in_bytes <= lanes * (2 * saves + 12) * 8 * 8


def test_what_no_device_can_hold_is_refused_with_the_numbers():
    state = jnp.zeros((100, 8))
    devices = [SmallDevice(64_000), SmallDevice(64_000)]
    _memory.check_fits(state, 20, devices)  # 50 lanes each: 64 000 bytes
    with pytest.raises(ValueError, match=r"50 lanes × 21 saves × 8 neurons × 8 bytes"):
        _memory.check_fits(state, 21, devices)
    with pytest.raises(ValueError, match=r"on gpu:0, which has 6.4e-05 GB.*SaveAt"):
        _memory.check_fits(state, 21, devices)


def test_the_ensemble_asks_before_it_runs(monkeypatch):
    monkeypatch.setattr(_memory.jax, "local_devices", lambda: [SmallDevice(1000)])
    with pytest.raises(ValueError, match="reduce them on the fly"):
        cj.simulate_ensemble(MODEL, np.zeros((4, 8)), TS, dt0=0.1, solver=cj.RK4())
