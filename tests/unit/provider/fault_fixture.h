/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PROVIDER_FAULT_FIXTURE_H
#define TESTS_UNIT_PROVIDER_FAULT_FIXTURE_H

/*
 * The filter around a provider that lists a, b and c in every directory, calls everything a file of 100 bytes, delivers
 * 'x' for each of them, and counts what it was asked.
 */

#include "fake_answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <prj/provider.h>

#include "provider/fault/fault.h"

extern const struct prj_provider prj_provider_descriptor;

struct inner {
	struct prj_provider_instance instance;
	unsigned int n_asked[N_CALLBACKS];
	prj_result result; /* what its callbacks return */
	const char *path; /* of the last call, as it was at that time */
	uint64_t offset; /* of the last call for data */
	uint32_t length;
	int32_t cancelled_id;
	size_t position; /* of the listing */
	uint32_t mask; /* answer to notifications */
};

struct fault_fixture {
	struct inner inner;
	struct prj_provider_instance filter; /* once it is open */
	struct prj_dir_entry_buffer buffer;
	char message[1024]; /* the last one of open() */
};

extern struct fault_fixture fixture;

int fault_setup(void **state);
int fault_teardown(void **state);

#define WITH_INNER(f) cmocka_unit_test_setup_teardown(f, fault_setup, fault_teardown)

/* open() of the descriptor; a former one is closed before. */
prj_result try_open_fault(const char *text);
/* The same, and insists. */
void open_fault(const char *text);
void close_fault(void);

/* Callbacks, of command 7 if no other is named. */
prj_result ask_start(const char *path);
prj_result ask_list(const char *path);
prj_result ask_list_again(const char *path); /* without the flag for the beginning */
prj_result ask_end(const char *path);
prj_result ask_info(const char *path);
prj_result ask_info_as(const char *path, int32_t command_id);
prj_result ask_data(const char *path, uint64_t offset, uint32_t length);
prj_result ask_query(const char *path);
prj_result ask_notification(const char *path, enum prj_notification notification);
void ask_cancel(int32_t command_id);

/* The names in the buffer of the last listing, separated by spaces. */
const char *listed(void);

/* The value that status tells for @key, -1 if it does not. */
int64_t status(const char *key);

#endif
