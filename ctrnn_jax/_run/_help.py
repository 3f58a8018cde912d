"""Examples and exit codes, as `--help` shows them."""

EXIT_CODES = """exit codes:
  0    done
  1    numerical failure of every lane (with --strict, of any lane or part)
  2    bad usage: the message names the key or option and what is allowed
  3    cannot read or write: permission, full disk
  4    unexpected error, please report it (--debug shows where)
  130  interrupted; the same command goes on from there
"""

EXAMPLES = """examples:
  ctrnn simulate --size 8 --t1 200
  ctrnn simulate spec.toml --out results/run.npz
  ctrnn analyse --size 5 --lyapunov
  ctrnn train copy --delay 200
  ctrnn sweep run spec.toml --store results/sweep.zarr
  ctrnn reproduce --quick
"""

SIMULATE_EXAMPLES = """examples:
  two neurons from a given state, with the exact-energy method:
    ctrnn simulate --matrix '[[0, 1], [-1, 0]]' --y0 '[1.5, 0]' \\
        --solver discrete_gradient --t1 50 --out results/pair.npz
  an ensemble of 64 random initial states of 16 neurons:
    ctrnn simulate --size 16 --batch 64 --y0-seed 7 --out results/ensemble.npz
  from a file, with one key changed:
    ctrnn simulate spec.toml --dt0 0.01 --out results/fine.npz

a file (every key has a flag, and flags win):
    [weight]
    kind = "skew_symmetric"
    size = 8
    scale = 1.5
    [initial]
    batch = 16
    seed = 3
    [time]
    t1 = 500.0
    dt0 = 0.02
    saves = 5001

A run that was interrupted goes on when the same command is given again, and ends
with the same file bit for bit. Exit codes: see `ctrnn --help`.
"""

ANALYSE_EXAMPLES = """examples:
  what does this network of five neurons do from a random state?
    ctrnn analyse --size 5 --y0-scale 3 --lyapunov --section
  is there a limit cycle, and is it stable?
    ctrnn analyse --weight gain_plus_skew --matrix '[[1.5, 1], [-1, 1.5]]' \\
        --leak 1 --transient 100 --periodic-orbit --fixed-points
  from a file, the evidence for another program:
    ctrnn analyse orbit.toml --json --out results/orbit.npz

a file (every key has a flag, and flags win):
    [weight]
    kind = "skew_symmetric"
    size = 5
    [initial]
    scale = 3.0
    seed = 1
    [time]
    duration = 5000.0
    dt0 = 0.1
    [analysis]
    lyapunov = true
    frequencies = true
    num_frequencies = 12

The orbit is always classified. An analysis that was interrupted goes on with the part
that is missing when the same command is given again. Exit codes: see `ctrnn --help`.
"""

TRAIN_EXAMPLES = """examples:
  ten symbols through a delay of a thousand samples:
    ctrnn train copy --delay 1000 --steps 500
  a rival on the same task:
    ctrnn train copy --delay 1000 --network lstm --out results/lstm
  three bits to hold, by a network with attractors:
    ctrnn train flip-flop
  from a file, with one key changed:
    ctrnn train task.toml --seed 1 --out results/second

a file (every key has a flag, and flags win):
    [task]
    name = "adding"
    length = 1000
    [network]
    name = "linear-rotation"
    size = 32
    [train]
    num_steps = 2000
    learning_rate = 5e-3

The folder gets metrics.jsonl and checkpoints meanwhile, and model.ckpt, summary.json
and learning_curve.png at the end. A training that was interrupted, or killed, goes on
bit for bit when the same command is given again. Exit codes: see `ctrnn --help`.
"""

SWEEP_EXAMPLES = """examples:
  which experiments are there, and what does one take?
    ctrnn sweep list
    ctrnn sweep list oscillation
  what will it take, then do it, here or on four processes:
    ctrnn sweep run spec.toml --dry-run
    ctrnn sweep run spec.toml --store results/sweep.zarr
    ctrnn sweep run spec.toml --store results/sweep.zarr --cluster local:4
  how far is it, is all of it sound, and give it to another program:
    ctrnn sweep status results/sweep.zarr
    ctrnn sweep verify results/sweep.zarr
    ctrnn sweep export results/sweep.zarr results/sweep.parquet
"""

SWEEP_RUN_EXAMPLES = """a file:
    [sweep]
    experiment = "oscillation"
    seed = 3
    repeats = 5
    [grid]
    scale = { start = 0.2, stop = 2.0, num = 40 }
    leak = { start = 0.0, stop = 0.5, num = 40 }
    [fixed]
    num_neurons = 8

Other sections: [zip.NAME] for axes that go together, [random] and [sobol] for samples.
An experiment of yours is "file.py:name", a function fn(settings, key) of one run.

A sweep that was interrupted, or killed, goes on when the same command is given again,
and ends with the same bits. In an array job each task runs a part:
    ctrnn sweep run spec.toml --store sweep.zarr --shard $SLURM_ARRAY_TASK_ID/8
Exit codes: see `ctrnn --help`.
"""

REPRODUCE_EXAMPLES = """examples:
  ctrnn reproduce                      all claims, into results/report.html
  ctrnn reproduce C1 C3 --quick        two of them, at a reduced size
  ctrnn reproduce --fresh              without what earlier runs left

A run that was interrupted goes on with the claims that are missing when the same
command is given again. Exit codes: see `ctrnn --help`.
"""

BENCH_EXAMPLES = """examples:
  ctrnn bench list                  in a clone of the repository
  ctrnn bench ensembles --quick
  ctrnn bench -- --help             what the benchmarks accept
"""

LEADERBOARD_EXAMPLES = """examples:
  ctrnn leaderboard                        in a clone; hours, and goes on
  ctrnn leaderboard copy-200 --seconds 600
  ctrnn leaderboard --seconds 0            write the tables again, train nothing

It is `python -m benchmarks memory`: benchmarks/results/memory.json holds every record,
and memory.md the tables.
"""
