/* SPDX-License-Identifier: MIT */
/*
 * Taking a root into use: its mark says that it is one, its lock that nobody else uses it.  What a
 * former instance left behind is moved aside, never searched, so that a start takes the same time
 * however large the tree.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

#include "store/internal.h"

struct store *store_new(bool readonly)
{
	struct store *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (struct store){.root = -1, .private = -1, .lock = -1, .readonly = readonly};
	epoch_init(&s->epochs);
	pthread_mutex_init(&s->generations.lock, NULL);
	pthread_mutex_init(&s->mode_lock, NULL);
	pthread_mutex_init(&s->remove_lock, NULL);
	pthread_mutex_init(&s->rename_lock, NULL);
	pthread_mutex_init(&s->clean_lock, NULL);
	pthread_cond_init(&s->clean_wake, NULL);
	return s;
}

struct store *store_free(struct store *s)
{
	if (!s)
		return NULL;
	clean_stop(s);
	step_end();
	closep(&s->lock);
	closep(&s->private);
	closep(&s->root);
	pthread_cond_destroy(&s->clean_wake);
	pthread_mutex_destroy(&s->clean_lock);
	pthread_mutex_destroy(&s->rename_lock);
	pthread_mutex_destroy(&s->remove_lock);
	pthread_mutex_destroy(&s->mode_lock);
	pthread_mutex_destroy(&s->generations.lock);
	free(s->generations.list);
	epoch_deinit(&s->epochs);
	free(s);
	return NULL;
}

void store_freep(struct store **s)
{
	store_free(*s);
}

/* ---- the steps of opening --------------------------------------------------------------------- */

static int open_folders(struct store *s, const char *path, struct errmsg *err)
{
	int r;

	s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0) {
		r = -errno;
		return errmsg_set(err, r, "cannot open the root '%s': %s", path, strerror(-r));
	}
	s->private =
	        openat(s->root, STORE_PRIVATE, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->private >= 0)
		return 0;
	r = -errno;
	if (r == -ENOENT || r == -ENOTDIR)
		return errmsg_set(err, -ENODATA,
		                  "'%s' is no projfs root: it was never mounted with "
		                  "projfs, or its '" STORE_PRIVATE "' folder was removed",
		                  path);
	return errmsg_set(err, r, "cannot open '%s/" STORE_PRIVATE "': %s%s", path, strerror(-r),
	                  r == -EACCES ? "; it belongs to the user who made the root" : "");
}

static int read_mark(struct store *s, const char *path, struct errmsg *err)
{
	const uint32_t needed = RECORD_GUID | RECORD_HASH_KEY;
	_cleanup_(buf_deinit) struct buf b = {0};
	struct record rec;
	int r;

	r = private_load(s, "root", &b);
	if (r == -ENOENT)
		return errmsg_set(err, -ENODATA,
		                  "'%s' is no projfs root: it has no '" STORE_PRIVATE "/root'",
		                  path);
	if (r == 0)
		r = record_decode(b.data, b.size, &rec);
	if (r == 0 && (rec.kind != RECORD_ROOT || (rec.fields & needed) != needed))
		r = -EBADMSG;
	if (r == -EPROTONOSUPPORT)
		return errmsg_set(err, r,
		                  "the root '%s' was made by a newer version of projfs: "
		                  "use that one",
		                  path);
	if (r == -EBADMSG)
		return errmsg_set(err, r,
		                  "'%s/" STORE_PRIVATE "/root' is damaged: restore it from a "
		                  "backup, or move '" STORE_PRIVATE
		                  "' away and mount with -o adopt",
		                  path);
	if (r < 0)
		return errmsg_set(err, r, "cannot read '%s/" STORE_PRIVATE "/root': %s", path,
		                  strerror(-r));
	memcpy(s->guid, rec.guid, sizeof(s->guid));
	s->key = (struct hash_key){rec.hash_key[0], rec.hash_key[1]};
	return 0;
}

