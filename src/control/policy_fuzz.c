/* Any YAML and any JSON: a policy or an error with a sentence, never anything else. */
#include <assert.h>
#include <string.h>

#include "base/yaml.h"
#include "control/policy.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct arena a;
	struct why why = { "" };
	const struct json *v = NULL;
	struct control_policy p;
	struct str text = { (const char *)data, size };
	arena_init(&a, 64 << 20);
	if (!yaml_parse(&a, text, &v, &why) || !json_parse(&a, text, &v, &why)) {
		why.text[0] = '\0';
		enum err e = control_policy_parse(&a, json_get(v, "handlers"), json_get(v, "policy"), &p, &why);
		assert(!e || e == ERR_NOMEM || why.text[0]);
		if (!e)
			for (size_t i = 0; i < p.handler_count; i++) assert(p.handlers[i].name.n && p.handlers[i].kinds);
		(void)!control_policy_parse(&a, v, v, &p, &why);
	}
	arena_done(&a);
	return 0;
}
