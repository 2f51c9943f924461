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


def configure(t):
    extra = t.path("extra")
    os.makedirs(os.path.join(extra, "etc"))
    with open(os.path.join(extra, "etc", "rc.test"), "w", encoding="ascii") as f:
        f.write(SERVER)
    server = linux.initramfs_modprobe(t, "hv_netvsc", extra=extra)
    os.rename(server, t.path("server.img"))
    t.file("guests/server.img", t.path("server.img"))
    extra = t.path("client")
    os.makedirs(os.path.join(extra, "bin"))
    subprocess.run(
        ["gcc", "-static", "-O2", "-Wall", "-Werror", "-o", os.path.join(extra, "bin", "offload"),
         os.path.join(REPO, "tests", "machine", "offload.c")],
        stdin=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    client = linux.initramfs_modprobe(t, "hv_netvsc", extra=extra)
    linux.add_vm(
        t,
        name="one",
        initrd=client,
        more="""\
nic     = switch0
nic     = none
[vm.two]
memory  = 256M
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\server.img
cmdline = console=ttyS0
nic     = switch0, mac=00:15:5d:00:00:02
""",
    )


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


def net(t):
    """Two VMs: ping, TCP both ways by hash, jumbo frames, a cable that is pulled, driver reload."""
    configure(t)
    t.boot(cpus=1)
    linux.wait_shell(t)
    t.shell("modprobe hv_netvsc", 120)
    out = t.shell("ip link show eth1")
    t.check("LOWER_UP" not in out, f"nic = none has a link: {out}")
    t.shell("ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0; ip link set eth1 up")
    out = t.shell("cat /sys/class/net/eth0/address /sys/class/net/eth0/carrier /sys/class/net/eth1/carrier")
    t.check_match(r"^00:15:5d:\S+\n1\n0$", out, "the adapters say")
    t.shell("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done", 300)
    out = t.shell("ping -c 3 -A 10.0.0.2; cat /proc/net/arp")
    t.check_match(r"3 packets received, 0% packet loss", out, "ping says")
    t.check_match(r"00:15:5d:00:00:02", out, "the neighbour's address")
    t.shell("ping -c 2 -s 5000 10.0.0.2")
    t.shell("until wget -q -O /dev/null http://10.0.0.2/data.sum; do sleep 1; done", 300)
    transfer(t)
    # Checksums and segmentation by the guest itself, both ways.
    t.shell("offload eth0 off")
    transfer(t)
    t.shell("offload eth0 on")
    # Jumbo frames: both drivers close their channels and begin anew.
    t.shell("wget -q -O /dev/null http://10.0.0.2/cgi-bin/mtu?9000; ip link set eth0 mtu 9000", 60)
    t.shell("until ping -c 1 -W 1 -s 8972 10.0.0.2 >/dev/null; do sleep 1; done", 120)
    t.check_match(r"mtu 9000", t.shell("ip link show eth0"), "the MTU")
    transfer(t)
    # The driver goes and comes.
    t.shell("rmmod hv_netvsc; modprobe hv_netvsc; ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up", 120)
    t.shell("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done", 120)
    transfer(t)
    out = t.shell("wget -q -O - http://10.0.0.2/cgi-bin/bad")
    t.check(not out.strip(), f"the other VM's log says: {out}")
    # Coalesced frames do not say of how many segments: Linux says so on Hyper-V, too.
    linux.check_log(t, allow=[r"TCP: eth0: Driver has suspect GRO implementation"])
    t.send_line("poweroff -f")
    t.expect(r"vm one: powered off", 120, "the end")


TESTS = {"net": ("test", net)}
