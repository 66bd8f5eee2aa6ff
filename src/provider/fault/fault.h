/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_FAULT_H
#define PROVIDER_FAULT_FAULT_H

/* The instance of the filter, and how its parts know each other. */

#include "late.h"
#include "rules.h"

#include <stdatomic.h>

struct fault {
	const struct prj_provider_instance *inner; /* the wrapped provider, until close() */
	struct rules rules;
	struct late late;
	atomic_llong n_faults; /* calls that a rule fired for */
	atomic_llong n_effects[N_EFFECTS]; /* how many of these had the effect */
};

#endif
