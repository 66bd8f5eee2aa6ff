/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PROVIDER_FIXTURE_H
#define TESTS_UNIT_PROVIDER_FIXTURE_H

/*
 * Each test has an empty directory of its own with the source "source" in it, opened by the provider; the
 * working directory is the former, so that paths are "source/a".
 */

#include "fake_prj.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <prj/provider.h>

extern const struct prj_provider prj_provider_descriptor;

struct fixture {
	char folder[256];
	struct prj_provider_instance provider;
	struct prj_dir_entry_buffer buffer;
	char message[512]; /* the last one of open() */
};

extern struct fixture fixture;

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* A cmocka test with a source. */
#define WITH_SOURCE(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

void make_file(const char *path, const char *content);
void make_directory(const char *path);
void make_link(const char *path, const char *target);
void move(const char *from, const char *to);

/* open() of the descriptor for any path; the result is to be closed after PRJ_OK. */
prj_result open_provider(const char *path, int is_stable, struct prj_provider_instance *ret);

/* Callbacks; sessions are told apart by a number. */
prj_result start(uint8_t session, const char *path);
prj_result get(uint8_t session, const char *expression, uint32_t flags, size_t capacity);
prj_result end(uint8_t session);
prj_result ask_placeholder(const char *path);
prj_result query(const char *path);
/* Asks for the version that the last placeholder had. */
prj_result ask_data(const char *path, uint64_t byte_offset, uint32_t length);

/* The value that status tells for @key, -1 if it does not. */
int64_t status(const char *key);

/* The names in the buffer, separated by spaces. */
const char *names(void);

/* The whole listing of a directory in one go. */
const char *list(const char *path);

#endif
