# SPDX-License-Identifier: BSD-2-Clause
"""Debian's cloud kernel, and the latency image, in Bochs without Candela."""

import subprocess

import linux

# What GRUB needs to find the image on the EFI system partition and to start it.
GRUB_MODULES = ["part_gpt", "fat", "search", "search_fs_file", "multiboot", "boot"]
GRUB_CONFIG = """\
search --file --set=root /guests/latency.elf
multiboot /guests/latency.elf
boot
"""


def boot(t, initrd, cmdline, machine):
    """Boot it with this initramfs. The kernel is an EFI application itself; the firmware's shell gives
    it its command line. The shell starts because the default loader, an empty file here, does not."""
    linux.fetch("cloud")
    t.file("guests/vmlinuz.efi", t.built("guest/vmlinuz-cloud"))
    t.file("guests/initrd.img", initrd)
    t.file(
        "startup.nsh",
        f"@echo -off\r\nfs0:\r\n\\guests\\vmlinuz.efi {cmdline} initrd=\\guests\\initrd.img\r\n",
    )
    t.config("# no Candela in this run\n")
    t.file("../empty.efi", b"")
    t.boot(**machine, loader=t.path("empty.efi"))


def boot_latency(t, machine):
    """Boot the latency image by GRUB, a multiboot loader as any other."""
    config, grub = t.path("grub.cfg"), t.path("grub.efi")
    with open(config, "w", encoding="ascii") as f:
        f.write(GRUB_CONFIG)
    mkimage = ["grub-mkimage", "-O", "x86_64-efi", "-p", "/", "-c", config, "-o", grub]
    subprocess.run(mkimage + GRUB_MODULES, stdin=subprocess.DEVNULL, check=True)
    t.file("guests/latency.elf", t.built("bench/latency.elf"))
    t.config("# no Candela in this run\n")
    t.boot(**machine, loader=grub)
