/* The one list of bus back ends. */
#pragma once

#include "bus/bus.h"

extern const struct bus_ops *const bus_backends[];
extern const size_t bus_backend_count;

/* sqlite:///var/lib/flyball/bus.db?queue=16MiB&bytes=512MiB&age=7d&dead=14d */
extern const struct bus_ops bus_sqlite;
