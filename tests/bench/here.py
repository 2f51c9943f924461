# SPDX-License-Identifier: BSD-2-Clause
"""The latency image in QEMU on this machine: with KVM it measures cycles of its processor."""

import os
import shutil
import subprocess

import harness

QEMU = "qemu-system-x86_64"
IMAGE = os.path.join(harness.BUILD, "bench", "latency.elf")
# The devices that the image uses, as Candela's VM has them. KVM needs to be asked for Hyper-V's.
MACHINE = ["-m", "64", "-display", "none", "-nodefaults", "-no-reboot", "-serial", "stdio"]
HYPERV = (
    "hv-relaxed,hv-vapic,hv-vpindex,hv-runtime,hv-time,hv-frequencies,hv-synic,hv-stimer,"
    "hv-stimer-direct,hv-ipi,hv-tlbflush"
)
CYCLES = """\
KVM: ticks are those of the processor's time-stamp counter. Compare medians of several runs on an
idle machine; p99 and max are its interrupts and changes of frequency: noise."""
NOTHING = """\
No KVM here that QEMU can use: QEMU translated. This shows that the image runs, nothing else."""
# The first that works.
WAYS = [
    (["-machine", "pc,accel=kvm", "-cpu", "host," + HYPERV, "-device", "hyperv-testdev"], CYCLES),
    (["-machine", "pc,accel=kvm", "-cpu", "host"], CYCLES),
    (["-machine", "pc,accel=tcg", "-cpu", "max"], NOTHING),
]
SECONDS = 300
LAST_LINE = "INFO,end,0"


def has_kvm():
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError:
        return False  # the node can be there without the module
    return True


def measure(way):
    """What the image printed; without its last line the way does not work."""
    command = [QEMU, *way, *MACHINE, "-kernel", IMAGE]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as qemu:
        try:
            out, _ = qemu.communicate(timeout=SECONDS * harness.SLOW)
        except subprocess.TimeoutExpired:
            qemu.kill()
            out, _ = qemu.communicate()
    return out.decode("ascii", "replace").replace("\r", "")


def runs_translated():
    """Whether the image still runs elsewhere than here; True when there is no QEMU to try."""
    return not shutil.which(QEMU) or LAST_LINE in measure(WAYS[-1][0])


def run():
    """Returns the exit status."""
    if not shutil.which(QEMU):
        print(f"{QEMU} is not installed (Debian: qemu-system-x86)")
        return 1
    text = ""
    for way, meaning in WAYS if has_kvm() else WAYS[-1:]:
        text = measure(way)
        if LAST_LINE in text:
            print(text.split("INFO,")[0])
            print(meaning)
            return 0
    print(text)
    print("FAIL the latency image did not reach its end")
    return 1
