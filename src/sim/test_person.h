/* For tests: somebody on a host of his own, with an HTTP client and nothing else to do. */
#pragma once

#include "sim/host.h"

struct test_person {
	struct sim_host host;
	struct http_client *client;
};

static inline enum err test_person_start(void *self, struct sim_host *h, struct why *why) {
	(void)why;
	return h->world.clients->open(h->world.clients, 100, &((struct test_person *)self)->client);
}
static inline bool test_person_step(void *self) {
	(void)self;
	return false;
}
static inline struct mono test_person_due(void *self) {
	(void)self;
	return (struct mono){ INT64_MAX };
}
static inline void test_person_stop(void *self) {
	http_client_close(((struct test_person *)self)->client);
}
static const struct sim_program test_person_program = { test_person_start, test_person_step, test_person_due,
	                                                    test_person_stop };
