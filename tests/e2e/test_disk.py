# SPDX-License-Identifier: BSD-2-Clause
"""Linux's own storvsc on disks in memory: its root file system, contents, names, resets, disks that come and go."""

import hashlib
import os
import random
import re
import shutil
import subprocess

import linux
from test_monitor import KEY, ask, enter

MODULES = ["hv_storvsc", "sd_mod", "sr_mod"]
MIB = 1 << 20
DISKS = """\
disk = ram:\\guests\\root.img
disk = ram:16M, block=4096
disk = ram:\\guests\\data.img, ro
disk = ram:\\guests\\data.img
disk = ram:\\guests\\data.img, dvd
disk = ram:16M
"""
ROOT_MIB = 12

# The way from the initramfs to the root file system on disk 0.
SWITCH_ROOT = """\
for module in hv_storvsc sd_mod crc32c_generic ext4; do modprobe $module 2>/dev/null; done
until root=$(ls /sys/class/scsi_device/*:0:0:0/device/block 2>/dev/null) && [ -b /dev/$root ]; do
	sleep 0.1
done
mount -t ext4 /dev/$root /root
umount /dev/pts /dev /sys /proc
exec switch_root /root /init
"""

# What a disk says that is pulled while it is read.
UNPLUGGED = [r"hv_storvsc .*: tag#\d+ cmd 0x", r"I/O error, dev sd",
             r"Buffer I/O error on dev sd",
             r"^(blk_print_req_error|scsi_io_completion_action|storvsc_on_io_completion): \d+ callbacks suppressed$"]


def noise(seed, size):
    return random.Random(seed).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def name_of(t, number):
    """The kernel's name of the disk with that number: disks are probed in any order."""
    return t.shell(f"ls /sys/class/scsi_device/*:0:0:{number}/device/block").strip()


def wait_until(t, condition):
    t.shell(f"for i in $(seq 100); do {condition} && break; sleep 0.2; done; {condition}", 120)


def load(t, count):
    """The drivers, and all disks: their names, by number."""
    t.shell("modprobe hv_storvsc; modprobe sd_mod; modprobe sr_mod", 60)
    for number in range(count):
        wait_until(t, f"ls /sys/class/scsi_device/*:0:0:{number}/device/block >/dev/null 2>&1")
    names = [name_of(t, number) for number in range(count)]
    wait_until(t, " && ".join(f"[ -b /dev/{name} ]" for name in names))
    return names


def root_file_system(t, kernel="cloud", modules=(), scripts=None):
    """Puts an image for disk 0 on the boot volume, made like an initramfs, with diskcheck and scripts (name to text)
    in /bin; returns the path of an initramfs that goes there."""
    extra = t.path("extra")
    linux.program(os.path.join(extra, "bin"), "diskcheck")
    for name, text in (scripts or {}).items():
        with open(os.path.join(extra, "bin", name), "w", encoding="ascii") as f:
            f.write(text)
    modules = [*MODULES, *modules]
    archive = linux.initramfs_modprobe(t, *modules, kernel=kernel, extra=extra, name="root.cpio")
    tree, image = t.path("tree"), t.path("root.img")
    os.makedirs(tree)
    with open(archive, "rb") as f:
        subprocess.run(["cpio", "-idm", "--quiet"], stdin=f, cwd=tree, check=True)
    subprocess.run(
        ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", "-d", tree, image, f"{ROOT_MIB}M"],
        stdin=subprocess.DEVNULL,
        check=True,
    )
    shutil.rmtree(tree)
    t.file("guests/root.img", image)
    os.unlink(image)
    shutil.rmtree(extra)
    os.makedirs(os.path.join(extra, "etc"))
    with open(os.path.join(extra, "etc", "rc.test"), "w", encoding="ascii") as f:
        f.write(SWITCH_ROOT)
    return linux.initramfs_modprobe(t, *modules, kernel=kernel, extra=extra)


def check_root(t):
    out = t.shell("grep ' / ' /proc/mounts | tail -n 1; dmesg | grep 'EXT4-fs.*mounted'")
    t.check_match(r"^/dev/\w+ / ext4 rw", out, "the root file system")


def diskcheck(t, words, timeout=300):
    """Random requests, or a check, of a disk: the hash of how often each block was written."""
    match = re.search(r"good, hash (\w+)$", t.shell(f"diskcheck {words}", timeout))
    return match[1] if match else None


