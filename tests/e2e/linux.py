# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernel as a guest: configuration, waiting for its shell, judging its log."""

import glob
import os
import re
import shutil
import subprocess
import threading

from harness import PROMPT, REPO, Failed

HERE = os.path.dirname(os.path.realpath(__file__))

# Whatever its level, a line like this is a failure.
FORBIDDEN = [
    r"WARNING: CPU",
    r"\bBUG:",
    r"kernel BUG at",
    r"\bOops\b",
    r"\[Firmware (?:Bug|Warn)\]",
    r"unchecked MSR access",
    r"[Cc]locksource.*(?:unstable|skewed)",
    r"Marking clocksource .* as unstable",
    r"Call Trace:",
    r"general protection fault",
    r"soft lockup|hard LOCKUP|rcu.*detected stalls",
    r"irq \d+: nobody cared",
    r"spurious 8259A interrupt",
]


FETCH_LOCK = threading.Lock()


def fetch(kernel):
    """Debian's kernel package: at once when it is there already."""
    with FETCH_LOCK:
        result = subprocess.run(
            [os.path.join(REPO, "tests", "machine", "fetch_kernel.sh"), kernel],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode != 0:
        raise Failed("fetch_kernel.sh: " + result.stdout.decode("utf-8", "replace"))


def add_vm(t, name="debian", kernel="cloud", vcpus=1, memory="256M", cmdline="console=ttyS0",
           initrd="guest/initrd.img", host="", more=""):  # fmt: skip
    """One Linux VM; its files are put on the boot volume. more: other VMs' sections."""
    fetch(kernel)
    t.file("guests/vmlinuz", t.built(f"guest/vmlinuz-{kernel}"))
    t.file("guests/initrd.img", t.built(initrd))
    t.config(
        (f"[host]\n{host}\n" if host else "")
        + f"""\
[vm.{name}]
vcpus   = {vcpus}
memory  = {memory}
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\initrd.img
cmdline = {cmdline}
"""
        + more
    )


def initramfs(t, *modules):
    """The usual one with modules of Debian's cloud kernel in it; returns its path."""
    root, out = t.path("root"), t.path("initrd.img")
    os.makedirs(root)
    for module in modules:
        found = glob.glob(t.built(f"guest/modules-cloud/**/{module}.ko"), recursive=True)
        if len(found) != 1:
            raise Failed(f"{module}.ko is not in the kernel's package: {found}")
        shutil.copy(found[0], root)
    subprocess.run(
        [os.path.join(REPO, "tests", "machine", "mkinitramfs.sh"), out, root],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    shutil.rmtree(root)
    return out


def program(directory, name):
    """One of the programs of tests/machine, built for a guest into the directory."""
    os.makedirs(directory, exist_ok=True)
    subprocess.run(
        ["gcc", "-std=gnu11", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
         "-o", os.path.join(directory, name), os.path.join(REPO, "tests", "machine", f"{name}.c")],
        stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip


def dependencies(files, name):
    """Paths of a module and of those it needs, each before what it needs itself. files: name to path of all."""
    with open(files[name], "rb") as f:
        depends = re.search(rb"\0depends=([^\0]*)\0", f.read())[1].decode().replace("-", "_")
    found = [files[name]]
    for other in filter(None, depends.split(",")):
        need = dependencies(files, other)
        found = [path for path in found if path not in need] + need
    return found


def initramfs_modprobe(t, *modules, kernel="cloud", extra=None, name="initrd.img"):
    """The usual one with modules of Debian's kernel where modprobe finds them, those they need
    included; returns its path. extra: a directory whose files come on top."""
    fetch(kernel)
    root, out = t.path("root"), t.path(name)
    tree = t.built(f"guest/modules-{kernel}")
    paths = glob.glob(os.path.join(tree, "**", "*.ko"), recursive=True)
    files = {os.path.basename(p)[:-3].replace("-", "_"): p for p in paths}
    lines = {}
    for module in modules:
        need = dependencies(files, module.replace("-", "_"))
        for path in need:
            lines[path] = dependencies(files, os.path.basename(path)[:-3].replace("-", "_"))
    for path in lines:
        at = os.path.join(root, "lib", "modules", os.path.relpath(path, tree))
        os.makedirs(os.path.dirname(at), exist_ok=True)
        shutil.copy(path, at)
    version = os.listdir(tree)[0]

    def rel(path):
        return os.path.relpath(path, os.path.join(tree, version))

    with open(os.path.join(root, "lib", "modules", version, "modules.dep"), "w", encoding="ascii") as f:
        for path, need in lines.items():
            f.write(f"{rel(path)}: {' '.join(rel(p) for p in need[1:])}\n")
    if extra:
        shutil.copytree(extra, root, dirs_exist_ok=True)
    subprocess.run(
        [os.path.join(REPO, "tests", "machine", "mkinitramfs.sh"), out, root],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    shutil.rmtree(root)
    return out


def wait_shell(t, timeout=240):
    """From power-on (or a reset) to the prompt; returns seconds of guest time to /init."""
    match = t.expect(r"guest: /init reached ([0-9.]+) s", timeout, "/init of the guest")
    t.expect(PROMPT, 60, "the guest's prompt")
    # Messages of the kernel must not fall into the answers of commands, and the shell must
    # not break long lines that are typed.
    t.shell("dmesg -n 1; stty cols 250")
    return float(match[1])


def allowed_warnings():
    rules = []
    with open(os.path.join(HERE, "linux_warnings.txt"), encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if line and not line.startswith("#"):
                rules.append(re.compile(line))
    return rules


def check_log(t, text=None, allow=()):
    """No forbidden line, no line of level warning or worse but the documented ones and 'allow'."""
    for line in (text if text is not None else t.text).split("\n"):
        for pattern in FORBIDDEN:
            t.check(not re.search(pattern, line), "the guest's log says: " + line.strip())
    out = t.shell(r"dmesg -r | grep '^<[0-4]>'", 120, status=None)
    allowed = allowed_warnings() + [re.compile(rule) for rule in allow]
    for line in out.split("\n"):
        match = re.match(r"<([0-4])>\[ *[0-9.]+\] ?(.*)", line.strip())
        if match and not any(rule.search(match[2]) for rule in allowed):
            t.check(False, f"a line of level {match[1]} in the guest's log: {match[2]}")
    for line in t.shell("dmesg | grep -iE 'bug|oops|unchecked|unstable|warning'", 120, None).split("\n"):
        for pattern in FORBIDDEN:
            t.check(not re.search(pattern, line), "the guest's log says: " + line.strip())
