/* The file system below one directory, as a struct disk.
 *
 * Thread: any; it holds nothing but the directory's descriptor. One struct file belongs to one thread
 * at a time. Files are made with mode 0600. What is opened for writing is never reached through a
 * symbolic link; what is only read may be (Kubernetes mounts its files so). */
#pragma once

#include "world/disk.h"

/* `root`: "/" for the whole file system: absolute paths as they are, relative ones from the working
 * directory. Any other: every path is below it, and one with ".." is refused. ERR_NOT_FOUND, ERR_DENIED,
 * ERR_INVALID (not a directory). */
MUST_USE enum err disk_linux_open(const char *root, struct disk **out, struct why *why);
void disk_linux_close(struct disk *d); /* its files are closed; takes NULL */

/* One open file over a descriptor, which it owns from here on. (Files of disk.c only.) */
MUST_USE enum err disk_linux_file(int fd, struct file **out);
