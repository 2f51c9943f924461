# SPDX-License-Identifier: BSD-2-Clause
"""The data-path benchmark: what one operation costs through each kind of device.

A load (diskload.c, netload.c) runs in a Linux guest; before and after it the monitor says what
has been counted. The same steps with a load that does nothing are subtracted: what typing and
starting it cost.
"""

import gzip
import io
import os
import re
import shutil
import subprocess
import tarfile

import harness
import linux
from test_monitor import KEY, ask, enter

HERE = os.path.dirname(os.path.realpath(__file__))
# A faster clock than in the other benchmarks: what the guest and the host do by time, ticks and
# looks at a ring, comes less often between two instructions, as on a real processor.
MACHINE = {"kind": "bochs", "cpus": 1, "mem": "1G", "options": {"ips": 200_000_000}}
MIB = 1 << 20
DISK = 32 * MIB
# One row a load: what it was and what it cost. 'ops' are what the figures are to be divided by.
COLUMNS = ["device", "load", "ops", "bytes", "requests", "exits", "clock", "interrupts",
           "signals", "guest", "host", "machine"]  # fmt: skip
KIND_COLUMNS = ["device", "load", "exit", "count", "ticks"]


def build(t, source):
    """A program for the guest, static, by its name in its source's directory."""
    out = t.path(os.path.basename(source))
    subprocess.run(
        ["gcc", "-static", "-O2", "-Wall", "-Werror", "-I", harness.REPO, "-o", out,
         os.path.join(harness.REPO, "tests", source + ".c")],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    return out


# --- counters ---


def counters(t, vms, device):
    """
    What the monitor says now: a flat dictionary of sums over the VMs. A synthetic device has no
    ports: exits for those are the console's, and are left out.
    """
    enter(t)
    out = {"exits": 0, "guest": 0, "host": 0, "signals": 0, "kinds": {}}
    for vm in vms:
        text = ask(t, f"stat {vm}")
        guest, host = re.search(r"(?m)^ticks: guest (\d+), host (\d+),", text).groups()
        ticks, idle = re.search(r"(?m)^machine: (\d+) ticks, CPUs idle (\d+)$", text).groups()
        out["guest"] += int(guest)
        out["host"] += int(host)
        out["machine"] = int(ticks) - int(idle)
        for kind, n, spent in re.findall(r"(?m)^(\S.*?) +(\d+) +\d+ +[0-9.]+ +(\d+) +\d+$", text):
            if kind == "all" or (kind == "io" and device):
                continue
            out["exits"] += int(n)
            old = out["kinds"].get(kind, (0, 0))
            out["kinds"][kind] = (old[0] + int(n), old[1] + int(spent))
        text = ask(t, f"vmbus {vm}")
        for channel in re.split(r"(?m)^(?= ?\d+: )", text):
            if device and device in channel.split("\n")[0]:
                for n, name in re.findall(r"(\d+) (signals|drains|interrupts|packets|rounds|times full)", channel):
                    out[name] = out.get(name, 0) + int(n)
    t.send(KEY)
    t.prompt_again()
    return out


def less(now, before):
    """Field by field; what only one of them has counts as 0 in the other."""
    if isinstance(now, dict) or isinstance(before, dict):
        now, before = now or {}, before or {}
        return {k: less(now.get(k), before.get(k)) for k in {**now, **before}}
    if isinstance(now, tuple) or isinstance(before, tuple):
        return tuple(a - b for a, b in zip(now or (0, 0), before or (0, 0)))
    return (now or 0) - (before or 0)


class Meter:
    """Runs commands in the guest, one after the other, and says what each has cost."""

    def __init__(self, t, vms, device, label, count):
        self.t, self.vms, self.device, self.label = t, vms, device, label
        self.rows, self.kinds, self.requests = [], [], 0
        self.last = counters(t, vms, device)
        self.count = count  # a command whose last number says how many requests there have been

    def run(self, command):
        """(what it printed, what was counted)"""
        out = self.t.shell(command + "; " + self.count, 600)
        self.requests = sum(int(n) for n in re.findall(r"(?m)^requests (\d+)$", out))
        now = counters(self.t, self.vms, self.device)
        cost, self.last = less(now, self.last), now
        return out, cost

    def measure(self, load, command, nothing, size, ops=0):
        """
        nothing: the same without any work, which is subtracted. ops: what the figures are divided
        by; 0 = the requests that were counted.
        """
        _, null = self.run(nothing)
        requests = self.requests
        out, cost = self.run(command)
        cost = less(cost, null)
        requests = self.requests - requests
        ops = ops or requests
        irqs = {k: int(v) for k, v in re.findall(r"(?m)^load: (\S+) (\d+)$", out)}
        # The line's own interrupt: an IDE channel's, or the bus's.
        own = sum(irqs.get(line, 0) for line in ("14", "15", "HYP"))
        clock = irqs.get("HVS", 0) + irqs.get("server", 0)
        self.rows.append([self.label, load, ops, size, requests, cost["exits"], clock, own, cost["signals"],
                          cost["guest"], cost["host"], cost["machine"]])  # fmt: skip
        for kind, (n, ticks) in sorted(cost["kinds"].items(), key=lambda x: -x[1][0]):
            if n:
                self.kinds.append([self.label, load, kind, n, ticks])
        by_kind = " ".join(f"{row[2]} {row[3] / ops:.3f}" for row in self.kinds if row[1] == load)
        print(f"{self.label}: {load}: {ops} times, each {cost['exits'] / ops:.3f} exits ({by_kind}),"
              f" {own / ops:.3f} interrupts, {cost['machine'] / ops:.0f} instructions,"
              f" {cost['guest'] / ops:.0f} of them the guest's", flush=True)  # fmt: skip


# --- the disk ---

# Name, arguments of diskload, size of a request, requests; fewer by PIO. At depth 32 enough of them
# that the hundreds with which a channel learns that they come together do not count much.
DISK_LOADS = [
    ("read 4K 1", "r rand 4096 1", 4096, 1024),
    ("read 4K 32", "r rand 4096 32", 4096, 16384),
    ("write 4K 1", "w rand 4096 1", 4096, 1024),
    ("write 4K 32", "w rand 4096 32", 4096, 16384),
    ("read 128K 1", "r seq 131072 1", 131072, 128),
    ("read 128K 32", "r seq 131072 32", 131072, 256),
    ("write 128K 1", "w seq 131072 1", 131072, 128),
    ("write 128K 32", "w seq 131072 32", 131072, 256),
]

CONTROLLER = "SCSI Controller"
DISK_COUNT = "awk '{print \"requests\", $1 + $5}' /sys/block/sda/stat"

FILES = """\
mount -t ext4 /dev/$1 /mnt && cd /mnt && tar xf /tree.tar && sync && cp -r tree copy && sync
cd / && umount /mnt && mount -t ext4 /dev/$1 /mnt && cat /mnt/copy/*/* >/dev/null
rm -rf /mnt/tree && sync && umount /mnt
"""


def tree():
    """Many small files, as tar: 256 of 1 to 8 KiB in 16 directories."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for i in range(256):
            info = tarfile.TarInfo(f"tree/{i % 16}/{i}")
            info.size = 1024 * (1 + i % 8)
            tar.addfile(info, io.BytesIO(bytes([i]) * info.size))
    return out.getvalue()


def empty_ext4(t):
    path = t.path("ext4")
    with open(path, "wb") as f:
        f.truncate(DISK)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", "-U", "clear", path], check=True)
    with open(path, "rb") as f:
        return gzip.compress(f.read(), mtime=0)


def disk_vm(t, vcpus, cpus=1):
    extra = t.path("extra")
    os.makedirs(os.path.join(extra, "bin"))
    os.makedirs(os.path.join(extra, "mnt"))
    os.rename(build(t, "bench/diskload"), os.path.join(extra, "bin", "diskload"))
    for name, content in (("tree.tar", tree()), ("ext4.gz", empty_ext4(t)), ("files", FILES.encode())):
        with open(os.path.join(extra, name), "wb") as f:
            f.write(content)
    initrd = linux.initramfs_modprobe(t, "hv_storvsc", "sd_mod", "ata_piix", extra=extra)
    linux.add_vm(t, vcpus=vcpus, cmdline="console=ttyS0 quiet", initrd=initrd,
                 more=f"disk = ram:{DISK // MIB}M\ndisk = ram:{DISK // MIB}M, bus=ide\n")  # fmt: skip
    t.boot(**{**MACHINE, "cpus": cpus})
    linux.wait_shell(t)


def disk_loads(t, label, device="", jobs=1, less_by=1):
    """
    All loads on /dev/sda; returns rows and kinds. Of several processes only what many requests tell,
    as many for each: how they find each other takes more exits than a few large ones.
    """
    t.shell("n=0; until [ -b /dev/sda ] || [ $n = 60 ]; do sleep 1; n=$((n + 1)); done; ls /dev/sda", 300)
    m = Meter(t, ["debian"], device, label, DISK_COUNT)
    m.run(f"diskload /dev/sda r rand 4096 1 0 {jobs}")  # it is in the page cache from here on
    for name, arguments, size, count in DISK_LOADS:
        if jobs > 1 and size > 4096:
            continue
        count = count * jobs // less_by
        load = f"diskload /dev/sda {arguments}"
        m.measure(name, f"{load} {count} {jobs}", f"{load} 0 {jobs}", count * size, count)
    if jobs == 1:
        t.shell("zcat /ext4.gz | dd of=/dev/sda bs=1M; sync; echo 3 >/proc/sys/vm/drop_caches", 300)
        m.run("true")  # what was counted so far is not a load's
        m.measure("files", "sh /files sda", "true", 4 * 256 * 4608)
    return m.rows, m.kinds


def disk(t):
    """One vCPU: the synthetic controller, IDE by DMA, IDE by PIO."""
    disk_vm(t, 1)
    rows, kinds = [], []
    for label, device, load, unload, less_by in (
        ("storvsc", CONTROLLER, "modprobe sd_mod; modprobe hv_storvsc", "rmmod hv_storvsc", 1),
        ("IDE DMA", "", "modprobe ata_piix", "rmmod ata_piix; rmmod libata", 2),
        ("IDE PIO", "", "modprobe libata dma=0; modprobe ata_piix", "true", 16),
    ):
        t.shell(load, 120)
        more = disk_loads(t, label, device, less_by=less_by)
        rows, kinds = rows + more[0], kinds + more[1]
        t.shell(unload, 120)
    t.send_line("poweroff -f")
    t.expect_off()
    return {"disk": [COLUMNS] + rows, "disk_exits": [KIND_COLUMNS] + kinds}


def disk_channels(t, channels, cpus=1):
    """As many vCPUs as channels, each with its own load, on one CPU or more."""
    disk_vm(t, channels, cpus)
    t.shell("modprobe sd_mod; modprobe hv_storvsc storvsc_vcpus_per_sub_channel=1", 120)
    name = f"{channels}" if cpus == 1 else f"{channels}x{cpus}"
    rows, kinds = disk_loads(t, f"storvsc {name}", CONTROLLER, channels)
    t.send_line("poweroff -f")
    t.expect_off()
    return {f"disk{name}": [COLUMNS] + rows, f"disk{name}_exits": [KIND_COLUMNS] + kinds}


def disk_two(t):
    """Two channels."""
    return disk_channels(t, 2)


def disk_four(t):
    """Four channels."""
    return disk_channels(t, 4)


def disk_two_cpus(t):
    """Two channels, and a processor for each vCPU: its ticks are no instructions."""
    return disk_channels(t, 2, 2)


# --- the network ---

SERVER = """\
modprobe hv_netvsc
ip link set eth0 up
ip addr add 10.0.0.2/24 dev eth0
netload serve &
"""

# Name, arguments of netload, bytes moved, what the guest's offloads are.
NET_LOADS = [
    ("send", f"send 10.0.0.2 {32 * MIB} 65536", 32 * MIB, "on"),
    ("take", f"take 10.0.0.2 {32 * MIB} 65536", 32 * MIB, "on"),
    ("send frames", f"send 10.0.0.2 {16 * MIB} 65536", 16 * MIB, "off"),
    ("ping", "ping 10.0.0.2 2000 64", 2 * 2000 * 64, "on"),
]


def net_root(t, rc):
    """An initramfs of one of the two: its loads, and what it does when it starts."""
    extra = t.path("extra")
    os.makedirs(os.path.join(extra, "bin"))
    os.makedirs(os.path.join(extra, "etc"))
    for source in ("bench/netload", "machine/nictool"):
        os.rename(build(t, source), os.path.join(extra, "bin", os.path.basename(source)))
    with open(os.path.join(extra, "etc", "rc.test"), "w", encoding="ascii") as f:
        f.write(rc)
    image = linux.initramfs_modprobe(t, "hv_netvsc", extra=extra)
    shutil.rmtree(extra)
    return image


def net_vms(t):
    server = t.path("server.img")
    os.rename(net_root(t, SERVER), server)
    t.file("guests/server.img", server)
    linux.add_vm(t, name="one", cmdline="console=ttyS0 quiet", initrd=net_root(t, ""), more="""\
nic     = switch0
[vm.two]
memory  = 256M
kernel  = \\guests\\vmlinuz
initrd  = \\guests\\server.img
cmdline = console=ttyS0 quiet
nic     = switch0
""")  # fmt: skip
    t.boot(**MACHINE)
    linux.wait_shell(t)
    t.shell("modprobe hv_netvsc; ip link set eth0 up; ip addr add 10.0.0.1/24 dev eth0", 120)
    t.shell("until ping -c 1 -W 1 10.0.0.2 >/dev/null; do sleep 1; done", 300)


NET_COUNT = "sed 's/^/requests /' /sys/class/net/eth0/statistics/[rt]x_packets"


def net(t):
    """TCP between two VMs on one CPU: bulk both ways, and short questions and answers."""
    net_vms(t)
    m = Meter(t, ["one", "two"], "network adapter", "netvsc", NET_COUNT)
    m.run("netload ping 10.0.0.2 0 1")
    for name, arguments, size, offloads in NET_LOADS:
        t.shell(f"nictool eth0 all {offloads}")
        m.measure(name, f"netload {arguments}", "netload ping 10.0.0.2 0 1", size)
    t.send_line("poweroff -f")
    t.expect("vm one: powered off", 120)
    return {"net": [COLUMNS] + m.rows, "net_exits": [KIND_COLUMNS] + m.kinds}


BENCHES = {
    "disk": (False, disk),
    "disk-two": (False, disk_two),
    "disk-four": (False, disk_four),
    "disk-two-cpus": (False, disk_two_cpus),
    "net": (False, net),
}
