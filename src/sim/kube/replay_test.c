/* The simulated cluster does, step by step, what the real kube-controller-manager did: tests/recordings. */
#include "sim/kube/replay.h"

#include <stdio.h>

#include "base/test.h"

/* The files' bytes, put into this object by the assembler: a test needs no file to be there. */
#define RECORDING(name, file)                                                                      \
	__asm__(".section .rodata\n" #name "_begin: .incbin \"" RECORDINGS "/" file ".jsonl\"\n" #name \
	        "_end: .byte 0\n.previous\n");                                                         \
	extern const char name##_begin[], name##_end[];                                                \
	TEST(name, .seeds = 3) {                                                                       \
		expect_equal(t, #name, (struct str){ name##_begin, (size_t)(name##_end - name##_begin) }); \
	}

static void expect_equal(struct t *t, const char *name, struct str recording) {
	struct replay_result r = { 0 };
	struct buf out;
	buf_init(&out, 0);
	EXPECT_OK(replay_run(recording, t->seed, &out, &r));
	if (r.different)
		fprintf(stderr, "%s: %zu lines differ, %zu are equal\n" STR_FMT, name, r.different, r.equal,
		        STR_ARG(buf_get(&out)));
	buf_done(&out);
	EXPECT(!r.different && r.equal >= 10);
}

RECORDING(autoscale_bounds, "autoscale-bounds")
RECORDING(autoscale_fast_down, "autoscale-fast-down")
RECORDING(autoscale_from_one, "autoscale-from-one")
RECORDING(autoscale_missing, "autoscale-missing")
RECORDING(autoscale_no_requests, "autoscale-no-requests")
RECORDING(autoscale_not_ready, "autoscale-not-ready")
RECORDING(autoscale_policies, "autoscale-policies")
RECORDING(autoscale_rollout, "autoscale-rollout")
RECORDING(autoscale_up_and_down, "autoscale-up-and-down")
RECORDING(autoscale_values, "autoscale-values")
RECORDING(budget_least, "budget-least")
RECORDING(budget_most, "budget-most")
RECORDING(drained, "drained")
RECORDING(history, "history")
RECORDING(node_lost, "node-lost")
RECORDING(paused, "paused")
RECORDING(pods_come_and_go, "pods-come-and-go")
RECORDING(recreate, "recreate")
RECORDING(rollout_all_at_once, "rollout-all-at-once")
RECORDING(rollout_default, "rollout-default")
RECORDING(rollout_surge_only, "rollout-surge-only")
RECORDING(rollout_turned_back, "rollout-turned-back")
RECORDING(rollout_unavailable_only, "rollout-unavailable-only")
RECORDING(slow_to_go, "slow-to-go")
RECORDING(slow_to_trust, "slow-to-trust")
RECORDING(stuck, "stuck")
RECORDING(who_goes_first, "who-goes-first")
RECORDING(who_goes_first_of_the_ready, "who-goes-first-of-the-ready")

RUN(autoscale_bounds, autoscale_fast_down, autoscale_from_one, autoscale_missing, autoscale_no_requests,
    autoscale_not_ready, autoscale_policies, autoscale_rollout, autoscale_up_and_down, autoscale_values, budget_least,
    budget_most, drained, history, node_lost, paused, pods_come_and_go, recreate, rollout_all_at_once, rollout_default,
    rollout_surge_only, rollout_turned_back, rollout_unavailable_only, slow_to_go, slow_to_trust, stuck, who_goes_first,
    who_goes_first_of_the_ready)
