# SPDX-License-Identifier: BSD-2-Clause
"""The section of docs/benchmarks.md about data paths, from the CSV files of data.py."""

INTRO = """
## Data paths: one disk behind four kinds of device

    make bench T=disk; make bench T=disk-two; make bench T=disk-four; make bench T=disk-two-cpus

The same Linux (Debian's cloud kernel, 256M) with the same disk in memory (`ram:32M`) behind the
emulated IDE controller, by PIO and by bus-master DMA, and behind the synthetic SCSI controller with
one, two and four channels: as many vCPUs, which share the one processor. The load is
tests/bench/diskload.c: direct I/O by io_submit and io_getevents, at random over the whole disk or
in order, one request at a time or 32, by one process for each vCPU. What a load costs is counted
by the monitor (`stat`, `vmbus`) before and after it, less what the same steps cost with a load
that does nothing; what is typed at the console makes this uncertain by about 30 exits a load, with
several vCPUs, which wake each other for it, by some 200. The machine has a clock of 200 MHz here
instead of 50, so that what goes by time, ticks above all, is rarer. Several vCPUs on one processor
take turns: their exits for wake-ups and time slices are in the figures, and so are each one's
ticks. In the rows with two processors each vCPU has its own; a tick is no instruction there, so
they have exits only.

With several channels Linux's driver sends a request by another CPU's channel than its own. The
answer interrupts that CPU, which tells the first one by an interrupt of its own: at depth 1 each
request has, besides its signal, the exit for that, and those of CPUs that sleep and wake up. At
depth 32 a batch has them. What wakes a vCPU often finds its tick waiting, too: where no virtual
interrupt delivery is, each interrupt that waits for the end of another costs two exits.

- exits: all of them, but for port I/O of the console where the device has no ports. of them clock:
  the guest's timer interrupts, 250 a second and vCPU when it is busy, make about two exits each,
  one for the interrupt and one to set the timer again;
- interrupts: of the device; signals: hypercalls by which the guest says that it has written;
- guest, hypervisor: instructions of either, for one operation. The hypervisor's are all that the
  machine executed when it did not run a guest or sleep. The copy between disk and guest is in it;
- KiB per million: what is moved while the whole machine executes a million instructions.
"""

DEVICES = {
    "IDE PIO": "IDE, PIO",
    "IDE DMA": "IDE, DMA",
    "storvsc": "storvsc, 1 channel",
    "storvsc 2": "storvsc, 2 channels",
    "storvsc 4": "storvsc, 4 channels",
    "storvsc 2x2": "storvsc, 2 channels, 2 processors",
}
DISK_FILES = ["disk", "disk2", "disk4", "disk2x2"]
# Machines on which ticks are no instructions.
SEVERAL_CPUS = ["storvsc 2x2"]

# In the order of the tables: loads, title, what one row's figures are for, bytes of that unit (0 =
# an operation).
DISK_TABLES = [
    (["read 4K 1", "read 4K 32"], "Random reads of 4 KiB, for each", 0),
    (["write 4K 1", "write 4K 32"], "Random writes of 4 KiB, for each", 0),
    (["read 128K 1", "read 128K 32"], "Reads of 128 KiB in order, for a MiB", 1 << 20),
    (["write 128K 1", "write 128K 32"], "Writes of 128 KiB in order, for a MiB", 1 << 20),
]

