#include "world/linux/process.h"

#include "world/linux/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct process_linux {
	struct process process;
	struct loop *loop;
	struct watch signals;
	sigset_t mask_before;
	struct sigaction pipe_before, size_before;
	bool stopping, reload;
	char host[256];
};

static struct process_linux *self(struct process *p) {
	return container_of(p, struct process_linux, process);
}

static struct str linux_env(struct process *p, const char *name) {
	(void)p;
	return str_of(getenv(name));
}

static void linux_entropy(struct process *p, void *to, size_t n) {
	(void)p;
	for (size_t done = 0; done < n;) {
		ssize_t some = getrandom((char *)to + done, n - done, 0);
		if (some < 0 && errno == EINTR) continue;
		if (some < 0) abort(); /* no kernel that runs us lacks it; an id without chance would be worse */
		done += (size_t)some;
	}
}

static bool linux_stopping(struct process *p) {
	return self(p)->stopping;
}

static bool linux_reload(struct process *p) {
	bool was = self(p)->reload;
	self(p)->reload = false;
	return was;
}

static struct str linux_host(struct process *p) {
	return str_of(self(p)->host);
}

static int64_t linux_id(struct process *p) {
	(void)p;
	return getpid();
}

static bool linux_privileged(struct process *p) {
	(void)p;
	return geteuid() == 0;
}

static const struct process_ops ops = {
	.env = linux_env,
	.entropy = linux_entropy,
	.stopping = linux_stopping,
	.reload = linux_reload,
	.host = linux_host,
	.id = linux_id,
	.privileged = linux_privileged,
};

static void take_signals(struct process_linux *p) {
	for (struct signalfd_siginfo info; read(p->signals.fd, &info, sizeof info) == (ssize_t)sizeof info;) {
		if (info.ssi_signo == SIGHUP) p->reload = true;
		if (info.ssi_signo != SIGHUP) p->stopping = true;
	}
}

static void signals_ready(struct watch *w, uint32_t events) {
	(void)events;
	struct process_linux *p = container_of(w, struct process_linux, signals);
	take_signals(p);
	loop_kick(p->loop);
}

static sigset_t ours(void) {
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGINT);
	sigaddset(&s, SIGTERM);
	sigaddset(&s, SIGHUP);
	return s;
}

enum err process_linux_open(struct loop *l, struct process_linux **out) {
	struct process_linux *p = calloc(1, sizeof *p);
	if (!p) return ERR_NOMEM;
	p->process.ops = &ops;
	p->loop = l;
	if (gethostname(p->host, sizeof p->host - 1) != 0) p->host[0] = '\0';

	sigset_t set = ours();
	pthread_sigmask(SIG_BLOCK, &set, &p->mask_before);
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigaction(SIGPIPE, &ignore, &p->pipe_before);
	sigaction(SIGXFSZ, &ignore, &p->size_before); /* a limit on the size of files is a full disk, not a death */
	p->signals = (struct watch){ .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .ready = signals_ready };
	enum err e = p->signals.fd < 0 ? sys_err(errno) : loop_watch(l, &p->signals, EPOLLIN);
	if (e) {
		process_linux_close(p);
		return e;
	}
	*out = p;
	return OK;
}

struct process *process_linux_process(struct process_linux *p) {
	return &p->process;
}

void process_linux_close(struct process_linux *p) {
	if (!p) return;
	if (p->signals.fd >= 0) {
		take_signals(p); /* a second Ctrl-C must not kill who is about to end in good order */
		loop_unwatch(p->loop, &p->signals);
		close(p->signals.fd);
	}
	sigaction(SIGPIPE, &p->pipe_before, NULL);
	sigaction(SIGXFSZ, &p->size_before, NULL);
	pthread_sigmask(SIG_SETMASK, &p->mask_before, NULL);
	free(p);
}