def sha(t, disk):
    """What the disk reads, not from the page cache; a small one."""
    t.shell("sync; echo 3 >/proc/sys/vm/drop_caches")
    return t.shell(f"sha256sum </dev/{disk}", 300).split()[0]


def queue(t, disk, name):
    return t.shell(f"cat /sys/block/{disk}/queue/{name}").strip()


def facts(t, names, data):
    """What Linux has found out about each disk."""
    sizes = [ROOT_MIB * MIB, 16 * MIB, len(data), len(data), len(data), 16 * MIB]
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
    t.check(ro == ["0", "0", "1", "0", "1", "0"], f"who is read-only: {ro}")
    out = t.shell(f"cd /sys/block/{names[0]}/device; cat vendor model")
    t.check_match(r"Msft *\nVirtual Disk", out, "who made it")


def identities(t, names):
    """What /dev/disk/by-id is made of."""
    wwids = [t.shell(f"cat /sys/block/{name}/device/wwid").strip() for name in names]
    for wwid in wwids:
        t.check_match(r"^naa\.60022480[0-9a-f]{24}$", wwid, "a disk's identity")
    t.check(len(set(wwids)) == len(names), f"identities are not different: {wwids}")
    return wwids


def images(t, names, data):
    for number in (2, 3, 4):
        t.check(sha(t, names[number]) == digest(data), f"disk {number} does not read its image")


def traffic(t, names):
    """256 MiB, of both block sizes; what is in the disks then."""
    return {
        number: diskcheck(t, f"run /dev/{names[number]} {mib} {depth} 256 {number}")
        for number, mib, depth in ((1, 64, 4), (5, 160, 32))
    }


def reset_under_load(t, names):
    """A file that was synced, and a reset in the middle of much else."""
    t.shell("dd if=/dev/urandom of=/file bs=64k count=8 2>/dev/null; sha256sum /file >/sum; sync")
    t.shell(f"diskcheck run /dev/{names[5]} 100000 32 256 7 >/dev/null & sleep 1; cat /init >/late")
    t.send_line("reboot -f")
    linux.wait_shell(t, 400)


def after_a_reset(t, names, hashes):
    """Every write that was said to be done is there, and every block is whole."""
    check_root(t)
    t.check_match(r"EXT4-fs \(\w+\): recovery complete", t.shell("dmesg | grep EXT4-fs"), "the journal")
    t.shell("sha256sum -c /sum")
    t.check(diskcheck(t, f"check /dev/{names[1]}") == hashes[1], "disk 1 has lost something")
    after = diskcheck(t, f"check /dev/{names[5]}")
    t.check(after != hashes[5], "disk 5 was not written before the reset")


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
    t.check_match("^error: debian has no disk 6", ask(t, "disk debian remove 6"), "no such disk")
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