static int take_lock(struct store *s, const char *path, struct errmsg *err)
{
	int r;

	s->lock = openat(s->private, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->lock >= 0 && flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	r = -errno;
	if (r == -EWOULDBLOCK)
		return errmsg_set(err, -EBUSY,
		                  "the root '%s' is in use by another instance: "
		                  "end that one first (projfs umount '%s')",
		                  path, path);
	if (r == -EROFS)
		return errmsg_set(err, r,
		                  "cannot use the root '%s': its file system is read-only, "
		                  "and projfs keeps what it fetches there; mount it writable",
		                  path);
	return errmsg_set(err, r, "cannot lock '%s/" STORE_PRIVATE "/lock': %s%s", path,
	                  strerror(-r),
	                  r == -EACCES ? "; run projfs as the user who made the root" : "");
}

/* An attribute that is absent tells from a file system that has none. */
static int check_attributes(struct store *s, const char *path, struct errmsg *err)
{
	char value[RECORD_XATTR_MAX];

	if (fgetxattr(s->private, RECORD_XATTR, value, sizeof(value)) >= 0 || errno != EOPNOTSUPP)
		return 0;
	return errmsg_set(
	        err, -ENOTSUP,
	        "cannot use the root '%s': its file system has no user "
	        "extended attributes, where projfs keeps its records; put the root on ext4, "
	        "xfs, btrfs or a recent tmpfs",
	        path);
}

static uint32_t read_alignment(const struct store *s)
{
	struct statvfs v;

	if (fstatvfs(s->private, &v) < 0 || v.f_bsize == 0 || v.f_bsize & (v.f_bsize - 1) ||
	    v.f_bsize > 1024 * 1024)
		return 4096;
	return (uint32_t)v.f_bsize;
}

static bool folder_has_something(struct store *s, const char *name)
{
	int fd = openat(s->private, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!listing) {
		closep(&fd);
		return false;
	}
	for (struct dirent *e; !found && (e = readdir(listing));)
		found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	(void)closedir(listing);
	return found;
}

static int move_leftovers(struct store *s, const char *path, struct errmsg *err)
{
	int r = 0;

	if (folder_has_something(s, "tmp"))
		r = clean_move(s, s->private, "tmp");
	if (r == 0 && folder_has_something(s, "open"))
		r = clean_move(s, s->private, "open");
	if (r == 0 && folder_has_something(s, "old"))
		clean_start(s);
	if (r < 0)
		return errmsg_set(err, r,
		                  "cannot move leftovers in '%s/" STORE_PRIVATE "' aside: %s",
		                  path, strerror(-r));
	return 0;
}

/* Is @feature in the comma-separated list of PROJFS_DISABLE? */
static bool is_disabled(const char *feature)
{
	const char *p = secure_getenv("PROJFS_DISABLE");
	size_t n = strlen(feature);

	while (p && *p) {
		size_t length = strcspn(p, ",");

		if (length == n && strncmp(p, feature, n) == 0)
			return true;
		p += length + (p[length] == ',');
	}
	return false;
}

static int open_common(struct store *s, const char *path, struct errmsg *err)
{
	uint64_t first;
	int r;

	if (getrandom(&first, sizeof(first), 0) != sizeof(first))
		return errmsg_set(err, -EIO, "cannot open the root '%s': no random numbers", path);
	atomic_store(&s->next_name, first);
	atomic_store(&s->no_tmpfile, is_disabled("tmpfile"));
	s->no_exchange = is_disabled("exchange");
	r = open_folders(s, path, err);
	if (r == 0)
		step_begin(s->private);
	if (r == 0)
		r = read_mark(s, path, err);
	if (r == 0)
		moved_load(s);
	return r;
}

static int load_epochs(struct store *s, const char *path, struct errmsg *err)
{
	int r = epoch_load(s);

	if (r < 0)
		return errmsg_set(err, r,
		                  "cannot read or write '%s/" STORE_PRIVATE "/" EPOCH_FILE "': %s",
		                  path, strerror(-r));
	r = generations_load(s);
	if (r < 0)
		return errmsg_set(err, r, "cannot read '%s/" STORE_PRIVATE "/generations': %s", path,
		                  strerror(-r));
	atomic_store(&s->has_records, folder_has_something(s, "rec"));
	s->alignment = read_alignment(s);
	return 0;
}

int store_open(const char *path, struct store **ret, struct errmsg *err)
{
	_cleanup_(store_freep) struct store *s = store_new(false);
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "cannot open the root '%s': out of memory", path);
	r = open_common(s, path, err);
	if (r == 0)
		r = take_lock(s, path, err);
	if (r == 0)
		r = check_attributes(s, path, err);
	if (r == 0)
		r = load_epochs(s, path, err);
	if (r == 0)
		r = intent_recover(s, path, err);
	if (r == 0)
		r = move_leftovers(s, path, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&s);
	return 0;
}

int store_open_readonly(const char *path, struct store **ret, struct errmsg *err)
{
	_cleanup_(store_freep) struct store *s = store_new(true);
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "cannot open the root '%s': out of memory", path);
	r = open_common(s, path, err);
	if (r == 0)
		r = load_epochs(s, path, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&s);
	return 0;
}

int store_root_fd(const struct store *s)
{
	return s->root;
}

void store_guid(const struct store *s, uint8_t ret_guid[16])
{
	memcpy(ret_guid, s->guid, sizeof(s->guid));
}

uint32_t store_write_alignment(const struct store *s)
{
	return s->alignment;
}

/* The top bit keeps these apart from the inode numbers of disks, which do not reach it. */
uint64_t store_identity(const struct store *s, const char *origin, uint32_t generation)
{
	struct hash_key key = s->key;

	key.k1 ^= generation;
	return hash_bytes(&key, origin, strlen(origin)) | UINT64_C(1) << 63;
}
