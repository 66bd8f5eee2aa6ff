/* SPDX-License-Identifier: MIT */

/*
 * The operations by name, and scripts as text.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "script.h"
#include "side.h"
#include "util/macros.h"

/* clang-format off */
const struct op_kind op_kinds[] = {
	{"open",      "spfo",   16, perform_open},
	{"close",     "s",       7, perform_close},
	{"pread",     "s@l",     7, perform_pread},
	{"read",      "sl",      3, perform_read},
	{"pwrite",    "s@lw",   10, perform_pwrite},
	{"write",     "slw",     5, perform_write},
	{"seek",      "s@",      1, perform_seek},
	{"ftruncate", "sz",      3, perform_ftruncate},
	{"fallocate", "sk@l",    3, perform_fallocate},
	{"copy",      "s@s@l",   3, perform_copy},
	{"map",       "s",       2, perform_map},
	{"unmap",     "s",       1, perform_unmap},
	{"mread",     "s@l",     3, perform_mread},
	{"mwrite",    "s@lw",    4, perform_mwrite},
	{"fstat",     "s",       3, perform_fstat},
	{"fchmod",    "so",      1, perform_fchmod},
	{"futimens",  "st",      1, perform_futimens},
	{"fsync",     "s",       1, perform_fsync},
	{"fdatasync", "s",       1, perform_fdatasync},
	{"same",      "sp",      2, perform_same},
	{"tmpfile",   "sdo",     2, perform_tmpfile},
	{"linkfd",    "sp",      3, perform_linkfd},
	{"truncate",  "pz",      4, perform_truncate},
	{"unlink",    "p",       6, perform_unlink},
	{"rmdir",     "d",       4, perform_rmdir},
	{"mkdir",     "do",      6, perform_mkdir},
	{"symlink",   "yp",      3, perform_symlink},
	{"link",      "pp",      4, perform_link},
	{"rename",    "ppr",     9, perform_rename},
	{"rename",    "ddr",     3, perform_rename},
	{"chmod",     "po",      4, perform_chmod},
	{"chown",     "puu",     2, perform_chown},
	{"utimens",   "pt",      4, perform_utimens},
	{"setx",      "pxvwX",   4, perform_setx},
	{"getx",      "px",      2, perform_getx},
	{"rmx",       "px",      1, perform_rmx},
	{"listx",     "p",       1, perform_listx},
	{"mknod",     "pKo",     2, perform_mknod},
	{"list",      "d",       4, perform_list},
	{"stat",      "p",       8, perform_stat},
	{"readlink",  "p",       2, perform_readlink},
	{"cat",       "p",       5, perform_cat},
	{"save",      "plw",     2, perform_save},
	{"rmtree",    "d",       1, perform_rmtree},
	{"fsyncdir",  "d",       1, perform_fsyncdir},
	{"check",     "n",       0, perform_check},
	{"restart",   "",        0, perform_restart},
	{NULL, NULL, 0, NULL},
};

static const struct flag {
	char letter;
	const char *word;
	long value;
} flags[] = {
	{'f', "r", O_RDONLY},         {'f', "w", O_WRONLY},       {'f', "rw", O_RDWR},
	{'f', "creat", O_CREAT},      {'f', "excl", O_EXCL},      {'f', "trunc", O_TRUNC},
	{'f', "append", O_APPEND},    {'f', "nofollow", O_NOFOLLOW}, {'f', "directory", O_DIRECTORY},
	{'r', "noreplace", RENAME_NOREPLACE}, {'r', "exchange", RENAME_EXCHANGE}, {'r', "plain", 0},
};
/* clang-format on */

bool is_text_arg(char letter)
{
	return letter == 'p' || letter == 'd' || letter == 'y';
}

static bool is_flag_arg(char letter)
{
	return letter == 'f' || letter == 'r';
}

const struct op_kind *op_kind_find(const char *name)
{
	for (const struct op_kind *kind = op_kinds; kind->name; kind++)
		if (strcmp(kind->name, name) == 0)
			return kind;
	return NULL;
}

struct op *script_add(struct script *script, unsigned lane, const struct op_kind *kind)
{
	if (script->n_ops == script->capacity) {
		size_t capacity = script->capacity ? 2 * script->capacity : 256;
		struct op *ops = realloc(script->ops, capacity * sizeof(*ops));

		if (!ops)
			return NULL;
		script->ops = ops;
		script->capacity = capacity;
	}
	script->ops[script->n_ops++] = (struct op){
	        .line = (unsigned)script->n_ops,
	        .lane = lane,
	        .kind = kind,
	};
	return &script->ops[script->n_ops - 1];
}

