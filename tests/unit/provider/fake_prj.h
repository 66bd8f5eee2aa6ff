/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_PROVIDER_FAKE_PRJ_H
#define TESTS_UNIT_PROVIDER_FAKE_PRJ_H

/*
 * What a provider sees of projfs, as far as `dir` needs it: it keeps what it was given last, and can
 * disturb the source in the middle of a copy.
 */

#include <prj/provider.h>
#include <stdbool.h>

#define FAKE_MAX_ENTRIES 256
#define FAKE_MAX_XATTRS 8

struct fake_entry {
	char name[256];
	char target[256]; /* "" if the entry is not a link */
	struct prj_file_basic_info info;
};

struct prj_dir_entry_buffer {
	size_t capacity; /* in entries */
	size_t n_entries;
	struct fake_entry entries[FAKE_MAX_ENTRIES];
};

struct fake_prj {
	/* The last placeholder. */
	unsigned int n_placeholders;
	struct prj_placeholder_info info;
	char target[256];
	size_t n_xattrs;
	char xattr_names[FAKE_MAX_XATTRS][64];
	char xattr_values[FAKE_MAX_XATTRS][64];
	/* The last content. */
	unsigned int n_writes;
	char content[4096];
	size_t n_content;
	uint64_t byte_offset;
	uint32_t write_flags;
	/* When the content was copied: ns since the file changed, by the clock of file times. */
	int64_t age_ns;
	/* Called when half of the content is copied. */
	void (*in_the_middle)(void);
};

extern struct fake_prj fake;

/* The value that the status of @provider tells for @key, -1 if it does not. */
int64_t fake_status_of(const struct prj_provider_instance *provider, const char *key);

#endif
