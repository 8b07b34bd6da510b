/* A recording of the real kube-controller-manager (tests/recordings), done again to the simulated cluster.
 *
 * What was done to the real one (objects created and changed, pods that got ready or did not, the CPU that they used,
 * the nodes that the real scheduler chose) is done at the same moments; what the two then did is compared, line by
 * line. The words of the lines, and what may differ and is therefore not in them, are in tests/recordings/lines.py.
 * Moments may differ by less than a second from one look of the autoscaler to the next, as the real one's do. Test
 * code: nothing else includes it. */
#pragma once

#include "sim/kube/impl.h"

/* Lines of what happened, each a string of its own. */
struct replay_lines {
	char **all;
	size_t count, cap;
};
void replay_lines_add(struct replay_lines *l, const char *fmt, ...) PRINTF(2, 3);
void replay_lines_sort(struct replay_lines *l);
void replay_lines_unite(struct replay_lines *l); /* sorted, each once */
void replay_lines_done(struct replay_lines *l);

/* Aliases of ReplicaSets and pods, in the order in which they were made. */
struct replay_names {
	struct replay_name {
		char *name, *alias;
		bool set;
	} * all;
	size_t count, cap;
	uint64_t met;    /* the version up to which changes were looked at */
	struct map told; /* "deployment web" -> the last line of it, malloc'd */
};
void replay_names_meet(struct replay_names *n, struct sim_kube *k);        /* what is new */
const char *replay_alias(const struct replay_names *n, const char *name);  /* or the name */
const char *replay_named(const struct replay_names *n, const char *alias); /* or the alias */
void replay_names_done(struct replay_names *n);

/* What happened after version `since`: scalings of ReplicaSets in order; pods made and deleted (`which`: by name) and
 * Events; settled states of what changed. */
struct replay_story {
	struct replay_lines ordered, free, is;
};
void replay_tell(struct sim_kube *k, struct replay_names *n, uint64_t since, bool which, struct replay_story *out);
void replay_autoscaler_line(const struct doc *hpa, struct replay_lines *out);
void replay_node_line(struct sim_kube *k, const char *node, struct replay_lines *out);

struct replay_result {
	size_t moments, equal, different; /* lines of both that are equal; lines that only one of them has */
};
/* Does it; what differs is written to `out`, moment by moment. ERR_INVALID: not a recording. */
MUST_USE enum err replay_run(struct str recording, uint64_t seed, struct buf *out, struct replay_result *result);
