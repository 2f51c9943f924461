# SPDX-License-Identifier: BSD-2-Clause
"""CSV files and Markdown: what the sections of docs/benchmarks.md share."""

import csv
import os

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
# What the last runs measured, and what is committed.
OUT = os.path.join(REPO, os.environ.get("B") or "build", "bench")
DOCS = os.path.join(REPO, "docs", "bench")


def read(name, directory=DOCS):
    """Rows of a CSV file without the header; [] when there is no such file."""
    try:
        with open(os.path.join(directory, name + ".csv"), encoding="ascii", newline="") as f:
            return list(csv.reader(f))[1:]
    except OSError:
        return []


def figures(name):
    return {cells[0]: float(cells[1]) for cells in read(name)}


def count(value):
    return f"{round(value):,}"


def kib(value):
    return f"{value / 1024:,.0f} KiB"


def row(*cells):
    return "| " + " | ".join(cells) + " |\n"
