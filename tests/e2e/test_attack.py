# SPDX-License-Identifier: BSD-2-Clause
"""Guests that attack, beside a Linux that must not notice (guest-test/attack/, docs/security.md).

An attacker is a VM of 4 MiB that an operator starts while Linux runs. What may become of each is
said here. The host must not panic, the monitor must answer meanwhile, the log must stay short, and
Linux must keep its time and its share.
"""

import re

import linux
import test_monitor as monitor
from test_monitor import KEY

# VM: (vCPUs, attacks one after the other). They come through and power off.
SURVIVORS = {
    "exits": (1, "cpuid port_flood mmio_flood msr_flood ept_miss hypercalls"),
    "idlers": (1, "pause sti_spin hlt_wake forbidden"),
    "strings": (1, "strings mmio_forms rom"),
    "tables": (1, "cr3_loop pt_rewrite flags"),
    "registers": (1, "msrs crs"),
    "programs": (1, "ports devices"),
    "floods": (1, "console log"),
    "storms": (2, "ipi_storm nmi_storm ipi_storm_x2apic"),
    "starts": (2, "init_storm selfmod remap"),
    "ticks": (4, "timers timers_masked"),
    "bus": (2, "bus_storm"),
}
# What an attack on the bus finds there.
DEVICES = {
    "bus": """\
disk      = ram:1M
disk      = ram:1M, block=4096
disk      = ram:\\guests\\dvd.img, dvd
nic       = switch0
""",
}
# They may also end the VM: a random jump or a table elsewhere is enough.
EITHER = {
    "bytes": (1, "mmio_bytes"),
    "segments": (1, "segments"),
    "moved": (1, "pci"),
    "synthetic": (1, "synthetic_msrs"),
}
# They go on until somebody ends them; a task switch into nowhere may be the end, too.
ENDLESS = {
    "spin": (1, "cli_spin"),
    "halt": (1, "cli_hlt"),
    "triple": (1, "triple"),
    "resets": (1, "reset_flood"),
    "align": (1, "ac_storm"),
    "debug": (1, "db_storm"),
    "task": (2, "task"),
}
# 'attack=die': one a life, in this order.
DEATHS = {
    "fetch_hole": "instruction fetch outside its memory",
    "mmio_kill": "an instruction on device memory that cannot be emulated",
    "cr3_mmio": "page tables outside its memory|a page table or code lies outside RAM",
    "cr3_hole": "page tables outside its memory|a page table or code lies outside RAM",
    "pt_mmio": "page tables outside its memory|a page table or code lies outside RAM",
    "gdt_hole": "an instruction on device memory that cannot be emulated",
    "idt_hole": "descriptor tables or a stack outside its memory",
    "idt_lapic": "descriptor tables or a stack outside its memory",
    "stack_mmio": "descriptor tables or a stack outside its memory",
    "tss_hole": "descriptor tables or a stack outside its memory",
}
# Two bursts of 20, two lines a second, dumps and statistics of a few lives.
MAX_LINES = 400

# One line of the checker a second: its number, the time since boot, a hash of what never changes.
CHECKER = (
    "head -c 32768 /bin/busybox > /tmp/data; "
    "(i=0; while :; do echo beat $i $(cut -d' ' -f1 /proc/uptime) "
    "$(sha256sum < /tmp/data | cut -c1-16); i=$((i+1)); sleep 1; done) > /tmp/beats 2>&1 & true"
)


def attacker(name, vcpus, attacks, secs, seed=1, extra=""):
    return f"""\
[vm.{name}]
vcpus     = {vcpus}
memory    = 4M
kernel    = \\guests\\{"bus" if name == "bus" else "attack"}.elf
cmdline   = attack={attacks.replace(" ", ",")} seed={seed} secs={secs}
{DEVICES.get(name, "")}{extra}"""


def files(t):
    t.file("guests/attack.elf", t.built("gt-tools/attack.elf"))
    t.file("guests/bus.elf", t.built("gt-tools/bus.elf"))
    t.file("guests/dvd.img", bytes(range(256)) * 256)


