"""What sweeps survive, and what they cost."""
