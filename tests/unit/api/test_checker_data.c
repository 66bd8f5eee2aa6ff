/* SPDX-License-Identifier: MIT */
/* The contract checker, -o check: content, and the ContentIDs that stand for it. */

#include "checked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNKNOWN UINT64_MAX

static void end_data(struct command *cmd, prj_result result)
{
	returned(cmd, result);
	command_end(cmd);
}

/* All of a file, in one piece. */
static void fetch(const char *path, uint64_t size, const char *content_id, int seed)
{
	struct command *cmd = data_begin(path, 0, size, size, content_id);

	deliver(cmd, 0, size, seed);
	end_data(cmd, PRJ_OK);
}

static void content_in_any_order_and_split_is_fine(void **state)
{
	struct command *cmd = data_begin("a", 0, 4000, 4000, "1");

	(void)state;
	deliver(cmd, 2000, 1000, 1);
	deliver(cmd, 0, 2000, 1);
	deliver(cmd, 3000, 1000, 1);
	end_data(cmd, PRJ_OK);
	/* more than was asked for, and less where the file ends */
	cmd = data_begin("b", 1000, 2000, 2500, "2");
	deliver(cmd, 0, 2500, 1);
	end_data(cmd, PRJ_OK);
	/* two commands may deliver the same */
	cmd = data_begin("b", 0, 1000, 2500, "2");
	deliver(cmd, 0, 2500, 1);
	end_data(cmd, PRJ_OK);
	/* nobody counts what comes with an error */
	cmd = data_begin("c", 0, 4000, 4000, "3");
	deliver(cmd, 0, 1000, 1);
	end_data(cmd, PRJ_ERR_IO_DEVICE);
	assert_int_equal(count_all(), 0);
}

static void content_of_unknown_size_is_whatever_comes(void **state)
{
	struct command *cmd = data_begin("a", 0, 0, UNKNOWN, "1");

	(void)state;
	deliver(cmd, 0, 1000, 1);
	end_data(cmd, PRJ_OK);
	end_data(data_begin("b", 0, 0, UNKNOWN, "2"), PRJ_OK);
	assert_int_equal(count_all(), 0);
	cmd = data_begin("c", 0, 0, UNKNOWN, "3");
	deliver(cmd, 1000, 1000, 1);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-short"), 1);
}

static void success_without_all_bytes_is_reported(void **state)
{
	struct command *cmd = data_begin("a", 1000, 2000, 5000, "1");

	(void)state;
	deliver(cmd, 1000, 500, 1);
	deliver(cmd, 2000, 3000, 1);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-short"), 1);
	assert_reported("succeeded without bytes 1500 to 2000 (asked for 2000 at 1000)");
	end_data(data_begin("a", 0, 1000, 5000, "1"), PRJ_OK);
	assert_int_equal(count_of("data-short"), 2);
	cmd = data_begin("a", 0, 1000, 5000, "1");
	returned(cmd, PRJ_ERR_IO_PENDING);
	completed(cmd, PRJ_OK);
	command_end(cmd);
	assert_int_equal(count_of("data-short"), 3);
	assert_int_equal(count_all(), 3);
}

static void success_after_a_delivery_that_failed_is_reported(void **state)
{
	struct command *cmd = data_begin("a", 0, 1000, 1000, "1");
	uint8_t stream_id[16] = {0};

	(void)state;
	memcpy(stream_id, &cmd->id, sizeof(cmd->id));
	checker_data(checked.checker, stream_id, "x", 0, 1, -ENOSPC);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-short"), 1);
	assert_reported("a delivery failed with DISK_FULL");
}

static void who_is_told_that_nobody_waits_may_stop(void **state)
{
	struct command *cmd = data_begin("a", 0, 1000, 1000, "1");
	uint8_t stream_id[16] = {0};

	(void)state;
	memcpy(stream_id, &cmd->id, sizeof(cmd->id));
	checker_data(checked.checker, stream_id, "x", 0, 1, -EBADF);
	end_data(cmd, PRJ_OK);
	cmd = data_begin("a", 0, 1000, 1000, "1");
	checker_cancelled(checked.checker, cmd->id);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_all(), 0);
}

