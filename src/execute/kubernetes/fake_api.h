/* Test support: an HTTP client that answers from a function, and a world of it. One process, no
 * sockets; what the real API server does is tried in tests/e2e and by the simulation's server. */
#pragma once

#include "base/test.h"
#include "world/world.h"

struct fake_request {
	uint64_t id;
	char method[16], url[512], content_type[64];
	char body[16384];
	bool watch;
};

struct fake_api {
	struct world world;
	struct fake_clock time;
	struct http_clients clients;
	struct http_client client;
	/* Answers one request; false: no answer yet (a watch stays open). *body lives until the next call. */
	bool (*answer)(struct fake_api *f, const struct fake_request *r, int *status, const char **body);
	void *self;
	struct fake_request log[512];
	size_t log_count;
	struct fake_event {
		struct http_event event;
		char *text;
	} queue[1024];
	size_t head, tail;
	char *handed;
	struct disk disk;
};

void fake_api_init(struct fake_api *f);
void fake_api_done(struct fake_api *f);
/* A line of the newest open watch whose URL holds `what`. */
void fake_api_line(struct fake_api *f, const char *what, const char *json);
/* Ends it, or breaks it when `err` is not OK. */
void fake_api_end(struct fake_api *f, const char *what, enum err err);
/* Requests so far whose method and URL hold these words. */
size_t fake_api_count(const struct fake_api *f, const char *method, const char *what);
