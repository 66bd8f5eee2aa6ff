/* SPDX-License-Identifier: MIT */
#ifndef PRJ_PRJ_H
#define PRJ_PRJ_H

/**
 * @file prj.h
 * libprojfs: write a provider, project it into a directory.
 *
 * A provider fills in struct prj_callbacks, marks a directory as a virtualization root once with
 * prj_mark_directory_as_placeholder(), and calls prj_start_virtualizing().  From then on projfs calls
 * back for listings, for items and for content, until prj_stop_virtualizing().
 *
 * The interface is that of the Windows Projected File System, call by call and number by number,
 * with these differences everywhere: strings are NUL-terminated bytes (UTF-8 by custom, any byte but NUL
 * by right), paths use '/', names are compared exactly, structures that grow begin with struct_size
 * (set it to sizeof the structure), and POSIX facts (mode, owner, nanoseconds, links, extended
 * attributes) have a place.
 *
 * Relative paths are relative to the virtualization root, without '/' at either end; "" is the root.
 *
 * Threads: every function may be called from any thread and from inside callbacks, unless it says
 * otherwise.  Memory that a callback is given is valid until the callback returns; what a function is
 * given is copied before it returns.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define PRJ_EXPORT __attribute__((visibility("default")))
#else
#define PRJ_EXPORT
#endif

/* ---- Results -------------------------------------------------------------------------- */

/** 0 or a negative number: the HRESULT that Windows has for the same case. */
typedef int32_t prj_result;

#define PRJ_RESULT(x) ((prj_result)(x))
#define PRJ_SUCCEEDED(r) ((r) >= 0)
#define PRJ_FAILED(r) ((r) < 0)

#define PRJ_OK PRJ_RESULT(0)
#define PRJ_ERR_FILE_NOT_FOUND PRJ_RESULT(0x80070002u)
#define PRJ_ERR_PATH_NOT_FOUND PRJ_RESULT(0x80070003u)
#define PRJ_ERR_ACCESS_DENIED PRJ_RESULT(0x80070005u)
#define PRJ_ERR_INVALID_HANDLE PRJ_RESULT(0x80070006u)
#define PRJ_ERR_OUT_OF_MEMORY PRJ_RESULT(0x8007000Eu)
#define PRJ_ERR_WRITE_PROTECT PRJ_RESULT(0x80070013u)
#define PRJ_ERR_SHARING_VIOLATION PRJ_RESULT(0x80070020u)
#define PRJ_ERR_NOT_SUPPORTED PRJ_RESULT(0x80070032u)
#define PRJ_ERR_FILE_EXISTS PRJ_RESULT(0x80070050u)
#define PRJ_ERR_INVALID_PARAMETER PRJ_RESULT(0x80070057u)
#define PRJ_ERR_DISK_FULL PRJ_RESULT(0x80070070u)
#define PRJ_ERR_INSUFFICIENT_BUFFER PRJ_RESULT(0x8007007Au)
#define PRJ_ERR_INVALID_NAME PRJ_RESULT(0x8007007Bu)
#define PRJ_ERR_DIR_NOT_EMPTY PRJ_RESULT(0x80070091u)
#define PRJ_ERR_BUSY PRJ_RESULT(0x800700AAu)
#define PRJ_ERR_ALREADY_EXISTS PRJ_RESULT(0x800700B7u)
#define PRJ_ERR_FILENAME_EXCED_RANGE PRJ_RESULT(0x800700CEu)
#define PRJ_ERR_DIRECTORY PRJ_RESULT(0x8007010Bu)
#define PRJ_ERR_OFFSET_ALIGNMENT_VIOLATION PRJ_RESULT(0x80070147u)
#define PRJ_ERR_VIRTUALIZATION_UNAVAILABLE PRJ_RESULT(0x80070171u)
#define PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT PRJ_RESULT(0x80070172u)
#define PRJ_ERR_VIRTUALIZATION_BUSY PRJ_RESULT(0x80070173u)
#define PRJ_ERR_VIRTUALIZATION_PROVIDER_UNKNOWN PRJ_RESULT(0x80070174u)
#define PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION PRJ_RESULT(0x80070181u)
#define PRJ_ERR_OPERATION_ABORTED PRJ_RESULT(0x800703E3u)
#define PRJ_ERR_IO_PENDING PRJ_RESULT(0x800703E5u)
#define PRJ_ERR_IO_DEVICE PRJ_RESULT(0x8007045Du)
#define PRJ_ERR_NOT_FOUND PRJ_RESULT(0x80070490u)
#define PRJ_ERR_ALREADY_INITIALIZED PRJ_RESULT(0x800704DFu)
#define PRJ_ERR_INTERNAL_ERROR PRJ_RESULT(0x8007054Fu)
#define PRJ_ERR_TIMEOUT PRJ_RESULT(0x800705B4u)
#define PRJ_ERR_REPARSE_TAG_MISMATCH PRJ_RESULT(0x8007112Au)
#define PRJ_ERR_REPARSE_POINT_ENCOUNTERED PRJ_RESULT(0x8007112Bu)
/** HRESULT_FROM_NT(STATUS_CANNOT_DELETE): the customary veto of a deletion (EPERM). */
#define PRJ_ERR_CANNOT_DELETE PRJ_RESULT(0xD0000121u)

