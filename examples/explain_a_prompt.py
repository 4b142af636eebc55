"""Explain how a prompt is read: tokens, ids, weights. Prints a table and saves explain.html."""

from pathlib import Path

from clipcond import Conditioner, load_tower

conditioner = Conditioner(load_tower("embedded"), clip_skip=2)
report = conditioner.explain("a (red:1.3) cat BREAK [blurry] mat")
print(report.table())
Path("explain.html").write_text(report.html(), encoding="utf-8")
