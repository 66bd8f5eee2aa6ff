/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture fixture;

void make_file(const char *path, const char *content)
{
	size_t length = strlen(content);
	int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, length), length);
	assert_int_equal(close(fd), 0);
}

void make_directory(const char *path)
{
	assert_int_equal(mkdir(path, 0755), 0);
}

void make_link(const char *path, const char *target)
{
	assert_int_equal(symlink(target, path), 0);
}

void move(const char *from, const char *to)
{
	assert_int_equal(rename(from, to), 0);
}

static void keep_message(void *context, const char *message)
{
	(void)snprintf(context, sizeof(fixture.message), "%s", message);
}

prj_result open_provider(const char *path, int is_stable, struct prj_provider_instance *ret)
{
	struct prj_option_value stable = {.is_set = 1, .integer = is_stable};
	struct prj_provider_args args = {
	        .struct_size = sizeof(args),
	        .source = path,
	        .options = &stable,
	        .n_options = 1,
	        .set_error = keep_message,
	        .error_context = fixture.message,
	};

	*ret = (struct prj_provider_instance){.struct_size = sizeof(*ret)};
	return prj_provider_descriptor.open(&args, ret);
}

int fixture_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	fake = (struct fake_prj){0};
	fixture = (struct fixture){0};
	(void)snprintf(fixture.folder, sizeof(fixture.folder), "%s/projfs-dir-XXXXXX",
	               tmp ? tmp : "/tmp");
	if (!mkdtemp(fixture.folder) || chmod(fixture.folder, 0755) < 0 ||
	    chdir(fixture.folder) < 0 || mkdir("source", 0755) < 0)
		return -1;
	return PRJ_FAILED(open_provider("source", 0, &fixture.provider)) ? -1 : 0;
}

static int remove_item(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int fixture_teardown(void **state)
{
	prj_provider_descriptor.close(fixture.provider.context);
	if (chdir("/") < 0)
		return -1;
	return nftw(fixture.folder, remove_item, 16, FTW_DEPTH | FTW_PHYS);
}

static struct prj_callback_data data_for(const char *path)
{
	return (struct prj_callback_data){
	        .struct_size = sizeof(struct prj_callback_data),
	        .file_path_name = path,
	        .current_path_name = path,
	        .instance_context = fixture.provider.context,
	};
}

prj_result start(uint8_t session, const char *path)
{
	struct prj_callback_data data = data_for(path);
	struct prj_guid id = {{session}};

	return fixture.provider.callbacks.start_directory_enumeration(&data, &id);
}

prj_result get(uint8_t session, const char *expression, uint32_t flags, size_t capacity)
{
	struct prj_callback_data data = data_for("");
	struct prj_guid id = {{session}};

	data.flags = flags;
	fixture.buffer.n_entries = 0;
	fixture.buffer.capacity = capacity;
	return fixture.provider.callbacks.get_directory_enumeration(&data, &id, expression,
	                                                            &fixture.buffer);
}

prj_result end(uint8_t session)
{
	struct prj_callback_data data = data_for("");
	struct prj_guid id = {{session}};

	return fixture.provider.callbacks.end_directory_enumeration(&data, &id);
}

prj_result ask_placeholder(const char *path)
{
	struct prj_callback_data data = data_for(path);

	return fixture.provider.callbacks.get_placeholder_info(&data);
}

prj_result query(const char *path)
{
	struct prj_callback_data data = data_for(path);

	return fixture.provider.callbacks.query_file_name(&data);
}

prj_result ask_data(const char *path, uint64_t byte_offset, uint32_t length)
{
	struct prj_callback_data data = data_for(path);
	struct prj_placeholder_version_info version = fake.info.version_info;

	data.version_info = &version;
	return fixture.provider.callbacks.get_file_data(&data, byte_offset, length);
}

int64_t status(const char *key)
{
	return fake_status_of(&fixture.provider, key);
}

const char *names(void)
{
	static char text[4096];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < fixture.buffer.n_entries && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
		                         fixture.buffer.entries[i].name);
	return text;
}

const char *list(const char *path)
{
	assert_int_equal(start(250, path), PRJ_OK);
	assert_int_equal(get(250, NULL, 0, FAKE_MAX_ENTRIES), PRJ_OK);
	assert_int_equal(end(250), PRJ_OK);
	return names();
}