/**
 * The result for an errno, for providers that call POSIX functions.
 * @param error  a positive errno
 * @returns the documented code that reaches applications as that errno where there is one
 *          (ENOENT, EACCES, ENOMEM, EINVAL, ENOSPC, ETIMEDOUT, ...), else PRJ_ERR_IO_DEVICE (EIO).
 */
PRJ_EXPORT prj_result prj_result_from_errno(int error);

/** The errno that an application sees for @p result; 0 for PRJ_OK, EIO for what is not documented. */
PRJ_EXPORT int prj_result_to_errno(prj_result result);

/** "FILE_NOT_FOUND" and the like; a static string, never NULL. */
PRJ_EXPORT const char *prj_result_name(prj_result result);

/**
 * What went wrong in the last projfs call that failed on this thread, for a person: operation, path,
 * cause, what to do.  "" when there is nothing to add.  Valid until the thread's next projfs call.
 */
PRJ_EXPORT const char *prj_last_error_message(void);

/** "0.1.0" */
PRJ_EXPORT const char *prj_version(void);

/* ---- Basic types ---------------------------------------------------------------------- */

/** One running virtualization instance. */
typedef struct prj_instance prj_instance;

/** Where a get-directory-enumeration callback puts its entries. */
typedef struct prj_dir_entry_buffer prj_dir_entry_buffer;

struct prj_guid {
	uint8_t bytes[16];
};

/** A random (version 4) GUID. */
PRJ_EXPORT void prj_guid_generate(struct prj_guid *ret_guid);

/** A time; both members 0 mean "now" where a provider gives it. */
struct prj_time {
	int64_t sec;   /**< since 1970-01-01 00:00 UTC, may be negative */
	uint32_t nsec; /**< 0 to 999,999,999 */
	uint32_t reserved;
};

#define PRJ_PLACEHOLDER_ID_LENGTH 128

/**
 * The version of an item, opaque to projfs but for one test: an update with the ContentID that an item
 * already has does nothing.  Pad with zeros; trailing zeros do not count.
 */
struct prj_placeholder_version_info {
	uint8_t provider_id[PRJ_PLACEHOLDER_ID_LENGTH];
	uint8_t content_id[PRJ_PLACEHOLDER_ID_LENGTH];
};

/** Windows file attribute bits (FILE_ATTRIBUTE_*), kept as given. READONLY takes the write bits away
 * from an item whose mode is not given. */
#define PRJ_FILE_ATTRIBUTE_READONLY 0x1u
#define PRJ_FILE_ATTRIBUTE_HIDDEN 0x2u
#define PRJ_FILE_ATTRIBUTE_SYSTEM 0x4u
#define PRJ_FILE_ATTRIBUTE_DIRECTORY 0x10u
#define PRJ_FILE_ATTRIBUTE_ARCHIVE 0x20u
#define PRJ_FILE_ATTRIBUTE_NORMAL 0x80u

/** Which of the POSIX facts in struct prj_file_basic_info are given. */
enum prj_basic_info_valid {
	PRJ_BASIC_INFO_MODE = 0x1,  /**< else 0644 for files, 0755 for directories */
	PRJ_BASIC_INFO_OWNER = 0x2, /**< uid and gid; else the owner of the root */
};

/** file_size of a file whose size is only known once its content has been fetched. */
#define PRJ_FILE_SIZE_UNKNOWN INT64_C(-1)

struct prj_file_basic_info {
	uint32_t struct_size;
	uint8_t is_directory; /**< decides; PRJ_FILE_ATTRIBUTE_DIRECTORY is ignored */
	uint8_t reserved[3];
	int64_t file_size; /**< bytes; for directories what st_size shall show, 0 for 4096 */
	struct prj_time creation_time;
	struct prj_time last_access_time;
	struct prj_time last_write_time;
	struct prj_time change_time;
	uint32_t file_attributes;
	uint32_t valid; /**< enum prj_basic_info_valid */
	uint32_t mode;  /**< 07777: permissions, set-id and sticky bits */
	uint32_t uid;   /**< honoured when the instance may change owners (root) */
	uint32_t gid;
	uint32_t reserved2;
};

struct prj_placeholder_info {
	uint32_t struct_size;
	uint32_t reserved;
	struct prj_file_basic_info file_basic_info;
	struct prj_placeholder_version_info version_info;
};

struct prj_xattr {
	const char *name; /**< "user.…" */
	const void *value;
	size_t size;      /**< bytes */
};

enum prj_ext_info_type {
	PRJ_EXT_INFO_TYPE_SYMLINK = 1, /**< the item is a symbolic link */
	PRJ_EXT_INFO_TYPE_XATTRS = 2,  /**< our addition: user extended attributes */
	PRJ_EXT_INFO_TYPE_BLOB = 3,    /**< our addition: opaque bytes kept with the item */
};

/** Further facts about an item; a chain through @p next. */
struct prj_extended_info {
	enum prj_ext_info_type info_type;
	const struct prj_extended_info *next;
	union {
		struct {
			const char *target_name; /**< stored as given, relative to the link */
		} symlink;
		struct {
			const struct prj_xattr *list;
			size_t count;
		} xattrs;
		struct {
			const void *data;
			size_t size;
		} blob;
	} u;
};

/* ---- Callbacks ------------------------------------------------------------------------- */

enum prj_callback_data_flags {
	PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN = 0x1,
	PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY = 0x2,
};

