"""The exact part of `python -m benchmarks check`."""

import collections

from benchmarks.check import Counts, complaints_of_counts, count_compilations


def test_an_ensemble_compiles_once_for_a_shape_and_never_for_values():
    assert complaints_of_counts(count_compilations()) == []


def _counts(compiled, traced=()):
    return Counts(collections.Counter(traced), collections.Counter(compiled))


def test_a_second_compilation_is_complained_of():
    counts = {
        "first call": _counts(["solve"]),
        "same again": _counts([]),
        "other values": _counts(["solve"], ["solve"]),
    }
    assert complaints_of_counts(counts) == [
        "other values: solve was traced 1 times, not 0",
        "other values: solve was compiled 1 times, not 0",
    ]


def test_a_function_compiled_twice_in_one_call_is_complained_of():
    counts = {
        "first call": _counts(["solve", "solve"]),
        "same again": _counts([]),
        "other values": _counts([]),
    }
    assert complaints_of_counts(counts) == [
        "first call: solve was compiled 2 times, not once"
    ]


def test_having_measured_nothing_is_complained_of():
    counts = dict.fromkeys(("first call", "same again", "other values"), _counts([]))
    assert "nothing was compiled" in complaints_of_counts(counts)[0]
