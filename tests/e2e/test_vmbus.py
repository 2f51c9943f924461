# SPDX-License-Identifier: BSD-2-Clause
"""The VMBus under Linux's own drivers: contact, offers, devices that come and go, other kernels."""

import os
import re
import shutil
import subprocess

import linux
import test_disk
import test_hyperv
import test_ic
import test_monitor
import test_smp

SERVICES = ("hv_vmbus", "hv_utils", "hyperv-keyboard")
MODULES = (*SERVICES, "hv_storvsc", "sd_mod", "hv_netvsc")

# By interface type, as lsvmbus (Linux tools/hv/lsvmbus) names them.
NAMES = {
    "0e0b6031-5213-4934-818b-38d90ced39db": "Operating system shutdown",
    "9527e630-d0ae-497b-adce-e80ab0175caf": "Time Synchronization",
    "57164f39-9115-4e78-ab55-382f3bd5422d": "Heartbeat",
    "a9a0f4e7-5a45-4d96-b827-8a841e8c03e6": "Data Exchange",
    "35fa2e29-ea23-4236-96ae-3a6ebacba440": "Backup (volume checkpoint)",
    "f912ad6d-2b17-48ea-bd65-f927a61c7684": "Synthetic keyboard",
}
SCSI = {"ba6163d9-04a1-4d29-b605-72e2ffb1dc7f": "Synthetic SCSI Controller"}
NET = {"f8615163-df3e-46c5-913f-f2d2f965ed0e": "Synthetic network adapter"}
ALL = {**NAMES, **SCSI, **NET}
DEVICES = "/sys/bus/vmbus/devices"


def modprobe(t, modules=SERVICES):
    t.shell(f"for m in {' '.join(modules)}; do modprobe $m; done", 120)


def check_bus(t, names=NAMES, version="5.3"):
    """The version, and each device once with a driver."""
    out = t.shell("dmesg | grep -i 'vmbus version' | tail -n 1", status=None)
    t.check_match(rf"hv_vmbus: Vmbus version:{re.escape(version)}$", out, "the version")
    out = t.shell(f"cat {DEVICES}/*/class_id")
    found = sorted(ALL.get(guid, guid) for guid in re.findall(r"\{(.*?)\}", out))
    t.check(found == sorted(names.values()), f"lsvmbus says {found}")
    out = t.shell(f"ls -d {DEVICES}/*/driver | wc -l")
    t.check(out.strip() == str(len(names)), f"{out.strip()} devices have a driver")


def check_machine(t):
    """What the bus needs of it: its ACPI device, its interrupts."""
    out = t.shell("cat /sys/bus/acpi/drivers/vmbus/VMBUS:00/path", status=None)
    t.check_match(r"^\\_SB_\.VMOD\.VMBS$", out, "the bus's ACPI device")
    out = t.shell("grep HYP: /proc/interrupts", status=None)
    counts = [int(n) for n in out.split() if n.isdigit()]
    t.check(sum(counts) > 5, f"interrupts of the bus: {counts}")


def unbind_and_bind(t, names=NAMES, version="5.3"):
    """Each driver lets its device go and takes it again: close and open."""
    t.shell(
        f"for d in {DEVICES}/*; do"
        " drv=$(readlink -f $d/driver); echo ${d##*/} > $drv/unbind;"
        " [ ! -e $d/driver ] && echo ${d##*/} > $drv/bind || echo bad $d; done",
        120,
    )
    check_bus(t, names, version)


def reload_bus(t):
    """The bus goes (Unload) and comes again: a new contact, the same devices."""
    t.shell("rmmod hv_netvsc hv_storvsc hyperv_keyboard hv_utils hv_vmbus", 120)
    t.check(t.shell("lsmod | grep -c ^hv_", status=None).strip() == "0", "the modules stay")
    t.check(t.shell(f"ls {DEVICES} 2>/dev/null", status=None).strip() == "", "devices without a bus")
    modprobe(t, MODULES)
    check_bus(t, ALL)


def reload_drivers(t):
    for module in ("hv_storvsc", "hv_netvsc", "hv_utils", "hyperv_keyboard"):
        t.shell(f"rmmod {module} && modprobe {module}", 120)


def use_all(t):
    """Each device does what it is for, a little."""
    wrote = test_disk.diskcheck(t, f"run {disk(t)} 24 8 256 1")
    t.check(test_disk.diskcheck(t, f"check {disk(t)}") == wrote, "the disk has changed")
    out = t.shell("ip link set eth0 up && sleep 1 && cat /sys/class/net/eth0/carrier")
    t.check(out.strip() == "1", f"the adapter's link: {out}")


def initramfs(t, kernel="cloud", **more):
    """With the drivers, and diskcheck."""
    extra = t.path("tools")
    linux.program(os.path.join(extra, "bin"), "diskcheck")
    out = linux.initramfs_modprobe(t, *MODULES, kernel=kernel, extra=extra, **more)
    shutil.rmtree(extra)
    return out


