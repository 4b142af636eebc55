"""Each benchmark runs and has figures; what they are is never asserted."""

import re
import sys
from importlib import import_module
from types import ModuleType

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.measuring import (
    Contender,
    Options,
    Table,
    exponent,
    interleaved,
    ratios,
    run_process,
)

FIGURE = re.compile(r"[-+]?\d[\d,.]*(e[-+]\d+)?( %| \(\d+ chunks\)|( / \d+){2}| to \d+)?")
MISSING = ("not installed: ", "not given: ", "not measured: ", "failed: ")


@pytest.mark.slow
@pytest.mark.parametrize("name", benchmarks.NAMES)
def test_a_quick_run_has_figures(name):
    tables = import_module(f"benchmarks.{name}").measure(Options(quick=True, rounds=1))

    wrong = []
    for table in tables:
        for row in table.rows:
            cells = [cell for cell in row[1:] if not cell.startswith(MISSING)]
            figures = [cell for cell in cells if FIGURE.fullmatch(cell)]
            names = [cell for cell in cells if cell.isidentifier()]  # such as a syntax
            if len(row) != len(table.columns) or len(figures) + len(names) < len(cells):
                wrong.append(row)
    assert not wrong
    assert all(len(table.rows) > 0 and len(table.columns) > 1 for table in tables)


def test_sections_are_replaced_one_by_one(tmp_path, monkeypatch, capsys):
    made = {name: ModuleType(f"benchmarks.{name}") for name in ("work", "parse")}
    for name, module in made.items():
        module.measure = lambda _, name=name: [Table(f"All {name}.", ["a", "b"], [["x", "1.5"]])]
        monkeypatch.setitem(sys.modules, f"benchmarks.{name}", module)
    results = tmp_path / "RESULTS.md"
    benchmarks.main(["parse", "-o", str(results)])
    benchmarks.main(["work", "--quick", "-o", str(results)])
    made["parse"].measure = lambda _: [Table("Other.", ["a"], [["2"]])]
    benchmarks.main(["parse", "-o", str(results)])
    capsys.readouterr()

    written = results.read_text(encoding="utf-8")
    assert [line for line in written.splitlines() if line.startswith("## ")] == [
        *("## work", "## parse"),
    ]
    assert "All work.\n\n| a | b |\n| --- | --- |\n| x | 1.5 |\n" in written
    assert "All parse" not in written
    where = [line for line in written.splitlines() if re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert ["the figures mean nothing" in line for line in where] == [True, False]
    assert all(re.search(r"load .*Python 3.*clipcond.*torch.*compel", line) for line in where)
    with pytest.raises(SystemExit):
        benchmarks.main(["wrok"])
    assert "no benchmark 'wrok'. Known: work, encode," in capsys.readouterr().err


def test_what_is_computed_of_times():
    sizes = [10, 20, 40, 80]
    for power in (0.5, 1, 2):
        assert exponent(sizes, [3 * n**power for n in sizes]) == pytest.approx(power)
    spent = {"a": [1.0, 2.0, 9.0], "b": [2.0, 2.0, 3.0]}
    assert ratios(spent, "b") == {"a": 1.0, "b": 1.0}
    calls = []
    works = {
        "prepared": Contender(calls.append, lambda: len(calls)),
        "plain": Contender(lambda: calls.append("plain")),
    }
    times = interleaved(works, rounds=2)
    assert calls == [0, "plain", 2, "plain", 4, "plain"]
    assert {name: len(each) for name, each in times.items()} == {"prepared": 2, "plain": 2}


def test_a_process_is_measured_whole():
    used = run_process("-c", "print('x' * 5)")
    assert used.printed == "xxxxx\n"
    assert used.seconds > 0
    assert 1 < used.megabytes < 1000
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        run_process("-c", "1 / 0")
