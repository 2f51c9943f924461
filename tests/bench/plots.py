# SPDX-License-Identifier: BSD-2-Clause
"""Plots of docs/benchmarks.md: gnuplot's SVG, the same bytes from the same figures."""

import os
import subprocess

import report_data
import report_latency
from report_latency import MEDIAN, MIN, P99
from tables import DOCS, read

HEAD = """\
set terminal svg size {width},{height} font "sans-serif,12" background "white"
set output "{output}"
set border 3
set tics nomirror
set key tmargin right horizontal samplen 1 width -3 maxcols 3
"""

# One line an operation: a mark at the median, from the smallest sample to the 99th percentile.
LATENCY = """\
set logscale x
set grid xtics linetype 1 linecolor rgb "#d0d0d0"
set xlabel "instructions, in the guest's eyes (logarithmic)"
set xrange [1:1000000]
set xtics ({ticks})
set yrange [{last}:-1]
set ytics ({labels}) scale 0
plot {curves}
"""

# Groups of bars side by side.
BARS = """\
set logscale y
set grid ytics linetype 1 linecolor rgb "#d0d0d0"
set ylabel "{what} (logarithmic)"
set yrange [{least}:*]
set ytics ({ticks})
set bmargin 3.5
set style data histograms
set style histogram clustered gap 1
set style fill solid
set datafile missing "?"
plot {curves}
"""

CURVES = [
    # title, files, color, offset of its line
    ("Candela", ["latency"], "#1f77b4", -0.2),
    ("KVM, mitigations off", ["peer_off"], "#ff7f0e", 0.05),
    ("KVM, default", ["peer_default"], "#c03030", 0.25),
]

# What stands for a kind of operation, and its name under the bars.
MAIN = {
    "cpuid": "CPUID",
    "hv-call-null-fast": "hypercall",
    "in-pic": "port,\\n8259",
    "in-uart-lsr": "port,\\nUART",
    "mmio-ioapic-read": "IOAPIC",
    "x2apic-eoi": "EOI",
    "x2apic-self-ipi-icr": "self-IPI",
    "hlt-self-ipi": "HLT,\\nwake",
    "hv-timer-past": "timer",
}

DISK_COLORS = ["#7f7f7f", "#ff7f0e", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b"]
DISK_LOADS = ["read 4K 1", "read 4K 32", "write 4K 1", "write 4K 32"]


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
    script += LATENCY.format(last=len(names), ticks=decades(0, 6), labels=labels, curves=", ".join(curves))
    gnuplot("latency", script, 800, 100 + 18 * len(names))


def decades(first, last):
    """Tics of a logarithmic axis, written out."""
    return ", ".join(f'"{10**n:,}" {float(10**n)}' for n in range(first, last + 1))


def bars(name, what, least, groups, series):
    """groups: labels; series: [title, color, a value for each group, None = there is none]."""
    rows = []
    for i, group in enumerate(groups):
        cells = ["?" if values[i] is None else max(values[i], least) for _, _, values in series]
        rows.append([f'"{group}"'] + cells)
    curves = ", ".join(
        f'$d using {i + 2}:xtic(1) linecolor rgb "{color}" title "{title}"'
        for i, (title, color, _) in enumerate(series)
    )
    ticks = decades(-2, 6)
    script = BARS.format(what=what, least=least, ticks=ticks, curves=curves)
    gnuplot(name, block("d", rows) + script, 800, 380)


def main_operations():
    series = []
    for title, files, color, _ in CURVES:
        rows = report_latency.rows_of(*files)
        values = [float(rows[x][MEDIAN]) if x in rows else None for x in MAIN]
        series.append([title, color, values])
    bars("main", "instructions", 50, MAIN.values(), series)


def disks():
    """Exits of one request, for each device."""
    rows = [row for file in report_data.DISK_FILES for row in report_data.rows(read, file)]
    exits = {(row["device"], row["load"]): row["exits"] / row["ops"] for row in rows if row["ops"]}
    present = [x for x in report_data.DEVICES if any(device == x for device, _ in exits)]
    series = [
        [report_data.DEVICES[x], color, [exits.get((x, load)) for load in DISK_LOADS]]
        for x, color in zip(present, DISK_COLORS)
    ]
    if series:
        labels = [f"{kind} 4 KiB,\\ndepth {depth}" for kind, _, depth in map(str.split, DISK_LOADS)]
        bars("disk_exits", "exits a request", 0.02, labels, series)


def write():
    latency()
    main_operations()
    disks()
