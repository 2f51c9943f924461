# SPDX-License-Identifier: BSD-2-Clause
"""The operator's command line: from a guest's console to it and back, and all that it can do to VMs."""

import re

import linux

KEY = "\x1d"
MONITOR = r"(?m)^candela> $"
VMS = """
[vm.beat]
memory = 8M
kernel = \\guests\\beat.elf
cpu    = 1

[vm.spare]
memory    = 8M
kernel    = \\guests\\beat.elf
autostart = no
"""


def ask(t, command, timeout=10):
    """Type a command at the monitor's prompt; returns its answer."""
    t.send_line(command)
    match = t.expect(r"(?ms)(.*?)^candela> $", timeout, f"the answer to '{command}'")
    lines = match[1].split("\n")
    t.check(command in lines[0], f"the echo of '{command}' is {lines[0]!r}")
    # Log lines may come between.
    return "\n".join(line for line in lines[1:] if not line.startswith("["))


def enter(t):
    t.send(KEY)
    t.expect(r"\[monitor - Ctrl-\] for the console of \S+, 'help' for the commands\]", 10)
    t.expect(MONITOR, 10)


def state_of(t, name):
    match = re.search(rf"(?m)^{name} +(\w+) ", ask(t, "vm list"))
    return match[1] if match else "missing"


def up_and_idle(t):
    """/proc/uptime of the guest, in seconds."""
    return float(t.shell("cat /proc/uptime").split()[0])


def seconds(text):
    """An uptime of vm list."""
    h, m, s = text.split(":")
    return int(h) * 3600 + int(m) * 60 + float(s)


def lists_and_figures(t):
    out = ask(t, "vm list")
    t.check_match(r"(?m)^name +state +vcpus +memory +cpu% +uptime +heartbeat$", out, "vm list's header")
    t.check_match(r"(?m)^debian +running +1 +256 MiB +\d+\.\d +0:\d\d:\d\d\.\d +none$", out, "vm list")
    t.check_match(r"(?m)^beat +running +1 +8 MiB ", out, "vm list")
    t.check_match(r"(?m)^spare +off +1 +8 MiB +0\.0 +- +none$", out, "vm list")
    out = ask(t, "vm info debian")
    t.check_match(r"(?m)^state: running\n", out, "vm info")
    t.check_match(r"(?m)^cmdline: console=ttyS0$", out, "vm info")
    t.check_match(r"(?m)^autostart: no$", ask(t, "vm info spare"), "vm info spare")
    out = ask(t, "stat beat")
    t.check_match(r"(?m)^time now: guest \d+\.\d%, host ", out, "stat beat")
    match = re.search(r"(?m)^hlt +(\d+) +(\d+) +\d+\.\d +\d+ +\d+$", out)
    # It wakes 100 times a second.
    t.check(match and 90 <= int(match[2]) <= 110, f"stat beat: 100 HLT a second: {out!r}")
    t.check_match(r"(?m)^debian +\d+ +\d+ ", ask(t, "stat"), "stat")
    out = ask(t, "host")
    t.check_match(r"(?m)^version: Candela \d", out, "host")
    t.check_match(r"(?m)^1 +1 +(9\d|100)\.\d +\d$", out, "host: CPU 1 sleeps")
    t.check_match(r"(?m)^  vpid +granted$", out, "host")
    out = ask(t, "mem debian 0x9fff0 32")
    t.check_match(r"(?m)^00000009fff0  ([0-9a-f]{2} +){16} .{16}$", out, "mem")
    t.check_match(r"(?m)^0000000a0000-0000000a000f is no RAM$", out, "mem")
    for command in ("dev beat", "irq beat", "vcpu beat 0"):
        out = ask(t, command)
        t.check(out.strip() and not re.search("(?m)^error:", out), f"{command} says {out!r}")


