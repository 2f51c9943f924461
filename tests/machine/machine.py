# SPDX-License-Identifier: BSD-2-Clause
"""A machine that boots Candela: Bochs, or QEMU with KVM, behind one interface.

A machine is started on a disk image, has a serial line (a socket), and ends when the
guest powers it off. Python's standard library only.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BOCHS_ROM = "/usr/share/ovmf/OVMF.fd"
BOCHS_VGA = "/usr/share/seabios/vgabios-stdvga.bin"
OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
BOCHS_CPU = "corei7_haswell_4770"
# Emulated instructions a second of emulated time: high, so that the guest's timer ticks
# are a small part of what it executes; not higher, because firmware delays cost more.
BOCHS_IPS = 50_000_000


class MachineError(Exception):
    """The machine cannot be started; the text says why."""


def parse_size(text):
    """'512M', '2G' or a number of MiB -> MiB."""
    match = re.fullmatch(r"(\d+)([MmGg]?)[iI]?[bB]?", text.strip())
    if not match or int(match[1]) == 0:
        raise MachineError(f"'{text}' is not a memory size such as 512M or 2G")
    return int(match[1]) * (1024 if match[2] in ("G", "g") else 1)


def nested_kvm():
    """Why QEMU with KVM cannot be used here for an Intel hypervisor; '' = it can."""
    if not shutil.which("qemu-system-x86_64"):
        return "qemu-system-x86_64 is not installed"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is not there or not accessible"
    try:
        with open("/sys/module/kvm_intel/parameters/nested", encoding="ascii") as f:
            if f.read().strip() not in ("Y", "1"):
                return "kvm_intel has nested=N"
    except OSError:
        return "kvm_intel is not loaded"
    for path in (OVMF_CODE, OVMF_VARS):
        if not os.path.exists(path):
            return path + " is missing"
    return ""


class Machine:
    """Start, serial socket, end. Files of the run go to `rundir`."""

    kind = ""

    def __init__(self, image, rundir, cpus=1, mem="1G", cpu_model=None, options=None):
        self.image = os.path.realpath(image)
        self.rundir = os.path.realpath(rundir)
        self.cpus = int(cpus)
        self.mem_mib = parse_size(mem)
        self.cpu_model = cpu_model
        self.options = options or {}
        self.process = None
        self.serial = None
        if not 1 <= self.cpus <= 64:
            raise MachineError(f"CPUS={cpus}: between 1 and 64")
        if not os.path.exists(self.image):
            raise MachineError(f"{image}: no such image")
        os.makedirs(self.rundir, exist_ok=True)

    def path(self, name):
        return os.path.join(self.rundir, name)

    def command(self):
        raise NotImplementedError

    def connect(self):
        raise NotImplementedError

    def powered_off(self):
        """After the end: did the guest ask for it?"""
        raise NotImplementedError

    def command_line(self):
        return shlex.join(self.command())

    def environment(self):
        return None

    def start(self):
        """Start the emulator and connect to its serial line."""
        with open(self.path("emulator.out"), "wb") as out:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.rundir,
                env=self.environment(),
                # Ctrl-C in the terminal is the guest's.
                start_new_session=True,
            )
        deadline = time.monotonic() + 30
        while self.serial is None:
            try:
                self.serial = self.connect()
            except OSError:
                if self.process.poll() is not None:
                    raise MachineError(
                        f"{self.command()[0]} ended at once (status {self.process.returncode}); "
                        f"it said:\n{self.last_output()}"
                    ) from None
                if time.monotonic() > deadline:
                    self.stop()
                    raise MachineError("the emulator does not open its serial line") from None
                time.sleep(0.05)

    def last_output(self, lines=15):
        text = b""
        for name in ("emulator.out", "emulator.log"):
            try:
                with open(self.path(name), "rb") as f:
                    text += f.read()[-4096:]
            except OSError:
                pass
        return "\n".join(text.decode("latin-1").splitlines()[-lines:])

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """End the emulator if it still runs and remove what it leaves."""
        if self.serial is not None:
            self.serial.close()
            self.serial = None
        if self.process is not None:
            for sig in (signal.SIGTERM, signal.SIGKILL):
                if self.process.poll() is not None:
                    break
                os.killpg(self.process.pid, sig)
                try:
                    self.process.wait(3)
                except subprocess.TimeoutExpired:
                    pass
        for name in (self.image + ".lock",):
            if os.path.exists(name):
                os.unlink(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Bochs(Machine):
    """Bochs 2.7 as Debian builds it (with its debugger: hence -rc)."""

    kind = "bochs"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not shutil.which("bochs"):
            raise MachineError("bochs is not installed")
        self.cpu_model = self.cpu_model or BOCHS_CPU
        models = [BOCHS_CPU] if self.cpu_model == BOCHS_CPU else self.models()
        if self.cpu_model not in models:
            raise MachineError(
                f"Bochs has no CPU model '{self.cpu_model}'; it has: {' '.join(models)}"
            )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.write_config()

    @staticmethod
    def models():
        out = subprocess.run(
            ["bochs", "--help", "cpu"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        ).stdout.decode("latin-1")
        return re.findall(r"^([a-z][a-z0-9_]+)$", out, re.M)

    def write_config(self):
        ips = int(self.options.get("ips", BOCHS_IPS))
        # Tests give a fixed start time: their runs repeat instruction for instruction. The hour
        # is one that Bochs 2.7 loses, whatever the time zone.
        time0 = int(self.options.get("time0", time.time())) + 3600
        text = f"""\
