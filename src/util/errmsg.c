/* SPDX-License-Identifier: MIT */
#include "util/errmsg.h"

#include "util/text.h"

int errmsg_set(struct errmsg *err, int error, const char *format, ...)
{
	va_list args;

	if (!err)
		return error;

	va_start(args, format);
	text_vformat(err->text, sizeof(err->text), format, args);
	va_end(args);
	return error;
}
