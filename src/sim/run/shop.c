/* The machine that the shop's exporters run on: all it does is to hand them their answers. */
#include "sim/run/impl.h"

static enum err start(void *self, struct sim_host *host, struct why *why) {
	struct run_shop *s = self;
	(void)why;
	s->host = host;
	return OK;
}

static bool step(void *self) {
	struct run_shop *s = self;
	shop_poll(s->run->shop);
	return false;
}

static struct mono next_due(void *self) {
	(void)self;
	return (struct mono){ INT64_MAX }; /* the shop's own moments are in the queue */
}

static void stop(void *self) {
	(void)self;
}

const struct sim_program run_shop_program = { start, step, next_due, stop };
