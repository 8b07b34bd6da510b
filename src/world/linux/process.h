/* The process itself, and its signals through the loop.
 *
 * SIGINT, SIGTERM and SIGHUP are blocked from process_linux_open to _close and read from a signalfd;
 * SIGPIPE is ignored, since libraries write to sockets whose peer has gone. So one at a time a process. */
#pragma once

#include "world/linux/loop.h"
#include "world/process.h"

struct process_linux;

MUST_USE enum err process_linux_open(struct loop *l, struct process_linux **out);
struct process *process_linux_process(struct process_linux *p);
void process_linux_close(struct process_linux *p); /* takes NULL */
