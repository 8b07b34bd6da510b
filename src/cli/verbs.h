/* The verbs, by file: run.c, read.c, change.c, config.c, rules.c, audit.c, sim.c, demo.c. */
#pragma once

struct cli;

int verb_run(struct cli *c);
int verb_status(struct cli *c);
int verb_coverage(struct cli *c);
int verb_graph(struct cli *c);
int verb_incidents(struct cli *c);
int verb_events(struct cli *c);
int verb_actions(struct cli *c);
int verb_explain(struct cli *c);
int verb_incident_ack(struct cli *c);
int verb_incident_wrong(struct cli *c);
int verb_incident_mute(struct cli *c);
int verb_approve(struct cli *c);
int verb_reject(struct cli *c);
int verb_undo(struct cli *c);
int verb_pause(struct cli *c);
int verb_resume(struct cli *c);
int verb_audit_ls(struct cli *c);
int verb_audit_verify(struct cli *c);
int verb_config_check(struct cli *c);
int verb_config_show(struct cli *c);
int verb_rules_check(struct cli *c);
int verb_rules_test(struct cli *c);
int verb_version(struct cli *c);
int verb_simulate(struct cli *c);
int verb_demo(struct cli *c);
int verb_experiment_mttd(struct cli *c);
