/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_EFFECTS_H
#define PROVIDER_FAULT_EFFECTS_H

/*
 * What is wrong with an answer.  The wrapped provider gives its answers to projfs itself, past the filter.  So it is
 * asked for less, or more often, than projfs asked, or not at all; and the filter gives something of its own before it.
 */

#include "rules.h"

/* The answer to the call, with the effects of the rule, as a callback returns it. */
prj_result effects_answer(const struct call *call, const struct rule *rule,
                          const struct prj_provider_instance *inner);

/*
 * What `disorder` adds to listings exists, as two empty files in each directory, or it would be another
 * mistake.  True if the call asks for one of them; then it has been answered with *ret.
 */
bool effects_answer_added(const struct call *call, prj_result *ret);

#endif
