/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "util/list.h"

struct item {
	int value;
	struct list link;
};

static struct item items[5];

static int setup(void **state)
{
	for (int i = 0; i < (int)ARRAY_SIZE(items); i++) {
		items[i].value = i;
		list_init(&items[i].link);
	}
	return 0;
}

/* The values in @head as one decimal number. */
static int digits(struct list *head)
{
	int n = 0;

	list_for_each (pos, head)
		n = n * 10 + list_entry(pos, struct item, link)->value;
	return n;
}

static void members_keep_the_order_they_were_put_in(void **state)
{
	struct list head;

	list_init(&head);
	list_append(&head, &items[2].link);
	list_append(&head, &items[3].link);
	list_prepend(&head, &items[1].link);
	assert_int_equal(digits(&head), 123);
}

static void removing_twice_is_harmless(void **state)
{
	struct list head;

	list_init(&head);
	list_append(&head, &items[1].link);
	list_append(&head, &items[2].link);
	assert_false(list_empty(&items[1].link));
	list_remove(&items[1].link);
	list_remove(&items[1].link);
	assert_true(list_empty(&items[1].link));
	assert_int_equal(digits(&head), 2);
}

static void splice_moves_everything_to_the_end(void **state)
{
	struct list a, b;

	list_init(&a);
	list_init(&b);
	list_append(&a, &items[1].link);
	list_splice(&a, &b);
	assert_int_equal(digits(&a), 1);

	list_append(&b, &items[2].link);
	list_append(&b, &items[3].link);
	list_splice(&a, &b);
	assert_int_equal(digits(&a), 123);
	assert_true(list_empty(&b));
}

static void members_may_leave_during_a_safe_walk(void **state)
{
	struct list head;

	list_init(&head);
	for (int i = 1; i < 5; i++)
		list_append(&head, &items[i].link);
	list_for_each_safe (pos, tmp, &head)
		if (list_entry(pos, struct item, link)->value % 2 == 0)
			list_remove(pos);
	assert_int_equal(digits(&head), 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_setup(members_keep_the_order_they_were_put_in, setup),
	        cmocka_unit_test_setup(removing_twice_is_harmless, setup),
	        cmocka_unit_test_setup(splice_moves_everything_to_the_end, setup),
	        cmocka_unit_test_setup(members_may_leave_during_a_safe_walk, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