struct prj_callback_data {
	uint32_t struct_size; /**< as filled in by projfs: do not read beyond */
	uint32_t flags;       /**< enum prj_callback_data_flags; get directory enumeration only */
	prj_instance *instance;
	int32_t command_id;   /**< for prj_complete_command(); in a cancel callback the command to cancel */
	uint32_t triggering_process_id; /**< 0 if unknown */
	struct prj_guid file_id;        /**< the opened file, zeros if there is none */
	struct prj_guid data_stream_id; /**< get file data: hand it to prj_write_file_data() */
	const char *file_path_name;     /**< relative path, as the provider knows the item */
	const char *current_path_name;  /**< our addition: where the item is now (it may be renamed) */
	/** Of the target if it is a placeholder, of the parent for get placeholder info; may be NULL. */
	const struct prj_placeholder_version_info *version_info;
	const char *triggering_process_image_file_name; /**< NULL if unknown */
	uint32_t triggering_uid;        /**< our addition: (uint32_t)-1 if unknown */
	uint32_t reserved;
	uint64_t sequence;              /**< our addition: notifications are numbered */
	void *instance_context;         /**< as given to prj_start_virtualizing() */
};

/**
 * A callback may return: PRJ_OK, PRJ_ERR_OUT_OF_MEMORY, PRJ_ERR_IO_PENDING (it will be completed with
 * prj_complete_command()), PRJ_ERR_INSUFFICIENT_BUFFER (get directory enumeration, first entry),
 * PRJ_ERR_FILE_NOT_FOUND, PRJ_ERR_INVALID_PARAMETER, PRJ_ERR_ACCESS_DENIED, PRJ_ERR_VIRTUALIZATION_UNAVAILABLE
 * and PRJ_ERR_INTERNAL_ERROR (EIO), PRJ_ERR_CANNOT_DELETE, and any code that a projfs function returned,
 * prj_result_from_errno() included (but for PRJ_ERR_PATH_NOT_FOUND).  Anything else reaches the application as EIO, is
 * logged and counted.
 */
typedef prj_result prj_start_directory_enumeration_cb(const struct prj_callback_data *data,
						      const struct prj_guid *enumeration_id);

/**
 * Add entries with prj_fill_dir_entry_buffer() in the instance's order until all are given or it says
 * PRJ_ERR_INSUFFICIENT_BUFFER; PRJ_OK without an entry ends the listing.  The first call of a session
 * counts as a restart, with or without the flag.
 * @param search_expression  NULL for all; always NULL where the kernel's readdir asks
 */
typedef prj_result prj_get_directory_enumeration_cb(const struct prj_callback_data *data,
						    const struct prj_guid *enumeration_id,
						    const char *search_expression,
						    prj_dir_entry_buffer *buffer);

typedef prj_result prj_end_directory_enumeration_cb(const struct prj_callback_data *data,
						    const struct prj_guid *enumeration_id);

/** Find data->file_path_name and call prj_write_placeholder_info() for it. */
typedef prj_result prj_get_placeholder_info_cb(const struct prj_callback_data *data);

/**
 * Deliver at least [byte_offset, byte_offset + length) with prj_write_file_data(); it may be more.
 * Fewer bytes are an error (EIO), not zeros.  length 0: the size is unknown, deliver everything.
 *
 * Our addition: PRJ_ERR_VIRTUALIZATION_BUSY says that the store no longer has the version that
 * data->version_info names.  projfs then asks get placeholder info again and starts over, three times at
 * most, as long as no reader has seen a byte of the old version; else the reader gets EIO.
 */
typedef prj_result prj_get_file_data_cb(const struct prj_callback_data *data, uint64_t byte_offset,
					uint32_t length);

/**
 * Does the store have data->file_path_name?  Asked when an item that may lie over the store's is removed or renamed
 * away: with a yes the name stays hidden, else the store's item would come back.  Not asked where that is known: of
 * what came from the provider and was never renamed, by a complete listing of a stable view, by the negative path
 * cache.  Without this callback get placeholder info is called instead (on Windows an enumeration).  The answer
 * holds for this question only.
 * @retval PRJ_OK                  it has one
 * @retval PRJ_ERR_FILE_NOT_FOUND  it has none
 * @retval PRJ_ERR_IO_PENDING      complete it with one of the two
 * @retval PRJ_ERR_OUT_OF_MEMORY   the application's call fails, as with prj_result_from_errno() of EINTR and ETIMEDOUT
 * Any other error counts as a yes: rather is a name too many hidden than a removed item shown again.
 */
typedef prj_result prj_query_file_name_cb(const struct prj_callback_data *data);

/**
 * Masks: which notifications a mapping or a reply asks for.  SUPPRESS_NOTIFICATIONS overrides all other bits: none.
 *
 * FILE_OPENED, FILE_OVERWRITTEN, the three FILE_HANDLE_CLOSED_... and FILE_PRE_CONVERT_TO_FULL cost the kernel's
 * fast path: with one of them in any mapping each open and close of the instance comes to projfs.
 */
