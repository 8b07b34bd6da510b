#include "base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct why why;
	const struct json *root = NULL;
	arena_init(&a, 64u << 20);
	if (yaml_parse(&a, (struct str){ (const char *)data, size }, &root, &why) == OK) (void)json_path(root, "a.b");
	arena_done(&a);
	return 0;
}
