# SPDX-License-Identifier: BSD-2-Clause
"""Linux's ata_piix on the IDE controller: disks and a CD-ROM drive, by DMA and by PIO; and its
storvsc on the same disks, where the machine says that it is Hyper-V."""

import hashlib
import random

import iso9660
import linux

# In the order in which they are loaded.
MODULES = ("scsi_common", "scsi_mod", "libata", "cdrom", "sd_mod", "sr_mod", "isofs", "ata_piix")
HYPERV = ("hv_vmbus", "scsi_transport_fc", "hv_storvsc")
KIB = 1024

# What lsvmbus calls "Synthetic IDE Controller", and the devices of the two disks.
ACCELERATOR = "32412632-86cb-44a2-9b5c-50d1417354f5"
DEVICES = "/sys/bus/vmbus/devices"
PLACES = [f"{DEVICES}/00000000-000{drive}-8899-0000-000000000000" for drive in (0, 1)]

# What is said when ata_piix is unloaded.
UNLOADED = r"\bata\d\.\d\d: disable device"


def some_bytes(seed, length):
    return random.Random(seed).randbytes(length)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def add_vm(t, more="", modules=MODULES):
    """An empty disk, an image, and a disc."""
    linux.fetch("cloud")
    image, text = some_bytes(1, 1536 * KIB), some_bytes(2, 200 * KIB + 77)
    linux.add_vm(
        t,
        initrd=linux.initramfs(t, *modules),
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


def load(t, modules=MODULES, **options):
    """Load the drivers, with a module's options; libata scans in the background."""
    for module in modules:
        more = options.get(module, "")
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


def write_and_read(t, seed_file, kib, skip, disk="sda", back="sda"):
    """Onto a disk, through the page cache, and back from the disk itself."""
    want = sums(t, f"dd if={seed_file} bs=1024 count={kib}")
    t.shell(f"dd if={seed_file} of=/dev/{disk} bs=1024 count={kib} seek={skip} conv=notrunc,fsync", 300)
    drop_caches(t)
    got = sums(t, f"dd if=/dev/{back} bs=1024 count={kib} skip={skip}")
    t.check(got == want, f"{kib} KiB at {skip} KiB of {disk} read back from {back} differ")


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
        load(t, libata=options)
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
    linux.check_log(t, allow=[UNLOADED])
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


def disks_of(t, model):
    """Names of the disks whose model is that."""
    out = t.shell(f"cd /sys/block; grep -l '{model}' sd*/device/model | cut -d/ -f1", status=None)
    return out.split()


def ide_accelerator(t):
    """smbios = hyperv: the disks come by storvsc alone and the disc by ata_piix; then by both."""
    image, text = add_vm(t, "smbios = hyperv\n", MODULES + HYPERV)
    t.boot()
    linux.wait_shell(t)
    t.shell("dd if=/dev/urandom of=/noise bs=1024 count=1100")
    load(t, MODULES + HYPERV)
    out = t.shell(f"grep -l {ACCELERATOR} {DEVICES}/*/class_id")
    t.check(out.split() == [f"{place}/class_id" for place in PLACES], f"accelerators: {out}")
    out = t.shell("dmesg | grep ata_piix", status=None)
    t.check_match(r"Hyper-V Virtual Machine detected, ATA device ignore set", out, "ata_piix says")
    t.check_match(r"/ata\d/", t.shell("readlink -f /sys/block/sr0"), "whose the disc is")
    disks = [t.shell(f"ls {place}/host*/target*/*/block").strip() for place in PLACES]
    t.check(sorted(disks) == sorted(t.shell("cd /sys/block; ls -d sd*").split()), "others are there")
    t.check(disks_of(t, "Virtual Disk") == sorted(disks), "they are not storvsc's")
    write_and_read(t, "/noise", 1024, 77, disks[0], disks[0])
    t.check(sums(t, f"dd if=/dev/{disks[1]} bs=64k count=24") == image, "the image differs")
    read_disc(t, text)

    # Both doors: what goes in by one comes out of the other.
    t.shell("rmmod ata_piix")
    load(t, ata_piix="prefer_ms_hyperv=0")
    t.shell("n=0; until [ -b /dev/sdd ] || [ $n = 60 ]; do sleep 1; n=$((n + 1)); done; ls /dev/sdd", 300)
    ata = sorted(set(t.shell("cd /sys/block; ls -d sd*").split()) - set(disks))
    sizes = [t.shell(f"cat /sys/block/{name}/size").strip() for name in disks + ata]
    t.check(sizes[:2] == sizes[2:], f"not the same disks: {sizes}")
    write_and_read(t, "/noise", 512, 2048, disks[0], ata[0])
    write_and_read(t, "/noise", 512, 4096, ata[0], disks[0])
    t.shell(f"dd if=/dev/zero of=/dev/{ata[0]} bs=64k seek=96 count=32 conv=fsync 2>/dev/null & true")
    write_and_read(t, "/noise", 1024, 77, disks[0], disks[0])
    t.shell("wait", 300)
    linux.check_log(t, allow=[UNLOADED])

    # Reset in the middle of a transfer: the contents stay.
    want = sums(t, f"dd if=/dev/{disks[0]} bs=1024 count=4096")
    t.send_line(f"dd if=/dev/zero of=/dev/{disks[0]} bs=64k seek=64 & sleep 1; reboot -f")
    linux.wait_shell(t)
    load(t, MODULES + HYPERV)
    disk = t.shell(f"ls {PLACES[0]}/host*/target*/*/block").strip()
    t.check(sums(t, f"dd if=/dev/{disk} bs=1024 count=4096") == want, "it differs after the reset")
    linux.check_log(t)
    t.send_line("poweroff -f")
    t.expect_off()


TESTS = {
    "ide": ("test", ide),
    "ide_reboot": ("all", ide_reboot),
    "ide_accelerator": ("test", ide_accelerator),
}
