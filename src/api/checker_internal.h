/* SPDX-License-Identifier: MIT */
#ifndef PROJFS_API_CHECKER_INTERNAL_H
#define PROJFS_API_CHECKER_INTERNAL_H

/*
 * The parts of the checker.  Each hook takes checker->lock, compares, collects reports, lets go of the lock and only
 * then writes them.  The one other lock, that of the listing buffers, is the outer one.
 */

#include <pthread.h>

#include "api/checker.h"
#include "core/command.h"
#include "core/ranges.h"
#include "util/hash.h"
#include "util/list.h"
#include "util/macros.h"
#include "util/name.h"

/* What can be wrong; checker_report.c has the public ids and the advice. */
enum mistake {
	LISTING_DISORDER,
	LISTING_DUPLICATE,
	LISTING_NAME,
	LISTING_ENTRY_LOST,
	LISTING_BUFFER,
	LISTING_RESULT,
	LISTED_NOT_FOUND,
	FOUND_NOT_LISTED,
	KIND_DIFFERS,
	SIZE_DIFFERS,
	PLACEHOLDER_MISSING,
	PLACEHOLDER_PATH,
	BAD_ARGUMENT,
	DATA_SHORT,
	DATA_OVERLAP,
	DATA_BEYOND_END,
	CONTENT_ID_REUSED,
	UNDOCUMENTED_CODE,
	COMPLETED_TWICE,
	COMPLETED_UNKNOWN,
	COMPLETED_NOT_PENDED,
	COMPLETION_PARAMETERS,
	NEVER_COMPLETED,
	SESSION_LEAK,
	CALLBACK_SLOW,
	N_MISTAKES,
};

/* Reports that wait for the lock to be let go. */
#define REPORTS_MAX 8
struct reports {
	char *text[REPORTS_MAX]; /* owned */
	size_t n;
};

struct listed_session;

/* A callback that runs, or was pended. */
struct active {
	struct list link;
	struct active *hash_next;
	int32_t id;
	enum command_kind kind;
	const char *name;           /* of the callback */
	char *path;                 /* owned */
	uint64_t path_hash;
	uint64_t began_ms;
	uint64_t pended_since_ms;   /* 0: it still runs */
	bool is_slow;               /* reported */
	bool is_overdue;            /* reported */
	bool is_cancelled;
	bool is_completed;          /* before it returned */
	/* enumerations */
	uint64_t session_id;
	const struct dir_buffer *buffer;
	size_t n_entries;
	bool is_full;
	/* placeholders: what was written */
	char *similar;              /* owned: a placeholder of nearly the same path, meanwhile */
	bool is_answered;
	uint8_t answered_kind;
	bool has_answered_size;
	uint64_t answered_size;
	/* data */
	uint64_t offset, length;
	bool has_size;
	uint64_t size;              /* of the file */
	struct ranges delivered;
	bool is_untold;             /* too many pieces to remember */
	int write_error;            /* of a delivery that failed */
	uint64_t content_key;       /* 0: no ContentID */
	struct hash_state hash;     /* of what came in order, from 0 on */
	uint64_t hashed;            /* bytes */
	bool is_hashing, is_unordered;
};

#define ACTIVE_BUCKETS 1024
#define SESSION_BUCKETS 256
#define CANCELLED_MAX 1024 /* as many as the core remembers */
#define PAST_MAX 256

/* A callback that has ended, to name it when it is completed once more. */
struct past {
	int32_t id;
	const char *name;
	char *path; /* owned */
};

struct checker {
	struct checker_config config;
	uint64_t counts[N_MISTAKES]; /* lock, as all that follows */
	pthread_mutex_t lock;

	struct active *active[ACTIVE_BUCKETS];
	struct list all_active;
	int32_t cancelled[CANCELLED_MAX]; /* ring */
	unsigned next_cancelled;
	struct past past[PAST_MAX]; /* ring */
	unsigned next_past;
	int32_t newest_id;
	struct listed_session *sessions[SESSION_BUCKETS];
	struct items *items;
	struct contents *contents;
	bool is_stopping;

	pthread_t watcher;
	pthread_cond_t late;
	uint64_t wake_ms; /* when the watcher looks again; UINT64_MAX: when it is told */
	bool quit;
};

/* ---- checker_report.c --------------------------------------------------------------------------- */

