/* SPDX-License-Identifier: MIT */
/* Exported calls with arguments that are missing or wrong: a documented code, a message, no crash. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants those four first */
#include <cmocka.h>

#include <prj/prj.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/dir_buffer.h"

#define assert_fails(call, code)                                                                   \
	do {                                                                                       \
		(void)prj_get_on_disk_file_state("/", NULL);                                       \
		assert_int_equal((call), (code));                                                  \
		assert_string_not_equal(prj_last_error_message(), "");                             \
		assert_string_not_equal(prj_last_error_message(), "ret_state is NULL");            \
	} while (0)

static void missing_arguments_are_refused(void **state)
{
	struct prj_placeholder_info info = {.struct_size = sizeof(info)};
	struct prj_virtualization_instance_info facts;
	struct prj_item_info item = {0};
	struct prj_guid id = {{0}};
	int odd = 0;
	prj_instance *instance =
	        (prj_instance *)&odd; /* not touched before the arguments are checked */

	assert_fails(prj_mark_directory_as_placeholder(NULL, NULL, NULL, &id),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_mark_directory_as_placeholder("/", NULL, NULL, NULL),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_mark_directory_as_placeholder("/", "a", NULL, &id), PRJ_ERR_NOT_SUPPORTED);
	assert_fails(prj_adopt_directory("", NULL, &id), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_stop_event(NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_virtualization_instance_info(NULL, &facts), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_virtualization_instance_info(instance, NULL),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_open_local(NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_placeholder_info(NULL, "a", &info, sizeof(info)),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_placeholder_info(instance, "a", NULL, sizeof(info)),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_placeholder_info(instance, "a", &info, 5),
	             PRJ_ERR_INSUFFICIENT_BUFFER);
	assert_fails(prj_write_placeholder_info2(NULL, "a", &info, sizeof(info), NULL),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data(NULL, &id, "x", 0, 1), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data(instance, NULL, "x", 0, 1), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data(instance, &id, NULL, 0, 1), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data(instance, &id, "x", 0, 0), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data_from_fd(NULL, &id, 0, 0, 0, 1, 0),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data_from_fd(instance, &id, -1, 0, 0, 1, 0),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data_from_fd(instance, &id, 0, 0, 0, 1, 2),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_complete_command(NULL, 1, PRJ_OK, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_complete_command(instance, 1, PRJ_ERR_IO_PENDING, NULL),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_fill_dir_entry_buffer("a", NULL, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_item_info("/", 0, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_item_info("/", 0, &item), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_hydrate_file(NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_unmount_root(NULL, 0), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(prj_get_on_disk_file_state(NULL, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_clear_negative_path_cache(NULL, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_update_file_if_needed(NULL, NULL, NULL, 0, 0, NULL),
	             PRJ_ERR_NOT_SUPPORTED);
	assert_fails(prj_delete_file(NULL, NULL, 0, NULL), PRJ_ERR_NOT_SUPPORTED);
	prj_stop_virtualizing(NULL);
}

/* A thread of the provider's may still answer when its instance is no more: here it never was one. */
static void a_handle_that_does_not_run_is_refused(void **state)
{
	struct prj_placeholder_info info = {.struct_size = sizeof(info)};
	struct prj_virtualization_instance_info facts;
	struct prj_guid id = {{0}};
	int odd = 0;
	prj_instance *instance = (prj_instance *)&odd;
	uint32_t n = 77;

	info.file_basic_info.struct_size = sizeof(info.file_basic_info);
	assert_fails(prj_get_stop_event(instance), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_get_virtualization_instance_info(instance, &facts),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_open_local(instance), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_clear_negative_path_cache(instance, &n), PRJ_ERR_INVALID_PARAMETER);
	assert_int_equal(n, 77);
	assert_fails(prj_write_placeholder_info(instance, "a", &info, sizeof(info)),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_write_file_data(instance, &id, "x", 0, 1), PRJ_ERR_INVALID_HANDLE);
	assert_fails(prj_write_file_data_from_fd(instance, &id, 0, 0, 0, 1, 0),
	             PRJ_ERR_INVALID_HANDLE);
	assert_fails(prj_complete_command(instance, 1, PRJ_OK, NULL), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_complete_command(instance, 1, (prj_result)0x80004005, NULL),
	             PRJ_ERR_INVALID_PARAMETER);
}

static void wrong_structure_sizes_are_refused(void **state)
{
	struct dir_buffer *b = dir_buffer_new();
	prj_dir_entry_buffer *buffer = (prj_dir_entry_buffer *)b;
	prj_instance *instance = (prj_instance *)&buffer;
	struct prj_placeholder_info info = {.struct_size = sizeof(info)};
	struct prj_file_basic_info *basic = &info.file_basic_info;

	for (uint32_t size = 0; size < sizeof(*basic); size++) {
		basic->struct_size = size;
		assert_fails(prj_fill_dir_entry_buffer("a", basic, buffer),
		             PRJ_ERR_INSUFFICIENT_BUFFER);
		assert_fails(prj_write_placeholder_info(instance, "a", &info, sizeof(info)),
		             PRJ_ERR_INSUFFICIENT_BUFFER);
	}
	basic->struct_size = sizeof(*basic) + 8; /* of a newer program */
	assert_int_equal(prj_fill_dir_entry_buffer("a", basic, buffer), PRJ_OK);
	for (uint32_t size = 0; size < sizeof(info); size += 8) {
		assert_fails(prj_write_placeholder_info(instance, "a", &info, size),
		             PRJ_ERR_INSUFFICIENT_BUFFER);
		info.struct_size = size;
		assert_fails(prj_write_placeholder_info2(instance, "a", &info, sizeof(info), NULL),
		             PRJ_ERR_INSUFFICIENT_BUFFER);
		info.struct_size = sizeof(info);
	}
	dir_buffer_free(b);
}

static void malformed_paths_are_refused(void **state)
{
	static const char *const bad[] = {NULL,   "",  "/",      "/a",      "a/",
	                                  "a//b", ".", "a/../b", ".projfs", ".projfs/x"};
	struct prj_placeholder_info info = {.struct_size = sizeof(info)};
	prj_instance *instance = (prj_instance *)&info;
	char name[300];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(prj_write_placeholder_info(instance, bad[i], &info, sizeof(info)),
		             PRJ_ERR_INVALID_PARAMETER);
	memset(name, 'x', sizeof(name));
	name[0] = 'd';
	name[1] = '/';
	name[258] = '\0';
	assert_fails(prj_write_placeholder_info(instance, name, &info, sizeof(info)),
	             PRJ_ERR_FILENAME_EXCED_RANGE);
}

static void a_buffer_takes_entries_until_it_is_full(void **state)
{
	struct dir_buffer *b = dir_buffer_new();
	prj_dir_entry_buffer *buffer = (prj_dir_entry_buffer *)b;
	struct prj_extended_info odd = {.info_type = 99};
	prj_result result;
	char name[16];

	assert_fails(prj_fill_dir_entry_buffer("a/b", NULL, buffer), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_fill_dir_entry_buffer("..", NULL, buffer), PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_fill_dir_entry_buffer2(buffer, "a", NULL, &odd),
	             PRJ_ERR_INVALID_PARAMETER);
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		result = prj_fill_dir_entry_buffer(name, NULL, buffer);
		if (result != PRJ_OK)
			break;
	}
	assert_int_equal(result, PRJ_ERR_INSUFFICIENT_BUFFER);
	assert_true(dir_buffer_count(b) > 1000);
	dir_buffer_free(b);
}

/* ---- start, up to where it would mount -------------------------------------------------------- */

static prj_result start_enum(const struct prj_callback_data *d, const struct prj_guid *id)
{
	return PRJ_OK;
}

static prj_result get_enum(const struct prj_callback_data *d, const struct prj_guid *id,
                           const char *e, prj_dir_entry_buffer *b)
{
	return PRJ_OK;
}

static prj_result get_info(const struct prj_callback_data *d)
{
	return PRJ_ERR_FILE_NOT_FOUND;
}

static prj_result get_data(const struct prj_callback_data *d, uint64_t offset, uint32_t length)
{
	return PRJ_OK;
}

static const struct prj_callbacks all = {
        .struct_size = sizeof(all),
        .start_directory_enumeration = start_enum,
        .end_directory_enumeration = start_enum,
        .get_directory_enumeration = get_enum,
        .get_placeholder_info = get_info,
        .get_file_data = get_data,
};

static void start_needs_its_callbacks(void **state)
{
	struct prj_callbacks cb = all;
	prj_instance *instance = NULL;

	assert_fails(prj_start_virtualizing("/", &all, NULL, NULL, NULL),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_fails(prj_start_virtualizing("/", NULL, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb.struct_size = 0;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb = all;
	cb.start_directory_enumeration = NULL;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb = all;
	cb.get_directory_enumeration = NULL;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb = all;
	cb.end_directory_enumeration = NULL;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb = all;
	cb.get_placeholder_info = NULL;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	cb = all;
	cb.get_file_data = NULL;
	assert_fails(prj_start_virtualizing("/", &cb, NULL, NULL, &instance),
	             PRJ_ERR_INVALID_PARAMETER);
	assert_null(instance);
}

static prj_result start_with(const struct prj_start_options *options)
{
	prj_instance *instance = NULL;
	prj_result result =
	        prj_start_virtualizing("/no/such/directory", &all, NULL, options, &instance);

	assert_null(instance);
	return result;
}

static void start_options_are_checked(void **state)
{
	struct {
		struct prj_start_options o;
		char newer[64];
	} longer = {.o = {.struct_size = sizeof(longer)}};
	struct prj_start_options o = {.struct_size = sizeof(o)};

	assert_fails(start_with(NULL), PRJ_ERR_FILE_NOT_FOUND);
	assert_fails(start_with(&o), PRJ_ERR_FILE_NOT_FOUND);
	assert_fails(start_with(&longer.o), PRJ_ERR_FILE_NOT_FOUND);
	o.flags = PRJ_FLAG_USE_NEGATIVE_PATH_CACHE;
	assert_fails(start_with(&o), PRJ_ERR_FILE_NOT_FOUND);
	o.flags = PRJ_FLAG_PERSIST_PLACEHOLDERS;
	assert_fails(start_with(&o), PRJ_ERR_NOT_SUPPORTED);
	o.flags = 0x40000000;
	assert_fails(start_with(&o), PRJ_ERR_INVALID_PARAMETER);
	o.flags = 0;
	o.struct_size = 3;
	assert_fails(start_with(&o), PRJ_ERR_INVALID_PARAMETER);
	/* An older program's structure: what it does not have counts as 0. */
	o.struct_size = offsetof(struct prj_start_options, compare_order);
	o.compare_order = (enum prj_compare_order)77;
	assert_fails(start_with(&o), PRJ_ERR_FILE_NOT_FOUND);
	o.struct_size = sizeof(o);
	assert_fails(start_with(&o), PRJ_ERR_INVALID_PARAMETER);
	o.compare_order = 0;
	o.concurrent_thread_count = 1025;
	assert_fails(start_with(&o), PRJ_ERR_INVALID_PARAMETER);
	o.concurrent_thread_count = 0;
	o.small_file_bytes = UINT32_MAX;
	assert_fails(start_with(&o), PRJ_ERR_INVALID_PARAMETER);
}

static void a_directory_becomes_a_root_once_and_only_a_root_starts(void **state)
{
	const char *tmp = getenv("TMPDIR");
	prj_instance *instance = NULL;
	struct prj_guid id;
	char path[256], inside[300], command[400];
	uint32_t word = 77;

	(void)snprintf(path, sizeof(path), "%s/projfs-api-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(path));
	(void)snprintf(inside, sizeof(inside), "%s/inside", path);
	prj_guid_generate(&id);
	assert_int_equal(id.bytes[6] >> 4, 4);
	assert_fails(prj_start_virtualizing(path, &all, NULL, NULL, &instance),
	             PRJ_ERR_REPARSE_TAG_MISMATCH);
	assert_null(instance);
	assert_int_equal(prj_mark_directory_as_placeholder(path, NULL, NULL, &id), PRJ_OK);
	assert_fails(prj_mark_directory_as_placeholder(path, NULL, NULL, &id),
	             PRJ_ERR_REPARSE_POINT_ENCOUNTERED);
	assert_int_equal(mkdir(inside, 0755), 0);
	assert_fails(prj_mark_directory_as_placeholder(inside, NULL, NULL, &id),
	             PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION);
	assert_int_equal(prj_get_on_disk_file_state(inside, &word), PRJ_OK);
	assert_int_equal(word, PRJ_FILE_STATE_FULL);
	(void)snprintf(inside, sizeof(inside), "%s/absent", path);
	assert_fails(prj_get_on_disk_file_state(inside, &word), PRJ_ERR_VIRTUALIZATION_UNAVAILABLE);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
	assert_fails(prj_mark_directory_as_placeholder(path, NULL, NULL, &id),
	             PRJ_ERR_FILE_NOT_FOUND);
	assert_fails(prj_get_on_disk_file_state(path, &word), PRJ_ERR_FILE_NOT_FOUND);
}

static void names_and_buffers_take_odd_arguments(void **state)
{
	void *buffer = prj_allocate_aligned_buffer(NULL, 0);

	assert_non_null(buffer);
	prj_free_aligned_buffer(buffer);
	prj_free_aligned_buffer(NULL);
	assert_null(prj_allocate_aligned_buffer(NULL, SIZE_MAX));
	assert_int_equal(prj_file_name_match("a.txt", "*.TXT"), 1);
	assert_int_equal(prj_file_name_match("a", NULL), 1);
	assert_int_equal(prj_file_name_match(NULL, "*"), 0);
	assert_int_equal(prj_file_name_compare("A", "a"), 0);
	assert_int_equal(prj_file_name_compare(NULL, NULL), 0);
	assert_true(prj_file_name_compare("_", "Z") > 0);
	assert_int_equal(prj_does_name_contain_wild_cards("a*"), 1);
	assert_int_equal(prj_does_name_contain_wild_cards("a"), 0);
	assert_int_equal(prj_does_name_contain_wild_cards(NULL), 0);
	prj_set_log_callback(NULL, NULL, PRJ_LOG_DEBUG);
	prj_log(PRJ_LOG_ERROR, NULL);
	assert_string_not_equal(prj_version(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(missing_arguments_are_refused),
	        cmocka_unit_test(a_handle_that_does_not_run_is_refused),
	        cmocka_unit_test(wrong_structure_sizes_are_refused),
	        cmocka_unit_test(malformed_paths_are_refused),
	        cmocka_unit_test(a_buffer_takes_entries_until_it_is_full),
	        cmocka_unit_test(start_needs_its_callbacks),
	        cmocka_unit_test(start_options_are_checked),
	        cmocka_unit_test(a_directory_becomes_a_root_once_and_only_a_root_starts),
	        cmocka_unit_test(names_and_buffers_take_odd_arguments),
	};

	return cmocka_run_group_tests_name("api: arguments", tests, NULL, NULL);
}
