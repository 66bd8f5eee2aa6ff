/* SPDX-License-Identifier: MIT */
#ifndef PROVIDER_FAULT_CALLBACKS_H
#define PROVIDER_FAULT_CALLBACKS_H

#include "fault.h"

/* Replace the callbacks of the wrapped provider by those of the filter, except for status. */
void callbacks_wrap(const struct fault *fault, struct prj_callbacks *callbacks);

#endif