def lines_of(t, name):
    return [line for line in t.text.split("\n") if f"vm {name}: " in line or f"vm {name} " in line]


def judge_words(t, name, attacks, survives):
    text = "\n".join(lines_of(t, name))
    # The log has a VM's first words and two a second: those of a flood may be left out.
    if "lines left out" in text:
        return
    for attack in attacks.split():
        t.check(f"attack {attack}: begins" in text, f"{name}: {attack} did not begin")
        if survives:
            t.check(f"attack {attack}: survived" in text, f"{name}: {attack} was not survived")


def judge_log(t, name):
    n = len(lines_of(t, name))
    t.check(n < MAX_LINES, f"{name} made the host write {n} lines")


# --- Linux's part ---


def clock_difference(t):
    """Seconds between the kernel's clock and the chip's."""
    out = t.shell("echo $(($(date +%s) - $(cat /sys/class/rtc/rtc0/since_epoch)))")
    return int(out.strip().split("\n")[-1])


def uptime(t):
    return float(t.shell("cat /proc/uptime").split()[0])


def check_beats(t, first, last, longest):
    out = t.shell("cat /tmp/beats", 120)
    rows = [(float(s), h) for s, h in re.findall(r"beat \d+ ([\d.]+) (\S+)", out)]
    t.check(len({row[1] for row in rows}) == 1, "the same data had two hashes")
    times = [first] + [row[0] for row in rows if first < row[0] < last] + [last]
    gap = max(b - a for a, b in zip(times, times[1:]))
    t.check(gap < longest, f"Linux was kept waiting: {gap:.1f} s without a beat")


def to_linux(t):
    t.send(KEY)
    t.expect(r"\[console: debian - Ctrl-\] for the monitor\]", 90)
    t.prompt_again()


# --- the operator's part ---


def ask(t, command, answer, timeout=90):
    """The prompt comes again after each line of the log: what tells is the answer itself."""
    t.pos = len(t.text)
    t.send_line(command)
    return t.expect(answer, timeout, f"the answer to '{command}'")[0]


def states(t, last):
    """name -> state, while everybody attacks: an answer is part of the test."""
    out = ask(t, "vm list", rf"(?ms)^name +state.*?^{last} +(?:off|starting|running|paused) .*?$")
    return dict(re.findall(r"(?m)^(\w+) +(off|starting|running|paused) ", out))


def start(t, names):
    for name in names:
        # It may have ended again before the monitor looked.
        ask(t, f"vm start {name}", rf"(?m)^(error: )?{name}(:| is) ")


def wait_off(t, names, last, limit):
    """Until none of them runs; the monitor is asked all the while."""
    left = names
    for _ in range(limit):
        now = states(t, last)
        left = [name for name in names if now.get(name) != "off"]
        if not left:
            return
        # A second of the host's time or so.
        for _ in range(4):
            ask(t, "host", r"(?m)^version: Candela \d")
    t.check(False, "still running: " + " ".join(left))


def die(t, n):
    """One death after the other, each with a dump that says why."""
    for name, why in list(DEATHS.items())[:n]:
        mark = len(t.text)
        start(t, ["die"])
        wait_off(t, ["die"], "die", 60)
        text = t.text[mark:]
        t.check(f"attack {name}: begins" in text, f"{name} did not begin")
        t.check_match(rf"vm die: killed \((?:{why})\)", text, f"{name} was to be killed")
        t.check_match(r"vm die vCPU 0: .*RIP", text, f"{name}: no dump")


