"""Killed workers, a killed driver and a poisonous chunk cost only what they must."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cluster_sweep import GRID, OPTIONS, poisonous, slow
from small_sweep import same

from ctrnn_jax.sweep import SpecificationError, open_sweep, sweep
from ctrnn_jax.sweep._store import Store

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="module")
def alone():
    """The same sweep in one process."""
    return sweep(slow, GRID)


def _workers(parent):
    """Return the processes below one that run the work of a cluster."""
    psutil = pytest.importorskip("psutil")
    return [
        child.pid
        for child in psutil.Process(parent).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    ]


@pytest.mark.slow
def test_a_killed_worker_changes_no_bit(alone, tmp_path):
    killed = []

    def kill(progress):
        if progress.done >= 4 and not killed:
            killed.extend(_workers(os.getpid())[:1])
            os.kill(killed[0], signal.SIGKILL)

    found = sweep(
        slow,
        GRID,
        store=tmp_path / "s.zarr",
        cluster="local:2",
        progress=kill,
        **OPTIONS,
    )
    assert killed
    assert same(found, alone)


@pytest.mark.slow
def test_a_killed_driver_leaves_no_worker_and_a_store_that_goes_on(alone, tmp_path):
    path = tmp_path / "s.zarr"
    driver = subprocess.Popen(
        [sys.executable, HERE / "cluster_sweep.py", path],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    )
    with driver:
        while int(driver.stdout.readline()) < 4:
            pass
        workers = _workers(driver.pid)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL
    assert workers
    end = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers):
        assert time.monotonic() < end, "a worker has outlived its driver"
        time.sleep(0.1)
    assert 2 <= Store(path).done().sum() < 8
    assert same(sweep(slow, GRID, store=path, **OPTIONS), alone)


@pytest.mark.slow
def test_a_poisonous_chunk_is_left_out_and_all_others_are_done(tmp_path):
    path = tmp_path / "s.zarr"
    notes = []
    with pytest.warns(UserWarning, match=r"has killed its workers.*\[3\]"):
        found = sweep(
            poisonous, GRID, store=path, cluster="local:2",
            progress=lambda item: notes.extend(item.notes), **OPTIONS,
        )  # fmt: skip
    assert found.status.values.tolist() == [0] * 6 + [4] * 2 + [0] * 8
    assert notes == ["chunk 3 is left out: it has killed its workers"]
    assert Store(path).attempts().tolist() == [1, 1, 1, 4, 1, 1, 1, 1]


@pytest.mark.slow
def test_a_users_own_client_runs_a_sweep_and_stays_open(alone, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            dashboard_address="127.0.0.1:0",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        for place, given in enumerate((client, cluster.scheduler_address)):
            path = tmp_path / f"{place}.zarr"
            assert same(sweep(slow, GRID, store=path, cluster=given, **OPTIONS), alone)
        assert client.submit(int, "1").result() == 1


def test_what_is_no_cluster_is_told(tmp_path, monkeypatch):
    from ctrnn_jax.sweep import _cluster

    monkeypatch.setattr(_cluster, "_PATIENCE", 1)
    for given, message in (("local:x", "as local:4"), ("tcp://127.0.0.1:9", "answers")):
        with pytest.raises(SpecificationError, match=message):
            sweep(slow, GRID, store=tmp_path / "s.zarr", cluster=given, **OPTIONS)
    with pytest.raises(SpecificationError, match="needs a store"):
        sweep(slow, GRID, cluster="local:2")
    assert np.isnan(open_sweep(tmp_path / "s.zarr").out).all()
