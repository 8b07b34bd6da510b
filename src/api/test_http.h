/* Test support: an HTTP server without a network. A test says what a peer sends, and sees what it got. No
 * product code links it. */
#pragma once

#include "base/list.h"
#include "base/test.h"
#include "world/http.h"

#define TEST_EXCHANGES 256

struct test_exchange {
	int status; /* 0: not answered yet */
	struct buf body;
	char type[80];
	bool open, failed;
};

struct test_http {
	struct http_host host;
	struct http_server server;
	struct list events; /* not polled yet */
	struct arena polled;
	struct test_exchange exchanges[TEST_EXCHANGES]; /* by id */
	uint64_t next;
	bool listening, slow, port_busy; /* slow: sends answer ERR_AGAIN */
};

void test_http_init(struct test_http *h);
void test_http_done(struct test_http *h);
/* A whole request; `headers` is "name: value" lines, may be NULL. Returns its id. */
uint64_t test_http_send(struct test_http *h, const char *method, const char *target, const char *headers,
                        struct str body);
/* Only the head; the body and the end follow, or never come. */
uint64_t test_http_begin(struct test_http *h, const char *method, const char *target, const char *headers);
void test_http_piece(struct test_http *h, uint64_t id, struct str body);
void test_http_end(struct test_http *h, uint64_t id);
void test_http_cut(struct test_http *h, uint64_t id);
