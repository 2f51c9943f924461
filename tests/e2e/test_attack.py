# SPDX-License-Identifier: BSD-2-Clause
"""Guests that attack, beside a Linux that must not notice (guest-test/attack/, docs/security.md).

Each attacker is a small VM. What it may come to is in ATTACKS: it survives and powers off, it
is killed with a dump that says why, it is reset again and again, or it runs for ever. The host
must not panic, its log must stay short, and Linux must keep its time and its share.
"""

import re

import linux

# Its own end, a pattern of the reason, or None: it goes on until the machine is switched off.
SURVIVES = r"powered off"


def killed(why):
    return rf"vCPU \d+: [^\n]*(?:{why})"


RUNS = None
# name -> (what becomes of it, vCPUs)
ATTACKS = {
    "triple": (RUNS, 1),
    "cli_hlt": (RUNS, 1),
    "cli_spin": (RUNS, 1),
    "sti_spin": (SURVIVES, 1),
    "pause": (SURVIVES, 1),
    "cpuid": (SURVIVES, 1),
    "port_flood": (SURVIVES, 1),
    "mmio_flood": (SURVIVES, 1),
    "msr_flood": (SURVIVES, 1),
    "ept_miss": (SURVIVES, 1),
    "fetch_hole": (killed("instruction fetch outside its memory"), 1),
    "forbidden": (SURVIVES, 1),
    "hlt_wake": (SURVIVES, 1),
    "strings": (SURVIVES, 1),
    "mmio_forms": (SURVIVES, 1),
    "mmio_bytes": (SURVIVES, 1),
    "mmio_kill": (killed("device memory that cannot be emulated"), 1),
    "rom": (SURVIVES, 1),
    "cr3_mmio": (killed("page tables outside its memory"), 1),
    "cr3_hole": (killed("page tables outside its memory"), 1),
    "cr3_loop": (SURVIVES, 1),
    "pt_mmio": (killed("page tables outside its memory"), 1),
    "pt_rewrite": (SURVIVES, 1),
    "gdt_hole": (killed("device memory|outside its memory"), 1),
    "idt_hole": (killed("descriptor tables or a stack outside its memory"), 1),
    "idt_lapic": (killed("descriptor tables or a stack outside its memory"), 1),
    "stack_mmio": (killed("descriptor tables or a stack outside its memory"), 1),
    "tss_hole": (killed("outside its memory"), 1),
    "ipi_storm": (SURVIVES, 2),
    "ipi_storm_x2apic": (SURVIVES, 1),
    "nmi_storm": (SURVIVES, 2),
    "init_storm": (SURVIVES, 2),
    "selfmod": (SURVIVES, 2),
    "remap": (SURVIVES, 2),
    "timers": (SURVIVES, 4),
    "timers_masked": (SURVIVES, 1),
    "ports": (SURVIVES, 1),
    "devices": (SURVIVES, 1),
    "pci": (SURVIVES, 1),
    "msrs": (SURVIVES, 1),
    "crs": (SURVIVES, 1),
    "segments": (SURVIVES, 1),
    "flags": (SURVIVES, 1),
    "console": (SURVIVES, 1),
    "log": (SURVIVES, 1),
    "reset_flood": (RUNS, 1),
    "db_storm": (SURVIVES, 1),
    "ac_storm": (RUNS, 1),
    "task": (RUNS, 2),
}

# One line of the checker a second: its number, the time since boot, a hash of what never changes.
CHECKER = (
    "head -c 32768 /bin/busybox > /tmp/data; "
    "(i=0; while :; do echo beat $i $(cut -d' ' -f1 /proc/uptime) "
    "$(sha256sum < /tmp/data | cut -c1-16); i=$((i+1)); sleep 1; done) > /tmp/beats 2>&1 & true"
)


def attacker(name, start, until, vcpus, seed=1, extra=""):
    return f"""\
[vm.{name}]
vcpus   = {vcpus}
memory  = 4M
kernel  = \\guests\\attack.elf
cmdline = attack={name} seed={seed} start={start} until={until}
{extra}"""


def beats(t):
    """What the checker wrote: list of (number, seconds, hash)."""
    out = t.shell("cat /tmp/beats", 120)
    return [(int(n), float(s), h) for n, s, h in re.findall(r"beat (\d+) ([\d.]+) (\S+)", out)]


def clock_difference(t):
    """Seconds between the kernel's clock and the chip's."""
    out = t.shell("echo $(($(date +%s) - $(cat /sys/class/rtc/rtc0/since_epoch)))")
    return int(out.strip().split("\n")[-1])


