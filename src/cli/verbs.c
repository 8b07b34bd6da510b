#include "cli/verbs.h"

#include "cli/cli.h"
#include "cli/sim_world.h"
#include "daemon/version.h"

/* The one table of verbs. */

static const struct option run_options[] = {
	{ "config", 'c', "FILE",
	  "The configuration (default: flyball.yaml here, then /etc/flyball/flyball.yaml, then defaults)." },
	{ "state", 0, "DIR", "Where state lives (default: /var/lib/flyball as root, else $XDG_STATE_HOME/flyball)." },
	OPTION_END,
};
#define STATE_OPTION \
	{ "state", 0, "DIR", "Read what a daemon that no longer runs left in DIR, instead of asking a server." }

static const struct option config_options[] = { { "config", 'c', "FILE", "The configuration." }, OPTION_END };
static const struct option state_options[] = { STATE_OPTION, OPTION_END };
static const struct option read_options[] = {
	STATE_OPTION,
	{ "limit", 0, "N", "At most so many, newest first (default 100)." },
	OPTION_END,
};
static const struct option event_options[] = {
	{ "type", 0, "TYPE", "Only events of this type." },
	{ "since", 0, "DURATION", "Only those of the last DURATION (30m, 24h)." },
	{ "follow", 0, NULL, "Go on with new ones as they come." },
	{ "limit", 0, "N", "At most so many, the newest (default 100; with --since: all)." },
	STATE_OPTION,
	OPTION_END,
};
#define WHY_OPTION \
	{ "why", 0, "WORDS", "Why: goes on record." }
#define FOR_OPTION \
	{ "for", 0, "DURATION", "For how long: 30m, 2h (default: until taken back)." }
#define SCOPE_OPTION \
	{ "scope", 0, "SCOPE", "Only NAMESPACE, service/NAME, NAMESPACE/NAME or handler/NAME (default: everything)." }

static const struct option why_options[] = { WHY_OPTION, OPTION_END };
static const struct option mute_options[] = { WHY_OPTION, FOR_OPTION, OPTION_END };
static const struct option pause_options[] = { WHY_OPTION, FOR_OPTION, SCOPE_OPTION, OPTION_END };
static const struct option resume_options[] = { WHY_OPTION, SCOPE_OPTION, OPTION_END };
static const struct option audit_options[] = {
	STATE_OPTION,
	{ "limit", 0, "N", "At most so many, newest first (default 100)." },
	OPTION_END,
};
static const struct option verify_options[] = {
	STATE_OPTION,
	{ "head", 0, "SEQ:HASH",
	  "A head published earlier (from a log line): finds a cut tail and a rewritten chain too." },
	OPTION_END,
};

static const struct option demo_options[] = {
	{ "state", 0, "DIR", "Where the simulated daemon's state is left (default: a fresh temporary directory)." },
	{ "cache", 0, "DIR", "Where warmed worlds are kept (default: $XDG_CACHE_HOME/flyball)." },
	{ "world", 0, "WORLD",
	  "A YAML file, or random:SEED[:SERVICES] (default: the built-in shop; see `experiment world`)." },
	{ "plain", 0, NULL, "Text on a terminal too, without a picture and without waiting." },
	{ "speed", 0, "X", "On a terminal: so many times the usual pace, 0.125 to 64 (default 1)." },
	OPTION_END,
};
static const struct option mttd_options[] = {
	{ "seeds", 0, "A..B", "Seeds to run (default: --seed): each one fault of every kind, and a day without." },
	{ "jobs", 0, "N", "Processes at once (default 1)." },
	{ "rate", 0, "R", "Requests a second at the shop's door (default 100; leaks at most 10, quiet days 5)." },
	{ "warm", 0, "H", "Virtual hours that Flyball has watched the shop before (default 48)." },
	{ "case", 0, "NAMES",
	  "Only these, as memory_leak,cpu_hog: a fault each, cold, quiet; week: seven days without any." },
	{ "keep", 0, "FILE", "Keep each run in FILE as it ends, and run nothing again that lies there." },
	{ "plot", 0, "FILE.svg", "Draw how long it took, Flyball beside the alarms." },
	{ "rows", 0, NULL, "Each run as one line of JSON, instead of the sums." },
	{ "cache", 0, "DIR", "Where warmed worlds are kept (default: $XDG_CACHE_HOME/flyball)." },
	{ "world", 0, "WORLD",
	  "A YAML file, or random:SEED[:SERVICES] (default: the built-in shop; see `experiment world`)." },
	OPTION_END,
};
static const struct option simulate_options[] = {
	{ "seeds", 0, "A..B", "Seeds to run (default: --seed)." },
	{ "hours", 0, "H", "Virtual hours of each (default 0.5)." },
	{ "faults", 0, "NAMES", "all, none, list, or names joined by commas (default all)." },
	{ "twice", 0, NULL, "Each seed two times: fails when the two traces differ." },
	{ "rate", 0, "R", "Requests a second at the shop's door (default 10)." },
	{ "cold", 0, NULL, "Begin with a Flyball that has learned nothing." },
	{ "jobs", 0, "N", "Processes at once (default 1)." },
	{ "cache", 0, "DIR", "Where warmed worlds are kept (default: $XDG_CACHE_HOME/flyball)." },
	{ "world", 0, "WORLD",
	  "A YAML file, or random:SEED[:SERVICES] (default: the built-in shop; see `experiment world`)." },
	OPTION_END,
};

