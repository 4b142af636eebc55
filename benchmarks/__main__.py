"""Measure and write benchmarks/RESULTS.md.

    python -m benchmarks [names] [--quick] [--lpw FILE] [--sd-embed FOLDER]

Sections of other names stay in the file as they are.
"""

from __future__ import annotations

import argparse
import importlib
import re
from pathlib import Path
from time import monotonic

from benchmarks.measuring import Options, Table, surroundings

NAMES = (
    *("work", "encode", "overhead", "growth", "imports", "memory", "parse", "pictures"),
    *("bulk", "serve", "cuda"),
)
RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = """\
# Results

Written by `python -m benchmarks`; docs/performance.md says what is measured. Times are CPU times of
one thread. Ratios hold on a loaded machine, times do not.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the chosen benchmarks, and write the file after each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NAMES)}; by default all")
    parser.add_argument("--quick", action="store_true", help="small and few: to try the scripts")
    parser.add_argument("--rounds", type=int, default=0, help="5 by default, 2 with --quick")
    parser.add_argument("--lpw", type=Path, help="diffusers' lpw_stable_diffusion.py")
    parser.add_argument("--sd-embed", type=Path, help="the folder that holds the package sd_embed")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS)
    given = parser.parse_args(arguments)
    unknown = sorted(set(given.names) - set(NAMES))
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}. Known: {', '.join(NAMES)}")
    rounds = given.rounds or (2 if given.quick else 5)
    options = Options(given.quick, rounds, given.lpw, given.sd_embed)
    sections = _sections(given.output)
    for name in given.names or NAMES:
        where, start = surroundings(), monotonic()
        tables = importlib.import_module(f"benchmarks.{name}").measure(options)
        kind = " With --quick: the figures mean nothing." if options.quick else ""
        sections[name] = _section(name, f"{where}{kind} {monotonic() - start:.0f} s.", tables)
        ordered = [sections[each] for each in NAMES if each in sections]
        given.output.write_text("\n".join([HEAD, *ordered]), encoding="utf-8")
        print(sections[name], flush=True)


def _section(name: str, where: str, tables: list[Table]) -> str:
    return "\n".join([f"## {name}\n", f"{where}\n", *(table.markdown() for table in tables)])


def _sections(file: Path) -> dict[str, str]:
    """Read the sections of an earlier run."""
    parts = re.split(r"^## ", file.read_text("utf-8"), flags=re.M)[1:] if file.exists() else []
    return {part.split("\n", 1)[0].strip(): f"## {part.rstrip()}\n" for part in parts}


if __name__ == "__main__":
    main()
