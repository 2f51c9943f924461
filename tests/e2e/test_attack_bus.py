# SPDX-License-Identifier: BSD-2-Clause
"""A guest that attacks the VMBus, beside two that use it: on its switch, on disks of their own.

Every round of theirs writes a disk and reads it back past the cache, and fetches a file from the
neighbour; both are told by their hashes.
"""

import os
import re

import linux
import test_attack as attack
import test_monitor as monitor
import test_net

WORK = """\
#!/bin/sh
want=$(wget -q -O - http://10.0.0.2/data.sum | cut -c1-64)
i=0
until [ -e /stop ]; do
	at=$((i % 8 * 32))
	dd if=/dev/urandom of=/tmp/d bs=16k count=32 2>/dev/null
	dd if=/tmp/d of=/dev/$1 bs=16k seek=$at oflag=direct 2>/dev/null
	a=$(sha256sum </tmp/d | cut -c1-64)
	b=$(dd if=/dev/$1 bs=16k skip=$at count=32 iflag=direct 2>/dev/null | sha256sum | cut -c1-64)
	c=$(wget -q -O - http://10.0.0.2/data | sha256sum | cut -c1-64)
	[ $a = $b ] && disk=good || disk=BAD
	[ $c = $want ] && net=good || net=BAD
	echo round $i disk $disk net $net
	i=$((i + 1))
done
echo done
"""


def initrd(t, name, path, contents, *modules):
    extra = t.path(name + ".extra")
    at = os.path.join(extra, path)
    os.makedirs(os.path.dirname(at))
    with open(at, "w", encoding="ascii") as f:
        f.write(contents)
    os.chmod(at, 0o755)
    return linux.initramfs_modprobe(t, *modules, extra=extra, name=name)


def configure(t, secs, seed):
    t.file("guests/server.img", initrd(t, "server.img", "etc/rc.test", test_net.SERVER, "hv_netvsc"))
    client = initrd(t, "client.img", "bin/work", WORK, "hv_netvsc", "hv_storvsc", "sd_mod")
    attack.files(t)
    linux.add_vm(
        t,
        initrd=client,
        more="""\
disk    = ram:8M
nic     = switch0
[vm.two]
memory  = 256M
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\server.img
cmdline = console=ttyS0
nic     = switch0, mac=00:15:5d:00:00:02
"""
        + attack.attacker("bus", *attack.SURVIVORS["bus"], secs, seed, "autostart = no\n"),
    )


def rounds(t):
    return len(t.shell("cat /rounds").strip().split("\n"))


def counts(t):
    """What the attacker says it has done: (name, number)."""
    return [(name, int(n)) for name, n in re.findall(r"vm bus: debug port: attack bus_storm: (\D+?) (\d+)", t.text)]


def beside(secs, lives, seed):
    def run(t):
        configure(t, secs, seed)
        t.boot(cpus=2)
        linux.wait_shell(t)
        t.shell("modprobe hv_netvsc; modprobe sd_mod; modprobe hv_storvsc", 120)
        t.shell("ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0")
        t.shell("until wget -q -O /dev/null http://10.0.0.2/data.sum; do sleep 1; done", 400)
        t.shell("until [ -b /dev/sda ]; do sleep 1; done", 60)
        t.shell("(work sda >/rounds 2>&1) & true")
        t.shell("until grep -q . /rounds; do sleep 1; done", 300)
        before = rounds(t)
        for _ in range(lives):
            monitor.enter(t)
            attack.start(t, ["bus"])
            attack.wait_off(t, ["bus"], "bus", 400)
            attack.to_linux(t)
        during = rounds(t) - before
        t.shell("touch /stop; until grep -q done /rounds; do sleep 1; done", 300)
        out = t.shell("cat /rounds")
        t.check(during >= lives, f"only {during} rounds while the bus was attacked")
        t.check("BAD" not in out, f"something else was read: {out}")
        for words in ("attack bus_storm: begins", "attack bus_storm: survived", "vm bus: powered off"):
            t.check(t.text.count(words) == lives, f"not {lives} times: {words}")
        done = counts(t)
        for name, least in (("connections", 1), ("openings", 10), ("completions", 100)):
            n = min((n for what, n in done if what == name), default=0)
            t.check(n >= least, f"the attack did too little: {done}")
        out = t.shell("wget -q -O - http://10.0.0.2/cgi-bin/bad")
        t.check(not out.strip(), f"the other VM's log says: {out}")
        linux.check_log(t, allow=[r"TCP: eth0: Driver has suspect GRO implementation", r"^hrtimer: interrupt took \d+ ns"])
        t.send_line("poweroff -f")
        t.expect(r"vm debian: powered off", 120, "the end")

    run.__doc__ = f"Linux's disk and network beside a guest that attacks the bus: {lives} times {secs} s, seed {seed}"
    return run


TESTS = {"attack_bus": ("all", beside(30, 3, 1))}
