"""Speed of ctrnn_jax beside its peers: `python -m benchmarks --help`."""