def looks_inside(t):
    """vcpu, irq, dev and trace, of guests that run on meanwhile."""
    for command, lines in INSIDE:
        out = ask(t, command)
        for line in lines:
            t.check_match("(?m)^" + line, out, command)
    # beat sleeps until a tick and ends it at the 8259: that is all it does.
    out = ask(t, "vcpu beat 0")
    t.check(out.count(" s ago  ") == 16, f"vcpu beat 0: not 16 last exits: {out!r}")
    ask(t, "trace beat on io,hlt")
    t.send_line("stat -f beat")
    t.expect(r"(?m)^time: ", 30)
    t.send("q")
    t.expect(MONITOR, 10)
    out = ask(t, "trace beat show 30")
    lines = re.findall(
        r"(?m)^ +\d+\.\d{6}  0 (io|hlt) +(.*?) +rip ([0-9a-f]+) guest \d+ host \d+( away \d+)?$",
        out,
    )
    t.check(len(lines) == 30, f"trace beat show 30 has {len(lines)} lines: {out!r}")
    for kind, what, away in (
        ("io", "out 0x20/1 0x20", ""),
        ("io", "in 0x3fd/1 = 0x60", ""),
        ("hlt", "", " away"),
    ):
        t.check(
            any(k == kind and w == what and a.startswith(away) for k, w, _, a in lines),
            f"no {kind} {what}{away} in the trace: {out!r}",
        )
    t.check_match("^trace of beat: off, ", ask(t, "trace beat off"), "trace beat off")
    out = ask(t, "trace beat show")
    t.check(out.count(" rip ") == 20, f"what was traced is gone: {out!r}")


# Commands that look into a VM, and how lines of their answers begin.
INSIDE = (
    (
        "vcpu beat",
        (
            r"vm beat vCPU 0: \w+ on CPU 1; 64-bit mode, CPL 0, RIP [0-9a-f]+$",
            r"  last exit: +\d+\.\d{6} s ago  \w+",
        ),
    ),
    (
        "vcpu beat 0",
        (
            r"  RAX [0-9a-f]{16}  RBX ",
            r"  RIP [0-9a-f]{16}  RFLAGS [0-9a-f]{8}: ",
            r"  CR0 [0-9a-f]{8}: PE .*PG$",
            r"  EFER [0-9a-f]{8}: .*LME LMA",
            r"  CS +[0-9a-f]{4} base 0{16} .*code, 64-bit",
            r"  pending event: ",
            r"  blocked:",
            r"  microseconds: in the guest \d+",
            r"   .* s ago  hlt",
            # The end of its tick's interrupt, or the line that it prints once in a while.
            r"   .* s ago  io +out 0x(20/1 0x20|3f8/1 0x[0-9a-f]+)$",
        ),
    ),
    ("vcpu debian 0 all", (r"  local APIC 0: ", r"  GUEST_RIP ", r"  exit reason \d+ \(")),
    ("vcpu spare", (r"vm spare vCPU 0: stopped",)),
    ("vcpu debian 1", (r"error: debian has vCPUs 0 to 0$",)),
    (
        "irq beat",
        (
            r"  line  2: level ([01]), \1 of 1 sources up, raised \d+ times$",
            r"master IRR [0-9a-f]{2} ISR [0-9a-f]{2} IMR fe,",
            r"  local APIC 0: xAPIC at fee00000",
        ),
    ),
    ("irq debian", (r"  pin  4: open   vector [0-9a-f]{2} ", r"    timer: \w")),
    (
        "dev debian",
        (r" +com1 +16550 serial port; ports 3f8-3ff; line 4$", r" +IER [0-9a-f]{2} IIR "),
    ),
    ("dev debian com1", (r"com1 ", r"IER ", r"  FCR [0-9a-f]{2} SCR ")),
    ("dev debian lpt", (r"error: debian has no device 'lpt' \('dev debian' names them\)$",)),
    ("trace beat", (r"trace of beat: off, 0 exits, 0 of them written over$",)),
    ("trace beat on disk", (r"error: there is no kind of exit 'disk'",)),
    ("trace beat on io,hlt", (r"trace of beat: on, 0 exits", r"  kinds: io hlt$")),
)


def killed_by_itself(t):
    """What a guest did that had to be killed is in the log."""
    t.send_line("console spare")
    t.expect(r"(?m)^beat \d+$", 20)
    t.send("k")
    dump = t.expect(
        r"vm spare killed: instruction fetch outside its memory((?s:.*?))vm spare: .*killed", 60
    )[1]
    for words in (
        "this exit: memory x 0xf0000000",
        "RIP 00000000f0000000",
        "last exits, the newest last",
        "ago  memory       x 0xf0000000",
        "ago  io           out 0x3f8/1",
        "local APIC 0:",
        "exit reason 48 (EPT violation)",
        "GUEST_CR3 ",
    ):
        t.check(words in dump, f"the dump of a killed VM lacks '{words}': {dump!r}")


