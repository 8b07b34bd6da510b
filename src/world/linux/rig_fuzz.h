/* Fuzzing of the HTTP ports: one world for the whole run, one connection for each input. */
#pragma once

#include "world/linux/linux.h"

#include <stdint.h>

struct fuzz {
	struct world_linux *linux_;
	struct world *world;
	struct http_server *server;
	struct http_client *client;
	int listener, port;
};

/* Opened by the first call, and never closed: libFuzzer ends the process. */
struct fuzz *fuzz_world(bool http2);
/* Sends `bytes` to the server, polls it and answers what it asks, until it closes the connection. What the
 * server shall do (early reply, open reply, no poll for a while) is drawn from `choice`. */
void fuzz_server(struct fuzz *f, const uint8_t *bytes, size_t n, uint8_t choice);
/* The client asks, and `bytes` are its answer. */
void fuzz_client(struct fuzz *f, const uint8_t *bytes, size_t n, uint8_t choice);
