# SPDX-License-Identifier: BSD-2-Clause
"""What a test that needs a whole machine uses: make an image, boot it, talk to it.

expect() and shell() raise Failed: nothing after them makes sense. check() notes a failure
and lets the test go on, so that one boot reports everything it found. skip() ends a test that this
machine cannot run.
"""

import os
import re
import select
import shutil
import subprocess
import sys
import threading
import time

REPO = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(REPO, "tests", "machine"))
import machine as machines  # noqa: E402

BUILD = os.path.join(REPO, os.environ.get("B") or "build")
# Time limits are for a slow 2-core machine; E2E_SLOW=2 doubles them all.
SLOW = float(os.environ.get("E2E_SLOW") or 1)
ANSI = re.compile(r"\x1b\[[0-9;?=]*[a-zA-Z]|\x1b[=>78]")
# Nothing good follows these: stop waiting.
FATAL = re.compile(
    r"^.*(?:Kernel panic - not syncing|!!!! X64 Exception Type|\bPANIC\b|\bpanic:).*$", re.M
)
PROMPT = r"(?m)^/ # $"


class Failed(Exception):
    """The test cannot go on; the text is the reason."""


class Skipped(Exception):
    """This machine cannot run the test; the text says why."""


class Context:
    """One test's machine, its image and its serial transcript."""

    def __init__(self, name, loader, show=False):
        self.name = name
        self.loader = loader
        self.show = show
        self.dir = os.path.join(BUILD, "e2e", re.sub(r"[^A-Za-z0-9_.-]", "-", name))
        self.config_dir = os.path.join(self.dir, "config")
        self.failures = []
        self.machine = None
        self.log = None
        self.text = ""  # serial output so far, escape sequences removed
        self.pos = 0  # expect() searches from here on
        self.fatal_pos = 0
        self.raw_tail = ""
        self.watch_fatal = True
        self.turns = 0  # of prompt_again()
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.config_dir)

    # --- what is on the disk ---

    def file(self, path, content):
        """Put a file on the boot volume: bytes, text, or the path of a file to copy."""
        dest = os.path.join(self.config_dir, path.replace("\\", "/").lstrip("/"))
        os.makedirs(os.path.dirname(dest), exist_ok=True)
        if isinstance(content, str) and os.path.isabs(content):
            shutil.copyfile(content, dest)
        else:
            data = content.encode() if isinstance(content, str) else content
            with open(dest, "wb") as f:
                f.write(data)

    def built(self, name):
        """Absolute path of a file in the build directory."""
        return os.path.join(BUILD, name)

    def config(self, text):
        self.file("candela.cfg", text)

    # --- the machine ---

    def kind(self):
        """What boot() boots: "bochs", "qemu-kvm"."""
        return machines.choose_kind(os.environ.get("MACHINE") or "")

    def on_bochs(self):
        return self.kind() == machines.Bochs.kind

    def skip(self, reason):
        raise Skipped(reason)

    def boot(self, cpus=1, mem="1G", cpu_model=None, kind=None, loader=None, options=None):
        kind = kind or self.kind()
        image = self.path("disk.img")
        mkimage = os.path.join(REPO, "tests", "machine", "mkimage.sh")
        result = subprocess.run(
            [mkimage, image, loader or self.loader, self.built("core.elf"), self.config_dir],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if result.returncode != 0:
            raise Failed("mkimage.sh: " + result.stdout.decode("utf-8", "replace"))
        # Emulated start of time: fixed, so that a run repeats instruction for instruction.
        options = {"time0": 1767225600, **(options or {})}
        # A test names models of Bochs; on another machine CPU_MODEL or the default decides.
        if kind != machines.Bochs.kind or cpu_model is None:
            cpu_model = os.environ.get("CPU_MODEL") or None
        self.log = open(self.path("serial.log"), "wb")
        try:
            self.machine = machines.KINDS[kind](
                image, self.dir, cpus=cpus, mem=mem, cpu_model=cpu_model, options=options
            )
            self.machine.start()
        except machines.MachineError as err:
            raise Failed(str(err)) from None

    def close(self):
        if self.machine is not None:
            self.machine.stop()
        if self.log is not None:
            self.log.close()
        # Large and quickly made again; of a test that failed they are kept.
        if not self.failures:
            shutil.rmtree(self.config_dir)
            if os.path.exists(self.path("disk.img")):
                os.unlink(self.path("disk.img"))

    def path(self, name):
        return os.path.join(self.dir, name)

    def _pump(self, timeout):
        """Take what the serial line has; False at its end."""
        if self.machine.serial is None:
            return False
        ready, _, _ = select.select([self.machine.serial], [], [], timeout)
        if not ready:
            return True
        try:
            data = self.machine.serial.recv(65536)
        except OSError:
            data = b""
        if not data:
            return False
        self.log.write(data)
        self.log.flush()
        if self.show:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        text = self.raw_tail + data.decode("utf-8", "replace")
        # An escape sequence may be cut in two.
        cut = text.rfind("\x1b")
        if cut >= 0 and len(text) - cut < 12 and not ANSI.match(text, cut):
            text, self.raw_tail = text[:cut], text[cut:]
        else:
            self.raw_tail = ""
        self.text += ANSI.sub("", text).replace("\r", "")
        return True

    def _fatal(self):
        if not self.watch_fatal:
            return
        match = FATAL.search(self.text, self.fatal_pos)
        if match:
            # Let the rest of the report arrive.
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline and self._pump(0.2):
                pass
            raise Failed("the log says: " + match[0].strip())
        self.fatal_pos = max(self.fatal_pos, self.text.rfind("\n") + 1)

    def expect(self, pattern, timeout=60, what=None):
        """Wait for a regular expression in the output not looked at yet."""
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout * SLOW
        while True:
            match = regex.search(self.text, self.pos)
            if match:
                self.pos = match.end()
                return match
            self._fatal()
            if time.monotonic() > deadline:
                raise Failed(f"{what or repr(pattern)} did not appear in {timeout * SLOW:g} s")
            if not self._pump(0.25):
                if regex.search(self.text, self.pos):
                    continue
                raise Failed(f"the machine ended before {what or repr(pattern)} appeared")

    def expect_off(self, timeout=60):
        """Wait until the machine has powered itself off."""
        deadline = time.monotonic() + timeout * SLOW
        while self._pump(0.25):
            self._fatal()
            if time.monotonic() > deadline:
                raise Failed(f"the machine did not power off in {timeout * SLOW:g} s")
        try:
            self.machine.process.wait(10)
        except subprocess.TimeoutExpired:
            raise Failed("the serial line closed but the emulator runs on") from None
        self.pos = len(self.text)
        if not self.machine.powered_off():
            raise Failed("the emulator stopped by itself: " + self.machine.last_output(3))

    def send(self, data):
        """Bytes to the serial line, slowly enough for a 16-byte FIFO."""
        data = data.encode() if isinstance(data, str) else data
        for i in range(0, len(data), 8):
            try:
                self.machine.serial.sendall(data[i : i + 8])
            except OSError:
                raise Failed("the machine ended while input was sent") from None
            self._pump(0.02)

    def send_line(self, line):
        self.send(line + "\r")

    def shell(self, command, timeout=60, status=0):
        """Type a command at the guest's prompt; returns what it printed."""
        # The echo of what is typed must not look like the answer.
        self.send_line(command + '; echo "st""atus $?"')
        # Up to the line's end: a number may arrive in two parts.
        answer = r"(?ms)^(.*?)\n?status (\d+)(?=\n)"
        match = self.expect(answer, timeout, f"the answer to '{command}'")
        self.expect(PROMPT, timeout, "the prompt")
        if status is not None:
            self.check(int(match[2]) == status, f"'{command}' ended with status {match[2]}")
        lines = match[1].split("\n")
        # The first line is the echo.
        while lines and 'st""atus' in lines[0]:
            lines.pop(0)
        return "\n".join(lines)

    def prompt_again(self, timeout=90):
        """The guest's prompt, after the monitor has shown again what the guest wrote earlier: old
        prompts and old answers do not count."""
        self.turns += 1
        self.send_line(f'echo "he""re {self.turns}"')
        self.expect(rf"(?m)^here {self.turns}(?=\n)", timeout, "the guest's console")
        self.expect(PROMPT, timeout, "the prompt")

    # --- judging ---

    def check(self, ok, message):
        if not ok:
            self.failures.append(message)
        return bool(ok)

    def check_match(self, pattern, text, message):
        return self.check(re.search(pattern, text), f"{message}: {text[-300:]!r}")


class Result:
    def __init__(self, name, failures, skipped, seconds, context):
        self.name = name
        self.failures = failures
        self.skipped = skipped
        self.seconds = seconds
        self.context = context


PRINT_LOCK = threading.Lock()


def run_one(name, function, loader, show=False):
    """Run function(context); returns a Result. Never leaves a machine behind."""
    context = Context(name, loader, show)
    start = time.monotonic()
    skipped = None
    try:
        function(context)
    except Skipped as err:
        skipped = str(err)
    except Failed as err:
        context.failures.append(str(err))
    finally:
        context.close()
    return Result(name, context.failures, skipped, time.monotonic() - start, context)


def report(result, lines=30):
    """One line for a test that passed or was skipped; reasons and the end of the log for one that failed."""
    with PRINT_LOCK:
        if result.skipped and not result.failures:
            print(f"SKIP {result.name}: {result.skipped}", flush=True)
            return
        if not result.failures:
            print(f"PASS {result.name} ({result.seconds:.0f} s)", flush=True)
            return
        if not result.context.show:
            tail = [line for line in result.context.text.split("\n") if line.strip()][-lines:]
            for line in tail:
                print("    | " + line[:200])
        for failure in result.failures:
            print(f"FAIL {result.name}: {failure}")
        print(
            f"FAIL {result.name} ({result.seconds:.0f} s),"
            f" log: {os.path.relpath(result.context.dir, REPO)}/serial.log",
            flush=True,
        )
