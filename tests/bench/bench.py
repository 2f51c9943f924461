#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run the benchmarks in Bochs and write build/bench/*.csv, docs/benchmarks.md and docs/bench/.

Each benchmark is a function of a harness.Context (tests/e2e/harness.py) that returns its CSV
files: name -> rows, the first row the header. A new one is a row in BENCHES and a section in
report.py's list.
"""

import argparse
import csv
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
import bare  # noqa: E402
import data  # noqa: E402
import harness  # noqa: E402
import here  # noqa: E402
import limits  # noqa: E402
import linux  # noqa: E402
import peer  # noqa: E402
import report  # noqa: E402
import report_latency  # noqa: E402

OUT = os.path.join(harness.BUILD, "bench")
# One processor, so that a tick is an instruction; the same memory with and without Candela.
MACHINE = {"kind": "bochs", "cpus": 1, "mem": "1G"}
VM_MEMORY = "256M"
CMDLINE = "console=ttyS0 quiet"
EXIT_COLUMNS = ["exit", "count", "ticks"]
TICKS_PER_US = harness.machines.BOCHS_IPS / 1e6


MONITOR_KEY = "\x1d"
# The first seconds after a prompt are not idle yet.
IDLE_FROM, IDLE_SECONDS = 5, 20

LATENCY_COLUMNS = ["operation", "min", "median", "p99", "max", "exits"]


def run_latency(t, vcpus, host=""):
    """The latency image, alone on one CPU; returns its rows, skipped ones are failures."""
    t.file("guests/latency.elf", t.built("bench/latency.elf"))
    t.config(
        f"{host}[vm.latency]\nvcpus = {vcpus}\nmemory = 64M\nkernel = \\guests\\latency.elf\n"
        "hyperv = on, +vpregs\ntestdev = on\n"
    )
    t.boot(**MACHINE)
    t.expect(r"INFO,end,0", 240, "the last line of the latency image")
    t.expect_off(60)
    for name, why in re.findall(r"(?m)^SKIP,([^,]*),(.*)$", t.text):
        t.check(why == "one vCPU" and vcpus == 1, f"{name} was skipped: {why}")
    return latency_rows(t.text)[1:]


def latency_rows(text):
    """The rows that the latency image printed, the header first; exits are those of one sample."""
    rows = [LATENCY_COLUMNS]
    for name, samples, *ticks, exits in re.findall(r"(?m)^BENCH" + 7 * ",([^,\n]*)" + "$", text):
        rows.append([name, *ticks, exits if exits == "-" else round(int(exits) / int(samples), 2)])
    return rows


def latency_two(t):
    """The same with two vCPUs that share the CPU: the rows that need both."""
    rows = [row for row in run_latency(t, 2) if row[0].startswith("ipi-")]
    t.check(len(rows) == 2, f"{len(rows)} rows with two vCPUs")
    return {"latency_two": [LATENCY_COLUMNS] + rows}


def latency(t):
    """The latency image, alone in its VM."""
    rows = [LATENCY_COLUMNS] + run_latency(t, 1)
    t.check(len(rows) > 20, f"only {len(rows) - 1} rows")
    info = [["what", "value"]] + [list(x) for x in re.findall(r"(?m)^INFO,(.*),(\d+)$", t.text)]
    exits, _, _ = exit_table(t.text, "latency")
    return {"latency": rows, "latency_info": info, "latency_exits": [EXIT_COLUMNS] + exits}


def latency_vid(t):
    """The same with virtual-interrupt delivery, which is off in Bochs by itself."""
    rows = run_latency(t, 1, "[host]\nvmx = +vid\n")
    t.check(re.search(r"(?m)\]   vid +granted", t.text), "vid is not granted")
    t.check(len(rows) > 20, f"only {len(rows)} rows")
    return {"latency_vid": [LATENCY_COLUMNS] + rows}


def latency_bare(t):
    """The same image on the machine itself: what the guest's own instructions are."""
    bare.boot_latency(t, MACHINE)
    t.expect(r"INFO,end,0", 240, "the last line of the latency image")
    rows = latency_rows(t.text)
    t.check(len(rows) > 20, f"only {len(rows) - 1} rows")
    return {"latency_bare": rows}


def exit_table(text, vm):
    """What a VM's statistics say: ([kind, count, ticks], guest ticks, host ticks)."""
    match = re.search(
        rf"(?m)^\[ *[0-9.]+\] vm {vm} vCPU 0: \d+ exits; ticks: guest (\d+), host (\d+)"
        r".*\n((?:\[.*\]   .*\n)+)",
        text,
    )
    if not match:
        raise harness.Failed(f"no statistics of vm {vm} in the log")
    rows = []
    for line in match[3].splitlines():
        row = re.match(r"\[.*?\]   (.+?) +(\d+) +[0-9.]+% +(\d+) +\d+$", line)
        if row:
            rows.append([row[1], int(row[2]), int(row[3])])
    return rows, int(match[1]), int(match[2])