def beside_linux(survivors, either, endless, secs, deaths, longest=6, host="", seed=1, vcpus=1):
    def run(t):
        groups = {**survivors, **either, **endless}
        if deaths:
            groups["die"] = (1, "die")
        linux.add_vm(t, host=host, vcpus=vcpus)
        files(t)
        with open(t.path("config/candela.cfg"), "a", encoding="ascii") as f:
            for name, (n, attacks) in groups.items():
                f.write(attacker(name, n, attacks, secs, seed, "autostart = no\n"))
        t.boot(cpus=2)
        linux.wait_shell(t)
        t.shell(CHECKER)
        difference = clock_difference(t)
        first = uptime(t)
        monitor.enter(t)
        start(t, [*endless, *survivors, *either])
        last = list(groups)[-1]
        wait_off(t, [*survivors, *either], last, 400)
        now = states(t, last)
        for name in endless:
            if name == "task" and now.get(name) == "off":
                continue
            t.check(now.get(name) in ("running", "starting"), f"{name} is {now.get(name)}")
            ask(t, f"vm kill {name}", rf"(?m)^{name}: off")
        die(t, deaths)
        for name, (_, attacks) in groups.items():
            if name != "die":
                judge_words(t, name, attacks, name in survivors)
            judge_log(t, name)
        for name in survivors:
            t.check(re.search(rf"vm {name}: powered off", t.text), f"{name} did not power off")
        to_linux(t)
        check_beats(t, first, uptime(t), longest)
        t.check(abs(clock_difference(t) - difference) <= 2, "Linux's clocks ran apart")
        t.shell("kill %1", status=None)
        # A vCPU that waits for its CPU is what sharing means; how long is check_beats()'s affair.
        linux.check_log(t, allow=[r"^hrtimer: interrupt took \d+ ns"])
        t.send_line("poweroff -f")
        t.expect_off()

    run.__doc__ = "Linux beside guests that " + ("attack in every way" if deaths else "attack")
    return run


def alone(groups, secs, host="", cpus=2, seed=1, limit=600, may_die=()):
    """Attackers with nobody beside them: cheaper, for many seeds and machines."""
    survivors = [name for name in groups if name in SURVIVORS and name not in may_die]

    def run(t):
        files(t)
        t.config((f"[host]\n{host}\n" if host else "") + "".join(
            attacker(name, n, attacks, secs, seed) for name, (n, attacks) in groups.items()))  # fmt: skip
        t.boot(cpus=cpus)
        for name in groups:
            t.pos = 0
            t.expect(rf"vm {name}: (powered off|killed)", limit)
        for name, (_, attacks) in groups.items():
            judge_words(t, name, attacks, name in survivors)
            judge_log(t, name)
            if name in survivors:
                t.check(re.search(rf"vm {name}: powered off", t.text), f"{name} did not power off")
        t.expect_off()

    run.__doc__ = f"Attackers on their own: seed {seed}, {secs} s each, {cpus} CPU(s) {host}"
    return run


# What one run of everything can afford; a test has at most 16 VMs (MAX_VMS). Without the preemption
# timer Bochs keeps a guest with interrupts off for ever, so 'vmx = -all' is for survivors.
QUICK = {name: SURVIVORS[name] for name in SURVIVORS if name not in ("floods",)}
TESTS = {
    "attack": ("test", beside_linux(QUICK, {}, {n: ENDLESS[n] for n in ("spin", "triple", "align", "debug")}, 1, 3)),
    "attack_long": ("all", beside_linux(
        {"floods": SURVIVORS["floods"], **{n: SURVIVORS[n] for n in ("storms", "starts", "ticks", "programs")}},
        EITHER, {n: ENDLESS[n] for n in ("spin", "halt", "resets", "task")}, 5, len(DEATHS), longest=8,
        vcpus=2)),
    "attack_alone_1": ("all", alone(SURVIVORS, 4, cpus=1)),
    "attack_alone_bare": ("all", alone(SURVIVORS, 2, host="vmx = -all")),
    "attack_alone_bus": ("all", alone({"bus": SURVIVORS["bus"]}, 20, seed=5)),
    "attack_alone_vid": ("all", alone(SURVIVORS, 2, host="vmx = +vid")),
}  # fmt: skip
# With another seed a form may be one that jumps somewhere.
for _seed in range(1, 5):
    TESTS[f"attack_seeds_{_seed}"] = (
        "all",
        alone({"programs": (1, "ports devices"), "registers": (1, "msrs crs"), "strings": (1, "strings mmio_forms")},
              15, seed=_seed * 100000, may_die=("strings",)),  # fmt: skip
    )
