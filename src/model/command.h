/* What people and programs may tell the control plane; the api stage's next. */
#pragma once

#include "base/json.h"

enum command_kind {
	COMMAND_APPROVE,
	COMMAND_REJECT, /* an action that waits */
	COMMAND_UNDO,   /* an action that was applied */
	COMMAND_PAUSE,
	COMMAND_RESUME, /* `scope`: empty is everything */
	COMMAND_ACK,
	COMMAND_WRONG,
	COMMAND_MUTE, /* an incident */
};

struct command {
	enum command_kind kind;
	struct str id; /* action or incident */
	struct str scope;
	struct str by;  /* the token's name, never the token */
	struct str why; /* free words, at most 1 KiB */
	int64_t for_ns; /* pause, mute: 0 is until taken back */
};

struct command_done {
	uint64_t tag;
	enum err err; /* ERR_NOT_FOUND, ERR_CONFLICT (not in a state for it), ERR_DENIED (asked and approved by one) */
	const char *why;
};

struct commands {
	const struct commands_ops *ops;
};
struct commands_ops {
	enum err (*submit)(struct commands *, const struct command *, uint64_t tag); /* copies */
	bool (*poll)(struct commands *, struct command_done *out);
};
