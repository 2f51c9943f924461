# SPDX-License-Identifier: BSD-2-Clause
"""The VMBus under Linux's own drivers: contact, offers, their life."""

import linux

MODULES = ("hv_vmbus", "hv_utils", "hyperv-keyboard")

# Interface types, as lsvmbus names them.
NAMES = {
    "{0e0b6031-5213-4934-818b-38d90ced39db}": "Operating system shutdown",
    "{9527e630-d0ae-497b-adce-e80ab0175caf}": "Time Synchronization",
    "{57164f39-9115-4e78-ab55-382f3bd5422d}": "Heartbeat",
    "{a9a0f4e7-5a45-4d96-b827-8a841e8c03e6}": "Data Exchange",
    "{35fa2e29-ea23-4236-96ae-3a6ebacba440}": "Backup (volume snapshot)",
    "{f912ad6d-2b17-48ea-bd65-f927a61c7684}": "Synthetic keyboard",
}


def vmbus(t):
    """Linux finds the bus and its devices; they come and go with their drivers, and with a reboot."""
    linux.add_vm(t, vcpus=2, initrd=linux.initramfs_modprobe(t, *MODULES))
    t.boot(cpus=1)
    linux.wait_shell(t)
    t.shell("modprobe hv_vmbus && modprobe hv_utils && modprobe hyperv-keyboard", 120)
    out = t.shell("dmesg | grep -i -e vmbus -e hv_")
    t.check_match(r"Vmbus version:5\.3", out, "the version")
    print(out)
    print(t.shell("ls /sys/bus/vmbus/devices; cat /sys/bus/vmbus/devices/*/class_id"))
    print(t.shell("cat /proc/iomem | grep -i hyperv; cat /proc/interrupts", None))
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"vmbus": ("test", vmbus)}
