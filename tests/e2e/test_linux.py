# SPDX-License-Identifier: BSD-2-Clause
"""Debian's kernels boot to a shell, answer, reboot and power off."""

import linux
from harness import Failed

# Bochs models: one rich in VMX features, one with EPT and unrestricted guest but without
# APIC virtualization and the later controls.
POORER = "corei5_arrandale_m520"


def shell_answers(t, kernel, vcpus):
    """What a newcomer types first, and what a driver author looks at."""
    out = t.shell("uname -a")
    release = r"6\.\d+\.\d+-\d+-cloud-amd64" if kernel == "cloud" else r"6\.\d+\.\d+-\d+-amd64"
    t.check_match(rf"Linux \(none\) {release} .*x86_64 GNU/Linux", out, "uname -a says")
    out = t.shell("ls /")
    t.check(
        {"bin", "dev", "etc", "init", "proc", "sys"} <= set(out.split()), f"ls / says {out!r}"
    )
    t.check_match(r"\[ *\d+\.\d+\]", t.shell("dmesg | tail -n 5", 120), "dmesg | tail says")
    t.check_match(rf"^{vcpus}\s*$", t.shell("nproc"), "nproc says")
    out = t.shell("grep -c hypervisor /proc/cpuinfo", status=None)
    t.check_match(rf"^{vcpus}\s*$", out, "the hypervisor flag in /proc/cpuinfo")


def platform(t):
    """The devices as Linux found them."""
    out = t.shell("lspci")
    for device in ("00:00.0 Class 0600: 8086:7192", "00:07.0 Class 0601: 8086:7110",
                   "00:07.1 Class 0101: 8086:7111", "00:07.3 Class 0680: 8086:7113"):  # fmt: skip
        t.check(device in out, f"lspci does not show {device}: {out!r}")
    # The standard header as configuration mechanism 1 delivers it: vendor, device, class.
    out = t.shell("hexdump -n 16 -e '16/1 \"%02x \"' /sys/bus/pci/devices/0000:00:00.0/config")
    t.check_match(r"86 80 92 71 .. .. .. .. .. 00 00 06 ", out, "config space of 00:00.0")
    out = t.shell("cat /proc/interrupts", status=None)
    t.check_match(r"(?m)^ *4:.*ttyS0", out, "the serial line's interrupt")
    t.check_match(r"(?m)^ *9:.*acpi", out, "the ACPI interrupt")
    # A clock that runs: two seconds of guest time are two seconds of its wall clock.
    out = t.shell("a=$(date +%s); sleep 2; b=$(date +%s); echo slept $((b - a))")
    t.check_match(r"slept [23]\b", out, "sleep 2")
    out = t.shell("cat /sys/devices/system/clocksource/clocksource0/current_clocksource")
    t.check(out.strip() in ("tsc", "acpi_pm"), f"the clock source is {out.strip()}")
    out = t.shell("hwclock -r -u 2>&1 || cat /proc/driver/rtc", status=None)
    t.check_match(r"20[2-9]\d", out, "the RTC's year")


def keeps_answering(t, lines):
    """Input that arrives while the guest is busy: an interrupt lost or misplaced stops the console."""
    for i in range(lines):
        out = t.shell(f"echo line number {i} of many; ls / | head -n 3", 30)
        t.check_match(rf"^line number {i} of many\nbin\ndev\netc$", out, f"line {i} says")


def boot_and_check(t, kernel="cloud", vcpus=1, cpus=1, cpu_model=None, host="", memory="256M"):
    linux.add_vm(t, kernel=kernel, vcpus=vcpus, memory=memory, host=host)
    t.boot(cpus=cpus, cpu_model=cpu_model)
    linux.wait_shell(t)
    shell_answers(t, kernel, vcpus)
    platform(t)
    linux.check_log(t)


def linux_shell(t):
    """The main path, then a reboot into the same kernel and a power-off: one boot, all of it."""
    boot_and_check(t)
    keeps_answering(t, 60)
    t.send_line("reboot -f")
    linux.wait_shell(t)
    # What the reset must not leave behind shows in the second boot's log and devices.
    shell_answers(t, "cloud", 1)
    platform(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect(r"(?i)exit", 60, "the exit statistics")
    t.expect_off()


def reboot_ways(t):
    """Each way a PC can be reset gives a clean boot."""
    linux.add_vm(t, cmdline="console=ttyS0 quiet")
    t.boot()
    linux.wait_shell(t)
    # Linux tries what reboot= names first: ACPI reset register, keyboard controller, port
    # 0xCF9, triple fault. Port 0x92 it does not know: guest-test/reset/ writes that one.
    for way in ("acpi", "kbd", "pci", "triple"):
        t.shell(f"echo {way} > /sys/kernel/reboot/type && echo 1 > /sys/kernel/reboot/force")
        t.send_line("reboot -f")
        try:
            linux.wait_shell(t, 200)
        except Failed as err:
            raise Failed(f"after reboot={way}: {err}") from None
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


def no_optional_controls(t):
    """What a nested host may leave us: VMX with EPT and nothing optional."""
    linux.add_vm(t, host="vmx = -all")
    t.boot()
    linux.wait_shell(t, 400)
    shell_answers(t, "cloud", 1)
    keeps_answering(t, 30)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


def generic(t):
    """The generic kernel, with its drivers for everything."""
    boot_and_check(t, kernel="generic", memory="512M")
    t.send_line("poweroff -f")
    t.expect_off()


def poorer_model(t):
    """A processor without APIC virtualization and what came later."""
    boot_and_check(t, cpu_model=POORER)
    t.send_line("poweroff -f")
    t.expect_off()


def matrix(kernel, vcpus, cpu_model):
    def run(t):
        boot_and_check(t, kernel=kernel, vcpus=vcpus, cpus=min(vcpus, 2), cpu_model=cpu_model,
                       memory="512M")  # fmt: skip
        t.send_line("poweroff -f")
        t.expect_off()

    run.__doc__ = f"{kernel} kernel, {vcpus} vCPU(s), {cpu_model}"
    return run


TESTS = {
    "linux_shell": ("test", linux_shell),
    "no_optional_controls": ("test", no_optional_controls),
    "poorer_model": ("test", poorer_model),
    "generic": ("all", generic),
    "reboot_ways": ("all", reboot_ways),
}
for _kernel in ("cloud", "generic"):
    for _vcpus in (1, 2, 4):
        for _model in ("corei7_haswell_4770", "corei7_skylake_x", POORER):
            TESTS[f"matrix-{_kernel}-{_vcpus}-{_model}"] = ("all", matrix(_kernel, _vcpus, _model))
