# SPDX-License-Identifier: BSD-2-Clause
"""The peer: Debian's kernel with KVM, and Debian's QEMU, in the same Bochs, and in their virtual
machine the same latency image."""

import glob
import os
import re
import shutil
import subprocess

import bare
import harness

HERE = os.path.dirname(os.path.realpath(__file__))
QEMU = "/usr/bin/qemu-system-x86_64"
BIOS = [
    "/usr/share/seabios/bios-256k.bin",
    "/usr/share/qemu/kvmvapic.bin",
    "/usr/share/qemu/multiboot_dma.bin",
]
MODULES = ["irqbypass", "kvm", "kvm-intel"]
INITRD = os.path.join(harness.BUILD, "bench", "peer.img")


def libraries(program):
    """Paths of what the dynamic linker loads for it, the linker included."""
    out = subprocess.run(["ldd", program], check=True, stdout=subprocess.PIPE).stdout.decode()
    return re.findall(r"(?m)^\s(?:\S+ => )?(/\S+) \(0x", out)


def initramfs(t):
    """The usual one, with QEMU, its libraries, KVM's modules and the image in it."""
    root = t.path("root")
    shutil.copytree(os.path.join(HERE, "peer"), root)
    for path in [QEMU] + BIOS + libraries(QEMU):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(os.path.realpath(path), root + path)
    for module in MODULES:
        found = glob.glob(t.built(f"guest/modules-cloud/**/{module}.ko"), recursive=True)
        shutil.copy(found[0], os.path.join(root, "lib"))
    shutil.copy(t.built("bench/latency.elf"), root)
    mkinitramfs = os.path.join(harness.REPO, "tests", "machine", "mkinitramfs.sh")
    subprocess.run([mkinitramfs, INITRD, root], stdin=subprocess.DEVNULL, check=True)
    shutil.rmtree(root)


def run(t, machine, mitigations):
    """The latency image under KVM; returns what it printed, with the exits that KVM's trace has."""
    initramfs(t)
    bare.boot(t, INITRD, f"console=ttyS0 quiet {mitigations}".strip(), machine)
    t.expect(r"peer: clock", 300, "/init")
    t.expect(r"INFO,end,0", 300, "the last line of the latency image")
    t.expect(r"peer: measured, status 0", 60, "the end of QEMU")
    t.expect(r"peer: counted", 600, "the count of exits")
    t.check("peer: lost events: 0" in t.text, "the trace of KVM's exits is not complete")
    return with_exits(t.text)


def with_exits(text):
    """The image's lines, with the exits of a row from the lines EXITS,0xROW,COUNT. Row 1 is the empty
    measurement, whose exits are in all others and which is not printed."""
    exits = {int(row, 16): int(n) for row, n in re.findall(r"(?m)^EXITS,(0x\w+),(\d+)$", text)}
    lines = []
    for row, line in enumerate(re.findall(r"(?m)^(?:BENCH|SKIP),.*$", text), 2):
        lines.append(re.sub("-$", str(max(exits.get(row, 0) - exits[1], 0)), line))
    return "\n".join(lines)
