/* An HTTP/2 peer for tests: a client session of nghttp2 over a raw socket. */
#pragma once

#include "world/linux/rig.h"

#include <nghttp2/nghttp2.h>

#define H2_STREAMS 256

struct h2_body {
	struct str bytes;
	size_t at;
	bool hold; /* more comes later: h2_more */
	bool waits;
};

struct h2 {
	struct rig *rig;
	struct peer peer;
	nghttp2_session *session;
	struct answer answers[H2_STREAMS]; /* by (stream - 1) / 2 */
	uint32_t reset_code[H2_STREAMS];
	struct h2_body bodies[H2_STREAMS];
	bool trailing[H2_STREAMS];
	bool goaway;
	uint32_t goaway_code;
	bool deaf; /* does not read */
};

void h2_open(struct h2 *h, struct rig *r, int port);
void h2_close(struct h2 *h);
/* Sends a request; `body` is borrowed. The answer gathers at the place it returns. */
struct answer *h2_ask(struct h2 *h, const char *method, const char *path, const struct http_header *headers,
                      size_t count, const struct h2_body *body);
void h2_more(struct h2 *h, struct answer *a, struct str bytes, bool hold);
void h2_reset(struct h2 *h, struct answer *a, uint32_t code);
uint32_t h2_code(struct h2 *h, const struct answer *a); /* with which its stream was closed */
/* Exchanges bytes with the server once and turns the loop. */
void h2_turn(struct h2 *h);