/* Count it, and keep the text for reports_write() unless there were too many.  The caller holds the lock.  @path may be
 * NULL. */
void report(struct checker *c, struct reports *reports, enum mistake mistake, const char *callback,
	    const char *path, const char *format, ...) _printf_(6, 7);
/* Without a lock. */
void reports_write(struct reports *reports);
/* An answer was refused with this: is that the provider's mistake, rather than a lack of memory, say? */
bool is_bad_argument(prj_result result);
/* What a report on two answers of a live view adds. */
const char *live_note(const struct checker *c);

/* ---- checker_command.c -- the caller holds the lock ------------------------------------------------ */

struct active *active_find(struct checker *c, int32_t id);
void commands_forget(struct checker *c);

/* ---- checker_late.c -- the caller holds the lock ---------------------------------------------------- */

/* The watcher woke up: report what is late, set wake_ms. */
void active_look(struct checker *c, struct reports *reports);
/* Let it look then, or earlier. */
void wake_watcher_at(struct checker *c, uint64_t ms);
/* When it will be late, UINT64_MAX if it cannot be any more. */
uint64_t deadline_of(const struct checker *c, const struct active *a);
/* How long it may be pended. */
uint64_t pended_limit(const struct checker *c, const struct active *a);
void report_slow(struct checker *c, struct reports *reports, struct active *a, uint64_t now,
		 const char *what);
void report_overdue(struct checker *c, struct reports *reports, struct active *a, uint64_t now,
		    const char *why);

/* ---- checker_placeholder.c -- the caller holds the lock ----------------------------------------------- */

void placeholder_ended(struct checker *c, struct reports *reports, const struct active *a,
		       prj_result result);
void query_ended(struct checker *c, struct reports *reports, const struct active *a,
		 prj_result result);

/* ---- checker_listing.c ------------------------------------------------------------------------------ */

/*
 * The provider may fill @buffer for this command, and from buffer_taken() on not any more; if that comes late, and the
 * memory is another command's buffer by then, it does nothing.  Without the lock.
 */
void buffer_given(struct checker *c, const struct dir_buffer *buffer, int32_t command_id);
void buffer_taken(const struct dir_buffer *buffer, int32_t command_id, bool is_cancelled);
void buffers_forget(const struct checker *c);
/* What the callbacks of a session came to; the caller holds the lock. */
void listing_started(struct checker *c, struct reports *reports, const struct active *a,
		     prj_result result);
void listing_begun(struct checker *c, const struct active *a, bool is_restart);
void listing_got(struct checker *c, struct reports *reports, const struct active *a,
		 prj_result result);
void listing_ended(struct checker *c, struct reports *reports, const struct active *a,
		   prj_result result);
void sessions_free(struct checker *c);

/* ---- checker_item.c: what listings and look-ups said of one name -- the caller holds the lock -------- */

struct item_facts {
	uint8_t kind; /* enum record_kind; 0: unknown */
	bool has_size;
	uint64_t size;
};

struct items *items_new(void);
struct items *items_free(struct items *items);
void items_clear(struct items *items);
/* The moment before all that this listing gives. */
uint64_t items_listing_begins(struct items *items, const char *dir);
/* false: this listing, which began at @since, had it already. */
bool items_listed(struct checker *c, struct reports *reports, const char *callback, const char *dir,
		  const char *name, const struct item_facts *facts, uint64_t session_id,
		  uint64_t since);
/* The listing of @dir that began at @since is complete. */
void items_complete(struct checker *c, struct reports *reports, const char *callback,
		    const char *dir, uint64_t since);
void items_found(struct checker *c, struct reports *reports, const char *callback,
		 const char *path, const struct item_facts *facts);
void items_absent(struct checker *c, struct reports *reports, const char *callback,
		  const char *path);

/* ---- checker_data.c -- the caller holds the lock ------------------------------------------------------ */

struct contents *contents_new(void);
struct contents *contents_free(struct contents *contents);
void data_ended(struct checker *c, struct reports *reports, const struct active *a,
		prj_result result);
/* 0 if it has no ContentID. */
uint64_t content_key_of(const struct record *rec);
/* The file @path has this ContentID and size. */
void content_sized(struct checker *c, struct reports *reports, const char *callback,
		   const char *path, uint64_t key, uint64_t size);

#endif
