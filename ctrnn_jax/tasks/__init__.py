"""What a network is asked to remember: one task a file."""

from ._adding import Adding
from ._baselines import Baseline, autoregression, seasonal_naive, series_baselines
from ._copy import CopyMemory
from ._delayed_recall import DelayedRecall
from ._digits import Digits
from ._echo_state import EchoState
from ._flip_flop import FlipFlop
from ._forecast import Forecast
from ._generated import AbstractGenerated
from ._measured import MeasuredSequences
from ._real_series import co2_series, laser_series, sunspot_series
from ._recordings import (
    AbstractClassification,
    Labelled,
    LabelledSequences,
    Recordings,
    stratified,
)
from ._registry import TASKS, make_task, task_options
from ._series import Series
from ._signal_school_task import SignalSchoolTask
from ._task import AbstractTask, Batch, accuracy
from ._ts_format import TsFile, read_set, read_table, read_ts
from ._ucr import UCRSet
from ._user_files import load_eigenworms, load_noisy_cifar, load_ppg, load_psmnist
from .signal_school import DESCRIPTORS, Descriptor, SignalSchool, relative_error
from .sunspots import Sunspots, load_sunspots, nrmse

__all__ = [
    "DESCRIPTORS",
    "TASKS",
    "AbstractClassification",
    "AbstractGenerated",
    "AbstractTask",
    "Adding",
    "Baseline",
    "Batch",
    "CopyMemory",
    "DelayedRecall",
    "Descriptor",
    "Digits",
    "EchoState",
    "FlipFlop",
    "Forecast",
    "Labelled",
    "LabelledSequences",
    "MeasuredSequences",
    "Recordings",
    "Series",
    "SignalSchool",
    "SignalSchoolTask",
    "Sunspots",
    "TsFile",
    "UCRSet",
    "accuracy",
    "autoregression",
    "co2_series",
    "laser_series",
    "load_eigenworms",
    "load_noisy_cifar",
    "load_ppg",
    "load_psmnist",
    "load_sunspots",
    "make_task",
    "nrmse",
    "read_set",
    "read_table",
    "read_ts",
    "relative_error",
    "seasonal_naive",
    "series_baselines",
    "stratified",
    "sunspot_series",
    "task_options",
]
