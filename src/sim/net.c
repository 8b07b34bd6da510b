#include "sim/net.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "sim/memory.h"

#define DELAY_NS    (150 * NS_PER_US) /* within one zone; sigma 0.4 */
#define LOOPBACK_NS (20 * NS_PER_US)

void sim_net_init(struct sim_net *n, struct sim_queue *queue, struct sim_trace *trace, struct rng rng) {
	*n = (struct sim_net){ .queue = queue, .trace = trace, .rng = rng };
	n->usual = (struct sim_link){ .delay_ns = DELAY_NS, .delay_sigma = 0.4 };
}

void sim_net_done(struct sim_net *n) {
	if (!n) return;
	for (uint32_t i = 0; i < n->host_count; i++) free(n->host[i].link);
	*n = (struct sim_net){ 0 };
}

uint32_t sim_net_add(struct sim_net *n, const char *name) {
	assert(n->host_count < SIM_HOSTS);
	snprintf(n->host[n->host_count].name, sizeof n->host[0].name, "%s", name);
	return n->host_count++;
}

int sim_net_find(const struct sim_net *n, uint32_t from, struct str name) {
	if (str_is(name, "127.0.0.1") || str_is(name, "::1") || str_is(name, "localhost")) return (int)from;
	for (uint32_t i = 0; i < n->host_count; i++)
		if (str_is(name, n->host[i].name)) return (int)i;
	return -1;
}

void sim_net_link(struct sim_net *n, uint32_t host, const struct sim_link *link) {
	if (!n->host[host].link) n->host[host].link = must_alloc(sizeof *link);
	*n->host[host].link = *link;
}

void sim_net_part(struct sim_net *n, uint32_t from, uint32_t to, bool apart) {
	n->host[from].apart[to] = apart;
}

/* Of two hosts the one with conditions of its own decides; the sender's first. */
static const struct sim_link *link_of(const struct sim_net *n, uint32_t from, uint32_t to) {
	if (n->host[from].link) return n->host[from].link;
	return n->host[to].link ? n->host[to].link : &n->usual;
}

static int64_t draw_late(struct sim_net *n, const struct sim_late *l, int64_t *count) {
	if (l->share <= 0 || rng_unit(&n->rng) >= l->share) return 0;
	++*count;
	return (int64_t)((double)l->max_ns * rng_unit(&n->rng));
}

static int64_t draw_delay(struct sim_net *n, const struct sim_link *link, uint32_t from, uint32_t to) {
	int64_t median = from == to ? LOOPBACK_NS : link->delay_ns;
	int64_t delay = (int64_t)((double)median * exp(link->delay_sigma * rng_normal(&n->rng)));
	return delay + draw_late(n, &link->slow, &n->counts.slow) + draw_late(n, &link->overtaken, &n->counts.overtaken);
}

static enum sim_fate draw_fate(struct sim_net *n, const struct sim_link *link) {
	if (link->lost + link->reset + link->cut + link->stalled <= 0) return SIM_ARRIVES;
	double u = rng_unit(&n->rng);
	if ((u -= link->lost) < 0) return n->counts.lost++, SIM_LOST;
	if ((u -= link->reset) < 0) return n->counts.reset++, SIM_RESET;
	if ((u -= link->cut) < 0) return n->counts.cut++, SIM_CUT;
	if ((u -= link->stalled) < 0) return n->counts.stalled++, SIM_STALLED;
	return SIM_ARRIVES;
}

enum sim_fate sim_net_draw(struct sim_net *n, uint32_t from, uint32_t to, int64_t *at_ns) {
	const struct sim_link *link = link_of(n, from, to);
	n->counts.messages++;
	*at_ns = n->queue->now_ns + draw_delay(n, link, from, to);
	enum sim_fate fate = from == to ? SIM_ARRIVES : draw_fate(n, link);
	if (n->host[from].apart[to]) {
		n->counts.partitioned++;
		fate = SIM_LOST;
	}
	sim_trace_mix(n->trace, (uint64_t)*at_ns << 3 | (uint64_t)fate);
	return fate;
}

bool sim_net_draw_twice(struct sim_net *n, uint32_t from, uint32_t to, int64_t *at_ns) {
	const struct sim_link *link = link_of(n, from, to);
	if (link->twice <= 0 || from == to || rng_unit(&n->rng) >= link->twice) return false;
	n->counts.twice++;
	*at_ns = n->queue->now_ns + draw_delay(n, link, from, to) + (int64_t)(rng_unit(&n->rng) * (double)NS_PER_SEC);
	return true;
}
