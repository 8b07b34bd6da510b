/* TCP as a port, for protocols that are not HTTP (Redis, DNS): bytes, polled, never waited for. */
#pragma once

#include "base/str.h"

enum net_event_kind {
	NET_OPEN,     /* the peer took the connection */
	NET_BYTES,    /* at most 64 KiB; what is not polled is not read */
	NET_WRITABLE, /* after ERR_AGAIN: there is room again */
	NET_CLOSED,   /* by the peer, or it never opened: `err` says why; the id is dead */
};

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
	/* ERR_INVALID: the host or the port; ERR_FULL: too many connections. Whatever else fails is CLOSED:
	 * ERR_UNREACHABLE, ERR_TIMEOUT, ERR_AGAIN (the name service does not answer now). */
	enum err (*connect)(struct net *, struct str host, int port, int64_t timeout_ns, uint64_t *id, struct why *);
	/* Copies; before OPEN too. ERR_AGAIN: over 1 MiB waits; ERR_CLOSED. */
	enum err (*send)(struct net *, uint64_t id, struct str bytes);
	bool (*poll)(struct net *, struct net_event *out);
	void (*close)(struct net *, uint64_t id); /* no further event of it */
};
