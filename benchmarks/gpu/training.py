"""Training steps a second on the device: ours, and the same networks in PyTorch."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any

from ..memory.cost import DELAY, RATE, SIZE, STEPS
from ..race import Spread
from ..suites import NotInstalled, WrongAnswer
from .clock import how_often, seconds_of
from .options import Options
from .store import DONE, Store
from .tasks import Refused, Task

#: Sequences a step.
BATCHES = (64, 1024)
#: Networks, of which ours are the first two.
NETWORKS = ("tanh-skew", "linear-rotation", "gru", "lstm")
#: How far a first loss may be from ours in full float32, relative; by the precision
#: of the products. TensorFloat-32 keeps ten bits.
ALLOWED = {"highest": 1e-5, "default": 3e-3}

#: A way: the loss of its first batch, and a function that makes `STEPS` steps.
Made = tuple[float, Callable[[], None]]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a step does."""

    network: str
    batch: int
    delay: int
    size: int


def tasks(options: Options, bits: int, store: Store) -> Iterator[Task]:
    """Yield the rows."""
    batches = (4,) if options.tiny else BATCHES
    delay, size = (3, 8) if options.tiny else (DELAY, SIZE)
    yield _transfers(Setting(NETWORKS[0], batches[0], delay, size))
    for batch in batches:
        for network in NETWORKS:
            setting = Setting(network, batch, delay, size)
            for way, label, make in _ways(network):
                yield _timing(setting, way, label, make, store)


def _ways(network: str) -> Iterator[tuple[str, str, Callable[[Setting], Made]]]:
    """Yield key, label and maker of each way to train a network."""
    yield "ours", "**ctrnn_jax, float32**", partial(_ours, precision="highest")
    yield (
        "ours-default",
        "ctrnn_jax, JAX's default precision of products",
        partial(_ours, precision=None),
    )
    if network in ("gru", "lstm"):
        yield (
            "torch-cudnn",
            f"torch.nn.{network.upper()} (cuDNN), float32",
            partial(_torch, kind="fused"),
        )
        yield (
            "torch-cudnn-default",
            f"torch.nn.{network.upper()} (cuDNN), PyTorch's default precision",
            partial(_torch, kind="fused", tf32=True),
        )
        return
    yield "torch", "PyTorch by hand", partial(_torch, kind="hand")
    yield "torch-graph", "PyTorch by hand, CUDA graph", partial(_torch, kind="graph")
    yield "torch-compiled", "PyTorch compiled", partial(_torch, kind="compiled")


def _timing(
    setting: Setting,
    way: str,
    label: str,
    make: Callable[[Setting], Made],
    store: Store,
) -> Task:
    about = {
        "part": "training",
        "kind": "timing",
        "way": way,
        "label": label,
        **dataclasses.asdict(setting),
    }
    key = f"training/{setting.batch}/{setting.network}/{way}"
    allowed = ALLOWED["default" if way.endswith("default") else "highest"]

    def measure() -> dict[str, Any]:
        loss, steps = make(setting)
        base = store.rows.get(f"training/{setting.batch}/{setting.network}/ours", {})
        if way != "ours":
            if base.get("status") != DONE:
                raise Refused("ours was not measured: nothing to compare with")
            wanted = base["first_loss"]
            if not abs(loss - wanted) <= allowed * abs(wanted):
                raise WrongAnswer(f"first loss {loss}, ours {wanted}")
        one = seconds_of(steps)[1]
        times = [seconds_of(steps)[1] / STEPS for _ in range(how_often(one))]
        seconds = dataclasses.asdict(Spread.of(times))
        return {
            "seconds": seconds,
            "rate": 1 / seconds["median"],
            "first_loss": loss,
            "allowed": allowed,
        }

    return Task(key, about, measure)


def _transfers(setting: Setting) -> Task:
    about = {"part": "training", "kind": "transfers", **dataclasses.asdict(setting)}

    def measure() -> dict[str, Any]:
        """Make steps where JAX raises for anything between host and device."""
        import jax

        _, steps = _ours(setting, precision="highest")
        platform = jax.devices()[0].platform
        with jax.transfer_guard("disallow_explicit"):
            steps()
        return {"steps": STEPS, "platform": platform, "transfers": 0}

    return Task("training/transfers", about, measure)


@lru_cache(maxsize=2)
def _given(setting: Setting) -> tuple[Any, Any, Any]:
    """Return the task, the network, and the first batch."""
    import jax.random as jr

    from ctrnn_jax.networks import make_network
    from ctrnn_jax.tasks import CopyMemory

    task = CopyMemory(setting.delay)
    network = make_network(setting.network, task, size=setting.size, key=jr.key(0))
    return task, network, task.sample(setting.batch, key=jr.key(2))


def _ours(setting: Setting, precision: str | None) -> Made:
    from ..memory.cost import ours

    return ours(*_given(setting), precision=precision)


def _torch(setting: Setting, kind: str, tf32: bool = False) -> Made:
    import numpy as np
    import torch

    from ..memory import torch_cells as cells

    if not torch.cuda.is_available():
        raise NotInstalled("a GPU that PyTorch sees")
    torch.set_grad_enabled(True)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = tf32
    _, network, first = _given(setting)
    build: dict[str, Callable[[], Any]] = {
        "tanh-skew": lambda: cells.TanhSkew(network, kind == "compiled"),
        "linear-rotation": lambda: cells.LinearRotation(network, kind == "compiled"),
        "gru": lambda: cells.FusedGRU(network),
        "lstm": lambda: cells.FusedLSTM(network),
    }
    if kind == "compiled":
        # One network after another would hit the limit of recompilations.
        torch._dynamo.reset()
    module = build[setting.network]().to("cuda")
    inputs = torch.tensor(np.asarray(first.inputs), device="cuda")
    targets = torch.tensor(np.asarray(first.targets), device="cuda").long()
    loss = float(cells.loss_of(module, inputs, targets).detach())
    graph = kind == "graph"
    step = cells.training_step(
        module, RATE, setting.batch, setting.delay, "cuda", capturable=graph
    )
    if graph:
        step = _captured(torch, step)

    def steps() -> None:
        for _ in range(STEPS):
            step()
        torch.cuda.synchronize()

    steps()
    return loss, steps


def _captured(torch: Any, step: Callable[[], None]) -> Callable[[], None]:
    """Return a replay of the step as a CUDA graph, captured as PyTorch asks."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
