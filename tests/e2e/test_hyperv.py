# SPDX-License-Identifier: BSD-2-Clause
"""Linux on the Hyper-V interface: what it finds, what it then uses, and what it does without each part.

Not here: the boot CPU off line and on again. With Hyper-V's timer Linux 6.1 oopses when it comes back,
whoever the host is (test_smp.py, smp_boot_cpu, has the reason). kexec is in test_smp.py, too: with the
default configuration those kernels are on this interface.
"""

import glob
import os
import re
import shutil

import linux
import test_monitor as monitor
import test_smp as smp
from test_monitor import KEY

# Name in hyperv = on,-NAME: its bits in leaf 3 EAX, EBX, leaf 4 EAX, leaf 3 EDX, as Linux prints them.
FEATURES = {
    "vpruntime": (0x1, 0, 0, 0),
    "refcount": (0x2, 0, 0, 0),
    "reftsc": (0x200, 0, 0, 0),
    "freq": (0x800, 0, 0, 0x100),
    "invtsc": (0x8000, 0, 0, 0),
    "apic": (0x10, 0, 0, 0),
    "reset": (0x80, 0, 0, 0),
    "idle": (0x400, 0, 0, 0x20),
    "crash": (0, 0, 0, 0x400),
    "synic": (0x4, 0, 0, 0),
    "stimer": (0x8, 0, 0, 0),
    "direct": (0, 0, 0, 0x80000),
    "post": (0, 0x10, 0, 0),
    "signal": (0, 0x20, 0, 0),
    "xmm": (0, 0, 0, 0x10),
    "tlbflush": (0, 0, 0x4, 0),
    "ipi": (0, 0, 0x400, 0),
    "exmasks": (0, 0, 0x800, 0),
    "relaxed": (0, 0, 0x20, 0),
    "noautoeoi": (0, 0, 0x200, 0),
    "spinwait": (0, 0, 0, 0),
    "extcall": (0, 0x100000, 0, 0),
    "eoiassist": (0, 0, 0x8, 0),
    "vpregs": (0, 0x20000, 0, 0),
    "startvp": (0, 0x200000, 0, 0),
    "apichint": (0, 0, 0x8, 0),
}
OPTIONAL = ("vpregs", "startvp", "apichint")
# A feature goes with one that it stands on (docs/config.md).
STANDS_ON = {
    "reftsc": "refcount",
    "stimer": "refcount",
    "direct": "stimer",
    "apichint": "apic",
    "eoiassist": "apic",
}
ALWAYS = (0x60, 0, 0, 0)  # hypercall page, VP index

# A line of the guest's log, and the features that each bring it; several in a word: all of them.
LINES = {
    r"Hyper-V: LAPIC Timer Frequency: ": ("freq",),
    r"Hyper-V: Using hypercall for remote TLB flush": ("tlbflush",),
    r"Hyper-V: Using IPI hypercalls": ("ipi",),
    r"Hyper-V: PV spinlocks enabled": ("ipi idle",),
    r"Hyper-V: enabling crash_kexec_post_notifiers": ("crash",),
    r"Hyper-V: Using enlightened APIC": ("apichint", "eoiassist"),
}


def granted(t, hyperv):
    """The features of 'on,-a,+b' on this host, whose TSC is invariant."""
    have = set(FEATURES) - set(OPTIONAL)
    for word in re.findall(r"[-+]\w+", hyperv):
        (have.add if word[0] == "+" else have.discard)(word[1:])
    for name, base in STANDS_ON.items():
        if base not in have:
            have.discard(name)
    # A processor that delivers interrupts ends them, too.
    if re.search(r"(?m)\]   vid +granted", t.text):
        have.discard("eoiassist")
    return have


def check_leaves(t, log, have):
    want = [0, 0, 0, 0]
    for bits in (ALWAYS, *(FEATURES[name] for name in have)):
        want = [a | b for a, b in zip(want, bits)]
    match = re.search(
        r"Hyper-V: privilege flags low (\w+), high (\w+), hints (\w+), misc (\w+)", log
    )
    got = [int(x, 16) for x in match.groups()] if match else []
    t.check(got == want, f"leaves {[hex(x) for x in got]}, want {[hex(x) for x in want]}")
    for line, ways in LINES.items():
        wanted = any(have.issuperset(way.split()) for way in ways)
        t.check(bool(re.search(line, log)) == wanted, f"'{line}' with {sorted(have)}")