enum prj_notify_types {
	PRJ_NOTIFY_NONE = 0x0,
	PRJ_NOTIFY_SUPPRESS_NOTIFICATIONS = 0x1,
	PRJ_NOTIFY_FILE_OPENED = 0x2,
	PRJ_NOTIFY_NEW_FILE_CREATED = 0x4,
	PRJ_NOTIFY_FILE_OVERWRITTEN = 0x8,
	PRJ_NOTIFY_PRE_DELETE = 0x10,
	PRJ_NOTIFY_PRE_RENAME = 0x20,
	PRJ_NOTIFY_PRE_SET_HARDLINK = 0x40,
	PRJ_NOTIFY_FILE_RENAMED = 0x80,
	PRJ_NOTIFY_HARDLINK_CREATED = 0x100,
	PRJ_NOTIFY_FILE_HANDLE_CLOSED_NO_MODIFICATION = 0x200,
	PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_MODIFIED = 0x400,
	PRJ_NOTIFY_FILE_HANDLE_CLOSED_FILE_DELETED = 0x800,
	PRJ_NOTIFY_FILE_PRE_CONVERT_TO_FULL = 0x1000
};
#define PRJ_NOTIFY_USE_EXISTING_MASK 0xFFFFFFFFu

/** Which event it is; the same bits.  Those marked "may refuse" pass the callback's error on to the application. */
enum prj_notification {
	/** An existing file or directory was opened (open, opendir; not stat). May refuse: the open is undone. */
	PRJ_NOTIFICATION_FILE_OPENED = 0x2,
	/** A file, directory, link or special file was made. */
	PRJ_NOTIFICATION_NEW_FILE_CREATED = 0x4,
	/** An existing file was opened with O_TRUNC; instead of FILE_OPENED. */
	PRJ_NOTIFICATION_FILE_OVERWRITTEN = 0x8,
	/** unlink, rmdir.  May refuse; PRJ_ERR_CANNOT_DELETE is EPERM. */
	PRJ_NOTIFICATION_PRE_DELETE = 0x10,
	/** With the destination.  May refuse.  An exchange is two renames. */
	PRJ_NOTIFICATION_PRE_RENAME = 0x20,
	/** With the destination.  May refuse.  An empty file_path_name: a file that had no name (O_TMPFILE) comes in,
	 * which is told even without the bit, unless the destination's mapping suppresses. */
	PRJ_NOTIFICATION_PRE_SET_HARDLINK = 0x40,
	/** With the destination; what it replaced is not told of. */
	PRJ_NOTIFICATION_FILE_RENAMED = 0x80,
	/** With the destination; as PRE_SET_HARDLINK. */
	PRJ_NOTIFICATION_HARDLINK_CREATED = 0x100,
	/** The last descriptor and mapping of one open() is gone; the file was not changed while that was open for
	 * writing.  Nobody waits for this one and the next. */
	PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_NO_MODIFICATION = 0x200,
	/** Likewise, and the file was changed meanwhile, perhaps by somebody else.  Also after truncate(). */
	PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_MODIFIED = 0x400,
	/** It was removed.  Sent at once; later closes of it are not told. */
	PRJ_NOTIFICATION_FILE_HANDLE_CLOSED_FILE_DELETED = 0x800,
	/** A placeholder file is about to become full: first write, truncation, hard link.  Its content is here
	 * already, unless nothing of it is wanted. May refuse: it stays what it is. Stores through a mapping arrive
	 * when they are written back: their refusal is seen by msync(), or by nobody. */
	PRJ_NOTIFICATION_FILE_PRE_CONVERT_TO_FULL = 0x1000
};

/**
 * A mask in an answer holds for that file until its last handle is closed.  0 on entry; 0 and
 * PRJ_NOTIFY_USE_EXISTING_MASK leave things as they are.  Ignored where no handle is open, or opens are not watched.
 */
union prj_notification_parameters {
	struct {
		uint32_t notification_mask; /**< out: FILE_OPENED, NEW_FILE_CREATED, FILE_OVERWRITTEN */
	} post_create;
	struct {
		uint32_t notification_mask; /**< out: FILE_RENAMED */
	} file_renamed;
	struct {
		/** in: FILE_HANDLE_CLOSED_FILE_DELETED: who has it open has changed it (if that is asked for, too) */
		uint8_t is_file_modified;
	} file_deleted_on_handle_close;
};

/**
 * An application does, or has done, something.  data->file_path_name is where the item is (was) in the root, unlike
 * in other callbacks; data->sequence numbers the notifications of the instance from 1.  Those about one item come one
 * after the other, in order.  What this very process does is never told.
 *
 * The application waits for the answer, but for closes; at most lookup_timeout_ms: what can be refused then fails with
 * ETIMEDOUT, what has happened has happened.  Errors of what cannot be refused are ignored.
 *
 * @param is_directory           non-zero: the item is a directory
 * @param destination_file_name  renames and hard links: the new relative path; else NULL
 * @param operation_parameters   see there
 */
typedef prj_result prj_notification_cb(const struct prj_callback_data *data, int is_directory,
				       enum prj_notification notification,
				       const char *destination_file_name,
				       union prj_notification_parameters *operation_parameters);

/** Nobody waits any more for the command data->command_id.  It may be running right now. */
typedef void prj_cancel_command_cb(const struct prj_callback_data *data);

/**
 * Our addition: facts that `projfs status` shows for the provider.  Call @p emit for each.
 * Called on the control thread; do not block.
 */
typedef void prj_status_cb(void *instance_context,
			   void (*emit)(void *emit_context, const char *key, int64_t value),
			   void *emit_context);

