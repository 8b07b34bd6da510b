/* What a program learns from its process: environment, identity, entropy, signals. */
#pragma once

#include "base/str.h"

struct process {
	const struct process_ops *ops;
};

struct process_ops {
	struct str (*env)(struct process *, const char *name); /* {NULL,0}: not set */
	void (*entropy)(struct process *, void *p, size_t n);  /* for secrets and ids */
	bool (*stopping)(struct process *);                    /* SIGINT or SIGTERM was seen */
	bool (*reload)(struct process *);                      /* SIGHUP since the last call */
	struct str (*host)(struct process *);
	int64_t (*id)(struct process *);
	bool (*privileged)(struct process *); /* effective user is root */
};
