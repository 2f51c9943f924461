# SPDX-License-Identifier: BSD-2-Clause
"""A VM's life in an operator's hands: stopped politely, killed, started again, paused."""

import linux

KEY = "\x1d"
PROMPT = r"(?m)^candela> $"
BUTTON = "/sys/firmware/acpi/interrupts/ff_pwr_btn"


def monitor(t, command, answer):
    """From the guest's console to the monitor, one command and its answer, and stay there."""
    t.send(KEY)
    t.expect(PROMPT, 30, "the monitor's prompt")
    t.send_line(command)
    t.expect(answer, 60, f"the answer to '{command}'")
    t.expect(PROMPT, 30, "the monitor's prompt")


def times(t):
    """What the guest's clocks say: seconds since its start, of its wall clock and of its RTC."""
    out = t.shell("cut -d. -f1 /proc/uptime; date +%s; cat /sys/class/rtc/rtc0/since_epoch")
    return [int(word) for word in out.split()]


def pause(t):
    """While it is paused no time passes for the guest; its RTC is right again afterwards."""
    before = times(t)
    monitor(t, "vm pause debian", r"debian: paused")
    # What is typed at the monitor takes time, in the machine too.
    for _ in range(3):
        t.send_line("host")
        t.expect(PROMPT, 30, "the monitor's prompt")
    t.send_line("vm resume debian")
    t.expect(r"debian: running", 60, "the end of the pause")
    t.send(KEY)
    t.shell("sleep 1")
    after = times(t)
    up, wall, rtc = (b - a for a, b in zip(before, after))
    t.check(abs(up - wall) <= 1, f"uptime went on by {up} s, the wall clock by {wall} s")
    t.check(rtc >= up - 1, f"uptime went on by {up} s, the RTC by {rtc} s only")


def life(t):
    """Pause and resume, the power button, kill, start again: two vCPUs on two CPUs."""
    linux.fetch("cloud")
    linux.add_vm(t, vcpus=2, initrd=linux.initramfs(t, "button"))
    t.boot(cpus=2)
    linux.wait_shell(t)
    # A spinning process, so that pauses hit a busy vCPU and an idle one.
    t.shell("(while :; do :; done) & true")
    for _ in range(3):
        pause(t)
    t.shell("kill %1", status=None)
    linux.check_log(t)
    # Debian's kernel has the driver as a module, which udev would load.
    t.shell("insmod /button.ko")
    out = t.shell(f"cat {BUTTON}")
    t.check_match(r"^ *0 +EN +enabled", out, "the power button's events")
    # There is no daemon: a shell looks for the event and acts.
    t.shell(f"(until grep -q '^ *1 ' {BUTTON}; do sleep 1; done; poweroff -f) & true")
    monitor(t, "vm stop debian", r"debian: power button pressed")
    t.expect(r"vm debian: powered off \(ACPI S5\)", 60, "the power-off")
    t.expect(r"the machine stays on", 30, "what becomes of the machine")
    t.send_line("vm start debian")
    t.send(KEY)
    linux.wait_shell(t)
    linux.check_log(t)
    monitor(t, "vm kill debian", r"debian: off \(killed: by the operator\)")
    t.send_line("vm start debian")
    t.send(KEY)
    linux.wait_shell(t)
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {
    "life": ("all", life),
}
