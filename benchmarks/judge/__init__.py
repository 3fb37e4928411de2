"""The judge against the rules of other tools, on simulated rollouts: ``make bench-judge``."""
