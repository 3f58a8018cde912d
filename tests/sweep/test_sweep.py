"""A sweep gives every run its settings and its key, whatever the way there."""

import functools

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from small_sweep import WAVE_GRID, Chain, CostlyChain, same, wave

from ctrnn_jax.sweep import (
    Progress,
    SpecificationError,
    estimate,
    open_sweep,
    sweep,
)

KEY = jr.key(5)


def test_a_sweep_equals_a_loop():
    found = _reference()
    assert found.level.dims == ("scale", "model.rate")
    assert found.series.dims == ("scale", "model.rate", "series_0")
    scales, rates = found["scale"].values, found["model.rate"].values
    for i in (0, 5, 11):
        for j in (0, 2):
            settings = {
                "scale": jnp.asarray(scales[i]),
                "model": {"rate": jnp.asarray(rates[j])},
            }
            one = wave(settings, jr.fold_in(KEY, i * 3 + j))
            np.testing.assert_allclose(found.level[i, j], one["level"], rtol=1e-13)
            np.testing.assert_allclose(found.series[i, j], one["series"], rtol=1e-13)
    assert (found.status == 0).all()


def test_the_dataset_is_labelled():
    found = sweep(
        Chain(),
        {
            "sweep": {"repeats": 2},
            "grid": {"stiffness": [1.0, 2.0]},
            "zip": {"end": {"kind": ["open", "closed"], "length": [3, 5]}},
            "random": {"num": 4, "steps": {"low": 80, "high": 100}},
        },
    )
    assert dict(found.sizes) == {
        "stiffness": 2, "end": 2, "sample": 4, "repeat": 2, "link": 5
    }  # fmt: skip
    assert found["kind"].values.tolist() == ["open", "closed"]
    assert found["link"].values.tolist() == list(range(5))
    assert found.attrs["fixed is_odd"] is False
    assert found.top.attrs["help"] == "largest entry"
    closed = found.sel(stiffness=2.0).isel(end=1)
    np.testing.assert_allclose(closed.links.sum("link"), 0.0, atol=1e-12)
    # A chain of three has no fourth link.
    assert np.isnan(found.links.isel(end=0, link=slice(3, None))).all()
    assert found.links.isel(end=0, link=slice(3)).notnull().all()
    expected = (found.steps > 90).astype("int8").broadcast_like(found.status)
    np.testing.assert_array_equal(found.status, expected)
    np.testing.assert_array_equal(
        found.num_steps, found.steps.broadcast_like(found.num_steps)
    )


@functools.cache
def _reference():
    return sweep(wave, WAVE_GRID, key=KEY)


@pytest.mark.parametrize(
    ("batch_size", "chunk_size"), [(2, 2), (5, 7), (8, 36), (64, 20)]
)
def test_sizes_of_batches_and_chunks_change_no_bit(batch_size, chunk_size):
    found = sweep(
        wave, WAVE_GRID, key=KEY, batch_size=batch_size, chunk_size=chunk_size
    )
    assert same(found, _reference())


def test_the_order_of_runs_changes_no_bit():
    grid = {"stiffness": [1.0, 3.0, 2.0], "kind": ["open", "closed"]}
    assert same(sweep(CostlyChain(), grid), sweep(Chain(), grid))


def test_runs_of_like_cost_share_a_chunk(tmp_path):
    grid = {"stiffness": [1.0, 3.0, 2.0, 4.0]}
    sweep(CostlyChain(), grid, chunk_size=2, store=tmp_path / "s.zarr")
    import xarray

    with xarray.open_zarr(tmp_path / "s.zarr") as flat:
        assert flat["stiffness"].values.tolist() == [4.0, 3.0, 2.0, 1.0]
        assert flat["run_id"].values.tolist() == [3, 1, 2, 0]


def test_each_static_combination_is_compiled_once():
    traces = []

    def counted(settings, key):
        traces.append(settings["size"])
        return {"sum": jr.normal(key, (settings["size"],)).sum() * settings["a"]}

    sweep(
        counted, {"size": [2, 3], "a": [1.0, 2.0, 3.0]}, static=["size"], chunk_size=2
    )
    # Once to see what comes out, once to compile.
    assert sorted(traces) == [2, 2, 3, 3]


def test_whole_numbers_and_switches_reach_a_function_as_such():
    def typed(settings, key):
        assert settings["n"].dtype == jnp.int64
        assert settings["flag"].dtype == jnp.bool
        assert settings["x"].dtype == jnp.float64
        assert settings["name"] == "a"
        return {"out": settings["n"] + 1}

    found = sweep(
        typed,
        {"grid": {"n": [1, 2], "flag": [True], "x": [1.0]}, "fixed": {"name": "a"}},
    )
    assert found.out.values.ravel().tolist() == [2, 3]


