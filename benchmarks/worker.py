"""A process that does a race's runs on the cores it is given, one line a command.

Started by `remote.Remote`: a JSON object per line in, one per line out.
"""

import json
import os
import sys
from typing import Any


def _serve(settings: dict[str, Any]) -> None:
    # Before anything that starts threads is imported: thread pools are sized by the
    # cores this process may use.
    if settings["cpus"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, settings["cpus"])
    # Libraries print: what they say goes to stderr, and stdout stays ours.
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    if settings["x64"]:
        import jax

        jax.config.update("jax_enable_x64", True)

    import dataclasses

    from .suites import WrongAnswer, load
    from .workbench import Workbench

    suite = load(settings["suite"])
    bench = Workbench()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["do"] == "prepare":
                problem = suite.problem(**command["problem"])
                way = suite.ways[command["key"]]
                done = bench.prepare(way, problem, **command["limits"])
                answer = dataclasses.asdict(done)
            elif command["do"] == "time":
                answer = dataclasses.asdict(bench.time(command["key"]))
            else:
                bench.clear()
                answer = {}
        except WrongAnswer as wrong:
            answer = {"wrong": str(wrong)}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
