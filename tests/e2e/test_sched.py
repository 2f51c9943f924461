# SPDX-License-Identifier: BSD-2-Clause
"""Several VMs share the processors by their weights (guest-test/share/)."""

import re

FROM, TO = 1000, 5000  # ms of each VM's time


def vm(name, mode, weight=100, cpu="", to=TO):
    pinned = f"cpu = {cpu}\n" if cpu else ""
    return f"""\
[vm.{name}]
vcpus   = 1
memory  = 4M
kernel  = \\guests\\share.elf
cmdline = {mode} {FROM} {to}
weight  = {weight}
testdev = on
{pinned}"""


def run(t, cpus, vms, host=""):
    """Boot them; name -> what each says it got. They spin with interrupts off."""
    t.file("guests/share.elf", t.built("gt-tools/share.elf"))
    t.config(host + "".join(vms))
    t.boot(cpus=cpus)
    t.expect_off(180)
    return {name: int(value) for name, value in re.findall(r"vm (\w+): debug exit (\d+)", t.text)}


def check_shares(t, got, want):
    """Within 10 % of what they should have of what they all got."""
    if not t.check(set(want) <= set(got), f"these said something: {sorted(got)}"):
        return
    total = sum(got[name] for name in want)
    for name, parts in want.items():
        share, fair = got[name] / total, parts / sum(want.values())
        t.check(0.9 * fair <= share <= 1.1 * fair,
                f"{name} had {share:.1%} of the time, should have {fair:.1%}")  # fmt: skip


def timer():
    # Done before the others are: what the host writes at a VM's end takes a millisecond.
    return vm("timer", "ticks", to=TO - 500)


def check_ticks(t, value, most_late_us):
    seen, worst, ms = value & 0xFFFF, value >> 16, TO - 500 - FROM
    t.check(ms * 0.98 <= seen <= ms * 1.02, f"{seen} ticks of a millisecond in {ms} ms")
    t.check(worst <= most_late_us, f"a tick came {worst} us late")


def weights(t):
    """One CPU: 1 to 2 to 3, whatever they do there; one that sleeps is served when it wakes."""
    got = run(t, 1, [vm("a", "spin", 100), vm("b", "spin", 200), vm("c", "spin", 300),
                     vm("idler", "pause", 100), timer()])  # fmt: skip
    check_shares(t, got, {"a": 1, "b": 2, "c": 3})
    check_ticks(t, got.get("timer", 0), 500)


def cpus(t):
    """Two CPUs and three that want one each: each gets two thirds, also the one that is pinned."""
    got = run(t, 2, [vm("pinned", "spin", cpu="1"), vm("a", "spin"), vm("b", "spin"),
                     timer()])  # fmt: skip
    check_shares(t, got, {"pinned": 1, "a": 1, "b": 1})
    check_ticks(t, got.get("timer", 0), 500)


def cap(t):
    """Two CPUs: whoever is worth more than a CPU has one; the others share what is left."""
    got = run(t, 2, [vm("big", "spin", 1000), vm("a", "spin", 100), vm("b", "spin", 100)])
    check_shares(t, got, {"big": 2, "a": 1, "b": 1})


def no_timer(t):
    """Without the VMX preemption timer a spinning guest is ended by the host's interrupt."""
    if t.on_bochs():
        t.skip("Bochs does not exit a guest with interrupts off for a host's interrupt")
    got = run(t, 1, [vm("a", "spin", 100), vm("b", "spin", 200), timer()],
              host="[host]\nvmx = -timer\n")  # fmt: skip
    check_shares(t, got, {"a": 1, "b": 2})
    check_ticks(t, got.get("timer", 0), 500)


TESTS = {
    "sched_weights": ("test", weights),
    "sched_cpus": ("test", cpus),
    "sched_cap": ("all", cap),
    "sched_no_timer": ("all", no_timer),
}