def check_frequencies(t, log, have):
    """The numbers that the guest does not measure are the host's."""
    if "freq" not in have:
        return
    hz = re.findall(r"\] TSC: (\d+)\.(\d+) MHz by", t.text)[-1]
    detected = re.findall(r"tsc: Detected (\d+)\.(\d+) MHz processor", log)
    t.check(detected == [hz], f"the host's TSC has {hz} MHz, the guest's {detected}")
    t.check(not re.search(r"TSC.* calibration|Refined TSC", log), "the guest measured its TSC")
    period = int(re.search(r"LAPIC Timer Frequency: (\w+)", log)[1], 16)
    khz = int(hz[0] + hz[1])
    t.check(khz * 1000 <= period * 250 + 250 <= khz * 1000 + 1250, f"APIC period {period}")


def check_clocks(t, have):
    base = "/sys/devices/system/clocksource/clocksource0/"
    # Without the page, Linux takes the MSR even where the TSC is invariant (hv_init_tsc_clocksource).
    if "refcount" in have and "reftsc" not in have:
        want = "hyperv_clocksource_msr"
    elif "invtsc" in have:
        want = "tsc"
    else:
        want = "hyperv_clocksource_tsc_page" if "reftsc" in have else "acpi_pm"
    source = t.shell(f"cat {base}current_clocksource").strip()
    t.check(source == want, f"the clock source is {source}, not {want}")
    offered = t.shell(f"cat {base}available_clocksource")
    t.check(("hyperv" in offered) == ("refcount" in have), f"clock sources: {offered}")
    device = t.shell("cat /sys/devices/system/clockevents/clockevent0/current_device").strip()
    want = "Hyper-V clockevent" if "direct" in have else "lapic"
    t.check(device.startswith(want), f"the clock event device is {device}, not {want}")
    # Its clock against the chip's: 3 s of both, read on the second.
    out = t.shell(
        "e=/sys/class/rtc/rtc0/since_epoch; s=$(cat $e); while [ $(cat $e) = $s ]; do :; done;"
        " read a _ < /proc/uptime; s=$(cat $e);"
        " while [ $(cat $e) -lt $((s + 3)) ]; do usleep 2000; done;"
        " read b _ < /proc/uptime; echo clocks $a $b", 60)  # fmt: skip
    match = re.search(r"clocks ([\d.]+) ([\d.]+)", out)
    took = float(match[2]) - float(match[1]) if match else 0
    t.check(2.8 <= took <= 3.2, f"3 s of the RTC are {took:.2f} s of {source}")


def interrupts(t):
    """Row of /proc/interrupts -> counts of the CPUs."""
    rows = re.findall(r"(?m)^ *(\w+): +((?:\d+ +)+)", t.shell("cat /proc/interrupts"))
    return {name: [int(x) for x in counts.split()] for name, counts in rows}


def check_interrupts(t, n, have):
    """Whose timer ticks on each CPU; which vectors Linux has set up."""
    before = interrupts(t)
    each = "; ".join(f"taskset -c {cpu} usleep 50000" for cpu in range(n))
    t.shell(f"for i in 1 2 3 4; do {each}; done")
    after = interrupts(t)
    ticking, other = ("HVS", "LOC") if "direct" in have else ("LOC", "HVS")
    t.check(("HVS" in after) == ("direct" in have), f"HVS in /proc/interrupts: {after}")
    # Reenlightenment is not offered.
    t.check("HYP" in after and "HRE" not in after, f"/proc/interrupts has {sorted(after)}")
    grown = [b - a for a, b in zip(before.get(ticking, []), after.get(ticking, []))]
    t.check(len(grown) == n and min(grown) >= 4, f"{ticking} grew by {grown}")
    grown = [b - a for a, b in zip(before.get(other, []), after.get(other, []))]
    t.check(sum(grown) == 0, f"{other} grew by {grown}")


def check_apic(t, x2apic):
    """The flag in /proc/cpuinfo is the processor's ability; the log has the mode."""
    words = "routing to .*x2apic|x2apic: enabled by BIOS"  # or by the kernel before this one
    out = t.shell(f"dmesg | grep -cE '{words}'", status=None).strip()
    t.check((out != "0") == x2apic, f"lines that say that the APICs are in x2APIC mode: {out}")


