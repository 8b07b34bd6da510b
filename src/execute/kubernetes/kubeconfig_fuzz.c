#include "execute/kubernetes/kubeconfig.h"

static enum err no_file(struct disk *d, const char *path, int flags, struct file **out, struct why *why) {
	(void)d, (void)flags, (void)out;
	return why_set(why, ERR_NOT_FOUND, "%s: not found", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const struct disk_ops ops = { .open = no_file };
	struct disk disk = { &ops };
	struct arena a;
	struct kube_access x;
	struct why why;
	arena_init(&a, 64u << 20);
	(void)kube_access_parse(&disk, &a, (struct str){ (const char *)data, size }, STR("/"), (struct str){ 0 }, &x, &why);
	arena_done(&a);
	return 0;
}
