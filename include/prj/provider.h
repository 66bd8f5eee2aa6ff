/* SPDX-License-Identifier: MIT */
#ifndef PRJ_PROVIDER_H
#define PRJ_PROVIDER_H

/**
 * @file provider.h
 * Loadable providers: `projfs mount NAME:SOURCE ROOT` loads NAME.so from the folders in the environment
 * variable PROJFS_PROVIDER_PATH (separated by ':'), then from the installed provider folder
 * (pkg-config --variable=providerdir projfs), and uses the descriptor that it exports:
 *
 *     PRJ_PROVIDER_EXPORT const struct prj_provider prj_provider_descriptor = {
 *             .struct_size = sizeof(struct prj_provider),
 *             .abi_version = PRJ_PROVIDER_ABI_VERSION,
 *             .name = "hello", ...
 *     };
 */

#include <prj/prj.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRJ_PROVIDER_ABI_VERSION 1
#define PRJ_PROVIDER_EXPORT PRJ_EXPORT
#define PRJ_PROVIDER_SYMBOL "prj_provider_descriptor"

enum prj_option_type {
	PRJ_OPTION_BOOL,     /**< NAME, NAME=yes|no|true|false|1|0 */
	PRJ_OPTION_INTEGER,  /**< a decimal int64_t */
	PRJ_OPTION_SIZE,     /**< bytes, with K, M, G, T for powers of 1024 */
	PRJ_OPTION_DURATION, /**< milliseconds; with ms, s, m, h */
	PRJ_OPTION_STRING,
};

/** An option that the provider understands, as `-o NAME=VALUE`. */
struct prj_provider_option {
	const char *name;
	enum prj_option_type type;
	const char *default_value; /**< in the same syntax; NULL: unset */
	const char *help;          /**< one line */
};

/** The value of one option, in the order of the descriptor's list. */
struct prj_option_value {
	int is_set;         /**< given by the user, or by a default */
	int64_t integer;    /**< bool, integer, size, duration */
	const char *string; /**< string, and the text of every other type; NULL if unset */
};

/** What open() makes: everything that prj_start_virtualizing() wants to know. */
struct prj_provider_instance {
	size_t struct_size;
	struct prj_callbacks callbacks;
	void *context;                    /**< becomes the callbacks' instance_context */
	uint32_t start_flags;             /**< PRJ_FLAG_STABLE_VIEW, PRJ_FLAG_REVALIDATE, ... */
	enum prj_compare_order compare_order;
	/** The source in its canonical form, shown by status and remembered by the root; NULL: as typed.
	 * Owned by the provider until close(). */
	const char *source;
	/** A directory of the local machine that must not overlap the root; NULL if there is none. */
	const char *source_directory;
	/** Which notifications callbacks.notification wants; none: the default, see struct prj_start_options.
	 * Owned by the provider until close(). */
	const struct prj_notification_mapping *notification_mappings;
	uint32_t notification_mappings_count;
};

struct prj_provider_args {
	size_t struct_size;
	const char *source;                     /**< what follows "NAME:" */
	const struct prj_option_value *options; /**< one per option of the descriptor */
	size_t n_options;
	/** For filters: the provider to wrap.  Call its callbacks with data->instance_context replaced by
	 * inner->context.  Stays valid until close(). NULL for others. */
	const struct prj_provider_instance *inner;
	/** Say why open() fails: operation, path, cause, what to do. */
	void (*set_error)(void *error_context, const char *message);
	void *error_context;
};

enum prj_provider_flags {
	PRJ_PROVIDER_IS_FILTER = 0x1, /**< wraps another: `-o filter=NAME:TEXT` */
};

struct prj_provider {
	size_t struct_size;
	uint32_t abi_version;    /**< PRJ_PROVIDER_ABI_VERSION */
	uint32_t flags;          /**< enum prj_provider_flags */
	const char *name;        /**< as the file is called, without .so */
	const char *version;
	const char *description; /**< one line */
	const char *source_help; /**< what SOURCE is, e.g. "the directory to project" */
	const struct prj_provider_option *options;
	size_t n_options;
	/**
	 * Make an instance.  Fill in @p ret, whose struct_size is set.
	 * Anything but PRJ_OK fails the mount, with what was given to set_error().
	 */
	prj_result (*open)(const struct prj_provider_args *args, struct prj_provider_instance *ret);
	/** The instance has stopped, no callback runs: free it. */
	void (*close)(void *context);
};

#ifdef __cplusplus
}
#endif

#endif
