# SPDX-License-Identifier: BSD-2-Clause
"""Linux's ata_piix on the IDE controller: disks and a CD-ROM drive, by DMA and by PIO."""

import hashlib
import random

import iso9660
import linux

# In the order in which they are loaded.
MODULES = ("scsi_common", "scsi_mod", "libata", "cdrom", "sd_mod", "sr_mod", "isofs", "ata_piix")
KIB = 1024


def some_bytes(seed, length):
    return random.Random(seed).randbytes(length)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def add_vm(t, more=""):
    """An empty disk, an image, and a disc."""
    linux.fetch("cloud")
    image, text = some_bytes(1, 1536 * KIB), some_bytes(2, 200 * KIB + 77)
    linux.add_vm(
        t,
        initrd=linux.initramfs(t, *MODULES),
        more="""\
disk = ram:8M, bus=ide
disk = ram:\\guests\\test.img, bus=ide, ro
disk = ram:\\guests\\test.iso, bus=ide, dvd
"""
        + more,
    )
    t.file("guests/test.img", image)
    t.file("guests/test.iso", iso9660.make({"HELLO.TXT": b"hello\n", "RANDOM.BIN": text}))
    return sha(image), sha(text)


def load(t, options=""):
    """Load the drivers; libata scans in the background."""
    for module in MODULES:
        more = options if module == "libata" else ""
        t.shell(f"[ -d /sys/module/{module} ] || insmod /{module}.ko {more}")
    t.shell(
        "n=0; until [ -b /dev/sda -a -b /dev/sdb -a -b /dev/sr0 ] || [ $n = 60 ];"
        " do sleep 1; n=$((n + 1)); done; ls /dev/sda /dev/sdb /dev/sr0", 300)  # fmt: skip


def unload(t):
    t.shell("rmmod ata_piix && rmmod libata", 120)


def drop_caches(t):
    t.shell("sync; echo 3 > /proc/sys/vm/drop_caches", 120)


def sums(t, command):
    """Of what the command writes; what dd says of itself goes elsewhere."""
    return t.shell(f"{command} 2>/dev/null | sha256sum", 300).split()[0]


def check_mode(t, mode):
    """What Linux and each of the three drives agreed upon."""
    out = t.shell("cat /sys/class/ata_device/dev*/xfer_mode").split()
    t.check(out.count(mode) == 3, f"not three times {mode}: {out!r}")


def write_and_read(t, seed_file, kib, skip):
    """Onto the empty disk, through the page cache, and back from the disk itself."""
    want = sums(t, f"dd if={seed_file} bs=1024 count={kib}")
    t.shell(f"dd if={seed_file} of=/dev/sda bs=1024 count={kib} seek={skip} conv=notrunc,fsync", 300)
    drop_caches(t)
    got = sums(t, f"dd if=/dev/sda bs=1024 count={kib} skip={skip}")
    t.check(got == want, f"{kib} KiB at {skip} KiB read back differ")


def read_disc(t, text):
    t.shell("mkdir -p /mnt; mount -t iso9660 -o ro /dev/sr0 /mnt", 120)
    t.check(t.shell("cat /mnt/hello.txt").strip() == "hello", "the disc's text")
    got = sums(t, "cat /mnt/random.bin")
    t.check(got == text, "the disc's file differs")
    t.shell("umount /mnt")


def ide(t):
    """Disks and a disc by DMA, then, with the drivers loaded anew, by PIO."""
    image, text = add_vm(t)
    t.boot()
    linux.wait_shell(t)
    t.shell("dd if=/dev/urandom of=/noise bs=1024 count=1100")
    for options, mode, kib in (("", "XFER_UDMA_2", 1024), ("dma=0", "XFER_PIO_4", 160)):
        load(t, options)
        check_mode(t, mode)
        t.check(t.shell("cat /sys/block/sda/size").strip() == "16384", "the size of sda")
        write_and_read(t, "/noise", kib, 77)
        got = sums(t, f"dd if=/dev/sdb bs=64k count={24 if kib > 1000 else 2}")
        if kib > 1000:
            t.check(got == image, "the image differs")
        read_disc(t, text)
        unload(t)
    out = t.shell("grep -E '^ *1[45]:' /proc/interrupts; dmesg | grep -E 'ata[12]: PATA'", status=None)
    t.check_match(r"bmdma 0xffa0 irq 14", out, "the log says")
    linux.check_log(t, allow=[r"\bata\d\.\d\d: disable device"])
    t.send_line("poweroff -f")
    t.expect_off()


def ide_reboot(t):
    """What was written is there after a reset of the VM, which came in the middle of a transfer."""
    add_vm(t, "hyperv = off\n")
    t.boot()
    linux.wait_shell(t)
    load(t)
    t.shell("dd if=/dev/urandom of=/noise bs=1024 count=512")
    write_and_read(t, "/noise", 512, 0)
    want = sums(t, "dd if=/dev/sda bs=1024 count=512")
    t.send_line("dd if=/dev/zero of=/dev/sda bs=64k seek=16 & sleep 1; reboot -f")
    linux.wait_shell(t)
    load(t)
    t.check(sums(t, "dd if=/dev/sda bs=1024 count=512") == want, "it differs after the reset")
    write_and_read(t, "/dev/sdb", 512, 4096)
    # A disk that cannot be written says so.
    t.shell("! dd if=/noise of=/dev/sdb bs=512 count=1 conv=fsync", 240)
    linux.check_log(t, allow=[r"\bsdb\b", r"\bata1\.01\b", r"\bsd \d:0:1:0\b"])
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {"ide": ("test", ide), "ide_reboot": ("all", ide_reboot)}
