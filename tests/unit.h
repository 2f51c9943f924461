/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A unit-test file: tests first, then UNIT_MAIN with a name and its test cases.
 *
 *   START_TEST(reads_ones) { ... } END_TEST
 *   UNIT_MAIN("io_bus", tcase_add_test(tc, reads_ones); tcase_add_loop_test(tc, row, 0,
 * ARRAY_SIZE(rows));)
 *
 * Each file becomes one program, linked with the hosted build of every pure source and
 * with tests/fake/. CK_RUN_CASE and CK_FORK work as Check documents them.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include "vmm/lib/types.h"
#include <check.h>
#include <stdlib.h>

/*
 * Check writes a mark to a file for each assertion that holds; tests that compare a chip with
 * a model clock by clock make millions of them. A crash is located by ASan instead.
 */
#define _mark_point(file, line) ((void)0)

#define UNIT_MAIN(name, add_tests) \
	int main(void) \
	{ \
		Suite *suite = suite_create(name); \
		TCase *tc = tcase_create(name); \
		SRunner *runner; \
		int failed; \
		tcase_set_timeout(tc, 60); \
		add_tests suite_add_tcase(suite, tc); \
		runner = srunner_create(suite); \
		srunner_run_all(runner, CK_ENV); \
		failed = srunner_ntests_failed(runner); \
		srunner_free(runner); \
		return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE; \
	}

#endif
