# SPDX-License-Identifier: BSD-2-Clause
"""Integration services and keyboards, with Linux's own drivers and Debian's daemons."""

import os
import re
import subprocess
import time

import linux
from harness import REPO, Failed
from test_monitor import KEY, ask, enter

MODULES = ("hv_vmbus", "hv_utils", "hyperv-keyboard", "dummy")
VERSIONS = ("Heartbeat IC version 3.0", "Shutdown IC version 3.2", "TimeSync IC version 4.0")


def daemons(t):
    """The tree of hyperv-daemons for an initramfs."""
    result = subprocess.run(
        [os.path.join(REPO, "tests", "machine", "fetch_daemons.sh")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode == 3:
        t.skip("no hyperv-daemons: " + result.stdout.decode("utf-8", "replace").strip())
    if result.returncode != 0:
        raise Failed("fetch_daemons.sh: " + result.stdout.decode("utf-8", "replace"))
    return t.built("guest/daemons")


def leave(t):
    """From the monitor back to the guest's shell."""
    t.send(KEY)
    t.prompt_again()


def monitor(t, *commands):
    """Commands at the monitor, their answers, and back at the guest."""
    enter(t)
    answers = [ask(t, command, 30) for command in commands]
    leave(t)
    return answers[0] if len(answers) == 1 else answers


def heartbeat(t):
    match = re.search(r"(?m)^debian +running .* (\w+)$", monitor(t, "vm list"))
    return match[1] if match else "missing"


def clock_error(t):
    """Seconds between the guest's clock and its RTC, which the host keeps right."""
    wall, rtc = t.shell("date +%s; cat /sys/class/rtc/rtc0/since_epoch").split()
    return abs(int(wall) - int(rtc))


def i8042_interrupts(t):
    return t.shell("grep i8042 /proc/interrupts || echo none")


def typing(t):
    """What is typed arrives at the virtual terminal: through the 8042, then through the bus."""
    typed = "The quick brown fox: 0123456789 (jumps) ~!@#$%^&*_+{}|<>?"
    command = f'type debian "{typed}\\\\n"'
    for driver in (None, "hyperv-keyboard"):
        if driver:
            t.shell(f"modprobe {driver} && sleep 1", 60)
        t.shell("(head -n 1 /dev/tty1 >/tmp/typed) & sleep 1")
        before = i8042_interrupts(t)
        answer = monitor(t, command)
        t.check(answer.strip() == "", f"'{command}' says {answer!r}")
        out = t.shell("sleep 2; cat /tmp/typed")
        t.check(typed in out, f"{typed!r} arrived as {out!r} (driver {driver})")
        same = i8042_interrupts(t) == before
        t.check(same == bool(driver), f"interrupts of the 8042: changed is {not same}, with {driver}")


def times(t):
    """The clock is set when the service starts, and after a pause."""
    t.check(clock_error(t) <= 2, "the guest's clock is wrong although it was set")
    t.shell("date -s 2001-02-03 >/dev/null")
    t.check(clock_error(t) > 1000, "the guest's clock cannot be set wrong")
    monitor(t, "vm pause debian", "host", "vm resume debian")
    t.shell("sleep 1")
    t.check(clock_error(t) <= 2, "the guest's clock is wrong after a pause")


def data_exchange(t):
    """The daemon answers: who the guest is, and what the host told it."""
    t.shell("modprobe dummy && ip addr add 10.9.8.7/24 dev dummy0 && ip link set dummy0 up")
    t.shell("mkdir -p /var/lib && hostname wick && hv_kvp_daemon && sleep 2")
    release = t.shell("uname -r").strip()
    out = monitor(t, "vm info debian")
    t.check_match(r"(?m)^heartbeat: ok$", out, "vm info")
    t.check_match(rf"(?m)^guest kernel: {re.escape(release)}$", out, "vm info")
    t.check_match(r"(?m)^guest os: Linux$", out, "vm info")
    t.check_match(r"(?m)^guest ipv4: 10\.9\.8\.7;?$", out, "vm info")
    t.shell("ip addr add 10.9.8.6/24 dev dummy0")
    out = monitor(t, "vm info debian")
    t.check_match(r"(?m)^guest ipv4: 10\.9\.8\.7;10\.9\.8\.6;?$", out, "vm info with a new address")
    out = t.shell("tr '\\000' '\\n' </var/lib/hyperv/.kvp_pool_3 | grep .")
    words = out.split()
    for key, value in (("PhysicalHostName", "Candela"), ("VirtualMachineName", "debian")):
        at = words.index(key) if key in words else -1
        t.check(at >= 0 and words[at + 1] == value, f"{key} is not {value} in pool 3: {out!r}")


def snapshot(t):
    # Without its daemon Linux takes the order and says no.
    out = monitor(t, "vm freeze debian")
    t.check_match(r"(?m)^error: debian cannot freeze its file systems$", out, "vm freeze")
    t.shell("hv_vss_daemon && sleep 1")
    freeze, info, thaw, after = monitor(
        t, "vm freeze debian", "vm info debian", "vm thaw debian", "vm info debian"
    )
    t.check_match(r"(?m)^debian: frozen$", freeze, "vm freeze")
    t.check_match(r"(?m)^file systems: frozen$", info, "vm info")
    t.check_match(r"(?m)^debian: thawed$", thaw, "vm thaw")
    t.check("frozen" not in after, f"still frozen: {after!r}")


def key_chord(t):
    """Linux reboots by its own will."""
    enter(t)
    t.check(ask(t, "key debian ctrl-alt-del").strip() == "", "key has something to say")
    t.expect(r"vm debian: reset", 60, "the guest's reset")
    t.send(KEY)
    linux.wait_shell(t)
    t.check(heartbeat(t) == "none", "a heartbeat from before the reset")
    t.shell("modprobe hv_utils && sleep 3", 60)
    t.check(heartbeat(t) == "ok", "no heartbeat after a reset")


def lost_and_found(t):
    """A guest that hangs is seen, and that it is well again after a reset."""
    t.send_line("halt -f")
    t.expect("System halted", 60, "the end of Linux's last words")
    enter(t)
    for _ in range(60):
        if "lost" in ask(t, "vm list", 30):
            break
        time.sleep(0.5)
    t.check_match(r"(?m)^debian +running .* lost$", ask(t, "vm list", 30), "vm list")
    t.check_match(r"(?m)^heartbeat: lost$", ask(t, "vm info debian", 30), "vm info")
    ask(t, "vm reset debian", 30)
    t.send(KEY)
    linux.wait_shell(t)
    t.check(heartbeat(t) == "none", "a heartbeat from before the reset")
    t.shell("modprobe hv_utils && sleep 3", 60)
    t.check(heartbeat(t) == "ok", "no heartbeat after a reset")


def services(t):
    """Every service of a guest, and its end."""
    linux.fetch("cloud")
    linux.add_vm(t, initrd=linux.initramfs_modprobe(t, *MODULES, extra=daemons(t)))
    t.boot()
    linux.wait_shell(t)
    t.check(heartbeat(t) == "none", "a guest without drivers has a heartbeat")
    t.shell("date -s 2001-02-03 >/dev/null; modprobe hv_utils && sleep 3")
    out = t.shell("dmesg | grep 'IC version'")
    for version in VERSIONS:
        t.check(version in out, f"no '{version}' in {out!r}")
    t.check(heartbeat(t) == "ok", "no heartbeat with hv_utils")
    times(t)
    typing(t)
    # The drivers go and come back.
    t.shell("rmmod hv_utils && rmmod hyperv-keyboard", 60)
    t.check(heartbeat(t) == "none", "a heartbeat without hv_utils")
    t.shell("modprobe hv_utils && modprobe hyperv-keyboard && sleep 3", 60)
    data_exchange(t)
    snapshot(t)
    linux.check_log(t)
    t.check(heartbeat(t) == "ok", "no heartbeat any more")
    key_chord(t)
    lost_and_found(t)
    enter(t)
    t.check_match(r"(?m)^debian: shuts down$", ask(t, "vm stop debian", 30), "vm stop")
    t.expect(r"vm debian: powered off \(ACPI S5\)", 60, "the power-off")
    t.send_line("poweroff")
    t.expect_off()


TESTS = {"services": ("test", services)}
