#include "execute/kubernetes/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	const struct json *j = NULL;
	struct kube_object *o = NULL;
	arena_init(&a, 64u << 20);
	if (size && json_parse(&a, (struct str){ (const char *)data + 1, size - 1 }, &j, NULL) == OK &&
	    kube_object_parse((enum kube_kind)(data[0] % KUBE_KINDS), j, &o) == OK)
		kube_object_free(o);
	arena_done(&a);
	return 0;
}
