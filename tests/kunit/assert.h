/* SPDX-License-Identifier: GPL-2.0 */
/*
 * To be included in place of <kunit/test.h>: the first assertion that a test
 * comes to, good or bad, is told in the log. KUnit calls a test that asserts
 * nothing a success; scripts/kunit/verdict.py does not, and goes by these lines.
 */
#ifndef _XEN_BALLOON_KUNIT_ASSERT_H
#define _XEN_BALLOON_KUNIT_ASSERT_H

#include <kunit/test.h>
#include <linux/printk.h>

/**
 * kunit_asserts() - Tell, once for each test, that it has come to an assertion.
 * @test: the running test
 *
 * Each file that has assertions tells it anew, which does no harm.
 *
 * Context: any.
 * Return: @test
 */
static inline struct kunit *kunit_asserts(struct kunit *test)
{
	static const char *name;
	static const void *log;		/* tells apart tests of one name in two suites */

	if (name == test->name && log == test->log)
		return test;
	name = test->name;
	log = test->log;
	_printk(KERN_INFO "    # %s: asserts\n", name);	/* without a prefix */
	return test;
}

/* KUNIT_SUCCEED() is none: it cannot fail. */
#undef KUNIT_SUCCEED
#define KUNIT_SUCCEED(test) ((void)(test))

#ifdef _KUNIT_SAVE_LOC		/* since 6.3, and in every assertion */

#undef _KUNIT_SAVE_LOC
#define _KUNIT_SAVE_LOC(test) do {						\
	struct kunit *asserting = kunit_asserts(test);				\
	WRITE_ONCE(asserting->last_seen.file, __FILE__);			\
	WRITE_ONCE(asserting->last_seen.line, __LINE__);			\
} while (0)

#else

/* Older ones have no such place: these are what all the assertions come down to. */
#undef KUNIT_TRUE_MSG_ASSERTION
#undef KUNIT_FALSE_MSG_ASSERTION
#undef KUNIT_BINARY_INT_ASSERTION
#undef KUNIT_BINARY_PTR_ASSERTION
#define KUNIT_TRUE_MSG_ASSERTION(test, type, condition, ...) do {		\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_UNARY_ASSERTION(asserting, type, condition, true, __VA_ARGS__);	\
} while (0)
#define KUNIT_FALSE_MSG_ASSERTION(test, type, condition, ...) do {		\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_UNARY_ASSERTION(asserting, type, condition, false, __VA_ARGS__);	\
} while (0)
#define KUNIT_BINARY_INT_ASSERTION(test, type, left, op, right, ...) do {	\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_BASE_BINARY_ASSERTION(asserting, kunit_binary_assert,		\
				    kunit_binary_assert_format,			\
				    type, left, op, right, __VA_ARGS__);	\
} while (0)
#define KUNIT_BINARY_PTR_ASSERTION(test, type, left, op, right, ...) do {	\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_BASE_BINARY_ASSERTION(asserting, kunit_binary_ptr_assert,		\
				    kunit_binary_ptr_assert_format,		\
				    type, left, op, right, __VA_ARGS__);	\
} while (0)

#undef KUNIT_EXPECT_STREQ_MSG
#undef KUNIT_EXPECT_STRNEQ_MSG
#undef KUNIT_ASSERT_STREQ_MSG
#undef KUNIT_ASSERT_STRNEQ_MSG
#define KUNIT_STR_ASSERTION(test, type, left, op, right, ...) do {		\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_BINARY_STR_ASSERTION(asserting, type, left, op, right, __VA_ARGS__);\
} while (0)
#define KUNIT_EXPECT_STREQ_MSG(test, left, right, ...) \
	KUNIT_STR_ASSERTION(test, KUNIT_EXPECTATION, left, ==, right, __VA_ARGS__)
#define KUNIT_EXPECT_STRNEQ_MSG(test, left, right, ...) \
	KUNIT_STR_ASSERTION(test, KUNIT_EXPECTATION, left, !=, right, __VA_ARGS__)
#define KUNIT_ASSERT_STREQ_MSG(test, left, right, ...) \
	KUNIT_STR_ASSERTION(test, KUNIT_ASSERTION, left, ==, right, __VA_ARGS__)
#define KUNIT_ASSERT_STRNEQ_MSG(test, left, right, ...) \
	KUNIT_STR_ASSERTION(test, KUNIT_ASSERTION, left, !=, right, __VA_ARGS__)

#undef KUNIT_EXPECT_NOT_ERR_OR_NULL_MSG
#undef KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG
#define KUNIT_EXPECT_NOT_ERR_OR_NULL_MSG(test, ptr, ...) do {			\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_PTR_NOT_ERR_OR_NULL_MSG_ASSERTION(asserting, KUNIT_EXPECTATION,	\
						ptr, __VA_ARGS__);		\
} while (0)
#define KUNIT_ASSERT_NOT_ERR_OR_NULL_MSG(test, ptr, ...) do {			\
	struct kunit *asserting = kunit_asserts(test);				\
	KUNIT_PTR_NOT_ERR_OR_NULL_MSG_ASSERTION(asserting, KUNIT_ASSERTION,	\
						ptr, __VA_ARGS__);		\
} while (0)

#endif /* _KUNIT_SAVE_LOC */

#endif
