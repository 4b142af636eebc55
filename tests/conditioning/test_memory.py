"""A prompt of very many chunks takes little more memory than its result."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource
from clipcond import Conditioner, load_tower

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

conditioner = Conditioner(load_tower("embedded"))
conditioner("a")
before = peak()
embeds = conditioner("a BREAK " * 6000).embeds
print((peak() - before) / embeds.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in kB on Linux only")
def test_thousands_of_breaks_peak_at_little_more_than_the_result():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1.2