/** Zero the structure, set struct_size, fill in at least the first five. */
struct prj_callbacks {
	size_t struct_size;
	prj_start_directory_enumeration_cb *start_directory_enumeration; /**< required */
	prj_end_directory_enumeration_cb *end_directory_enumeration;     /**< required */
	prj_get_directory_enumeration_cb *get_directory_enumeration;     /**< required */
	prj_get_placeholder_info_cb *get_placeholder_info;               /**< required */
	prj_get_file_data_cb *get_file_data;                             /**< required */
	prj_query_file_name_cb *query_file_name;                         /**< optional */
	prj_notification_cb *notification;                               /**< optional */
	prj_cancel_command_cb *cancel_command;                           /**< optional */
	prj_status_cb *status;                                           /**< optional, our addition */
};

/* ---- Instances ------------------------------------------------------------------------- */

enum prj_start_flags {
	PRJ_FLAG_NONE = 0x0,
	/**
	 * A path for which get placeholder info said PRJ_ERR_FILE_NOT_FOUND is not asked about again, and the kernel
	 * remembers it, too, until prj_clear_negative_path_cache() or until prj_write_placeholder_info() describes an
	 * item of that path.  At most 262,144 paths; the provider is asked about others each time.  Nothing else
	 * gets in: no listing, no query file name, no error.  Local items are found all the same.
	 */
	PRJ_FLAG_USE_NEGATIVE_PATH_CACHE = 0x1,
	/* What follows is our addition. */
	/** The provider says when its view changes; until then everything is cached without limit. */
	PRJ_FLAG_STABLE_VIEW = 0x100,
	/** An item with local state is asked for again at its first look-up in this instance. */
	PRJ_FLAG_REVALIDATE = 0x200,
	/** Clean placeholders survive the instance, as on Windows. */
	PRJ_FLAG_PERSIST_PLACEHOLDERS = 0x400,
	/** Callbacks answer from memory and may be called on request threads: a hint, without effect so far. */
	PRJ_FLAG_INLINE_CALLBACKS = 0x800,
	/**
	 * Watch what the provider answers.  What is against this header is reported in the log, with callback, path and
	 * advice, and counted in `projfs status`; nothing is answered otherwise than without the flag, except
	 * that a listing's buffer is refused when its callback is over.  For development: it takes some 15 MiB and
	 * reads content that is delivered from a descriptor a second time.
	 */
	PRJ_FLAG_CHECK_PROVIDER = 0x1000,
	/** Let other users in (default when root; otherwise needs user_allow_other in fuse.conf). */
	PRJ_FLAG_ALLOW_OTHER = 0x2000,
	/** Keep other users out although root. */
	PRJ_FLAG_NO_ALLOW_OTHER = 0x4000,
	/** Take over a root that was last used with another provider_name or source. */
	PRJ_FLAG_REBIND = 0x8000,
	/** The mount refuses every change (EROFS). What is read is still kept locally. */
	PRJ_FLAG_READ_ONLY = 0x10000,
};

/** The order in which the provider lists. */
enum prj_compare_order {
	PRJ_COMPARE_WINDOWS = 0, /**< prj_file_name_compare(), ties by bytes */
	PRJ_COMPARE_BYTES = 1,   /**< strcmp() */
	PRJ_COMPARE_NONE = 2,    /**< any order; names are still told apart */
};

/**
 * Which notifications are wanted of an item and everything below it.  The deepest mapping that covers a path holds,
 * alone.  Any order; the root of a mapping need not exist, and may be a file; the same root twice is an error.
 * No mappings at all, but a callback: FILE_OPENED, NEW_FILE_CREATED and FILE_OVERWRITTEN of everything.
 */
struct prj_notification_mapping {
	uint32_t notification_bit_mask; /**< enum prj_notify_types */
	const char *notification_root;  /**< relative path, NULL or "" for the root */
};

/** Zero the structure, set struct_size. 0 or NULL in a member means the default. */
struct prj_start_options {
	size_t struct_size;
	uint32_t flags;                   /**< enum prj_start_flags */
	uint32_t pool_thread_count;       /**< accepted; threads beyond the next number would never run */
	uint32_t concurrent_thread_count; /**< callbacks at once; default: number of processors */
	uint32_t notification_mappings_count;
	const struct prj_notification_mapping *notification_mappings;
	/* What follows is our addition. */
	enum prj_compare_order compare_order;
	uint32_t lookup_timeout_ms;      /**< for look-ups and listings; default 30,000 */
	uint32_t data_timeout_ms;        /**< for content; default 600,000; UINT32_MAX: for ever */
	uint32_t placeholder_timeout_ms; /**< live view: age at which it is asked again; default 1,000 */
	uint32_t small_file_bytes;       /**< up to this size a file is hydrated whole; default 1 MiB */
	uint32_t reserved;
	const char *provider_name;       /**< for `projfs status`; default: the program's name */
	const char *source;              /**< likewise, e.g. the projected path or URL */
};

struct prj_virtualization_instance_info {
	struct prj_guid instance_id;
	uint32_t write_alignment; /**< bytes, a power of two */
};

