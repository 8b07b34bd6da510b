/* HTTP/1.1 by libmicrohttpd, split in three: the server (http1.c), one request in it (http1_request.c), and what of
 * its head is taken (http1_head.c).
 *
 * The library has no threads here: its epoll hangs in ours, and its callbacks run inside MHD_run. A
 * request that waits for the poller (its headers or a piece not polled, its reply not made, nothing to
 * send of an open reply) is suspended, so that its socket is not read. */
#pragma once

#include "world/linux/inbox.h"
#include "world/linux/pace.h"

#include <microhttpd.h>

struct http1 {
	struct http_server server;
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct watch watch; /* the library's epoll */
	struct task run;
	struct timer again; /* in place of `run`, when the library only says that it is busy */
	uint64_t moved;     /* its callbacks that did something */
	int still;          /* runs on end in which it was busy and nothing moved */
	struct timer sweep;
	struct inbox inbox;
	struct list connections;
	int64_t count, max, idle_ns;
	int port;
	bool closing;
};

/* Whose turn it is on a connection, which decides whether time counts against the peer. */
enum http1_turn { TURN_PEER_HEAD, TURN_PEER_BODY, TURN_OURS, TURN_PEER_READS };

struct http1_connection {
	struct list node;
	struct http1 *server;
	int fd;
	enum http1_turn turn;
	struct pace pace;
	bool late; /* we shut it down for being slow */
	struct http1_request *request;
};

enum http1_state {
	REQUEST_NEW,   /* its headers are not complete */
	REQUEST_HELD,  /* its body waits until the poller has seen the headers */
	REQUEST_BODY,  /* its body comes */
	REQUEST_WHOLE, /* it waits for its reply */
	REQUEST_REPLY, /* its reply goes out */
};

struct http1_request {
	struct exchange x; /* first use: NEW has no id yet */
	struct http1 *server;
	struct http1_connection *connection; /* NULL: its end was notified */
	struct MHD_Connection *mhd;
	enum http1_state state;
	bool suspended; /* since `paused` */
	struct mono paused;
	int64_t length, received; /* of its body; length -1: chunked */
	bool expect;              /* it waits for a 100 */
	bool replied, discard;    /* the rest of its body is thrown away */
	bool abort;               /* close at the next callback */
	struct MHD_Response *response;
	unsigned int status;
	bool open, last; /* of the reply */
	struct buf out;  /* open: not sent yet, from out_at on */
	size_t out_at;
};

/* Callbacks of the library; cls is the server. */
void *http1_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http1_handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                             const char *version, const char *upload, size_t *upload_size, void **request);
void http1_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code);

/* Why a head is not taken, as a line for its sender; NULL: it is. `version`: "HTTP/1.1". */
const char *http1_refused(const struct http_event *e, const char *version);

enum err http1_reply(struct http1_request *r, const struct http_reply *reply);
enum err http1_send(struct http1_request *r, struct str bytes, bool last);
void http1_resume(struct http1_request *r); /* if it is suspended */
/* The peer of a suspended request has gone, as far as one can see. */
bool http1_peer_gone(const struct http1_request *r);
