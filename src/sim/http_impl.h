/* Between http.c, http_server.c and http_client.c: exchanges, and the messages that make them up. */
#pragma once

#include <string.h>

#include "base/list.h"
#include "sim/http.h"

/* What arrives at once at one end of an exchange: head and body, more body, or a failure. */
struct sim_message {
	struct list all;   /* in the web, until freed */
	struct list link;  /* in the receiver's inbox */
	uint64_t exchange; /* its id: the exchange may end before */
	bool to_server;
	bool head, head_given, end;
	enum err failed; /* instead of `end` */
	const char *why; /* a literal */
	int status;
	struct str method, target;
	struct http_header *headers, *trailers;
	size_t header_count, trailer_count;
	struct str body;
	size_t given; /* bytes of the body handed out */
	char block[]; /* everything above points in here */
};

struct sim_server {
	struct http_server server;
	struct sim_ports *ports; /* NULL: its host has died */
	struct list link, inbox;
	struct http_listen listen;
	bool loopback;
	int64_t connections;
	struct sim_message *spent; /* its slices live until the next poll */
	char peer[32];
};

struct sim_client {
	struct http_client client;
	struct sim_ports *ports; /* NULL: its host has died */
	struct list link, inbox;
	int64_t in_flight, in_flight_max;
	struct sim_message *spent;
};

struct sim_exchange {
	uint64_t id; /* 0: the slot is vacant */
	struct list link;
	struct sim_client *client; /* NULL: that end is over, or gone */
	struct sim_server *server; /* likewise */
	uint32_t client_host, server_host;
	bool replied;      /* the answer's head is on its way */
	bool request_over; /* END or FAILED was handed to the server */
	int64_t last_ns;   /* arrival of the latest piece of the answer: pieces keep their order */
	int64_t heard_ns;  /* when the client last got a byte */
	int64_t idle_ns, answer_max, answer_bytes;
	int64_t unread; /* bytes of the answer sent and not polled */
};

struct sim_web {
	struct sim_net *net;
	struct sim_exchange **slots; /* id = generation << 20 | slot */
	uint64_t *generation;
	uint32_t *vacant;
	uint32_t slot_count, vacant_count;
	struct list messages; /* all of them */
};

#define SIM_SEND_MAX (1024 * 1024)

struct sim_exchange *sim_exchange_new(struct sim_web *w);
struct sim_exchange *sim_exchange_get(const struct sim_web *w, uint64_t id); /* NULL: it is over */
/* Ends of an exchange: each is told nothing more. The exchange goes with its last end. */
void sim_exchange_leave_client(struct sim_web *w, struct sim_exchange *x);
void sim_exchange_leave_server(struct sim_web *w, struct sim_exchange *x);
/* The other end hears of a failure at `at_ns`. */
void sim_exchange_fail(struct sim_web *w, struct sim_exchange *x, bool to_server, int64_t at_ns, enum err e,
                       const char *why);

/* A port ends, closed or dead; `told`: its peers hear of it. */
void sim_server_end(struct sim_web *w, struct sim_server *s, bool told);
void sim_client_end(struct sim_web *w, struct sim_client *c, bool told);
void sim_ports_init_client(struct sim_ports *p);

struct sim_parts { /* of a message, to be copied */
	struct str method, target, body;
	const struct http_header *headers, *trailers, *extra;
	size_t header_count, trailer_count, extra_count;
};
struct sim_message *sim_message_new(struct sim_web *w, const struct sim_exchange *x, const struct sim_parts *parts);
void sim_message_free(struct sim_message *m); /* takes NULL */

/* Heads are written for every message: by hand, each returning where the next is to stand. */
static inline char *sim_put_text(char *at, struct str text) {
	if (text.n) memcpy(at, text.p, text.n);
	return at + text.n;
}
char *sim_put_number(char *at, uint64_t v); /* 20 digits at most */
/* Lies in the receiver's inbox from `at_ns` on, if the exchange lives then. */
void sim_message_send(struct sim_web *w, struct sim_message *m, int64_t at_ns);
/* The beginning only: then a failure, or nothing. */
void sim_message_cut(struct sim_web *w, struct sim_message *m, enum sim_fate fate);
/* Hands out the next event of an inbox; false: it is empty. *whole: the message's last event (END, FAILED). */
bool sim_inbox_next(struct sim_web *w, struct list *inbox, struct sim_message **spent, struct http_event *out,
                    struct sim_message **whole);
void sim_inbox_drop(struct list *inbox, uint64_t exchange); /* 0: all */