def number(pattern, text, what):
    match = re.search(pattern, text)
    if not match:
        raise harness.Failed(f"{what} is not in the log")
    return float(match[1])


def kernel_clock(text):
    """What rc.test printed: seconds to /init, of them idle, and the kernel's TSC frequency."""
    up = number(r"(?m)^bench: uptime ([0-9.]+)", text, "the kernel's uptime")
    idle = number(r"(?m)^bench: uptime [0-9.]+ idle ([0-9.]+)", text, "its idle time")
    # The last one holds: Linux refines its first idea.
    found = re.findall(r"(?m)^bench: .*tsc: .*?([0-9.]+) MHz", text)
    if not found:
        raise harness.Failed("the kernel's TSC frequency is not in its log")
    return up, idle, float(found[-1])


def linux_boot(t):
    """Debian's cloud kernel under Candela to /init, and off."""
    return boot_to_init(t, "linux", "")


def linux_plain(t):
    """The same without the Hyper-V interface."""
    return boot_to_init(t, "linux_plain", "hyperv = off\n")


def boot_to_init(t, name, more):
    linux.add_vm(t, memory=VM_MEMORY, cmdline=CMDLINE, initrd="bench/initrd.img", more=more)
    t.boot(**MACHINE)
    t.expect(r"bench: end", 300, "/init")
    t.expect(r"the last VM has stopped", 60)
    t.expect_off(60)
    exits, guest, host = exit_table(t.text, "debian")
    up, idle, mhz = kernel_clock(t.text)
    handoff = number(r"hand-off to first entry: (\d+) ticks", t.text, "the hand-off's ticks")
    start = number(r"\[ *([0-9.]+)\] hand-off to first entry", t.text, "the first entry's time")
    end = number(r"\[ *([0-9.]+)\] vm debian: powered off", t.text, "the power-off's time")
    figures = [
        ["exits", sum(row[1] for row in exits), "exits"],
        ["guest_ticks", guest, "ticks"],
        ["host_ticks", host, "ticks"],
        ["elapsed", round((end - start) * 1e6 * TICKS_PER_US), "ticks"],
        ["handoff", int(handoff), "ticks"],
        ["asleep", int(number(r"asleep in HLT: (\d+) ticks", t.text, "time in HLT")), "ticks"],
        ["init_uptime", up, "s"],
        ["init_idle", idle, "s"],
        ["kernel_mhz", mhz, "MHz"],
    ]
    figures += [
        ["core_image", int(number(r"core: (\d+) KiB image", t.text, "the image's size")), "KiB"],
        ["core_pages", int(number(r"(\d+) KiB of pages besides", t.text, "own memory")), "KiB"],
    ]
    exits.sort(key=lambda row: -row[2])
    return {
        name + "_exits": [EXIT_COLUMNS] + exits,
        name: [["figure", "value", "unit"]] + figures,
    }


def linux_idle(t):
    """Its shell at the prompt, and nobody types."""
    return idle_seconds(t, "linux_idle", "")


def linux_plain_idle(t):
    """The same without the Hyper-V interface."""
    return idle_seconds(t, "linux_plain_idle", "hyperv = off\n")


def idle_seconds(t, name, more):
    linux.add_vm(t, memory=VM_MEMORY, cmdline=CMDLINE, more=more)
    t.boot(**MACHINE)
    linux.wait_shell(t)
    t.send(MONITOR_KEY)
    t.expect(r"(?m)^candela> $", 30, "the monitor's prompt")
    t.send_line("stat -f debian")
    sums = {}
    for second in range(IDLE_FROM + IDLE_SECONDS):
        match = t.expect(r"(?ms)^time: [^\n]*\nexit [^\n]*\n(.*?)^all  ", 60, "a second's exits")
        for row in re.findall(r"(?m)^([^\n]+?)  +(\d+) ", match[1]) if second >= IDLE_FROM else []:
            sums[row[0]] = sums.get(row[0], 0) + int(row[1])
    rows = [[kind, round(n / IDLE_SECONDS, 1)] for kind, n in sorted(sums.items())]
    return {name: [["exit", "per second"]] + rows}


def linux_bare(t):
    """The same kernel, initramfs and command line on the same machine without a hypervisor."""
    bare.boot(t, t.built("bench/initrd.img"), CMDLINE, {**MACHINE, "mem": VM_MEMORY})
    t.expect(r"bench: end", 300, "/init")
    up, idle, mhz = kernel_clock(t.text)
    # Without ACPI tables this kernel cannot switch the machine off: the harness ends it.
    return {
        "linux_bare": [
            ["figure", "value", "unit"],
            ["init_uptime", up, "s"],
            ["init_idle", idle, "s"],
            ["kernel_mhz", mhz, "MHz"],
        ]
    }