def check_interface(t, n, hyperv="on", x2apic=True):
    """All that one look at a guest's prompt shows."""
    have = granted(t, hyperv)
    log = t.shell("dmesg | grep -E 'yper|TSC|tsc|pinlock'", 120, status=None)
    t.check("Hypervisor detected: Microsoft Hyper-V" in log, "Linux does not know the hypervisor")
    check_leaves(t, log, have)
    check_frequencies(t, log, have)
    check_clocks(t, have)
    check_interrupts(t, n, have)
    check_apic(t, x2apic)


def check_no_interface(t):
    """hyperv = off: as if nothing of all this were there."""
    out = t.shell("dmesg | grep -c Hyper-V", 120, status=None).strip()
    t.check(out == "0", f"{out} lines of the guest's log name Hyper-V")
    out = t.shell("cat /sys/devices/system/clocksource/clocksource0/available_clocksource")
    t.check(out.split() == ["tsc", "acpi_pm"], f"clock sources: {out}")
    t.check("HVS" not in interrupts(t), "HVS in /proc/interrupts")
    check_apic(t, False)


# --- calls ---


def hypercalls(t):
    """How many the VM has made, by the host's statistics; from the guest's prompt and back to it."""
    monitor.enter(t)
    match = re.search(r"(?m)^hypercall +(\d+) ", monitor.ask(t, "stat debian"))
    t.send(KEY)
    t.expect(r"\[console: debian - Ctrl-\] for the monitor\]", 10)
    t.prompt_again()
    return int(match[1]) if match else 0