def disks(t, kernel="cloud", vcpus=2, cpus=1):
    data, count = noise(2, MIB // 2), DISKS.count("disk =")
    t.file("guests/data.img", data)
    modules = ("ext4", "crc32c_generic") if kernel == "generic" else ()
    linux.add_vm(t, kernel=kernel, vcpus=vcpus, memory="384M" if kernel == "generic" else "256M",
                 initrd=root_file_system(t, kernel, modules), more=DISKS)  # fmt: skip
    t.boot(cpus=cpus)
    linux.wait_shell(t, 400)
    check_root(t)
    names = load(t, count)
    facts(t, names, data)
    first = identities(t, names)
    images(t, names, data)
    read_only_and_shared(t, names, data)
    hashes = traffic(t, names)
    linux.check_log(t)
    reset_under_load(t, names)
    names = load(t, count)
    t.check(identities(t, names) == first, "the disks' identities have changed")
    after_a_reset(t, names, hashes)
    unplug_and_plug(t, names, data)
    discard(t, names)
    linux.check_log(t, allow=UNPLUGGED)
    t.send_line("poweroff -f")
    t.expect_off()


def disk(t):
    """The root file system and five disks of three kinds: read, write, sync, reset, verify; plugged under load."""
    disks(t)


def kernels(kernel, vcpus):
    def run(t):
        disks(t, kernel, vcpus, min(vcpus, 2))

    run.__doc__ = f"The same with the {kernel} kernel and {vcpus} vCPU{'s' if vcpus > 1 else ''}."
    return run


# --- the long one ---

LONG_DISKS = """\
disk = ram:\\guests\\root.img
disk = ram:128M
disk = ram:64M, block=4096
disk = ram:32M
"""

# While program 1 runs: each channel to another CPU, and the CPU that has none then off line and on.
CPUS_COME_AND_GO = """\
turns=0
while [ ! -e /tmp/end1 ]; do
	for cpu in 1 2 3; do
		for channel in /sys/bus/vmbus/devices/*/channels/*; do
			echo $(((cpu + 1) % 4)) >$channel/cpu
		done
		echo 0 >/sys/devices/system/cpu/cpu$cpu/online && turns=$((turns + 1))
		echo 1 >/sys/devices/system/cpu/cpu$cpu/online
	done
done 2>/dev/null
echo turns $turns
"""


def background(t, number, disk, mib, depth, kib):
    """Program number: random requests meanwhile; ended() waits for it."""
    run = f"diskcheck run /dev/{disk} {mib} {depth} {kib} {number} >/tmp/out{number} 2>&1"
    t.shell(f"rm -f /tmp/end{number}; ({run}; echo $? >/tmp/end{number}) & true")


def ended(t, number, status):
    t.shell(f"until [ -s /tmp/end{number} ]; do sleep 0.2; done", 1200)
    out = t.shell(f"cat /tmp/end{number} /tmp/out{number}")
    t.check_match(rf"^{status}\n", out, f"program {number} under load, status {status}")


def cpus_come_and_go(t, names):
    background(t, 1, names[1], 512, 64, 512)
    background(t, 2, names[2], 512, 4, 128)
    out = t.shell("sh /bin/cpus", 1200)
    turns = re.search(r"turns (\d+)", out)
    t.check(turns and int(turns[1]) >= 3, f"CPUs off line and on: {out!r}")
    ended(t, 1, 0)
    ended(t, 2, 0)
    out = t.shell("cat /sys/devices/system/cpu/online").strip()
    t.check(out == "0-3", f"CPUs on line: {out}")


def disk_comes_and_goes(t, names, turns):
    """Disk 3, by the monitor, while it and another one are written: what was there is there again."""
    background(t, 1, names[1], 100000, 32, 256)
    for _ in range(turns):
        background(t, 3, name_of(t, 3), 100000, 32, 256)
        t.shell("sleep 3")
        enter(t)
        t.check_match("^debian: disk 3 removed", ask(t, "disk debian remove 3"), "disk remove")
        t.send(KEY)
        t.prompt_again()
        ended(t, 3, 2)
        wait_until(t, "! ls /sys/class/scsi_device/*:0:0:3 >/dev/null 2>&1")
        enter(t)
        t.check_match("^debian: disk 3 added", ask(t, "disk debian add 3"), "disk add")
        t.send(KEY)
        t.prompt_again()
        wait_until(t, "ls /sys/class/scsi_device/*:0:0:3/device/block >/dev/null 2>&1")
        wait_until(t, f"[ -b /dev/{name_of(t, 3)} ]")
        diskcheck(t, f"check /dev/{name_of(t, 3)}")
    t.shell("killall diskcheck")
    ended(t, 1, 143)
    diskcheck(t, f"check /dev/{names[1]}", 600)


def disk_long(t):
    """Gigabytes in random sizes, alignments and depths, verified, and CPUs and disks that come and go meanwhile."""
    modules = ("ext4", "crc32c_generic")
    linux.add_vm(t, kernel="generic", vcpus=4, memory="512M", more=LONG_DISKS,
                 initrd=root_file_system(t, "generic", modules, {"cpus": CPUS_COME_AND_GO}))  # fmt: skip
    t.boot(cpus=2, mem="2G")
    linux.wait_shell(t, 400)
    check_root(t)
    names = load(t, LONG_DISKS.count("disk ="))
    for number, mib, depth, kib in ((1, 1024, 128, 1024), (2, 768, 16, 256), (3, 96, 1, 64)):
        wrote = diskcheck(t, f"run /dev/{names[number]} {mib} {depth} {kib} {number}", 1200)
        t.check(diskcheck(t, f"check /dev/{names[number]}", 600) == wrote, f"disk {number} has changed")
    cpus_come_and_go(t, names)
    disk_comes_and_goes(t, names, 3)
    # Four vCPUs on two CPUs: some of them wait while their timers expire.
    linux.check_log(t, allow=[*UNPLUGGED, r"^hrtimer: interrupt took \d+ ns$"])
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"disk": ("test", disk), "disk_long": ("all", disk_long)}
for _kernel in ("cloud", "generic"):
    for _vcpus in (1, 2, 4):
        TESTS[f"disk_{_kernel}_{_vcpus}"] = ("all", kernels(_kernel, _vcpus))
