/* Deciding: from an incident, its cause, the handlers and what was tried to one proposal, or to an
 * escalation with the reason. Pure; asks nobody, changes nothing.
 *
 * The handlers are asked in the order of the configuration. The first that answers the cause in
 * that service, is sure enough and has attempts left proposes; what was tried in vain hands over to
 * the next. When nothing is left, or no remedy is known, or the cause is no service of ours, the
 * answer is an escalation: never a restart for want of something better. */
#pragma once

#include "control/cause.h"
#include "control/history.h"

enum decide_kind {
	DECIDE_PROPOSE,
	DECIDE_ESCALATE,
	DECIDE_SAID, /* in observe mode it was told already: nothing more to say */
};

/* Why a person is needed. A later report may settle the first four. */
enum escalation {
	ESCALATE_NO_CAUSE,
	ESCALATE_NO_TARGET,
	ESCALATE_NO_REMEDY,
	ESCALATE_UNSURE,    /* below the handlers' minimum of confidence or severity */
	ESCALATE_EXHAUSTED, /* everything was tried, or refused */
	ESCALATE_PERSON,    /* a person said no, or did not answer */
	ESCALATE_SILENT,    /* the signals went silent: nobody knows whether it is over */
	ESCALATIONS
};
const char *escalation_name(enum escalation e); /* "no_cause" "no_target" ... */
bool escalation_parse(struct str s, enum escalation *out);
bool escalation_may_change(enum escalation e);

#define PASSED_OVER_MAX 8
struct passed_over { /* a handler whose plan found nothing to do */
	uint64_t handler;
	bool no_target; /* the object was not found */
	struct str why;
};

struct decide_facts {
	const struct control_policy *policy;
	const struct cause *cause;
	struct str incident;
	double severity;
	const struct history *history;
	const struct passed_over *passed_over;
	size_t passed_over_count;
};

struct decision {
	enum decide_kind kind;
	const struct handler *handler; /* PROPOSE */
	enum escalation escalation;    /* ESCALATE */
	struct str reason;             /* a sentence, in the arena */
};

/* ERR_NOMEM is the only error. */
MUST_USE enum err decide(struct arena *a, const struct decide_facts *f, struct decision *out);
