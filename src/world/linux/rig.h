/* Tests of the HTTP ports: a real world, servers and clients on loopback, and peers that talk raw bytes.
 * One thread: whatever is awaited is awaited by turning the loop. */
#pragma once

#include "base/test.h"
#include "world/linux/linux.h"

#include <string.h>

#define RIG_PATIENCE_NS (20 * NS_PER_SEC)

struct rig {
	struct t *t;
	struct world_linux *linux_;
	struct world *world;
};

void rig_open(struct rig *r, struct t *t);
void rig_close(struct rig *r);
int64_t rig_now(struct rig *r); /* monotonic, ns */
/* Turns the loop once, for at most a few milliseconds. */
void rig_turn(struct rig *r);
/* Turns it until `condition` holds, and fails the test after RIG_PATIENCE_NS. */
#define RIG_UNTIL(r, condition)                                                                 \
	for (int64_t until_ = rig_now(r) + RIG_PATIENCE_NS; !(condition);) {                        \
		if (rig_now(r) > until_) test_fail((r)->t, __FILE__, __LINE__, "in time: " #condition); \
		rig_turn(r);                                                                            \
	}

/* How often the loop wakes within 300 ms when nobody does anything: a few sweeps a second, never a spin. */
int rig_idle_turns(struct rig *r);

struct http_server *rig_listen(struct rig *r, struct http_listen o);
struct http_client *rig_client(struct rig *r);

/* One answer as a client gathers it. */
struct answer {
	uint64_t id;
	int status, pieces;
	bool done, failed;
	enum err err;
	struct why why;
	struct http_event head; /* headers copied into the test's arena */
	struct http_header trailers[8];
	size_t trailer_count;
	struct buf body;
};
void answer_done(struct answer *a);
/* Takes an event of the client into the answer it belongs to. */
void answer_take(struct rig *r, struct answer *a, size_t count, const struct http_event *e);
bool rig_poll_client(struct rig *r, struct http_client *c, struct answer *a, size_t count);

/* One request as a server gathers it. */
struct asked {
	uint64_t id;
	struct http_event head; /* copied */
	bool whole, failed;
	enum err err;
	struct why why;
	int64_t pieces;
	struct buf body;
	struct http_header trailers[8];
	size_t trailer_count;
};
void asked_done(struct asked *a);
/* The next event, into the slot of its id or into the first free one; false: none. */
bool rig_poll_server(struct rig *r, struct http_server *s, struct asked *a, size_t count);

/* A raw peer: a non-blocking socket and what came over it. */
struct peer {
	int fd;
	bool closed;
	struct buf got;
};
void peer_open(struct rig *r, struct peer *p, int port);
/* Sends all of it, turning the loop as often as the socket is full. False: the other side has closed. */
bool peer_send(struct rig *r, struct peer *p, struct str bytes);
void peer_read(struct peer *p); /* what is there now */
bool peer_has(const struct peer *p, const char *text);
void peer_close(struct peer *p);
/* A raw listener's next connection. */
int peer_listen(struct rig *r, int *port);
bool peer_accept(struct peer *p, int listener);
