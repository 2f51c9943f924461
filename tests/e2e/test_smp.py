# SPDX-License-Identifier: BSD-2-Clause
"""Linux on several vCPUs: all start, go off and on again; another kernel takes over; two VMs."""

import os
import shutil
import subprocess

import linux
from harness import REPO, Failed

INITRD = "guest/initrd-smp.img"

# A kernel that another one started may find a tick of that one waiting in the local APIC: Linux
# says so and goes on (arch/x86/kernel/apic/apic.c, 6.1, local_apic_timer_interrupt).
AFTER_KEXEC = (r"^Spurious LAPIC timer interrupt on cpu \d+$",)


def built_here(t, what, *command):
    with linux.FETCH_LOCK:
        result = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode != 0:
        raise Failed(f"{what}: " + result.stdout.decode("utf-8", "replace"))


def script(name):
    return os.path.join(REPO, "tests", "machine", name)


def add_vm(t, **kwargs):
    """A VM whose initramfs has kexec, smpcheck, and under /boot what kexec is to start."""
    linux.fetch("cloud")
    built_here(t, "mksmp.sh", script("mksmp.sh"), t.built(INITRD))
    linux.add_vm(t, initrd=INITRD, **kwargs)


def all_of(n):
    return f"0-{n - 1}" if n > 1 else "0"


def check_online(t, want):
    out = t.shell("cat /sys/devices/system/cpu/online").strip()
    t.check(out == want, f"CPUs on line: {out!r}, want {want!r}")


def set_online(t, cpu, on):
    t.shell(f"echo {int(on)} > /sys/devices/system/cpu/cpu{cpu}/online", 120)


def check_each_cpu(t, cpus):
    """Each runs what is bound to it."""
    each = " ".join(str(cpu) for cpu in cpus)
    out = t.shell(
        f"for c in {each}; do taskset -c $c sh -c 'usleep 20000; cut -d \" \" -f 39 /proc/self/stat'; done",
        120,
    )
    t.check(out.split() == each.split(), f"bound to CPUs {each}, it ran on {out!r}")


def smpcheck(t, n):
    out = t.shell("smpcheck", 240)
    t.check_match(rf"smpcheck: {n} CPUs, .* good", out, "smpcheck says")


def check_timers(t, n):
    """Each CPU on line had interrupts of its local APIC's timer, or of Hyper-V's."""
    rows = t.shell("grep -E '^ *(LOC|HVS):' /proc/interrupts").split("\n")
    counts = [[int(x) for x in row.split()[1 : 1 + n]] for row in rows]
    total = [sum(each) for each in zip(*counts)]
    t.check(len(total) == n and min(total) > 0, f"timer interrupts of {n} CPUs: {total}")


def off_and_on(t, n):
    """All but the boot CPU off line and on again; a CPU that was off works like new."""
    for cpu in range(1, n):
        set_online(t, cpu, False)
    check_online(t, "0")
    t.check(t.shell("nproc").strip() == "1", "nproc with one CPU on line")
    for cpu in reversed(range(1, n)):
        set_online(t, cpu, True)
    check_online(t, all_of(n))
    check_each_cpu(t, range(n))
    check_timers(t, n)


def kernel_starts_kernel(t, n, options):
    t.shell(f"kexec -l /boot/vmlinuz --initrd=/boot/initrd.img --reuse-cmdline {options}", 300)
    t.send_line("kexec -e")
    linux.wait_shell(t, 400)
    # The plain initramfs: it is the second kernel indeed.
    out = t.shell("ls /boot", status=None)
    t.check("vmlinuz" not in out, "it is still the first kernel")
    check_online(t, all_of(n))
    check_each_cpu(t, range(n))


def power_off(t):
    t.send_line("poweroff -f")
    t.expect(r"(?i)exit", 60, "the exit statistics")
    t.expect_off()


def smp(t):
    """Four vCPUs on two CPUs: one time, one memory, off line and on again, another kernel by kexec."""
    add_vm(t, vcpus=4, memory="512M")
    t.boot(cpus=2)
    linux.wait_shell(t, 400)
    check_online(t, "0-3")
    smpcheck(t, 4)
    off_and_on(t, 4)
    linux.check_log(t)
    # Without checksums of what it loaded: they cost a minute here; kexec_checked has them.
    kernel_starts_kernel(t, 4, "--no-checks")
    linux.check_log(t, allow=AFTER_KEXEC)
    power_off(t)