HEADER = (
    "\n| {what} | depth | exits | of them clock | interrupts | signals | guest | hypervisor"
    " | KiB per million |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)

FILES = """
### Files

256 files of 1 to 8 KiB in 16 directories on ext4: unpacked, copied, read after an unmount, one of
the two trees removed; `sync` after each step. For the whole of it, and the requests that it came to.

| | requests | exits | signals | guest | hypervisor |
|---|--:|--:|--:|--:|--:|
"""

NET = """
## Data paths: two VMs on a switch

    make bench T=net

Two Linux guests with a synthetic network adapter each, on one processor; the load is
tests/bench/netload.c. Exits, the clock's among them, and instructions are those of both VMs together. A packet is what the
driver of the first VM has sent or received: with segmentation offload up to 64 KiB. A frame is what
a wire would carry of them, 1,448 bytes of data each; where packets are small it is the same.

| load | packets | exits a packet | exits a frame | of them clock | signals a packet | guest | hypervisor | KiB per million |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""

NETS = {
    "send": "32 MiB to the other VM by TCP",
    "take": "32 MiB from there",
    "send frames": "16 MiB to the other VM, segmented by the guest",
    "ping": "64 bytes there and back, 2,000 times",
}

TCP_DATA = 1448  # bytes in a frame of 1,514, time stamps in its header

COLUMNS = ["device", "load", "ops", "bytes", "requests", "exits", "clock", "interrupts",
           "signals", "guest", "host", "machine"]  # fmt: skip


def rows(read, name):
    """Rows of a CSV file as dictionaries; numbers are numbers."""
    out = []
    for cells in read(name):
        row = dict(zip(COLUMNS, cells))
        out.append({k: v if k in ("device", "load") else float(v) for k, v in row.items()})
    return out


def line(*cells):
    return "| " + " | ".join(cells) + " |\n"


def small(value):
    """Three digits of something that may be a fraction."""
    if value < 0.0005:
        return "0"
    return f"{value:.3f}" if value < 10 else f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def per_million(row):
    return f"{row['bytes'] / 1024 / (row['machine'] / 1e6):,.0f}"


def own(row):
    """The hypervisor's instructions: all that were not the guest's."""
    return row["machine"] - row["guest"]


def clock(row):
    """Exits for the guest's ticks."""
    return min(2 * row["clock"], row["exits"])


def costs(row, unit):
    figures = [row["exits"] / unit, clock(row) / unit]
    figures += [row[k] / unit for k in ("interrupts", "signals")]
    cells = [small(v) for v in figures]
    if row["device"] in SEVERAL_CPUS:
        return cells + 3 * [""]
    return cells + [f"{v / unit:,.0f}" for v in (row["guest"], own(row))] + [per_million(row)]


def disk_table(found, loads, title, unit):
    text = HEADER.format(what=title)
    for name in [x for x in DEVICES if any(r["device"] == x for r in found)]:
        for row in found:
            if row["device"] == name and row["load"] in loads:
                n = row["bytes"] / unit if unit else row["ops"]
                depth = row["load"].rsplit(" ", 1)[1]
                text += line(DEVICES[name], depth, *costs(row, n))
    return text + line("passed through (VT-d)", *["not yet"] + [""] * 7)


def disk_section(read):
    found = [row for file in DISK_FILES for row in rows(read, file)]
    if not found:
        return ""
    text = INTRO + "\n![Exits of a request, for each kind of disk](bench/disk_exits.svg)\n"
    for loads, title, unit in DISK_TABLES:
        text += disk_table(found, loads, title, unit)
    files = [r for r in found if r["load"] == "files"]
    text += FILES if files else ""
    for row in files:
        figures = [row[k] for k in ("requests", "exits", "signals", "guest")] + [own(row)]
        text += line(DEVICES[row["device"]], *(f"{v:,.0f}" for v in figures))
    return text


def net_section(read):
    found = rows(read, "net")
    if not found:
        return ""
    text = NET
    for row in found:
        n = row["requests"]
        frames = max(n, row["bytes"] / TCP_DATA)
        figures = [row["exits"] / n, row["exits"] / frames, clock(row) / frames, row["signals"] / n]
        cells = [small(v) for v in figures]
        cells += [f"{row['guest'] / n:,.0f}", f"{own(row) / n:,.0f}", per_million(row)]
        text += line(NETS.get(row["load"], row["load"]), f"{n:,.0f}", *cells)
    return text


def section(read):
    """read(name): the rows of build/bench/NAME.csv without the header."""
    return disk_section(read) + net_section(read)
