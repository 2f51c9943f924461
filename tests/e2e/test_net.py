# SPDX-License-Identifier: BSD-2-Clause
"""The synthetic network adapter under Linux's own driver: two VMs on a switch."""

import os
import subprocess

import linux
from harness import REPO

# The other VM: a web server with a file, that takes one as well, and changes its MTU when asked.
SERVER = """\
modprobe hv_netvsc
ip link set eth0 up
ip addr add 10.0.0.2/24 dev eth0
ip link set lo up
mkdir -p /www/cgi-bin
dd if=/dev/urandom of=/www/data bs=64k count=32 2>/dev/null
sha256sum </www/data >/www/data.sum
cat >/www/cgi-bin/mtu <<'END'
#!/bin/sh
echo "Content-type: text/plain"
echo
(sleep 1; ip link set eth0 mtu $QUERY_STRING) >/dev/null 2>&1 &
END
cat >/www/cgi-bin/sum <<'END'
#!/bin/sh
echo "Content-type: text/plain"
echo
sha256sum
END
cat >/www/cgi-bin/bad <<'END'
#!/bin/sh
echo "Content-type: text/plain"
echo
dmesg | grep -E 'WARNING: CPU|BUG:|Oops|hv_netvsc.*(rror|nvalid)'
END
chmod +x /www/cgi-bin/*
httpd -h /www
"""


# Fetches the file again and again until /stop is there: a fetch may fail, but what comes is right.
LOAD = """\
#!/bin/sh
rm -f /stop /good /bad
while [ ! -e /stop ]; do
    timeout 60 wget -q -O /loaded http://10.0.0.2/data || { sleep 1; continue; }
    if [ "$(sha256sum </loaded)" = "$(cat /data.sum)" ]; then echo >>/good; else echo >>/bad; fi
done
"""