void script_deinit(struct script *script)
{
	for (size_t i = 0; i < script->n_ops; i++)
		for (unsigned a = 0; a < MAX_ARGS; a++)
			free(script->ops[i].arg[a].text);
	free(script->ops);
	*script = (struct script){0};
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The access mode and "plain" have no bits of their own. */
static bool is_choice(const struct flag *flag)
{
	return flag->value == 0 ||
	       (flag->letter == 'f' && (flag->value & O_ACCMODE) == flag->value);
}

static void print_flags(char letter, long value, FILE *out)
{
	const char *separator = " ";
	long choice = letter == 'f' ? value & O_ACCMODE : value;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct flag *flag = &flags[i];
		bool is_set = is_choice(flag) ? flag->value == choice : (value & flag->value) != 0;

		if (flag->letter != letter || !is_set)
			continue;
		fprintf(out, "%s%s", separator, flag->word);
		separator = ",";
	}
}

void op_print(const struct op *op, FILE *out)
{
	fprintf(out, "%u %s", op->lane, op->kind->name);
	for (unsigned i = 0; op->kind->args[i]; i++) {
		char letter = op->kind->args[i];

		if (is_text_arg(letter))
			fprintf(out, " %s", op->arg[i].text);
		else if (is_flag_arg(letter))
			print_flags(letter, op->arg[i].n, out);
		else
			fprintf(out, letter == 'o' ? " %04lo" : " %ld", op->arg[i].n);
	}
	fputc('\n', out);
}

void script_print(const struct script *script, FILE *out)
{
	for (size_t i = 0; i < script->n_ops; i++)
		op_print(&script->ops[i], out);
}

/* ---- reading ----------------------------------------------------------------------------------- */

static bool parse_flags(char letter, char *words, long *ret)
{
	char *rest = NULL;

	*ret = 0;
	for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		size_t i;

		for (i = 0; i < ARRAY_SIZE(flags); i++)
			if (flags[i].letter == letter && strcmp(flags[i].word, word) == 0)
				break;
		if (i == ARRAY_SIZE(flags))
			return false;
		*ret |= flags[i].value;
	}
	return true;
}

static bool parse_number(char letter, const char *word, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(word, &end, letter == 'o' ? 8 : 10);
	if (errno || end == word || *end)
		return false;
	if (letter == 's')
		return *ret >= 0 && *ret < N_SLOTS;
	return !(letter == 'l' || letter == 'v') || (*ret >= 0 && *ret <= MAX_IO);
}

static bool parse_arg(struct op *op, unsigned i, char *word)
{
	char letter = op->kind->args[i];

	if (is_flag_arg(letter))
		return parse_flags(letter, word, &op->arg[i].n);
	if (!is_text_arg(letter))
		return parse_number(letter, word, &op->arg[i].n);
	op->arg[i].text = strdup(word);
	return op->arg[i].text;
}

static bool parse_line(struct script *script, char *line)
{
	char *rest = NULL;
	const char *lane = strtok_r(line, " \n", &rest);
	const char *name = strtok_r(NULL, " \n", &rest);
	const struct op_kind *kind = name ? op_kind_find(name) : NULL;
	struct op *op;
	long number;

	if (!kind || !parse_number('n', lane, &number) || number < 0 || number > MAX_LANES)
		return false;
	op = script_add(script, (unsigned)number, kind);
	if (!op)
		return false;
	for (unsigned i = 0; kind->args[i]; i++) {
		char *word = strtok_r(NULL, " \n", &rest);

		if (!word || !parse_arg(op, i, word))
			return false;
	}
	return !strtok_r(NULL, " \n", &rest);
}

int script_read(const char *path, struct script *ret)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t capacity = 0;
	unsigned number = 0;
	int r = 0;

	if (!in)
		return -errno;
	while (r == 0 && getline(&line, &capacity, in) > 0) {
		number++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!parse_line(ret, line)) {
			fprintf(stderr, "%s:%u: not an operation\n", path, number);
			r = -EINVAL;
		}
	}
	free(line);
	fclose(in);
	return r;
}
