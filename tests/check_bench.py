#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the benchmarks' scripts conclude from given figures; no emulator."""

import os
import stat
import sys
import tempfile
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "bench"))
import limits  # noqa: E402
import report_claim  # noqa: E402
import report_latency  # noqa: E402


class Limits(unittest.TestCase):
    LIMITS = {"cpuid": 100, "eoi": 50}

    def check(self, medians, this=limits.COMPILER):
        return limits.compare(medians, self.LIMITS, this)

    def test_within(self):
        self.assertEqual(self.check({"cpuid": 100, "eoi": 1}), ([], 0))

    def test_longer(self):
        lines, failed = self.check({"cpuid": 101, "eoi": 50})
        self.assertEqual(failed, 1)
        self.assertEqual(lines[0], "FAIL cpuid: 101 instructions, 1 more than its limit")
        self.assertIn("make bench-accept", lines[-1])

    def test_rows_come_and_go(self):
        lines, failed = self.check({"cpuid": 1, "hlt": 7})
        self.assertEqual(failed, 2)
        self.assertIn("no limit", lines[0])
        self.assertIn("not measured", lines[1])

    def test_other_compiler_reports(self):
        lines, failed = self.check({"cpuid": 101, "eoi": 50}, "gcc 13.1")
        self.assertEqual(failed, 0)
        self.assertTrue(lines[0].startswith("INFO cpuid: 101"))
        self.assertIn("gcc 13.1", lines[-1])

    def test_accept(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "limits")
            with unittest.mock.patch.object(limits, "PATH", path):
                self.assertFalse(limits.accept({"cpuid": 1}, "clang 14.0")[1])
                self.assertFalse(os.path.exists(path))
                self.assertTrue(limits.accept({"cpuid": 1, "eoi": 2}, limits.COMPILER)[1])
                self.assertEqual(limits.read(), {"cpuid": 1, "eoi": 2})

    def compiler(self, script):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "gcc")
            with open(path, "w", encoding="ascii") as f:
                f.write("#!/bin/sh\n" + script)
            os.chmod(path, stat.S_IRWXU)
            os.environ["CC"] = path + " -m64"
            try:
                return limits.compiler()
            finally:
                del os.environ["CC"]

    def test_compilers(self):
        """What each puts in the place of the five words."""
        gcc = "echo __clang__ __clang_major__ __clang_minor__ 12 2"
        self.assertEqual(self.compiler(gcc), limits.COMPILER)
        self.assertEqual(self.compiler(gcc.replace("2 2", "3 1")), "gcc 13.1")
        self.assertEqual(self.compiler("echo 1 14 0 4 2"), "clang 14.0")


class Claim(unittest.TestCase):
    """The verdicts follow the figures, whichever way they fall."""

    def test_accesses(self):
        says = report_claim.accesses_verdict
        self.assertIn("cheaper than each", says("A", 10, {"a chip": 11}))
        self.assertIn("not cheaper than a chip.", says("A", 10, {"a chip": 10, "b": 11}))

    def test_requests(self):
        says = report_claim.request_verdict
        self.assertIn("20 times fewer exits", says(1, (20, 2000), (1, 1000)))
        self.assertIn("does 10 times as much in each", says(1, (20, 2000), (1, 1000)))
        self.assertIn("whatever a transition costs", says(1, (20, 2000), (1, 1000)))
        self.assertIn("transition costs 100 or more", says(1, (20, 2000), (10, 3000)))
        self.assertIn("does not cost less", says(1, (1, 2000), (2, 3000)))

    def test_tables(self):
        rows = {x: ["1", "5", "9", "9", "1"] for x in (report_claim.CALL, *report_claim.ACCESSES)}
        text = report_claim.access_section(rows, {})
        self.assertIn("| a port of the UART | 5 | - |", text)
        self.assertIn("Candela's hypercall is not", text)
        self.assertNotIn("KVM's", text)
        disk = {"device": "storvsc", "load": "read 4K 1", "ops": 10, "exits": 20, "machine": 500, "guest": 100}
        text = report_claim.request_section([disk])
        self.assertIn("| storvsc, 1 channel | 1 | 2.000 | 40 | 20 | 1,040 | 4,040 |", text)
        self.assertEqual(report_claim.request_section([]), "")


class Delivery(unittest.TestCase):
    """Which operations are shown without and with virtual-interrupt delivery."""

    def test_table(self):
        without = {"other": ["1", "2000", "9", "9", "3.0"], "x2apic-eoi": ["1", "152", "9", "9", "1.0"]}
        without |= {"cpuid": ["1", "136", "9", "9", "1.0"], "hlt-self-ipi": ["1", "5", "9", "9", "1.0"]}
        delivered = {"x2apic-eoi": ["1", "4", "9", "9", "0.0"], "other": ["1", "1", "9", "9", "2.5"]}
        delivered["cpuid"] = ["1", "136", "8", "8", "1.0"]
        text = report_latency.vid_section(without, delivered)
        rows = ["| EOI, x2APIC | 152 | 1 | 4 | 0 |", "| other | 2,000 | 3 | 1 | 2.5 |"]
        self.assertTrue(text.endswith("--:|\n" + "\n".join(rows) + "\n"))
        self.assertEqual(report_latency.vid_section(without, {}), "")


if __name__ == "__main__":
    unittest.main(verbosity=0)
