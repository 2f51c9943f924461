# SPDX-License-Identifier: BSD-2-Clause
"""Debian's cloud kernel in Bochs without Candela."""

import linux


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
