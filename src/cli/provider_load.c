/* SPDX-License-Identifier: MIT */
#include "cli/provider_load.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/suggest.h"
#include "cli/values.h"
#include "util/macros.h"

#define SUFFIX ".so"

/* Call @visit for each folder, until it says something other than 0. */
static int for_each_folder(int (*visit)(void *context, const char *folder), void *context)
{
	const char *list = getenv("PROJFS_PROVIDER_PATH");

	while (list && *list) {
		size_t length = strcspn(list, ":");
		char folder[PATH_MAX];

		if (length > 0 && length < sizeof(folder)) {
			int r;

			memcpy(folder, list, length);
			folder[length] = '\0';
			r = visit(context, folder);
			if (r)
				return r;
		}
		list += length;
		list += *list == ':';
	}
	return visit(context, PROJFS_PROVIDER_DIR);
}

/* ---- names ---------------------------------------------------------------------------------- */

int provider_name_is_valid(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 200;
}

struct names {
	char **list;
	size_t n;
};

static void add_name(struct names *names, const char *name)
{
	char **list;

	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i], name) == 0)
			return; /* the folder before comes first */
	list = reallocarray(names->list, names->n + 1, sizeof(*list));
	if (!list)
		return;
	names->list = list;
	list[names->n] = strdup(name);
	names->n += list[names->n] != NULL;
}

static int visit_folder_names(void *context, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		if (length <= strlen(SUFFIX) ||
		    strcmp(entry->d_name + length - strlen(SUFFIX), SUFFIX) != 0)
			continue;
		entry->d_name[length - strlen(SUFFIX)] = '\0';
		if (provider_name_is_valid(entry->d_name))
			add_name(context, entry->d_name);
	}
	(void)closedir(dir);
	return 0;
}

static void list_names(struct names *ret)
{
	(void)for_each_folder(visit_folder_names, ret);
}

static void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
}

void provider_for_each(void (*each)(void *context, const char *name), void *context)
{
	struct names names = {0};

	list_names(&names);
	for (size_t i = 0; i < names.n; i++)
		each(context, names.list[i]);
	names_deinit(&names);
}

/* ---- loading -------------------------------------------------------------------------------- */

struct visit_find {
	const char *name;
	char path[PATH_MAX];
};

static int visit_folder_find(void *context, const char *folder)
{
	struct visit_find *v = context;
	int n = snprintf(v->path, sizeof(v->path), "%s/%s" SUFFIX, folder, v->name);

	return n < (int)sizeof(v->path) && access(v->path, F_OK) == 0;
}

static bool options_are_valid(const struct prj_provider *p)
{
	if (p->n_options > 0 && !p->options)
		return false;
	for (size_t i = 0; i < p->n_options; i++) {
		const struct prj_provider_option *o = &p->options[i];
		struct prj_option_value value;

		if (!o->name || !o->name[0] || strpbrk(o->name, ",=") ||
		    (unsigned)o->type > PRJ_OPTION_STRING)
			return false;
		if (o->default_value && value_parse(o->type, o->default_value, &value) < 0)
			return false;
	}
	return true;
}

int provider_check(const struct prj_provider *p, const char *name, const char *path,
		   struct errmsg *err)
{
	const char *why = NULL;

	if (p->struct_size < sizeof(*p))
		why = "its descriptor is too short";
	else if (p->abi_version != PRJ_PROVIDER_ABI_VERSION)
		why = "it was built for another version of projfs";
	else if (!p->name || strcmp(p->name, name) != 0)
		why = "it calls itself by another name than its file";
	else if (!p->open || !p->close)
		why = "it has no open or no close function";
	else if (!options_are_valid(p))
		why = "its list of options is broken";
	if (!why)
		return 0;
	return errmsg_set(err, -ELIBBAD,
			  "cannot use provider '%s': %s; rebuild it against this projfs", path,
			  why);
}

static int say_not_found(const char *name, struct errmsg *err)
{
	char hint[SUGGEST_TEXT_SIZE];
	struct names names = {0};
	struct suggestion s;

	/* the names must outlive the suggestion */
	list_names(&names);
	suggest_init(&s, name);
	for (size_t i = 0; i < names.n; i++)
		suggest_consider(&s, names.list[i]);
	(void)suggest_text(&s, hint);
	names_deinit(&names);
	return errmsg_set(err, -ENOENT,
			  "no provider '%s' in PROJFS_PROVIDER_PATH or '%s'%s; see 'projfs mount "
			  "--list-providers'",
			  name, PROJFS_PROVIDER_DIR, hint);
}

int provider_load(const char *name, const struct prj_provider **ret, struct errmsg *err)
{
	struct visit_find v = {.name = name};
	const struct prj_provider *p;
	void *handle;
	int r;

	if (!provider_name_is_valid(name))
		return errmsg_set(err, -EINVAL, "'%s' cannot be the name of a provider", name);
	if (!for_each_folder(visit_folder_find, &v))
		return say_not_found(name, err);
	handle = dlopen(v.path, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return errmsg_set(err, -ELIBBAD, "cannot load provider '%s': %s", v.path,
				  dlerror());
	p = dlsym(handle, PRJ_PROVIDER_SYMBOL);
	if (!p)
		r = errmsg_set(err, -ELIBBAD,
			       "cannot use '%s': it exports no '" PRJ_PROVIDER_SYMBOL
			       "', so it is no provider",
			       v.path);
	else
		r = provider_check(p, name, v.path, err);
	if (r < 0) {
		(void)dlclose(handle);
		return r;
	}
	*ret = p;
	return 0;
}

/* ---- help ----------------------------------------------------------------------------------- */

static void print_option(const struct prj_provider_option *o)
{
	const char *placeholder = value_type_placeholder(o->type);
	char left[256];

	(void)snprintf(left, sizeof(left), "%s%s%s", o->name, placeholder ? "=" : "",
		       placeholder ? placeholder : "");
	printf("  %-24s %s", left, o->help ? o->help : "");
	if (o->default_value)
		printf(" (default %s)", o->default_value);
	(void)putchar('\n');
}

void provider_print_help(const struct prj_provider *p)
{
	bool is_filter = p->flags & PRJ_PROVIDER_IS_FILTER;

	printf("%s %s: %s\n", p->name, p->version ? p->version : "",
	       p->description ? p->description : "");
	printf(is_filter ? "\n  projfs mount -o filter=%s:TEXT SOURCE ROOT\n"
			 : "\n  projfs mount [-o OPT,...] %s:SOURCE ROOT\n",
	       p->name);
	if (p->source_help)
		printf("\n%s: %s\n", is_filter ? "TEXT" : "SOURCE", p->source_help);
	if (p->n_options > 0)
		printf("\nOptions (-o):\n");
	for (size_t i = 0; i < p->n_options; i++)
		print_option(&p->options[i]);
}