def check_beats(t, first, last, gap):
    rows = beats(t)
    t.check(len({row[2] for row in rows}) == 1, "the same data had two hashes")
    times = [row[1] for row in rows if first <= row[1] <= last]
    gaps = [b - a for a, b in zip(times, times[1:])]
    t.check(times and max(gaps, default=0) < gap,
            f"Linux was kept waiting: {max(gaps, default=0):.1f} s between two beats")  # fmt: skip
    return gaps


def outcome(t, name):
    """What the host's log says became of it: 'off', 'killed', or nothing yet."""
    if re.search(rf"vm {name}: powered off", t.text):
        return "off"
    return "killed" if re.search(rf"vm {name}: killed", t.text) else ""


def judge(t, name):
    want = ATTACKS[name][0]
    got = outcome(t, name)
    lines = [x for x in t.text.split("\n") if f"vm {name}: " in x]
    t.check(re.search(rf"attack {name}: begins", t.text), f"{name} did not begin")
    if want is RUNS:
        t.check(got == "", f"{name} should go on for ever: {got}")
    elif want == SURVIVES:
        t.check(got == "off" and re.search(rf"attack {name}: survived", t.text),
                f"{name} should survive: {got or 'still there'}: {lines[-3:]}")  # fmt: skip
    else:
        t.check(got == "killed" and re.search(rf"vm {name}: {want}", t.text),
                f"{name} should be killed ({want}): {got or 'still there'}: {lines[-3:]}")  # fmt: skip
    # 20 lines at once, then two a second, a dump and statistics.
    t.check(len(lines) < 250, f"{name} made the host write {len(lines)} lines")


def beside_linux(names, start=70, seconds=20, host="", vcpus=None):
    def run(t):
        linux.add_vm(t, host=host)
        t.file("guests/attack.elf", t.built("gt-tools/attack.elf"))
        with open(t.path("config/candela.cfg"), "a", encoding="ascii") as f:
            for name in names:
                f.write(attacker(name, start, start + seconds, vcpus or ATTACKS[name][1]))
        t.boot(cpus=2)
        linux.wait_shell(t)
        t.shell(CHECKER)
        difference = clock_difference(t)
        finite = [name for name in names if ATTACKS[name][0] is not RUNS]
        for _ in range(300):
            if all(outcome(t, name) for name in finite):
                break
            t.shell("sleep 1", 60)
        for name in names:
            judge(t, name)
        check_beats(t, start, start + seconds, 4)
        t.check(abs(clock_difference(t) - difference) <= 2, "Linux's clocks ran apart")
        t.shell("kill %1", status=None)
        linux.check_log(t)

    run.__doc__ = "Linux beside " + ", ".join(names)
    return run


def finite(names):
    return [name for name in names if ATTACKS[name][0] is not RUNS]


def alone(names, seconds=10, host="", cpus=2, seed=1, limit=300):
    """Attackers without anybody beside them: cheaper, for many seeds and machines."""

    def run(t):
        t.file("guests/attack.elf", t.built("gt-tools/attack.elf"))
        t.config((f"[host]\n{host}\n" if host else "") + "".join(
            attacker(name, 0, seconds, ATTACKS[name][1], seed) for name in names))  # fmt: skip
        t.boot(cpus=cpus)
        for name in finite(names):
            if not outcome(t, name):
                t.expect(rf"vm {name}: (powered off|killed)", limit)
                t.pos = 0
        for name in names:
            judge(t, name)

    run.__doc__ = "Attackers on their own: " + ", ".join(names)
    return run


FIRST = ["cpuid", "port_flood", "cli_spin", "triple", "ept_miss", "mmio_kill", "ports", "pause"]
TESTS = {
    "attack_first": ("all", beside_linux(FIRST)),
    "attack_a": ("all", alone(["cli_hlt", "sti_spin", "mmio_flood", "msr_flood", "fetch_hole",
                               "forbidden", "hlt_wake", "strings", "mmio_forms", "mmio_bytes",
                               "rom", "cr3_mmio", "cr3_hole", "cr3_loop", "pt_mmio"])),
    "attack_b": ("all", alone(["pt_rewrite", "gdt_hole", "idt_hole", "idt_lapic", "stack_mmio",
                               "tss_hole", "ipi_storm_x2apic", "timers_masked", "devices",
                               "pci", "msrs", "crs", "segments", "flags", "db_storm"])),
    "attack_c": ("all", alone(["ipi_storm", "nmi_storm", "init_storm", "selfmod", "remap",
                               "timers", "console", "log", "ac_storm", "task", "ports"])),
}
