/* SPDX-License-Identifier: MIT */
/*
 * One report is one line: the id of the mistake, the callback, the path, what was seen, what to do.  The first hundred
 * of a kind are written, then the thousandth, the ten thousandth and so on; all are counted.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/checker_internal.h"
#include "util/log.h"

#define FIRST_REPORTS 100
#define SHOWN_PATH_MAX 300 /* bytes; of a longer path the end */

static const struct {
	const char *id;
	const char *advice;
} mistakes[N_MISTAKES] = {
	[LISTING_DISORDER] = {"listing-order",
		"sort as prj_file_name_compare() does, ties by bytes, or say another compare_order"},
	[LISTING_DUPLICATE] = {"listing-duplicate", "give each name once"},
	[LISTING_NAME] = {"listing-name",
		"a name has 1 to 255 bytes, no '/', and is neither \".\" nor \"..\" nor \".projfs\" in the root"},
	[LISTING_ENTRY_LOST] = {"listing-entry-lost",
		"when the buffer is full keep the entry that did not fit, and begin the next call with it"},
	[LISTING_BUFFER] = {"listing-buffer",
		"fill only the buffer of the running or pended get_directory_enumeration"},
	[LISTING_RESULT] = {"listing-result",
		"return PRJ_OK once an entry was added, and an empty buffer takes any entry; the listing failed "
		"with EIO"},
	[LISTED_NOT_FOUND] = {"listed-not-found", "listings and look-ups must agree on what exists"},
	[FOUND_NOT_LISTED] = {"found-not-listed", "listings and look-ups must agree on what exists"},
	[KIND_DIFFERS] = {"kind-differs",
		"give the same kind in both; for symbolic links use the functions that end in 2"},
	[SIZE_DIFFERS] = {"size-differs",
		"give the same file_size in both, or PRJ_FILE_SIZE_UNKNOWN in the listing"},
	[PLACEHOLDER_MISSING] = {"placeholder-missing",
		"call prj_write_placeholder_info() for the path asked for before PRJ_OK, or return "
		"PRJ_ERR_FILE_NOT_FOUND"},
	[PLACEHOLDER_PATH] = {"placeholder-path",
		"names are compared exactly: answer with data->file_path_name, or return "
		"PRJ_ERR_FILE_NOT_FOUND"},
	[BAD_ARGUMENT] = {"bad-argument", "prj.h says what the function takes"},
	[DATA_SHORT] = {"data-short",
		"deliver at least the bytes asked for before PRJ_OK, or return an error"},
	[DATA_OVERLAP] = {"data-overlap", "deliver each byte once in a command: does the offset advance?"},
	[DATA_BEYOND_END] = {"data-beyond-end",
		"stop at the file_size that was given; if the file has grown return PRJ_ERR_VIRTUALIZATION_BUSY"},
	[CONTENT_ID_REUSED] = {"content-id-reused",
		"another content needs another ContentID, or cached copies of the old one are taken for it"},
	[UNDOCUMENTED_CODE] = {"undocumented-code",
		"return a code that prj.h allows, prj_result_from_errno() for an errno; applications see EIO"},
	[COMPLETED_TWICE] = {"completed-twice", "complete each command once, and only after IO_PENDING"},
	[COMPLETED_UNKNOWN] = {"completed-unknown", "give the command_id of the callback's data"},
	[COMPLETED_NOT_PENDED] = {"completed-not-pended",
		"return PRJ_ERR_IO_PENDING from a callback that is completed with prj_complete_command()"},
	[COMPLETION_PARAMETERS] = {"completion-parameters",
		"complete a listing with its buffer in the ENUMERATION parameters; only a notification takes a "
		"mask"},
	[NEVER_COMPLETED] = {"never-completed",
		"complete every pended command with prj_complete_command(), also after a failure"},
	[SESSION_LEAK] = {"session-leak",
		"end_directory_enumeration frees what start_directory_enumeration made, and returns PRJ_OK"},
	[CALLBACK_SLOW] = {"callback-slow",
		"return PRJ_ERR_IO_PENDING and complete it from a thread of your own: it blocks one of few"},
};

static bool is_shown(uint64_t n)
{
	if (n <= FIRST_REPORTS)
		return true;
	while (n % 10 == 0)
		n /= 10;
	return n == 1;
}

/* 'of "path" ': of a long path the end. */
static void show_path(const char *path, char *ret, size_t size)
{
	size_t length = path ? strlen(path) : 0;
	const char *end = length > SHOWN_PATH_MAX ? path + length - SHOWN_PATH_MAX : path;

	ret[0] = '\0';
	if (path)
		(void)snprintf(ret, size, "of \"%s%s\" ", end == path ? "" : "...", end);
}

void report(struct checker *c, struct reports *reports, enum mistake mistake, const char *callback,
	    const char *path, const char *format, ...)
{
	char seen[512], where[SHOWN_PATH_MAX + 16], number[32] = "";
	uint64_t n = ++c->counts[mistake];
	va_list args;

	if (!is_shown(n) || reports->n == REPORTS_MAX)
		return;
	va_start(args, format);
	(void)vsnprintf(seen, sizeof(seen), format, args);
	va_end(args);
	show_path(path, where, sizeof(where));
	if (n > FIRST_REPORTS)
		(void)snprintf(number, sizeof(number), ", number %llu", (unsigned long long)n);
	if (asprintf(&reports->text[reports->n], "provider mistake (%s%s): %s %s%s; %s",
		     mistakes[mistake].id, number, callback, where, seen,
		     mistakes[mistake].advice) >= 0)
		reports->n++;
}

bool is_bad_argument(prj_result result)
{
	return result == PRJ_ERR_INVALID_PARAMETER || result == PRJ_ERR_INSUFFICIENT_BUFFER ||
	       result == PRJ_ERR_FILENAME_EXCED_RANGE || result == PRJ_ERR_INVALID_NAME;
}

void reports_write(struct reports *reports)
{
	for (size_t i = 0; i < reports->n; i++) {
		log_warning("%s", reports->text[i]);
		free(reports->text[i]);
	}
	reports->n = 0;
}

const char *live_note(const struct checker *c)
{
	return c->config.is_stable ? ""
				   : " (the view is live: if it changed in between, all is well)";
}

void checker_for_each_count(struct checker *c,
			    void (*each)(void *context, const char *id, uint64_t n), void *context)
{
	uint64_t counts[N_MISTAKES];

	pthread_mutex_lock(&c->lock);
	memcpy(counts, c->counts, sizeof(counts));
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < N_MISTAKES; i++)
		if (counts[i])
			each(context, mistakes[i].id, counts[i]);
}
