// SPDX-License-Identifier: GPL-2.0
/*
 * The part of the agent that runs commands. Each is a process group of its own
 * whose output goes to files, so that it can be read while the command runs; the
 * reply is sent when the command itself has ended, whatever it left running.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

#define JOBS_MAX 64
#define TICK_MS 100

struct job {
	pid_t pid;		/* 0: this slot is free */
	unsigned long id;
};

static struct job jobs[JOBS_MAX];

void say(const char *format, ...)
{
	char line[512];
	va_list args;
	int fd, n;

	n = snprintf(line, sizeof(line), "<4>agent: ");
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, line, strnlen(line, sizeof(line))) < 0)
			perror("kmsg");
		close(fd);
	}
}

static void job_path(char *path, size_t size, unsigned long id, const char *what)
{
	snprintf(path, size, JOBS_DIR "/%lu.%s", id, what);
}

static void child_open(unsigned long id, const char *what, int as)
{
	char path[64];
	int fd;

	job_path(path, sizeof(path), id, what);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, as) < 0)
		_exit(126);
	close(fd);
}

static void child_run(unsigned long id, const char *command)
{
	sigset_t none;
	int fd;

	setsid();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	child_open(id, "pid", STDOUT_FILENO);
	dprintf(STDOUT_FILENO, "%d\n", getpid());
	fd = open("/dev/null", O_RDONLY);
	if (fd >= 0)
		dup2(fd, STDIN_FILENO);
	child_open(id, "out", STDOUT_FILENO);
	child_open(id, "err", STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

void job_start(unsigned long id, const char *command, size_t length)
{
	static const char busy[] = "the agent runs too many commands already\n";
	struct job *job;
	char *text;

	for (job = jobs; job < jobs + JOBS_MAX; job++)
		if (!job->pid)
			break;
	text = strndup(command, length);
	if (job == jobs + JOBS_MAX || !text) {
		link_reply(id, 126, "", 0, busy, strlen(busy));
		free(text);
		return;
	}
	job->id = id;
	job->pid = fork();
	if (!job->pid)
		child_run(id, text);
	if (job->pid < 0) {
		job->pid = 0;
		link_reply(id, 126, "", 0, strerror(errno), strlen(strerror(errno)));
	}
	free(text);
}

/* Read what a job wrote, at most `max` bytes of it, and remove the file. */
static char *collect(unsigned long id, const char *what, size_t max, size_t *length)
{
	char path[64], *data;
	ssize_t n = 0;
	int fd;

	*length = 0;
	data = malloc(max);
	job_path(path, sizeof(path), id, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (data && fd >= 0 && *length < max) {
		n = read(fd, data + *length, max - *length);
		if (n <= 0)
			break;
		*length += n;
	}
	if (fd >= 0)
		close(fd);
	unlink(path);
	return data;
}

static int job_ended(struct job *job, int wait_status)
{
	char path[64];
	size_t out_length, err_length;
	char *out, *err;
	int status, ret;

	status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	out = collect(job->id, "out", link_output_max, &out_length);
	err = collect(job->id, "err", link_output_max / 8, &err_length);
	job_path(path, sizeof(path), job->id, "pid");
	unlink(path);
	ret = link_reply(job->id, status, out, out_length, err, err_length);
	job->pid = 0;
	free(out);
	free(err);
	return ret;
}

static int reap(void)
{
	struct job *job;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (job = jobs; job < jobs + JOBS_MAX; job++)
			if (job->pid == pid && job_ended(job, status))
				return -1;
	return 0;
}

static void on_child(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .fd = -1, .events = POLLIN }, { .fd = -1, .events = POLLIN } };
	struct timespec tick = { .tv_nsec = TICK_MS * 1000000L };
	struct sigaction action = { .sa_handler = on_child };
	sigset_t blocked, open_mask;
	int link_fds[2] = { -1, -1 };

	mkdir(JOBS_DIR, 0700);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	sigaction(SIGCHLD, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &open_mask);
	if (link_open(argc, argv, link_fds)) {
		say("no way to the host: %s", strerror(errno));
		return 1;
	}
	fds[0].fd = link_fds[0];
	fds[1].fd = link_fds[1];
	for (;;) {
		int ready = ppoll(fds, 2, &tick, &open_mask);

		if ((ready > 0 && link_receive()) || reap() || link_tick()) {
			say("the way to the host is broken: %s", strerror(errno));
			return 1;
		}
	}
}
