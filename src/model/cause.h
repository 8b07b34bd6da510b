/* What kind of thing an incident's cause is: the words of reports, handlers and events. */
#pragma once

#include "base/str.h"

/* The numbers are saved in checkpoints: new kinds go to the end. */
enum cause_kind {
	CAUSE_UNKNOWN,
	CAUSE_CRASH,
	CAUSE_SATURATION,
	CAUSE_MEMORY,
	CAUSE_DISK,
	CAUSE_DEPENDENCY,
	CAUSE_ERRORS,
	CAUSE_LATENCY,
	CAUSE_DEPLOYMENT,
	CAUSE_NETWORK,
	CAUSE_KINDS
};

const char *cause_kind_name(enum cause_kind k); /* "crash" "saturation" ... as in docs/events; never NULL */
/* The same within a sentence, the entity behind it: "memory shortage of" service/cart. */
const char *cause_kind_words(enum cause_kind k);
bool cause_kind_parse(struct str s, enum cause_kind *out);
