# SPDX-License-Identifier: BSD-2-Clause
"""tests/bench/limits: how many instructions an operation of the latency image may take.

Lines 'OPERATION LIMIT'. The counts are those of one compiler: with another one they are shown, and
do not fail.
"""

import os
import subprocess

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "limits")
COMPILER = "12.2"
HEADER = """\
# Instructions that an operation of guest-test/latency may take, median, with gcc 12.2: make
# bench-check compares, make bench-accept writes this file. A change that raises one says why.
"""


def compiler():
    out = subprocess.run(["gcc", "-dumpfullversion"], check=True, stdout=subprocess.PIPE)
    return out.stdout.decode().strip()


def read():
    found = {}
    with open(PATH, encoding="ascii") as f:
        for line in f:
            words = line.split("#")[0].split()
            if words:
                found[words[0]] = int(words[1])
    return found


def write(medians):
    with open(PATH, "w", encoding="ascii") as f:
        f.write(HEADER)
        f.writelines(f"{name} {ticks}\n" for name, ticks in medians.items())


def compare(medians, limits):
    """What to say about each operation that is not as it should be."""
    found = []
    for name, ticks in medians.items():
        if name not in limits:
            found.append(f"{name}: {ticks} instructions, and no limit in tests/bench/limits")
        elif ticks > limits[name]:
            found.append(
                f"{name}: {ticks} instructions, {ticks - limits[name]} more than its limit"
            )
    for name in limits:
        if name not in medians:
            found.append(f"{name}: has a limit, and was not measured")
    return found