plugin_ctrl: unmapped=1, biosdev=1, speaker=0, extfpuirq=1, parallel=0, serial=1
config_interface: textconfig
display_library: rfb, options="timeout=0"
romimage: file={BOCHS_ROM}
vgaromimage: file={BOCHS_VGA}
cpu: model={self.cpu_model}, count={self.cpus}, ips={ips}, reset_on_triple_fault=0
memory: guest={self.mem_mib}, host={self.mem_mib}
clock: sync=none, time0={time0}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="{self.image}", mode=flat
boot: disk
com1: enabled=1, mode=socket-server, dev=localhost:{self.port}
port_e9_hack: enabled=1
log: {self.path("emulator.log")}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""
        with open(self.path("bochsrc"), "w", encoding="utf-8") as f:
            f.write(text)
        with open(self.path("bochs.rc"), "w", encoding="ascii") as f:
            f.write("c\n")

    def command(self):
        return ["bochs", "-q", "-f", self.path("bochsrc"), "-rc", self.path("bochs.rc")]

    def environment(self):
        return {**os.environ, "TZ": "UTC0"}

    def start(self):
        lock = self.image + ".lock"
        if os.path.exists(lock):
            os.unlink(lock)
        super().start()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=5)

    def powered_off(self):
        try:
            with open(self.path("emulator.log"), "rb") as f:
                log = f.read().decode("latin-1")
        except OSError:
            return False
        return bool(re.search(r"soft power off|[Ss]hutdown port: shutdown requested", log))


class Qemu(Machine):
    """QEMU's q35 with OVMF; KVM with nested VMX, or (for the loader alone) TCG without."""

    kind = "qemu-kvm"
    accel = "kvm"
    default_cpu = "host"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.accel == "kvm":
            why = nested_kvm()
            if why:
                raise MachineError("MACHINE=qemu-kvm: " + why)
        elif not shutil.which("qemu-system-x86_64"):
            raise MachineError("qemu-system-x86_64 is not installed")
        self.cpu_model = self.cpu_model or self.default_cpu
        shutil.copyfile(OVMF_VARS, self.path("vars.fd"))
        # Socket paths are limited to 107 bytes: relative to the working directory.
        self.sock = os.path.join(self.rundir, "serial.sock")

    def command(self):
        return [
            "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
            "-machine", f"q35,accel={self.accel},kernel-irqchip=split"
            if self.accel == "kvm" else f"q35,accel={self.accel}",
            "-cpu", self.cpu_model + (",+vmx" if self.accel == "kvm" else ""),
            "-smp", str(self.cpus), "-m", str(self.mem_mib),
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF_CODE}",
            "-drive", f"if=pflash,unit=1,format=raw,file={self.path('vars.fd')}",
            "-drive", f"format=raw,file={self.image}",
            "-chardev", "socket,id=com1,path=serial.sock,server=on,wait=on",
            "-serial", "chardev:com1",
            "-debugcon", f"file:{self.path('debugcon.log')}", "-global", "isa-debugcon.iobase=0xe9",
        ]  # fmt: skip

    def start(self):
        if os.path.exists(self.sock):
            os.unlink(self.sock)
        super().start()

    def connect(self):
        conn = socket.socket(socket.AF_UNIX)
        here = os.open(".", os.O_RDONLY)
        try:
            os.chdir(self.rundir)
            conn.connect("serial.sock")
        except OSError:
            conn.close()
            raise
        finally:
            os.fchdir(here)
            os.close(here)
        return conn

    def powered_off(self):
        return self.process is not None and self.process.returncode == 0


class QemuTcg(Qemu):
    """No VMX: shows what the loader says about such a machine."""

    kind = "qemu-tcg"
    accel = "tcg"
    default_cpu = "qemu64"


KINDS = {cls.kind: cls for cls in (Bochs, Qemu, QemuTcg)}


def choose_kind(wanted=""):
    """The machine asked for, else QEMU with KVM where nested VMX is there, else Bochs."""
    if wanted:
        if wanted not in KINDS:
            raise MachineError(f"MACHINE={wanted}: one of {' '.join(KINDS)}")
        return wanted
    return Bochs.kind if nested_kvm() else Qemu.kind
