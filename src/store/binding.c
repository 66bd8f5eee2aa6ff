/* SPDX-License-Identifier: MIT */
/*
 * What ties a record to its item: hashes of what fstat() says, and of the item's place, which is its path
 * as the provider knows it.  So a file that was changed, copied or moved while nothing ran is seen to be
 * the user's, and one that a directory above has carried along is not.  Each kind of item has a letter.
 */
#include <string.h>

#include "store/internal.h"

#define NUMBERS_MAX 5

/* In an order that is the same on every machine. */
static uint64_t hash_numbers(const struct store *s, const uint64_t *numbers, size_t n)
{
	uint8_t bytes[NUMBERS_MAX * 8];

	for (size_t i = 0; i < n * 8; i++)
		bytes[i] = (uint8_t)(numbers[i / 8] >> (i % 8 * 8));
	return hash_bytes(&s->key, bytes, n * 8);
}

uint64_t place_of(const struct store *s, const struct record *rec, const char *origin)
{
	char own[PATH_MAX_BYTES + 1];

	if (!(rec->fields & RECORD_ORIGIN))
		return store_identity(s, origin, 0);
	memcpy(own, rec->origin.data, rec->origin.size); /* a valid path is not longer */
	own[rec->origin.size] = '\0';
	return store_identity(s, own, 0);
}

uint64_t binding_of_file(const struct store *s, const struct stat *st, uint64_t place)
{
	const uint64_t numbers[] = {'f', st->st_ino, (uint64_t)st->st_mtim.tv_sec,
	                            (uint64_t)st->st_mtim.tv_nsec, place};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint64_t binding_of_directory(const struct store *s, const struct stat *st, uint64_t place)
{
	const uint64_t numbers[] = {'d', st->st_ino, place};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint32_t binding_of_meta(const struct store *s, const struct stat *st)
{
	const uint64_t numbers[] = {'m', st->st_mode & 07777, st->st_uid, st->st_gid};

	return (uint32_t)hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint64_t binding_of_inode(const struct store *s, const struct stat *st)
{
	const uint64_t numbers[] = {'u', st->st_ino};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

uint64_t binding_of_marker(const struct store *s, const struct stat *dir, const char *name)
{
	const uint64_t numbers[] = {'p', dir->st_ino, hash_bytes(&s->key, name, strlen(name))};

	return hash_numbers(s, numbers, ARRAY_SIZE(numbers));
}

bool reference_is_own(const struct store *s, const struct record *reference, const struct stat *st)
{
	return reference->fields & RECORD_IDENTITY &&
	       reference->identity == binding_of_inode(s, st);
}
