#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Run an image with the terminal attached to the machine's serial line: `make run`.

Ctrl-A x ends the run, Ctrl-A Ctrl-A sends one Ctrl-A; everything else, Ctrl-C included,
goes to the machine. Without a terminal, standard input is sent line by line: each line
when the guest shows a prompt. Exit status: 0 after a power-off (or Ctrl-A x), 124 after
TIMEOUT seconds, 1 when the emulator stopped by itself.
"""

import argparse
import os
import re
import select
import signal
import sys
import termios
import time
import tty

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import machine as machines  # noqa: E402

ESCAPE = 0x01  # Ctrl-A
# The guest's UART holds 16 bytes: send less than that and let it look.
CHUNK = 8
CHUNK_PAUSE = 0.01
PROMPT = rb"(?:[#$] |login: |^candela> |\ncandela> )(?:\x1b\[[0-9;?]*[a-zA-Z])*$"
# A guest without a prompt gets its input after this many seconds without output.
QUIET = 20.0


class Input:
    """What to send to the serial line, and when."""

    def __init__(self, is_tty, prompt):
        self.is_tty = is_tty
        self.prompt = re.compile(prompt)
        self.pending = bytearray()
        self.lines = []
        self.partial = b""
        self.tail = b""
        self.started = False
        self.escaped = False
        self.quit = False
        self.last_output = time.monotonic()
        self.next_send = 0.0

    def from_terminal(self, data):
        for byte in data:
            if self.escaped:
                self.escaped = False
                if byte in b"xX":
                    self.quit = True
                elif byte == ESCAPE:
                    self.pending.append(byte)
            elif byte == ESCAPE:
                self.escaped = True
            else:
                self.pending.append(byte)

    def from_pipe(self, data):
        *lines, self.partial = (self.partial + data).split(b"\n")
        self.lines += [line + b"\r" for line in lines]

    def end_of_pipe(self):
        if self.partial:
            self.lines.append(self.partial)
            self.partial = b""

    def saw_output(self, data):
        self.last_output = time.monotonic()
        self.tail = (self.tail + data)[-4096:]
        # Firmware and its shell get no lines: they wait for Candela's first message.
        if b"Candela" in self.tail or b"candela" in self.tail:
            self.started = True

    def queue_line(self):
        if self.is_tty or not self.lines or self.pending or not self.started:
            return
        quiet = time.monotonic() - self.last_output
        if (quiet > 0.3 and self.prompt.search(self.tail)) or quiet > QUIET:
            self.pending += self.lines.pop(0)
            self.tail = b""
            self.last_output = time.monotonic()

    def take(self):
        """The next bytes to send now."""
        self.queue_line()
        now = time.monotonic()
        if not self.pending or now < self.next_send:
            return b""
        data = bytes(self.pending[:CHUNK])
        del self.pending[:CHUNK]
        self.next_send = now + CHUNK_PAUSE
        return data


def write_all(fd, data):
    while data:
        try:
            data = data[os.write(fd, data) :]
        except BlockingIOError:
            select.select([], [fd], [])


def attach(mach, timeout, prompt, log):
    """Move bytes both ways until the machine ends. Returns 'off', 'quit' or 'timeout'."""
    is_tty = os.isatty(0)
    source = Input(is_tty, prompt)
    stdin_open = True
    out_open = True
    deadline = time.monotonic() + timeout if timeout else None
    while True:
        data = source.take()
        if data:
            try:
                mach.serial.sendall(data)
            except OSError:
                pass
        if deadline and time.monotonic() >= deadline:
            return "timeout"
        wait = CHUNK_PAUSE if source.pending else 0.25
        watch = [mach.serial] + ([0] if stdin_open else [])
        ready, _, _ = select.select(watch, [], [], wait)
        if mach.serial in ready:
            try:
                data = mach.serial.recv(4096)
            except OSError:
                data = b""
            if not data:
                return "off"
            log.write(data)
            source.saw_output(data)
            if out_open:
                try:
                    write_all(1, data)
                except BrokenPipeError:
                    return "quit"
        if 0 in ready:
            data = os.read(0, 4096)
            if not data:
                stdin_open = False
                source.end_of_pipe()
            elif is_tty:
                source.from_terminal(data)
                if source.quit:
                    return "quit"
            else:
                source.from_pipe(data)


def terminated(signum, _frame):
    raise SystemExit(128 + signum)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image")
    parser.add_argument("--rundir", default="build/run")
    env = os.environ.get
    args = parser.parse_args()
    timeout = float(env("TIMEOUT") or 0)
    prompt = os.fsencode(env("PROMPT") or "") or PROMPT
    for sig in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, terminated)

    try:
        kind = machines.choose_kind(env("MACHINE") or "")
        options = {"ips": env("IPS")} if env("IPS") else {}
        mach = machines.KINDS[kind](
            args.image,
            args.rundir,
            cpus=env("CPUS") or 1,
            mem=env("MEM") or "1G",
            cpu_model=env("CPU_MODEL") or None,
            options=options,
        )
    except (machines.MachineError, ValueError) as err:
        print(f"run: {err}", file=sys.stderr)
        return 2
    if kind == "bochs" and not env("MACHINE"):
        print(f"No nested VMX here ({machines.nested_kvm()}): using Bochs.")
    print(f"{kind}: {mach.command_line()}")
    if kind == "bochs":
        print(f"Serial line: localhost:{mach.port}. The firmware takes about 15 seconds.")
    if os.isatty(0):
        print("Press Ctrl-A x to end the run; Ctrl-] for Candela's monitor and back.")
    elif timeout:
        print(f"The run ends when the machine powers off or after {timeout:g} s.")
    else:
        print("The run ends when the machine powers off (TIMEOUT=seconds sets a limit).")
    sys.stdout.flush()

    saved = None
    result = "off"
    serial_log = open(os.path.join(args.rundir, "serial.log"), "wb")
    with mach, serial_log:
        try:
            mach.start()
            if os.isatty(0):
                saved = termios.tcgetattr(0)
                tty.setraw(0)
            result = attach(mach, timeout, prompt, serial_log)
            if result == "off":
                try:
                    mach.process.wait(10)
                except Exception:
                    pass
        except machines.MachineError as err:
            result = "error"
            print(f"run: {err}", file=sys.stderr)
        finally:
            if saved is not None:
                termios.tcsetattr(0, termios.TCSADRAIN, saved)
    if result == "error":
        return 1
    if result == "timeout":
        print(f"\nrun: time-out after {timeout:g} s", file=sys.stderr)
        return 124
    if result == "quit":
        print("\nrun: ended")
        return 0
    if mach.powered_off():
        print("\nrun: the machine powered off")
        return 0
    print(f"\nrun: the emulator stopped by itself:\n{mach.last_output()}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