def nonsense(t):
    for line, answer in (
        ("vm lst", r"^error: unknown command 'vm lst' \(did you mean 'vm list'\?\)$"),
        ("sttat", r"^error: unknown command 'sttat' \(did you mean 'stat'\?\)$"),
        ("vm start", r"^error: usage: vm start VM$"),
        ("vm start debain", r"^error: there is no VM 'debain' \(did you mean 'debian'\?\)$"),
        ("vm start debian", r"^error: debian is running$"),
        ("vm resume debian", r"^error: debian is running$"),
        ("vm kill spare", r"^error: spare is off \(never started\)$"),
        ("mem debian banana", r"^error: GPA must be a number such as 4096 or 0x1000, not 'banana'$"),
        ("log loud", r"^error: there is no level or area 'loud'"),
        ('"open', r"^error: a quotation mark is missing at the end$"),
        ("a b c d e f g h i j k l m n o p q", r"^error: too many words in one line$"),
    ):
        out = ask(t, line)
        t.check_match("(?m)" + answer, out, f"'{line}' is answered by")
    t.check(ask(t, "").strip() == "", "an empty line is answered")
    # Longer than any line may be: the rest is not taken, a bell says so.
    t.send_line("x" * 400)
    t.expect(r"error: unknown command 'x{200,}", 20)
    t.expect(MONITOR, 10)
    # Keys without a meaning, half a line dropped, an escape sequence.
    t.send("\x00\x1f\x80\xffvm kill debian\x03")
    t.expect(MONITOR, 10)
    t.send("lst\x1b[D\x1b[Di\x05\x17vm list\r")
    t.expect(r"(?m)^debian +running", 10)
    t.expect(MONITOR, 10)
    # Tab, and the line before.
    t.send("vm inf\tdeb\t\r")
    t.expect(r"(?m)^name: debian$", 10)
    t.expect(MONITOR, 10)
    t.send("\x1b[A\r")
    t.expect(r"(?m)^name: debian$", 10)
    t.expect(MONITOR, 10)


def pauses(t):
    """A pause is no jump of the guest's clock, and costs it nothing."""
    t.send(KEY)
    t.expect(r"\[console: debian - Ctrl-\] for the monitor\]", 10)
    t.prompt_again()
    before = up_and_idle(t)
    enter(t)
    uptime = seconds(re.search(r"(?m)^debian .* (\S+) +\w+$", ask(t, "vm list"))[1])
    t.check_match("^debian: paused$", ask(t, "vm pause debian"), "vm pause debian")
    # Two seconds of host time.
    t.send_line("stat -f debian")
    for _ in range(2):
        t.expect(r"(?m)^time: guest 0\.0%, host 0\.0%", 30)
        t.expect(r"(?m)^all +0 ", 10)
    t.send("q")
    t.expect(MONITOR, 10)
    t.check(state_of(t, "debian") == "paused", "debian is not paused")
    t.check(state_of(t, "beat") == "running", "beat does not run on")
    stood = seconds(re.search(r"(?m)^debian .* (\S+) +\w+$", ask(t, "vm list"))[1])
    t.check_match("^debian: running$", ask(t, "vm resume debian"), "vm resume debian")
    t.check(stood - uptime < 1.0, f"the paused VM's clock went from {uptime} to {stood}")
    t.send(KEY + "\r")
    t.expect(r"(?m)^/ # $", 20)
    after = up_and_idle(t)
    t.check(before < after < before + 3, f"/proc/uptime jumped from {before} to {after}")
    enter(t)


