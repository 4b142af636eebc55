"""Measure clipcond and its peers: `python -m benchmarks` (see docs/performance.md)."""