/**
 * Make @p root_path a virtualization root (once in its life), or, with @p target_path, make a
 * directory below a root one that the provider is asked about.
 *
 * @param root_path     absolute or relative path of an existing directory
 * @param target_path   NULL or "" for the root itself
 * @param version_info  kept with the root; may be NULL
 * @param instance_id   the provider's id for the root
 * @retval PRJ_ERR_REPARSE_POINT_ENCOUNTERED        it is a root already (providers may ignore this)
 * @retval PRJ_ERR_VIRTUALIZATION_INVALID_OPERATION it lies inside another root
 * @retval PRJ_ERR_DIR_NOT_EMPTY                    it holds something; see prj_adopt_directory()
 * @retval PRJ_ERR_DIRECTORY                        not a directory
 * @retval PRJ_ERR_FILE_NOT_FOUND                   no such directory
 * @retval PRJ_ERR_NOT_SUPPORTED                    its file system has no user extended attributes;
 *                                                  or a target was given (a later version)
 */
PRJ_EXPORT prj_result prj_mark_directory_as_placeholder(
	const char *root_path, const char *target_path,
	const struct prj_placeholder_version_info *version_info, const struct prj_guid *instance_id);

/**
 * Our addition: as prj_mark_directory_as_placeholder() for a directory that is not empty.  What it holds
 * becomes local and full; its directories are merged with the provider's of the same path.
 */
PRJ_EXPORT prj_result prj_adopt_directory(const char *root_path,
					  const struct prj_placeholder_version_info *version_info,
					  const struct prj_guid *instance_id);

/**
 * Start projecting into a marked root: mounts over it and begins to call back.
 *
 * Callbacks may come before this returns.  The instance stays until prj_stop_virtualizing(); if the
 * process dies, a helper process unmounts the root.
 *
 * @param callbacks         copied
 * @param instance_context  handed to every callback
 * @param options           copied; may be NULL
 * @param ret_instance      set on success
 * @retval PRJ_ERR_REPARSE_TAG_MISMATCH     @p root_path was not marked
 * @retval PRJ_ERR_ALREADY_INITIALIZED      an instance runs for it already
 * @retval PRJ_ERR_VIRTUALIZATION_PROVIDER_UNKNOWN  the root belongs to another provider or source
 * @retval PRJ_ERR_VIRTUALIZATION_METADATA_CORRUPT  its mark is damaged or of a newer format
 * @retval PRJ_ERR_INVALID_PARAMETER        a required callback is missing; options out of range
 * @retval PRJ_ERR_WRITE_PROTECT            the file system is read-only
 * @retval PRJ_ERR_ACCESS_DENIED            no right to mount there
 */
PRJ_EXPORT prj_result prj_start_virtualizing(const char *root_path,
					     const struct prj_callbacks *callbacks,
					     void *instance_context,
					     const struct prj_start_options *options,
					     prj_instance **ret_instance);

/**
 * Unmount and end the instance; blocks until the callbacks that are running have returned.  Waiting
 * applications fail, pended commands are cancelled; completing one later is an error without harm as long
 * as the instance handle is not used any more.  Not from inside a callback.  NULL is fine.
 */
PRJ_EXPORT void prj_stop_virtualizing(prj_instance *instance);

/**
 * Our addition: a descriptor, the instance's own, that becomes readable when the instance ought to be
 * stopped: somebody unmounted the root, or asked for it with `projfs umount`.
 * @returns the descriptor, or PRJ_ERR_INVALID_PARAMETER (negative) for an instance that is NULL or stopped
 */
PRJ_EXPORT int prj_get_stop_event(prj_instance *instance);

PRJ_EXPORT prj_result prj_get_virtualization_instance_info(
	prj_instance *instance, struct prj_virtualization_instance_info *ret_info);

/**
 * Forget all paths that get placeholder info did not find, see PRJ_FLAG_USE_NEGATIVE_PATH_CACHE.  First change what the
 * callbacks answer, then call this.  Answers that are under way are not remembered.  The kernel is told at once
 * but not waited for: an application may see a name as absent for a moment more.  From any thread, also inside
 * a callback.  The cache is empty when an instance starts (on Windows it may not be).
 *
 * @param ret_total_entry_number  how many there were; 0 if the instance does not use the cache; may be NULL
 * @retval PRJ_OK                 also if the instance does not use the cache
 * @retval PRJ_ERR_INVALID_PARAMETER  the instance is NULL, or it has been stopped
 */
PRJ_EXPORT prj_result prj_clear_negative_path_cache(prj_instance *instance,
						    uint32_t *ret_total_entry_number);

/**
 * Our addition: the directory underneath the mount, for a provider that wants to look at local files without
 * calling itself back.
 * @returns a new close-on-exec descriptor for the *at() calls, or a prj_result. Never walk ".." from it.
 */
PRJ_EXPORT int prj_open_local(prj_instance *instance);

/* ---- Answers --------------------------------------------------------------------------- */

/**
 * The answer to a get placeholder info callback, or unprompted: what an item is.
 *
 * @param destination_file_name  relative path
 * @param info_size  bytes of @p info, at least sizeof(struct prj_placeholder_info) as compiled
 * @retval PRJ_ERR_INVALID_PARAMETER    empty, absolute or malformed path; bad kind, size or time
 * @retval PRJ_ERR_INSUFFICIENT_BUFFER  info_size or struct_size is too small
 * @retval PRJ_ERR_FILENAME_EXCED_RANGE a name of more than 255 bytes
 * @retval PRJ_ERR_PATH_NOT_FOUND       unprompted, and nobody has looked at its directory yet; no code for a callback
 */
