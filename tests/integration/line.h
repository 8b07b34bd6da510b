/* Raw connections, and HTTP/1.1 over them: byte by byte where a test wants it so. */
#pragma once

#include "rig.h"

struct line {
	struct t *t;
	int fd;
	bool closed; /* the other side has closed, or reset */
	struct buf in;
	size_t used; /* of `in` */
};

struct answer {
	int status; /* 0: the connection ended without one */
	struct str head, body;
	bool closed; /* after it */
};

struct line line_open(struct t *t, int port);
void line_close(struct line *l);
/* False: the other side has closed. Waits for at most PATIENCE_S (then the test fails). */
bool line_send(struct line *l, struct str bytes);
bool line_print(struct line *l, const char *fmt, ...) PRINTF(2, 3);
/* Sends `n` bytes of it, over and over `bytes`. */
bool line_flood(struct line *l, struct str bytes, size_t n);
/* Reads what is there, waiting for at most `ms` for the first byte. False: nothing came, or the end. */
bool line_read(struct line *l, int64_t ms);
/* Reads until so many unused bytes are there; false: the end came first. */
bool line_need(struct line *l, size_t n);
/* Waits until the other side closes. */
void line_end(struct line *l);
struct str line_unused(const struct line *l);
/* The next answer: by content-length, chunks, or until the end. */
struct answer line_answer(struct line *l);

/* One request on a connection of its own. `headers`: whole lines, each ended by CRLF; content-length is added where
 * there is a body. */
struct answer ask(struct t *t, int port, const char *method, const char *target, const char *headers, struct str body);
#define GET(port, target) ask(t, port, "GET", target, "", (struct str){ 0 })
struct str answer_header(struct t *t, const struct answer *a, const char *name);
const struct json *answer_json(struct t *t, const struct answer *a);

/* The value of a sample in the daemon's /metrics: name with its labels, as printed. NaN: there is none. */
double metric(struct t *t, int api, const char *sample);
/* The sum over all its label sets. */
double metric_sum(struct t *t, int api, const char *family);
