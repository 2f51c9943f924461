# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own driver finds fw_cfg by ACPI and reads what it offers."""

import linux


def fw_cfg_driver(t):
    """qemu_fw_cfg binds to QEMU0002, and its files are those of docs/hardware.md."""
    linux.fetch("cloud")
    linux.add_vm(t, initrd=linux.initramfs(t, "qemu_fw_cfg"))
    t.boot()
    linux.wait_shell(t)
    t.shell("insmod /qemu_fw_cfg.ko")
    sysfs = "/sys/firmware/qemu_fw_cfg"
    t.check(t.shell(f"cat {sysfs}/rev").strip() == "3", "the revision is not 3")
    out = t.shell(f"ls {sysfs}/by_key {sysfs}/by_name/etc/e820/; cat {sysfs}/by_key/32/name")
    t.check_match(r"(?s)by_key:\n32\n.*e820/:\nkey +name +raw +size\netc/e820", out, "the files")
    # The first entry: RAM from 0 to the extended BIOS data area.
    out = t.shell(f"hexdump -v -n 20 -e '20/1 \"%02x\"' {sysfs}/by_name/etc/e820/raw")
    t.check(out.strip() == "0000000000000000" "00fc090000000000" "01000000", f"e820 is {out}")
    out = t.shell("grep -i qemu0002 /proc/ioports", status=None)
    t.check_match(r"0510-051b : QEMU0002:00", out, "/proc/ioports says")
    t.shell("rmmod qemu_fw_cfg")
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"fw_cfg_driver": ("all", fw_cfg_driver)}