PRJ_EXPORT prj_result prj_write_placeholder_info(prj_instance *instance,
						 const char *destination_file_name,
						 const struct prj_placeholder_info *info,
						 uint32_t info_size);

/** The same with further facts; @p extended_info may be NULL. */
PRJ_EXPORT prj_result prj_write_placeholder_info2(prj_instance *instance,
						  const char *destination_file_name,
						  const struct prj_placeholder_info *info,
						  uint32_t info_size,
						  const struct prj_extended_info *extended_info);

/** Flags of prj_write_file_data_from_fd(). */
enum prj_write_flags {
	/** The bytes count only when the command completes with PRJ_OK, so that the provider can check
	 * meanwhile that they are of one version. */
	PRJ_WRITE_ON_COMPLETION = 0x1,
};

/**
 * Deliver content for one get file data command, in any order and split.  Readers who wait for these bytes
 * are answered at once.
 *
 * @param data_stream_id  from the callback data
 * @param byte_offset     in the file; unless the bytes reach the end of the file, begin and end at multiples of
 *                        the instance's write alignment (others are accepted, and count when complete)
 * @param length          bytes, not 0
 * @retval PRJ_ERR_INVALID_HANDLE     no command waits for this stream any more; stop, and return this code
 * @retval PRJ_ERR_INVALID_PARAMETER  NULL buffer, length 0, or bytes beyond the end of the file
 * @retval PRJ_ERR_DISK_FULL          likewise other disk errors: return the code
 */
PRJ_EXPORT prj_result prj_write_file_data(prj_instance *instance,
					  const struct prj_guid *data_stream_id,
					  const void *buffer, uint64_t byte_offset, uint32_t length);

/**
 * Our addition: deliver content that lies in a file; the bytes move inside the kernel (reflink where the file
 * systems can).
 * @param fd         open for reading; stays the caller's; its offset is not used
 * @param fd_offset  where in @p fd the bytes begin
 * @param length     bytes; may exceed 4 GiB
 * @param flags      enum prj_write_flags
 * @retval PRJ_ERR_VIRTUALIZATION_BUSY  @p fd ended early: the content changed; return the code
 */
PRJ_EXPORT prj_result prj_write_file_data_from_fd(prj_instance *instance,
						  const struct prj_guid *data_stream_id, int fd,
						  uint64_t fd_offset, uint64_t byte_offset,
						  uint64_t length, uint32_t flags);

/**
 * Add one entry to a listing.
 * @param file_name  one path component
 * @param info       may be NULL: a file of size 0
 * @retval PRJ_ERR_INSUFFICIENT_BUFFER  no room left: keep the entry for the next call
 * @retval PRJ_ERR_INVALID_PARAMETER    not a possible name
 * @retval PRJ_ERR_OPERATION_ABORTED    the command was pended and has been cancelled; the buffer stays valid until it
 *                                      is completed, which is then PRJ_OK without effect
 */
PRJ_EXPORT prj_result prj_fill_dir_entry_buffer(const char *file_name,
						const struct prj_file_basic_info *info,
						prj_dir_entry_buffer *buffer);

/** The same with further facts (a link's target); the buffer comes first, as on Windows. */
PRJ_EXPORT prj_result prj_fill_dir_entry_buffer2(prj_dir_entry_buffer *buffer, const char *file_name,
						 const struct prj_file_basic_info *info,
						 const struct prj_extended_info *extended_info);

enum prj_complete_command_type {
	PRJ_COMPLETE_COMMAND_TYPE_NOTIFICATION = 1,
	PRJ_COMPLETE_COMMAND_TYPE_ENUMERATION = 2
};

struct prj_complete_command_extended_parameters {
	enum prj_complete_command_type command_type;
	union {
		struct {
			uint32_t notification_mask;
		} notification;
		struct {
			prj_dir_entry_buffer *dir_entry_buffer;
		} enumeration;
	} u;
};

/**
 * Finish a callback that returned, or is about to return, PRJ_ERR_IO_PENDING.
 * @param extended_parameters  required for a successful get directory enumeration; else may be NULL
 * @retval PRJ_OK                     completed, or it had been cancelled
 * @retval PRJ_ERR_INVALID_PARAMETER  no such command is pended; wrong parameters for its kind
 */
PRJ_EXPORT prj_result prj_complete_command(
	prj_instance *instance, int32_t command_id, prj_result completion_result,
	const struct prj_complete_command_extended_parameters *extended_parameters);

/* ---- Changing the view (a later version: PRJ_ERR_NOT_SUPPORTED) ------------------------- */

enum prj_update_types {
	PRJ_UPDATE_NONE = 0x00,
	PRJ_UPDATE_ALLOW_DIRTY_METADATA = 0x01,
	PRJ_UPDATE_ALLOW_DIRTY_DATA = 0x02,
	PRJ_UPDATE_ALLOW_TOMBSTONE = 0x04,
	PRJ_UPDATE_RESERVED1 = 0x08,
	PRJ_UPDATE_RESERVED2 = 0x10,
	PRJ_UPDATE_ALLOW_READ_ONLY = 0x20,
	PRJ_UPDATE_MAX_VAL = 0x40
};

