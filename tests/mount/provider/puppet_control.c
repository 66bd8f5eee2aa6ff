/* SPDX-License-Identifier: MIT */
/*
 * The strings of the puppet: lines of words, each answered with lines that end in "ok" or "error TEXT".  Paths have no
 * blanks; "." is the root.  A file named "script" next to the socket is obeyed before the mount.
 *
 *	file PATH SIZE SEED [MODE]   dir PATH   remove PATH   many PATH N   reversed PATH   twice PATH
 *	hold|pend|early|late|keep KIND PATH     when to answer
 *	fail KIND PATH CODE [WHEN [TIMES]]      what, and when (now, pend, early, late); TIMES: then behave
 *	short PATH BYTES
 *	release                      forget all rules, let go what is held
 *	count KIND [PATH]            how many callbacks; ranges PATH: "OFFSET LENGTH" for each of data
 *	calls [KIND]                 "KIND ID PATH" for each callback, ID as given to it
 *	await KIND PATH N            answer when there were N of them
 *
 * and those of puppet_calls.c for calls that are kept.  When all is over, the file "journal" has all calls, what came
 * of late answers, and "sessions N", the listings that nobody ended.
 */
#include "puppet.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_WORDS 6
#define AWAIT_SECONDS 30

static const char *path_of(const char *word)
{
	return strcmp(word, ".") ? word : "";
}

static const char *put_item(struct puppet *p, const char *path, bool is_dir, char **words, int n)
{
	struct item *item = item_find(p, path_of(path), true);

	if (!item)
		return "out of memory";
	item->exists = true;
	item->is_dir = is_dir;
	item->size = n > 0 ? strtoull(words[0], NULL, 0) : 0;
	item->seed = n > 1 ? strtoull(words[1], NULL, 0) : 0;
	item->mode = n > 2 ? (uint32_t)strtoul(words[2], NULL, 8) : is_dir ? 0755 : 0644;
	return NULL;
}

static const char *put_many(struct puppet *p, const char *dir, const char *number)
{
	char path[4096], size[] = "5", seed[24];
	char *words[] = {size, seed};
	unsigned long n = strtoul(number, NULL, 0);
	const char *error = put_item(p, dir, true, NULL, 0);

	for (unsigned long i = 0; i < n && !error; i++) {
		(void)snprintf(path, sizeof(path), "%s/f%06lu", dir, i);
		(void)snprintf(seed, sizeof(seed), "%lu", i);
		error = put_item(p, path, false, words, 2);
	}
	return error;
}

static const char *const modes[N_MODES] = {
        [MODE_NOW] = "now",     [MODE_HOLD] = "hold", [MODE_PEND] = "pend",
        [MODE_EARLY] = "early", [MODE_LATE] = "late", [MODE_KEEP] = "keep"};

static int mode_parse(const char *word)
{
	for (int i = 0; i < N_MODES; i++)
		if (!strcmp(word, modes[i]))
			return i;
	return -1;
}

static const char *add_rule(struct puppet *p, const struct rule *like, const char *path)
{
	struct rule *rule;

	path = path_of(path);
	rule = calloc(1, sizeof(*rule) + strlen(path) + 1);
	if (!rule)
		return "out of memory";
	*rule = *like;
	strcpy(rule->path, path);
	rule->next = p->rules;
	p->rules = rule;
	pthread_cond_broadcast(&p->changed); /* it counts for what an older rule holds, too */
	return NULL;
}

/* NULL and the rule that the words are, "" if they are none, or what is wrong with them. */
static const char *parse_rule(char **words, int n, int kind, struct rule *ret)
{
	bool fail = !strcmp(words[0], "fail");
	int mode = fail ? (n > 4 ? mode_parse(words[4]) : MODE_NOW) : mode_parse(words[0]);

	*ret = (struct rule){.short_bytes = -1};
	if (n == 3 && !strcmp(words[0], "short")) {
		ret->kind = KIND_DATA;
		ret->short_bytes = strtoll(words[2], NULL, 0);
		return NULL;
	}
	if (n < 3 || (!fail && mode < 0))
		return "";
	if (kind < 0)
		return "no such kind";
	if (fail && (n < 4 || mode < 0 || mode == MODE_HOLD || mode == MODE_KEEP))
		return "fail wants a code, and then perhaps now, pend, early or late";
	ret->kind = (enum kind)kind;
	ret->mode = (enum mode)mode;
	ret->has_result = fail;
	ret->result = fail ? (prj_result)strtoll(words[3], NULL, 0) : PRJ_OK;
	ret->n_left = n > 5 ? strtoull(words[5], NULL, 0) : 0;
	return ret->n_left && mode == MODE_PEND ? "what is pended is not counted" : NULL;
}

static const char *obey_rule(struct puppet *p, char **words, int n, int kind)
{
	struct rule rule;
	const char *error = parse_rule(words, n, kind, &rule);

	return error ? error : add_rule(p, &rule, words[rule.short_bytes < 0 ? 2 : 1]);
}

static uint64_t count_of(struct puppet *p, int kind, const char *path)
{
	const struct item *item;
	uint64_t n = 0;

	if (path) {
		item = item_find(p, path_of(path), false);
		return item ? item->counts[kind] : 0;
	}
	for (size_t i = 0; i < p->n_items; i++)
		n += p->items[i]->counts[kind];
	return n;
}

