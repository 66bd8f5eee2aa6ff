/* SPDX-License-Identifier: MIT */
#include "tree.h"

#include <stdlib.h>
#include <string.h>

/* An open listing, one of several: it is handed out in pieces. */
struct tree_session {
	struct tree_session *next;
	struct prj_guid id;
	size_t position;
};

static const struct tree_item *find_item(const struct tree *tree, const char *path)
{
	for (size_t i = 0; i < tree->n_items; i++)
		if (!strcmp(tree->items[i].path, path))
			return &tree->items[i];
	return NULL;
}

static void fill_info(const struct tree_item *item, struct prj_file_basic_info *ret)
{
	*ret = (struct prj_file_basic_info){
	        .struct_size = sizeof(*ret),
	        .is_directory = !item->content,
	        .file_size = item->content ? (int64_t)strlen(item->content) : 0,
	        /* Zero would be "now": another time at each look. */
	        .last_write_time.sec = 1735689600,
	        .change_time.sec = 1735689600,
	};
}

/* The name of an item that lies directly in @directory, else NULL. */
static const char *name_in(const char *directory, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	size_t length = slash ? (size_t)(slash - path) : 0;

	return strlen(directory) == length && !strncmp(path, directory, length) ? name : NULL;
}

static struct tree_session **find_session(struct tree *tree, const struct prj_guid *id)
{
	struct tree_session **p = &tree->sessions; /* the caller holds the lock */

	while (*p && memcmp(&(*p)->id, id, sizeof(*id)))
		p = &(*p)->next;
	return p;
}

static prj_result start(const struct prj_callback_data *data, const struct prj_guid *enumeration_id)
{
	struct tree *tree = data->instance_context;
	struct tree_session *session = calloc(1, sizeof(*session));

	if (!session)
		return PRJ_ERR_OUT_OF_MEMORY;
	session->id = *enumeration_id;
	pthread_mutex_lock(&tree->lock);
	session->next = tree->sessions;
	tree->sessions = session;
	pthread_mutex_unlock(&tree->lock);
	return PRJ_OK;
}

static prj_result get(const struct prj_callback_data *data, const struct prj_guid *enumeration_id,
                      const char *search_expression, prj_dir_entry_buffer *buffer)
{
	struct tree *tree = data->instance_context;
	struct tree_session *session;
	int n_filled = 0;

	pthread_mutex_lock(&tree->lock);
	session = *find_session(tree, enumeration_id);
	pthread_mutex_unlock(&tree->lock);
	if (data->flags & PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN)
		session->position = 0;
	for (; session->position < tree->n_items; session->position++) {
		const struct tree_item *item = &tree->items[session->position];
		const char *name = name_in(data->file_path_name, item->path);
		struct prj_file_basic_info info;
		prj_result result;

		if (!name || (search_expression && !prj_file_name_match(name, search_expression)))
			continue;
		fill_info(item, &info);
		result = prj_fill_dir_entry_buffer(name, &info, buffer);
		/* The buffer is full: this entry is the first of the next call. */
		if (PRJ_FAILED(result))
			return n_filled ? PRJ_OK : result;
		n_filled++;
	}
	return PRJ_OK;
}

static prj_result end(const struct prj_callback_data *data, const struct prj_guid *enumeration_id)
{
	struct tree *tree = data->instance_context;
	struct tree_session **p, *session;

	pthread_mutex_lock(&tree->lock);
	p = find_session(tree, enumeration_id);
	session = *p;
	if (session)
		*p = session->next;
	pthread_mutex_unlock(&tree->lock);
	free(session);
	return PRJ_OK;
}

static prj_result get_info(const struct prj_callback_data *data)
{
	const struct tree_item *item = find_item(data->instance_context, data->file_path_name);
	struct prj_placeholder_info info = {.struct_size = sizeof(info)};

	if (!item)
		return PRJ_ERR_FILE_NOT_FOUND;
	fill_info(item, &info.file_basic_info);
	/* The ContentID changes when the content does; of texts this short, it can be the text. */
	if (item->content)
		memcpy(info.version_info.content_id, item->content, strnlen(item->content, 128));
	return prj_write_placeholder_info(data->instance, item->path, &info, sizeof(info));
}

static prj_result get_data(const struct prj_callback_data *data, uint64_t byte_offset,
                           uint32_t length)
{
	const struct tree_item *item = find_item(data->instance_context, data->file_path_name);

	if (!item || !item->content || byte_offset > strlen(item->content))
		return PRJ_ERR_FILE_NOT_FOUND;
	return prj_write_file_data(data->instance, &data->data_stream_id,
	                           item->content + byte_offset, byte_offset,
	                           (uint32_t)strlen(item->content + byte_offset));
}

void tree_fill_callbacks(struct prj_callbacks *ret)
{
	*ret = (struct prj_callbacks){
	        .struct_size = sizeof(*ret),
	        .start_directory_enumeration = start,
	        .get_directory_enumeration = get,
	        .end_directory_enumeration = end,
	        .get_placeholder_info = get_info,
	        .get_file_data = get_data,
	};
}
