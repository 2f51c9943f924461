# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own storvsc on disks in memory: contents, names, resets, and disks that come and go."""

import hashlib
import random
import subprocess

import linux
from test_monitor import KEY, ask, enter

MODULES = ["hv_vmbus", "scsi_common", "scsi_mod", "scsi_transport_fc", "hv_storvsc", "sd_mod",
           "cdrom", "sr_mod"]  # fmt: skip
MIB = 1 << 20
DISKS = """\
disk = ram:\\guests\\root.img
disk = ram:16M, block=4096
disk = ram:\\guests\\data.img, ro
disk = ram:\\guests\\data.img
disk = ram:\\guests\\data.img, dvd
"""


# What a disk says that is pulled while it is read.
UNPLUGGED = [r"hv_storvsc .*: tag#\d+ cmd 0x", r"I/O error, dev sd",
             r"Buffer I/O error on dev sd"]


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def name_of(t, number):
    """The kernel's name of the disk with that number: disks are probed in any order."""
    return t.shell(f"ls /sys/class/scsi_device/*:0:0:{number}/device/block").strip()


def wait_until(t, condition):
    t.shell(f"for i in $(seq 100); do {condition} && break; sleep 0.2; done; {condition}", 120)


def load(t):
    """The drivers, and all five disks: their names, by number."""
    for module in MODULES:
        t.shell(f"insmod /{module}.ko")
    for number in range(5):
        wait_until(t, f"ls /sys/class/scsi_device/*:0:0:{number}/device/block >/dev/null 2>&1")
    names = [name_of(t, number) for number in range(5)]
    wait_until(t, " && ".join(f"[ -b /dev/{name} ]" for name in names))
    return names


def sha(t, disk, mib=100):
    """What the disk reads, from its beginning, not from the page cache."""
    t.shell("sync; echo 3 >/proc/sys/vm/drop_caches")
    return t.shell(f"dd if=/dev/{disk} bs=1M count={mib} 2>/dev/null | sha256sum", 300).split()[0]


def queue(t, disk, name):
    return t.shell(f"cat /sys/block/{disk}/queue/{name}").strip()


def facts(t, names, data):
    """What Linux has found out about each disk."""
    sizes = [4 * MIB, 16 * MIB, len(data), len(data), len(data)]
    for name, size in zip(names, sizes):
        t.check(int(t.shell(f"cat /sys/block/{name}/size")) * 512 == size, f"the size of {name}")
    for number, name, want in (
        (0, "logical_block_size", "512"),
        (0, "physical_block_size", "4096"),
        (0, "rotational", "0"),
        (0, "write_cache", "write back"),
        (0, "max_hw_sectors_kb", "256"),
        (0, "discard_max_bytes", str(16 * MIB)),
        (1, "logical_block_size", "4096"),
        (2, "discard_max_bytes", "0"),
    ):
        out = queue(t, names[number], name)
        t.check(out == want, f"{name} of disk {number} is {out}")
    ro = [t.shell(f"cat /sys/block/{name}/ro").strip() for name in names]
    t.check(ro == ["0", "0", "1", "0", "1"], f"who is read-only: {ro}")
    out = t.shell(f"cd /sys/block/{names[0]}/device; cat vendor model")
    t.check_match(r"Msft *\nVirtual Disk", out, "who made it")


def identities(t, names):
    """What /dev/disk/by-id is made of."""
    wwids = [t.shell(f"cat /sys/block/{name}/device/wwid").strip() for name in names]
    for wwid in wwids:
        t.check_match(r"^naa\.60022480[0-9a-f]{24}$", wwid, "a disk's identity")
    t.check(len(set(wwids)) == len(names), f"identities are not different: {wwids}")
    return wwids


def images(t, names, root, data):
    t.check(sha(t, names[0]) == digest(root), "disk 0 does not read its image")
    for number in (2, 3, 4):
        t.check(sha(t, names[number]) == digest(data), f"disk {number} does not read its image")


def write_sync_verify(t, names):
    """Random data through the page cache and around it; returns the hash of what disk 1 should be."""
    t.shell("dd if=/dev/urandom of=/tmp/d bs=1M count=6", 300)
    t.shell(f"dd if=/tmp/d of=/dev/{names[1]} bs=4k count=512 oflag=direct", 300)
    t.shell(f"dd if=/tmp/d of=/dev/{names[1]} bs=1M skip=2 seek=2 count=4 conv=fsync", 300)
    want = t.shell("sha256sum /tmp/d", 300).split()[0]
    t.check(sha(t, names[1], 6) == want, "disk 1 reads something else")
    # A file system, with its barriers.
    t.shell(f"mkdir -p /mnt; mount -t ext4 /dev/{names[0]} /mnt", 120)
    t.shell("dd if=/tmp/d of=/mnt/file bs=1M count=1; sync; umount /mnt", 120)
    t.shell("rm /tmp/d")
    return want


