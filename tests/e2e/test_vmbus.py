# SPDX-License-Identifier: BSD-2-Clause
"""The VMBus under Linux's own drivers: contact, offers, devices that come and go, other kernels."""

import os
import re
import shutil

import linux
import test_monitor
import test_smp

MODULES = ("hv_vmbus", "hv_utils", "hyperv-keyboard")

# By interface type, as lsvmbus (Linux tools/hv/lsvmbus) names them.
NAMES = {
    "0e0b6031-5213-4934-818b-38d90ced39db": "Operating system shutdown",
    "9527e630-d0ae-497b-adce-e80ab0175caf": "Time Synchronization",
    "57164f39-9115-4e78-ab55-382f3bd5422d": "Heartbeat",
    "a9a0f4e7-5a45-4d96-b827-8a841e8c03e6": "Data Exchange",
    "35fa2e29-ea23-4236-96ae-3a6ebacba440": "Backup (volume checkpoint)",
    "f912ad6d-2b17-48ea-bd65-f927a61c7684": "Synthetic keyboard",
}
DEVICES = "/sys/bus/vmbus/devices"


def modprobe(t):
    t.shell("for m in hv_vmbus hv_utils hyperv-keyboard; do modprobe $m; done", 120)


def check_bus(t):
    """The version, and each device once with a driver."""
    out = t.shell("dmesg | grep -i 'vmbus version' | tail -n 1", status=None)
    t.check_match(r"hv_vmbus: Vmbus version:5\.3$", out, "the version")
    out = t.shell(f"cat {DEVICES}/*/class_id")
    names = sorted(NAMES.get(guid, guid) for guid in re.findall(r"\{(.*?)\}", out))
    t.check(names == sorted(NAMES.values()), f"lsvmbus says {names}")
    out = t.shell(f"ls -d {DEVICES}/*/driver | wc -l")
    t.check(out.strip() == str(len(NAMES)), f"{out.strip()} devices have a driver")


def check_machine(t):
    """What the bus needs of it: its ACPI device, its interrupts."""
    out = t.shell("cat /sys/bus/acpi/drivers/vmbus/VMBUS:00/path", status=None)
    t.check_match(r"^\\_SB_\.VMOD\.VMBS$", out, "the bus's ACPI device")
    out = t.shell("grep HYP: /proc/interrupts", status=None)
    counts = [int(n) for n in out.split()[1:3]]
    t.check(sum(counts) > 5, f"interrupts of the bus: {counts}")


def unbind_and_bind(t):
    """Each driver lets its device go and takes it again: close and open."""
    t.shell(
        f"for d in {DEVICES}/*; do"
        " drv=$(readlink -f $d/driver); echo ${d##*/} > $drv/unbind;"
        " [ ! -e $d/driver ] && echo ${d##*/} > $drv/bind || echo bad $d; done",
        120,
    )
    check_bus(t)


def reload_modules(t):
    """The bus goes (Unload) and comes again: a new contact, the same devices."""
    t.shell("rmmod hyperv_keyboard hv_utils hv_vmbus", 120)
    t.check(t.shell("lsmod | grep -c ^hv_", status=None).strip() == "0", "the modules stay")
    t.check(t.shell(f"ls {DEVICES} 2>/dev/null", status=None).strip() == "", "devices without a bus")
    modprobe(t)
    check_bus(t)


def operators_view(t):
    """The monitor's list, and the conversation in the log."""
    device = t.shell(f"cd /sys/bus/vmbus/drivers/hyperv_keyboard; ls -d *-*-*").strip()
    test_monitor.enter(t)
    out = test_monitor.ask(t, "vmbus debian")
    t.check_match(r"(?m)^version 5\.3, messages to VP \d+$", out, "vmbus debian")
    for name in NAMES.values():
        t.check_match(rf"(?m)^ *\d+: {re.escape(name)}: open$", out, "vmbus debian")
    t.check_match(r"(?m)^    in  \d+ KiB at 0x\w+, 0 bytes wait: \d+ packets", out, "vmbus debian")
    test_monitor.ask(t, "trace debian vmbus on")
    t.send_line("console debian")
    t.prompt_again()
    t.shell(f"cd /sys/bus/vmbus/drivers/hyperv_keyboard; echo {device} > unbind; echo {device} > bind; cd /")
    out = t.text
    for line in (
        r"<- CloseChannel channel \d+",
        r"<- GpadlTeardown channel \d+ GPADL 0x\w+",
        r"-> GpadlTorndown GPADL 0x\w+",
        r"<- GpadlHeader channel \d+ GPADL 0x\w+",
        r"-> GpadlCreated channel \d+ GPADL 0x\w+ ok",
        r"<- OpenChannel channel \d+ GPADL 0x\w+ VP \d+",
        r"-> OpenChannelResult channel \d+ ok",
    ):
        t.check(re.search(rf"vm debian: vmbus {line}", out), f"not in the log: {line}")
    test_monitor.enter(t)
    test_monitor.ask(t, "trace debian vmbus off")
    t.send_line("console debian")
    t.prompt_again()


def initramfs_for_kexec(t):
    """kexec, the modules, and under /boot a kernel and an initramfs with the modules, too."""
    plain = linux.initramfs_modprobe(t, *MODULES, name="plain.img")
    test_smp.built_here(t, "mksmp.sh", test_smp.script("mksmp.sh"), t.built(test_smp.INITRD))
    extra = t.path("extra")
    os.makedirs(os.path.join(extra, "boot"))
    shutil.move(plain, os.path.join(extra, "boot", "initrd.img"))
    both = linux.initramfs_modprobe(t, *MODULES, extra=extra)
    shutil.rmtree(extra)
    # The kernel unpacks one archive after the other.
    with open(both, "rb") as f:
        ours = f.read()
    with open(t.built(test_smp.INITRD), "rb") as f, open(both, "wb") as out:
        out.write(f.read() + ours)
    return both


def vmbus(t):
    """Linux finds the bus and its devices; they come and go, with their drivers, with the bus, with
    another kernel by kexec and with a reboot."""
    linux.add_vm(t, vcpus=2, memory="320M", initrd=initramfs_for_kexec(t))
    t.boot(cpus=1)
    linux.wait_shell(t)
    modprobe(t)
    check_bus(t)
    check_machine(t)
    unbind_and_bind(t)
    operators_view(t)
    linux.check_log(t)
    test_smp.kernel_starts_kernel(t, 2, "--no-checks")
    modprobe(t)
    check_bus(t)
    linux.check_log(t, allow=test_smp.AFTER_KEXEC)
    t.send_line("reboot -f")
    linux.wait_shell(t)
    modprobe(t)
    check_bus(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


def vmbus_reload(t):
    """Linux unloads the bus's driver and loads it again."""
    # With timers in direct mode Linux 6.1 stops the one it lives by (drivers/clocksource/
    # hyperv_timer.c, hv_stimer_cleanup()) and takes no other: it stands still, whatever the host.
    linux.add_vm(
        t,
        vcpus=2,
        initrd=linux.initramfs_modprobe(t, *MODULES),
        more="hyperv = on,-direct\n",
    )
    t.boot(cpus=1)
    linux.wait_shell(t)
    modprobe(t)
    for _ in range(2):
        reload_modules(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"vmbus": ("test", vmbus), "vmbus_reload": ("all", vmbus_reload)}