static const char *await(struct puppet *p, int kind, const char *path, uint64_t n)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += AWAIT_SECONDS;
	while (!p->is_stopping && count_of(p, kind, path) < n)
		if (pthread_cond_timedwait(&p->changed, &p->lock, &deadline))
			return "it did not come";
	return NULL;
}

static void print_ranges(struct puppet *p, const char *path, FILE *out)
{
	const struct item *item = item_find(p, path_of(path), false);

	for (size_t i = 0; item && i < item->n_ranges; i++)
		fprintf(out, "%" PRIu64 " %" PRIu32 "\n", item->ranges[i].offset,
		        item->ranges[i].length);
}

static const char *make_view(struct puppet *p, char **words, int n)
{
	struct item *item;

	if (!strcmp(words[0], "file") && n >= 4)
		return put_item(p, words[1], false, words + 2, n - 2);
	if (!strcmp(words[0], "dir"))
		return put_item(p, words[1], true, NULL, 0);
	if (!strcmp(words[0], "many") && n == 3)
		return put_many(p, words[1], words[2]);
	item = item_find(p, path_of(words[1]), false);
	if (!item)
		return "no such item, or no such command";
	if (!strcmp(words[0], "remove"))
		item->exists = false;
	else if (!strcmp(words[0], "reversed"))
		item->lists_reversed = true;
	else if (!strcmp(words[0], "twice"))
		item->lists_twice = true;
	else
		return "no such command";
	return NULL;
}

/* The caller holds the lock. */
static const char *obey(struct puppet *p, char **words, int n, FILE *out)
{
	int kind = n > 1 ? kind_parse(words[1]) : -1;
	const char *error;
	struct rule *rule;

	if (!strcmp(words[0], "release")) {
		while ((rule = p->rules)) {
			p->rules = rule->next;
			free(rule);
		}
		pthread_cond_broadcast(&p->changed);
		return NULL;
	}
	if (!strcmp(words[0], "calls")) {
		print_notes(p, kind, out);
		return NULL;
	}
	if (n < 2)
		return "a word is missing";
	if (kind >= 0 && !strcmp(words[0], "count")) {
		fprintf(out, "%" PRIu64 "\n", count_of(p, kind, n > 2 ? words[2] : NULL));
		return NULL;
	}
	if (kind >= 0 && n == 4 && !strcmp(words[0], "await"))
		return await(p, kind, words[2], strtoull(words[3], NULL, 0));
	if (!strcmp(words[0], "ranges")) {
		print_ranges(p, words[1], out);
		return NULL;
	}
	error = obey_rule(p, words, n, kind);
	if (!error || *error)
		return error;
	return make_view(p, words, n);
}

/* Obey line by line until the end of @in, or until somebody says stop. */
static void serve(struct puppet *p, FILE *in, FILE *out)
{
	char *line = NULL, *rest, *words[MAX_WORDS];
	size_t room = 0;

	while (getline(&line, &room, in) > 0) {
		const char *error = "no command";
		int n = 0;

		for (char *w = strtok_r(line, " \n", &rest); w && n < MAX_WORDS;
		     w = strtok_r(NULL, " \n", &rest))
			words[n++] = w;
		if (n > 0 && !calls_obey(p, words, n, out, &error)) {
			pthread_mutex_lock(&p->lock);
			error = obey(p, words, n, out);
			pthread_mutex_unlock(&p->lock);
		}
		fprintf(out, "%s%s\n", error ? "error " : "ok", error ? error : "");
		fflush(out);
	}
	free(line);
}

static void serve_client(struct puppet *p, int fd)
{
	FILE *in = fdopen(fd, "re");
	FILE *out = in ? fdopen(dup(fd), "we") : NULL;

	if (out) {
		pthread_mutex_lock(&p->lock);
		p->client_fd = p->is_stopping ? -1 : fd;
		pthread_mutex_unlock(&p->lock);
		serve(p, in, out);
		pthread_mutex_lock(&p->lock);
		p->client_fd = -1;
		pthread_mutex_unlock(&p->lock);
		fclose(out);
	}
	if (in)
		fclose(in);
	else
		(void)close(fd);
}

static void *thread_main(void *argument)
{
	struct puppet *p = argument;
	int fd;

	while ((fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		serve_client(p, fd);
	return NULL;
}

static int run_script(struct puppet *p)
{
	char path[4096];
	FILE *in, *out;

	(void)snprintf(path, sizeof(path), "%s/script", p->directory);
	in = fopen(path, "re");
	if (!in)
		return errno == ENOENT ? 0 : -errno;
	out = fopen("/dev/null", "we");
	if (out)
		serve(p, in, out);
	fclose(in);
	if (out)
		fclose(out);
	return 0;
}

int control_start(struct puppet *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = run_script(p);

	if (r < 0)
		return r;
	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/control",
	                     p->directory) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	(void)unlink(address.sun_path);
	p->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->listen_fd < 0)
		return -errno;
	if (bind(p->listen_fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(p->listen_fd, 4) < 0 || pthread_create(&p->thread, NULL, thread_main, p)) {
		r = errno ? -errno : -EAGAIN;
		(void)close(p->listen_fd);
		p->listen_fd = -1;
		return r;
	}
	return 0;
}

void control_stop(struct puppet *p)
{
	pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	if (p->client_fd >= 0)
		(void)shutdown(p->client_fd, SHUT_RDWR);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->listen_fd < 0)
		return;
	(void)shutdown(p->listen_fd, SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	(void)close(p->listen_fd);
}
