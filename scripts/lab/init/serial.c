// SPDX-License-Identifier: GPL-2.0
/*
 * dom0's way to the host: a serial line that carries frames, each a line of
 * text that tells the length of the bytes after it.
 *
 *   to dom0    "J id length"             a command to run
 *              "X length"                bytes for xenstored
 *   from dom0  "J id status out err"     the lengths of what a command printed
 *              "X length"                bytes from xenstored
 *              "C length name"           what a guest's console has said
 *              "R 0"                     ready
 *
 * So the host talks xenstore's own protocol with xenstored, and reads the
 * consoles' logs as they grow.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "agent.h"

#define XENSTORED "/run/xenstored/socket"
#define CONSOLES "/var/log/xen/console"
#define FRAME_MAX (1 << 20)
#define LOGS_MAX 256
#define CHUNK 4096

const size_t link_output_max = FRAME_MAX;

static int line = -1, store = -1;
static char *input;			/* of the line, not yet taken apart */
static size_t input_length;

static struct log {
	char name[64];
	off_t seen;
} logs[LOGS_MAX];

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n > 0) {
			data += n;
			length -= n;
		}
	}
	return 0;
}

static int open_line(const char *path)
{
	struct termios tty;

	line = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (line < 0 || tcgetattr(line, &tty))
		return -1;
	cfmakeraw(&tty);
	cfsetspeed(&tty, B115200);
	tty.c_cflag |= CLOCAL | CREAD;
	return tcsetattr(line, TCSANOW, &tty);
}

static int open_store(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = XENSTORED };

	store = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return store < 0 ? -1 : connect(store, (struct sockaddr *)&address, sizeof(address));
}

int link_open(int argc, char **argv, int fds[2])
{
	input = malloc(FRAME_MAX);
	if (argc != 2 || !input || open_line(argv[1]) || open_store())
		return -1;
	if (fcntl(line, F_SETFL, O_NONBLOCK) || fcntl(store, F_SETFL, O_NONBLOCK))
		return -1;
	fds[0] = line;
	fds[1] = store;
	return write_all(line, "R 0\n", 4);
}

/* write_all() for what does not block: wait where it is full. */
static int send_all(int fd, const char *data, size_t length)
{
	int ret;

	fcntl(fd, F_SETFL, 0);
	ret = write_all(fd, data, length);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return ret;
}

static int send_line(const char *data, size_t length)
{
	return send_all(line, data, length);
}

/* Take one frame from the front of what was read; returns its length, 0 if it is not all there. */
static size_t take_frame(void)
{
	char *end = memchr(input, '\n', input_length);
	unsigned long id = 0, length = 0;
	size_t header, whole;

	if (!end)
		return 0;
	header = end + 1 - input;
	if (sscanf(input, "J %lu %lu\n", &id, &length) != 2 &&
	    sscanf(input, "X %lu\n", &length) != 1)
		return header;		/* noise on the line */
	whole = header + length;
	if (input_length < whole)
		return 0;
	if (input[0] == 'J')
		job_start(id, input + header, length);
	else
		send_all(store, input + header, length);
	return whole;
}

static int receive_line(void)
{
	ssize_t n = read(line, input + input_length, FRAME_MAX - input_length);
	size_t taken;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	input_length += n;
	while ((taken = take_frame())) {
		input_length -= taken;
		memmove(input, input + taken, input_length);
	}
	return 0;
}

static int receive_store(void)
{
	char data[CHUNK], header[32];
	ssize_t n = read(store, data, sizeof(data));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
	snprintf(header, sizeof(header), "X %zd\n", n);
	return send_line(header, strlen(header)) || send_line(data, n) ? -1 : 0;
}

int link_receive(void)
{
	return receive_line() || receive_store() ? -1 : 0;
}

int link_reply(unsigned long id, int status, const char *out, size_t out_length,
	       const char *err, size_t err_length)
{
	char header[96];

	snprintf(header, sizeof(header), "J %lu %d %zu %zu\n", id, status, out_length, err_length);
	return send_line(header, strlen(header)) || send_line(out, out_length) ||
	       send_line(err, err_length) ? -1 : 0;
}

static struct log *find_log(const char *name)
{
	struct log *log;

	for (log = logs; log < logs + LOGS_MAX; log++) {
		if (!strcmp(log->name, name))
			return log;
		if (!log->name[0]) {
			snprintf(log->name, sizeof(log->name), "%s", name);
			return log;
		}
	}
	return NULL;
}

static int follow(const char *name)
{
	char path[320], data[CHUNK], header[128];
	struct log *log = find_log(name);
	struct stat now;
	ssize_t n;
	int fd, ret = 0;

	snprintf(path, sizeof(path), CONSOLES "/%s", name);
	if (!log || stat(path, &now) || now.st_size == log->seen)
		return 0;
	if (now.st_size < log->seen)
		log->seen = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (!ret && (n = pread(fd, data, sizeof(data), log->seen)) > 0) {
		snprintf(header, sizeof(header), "C %zd %s\n", n, name);
		ret = send_line(header, strlen(header)) || send_line(data, n) ? -1 : 0;
		log->seen += n;
	}
	close(fd);
	return ret;
}

int link_tick(void)
{
	struct dirent *entry;
	DIR *folder = opendir(CONSOLES);
	int ret = 0;

	while (folder && !ret && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			ret = follow(entry->d_name);
	if (folder)
		closedir(folder);
	return ret;
}
