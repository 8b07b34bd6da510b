/* Entries and heads of a decision log from anywhere: verified or refused with a sentence. */
#include <assert.h>

#include "model/audit.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct arena a;
	struct audit_head head = { 0 };
	struct str text = { (const char *)data, size }, line, rest = text;
	struct why why = { "" };
	arena_init(&a, 64 << 20);
	if (!audit_head_parse(&a, text, &head, &why)) assert(head.seq > 0);
	if (audit_head_read(&a, text, &head, &why)) head = (struct audit_head){ 0 };
	struct audit_verifier v = audit_verifier(head);
	for (bool more = true; more;) {
		more = str_cut(rest, '\n', &line, &rest);
		uint64_t before = v.at.seq;
		why.text[0] = '\0';
		enum err e = audit_verify_next(&v, &a, line, &why);
		assert(e ? e == ERR_NOMEM || why.text[0] != '\0' : v.at.seq == before + 1);
		if (e) break;
	}
	(void)!audit_verify_end(&v, &head, &why);
	arena_done(&a);
	return 0;
}
