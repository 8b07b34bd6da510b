#include <string.h>

#include "base/test.h"
#include "control/double.h"
#include "control/gates.h"
#include "model/schema_check.h"

#define AUTO                                                                                                         \
	"- {name: restart, kinds: [latency, errors, memory, crash], action: rollout_restart, mode: auto, cooldown: 5m, " \
	"attempts: 2}\n"

static bool text_is(const struct json *row, const char *path, const char *want) {
	return str_is(json_str(json_path(row, path)), want);
}

TEST(a_fault_is_restarted_once_and_verified) {
	struct rig r;
	rig_init(&r, t, AUTO, NULL);
	rig_opened(&r, 1, "payment", 0.8);
	rig_run(&r, NS_PER_SEC);
	EXPECT(text_is(rig_incident(&r, 1), "state", "open"));
	rig_report(&r, 1, "payment", "latency", 0.9, NULL);
	rig_run(&r, 30 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verifying"));
	EXPECT(rig_effects(&r, "payment") == 1);
	rig_resolved(&r, 1, "in_band");
	rig_run(&r, 5 * NS_PER_SEC);
	EXPECT(rig_action_is(&r, 1, 0, "verified"));
	EXPECT(text_is(rig_incident(&r, 1), "state", "resolved"));
	EXPECT(json_bool(json_path(rig_action(&r, 1, 0), "result.verification.ok"), false));
	EXPECT(rig_effects(&r, "payment") == 1 && r.cluster.applies == 1 && r.cluster.undos == 0);
	rig_audit(&r);
	rig_done(&r);
}

RUN(a_fault_is_restarted_once_and_verified)