enum prj_update_failure_causes {
	PRJ_UPDATE_FAILURE_CAUSE_NONE = 0x0,
	PRJ_UPDATE_FAILURE_CAUSE_DIRTY_METADATA = 0x1,
	PRJ_UPDATE_FAILURE_CAUSE_DIRTY_DATA = 0x2,
	PRJ_UPDATE_FAILURE_CAUSE_TOMBSTONE = 0x4,
	PRJ_UPDATE_FAILURE_CAUSE_READ_ONLY = 0x8
};

PRJ_EXPORT prj_result prj_update_file_if_needed(prj_instance *instance,
						const char *destination_file_name,
						const struct prj_placeholder_info *info,
						uint32_t info_size, uint32_t update_flags,
						uint32_t *ret_failure_causes);

PRJ_EXPORT prj_result prj_delete_file(prj_instance *instance, const char *destination_file_name,
				      uint32_t update_flags, uint32_t *ret_failure_causes);

/* ---- States ---------------------------------------------------------------------------- */

enum prj_file_state {
	PRJ_FILE_STATE_VIRTUAL = 0x00, /**< our addition: exists, and nothing is kept of it */
	PRJ_FILE_STATE_PLACEHOLDER = 0x01,
	PRJ_FILE_STATE_HYDRATED_PLACEHOLDER = 0x02,
	PRJ_FILE_STATE_DIRTY_PLACEHOLDER = 0x04,
	PRJ_FILE_STATE_FULL = 0x08,
	PRJ_FILE_STATE_TOMBSTONE = 0x10
};

/**
 * The state of an item, by its path in the file system; from any process, with or without an instance.
 * Unlike on Windows asking does not make a placeholder of a virtual item (PRJ_FILE_STATE_VIRTUAL) and
 * shows tombstones.  An item outside of every root is full.
 * @param ret_state  bits of enum prj_file_state
 * @retval PRJ_ERR_FILE_NOT_FOUND  no such item
 * @retval PRJ_ERR_PATH_NOT_FOUND  a directory on the way does not exist
 * @retval PRJ_ERR_VIRTUALIZATION_UNAVAILABLE  nothing runs, and nothing of that name is on disk
 */
PRJ_EXPORT prj_result prj_get_on_disk_file_state(const char *path, uint32_t *ret_state);

/** Our addition: more about one item. */
struct prj_item_info {
	size_t struct_size;
	uint32_t state;        /**< enum prj_file_state */
	uint32_t mode;         /**< S_IFMT and permissions; 0 for a tombstone */
	uint64_t size;         /**< bytes */
	uint64_t local_bytes;  /**< bytes of its content on the local disk */
	struct prj_placeholder_version_info version_info;
};

/** Flags of prj_get_item_info(). */
enum prj_item_info_flags {
	/** The name was seen in a listing: do not ask the provider whether it exists. */
	PRJ_ITEM_INFO_LISTED = 0x1,
};

/** As prj_get_on_disk_file_state(), which see. Set ret_info->struct_size before. */
PRJ_EXPORT prj_result prj_get_item_info(const char *path, uint32_t flags,
					struct prj_item_info *ret_info);

/**
 * Our addition: fetch the content of one file, given by its path in the file system of a running instance.
 * Returns when all of it is local; at once for what is local already and for what has no content.
 */
PRJ_EXPORT prj_result prj_hydrate_file(const char *path);

/**
 * Our addition, for tools: unmount a root from outside.  A dead mount, whose instance is gone, is simply removed; a
 * running instance notices and stops.
 * @param lazy  non-zero: detach even if files in it are open
 * @retval PRJ_ERR_INVALID_PARAMETER   no projfs mount at @p root_path
 * @retval PRJ_ERR_SHARING_VIOLATION   it is in use
 */
PRJ_EXPORT prj_result prj_unmount_root(const char *root_path, int lazy);

/* ---- Names ----------------------------------------------------------------------------- */

/** 1 if @p name matches the search expression, else 0. */
PRJ_EXPORT int prj_file_name_match(const char *name, const char *pattern);
/** The order of listings on Windows: upper-cased UTF-16 code units. <0, 0, >0. */
PRJ_EXPORT int prj_file_name_compare(const char *name1, const char *name2);
/** 1 if @p name contains any of * ? " < > */
PRJ_EXPORT int prj_does_name_contain_wild_cards(const char *name);

/* ---- Memory, log ------------------------------------------------------------------------ */

/** Memory at an address that suits unbuffered I/O; NULL on failure. Free with prj_free_aligned_buffer(). */
PRJ_EXPORT void *prj_allocate_aligned_buffer(prj_instance *instance, size_t size);
/** NULL is fine; the instance need not exist any more. */
PRJ_EXPORT void prj_free_aligned_buffer(void *buffer);

enum prj_log_level {
	PRJ_LOG_ERROR = 0,
	PRJ_LOG_WARNING = 1,
	PRJ_LOG_INFO = 2,
	PRJ_LOG_DEBUG = 3
};

typedef void prj_log_cb(void *context, enum prj_log_level level, const char *message);

/** Our addition: where messages of the library go (nowhere by default). For the whole process. */
PRJ_EXPORT void prj_set_log_callback(prj_log_cb *callback, void *context, enum prj_log_level max_level);
/** Write to that log, for providers. */
PRJ_EXPORT void prj_log(enum prj_log_level level, const char *message);

#ifdef __cplusplus
}
#endif

#endif
