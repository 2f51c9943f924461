# SPDX-License-Identifier: BSD-2-Clause
"""Plots of docs/benchmarks.md: gnuplot's SVG, the same bytes from the same figures."""

import os
import subprocess

import report_latency
from report_latency import MEDIAN, MIN, P99
from tables import DOCS

HEAD = """\
set terminal svg size {width},{height} font "sans-serif,12" background "white"
set output "{output}"
set grid xtics linecolor rgb "#d0d0d0"
set border 3
set tics nomirror
"""

# One line an operation: a mark at the median, from the smallest sample to the 99th percentile.
LATENCY = """\
set logscale x
set xlabel "instructions, in the guest's eyes (logarithmic)"
set format x "%.0f"
set yrange [{last}:-1]
set ytics ({labels}) scale 0
set key above
plot {curves}
"""

CURVES = [
    # title, files, color, offset of its line
    ("Candela", ["latency"], "#1f77b4", -0.2),
    ("KVM, mitigations off", ["peer_off"], "#ff7f0e", 0.05),
    ("KVM, Debian's mitigations", ["peer_default"], "#c03030", 0.25),
]


def gnuplot(name, script, width, height):
    output = os.path.join(DOCS, name + ".svg")
    head = HEAD.format(width=width, height=height, output=output)
    subprocess.run(["gnuplot"], input=(head + script).encode(), check=True)


def block(name, rows):
    """Inline data of gnuplot."""
    return f"${name} << EOD\n" + "".join(" ".join(map(str, r)) + "\n" for r in rows) + "EOD\n"


def latency():
    """Rows that leave the guest somewhere, Candela and KVM."""
    data = [report_latency.rows_of(*files) for _, files, _, _ in CURVES]
    names = [
        name
        for name in report_latency.order(data[0])
        if any(float(rows[name][MEDIAN]) > 25 for rows in data if name in rows)
    ]
    script, curves = "", []
    for i, (title, _, color, offset) in enumerate(CURVES):
        rows = [
            [max(float(data[i][name][k]), 1) for k in (MEDIAN, MIN, P99)] + [y + offset]
            for y, name in enumerate(names)
            if name in data[i]
        ]
        if rows:
            script += block(f"d{i}", rows)
            curves.append(
                f"$d{i} using 1:4:2:3 with xerrorbars pointtype 7 pointsize 0.5"
                f' linecolor rgb "{color}" title "{title}"'
            )
    labels = ", ".join(f'"{name}" {y}' for y, name in enumerate(names))
    script += LATENCY.format(last=len(names), labels=labels, curves=", ".join(curves))
    gnuplot("latency", script, 800, 100 + 18 * len(names))


def write():
    latency()
