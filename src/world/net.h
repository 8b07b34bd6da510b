/* TCP as a port, for protocols that are not HTTP (Redis, DNS): bytes, polled, never waited for. */
#pragma once

#include "base/str.h"

enum net_event_kind { NET_OPEN, NET_BYTES, NET_WRITABLE, NET_CLOSED };

struct net_event {
	enum net_event_kind kind;
	uint64_t id;
	struct str bytes; /* until the next poll */
	enum err err;     /* CLOSED */
};

struct net {
	const struct net_ops *ops;
};

struct net_ops {
	enum err (*connect)(struct net *, struct str host, int port, int64_t timeout_ns, uint64_t *id, struct why *);
	enum err (*send)(struct net *, uint64_t id, struct str bytes); /* copies; ERR_AGAIN over 1 MiB, ERR_CLOSED */
	bool (*poll)(struct net *, struct net_event *out);
	void (*close)(struct net *, uint64_t id);
};
