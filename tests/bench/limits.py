# SPDX-License-Identifier: BSD-2-Clause
"""tests/bench/limits: how many instructions an operation of the latency image may take.

Lines 'OPERATION LIMIT'. The counts are those of one compiler: with another one they are shown, and
do not fail.
"""

import os
import subprocess

PATH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "limits")
COMPILER = "gcc 12.2"
HEADER = """\
# Instructions that an operation of guest-test/latency may take, median, with gcc 12.2: make
# bench-check compares, make bench-accept writes this file. A change that raises one says why.
"""


def compiler():
    """What the core was built with (make says so), by its own words: "gcc 12.2"."""
    cc = (os.environ.get("CC") or "gcc").split()
    words = "__clang__ __clang_major__ __clang_minor__ __GNUC__ __GNUC_MINOR__"
    out = subprocess.run(cc + ["-E", "-P", "-"], input=words.encode(), check=True, stdout=subprocess.PIPE)
    clang, *numbers = out.stdout.decode().split()
    # What is not defined stays a word.
    return "gcc " + ".".join(numbers[2:]) if clang == "__clang__" else "clang " + ".".join(numbers[:2])


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


def accept(medians, this):
    """Make these the limits; (what to say, did it)."""
    if this != COMPILER:
        return f"FAIL limits are those of {COMPILER}, and this is {this}: not written", False
    write(medians)
    return "written: tests/bench/limits", True


def differences(medians, limits):
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


def compare(medians, limits, this):
    """(lines to print, how many operations fail) with what compiler() returned."""
    found = differences(medians, limits)
    if not found:
        return [], 0
    if this != COMPILER:
        why = f"Limits are those of {COMPILER}, and this is {this}: only reported."
        return ["INFO " + line for line in found] + [why], 0
    how = "Is a longer path justified, or a row new? make bench-accept, and say why in the commit."
    return ["FAIL " + line for line in found] + [how], len(found)
