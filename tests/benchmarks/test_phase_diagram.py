"""The phase diagram's networks, bookkeeping and statistics."""

import collections
import csv
import io
import json

import numpy as np
import pytest

from benchmarks import phase_diagram as diagram
from benchmarks import phase_diagram_report as report
from benchmarks.phase_diagram_page import render
from ctrnn_jax.analysis import ORBIT_KINDS

COLUMNS = len(diagram.LEVELS) * diagram.STARTS
QUASI_PERIODIC, CHAOTIC = (
    ORBIT_KINDS.index(kind) for kind in ("quasi-periodic", "chaotic")
)


@pytest.mark.parametrize("size", [2, 5, 64])
def test_networks_are_skew_of_fixed_norm_and_starts_have_their_energy(size):
    weight, starts = diagram.draw_network(size, 1)
    np.testing.assert_array_equal(weight, -weight.T)
    np.testing.assert_allclose(np.sum(weight**2), 2 * (size - 1))
    energy = np.mean(np.log(np.cosh(starts)), axis=1)
    np.testing.assert_allclose(
        energy.reshape(-1, diagram.STARTS).T,
        np.broadcast_to(diagram.LEVELS, (diagram.STARTS, len(diagram.LEVELS))),
        rtol=1e-9,
    )
    other, _ = diagram.draw_network(size, 2)
    assert not np.array_equal(weight, other) or size == 2


def test_every_network_is_done_once_and_there_are_ten_thousand_orbits():
    lots = [(p.name, size, draw) for p, size, draw in diagram.lots()]
    assert len(lots) == len(set(lots))
    main = [lot for lot in lots if lot[0] == diagram.MAIN.name]
    assert len(main) == sum(diagram.DRAWS.values())
    assert len(main) * COLUMNS >= 10_000
    # A check runs on networks that the main run has, too.
    for protocol in diagram.CHECKS:
        assert all(diagram.DRAWS[n] >= draws for n, draws in protocol.draws.items())


def made_up(protocol, size, draw, chaotic_from):
    """A lot that is chaotic from a level on."""
    level = np.repeat(np.arange(len(diagram.LEVELS)), diagram.STARTS)
    numbers = {
        name: [0.01] * COLUMNS
        for name in ("megno", "exponent", "exponent_error", "energy_drift")
    }
    codes = np.where(level >= chaotic_from, CHAOTIC, QUASI_PERIODIC).tolist()
    head = {"protocol": protocol, "n": size, "draw": draw, "cpu": 36.0}
    return head | {"code": codes, "reason": [0] * COLUMNS} | numbers


@pytest.fixture
def work(tmp_path):
    lots = [made_up("main", 8, draw, 4 + draw % 2) for draw in range(10)]
    lots += [made_up(diagram.LONGER.name, 8, draw, 4) for draw in range(2)]
    text = "\n".join(json.dumps(lot) for lot in lots)
    # What a kill in the middle of a line leaves.
    (tmp_path / "lots.jsonl").write_text(text + '\n{"protocol": "ma')
    return tmp_path


def test_shares_thresholds_and_checks_are_those_of_the_orbits(work):
    summary = report.summarise(diagram.read(work), "command")
    assert summary["orbits"] == 10 * COLUMNS
    shares = [cell["share"]["chaotic"] for cell in summary["cells"]]
    assert shares == [0, 0, 0, 0, 0.5, 1, 1, 1, 1]
    # Half are chaotic at the fifth level exactly.
    threshold = summary["thresholds"][0]
    assert threshold["energy_per_neuron"] == diagram.LEVELS[4]
    low, high = threshold["interval"]
    assert diagram.LEVELS[3] < low < diagram.LEVELS[4] < high < diagram.LEVELS[5]
    check = summary["checks"][0]
    # The second network differs at one level.
    assert (check["orbits"], check["same"]) == (72, 72 - diagram.STARTS)
    assert check["table"]["quasi-periodic"]["chaotic"] == diagram.STARTS
    np.testing.assert_allclose(summary["cpu_hours"], 0.12)


def test_intervals_are_wilsons():
    # 0 of 10 and 5 of 10, from Brown, Cai and DasGupta (2001).
    np.testing.assert_allclose(report._interval(0.0, 10), (0.0, 0.2775), atol=1e-4)
    np.testing.assert_allclose(report._interval(0.5, 10), (0.2366, 0.7634), atol=1e-4)


def test_files_are_written_and_hold_every_orbit(work, tmp_path):
    folder = tmp_path / "out"
    page = report.write(work, folder, "command").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO((folder / "phase_diagram.csv").read_text())))
    assert len(rows) == 10 * COLUMNS
    counts = collections.Counter(row["kind"] for row in rows)
    assert counts == {"Q": 5 * 16 + 5 * 20, "C": 5 * 20 + 5 * 16}
    assert (folder / "phase_diagram.png").stat().st_size > 10_000
    summary = json.loads((folder / "phase_diagram.json").read_text(encoding="utf-8"))
    assert render(summary) == page
    assert "| 8 | 10 | 360 | 0.00 |" in page
    assert "| 8 | 0.1 |" in page