static void bytes_delivered_twice_are_reported(void **state)
{
	struct command *cmd = data_begin("a", 0, 4000, 4000, "1");

	(void)state;
	deliver(cmd, 0, 2000, 1);
	deliver(cmd, 1999, 2001, 1);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-overlap"), 1);
	cmd = data_begin("b", 0, 1000, 1000, "2");
	deliver(cmd, 0, 1000, 1);
	deliver(cmd, 0, 1000, 1);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-overlap"), 2);
	assert_int_equal(count_all(), 2);
}

static void bytes_beyond_the_end_are_reported(void **state)
{
	struct command *cmd = data_begin("a", 0, 1000, 1000, "1");
	uint8_t stream_id[16] = {0};

	(void)state;
	memcpy(stream_id, &cmd->id, sizeof(cmd->id));
	deliver(cmd, 0, 1000, 1);
	checker_data(checked.checker, stream_id, "x", 1000, 1, -EINVAL);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_of("data-beyond-end"), 1);
	assert_int_equal(count_all(), 1);
	assert_reported("delivered 1 bytes at 1000 of a file of 1000 bytes");
}

static void a_content_id_may_stand_for_the_same_content_many_times(void **state)
{
	(void)state;
	look_up_file("a", 1000, "1");
	look_up_file("b", 1000, "1");
	look_up_file("c", 1000, "2");
	fetch("a", 1000, "1", 1);
	fetch("b", 1000, "1", 1);
	fetch("c", 1000, "2", 2);
	fetch("d", 1000, NULL, 3);
	fetch("d", 1000, NULL, 4);
	assert_int_equal(count_all(), 0);
}

static void a_content_id_with_another_size_is_reported(void **state)
{
	(void)state;
	look_up_file("a", 1000, "1");
	look_up_file("a", 1001, "1");
	assert_int_equal(count_of("content-id-reused"), 1);
	assert_reported(
	        "of \"a\" has 1001 bytes, with the ContentID that stood for 1000 bytes at \"a\"");
	fetch("b", 999, "1", 1);
	assert_int_equal(count_of("content-id-reused"), 2);
	assert_int_equal(count_all(), 2);
}

static void a_content_id_with_other_bytes_is_reported(void **state)
{
	struct command *cmd;

	(void)state;
	fetch("a", 1000, "1", 1);
	fetch("b", 1000, "1", 2);
	assert_int_equal(count_of("content-id-reused"), 1);
	assert_reported(
	        "of \"b\" delivered other bytes than before, for the ContentID that \"a\" had");
	/* the same bytes in pieces */
	cmd = data_begin("c", 0, 1000, 1000, "1");
	deliver(cmd, 0, 400, 2);
	deliver(cmd, 400, 600, 2);
	end_data(cmd, PRJ_OK);
	assert_int_equal(count_all(), 1);
}

static void what_is_delivered_from_a_descriptor_is_compared_too(void **state)
{
	char path[] = "/tmp/projfs-checker-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write(fd, "..hello world", 13), 13);
	for (int i = 0; i < 2; i++) {
		struct command *cmd = data_begin("a", 0, 5, 5, "1");
		uint8_t stream_id[16] = {0};

		memcpy(stream_id, &cmd->id, sizeof(cmd->id));
		checker_data_from_fd(checked.checker, stream_id, fd, i ? 8 : 2, 0, 5, 0);
		end_data(cmd, PRJ_OK);
		assert_int_equal(count_of("content-id-reused"), i);
	}
	assert_int_equal(close(fd), 0);
	assert_int_equal(count_all(), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(content_in_any_order_and_split_is_fine),
	        TEST(content_of_unknown_size_is_whatever_comes),
	        TEST(success_without_all_bytes_is_reported),
	        TEST(success_after_a_delivery_that_failed_is_reported),
	        TEST(who_is_told_that_nobody_waits_may_stop),
	        TEST(bytes_delivered_twice_are_reported),
	        TEST(bytes_beyond_the_end_are_reported),
	        TEST(a_content_id_may_stand_for_the_same_content_many_times),
	        TEST(a_content_id_with_another_size_is_reported),
	        TEST(a_content_id_with_other_bytes_is_reported),
	        TEST(what_is_delivered_from_a_descriptor_is_compared_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