def nictool(t, root):
    """What ethtool does, in an initramfs's files."""
    os.makedirs(os.path.join(root, "bin"))
    subprocess.run(
        ["gcc", "-static", "-O2", "-Wall", "-Werror", "-o", os.path.join(root, "bin", "nictool"),
         os.path.join(REPO, "tests", "machine", "nictool.c")],
        stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip


def configure(t, kernel="cloud", vcpus=1):
    """VM one with that kernel and a switch's and an unconnected adapter; VM two serves."""
    extra = t.path("extra")
    os.makedirs(os.path.join(extra, "etc"))
    with open(os.path.join(extra, "etc", "rc.test"), "w", encoding="ascii") as f:
        f.write(SERVER)
    nictool(t, extra)
    server = linux.initramfs_modprobe(t, "hv_netvsc", extra=extra, kernel=kernel)
    os.rename(server, t.path("server.img"))
    t.file("guests/server.img", t.path("server.img"))
    extra = t.path("client")
    nictool(t, extra)
    load = os.path.join(extra, "bin", "load")
    with open(load, "w", encoding="ascii") as f:
        f.write(LOAD)
    os.chmod(load, 0o755)
    client = linux.initramfs_modprobe(t, "hv_netvsc", extra=extra, kernel=kernel)
    linux.add_vm(
        t,
        name="one",
        kernel=kernel,
        vcpus=vcpus,
        initrd=client,
        more=f"""\
nic     = switch0
nic     = none
[vm.two]
vcpus   = {vcpus}
memory  = 256M
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\server.img
cmdline = console=ttyS0
nic     = switch0, mac=00:15:5d:00:00:02
""",
    )


def connect(t):
    """Until the other VM answers, to ping and as a web server."""
    t.shell("modprobe hv_netvsc", 120)
    t.shell("ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0; ip link set eth1 up")
    t.shell("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done", 300)
    t.shell("until wget -q -O /dev/null http://10.0.0.2/data.sum; do sleep 1; done", 300)


def back_again(t):
    """The adapter has come again, without its address."""
    t.shell("ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up", 60)
    t.shell("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done", 120)


def transfer(t):
    """A file each way, told by its hash."""
    t.shell("wget -q -O /data http://10.0.0.2/data && wget -q -O /data.sum http://10.0.0.2/data.sum", 300)
    out = t.shell("sha256sum </data; cat /data.sum")
    sums = out.split()
    t.check(len(sums) == 4 and sums[0] == sums[2], f"the file that came says {out!r}")
    # wget posts text.
    t.shell("dd if=/dev/urandom bs=64k count=12 2>/dev/null | base64 >/up", 120)
    out = t.shell("sha256sum </up; wget -q -O - --post-file=/up http://10.0.0.2/cgi-bin/sum", 300)
    sums = out.split()
    t.check(len(sums) == 4 and sums[0] == sums[2], f"the file that went says {out!r}")


def offloads(t):
    """Large frames to a guest that believes no checksum, which the host is not told; then
    checksums and segmentation by the guest itself, both ways."""
    t.shell("nictool eth0 rx off")
    transfer(t)
    t.shell("nictool eth0 all off")
    transfer(t)
    t.shell("nictool eth0 all on")


def jumbo(t):
    """Both drivers close their channels and begin anew."""
    t.shell("wget -q -O /dev/null http://10.0.0.2/cgi-bin/mtu?9000; ip link set eth0 mtu 9000", 60)
    t.shell("until ping -c 1 -W 1 -s 8972 10.0.0.2 >/dev/null; do sleep 1; done", 120)
    t.check_match(r"mtu 9000", t.shell("ip link show eth0"), "the MTU")
    transfer(t)


def check_queues(t, n, most):
    out = t.shell("nictool eth0 queues").strip()
    t.check(out == f"{n} of {most}", f"channels: {out}, want {n} of {most}")


def check_spread(t, n):
    """Many connections: each channel has interrupts of its own."""
    t.shell("for i in $(seq 40); do wget -q -O /dev/null http://10.0.0.2/data.sum; done", 300)
    out = t.shell("cat /sys/class/net/eth0/device/channels/*/interrupts")
    counts = [int(x) for x in out.split()]
    t.check(len(counts) == n and min(counts) > 3, f"interrupts of {n} channels: {counts}")


def check_logs(t):
    out = t.shell("wget -q -O - http://10.0.0.2/cgi-bin/bad")
    t.check(not out.strip(), f"the other VM's log says: {out}")
    # Coalesced frames do not say of how many segments: Linux says so on Hyper-V, too.
    linux.check_log(t, allow=[r"TCP: eth0: Driver has suspect GRO implementation"])


def power_off(t):
    t.send_line("poweroff -f")
    t.expect(r"vm one: powered off", 120, "the end")


def net(t):
    """Two VMs: ping, TCP both ways by hash, jumbo frames, two channels, a cable that is pulled, driver reload."""
    configure(t, vcpus=2)
    t.boot(cpus=2)
    linux.wait_shell(t)
    t.shell("modprobe hv_netvsc", 120)
    out = t.shell("ip link show eth1")
    t.check("LOWER_UP" not in out, f"nic = none has a link: {out}")
    connect(t)
    out = t.shell("cat /sys/class/net/eth0/address /sys/class/net/eth0/carrier /sys/class/net/eth1/carrier")
    t.check_match(r"^00:15:5d:\S+\n1\n0$", out, "the adapters say")
    out = t.shell("ping -c 3 -A 10.0.0.2; cat /proc/net/arp")
    t.check_match(r"3 packets received, 0% packet loss", out, "ping says")
    t.check_match(r"00:15:5d:00:00:02", out, "the neighbour's address")
    t.shell("ping -c 2 -s 5000 10.0.0.2")
    check_queues(t, 2, 2)
    check_spread(t, 2)
    transfer(t)
    offloads(t)
    jumbo(t)
    # The driver goes and comes.
    t.shell("rmmod hv_netvsc; modprobe hv_netvsc", 120)
    back_again(t)
    transfer(t)
    check_logs(t)
    power_off(t)


def under_load(t, what, *commands):
    """While files come: commands; then what came was right, and the adapter still works."""
    t.shell("(load >/dev/null 2>&1 &)")
    t.shell("until [ -s /good ]; do sleep 1; done", 300)
    for command in commands:
        t.shell(command, 180)
    t.shell("rm -f /good", 10)
    back_again(t)
    t.shell("until [ -s /good ] || [ -s /bad ]; do sleep 1; done", 300)
    t.shell("touch /stop; while pidof load >/dev/null; do sleep 1; done", 300)
    t.check(t.shell("[ -e /bad ] && echo bad", status=None).strip() == "", f"{what}: a file came wrong")
    transfer(t)


def stress(kernel, n):
    def test(t):
        configure(t, kernel, n)
        t.boot(cpus=2)
        linux.wait_shell(t, 400)
        connect(t)
        check_queues(t, n, n)
        if n > 1:
            check_spread(t, n)
        transfer(t)
        offloads(t)
        if n > 1:
            under_load(t, "channels", *(f"nictool eth0 queues {q}" for q in [1, n, 1 + n // 2, n]))
            check_queues(t, n, n)
            under_load(
                t,
                "CPUs",
                # Linux keeps a CPU that has a channel (hv_synic_cleanup); only open ones can move.
                "for c in /sys/bus/vmbus/devices/*/channels/*/cpu; do echo 0 >$c; done 2>/dev/null; true",
                *(
                    f"echo {on} >/sys/devices/system/cpu/cpu{cpu}/online"
                    for on in (0, 1)
                    for cpu in range(1, n)
                ),
            )
        device = "$(basename $(readlink -f /sys/class/net/eth0/device))"
        driver = "/sys/bus/vmbus/drivers/hv_netvsc"
        under_load(t, "the driver", f"d={device}; echo $d >{driver}/unbind; sleep 1; echo $d >{driver}/bind")
        under_load(t, "the module", "rmmod hv_netvsc", "modprobe hv_netvsc")
        check_queues(t, n, n)
        jumbo(t)
        under_load(t, "nothing but jumbo frames")
        check_logs(t)
        power_off(t)

    test.__doc__ = (
        f"Two VMs, {kernel} kernel, {n} vCPU{'s' if n > 1 else ''}: channels, CPUs, driver and module change under load."
    )
    return test


TESTS = {"net": ("test", net)}
for each_kernel in ("cloud", "generic"):
    for each_n in (1, 2, 4):
        TESTS[f"net_{each_kernel}_{each_n}"] = ("all", stress(each_kernel, each_n))
