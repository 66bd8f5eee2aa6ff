/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const struct store_mark mark = {.guid = {1, 2, 3}};

int fixture_setup_bare(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	(void)snprintf(f->path, sizeof(f->path), "%s/projfs-store-XXXXXX", tmp ? tmp : "/tmp");
	*state = f;
	setenv("PROJFS_BOOT_ID", "first", 1);
	return mkdtemp(f->path) ? 0 : -1;
}

int fixture_setup(void **state)
{
	struct errmsg err = {{0}};
	struct fixture *f;
	int r;

	if (fixture_setup_bare(state) < 0)
		return -1;
	f = *state;
	r = store_mark_root(f->path, &mark, false, &err);
	if (r == 0)
		r = store_open(f->path, &f->store, &err);
	if (r < 0)
		print_error("%s\n", err.text);
	return r;
}

int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	store_free(f->store);
	remove_tree(f->path);
	free(f);
	unsetenv("PROJFS_BOOT_ID");
	unsetenv("PROJFS_DISABLE");
	return 0;
}

void fixture_reopen(struct fixture *f)
{
	struct errmsg err = {{0}};

	f->store = store_free(f->store);
	if (store_open(f->path, &f->store, &err) < 0)
		fail_msg("%s", err.text);
}

void fixture_reboot(struct fixture *f)
{
	static int n_boots;
	char boot[32];

	(void)snprintf(boot, sizeof(boot), "boot %d", ++n_boots);
	setenv("PROJFS_BOOT_ID", boot, 1);
	fixture_reopen(f);
}

const char *fixture_at(const struct fixture *f, const char *name)
{
	static char paths[8][8192];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", f->path, name);
	return path;
}

void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	if (S_ISDIR(st->st_mode))
		(void)chmod(path, 0700);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)remove(path);
	return 0;
}

void remove_tree(const char *path)
{
	(void)nftw(path, open_up, 16, FTW_PHYS);
	(void)nftw(path, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

struct record_bytes bytes_of(const char *text)
{
	return (struct record_bytes){(const uint8_t *)text, strlen(text)};
}

struct record file_record(size_t size)
{
	return (struct record){
	        .kind = RECORD_FILE,
	        .fields = RECORD_SIZE | RECORD_MODE | RECORD_MTIME | RECORD_CONTENT_ID,
	        .size = size,
	        .mode = 0644,
	        .mtime = {MTIME_SEC, MTIME_NSEC},
	        .content_id = bytes_of("v1"),
	};
}

struct record dir_record(void)
{
	return (struct record){
	        .kind = RECORD_DIRECTORY,
	        .fields = RECORD_MODE | RECORD_MTIME,
	        .mode = 0755,
	        .mtime = {MTIME_SEC, MTIME_NSEC},
	};
}

int hydrate(struct store *s, const char *path, const char *text, const struct record *rec)
{
	struct record plain = file_record(strlen(text));
	struct stage *stage;
	int r;

	r = store_stage_new(s, path, &stage);
	if (r < 0)
		return r;
	assert_int_equal(write(stage_fd(stage), text, strlen(text)), strlen(text));
	r = store_stage_commit(s, stage, PLACE(path), rec ? rec : &plain, NULL);
	stage_free(stage);
	return r;
}

enum store_state state_of(struct store *s, const char *path)
{
	struct store_item item;
	enum store_state state;

	assert_int_equal(store_lookup(s, path, &item), 0);
	state = item.state;
	store_item_deinit(&item);
	return state;
}

int count_private(const struct fixture *f, const char *folder)
{
	char name[64];
	DIR *dir;
	int n = 0;

	(void)snprintf(name, sizeof(name), ".projfs/%s", folder);
	dir = opendir(fixture_at(f, name));
	if (!dir)
		return 0;
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

bool becomes_empty(const struct fixture *f, const char *folder)
{
	for (int i = 0; i < 10000; i++) {
		if (count_private(f, folder) == 0)
			return true;
		(void)poll(NULL, 0, 1); /* the thread that empties it tells nobody */
	}
	return false;
}
