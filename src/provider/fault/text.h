/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_TEXT_H
#define PROVIDER_FAULT_TEXT_H

/*
 * The language of projfs-fault(7):
 *
 *	TEXT  = RULE [";" RULE]...        blank rules do not count
 *	RULE  = CALLBACK [WORD | WORD=VALUE]...
 *	VALUE = characters without blanks and ";", or anything but '"' between two '"'
 */

#include "rules.h"

#define TEXT_MESSAGE_SIZE 700

/*
 * Add the rules of @text to @rules.  0, -ENOMEM or -EINVAL; what was added stays the caller's to deinit in any case.
 * @ret_message then says at which character, which word is wrong, and what is allowed there.
 */
int text_parse(const char *text, struct rules *rules, char ret_message[TEXT_MESSAGE_SIZE]);

const char *text_of_word(enum word word);

#endif
