"""Results in the formats of other programs are the results."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_sweep import Chain, Stop, stop_after

from ctrnn_jax.sweep import SpecificationError, export, open_sweep, sweep, to_frame

ROOT = Path(__file__).resolve().parent.parent.parent
GRID = {"stiffness": [1.0, 2.0, 3.0], "kind": ["open", "closed"], "is_odd": [True]}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "s.zarr"
    sweep(Chain(), GRID, store=path, chunk_size=2)
    return path


def test_a_frame_has_a_row_a_run(store):
    frame = to_frame(store)
    dataset = open_sweep(store)
    assert frame.index.tolist() == list(range(6))
    assert frame["kind"].tolist() == ["open", "closed"] * 3
    assert frame["is_odd"].all()
    assert (frame["status"] == "done").all()
    np.testing.assert_array_equal(frame["top"], dataset.top.values.ravel())
    links = frame[["links[0]", "links[1]"]].to_numpy()
    np.testing.assert_array_equal(links, dataset.links.values.reshape(6, 2))
    assert "links[0]" not in to_frame(store, names=["top"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_table_in_a_file_is_the_frame(store, tmp_path, suffix):
    import pandas

    file = export(store, tmp_path / f"out{suffix}")
    read = {".parquet": pandas.read_parquet, ".csv": pandas.read_csv}[suffix]
    found = read(file).set_index("run_id").sort_index()
    frame = to_frame(store)
    assert found.columns.tolist() == frame.columns.tolist()
    for name in frame:
        assert found[name].tolist() == frame[name].tolist()
    assert [item.name for item in tmp_path.iterdir()] == [file.name]


def test_netcdf_holds_the_dataset(store, tmp_path):
    pytest.importorskip("h5py")
    import xarray

    file = export(store, tmp_path / "out.nc")
    expected = open_sweep(store)
    with xarray.open_dataset(file, engine="h5netcdf") as found:
        for name in expected.variables:
            assert (found[name].values == expected[name].values).all()
        assert found.top.attrs["help"] == "largest entry"
        assert found.attrs["experiment"] == "chain"


def test_what_is_not_finished_is_left_out_of_tables(tmp_path):
    path = tmp_path / "s.zarr"
    with pytest.raises(Stop):
        sweep(Chain(), GRID, store=path, chunk_size=2, progress=stop_after(0))
    assert len(to_frame(path)) in (0, 2)
    export(path, tmp_path / "out.parquet")


def test_what_cannot_be_exported_is_told(store, tmp_path):
    with pytest.raises(SpecificationError, match='Did you mean ".parquet"'):
        export(store, tmp_path / "out.parq")
    with pytest.raises(SpecificationError, match='Did you mean "top"'):
        export(store, tmp_path / "out.csv", names=["tops"])

    def wide(settings, key):
        return {"out": settings["a"] * np.ones(3000)}

    sweep(wide, {"a": [1.0, 2.0]}, store=tmp_path / "wide.zarr")
    with pytest.raises(SpecificationError, match="3000 columns"):
        export(tmp_path / "wide.zarr", tmp_path / "out.csv")


def test_the_room_loads_none_of_the_extra_and_says_how_to_get_it(tmp_path):
    source = """
import sys
import ctrnn_jax.sweep
extra = {"zarr", "xarray", "pandas", "distributed", "dask", "pyarrow"}
assert not extra & {*sys.modules}, extra & {*sys.modules}
sys.modules["zarr"] = None
try:
    ctrnn_jax.sweep.sweep(lambda s, key: {"y": s["x"]}, {"x": [1.0, 2.0]})
except ImportError as error:
    assert "pip install 'ctrnn_jax[sweep]'" in str(error), error
else:
    raise AssertionError
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_number_of_devices_changes_no_bit(tmp_path):
    source = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).resolve().parent)!r})
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=" + sys.argv[1]
import jax
jax.config.update("jax_enable_x64", True)
assert len(jax.local_devices()) == int(sys.argv[1])
from small_sweep import WAVE_GRID, wave
from ctrnn_jax.sweep import sweep
found = sweep(wave, WAVE_GRID, chunk_size=12, batch_size=4)
print(found.level.values.tobytes().hex(), found.series.values.tobytes().hex())
"""
    bits = set()
    for count in ("1", "2", "3"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", source, count],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr
        bits.add(done.stdout)
    assert len(bits) == 1
