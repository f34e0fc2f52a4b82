/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The lab's agent: process 1 of dom0 and of each guest, which runs the commands
 * that the host sends and answers with what they printed. jobs.c runs them;
 * serial.c (dom0) and xenbus.c (guests) are the two ways to the host.
 */
#ifndef LAB_AGENT_H
#define LAB_AGENT_H

#include <stddef.h>
#include <stdint.h>

#define JOBS_DIR "/run/jobs"	/* ID.out and ID.err of each command that runs */

/* Start a shell command; its result goes to link_reply() under the same id. */
void job_start(unsigned long id, const char *command, size_t length);

/* Say something on the kernel's log, and so on the console. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The way to the host. Each returns 0, or -1 when the way is broken. */
int link_open(int argc, char **argv, int fds[2]);	/* fds: what to poll, -1 for none */
int link_receive(void);					/* after a poll; starts jobs */
int link_reply(unsigned long id, int status, const char *out, size_t out_length,
	       const char *err, size_t err_length);
int link_tick(void);					/* every so often */
extern const size_t link_output_max;			/* bytes of a reply; the rest is dropped */

#endif