def peer_off(t):
    """The latency image under KVM, whose path is shortest without mitigations."""
    return {"peer_off": latency_rows(peer.run(t, MACHINE, "mitigations=off"))}


def peer_default(t):
    """The same with Debian's default mitigations."""
    return {"peer_default": latency_rows(peer.run(t, MACHINE, ""))}


def core_size(_):
    """Sections of the core's file."""
    core = os.path.join(harness.BUILD, "core.elf")
    out = subprocess.run(["size", core], check=True, stdout=subprocess.PIPE).stdout.decode()
    text, data, bss = (int(v) for v in out.splitlines()[1].split()[:3])
    return {
        "core_size": [
            ["figure", "value", "unit"],
            ["text", text, "bytes"],
            ["data", data, "bytes"],
            ["bss", bss, "bytes"],
        ]
    }


# name: (with QUICK=1 too, function)
BENCHES = {
    "latency": (True, latency),
    "latency-two": (True, latency_two),
    "latency-vid": (True, latency_vid),
    "core-size": (True, core_size),
    "latency-bare": (False, latency_bare),
    "peer": (False, peer_off),
    "peer-default": (False, peer_default),
    "linux": (False, linux_boot),
    "linux-plain": (False, linux_plain),
    "linux-idle": (False, linux_idle),
    "linux-plain-idle": (False, linux_plain_idle),
    "linux-bare": (False, linux_bare),
    **data.BENCHES,
}


def kernel_name():
    """The cloud kernel's release, from the package that was unpacked."""
    return "kernel " + sorted(os.listdir(os.path.join(harness.BUILD, "guest", "modules-cloud")))[-1]


def write_csv(name, rows):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, name + ".csv"), "w", encoding="ascii", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def run(name, function, loader):
    """Run one; its CSV files are written only if it succeeded."""
    files = {}

    def body(t):
        files.update(function(t))

    result = harness.run_one("bench-" + name, body, loader)
    harness.report(result)
    if not result.failures:
        for file, rows in files.items():
            write_csv(file, rows)
    return not result.failures


def check_limits(loader, accept):
    """Run the latency image; compare with tests/bench/limits, or write it. Returns the status."""
    if not run("latency", latency, loader):
        print("bench: 0 passed, 1 failed")
        return 1
    with open(os.path.join(OUT, "latency.csv"), encoding="ascii") as f:
        medians = {row["operation"]: int(row["median"]) for row in csv.DictReader(f)}
    this = limits.compiler()
    if accept:
        text, done = limits.accept(medians, this)
        print(text)
        return 0 if done else 1
    lines, failed = limits.compare(medians, limits.read(), this)
    for line in lines:
        print(line)
    if not here.runs_translated():
        print("FAIL the latency image does not run in QEMU")
        failed += 1
    print(f"bench: {max(len(medians) - failed, 0)} passed, {failed} failed")
    return 1 if failed else 0


def write_report():
    report.write(
        {
            "cpu": harness.machines.BOCHS_CPU,
            "kernel": kernel_name(),
            "memory": VM_MEMORY,
            "cmdline": CMDLINE,
            "idle": IDLE_SECONDS,
        }
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loader", default=os.path.join(harness.BUILD, "BOOTX64.EFI"))
    parser.add_argument("--quick", action="store_true", help="the latency image only")
    parser.add_argument("--check", action="store_true", help="compare with tests/bench/limits")
    parser.add_argument("--accept", action="store_true", help="write tests/bench/limits")
    parser.add_argument("--report", action="store_true", help="only write the documents")
    parser.add_argument("--here", action="store_true", help="the latency image in QEMU, no Bochs")
    parser.add_argument("--only", metavar="NAME", choices=BENCHES)
    args = parser.parse_args()
    if args.check or args.accept:
        return check_limits(args.loader, args.accept)
    if args.here:
        return here.run()
    if args.report:
        write_report()
        return 0
    if here.has_kvm():
        print("This machine has KVM; these figures are Bochs's all the same: instructions, not")
        print("cycles. 'make bench-here' measures cycles (docs/benchmarks.md).")
    good = True
    for name, (quick, function) in BENCHES.items():
        if (quick or not args.quick) and args.only in (None, name):
            good = run(name, function, args.loader) and good
    if args.quick or args.only:
        if args.only in (None, "latency", "latency-two"):
            print(report_latency.latency_text("latency", "latency_two"))
        elif args.only == "latency-vid":
            print(report_latency.latency_text("latency_vid"))
        print("docs/benchmarks.md is left alone: 'make bench' or 'make bench-report' writes it")
    elif good:
        write_report()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