def lives(t):
    """Kill one while the others go on; start it and one that waited for the operator."""
    t.check_match(
        r"^beat: off \(killed: by the operator\)$", ask(t, "vm kill beat"), "vm kill beat"
    )
    t.check_match(r"^error: beat is off \(killed", ask(t, "vm pause beat"), "vm pause of a dead VM")
    t.check(state_of(t, "debian") == "running", "debian does not run on")
    t.check_match("^spare: running$", ask(t, "vm start spare"), "vm start spare")
    t.check_match("^beat: running$", ask(t, "vm start beat"), "vm start beat again")
    t.send_line("console beat")
    # All it wrote so far, from both its lives, then live output; and it hears us.
    t.expect(r"\[console: beat - Ctrl-\] for the monitor\]\n", 10)
    t.expect(r"(?m)^beat \d\d+$(?s:.*)^beat: keys(?s:.*)^beat 1\n", 20, "both lives of beat")
    t.send("z")
    t.expect(r"(?m)^key 0x7a$", 10)
    enter(t)
    # The key itself, for a guest that wants it.
    t.send_line("console beat key")
    t.expect(r"(?m)^key 0x1d$", 10)
    enter(t)
    t.check_match("^beat: running$", ask(t, "vm reset beat"), "vm reset beat")
    t.send_line("console spare")
    t.expect(r"(?m)^beat 3$", 20)
    t.send("t")
    t.expect(r"vm spare: reset \(triple fault\)", 10)
    t.expect(r"(?m)^beat 2$", 20)
    # One that hangs: its vCPU sleeps and nothing wakes it; the others are not impressed.
    t.send("h")
    t.expect(r"asleep for good", 10)
    enter(t)
    t.send_line("stat -f spare")
    t.expect(r"(?m)^time: guest 0\.0%, host 0\.0%, halted (99|100)\.\d%", 20)
    t.send(" ")
    t.expect(MONITOR, 10)
    t.check_match(r"^spare: off", ask(t, "vm kill spare"), "vm kill of a VM that hangs")
    ask(t, "vm start spare")
    killed_by_itself(t)
    enter(t)


def stops(t):
    """The last one stops while the monitor has the line: the machine stays on until it is told."""
    t.check_match("^debian: power button pressed$", ask(t, "vm stop debian"), "vm stop debian")
    ask(t, "vm kill debian")
    ask(t, "vm kill beat")
    t.check(state_of(t, "debian") == "off", "debian is not off")
    t.check_match("^beat: running$", ask(t, "vm start beat"), "vm start beat")
    t.send_line("poweroff")
    t.expect(r"vm beat: ends with the machine", 10)
    t.expect_off()


def monitor(t):
    """Three VMs on two processors, and an operator who tries everything."""
    linux.add_vm(t, more=VMS)
    t.file("guests/beat.elf", t.built("gt-tools/beat.elf"))
    t.boot(cpus=2)
    linux.wait_shell(t)
    enter(t)
    lists_and_figures(t)
    looks_inside(t)
    nonsense(t)
    pauses(t)
    lives(t)
    t.send_line("console debian")
    t.expect(r"(?m)^/ # $", 20)
    t.shell("echo still here")
    linux.check_log(t)
    enter(t)
    stops(t)


def nobody_starts(t):
    """All VMs wait for the operator: the monitor has the line, and a key of one's own works."""
    t.file("guests/beat.elf", t.built("gt-tools/beat.elf"))
    t.config("[host]\nmonitor_key = ^T\n" + VMS.replace("cpu    = 1", "autostart = no"))
    t.boot()
    t.expect(MONITOR, 60)
    t.check(state_of(t, "beat") == "off", "beat was started")
    ask(t, "vm start beat")
    t.send_line("console beat")
    t.expect(r"\[console: beat - Ctrl-T for the monitor\]", 10)
    t.expect(r"(?m)^beat 2$", 20)
    t.send(KEY)
    t.expect(r"(?m)^key 0x1d$", 10)
    # The only one ends itself in front of our eyes: nobody is left, and nobody looks.
    t.send("\x14")
    t.expect(MONITOR, 10)
    t.send("\x14p")
    t.expect(r"vm beat: powered off", 10)
    t.send("\x14")
    t.expect(MONITOR, 10)
    ask(t, "vm start spare")
    t.send_line("reboot")
    t.expect(r"vm spare: ends with the machine", 10)
    # The firmware starts anew, but OVMF in Bochs does not get through a second time.
    t.expect(r"monitor: the machine is reset", 10)


TESTS = {
    "monitor": ("test", monitor),
    "monitor_alone": ("all", nobody_starts),
}