def check_calls(t, n):
    """Flushes and interrupts between CPUs are calls: the guest counts them, and the host does."""
    trace = "/sys/kernel/tracing"
    before = hypercalls(t)
    t.shell(f"mount -t tracefs t {trace}; echo 1 > {trace}/events/hyperv/enable")
    smp.smpcheck(t, n)
    t.shell(f"echo 0 > {trace}/events/hyperv/enable")
    made = hypercalls(t) - before
    counts = {}
    for event in ("hyperv_mmu_flush_tlb_multi", "hyperv_send_ipi"):
        out = t.shell(f"grep -c {event} {trace}/trace", 240, status=None)
        counts[event] = int(out.strip().split("\n")[-1])
    t.check(min(counts.values()) > 0, f"calls, by the guest: {counts}")
    # Of a flush for CPUs that are all idle nothing is left to call for.
    t.check(made > sum(counts.values()) // 2, f"calls, by the guest: {counts}, by the host: {made}")


# --- one VM ---


def initrd(t):
    """The plain initramfs with smpcheck, and the cloud kernel's VMBus driver in its root."""
    linux.fetch("cloud")
    smp.built_here(t, "mksmp.sh", smp.script("mksmp.sh"), t.built(smp.INITRD))
    root, out = t.path("root"), t.path("initrd.img")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy(t.built("guest/smpcheck"), os.path.join(root, "bin"))
    (driver,) = glob.glob(t.built("guest/modules-cloud/*/kernel/drivers/hv/hv_vmbus.ko"))
    shutil.copy(driver, root)
    smp.built_here(t, "mkinitramfs.sh", smp.script("mkinitramfs.sh"), out, root)
    shutil.rmtree(root)
    return out


def panics(t, name):
    """The guest's last words in the host's log; then it comes up again, by its own will."""
    t.watch_fatal = False
    t.send_line("echo c > /proc/sysrq-trigger")
    t.expect(rf"vm {name}: the guest reports a panic on vCPU \d", 60)
    t.expect(rf"vm {name}: \| .*Kernel panic - not syncing: sysrq triggered crash", 60)
    t.expect(rf"vm {name}: reset", 60)
    t.fatal_pos = len(t.text)
    t.watch_fatal = True
    linux.wait_shell(t, 400)


def synic_interrupts(t):
    """VMBus is the only one who sends them; without it there is nothing to see."""
    if t.shell("ls -d /sys/bus/acpi/devices/VMB* 2>/dev/null", status=None).strip():
        t.shell("insmod /hv_vmbus.ko", 120)
        t.check(sum(interrupts(t)["HYP"]) > 0, "HYP in /proc/interrupts does not count")


def hyperv(t):
    """Two vCPUs: what Linux finds and uses; a CPU off line and on again; a panic, and up again."""
    linux.add_vm(t, vcpus=2, initrd=initrd(t), cmdline="console=ttyS0 panic=1")
    t.boot(cpus=2)
    linux.wait_shell(t, 400)
    check_interface(t, 2)
    check_calls(t, 2)
    smp.off_and_on(t, 2)
    check_interrupts(t, 2, granted(t, "on"))
    linux.check_log(t)
    panics(t, "debian")
    second_life = len(t.text)
    check_interface(t, 2)
    synic_interrupts(t)
    linux.check_log(t, t.text[second_life:])
    smp.power_off(t)


def kexec(t):
    """The reference-page clock in a kernel that another one started."""
    smp.add_vm(t, vcpus=2, memory="512M", more="hyperv = on, -invtsc\n")
    t.boot(cpus=2)
    linux.wait_shell(t, 400)
    check_interface(t, 2, "on,-invtsc")
    smp.kernel_starts_kernel(t, 2, "--no-checks")
    check_interface(t, 2, "on,-invtsc")
    linux.check_log(t, allow=smp.AFTER_KEXEC)
    smp.power_off(t)


# --- several, one after the other ---


def one_after_the_other(t, vms, check, kernel="cloud", vcpus=2, memory="160M", cpus=1,
                        image=None, more=lambda name: ""):  # fmt: skip
    """vms: name -> (hyperv, more of the command line). check(name) runs at each one's prompt."""
    linux.add_vm(t, kernel=kernel, initrd=image or initrd(t))
    t.config("".join(f"""\
[vm.{name}]
vcpus   = {vcpus}
memory  = {memory}
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\initrd.img
cmdline = console=ttyS0 quiet {words}
hyperv  = {hyperv_line}
autostart = no
{more(name)}""" for name, (hyperv_line, words) in vms.items()))  # fmt: skip
    t.boot(cpus=cpus, mem="2G")
    for name in vms:
        t.expect(monitor.MONITOR, 120)
        monitor.ask(t, f"vm start {name}")
        t.send_line(f"console {name}")
        t.expect(rf"\[console: {name} - Ctrl-\] for the monitor\]", 30)
        linux.wait_shell(t, 400)
        known = len(t.failures)
        check(name)
        linux.check_log(t)
        t.failures[known:] = [f"{name}: {failure}" for failure in t.failures[known:]]
        t.send_line("poweroff -f")
        t.expect(rf"vm {name}: powered off", 60)
        if name != list(vms)[-1]:
            t.send(KEY)
    t.expect_off()


def kernels(kernel, vcpus):
    vms = {"invariant": ("on", ""), "page": ("on, -invtsc", "")}

    def run(t):
        def check(name):
            check_interface(t, vcpus, vms[name][0])
            smp.smpcheck(t, vcpus)

        one_after_the_other(t, vms, check, kernel, vcpus, "384M", min(vcpus, 2))

    run.__doc__ = f"The {kernel} kernel, {vcpus} vCPU(s), with an invariant TSC and without."
    return run


def settings(vms):
    def run(t):
        def check(name):
            line, words = vms[name]
            if line == "off":
                check_no_interface(t)
            else:
                check_interface(t, 2, line, "nox2apic" not in words)

        one_after_the_other(t, vms, check)

    run.__doc__ = "One after the other: " + " ".join(vms)
    return run


SETTINGS = {
    "off": ("off", ""),
    "nox2apic": ("on", "nox2apic"),
    "apic-msrs": ("on, -eoiassist, +apichint", ""),
    "no-apic-msrs-nox2apic": ("on, -eoiassist", "nox2apic"),
    "msr-clock": ("on, -invtsc, -reftsc", ""),
    "options": ("on, +vpregs, +startvp", ""),
    **{f"no-{name}": (f"on, -{name}", "") for name in FEATURES if name not in OPTIONAL},
}

TESTS = {"hyperv": ("test", hyperv), "hyperv_kexec": ("all", kexec)}
for _kernel in ("cloud", "generic"):
    for _vcpus in (1, 2, 4):
        TESTS[f"hyperv_{_kernel}_{_vcpus}"] = ("all", kernels(_kernel, _vcpus))
for _i in range(4):
    TESTS[f"hyperv_settings_{_i + 1}"] = ("all", settings(dict(list(SETTINGS.items())[_i::4])))