def empty_file_system(t, mib=8):
    """On the boot volume, for a disk."""
    image = t.path("fs.img")
    subprocess.run(
        ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", image, f"{mib}M"],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    t.file("guests/fs.img", image)
    os.unlink(image)
    return "disk = ram:\\guests\\fs.img\n"


def disk(t):
    """The first one, when it is there."""
    test_disk.wait_until(t, "ls /sys/class/scsi_device/*:0:0:0/device/block >/dev/null 2>&1")
    name = "/dev/" + test_disk.name_of(t, 0)
    test_disk.wait_until(t, f"[ -b {name} ]")
    return name


def mount(t):
    t.shell(f"mkdir -p /mnt; mount -t ext4 {disk(t)} /mnt", 120)


def write_file(t):
    t.shell("(cd /mnt && head -c 500000 /dev/urandom >file && sha256sum file >sum && sync)", 120)


def check_file(t):
    t.shell("(cd /mnt && sha256sum -c sum)", 120)


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
    plain = initramfs(t, name="plain.img")
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
    """Linux finds the bus and its devices; they come and go, with their drivers, with another kernel by
    kexec while a disk is mounted, and with a reboot."""
    names = {**NAMES, **SCSI}
    linux.add_vm(t, vcpus=2, memory="320M", initrd=initramfs_for_kexec(t), more=empty_file_system(t))
    t.boot(cpus=1)
    linux.wait_shell(t)
    modprobe(t, MODULES)
    check_bus(t, names)
    check_machine(t)
    unbind_and_bind(t, names)
    operators_view(t)
    mount(t)
    write_file(t)
    linux.check_log(t)
    test_smp.kernel_starts_kernel(t, 2, "--no-checks")
    modprobe(t, MODULES)
    check_bus(t, names)
    mount(t)
    check_file(t)
    linux.check_log(t, allow=test_smp.AFTER_KEXEC)
    t.send_line("reboot -f")
    linux.wait_shell(t)
    modprobe(t, MODULES)
    check_bus(t, names)
    mount(t)
    check_file(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


def vmbus_reload(t):
    """Linux unloads the bus's driver and loads it again."""
    # Without synthetic timers: Linux 6.1 loses the tick of its boot CPU when the bus goes that its
    # timers came with (docs/vmbus.md, "Unloading Linux's modules").
    linux.add_vm(
        t,
        vcpus=2,
        initrd=initramfs(t),
        more="disk = ram:16M\nnic = switch0\nhyperv = on,-stimer\n",
    )
    t.boot(cpus=1)
    linux.wait_shell(t)
    modprobe(t, MODULES)
    for _ in range(3):
        reload_bus(t)
        use_all(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


def kdump(t):
    """A crash while a disk is written: the crash kernel takes the bus over and writes to that disk."""
    linux.add_vm(t, vcpus=2, memory="768M", initrd=initramfs_for_kexec(t),
                 cmdline="console=ttyS0 crashkernel=192M", more=empty_file_system(t, 24))  # fmt: skip
    t.boot(cpus=2)
    linux.wait_shell(t)
    modprobe(t, MODULES)
    mount(t)
    write_file(t)
    test_smp.load_crash_kernel(t)
    t.shell("while :; do head -c 2000000 /dev/urandom >/mnt/noise; sync; done & sleep 1")
    test_smp.crash(t, 1)
    modprobe(t, MODULES)
    check_bus(t, {**NAMES, **SCSI})
    mount(t)
    check_file(t)
    t.shell("(cd /mnt; rm -f noise; head -c 4194304 /proc/vmcore >vmcore && sha256sum vmcore >>sum && sync)", 120)
    life = len(t.text)
    t.send_line("reboot -f")
    linux.wait_shell(t)
    modprobe(t, MODULES)
    mount(t)
    check_file(t)
    t.check_match(r"^7f 45 4c 46", t.shell("hexdump -n 4 -e '4/1 \"%02x \"' /mnt/vmcore"), "the dump")
    linux.check_log(t, t.text[life:])
    t.send_line("poweroff -f")
    t.expect_off()


def kernels(kernel, vcpus):
    def run(t):
        linux.add_vm(t, kernel=kernel, vcpus=vcpus, memory="384M", initrd=initramfs(t, kernel),
                     more="disk = ram:16M\nnic = switch0\n")  # fmt: skip
        t.boot(cpus=min(vcpus, 2))
        linux.wait_shell(t, 400)
        modprobe(t, MODULES)
        check_bus(t, ALL)
        check_machine(t)
        use_all(t)
        unbind_and_bind(t, ALL)
        use_all(t)
        reload_drivers(t)
        check_bus(t, ALL)
        use_all(t)
        t.check(test_ic.heartbeat(t) == "ok", "no heartbeat")
        linux.check_log(t)
        test_smp.power_off(t)

    run.__doc__ = f"The {kernel} kernel, {vcpus} vCPU(s): all devices, unbound, bound, drivers loaded anew."
    return run


def versions(t):
    """Each version that Linux 6.1 speaks, when Candela speaks none above it."""
    names = ("5.2", "5.1", "5.0", "4.1", "4.0", "3.0", "2.4")

    def check(name):
        version = name[1:]
        # Before 3.0 the backup service is not offered.
        devices = {k: v for k, v in ALL.items() if version != "2.4" or not v.startswith("Backup")}
        modprobe(t, MODULES)
        check_bus(t, devices, version)
        use_all(t)
        unbind_and_bind(t, devices, version)
        use_all(t)

    test_hyperv.one_after_the_other(
        t,
        {f"v{name}": ("on", "") for name in names},
        check,
        image=initramfs(t),
        more=lambda name: f"vmbus = {name[1:]}\ndisk = ram:16M\nnic = switch0\n",
    )


TESTS = {
    "vmbus": ("test", vmbus),
    "vmbus_reload": ("all", vmbus_reload),
    "vmbus_kdump": ("all", kdump),
    "vmbus_versions": ("all", versions),
}
for _kernel in ("cloud", "generic"):
    for _vcpus in (1, 2, 4):
        TESTS[f"vmbus_{_kernel}_{_vcpus}"] = ("all", kernels(_kernel, _vcpus))
