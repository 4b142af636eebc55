"""Measure clipcond beside its peers: `python -m benchmarks` (see docs/performance.md)."""