def after_a_reset(t, names, want):
    t.check(sha(t, names[1], 6) == want, "disk 1 has lost something")
    t.shell(f"mkdir -p /mnt; mount -t ext4 /dev/{names[0]} /mnt", 120)
    t.shell(f"cmp -n 1048576 /mnt/file /dev/{names[1]}; umount /mnt", 120)


def read_only_and_shared(t, names, data):
    """Disks 2 and 3 are made of one image: what is written to one is not seen in the other."""
    t.shell(f"! dd if=/dev/zero of=/dev/{names[2]} bs=4k count=1 conv=fsync")
    t.shell(f"dd if=/dev/zero of=/dev/{names[3]} bs=4k count=1 conv=fsync")
    t.check(sha(t, names[2]) == digest(data), "a write to disk 3 is seen in disk 2")
    t.check(sha(t, names[3]) == digest(bytes(4096) + data[4096:]), "disk 3 did not take the write")


def discard(t, names):
    t.shell(f"blkdiscard -o 1048576 -l 4194304 /dev/{names[1]}; echo 3 >/proc/sys/vm/drop_caches")
    counts = [
        t.shell(f"dd if=/dev/{names[1]} bs=1M skip={skip} count={n} 2>/dev/null | tr -d '\\0' | wc -c", 120)
        for skip, n in ((1, 4), (0, 1), (5, 1))
    ]
    t.check(counts[0].strip() == "0", "what was discarded reads " + counts[0])
    t.check("0" not in (c.strip() for c in counts[1:]), f"more than that was discarded: {counts}")


def unplug_and_plug(t, names, data):
    """By the monitor, while it is read; the contents are there again."""
    gone = names[2]
    t.shell(f"(while cat /dev/{gone} >/dev/null 2>&1; do :; done; echo >/tmp/gone) & true")
    enter(t)
    out = ask(t, "disk debian")
    t.check_match(r"(?m)^ +1 in +16384 KiB +4096 rw ", out, "disk debian")
    t.check_match(r"(?m)^ +4 in +\d+ KiB +2048 dvd ", out, "disk debian")
    t.check_match("^debian: disk 2 removed", ask(t, "disk debian remove 2"), "disk remove")
    t.check_match("^error: disk 2 of debian is removed already", ask(t, "disk debian remove 2"), "twice")
    t.check_match("^error: debian has no disk 5", ask(t, "disk debian remove 5"), "no such disk")
    t.check_match(r"(?m)^ +2 removed ", ask(t, "disk debian list"), "disk list")
    t.send(KEY)
    t.prompt_again()
    wait_until(t, f"[ ! -e /sys/block/{gone} ]")
    wait_until(t, "[ -e /tmp/gone ]")
    enter(t)
    t.check_match("^debian: disk 2 added", ask(t, "disk debian add 2"), "disk add")
    t.send(KEY)
    t.prompt_again()
    wait_until(t, "ls /sys/class/scsi_device/*:0:0:2/device/block >/dev/null 2>&1")
    t.check(sha(t, name_of(t, 2)) == digest(data), "disk 2 came back as something else")


def disk(t):
    """Five disks of three kinds: read, write, sync, reset, verify; plugged under load."""
    root, data = t.path("root.img"), noise(2, MIB // 2)
    with open(root, "wb") as f:
        f.truncate(4 * MIB)
    subprocess.run(["/sbin/mkfs.ext4", "-q", "-F", root], check=True)
    with open(root, "rb") as f:
        contents = f.read()
    t.file("guests/root.img", root)
    t.file("guests/data.img", data)
    linux.fetch("cloud")
    linux.add_vm(t, vcpus=2, initrd=linux.initramfs(t, *MODULES), more=DISKS)
    t.boot()
    linux.wait_shell(t)
    names = load(t)
    facts(t, names, data)
    first = identities(t, names)
    images(t, names, contents, data)
    want = write_sync_verify(t, names)
    read_only_and_shared(t, names, data)
    linux.check_log(t)
    t.send_line("reboot -f")
    linux.wait_shell(t)
    names = load(t)
    t.check(identities(t, names) == first, "the disks' identities have changed")
    after_a_reset(t, names, want)
    unplug_and_plug(t, names, data)
    discard(t, names)
    linux.check_log(t, allow=UNPLUGGED)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"disk": ("test", disk)}
