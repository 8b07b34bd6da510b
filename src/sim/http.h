/* HTTP as messages between simulated hosts: both ports of world/http.h, on sim/net.
 *
 * One exchange is one connection. What a server may see: a request whole, cut, stalled or twice; a
 * client: an answer whole, cut, never (its own time-outs end it), or a refusal. Bodies are handed out
 * in pieces of at most HTTP_PIECE_MAX. A listener on a loopback address is reached from its own host only.
 * When a host dies its exchanges end: its peers hear of it at once when the process was killed, and never
 * when the machine lost power. `wake` is called whenever a port of the host has something to poll. */
#pragma once

#include "base/list.h"
#include "sim/fuse.h"
#include "sim/net.h"
#include "world/http.h"

struct sim_web;

/* One host's two ports. */
struct sim_ports {
	struct http_host servers;
	struct http_clients clients;
	struct sim_web *web;
	struct sim_fuse *fuse;
	uint32_t host; /* its number in the network */
	struct list server_list, client_list;
	int next_port;
	void (*wake)(void *self);
	void *wake_self;
};

struct sim_web *sim_web_new(struct sim_net *net);
void sim_web_free(struct sim_web *w); /* every port is closed before */
void sim_ports_init(struct sim_ports *p, struct sim_web *w, uint32_t host, struct sim_fuse *fuse);
/* What is open ends; `told`: peers hear of it (a killed process), or not (no power). Servers and clients
 * that their owners did not close yet stay valid to poll (nothing comes) and to close. */
void sim_ports_die(struct sim_ports *p, bool told);
void sim_ports_up(struct sim_ports *p); /* power is back */
/* Exchanges under way, for bounds in tests. */
size_t sim_web_exchanges(const struct sim_web *w);
