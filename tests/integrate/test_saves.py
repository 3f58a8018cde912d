"""What an ensemble saves: what simulate saves, and nothing more."""

import diffrax
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import ctrnn_jax as cj

TS = np.linspace(0.0, 2.0, 5)

SAVES = {
    "final": diffrax.SaveAt(t1=True),
    "both ends": diffrax.SaveAt(t0=True, t1=True),
    "late": diffrax.SaveAt(ts=[1.0, 1.4, 1.8]),
    "third steps": diffrax.SaveAt(steps=3),
    "a function": diffrax.SaveAt(
        ts=[0.5, 1.0, 1.5], fn=lambda t, y, args: {"t": t, "norm": jnp.sum(y**2)}
    ),
    # Not on the steps, or not evenly on them: by the slow path.
    "between steps": diffrax.SaveAt(ts=[0.33, 1.0]),
    "uneven": diffrax.SaveAt(t0=True, ts=[0.5, 2.0]),
}


@pytest.mark.parametrize("name", SAVES)
def test_saveat_saves_what_simulate_saves(name):
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)))
    y0 = jr.normal(jr.key(1), (2, 3))
    options = dict(dt0=0.1, solver=cj.RK4(), saveat=SAVES[name])
    found = cj.simulate_ensemble(model, y0, TS, **options)
    for lane in range(2):
        expected = cj.simulate(model, y0[lane], TS, **options)
        # simulate pads the steps that it might have taken.
        kept = np.isfinite(expected.ts)
        assert np.allclose(found.ts, expected.ts[kept], rtol=0, atol=1e-14)
        one = jax.tree.map(lambda leaf, lane=lane: leaf[lane], found.ys)
        other = jax.tree.map(lambda leaf, kept=kept: leaf[kept], expected.ys)
        assert jax.tree.structure(one) == jax.tree.structure(other)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
            assert a.shape == b.shape
            assert np.allclose(a, b, rtol=0, atol=1e-13)


def test_nothing_is_kept_but_what_is_asked_for():
    model = cj.VoltageCTRNN(cj.SkewSymmetric(3, key=jr.key(0)))

    def memory(num_steps, saveat):
        def solve(y0):
            return cj.simulate_ensemble(
                model,
                y0,
                np.array([0.0, 1.0]),
                dt0=1 / num_steps,
                solver=cj.RK4(),
                saveat=saveat,
                reductions=cj.Mean(),
            )

        compiled = jax.jit(lambda y0: solve(y0).ys).lower(jnp.ones((50, 3))).compile()
        analysis = compiled.memory_analysis()
        return analysis.output_size_in_bytes, analysis.temp_size_in_bytes

    final = diffrax.SaveAt(t1=True)
    output, temporary = memory(1000, final)
    assert output == 50 * 3 * 8
    assert memory(2000, final) == (output, temporary)
    # The 100 states asked for are seen, so that what is kept is measured.
    assert memory(1000, diffrax.SaveAt(steps=10))[0] == 100 * output
