/* Any bytes as a stored row, and as a report: read or refused. What is read can be written. */
#include <assert.h>

#include "control/rows_json.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct str text = { (const char *)data, size }, id = STR("01KE0000000000000000000001");
	struct rows r;
	struct incident_row *in;
	struct action_row *act;
	struct arena a;
	struct cause cause;
	struct buf out;
	struct why why;
	arena_init(&a, 64 << 20);
	buf_init(&out, 0);
	rows_init(&r);
	if (!rows_incident_new(&r, id, &in) && !incident_read(in, text, &why)) incident_write(in, &out);
	if (!rows_action_new(&r, id, &act) && !action_read(act, text, &why)) action_write(act, &out);
	if (!cause_read(&a, text, &cause, &why) && !cause.none) assert(cause.entity.n && cause.confidence <= 1);
	rows_done(&r);
	buf_done(&out);
	arena_done(&a);
	return 0;
}
