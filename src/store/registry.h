/* The one list of state back ends. */
#pragma once

#include "store/state.h"

extern const struct state_ops *const state_backends[];
extern const size_t state_backend_count;

extern const struct state_ops state_sqlite; /* sqlite:///var/lib/flyball/state.db?queue=32MiB */
