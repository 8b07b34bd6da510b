/* The network between hosts: who reaches whom, how late, and what goes wrong on the way.
 *
 * A message is a request or an answer, or a piece of one. Between two hosts it takes a drawn time; it
 * may be lost (nobody hears of it: a time-out), reset (both hear of it at once), cut (the beginning
 * arrives), stalled (the beginning arrives and nothing more) or come twice. A partition loses
 * everything between two hosts, one way or both. Reordering follows from the delays: only the pieces of
 * one message keep their order. Names are looked up here: "flyball", "kube"; "127.0.0.1", "::1" and
 * "localhost" are the host itself. Hosts live as long as the network. */
#pragma once

#include "base/rng.h"
#include "sim/queue.h"
#include "sim/trace.h"

#define SIM_HOSTS 64

/* Probabilities by message; all zero: a network without faults. */
struct sim_link {
	int64_t delay_ns;   /* median, one way */
	double delay_sigma; /* of its logarithm */
	double lost, reset, cut, stalled, twice;
	struct sim_late {
		double share;   /* of messages ... */
		int64_t max_ns; /* ... comes later by up to this */
	} slow, overtaken;
};

enum sim_fate { SIM_ARRIVES, SIM_LOST, SIM_RESET, SIM_CUT, SIM_STALLED, SIM_FATES };

struct sim_net_counts {
	int64_t messages, lost, reset, cut, stalled, twice, slow, overtaken, partitioned;
};

struct sim_net {
	struct sim_queue *queue;
	struct sim_trace *trace;
	struct rng rng;
	struct sim_link usual;
	struct {
		char name[48];
		struct sim_link *link;   /* of messages to and from it; NULL: the usual one */
		struct sim_ports *ports; /* NULL: it is down */
		bool apart[SIM_HOSTS];   /* apart[i]: nothing of ours reaches host i */
	} host[SIM_HOSTS];
	uint32_t host_count;
	struct sim_net_counts counts;
};

void sim_net_init(struct sim_net *n, struct sim_queue *queue, struct sim_trace *trace, struct rng rng);
void sim_net_done(struct sim_net *n);
/* Its number. At most SIM_HOSTS. */
uint32_t sim_net_add(struct sim_net *n, const char *name);
/* -1: no such host. `from`: the one who asks. */
int sim_net_find(const struct sim_net *n, uint32_t from, struct str name);
/* Conditions of one host's messages, both ways. */
void sim_net_link(struct sim_net *n, uint32_t host, const struct sim_link *link);
void sim_net_part(struct sim_net *n, uint32_t from, uint32_t to, bool apart);
/* Draws what becomes of a message and when it arrives (a virtual moment). */
enum sim_fate sim_net_draw(struct sim_net *n, uint32_t from, uint32_t to, int64_t *at_ns);
/* True: it comes a second time, at *at_ns. */
bool sim_net_draw_twice(struct sim_net *n, uint32_t from, uint32_t to, int64_t *at_ns);