static const struct option world_options[] = {
	{ "world", 0, "WORLD", "Print this one: read, checked, every default of its sections written out." },
	{ "schema", 0, NULL, "Print the JSON Schema of such files." },
	{ "keys", 0, NULL, "Print every key: type, bounds, default, meaning." },
	OPTION_END,
};

const struct verb verbs[] = {
	{ "demo", "[--seed N] [--plain | --speed X]",
	  "Two faults in a simulated shop: seen, explained, corrected, verified.", "flyball demo --seed 2", demo_options,
	  verb_demo, FORM(OUT_TABLE) | FORM(OUT_JSON) | FORM(OUT_JSONL), PIPED_TABLE },
	{ "run", "[-c FILE] [--state DIR]", "Watch, find, explain and (as far as allowed) correct.",
	  "flyball run -c flyball.yaml", run_options, verb_run, FORMS_NONE, PIPED_TABLE },
	{ "status", "", "What the daemon is doing now.", "flyball status", state_options, verb_status },
	{ "coverage", "", "Each service: its signals, its sampling, the workload it maps to or why not.",
	  "flyball coverage", state_options, verb_coverage },
	{ "graph", "", "Who calls whom, as the spans tell.", "flyball graph", state_options, verb_graph },
	{ "incidents ack", "ID", "Say that somebody is on it.", "flyball incidents ack 01KAB --why 'on it'", why_options,
	  verb_incident_ack, .arguments = 1 },
	{ "incidents wrong", "ID", "Say that this was no incident: goes back to the models.",
	  "flyball incidents wrong 01KAB --why 'load test'", why_options, verb_incident_wrong, .arguments = 1 },
	{ "incidents mute", "ID", "Do nothing about it.", "flyball incidents mute 01KAB --for 2h", mute_options,
	  verb_incident_mute, .arguments = 1 },
	{ "incidents", "[ID]", "What went wrong, newest first; or one incident whole.", "flyball incidents", read_options,
	  verb_incidents, .arguments = 1 },
	{ "events", "[--type T] [--since D] [--follow]", "What happened, as CloudEvents.",
	  "flyball events --type INCIDENT_OPENED --since 24h -o jsonl", event_options, verb_events },
	{ "actions", "[ID]", "What was done, or would have been.", "flyball actions", read_options, verb_actions,
	  .arguments = 1 },
	{ "explain", "ID", "Why it acted, or did not: the whole story of an incident or action.",
	  "flyball explain 01KABCDEF", state_options, verb_explain, .arguments = 1 },
	{ "approve", "ID", "Let an action that waits go ahead.", "flyball approve 01KABCDEF --why 'checked'", why_options,
	  verb_approve, .arguments = 1 },
	{ "reject", "ID", "Refuse an action that waits.", "flyball reject 01KABCDEF --why 'deploying'", why_options,
	  verb_reject, .arguments = 1 },
	{ "undo", "ID", "Take back what an action did.", "flyball undo 01KABCDEF", why_options, verb_undo, .arguments = 1 },
	{ "pause", "[--scope S] [--for D]", "Stop all acting, at once; watching goes on.",
	  "flyball pause --for 2h --why release", pause_options, verb_pause },
	{ "resume", "[--scope S]", "Take a pause back.", "flyball resume", resume_options, verb_resume },
	{ "audit ls", "", "The decision log, newest first.", "flyball audit ls --limit 20", audit_options, verb_audit_ls },
	{ "audit verify", "[--head SEQ:HASH]", "Check the decision log's chain: exit 1 when it was tampered with.",
	  "flyball audit verify", verify_options, verb_audit_verify },
	{ "config check", "[-c] FILE", "Is this configuration right? Names line, reason and the nearest valid key.",
	  "flyball config check flyball.yaml", config_options, verb_config_check, .arguments = 1 },
	{ "config show", "[-c FILE]", "The configuration in force, every default written out.", "flyball config show",
	  config_options, verb_config_show, .piped = PIPED_TABLE, .arguments = 1 },
	{ "rules check", "FILE", "Are these event patterns right? One row each.", "flyball rules check rules.json", NULL,
	  verb_rules_check, .arguments = 1 },
	{ "rules test", "FILE EVENT", "Which of these patterns match an event, and which field failed.",
	  "flyball rules test rules.json event.json", NULL, verb_rules_test, .arguments = 2 },
	{ "experiment mttd", "[--seeds A..B] [--jobs N] [--case NAMES] [--keep FILE] [--plot FILE.svg] [FILE...]",
	  "How soon faults are found, named and mended: Flyball beside the alarms of today, on the same telemetry.",
	  "flyball experiment mttd --seeds 1..30 --jobs 2 -o json", mttd_options, verb_experiment_mttd,
	  .arguments = ARGS_POSITIONAL_MAX },
	{ "experiment world", "[--world FILE] [--schema]",
	  "The simulated world as YAML: the built-in shop, to start from when you describe your own system.",
	  "flyball experiment world > shop.yaml", world_options, verb_experiment_world, FORMS_TEXT, PIPED_TABLE },
	{ "simulate", "[--seeds A..B] [--hours H] [--faults NAMES] [--twice] [--jobs N] [SCENARIO...]",
	  "Whole days of a shop under faults, in virtual time: does every promise hold? Or scenarios, played.",
	  "flyball simulate --seeds 1..20 --twice --jobs 2", simulate_options, verb_simulate, .piped = PIPED_CSV,
	  .arguments = ARGS_POSITIONAL_MAX },
	{ "version", "", "Version.", "flyball version -o json", NULL, verb_version },
	{ .name = NULL },
};
