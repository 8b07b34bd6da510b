/* For tests: HTTP servers whose peers are the test itself. Everything lies in the test's arena. */
#pragma once

#include "base/list.h"
#include "world/http.h"

#define TEST_HEADERS 16

struct test_reply {
	int times; /* how often it was answered: 0, and never more than 1 */
	int status;
	struct str body;
	struct http_header headers[TEST_HEADERS], trailers[TEST_HEADERS];
	size_t header_count, trailer_count;
};

struct test_exchange {
	struct list node;
	uint64_t id;
	bool gone; /* the peer has gone: an answer is ERR_CLOSED */
	struct test_reply reply;
};

struct test_event {
	struct list node;
	struct http_event event;
};

struct test_server {
	struct http_server server;
	struct test_http *http;
	struct http_listen listen;
	struct list events; /* not polled yet */
	bool closed;
};

struct test_http {
	struct http_host host;
	struct arena *a;
	struct test_server servers[2]; /* [0] HTTP/1.1, [1] HTTP/2 */
	struct list exchanges;
	uint64_t last_id;
	int busy_port; /* listening there fails with ERR_BUSY */
};

void test_http_init(struct test_http *h, struct arena *a);
/* The head of a request; headers are "name: value" lines. */
struct test_exchange *test_http_head(struct test_http *h, bool http2, const char *method, const char *target,
                                     const char *headers);
void test_http_body(struct test_http *h, bool http2, struct test_exchange *x, struct str piece);
void test_http_end(struct test_http *h, bool http2, struct test_exchange *x);
void test_http_fail(struct test_http *h, bool http2, struct test_exchange *x); /* the peer goes away */
/* Head, body in pieces of `piece` bytes, end. */
struct test_exchange *test_http_post(struct test_http *h, bool http2, const char *target, const char *headers,
                                     struct str body, size_t piece);
/* The value in a reply's headers or trailers; {NULL,0}: absent. */
struct str test_header(const struct http_header *headers, size_t n, const char *name);
