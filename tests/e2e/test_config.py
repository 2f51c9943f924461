# SPDX-License-Identifier: BSD-2-Clause
"""Bad input: a sentence each, with file and line where there is one, and nothing started."""

import re
import struct

# One boot does them all. The loader reads the configuration with its own base name first, so
# copies of it, run by the firmware's shell one after the other, find one bad file each; that
# the shell goes on is the proof that each returned to the firmware.
VM = """\
[vm.one]
vcpus = 1
memory = {memory}
kernel = {kernel}
"""
GOOD = {"memory": "64M", "kernel": r"\vmlinuz"}


def vm(more="", **changes):
    return VM.format(**{**GOOD, **changes}) + more


def elf_with_class(elf_class):
    ident = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9)
    return (ident + struct.pack("<HHI", 2, 62, 1)).ljust(4096, b"\0")


def kernel_needs_kib(bzimage):
    """pref_address + init_size of a bzImage: what it needs where it prefers to lie."""
    pref, init_size = struct.unpack_from("<QI", bzimage, 0x258)
    return (pref + init_size + 1023) // 1024


# name: (configuration, {file: content}, what the loader must say)
def cases(bzimage):
    tight = (kernel_needs_kib(bzimage) + 2047) // 2048 * 2
    bundle = {
        "unknown": (vm("memroy = 1G\n"), r"5: unknown key 'memroy' \(did you mean 'memory'\?\)"),
        "twice": (vm() + vm(), r"5: there is already a \[vm\.one\], on line 1"),
        "zerocpu": (vm("vcpus = 0\n").replace("vcpus = 1\n", ""), r"4: vcpus must be .*'0'"),
        "manycpu": (vm("vcpus = 99\n").replace("vcpus = 1\n", ""), r"4: vcpus must be .*'99'"),
        "small": (vm(memory="2M"), r"3: memory 2M is too small"),
        "toomuch": (vm(memory="64G"), r"(?i)memory|RAM"),
        "cpus": (vm("cpu = 1\n", memory="128M"), r"5: \[vm\.one\] names CPU 1; this machine has CPUs 0 to 0"),
        "novm": ("[host]\nlog = info\n", r"there is no \[vm\.NAME\] section"),
        "nofile": (vm(kernel=r"\missing"), r"4: .*\\missing"),
        "notelf": (vm(kernel=r"\text"), r"4: .*\\text.* is not a Linux bzImage nor a multiboot"),
        "trunc": (vm(kernel=r"\cut"), r"4: .*\\cut.* is truncated"),
        "class": (vm(kernel=r"\class"), r"4: .*\\class.* has a wrong ELF class"),
        "tight": (vm(memory="16M"), r"4: .*\\vmlinuz.* needs memory up to"),
        "nodisk": (
            vm("disk = ram:\\missing\n", memory="128M"),
            r"5: .*\\missing: there is no such file",
        ),
        "odddisk": (vm("disk = ram:\\text\n", memory="128M"), r"5: \\text has 1900 bytes"),
        "bigdisk": (vm("disk = ram:8G\n", memory="128M"), r"5: the disk is too large"),
        "initrd": (
            vm("initrd = \\big\n", memory=f"{tight}M"),
            r"(?:4|5): .*leaves no room for the initrd",
        ),
    }
    files = {
        "vmlinuz": bzimage,
        "text": b"This is no kernel.\n" * 100,
        "cut": bzimage[: 256 * 1024],
        "class": elf_with_class(7),
        "big": bytes(24 * 1024 * 1024),
    }
    return bundle, files


def bad_config(t):
    with open(t.built("guest/vmlinuz-cloud"), "rb") as f:
        bundle, files = cases(f.read())
    with open(t.loader, "rb") as f:
        loader = f.read()
    script = ["@echo -off", "fs0:"]
    for path, content in files.items():
        t.file(path, content)
    for name, (text, _) in bundle.items():
        t.file(name + ".efi", loader)
        t.file(name + ".cfg", text)
        script += [f"echo case {name} begins", f"{name}.efi", f"echo case {name} ends"]
    # A copy without a configuration of its own takes candela.cfg; last of all without any.
    script += ["echo case syntax begins", "plain.efi", "echo case syntax ends"]
    script += ["rm -q candela.cfg", "echo case none begins", "plain.efi", "echo case none ends"]
    script += ["echo all done", "reset -s", ""]
    bundle["syntax"] = (None, r"candela\.cfg:2: expected 'key = value' or '\[section\]'")
    bundle["none"] = (None, r"candela\.cfg")
    t.file("plain.efi", loader)
    t.file("candela.elf", t.built("core.elf"))  # beside those loaders
    t.file("startup.nsh", "\r\n".join(script))
    t.config("[vm.one]\nwhat is this\n")
    t.boot()
    # The default loader first: what it says, then the firmware goes on to its shell.
    t.expect(r"candela\.cfg:2: expected 'key = value'", 60, "the sentence of the default loader")
    for name, (text, pattern) in bundle.items():
        t.expect(rf"case {name} begins", 60)
        said = t.expect(rf"(?s)(.*?)case {name} ends", 60, f"the end of case {name}")[1]
        # A pattern that begins with a line number is about the case's own file.
        own = rf"{name}\.cfg:" if text and re.match(r"\d|\(\?:\d", pattern) else ""
        found = re.search(own + pattern, said)
        t.check(found, f"case {name}: expected {own + pattern!r}, the loader said {said.strip()!r}")
        t.check("guest:" not in said, f"case {name}: something was started")
    t.expect("all done", 30)
    t.expect_off()


def no_vmx(t):
    """A processor without VT-x, or without EPT: a sentence, and back to the firmware."""
    t.file("vmlinuz", t.built("guest/vmlinuz-cloud"))
    t.config(vm())
    t.file("startup.nsh", "@echo -off\r\necho back in the firmware\r\nreset -s\r\n")
    t.boot(kind="bochs", cpu_model="core2_penryn_t9600")
    said = t.expect(r"(?s)(.*?)back in the firmware", 90, "the firmware's shell")[1]
    t.check_match(r"EPT|VT-x|VMX", said, "the loader's sentence")
    t.expect_off()


TESTS = {
    "bad_config": ("test", bad_config),
    "no_vmx": ("test", no_vmx),
}
