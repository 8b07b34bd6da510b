#include "sim/process.h"

#include <stdio.h>
#include <string.h>

static struct str env(struct process *process, const char *name) {
	struct sim_process *p = (struct sim_process *)process;
	for (size_t i = 0; i < SIM_ENV_MAX && p->env[i].name; i++)
		if (!strcmp(p->env[i].name, name)) return str_of(p->env[i].value);
	return (struct str){ NULL, 0 };
}

static void entropy(struct process *process, void *out, size_t n) {
	struct sim_process *p = (struct sim_process *)process;
	for (unsigned char *at = out; n;) {
		uint64_t word = rng_next(&p->rng);
		size_t take = n < sizeof word ? n : sizeof word;
		memcpy(at, &word, take);
		at += take;
		n -= take;
	}
}

static bool stopping(struct process *p) {
	return ((struct sim_process *)p)->stopping;
}

static bool reload(struct process *process) {
	struct sim_process *p = (struct sim_process *)process;
	bool was = p->reload;
	p->reload = false;
	return was;
}

static struct str host(struct process *p) {
	return str_of(((struct sim_process *)p)->host);
}

static int64_t id(struct process *p) {
	return ((struct sim_process *)p)->id;
}

static bool privileged(struct process *p) {
	(void)p;
	return false;
}

void sim_process_init(struct sim_process *p, const char *name, struct rng rng) {
	static const struct process_ops ops = { env, entropy, stopping, reload, host, id, privileged };
	*p = (struct sim_process){ .process = { &ops }, .rng = rng, .id = 1000 };
	snprintf(p->host, sizeof p->host, "%s", name);
}