def kexec_checked(t):
    """kexec as its manual has it, checksums and all, with one vCPU."""
    add_vm(t, memory="512M")
    t.boot()
    linux.wait_shell(t)
    kernel_starts_kernel(t, 1, "")
    linux.check_log(t, allow=AFTER_KEXEC)
    power_off(t)


def late_cpus(t, n):
    """Booted with maxcpus=1: the others come by hand, in another order, and go and come again."""
    check_online(t, "0")
    for cpu in reversed(range(1, n)):
        set_online(t, cpu, True)
    check_online(t, all_of(n))
    check_each_cpu(t, range(n))
    check_timers(t, n)
    smpcheck(t, n)
    for _ in range(5):
        for cpu in range(1, n):
            set_online(t, cpu, False)
            set_online(t, cpu, True)
    check_each_cpu(t, range(n))


def smp_maxcpus(t):
    """maxcpus=1: the others come by hand, later."""
    add_vm(t, vcpus=4, memory="512M", cmdline="console=ttyS0 maxcpus=1")
    t.boot(cpus=2)
    linux.wait_shell(t, 400)
    late_cpus(t, 4)
    linux.check_log(t)
    power_off(t)


def smp_boot_cpu(t):
    """The same without the Hyper-V interface; then the boot CPU itself goes and comes back."""
    # Beside Hyper-V's timer the boot CPU's LAPIC timer is Linux's broadcast device; taking that
    # CPU off line leaves it in a list that its coming back overwrites (6.1, cpu0_hotplug only).
    add_vm(t, vcpus=4, memory="512M", cmdline="console=ttyS0 maxcpus=1 cpu0_hotplug",
           more="hyperv = off\n")  # fmt: skip
    t.boot(cpus=2)
    linux.wait_shell(t, 400)
    late_cpus(t, 4)
    # Linux wakes the boot CPU by NMI from HLT with interrupts off.
    set_online(t, 0, False)
    check_online(t, "1-3")
    check_each_cpu(t, range(1, 4))
    set_online(t, 0, True)
    check_online(t, "0-3")
    check_each_cpu(t, range(4))
    linux.check_log(t)
    power_off(t)


def many(vcpus, cpus):
    def run(t):
        add_vm(t, vcpus=vcpus, memory="512M")
        t.boot(cpus=cpus)
        linux.wait_shell(t, 900)
        check_online(t, all_of(vcpus))
        check_each_cpu(t, range(vcpus))
        check_timers(t, vcpus)
        smpcheck(t, vcpus)
        linux.check_log(t)
        power_off(t)

    run.__doc__ = f"{vcpus} vCPU(s) on {cpus} CPU(s)."
    return run


def load_crash_kernel(t):
    t.shell(
        "kexec -p /boot/vmlinuz --initrd=/boot/initrd.img"
        " --append='console=ttyS0 maxcpus=1 reset_devices'", 300)  # fmt: skip
    t.check(t.shell("cat /sys/kernel/kexec_crash_loaded").strip() == "1", "no crash kernel")


def crash(t, on_cpu):
    """The kernel panics on that CPU, and the crash kernel comes up."""
    # The panic is wanted.
    t.watch_fatal = False
    t.send_line(f"taskset -c {on_cpu} sh -c 'echo c > /proc/sysrq-trigger'")
    linux.wait_shell(t, 600)
    t.watch_fatal = True
    t.fatal_pos = len(t.text)


def kdump(on_cpu, vcpus):
    def run(t):
        add_vm(t, vcpus=vcpus, memory="768M", cmdline="console=ttyS0 crashkernel=192M")
        t.boot(cpus=min(vcpus, 2))
        linux.wait_shell(t, 400)
        load_crash_kernel(t)
        crash(t, on_cpu)
        check_online(t, "0")
        t.check_match(r"(?i)^7f 45 4c 46", t.shell("hexdump -n 4 -e '4/1 \"%02x \"' /proc/vmcore"),
                      "/proc/vmcore begins with")  # fmt: skip
        # The notes describe the kernel that died.
        out = t.shell("head -c 65536 /proc/vmcore | strings | grep -E '^(OSRELEASE|CRASHTIME)='")
        t.check_match(r"OSRELEASE=6\.", out, "the notes of /proc/vmcore")
        t.check_match(r"CRASHTIME=\d+", out, "the notes of /proc/vmcore")
        out = t.shell("ls -l /proc/vmcore").split()
        t.check(int(out[4]) > 400 << 20, f"/proc/vmcore has {out[4]} bytes")
        power_off(t)

    run.__doc__ = f"A crash on CPU {on_cpu} of {vcpus}: the crash kernel comes up, with /proc/vmcore."
    return run