def test_without_x64_numbers_have_32_bits():
    def single(settings, key):
        return {"out": settings["a"] * jr.normal(key, dtype=jnp.float32)}

    with jax.enable_x64(False):
        found = sweep(single, {"a": [1.0, 2.0]})
        assert found.out.dtype == np.float32
        with pytest.raises(SpecificationError, match="beyond 32 bits"):
            sweep(single, {"a": [2**40]})


def test_one_run_alone_is_possible():
    found = sweep(wave, {"scale": [1.0], "model.rate": [2.0]})
    many = sweep(wave, {"scale": [1.0, 1.5, 2.0], "model.rate": [2.0]})
    assert found.level.values.tobytes() == many.level.values[:1].tobytes()


def test_progress_is_told_chunk_by_chunk():
    seen: list[Progress] = []
    sweep(wave, WAVE_GRID, chunk_size=10, progress=seen.append)
    assert [item.done for item in seen] == [0, 10, 20, 30, 36]
    assert seen[-1].total == 36
    assert seen[-1].seconds_left == 0
    assert seen[0].seconds_left is None


def test_a_legacy_key_gives_the_same_as_a_new_one():
    assert same(sweep(wave, WAVE_GRID, key=jr.PRNGKey(5)), _reference())
    assert same(sweep(wave, {"sweep": {"seed": 5}, "grid": WAVE_GRID}), _reference())


def test_keys_that_depend_on_the_batch_are_refused():
    with pytest.raises(SpecificationError, match="threefry2x32"):
        sweep(wave, WAVE_GRID, key=jr.key(0, impl="rbg"))


def test_a_plain_store_is_a_labelled_table_for_xarray(tmp_path):
    import xarray

    found = sweep(wave, WAVE_GRID, store=tmp_path / "s.zarr", key=KEY)
    with xarray.open_zarr(tmp_path / "s.zarr") as flat:
        flat = flat.where((flat.status == 0).compute(), drop=True)
        assert {"scale", "model.rate", "run_id"} <= {*flat.coords}
        table = flat.set_index(run=["scale", "model.rate"])
        chosen = table.sel(run=(0.5, 3.0)).level.values
    assert chosen == found.level.sel({"scale": 0.5, "model.rate": 3.0}).values


def test_an_estimate_tells_size_and_time():
    found = estimate(wave, WAVE_GRID, chunk_size=8)
    assert found.num_runs == 36
    assert found.sizes == {"scale": 12, "model.rate": 3}
    assert (found.num_chunks, found.chunk_size, found.num_buckets) == (5, 8, 1)
    assert found.seconds > 0
    assert found.bytes_stored == 36 * (8 * 6 + 5 + 8 + 2 * 8)


@pytest.mark.parametrize(
    ("fn", "grid", "options", "message"),
    [
        (lambda settings: {}, {"a": [1.0]}, {}, "fn\\(settings, key\\)"),
        (lambda settings, key: 1.0, {"a": [1.0]}, {}, "must return a dict"),
        (lambda settings, key: {"a": 1.0}, {"a": [1.0]}, {}, "rename it"),
        (lambda settings, key: {"status": 1.0}, {"a": [1.0]}, {}, "whole number"),
        (lambda settings, key: {"z": 1j}, {"a": [1.0]}, {}, "cannot be stored"),
        (lambda settings, key: {"z": key}, {"a": [1.0]}, {}, "cannot be stored"),
        (wave, {"a": [1.0], "a.b": [1.0]}, {}, "a field of it"),
        (wave, {"a": [1.0]}, {"static": ["b"]}, "no axis"),
        (wave, {"a": [1.0]}, {"batch_size": 1}, "at least 2"),
        (wave, {"a": [1.0]}, {"chunk_size": 0}, "at least 2"),
        (wave, {"a": [1.0]}, {"shard": (1, 2)}, "needs a store"),
        (wave, {"a": [1.0]}, {"shard": (0, 2)}, "count from 1"),
        (Chain(), {"length": [2]}, {"static": ["length"]}, "for plain functions"),
        (Chain(), {"sweep": {"experiment": "x"}, "grid": {"steps": [1]}}, {}, "agree"),
        (
            Chain(),
            {"sweep": {"dtype": "float32"}, "grid": {"steps": [1]}},
            {},
            "computes in float64",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_with_the_mend(fn, grid, options, message):
    with pytest.raises(SpecificationError, match=message):
        sweep(fn, grid, **options)


def test_results_are_chosen_by_name(tmp_path):
    sweep(wave, WAVE_GRID, store=tmp_path / "s.zarr")
    found = open_sweep(tmp_path / "s.zarr", names=["level"])
    assert {*found.data_vars} == {"level", "status", "num_steps"}
    with pytest.raises(SpecificationError, match='Did you mean "level"'):
        open_sweep(tmp_path / "s.zarr", names=["levl"])
