/* One request of a client, as libcurl sees it. (For client.c and transfer.c.) */
#pragma once

#include "world/linux/inbox.h"

#include <curl/curl.h>

struct transfer {
	struct exchange x;
	struct list node; /* of its client's, while it runs */
	CURL *easy;       /* NULL: it has ended */
	struct curl_slist *headers, *connect_to;
	struct str body;   /* a copy */
	const char *where; /* the URL without its query, for errors */
	struct inbox *inbox;
	bool answering; /* RESPONSE was told; header lines are trailers now */
	bool paused;    /* until a piece is polled */
	int64_t received, received_max;
	int64_t idle_ns, progress;
	struct mono progress_at;
	enum err err; /* why a callback of ours stopped it */
	char said[CURL_ERROR_SIZE];
};

/* A transfer of `r`, not yet running, in *out. ERR_INVALID names what is wrong with it, ERR_FULL. */
MUST_USE enum err transfer_new(struct inbox *b, const struct http_request *r, struct transfer **out, struct why *why);
/* Ends libcurl's part; it must not be in a multi handle any more. */
void transfer_end(struct transfer *t);
/* libcurl is done with it: END or FAILED to the inbox. */
void transfer_result(struct transfer *t, CURLcode code);
/* Did a byte move since it was asked last, in either direction? */
bool transfer_moved(struct transfer *t);