def ask(t, command, timeout=120):
    """As t.shell(), but lines of the host's log may come in between."""
    t.send_line(command + '; echo "st""atus $?"')
    return t.expect(r"(?ms)^(.*?)\n?status 0$", timeout, f"the answer to '{command}'")[1]


SECOND_VM = """\
# The console is the other VM's: what this one has to say, it says by powering off. A VM that
# fails a check asks for a reset, and the host's log shows that.
ok=1
[ "$(nproc)" = 2 ] || ok=
a=$(date +%s); sleep 3; b=$(date +%s)
[ $((b - a)) -ge 3 ] && [ $((b - a)) -le 5 ] || ok=
i=0
while [ $i -lt 200 ]; do
	[ "$(echo number $i | sha256sum | cut -c 1-64)" = "$(echo number $i | sha256sum | cut -c 1-64)" ] || ok=
	i=$((i + 1))
done
smpcheck || ok=
dmesg | grep -qE 'WARNING: CPU|BUG:|Oops|soft lockup|detected stalls|nobody cared|unstable' && ok=
[ -n "$ok" ] || reboot -f
poweroff -f
"""


def two_vms(cpus):
    def run(t):
        add_vm(t, name="front", vcpus=2, memory="384M")
        extra = os.path.join(t.dir, "extra")
        os.makedirs(os.path.join(extra, "etc"))
        os.makedirs(os.path.join(extra, "bin"))
        with open(os.path.join(extra, "etc", "rc.test"), "w", encoding="ascii") as f:
            f.write(SECOND_VM)
        shutil.copy(t.built("guest/smpcheck"), os.path.join(extra, "bin", "smpcheck"))
        second = os.path.join(t.dir, "second.img")
        built_here(t, "mkinitramfs.sh", script("mkinitramfs.sh"), second, extra)
        t.file("guests/second.img", second)
        with open(os.path.join(t.config_dir, "candela.cfg"), "a", encoding="ascii") as f:
            f.write("""
[vm.second]
vcpus   = 2
memory  = 256M
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\second.img
cmdline = console=ttyS0
""")
        t.boot(cpus=cpus)
        t.expect(r"guest: /init reached", 800, "/init of the guest")
        t.expect(r"/ # ", 120, "the guest's prompt")
        ask(t, "dmesg -n 1; stty cols 250")
        for i in range(10):
            out = ask(t, f"echo line {i}; ls / | head -n 3")
            t.check_match(rf"(?m)^line {i}\nbin\nboot\ndev$", out, f"line {i} says")
        t.check_match(r"smpcheck: 2 CPUs, .* good", ask(t, "smpcheck", 240), "smpcheck says")
        if "vm second vCPU 1: " not in t.text:
            t.expect(r"vm second vCPU 1: \d+ exits", 800, "the other VM's end")
        t.check("vm second: powered off" in t.text, "the other VM did not power off")
        t.check("vm second: reset" not in t.text, "the other VM's checks failed: it asked for a reset")
        # The first one goes on as if nothing had been.
        ask(t, "true")
        smpcheck(t, 2)
        linux.check_log(t)
        power_off(t)

    run.__doc__ = f"Two Linux VMs of two vCPUs side by side on {cpus} CPU(s)."
    return run


TESTS = {
    "smp": ("test", smp),
    "smp_maxcpus": ("all", smp_maxcpus),
    "smp_boot_cpu": ("all", smp_boot_cpu),
    "smp_1": ("all", many(1, 2)),
    "smp_2": ("all", many(2, 2)),
    "smp_4_on_1": ("all", many(4, 1)),
    "smp_8": ("all", many(8, 2)),
    "smp_16": ("all", many(16, 2)),
    "kexec_checked": ("all", kexec_checked),
    "kdump": ("all", kdump(0, 4)),
    "kdump_other_cpu": ("all", kdump(1, 2)),
    "two_vms_1_cpu": ("all", two_vms(1)),
    "two_vms_2_cpus": ("all", two_vms(2)),
}
