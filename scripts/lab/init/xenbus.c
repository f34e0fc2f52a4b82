// SPDX-License-Identifier: GPL-2.0
/*
 * A guest's way to the host: its own directory in xenstore, by way of dom0.
 *
 *   data/req/ID/0 1 ...  a command, in pieces; a short one has none
 *   data/req/ID/end      a line with the number of pieces, and the last of it
 *   data/rep/ID/0 1 ...  what it printed, output and errors in a row, in pieces
 *   data/rep/ID/end      a line "pieces status out err", and the last of it
 *
 * The end is written last, and tells that all is there.
 *
 * An id is used once, so a stale answer is never taken for a new one. The
 * watch survives save and restore: the kernel registers it anew, which fires it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* From xen/include/public/io/xs_wire.h */
enum {
	XS_DIRECTORY = 1, XS_READ = 2, XS_WATCH = 4, XS_WRITE = 11, XS_RM = 13,
	XS_WATCH_EVENT = 15, XS_ERROR = 16
};

struct xsd_sockmsg { uint32_t type, req_id, tx_id, len; };
#define XENSTORE_PAYLOAD_MAX 4096

#define PIECE 3000

const size_t link_output_max = 64 * PIECE;

static int bus = -1;
static int changed;			/* the watch has fired */

struct message {
	struct xsd_sockmsg header;
	char payload[XENSTORE_PAYLOAD_MAX + 1];
};

static int read_all(void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t n = read(bus, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		length -= n;
	}
	return 0;
}

static int read_message(struct message *message)
{
	if (read_all(&message->header, sizeof(message->header)) ||
	    message->header.len > XENSTORE_PAYLOAD_MAX ||
	    read_all(message->payload, message->header.len))
		return -1;
	message->payload[message->header.len] = '\0';
	return 0;
}

/* Ask xenstore; `answer` gets the reply. -1 with errno 0 when it says no. */
static int ask(uint32_t type, const char *payload, size_t length, struct message *answer)
{
	static uint32_t serial;
	struct message question = { .header = { .type = type, .req_id = ++serial, .len = length } };

	memcpy(question.payload, payload, length);
	length += sizeof(question.header);
	if (write(bus, &question, length) != (ssize_t)length)
		return -1;
	for (;;) {
		if (read_message(answer))
			return -1;
		if (answer->header.type == XS_WATCH_EVENT)
			changed = 1;
		else if (answer->header.req_id == question.header.req_id)
			break;
	}
	if (answer->header.type != XS_ERROR)
		return 0;
	errno = 0;
	return -1;
}

static int ask_path(uint32_t type, struct message *answer, const char *format, unsigned long id,
		    unsigned int piece)
{
	char path[128];

	snprintf(path, sizeof(path), format, id, piece);
	return ask(type, path, strlen(path) + 1, answer);
}

static int put(const char *path, const char *data, size_t length)
{
	char payload[XENSTORE_PAYLOAD_MAX];
	size_t start = strlen(path) + 1;
	struct message answer;

	memcpy(payload, path, start);
	memcpy(payload + start, data, length);
	return ask(XS_WRITE, payload, start + length, &answer);
}

/* Start the command of one request, if all of it is there. */
static void take_request(unsigned long id)
{
	struct message end, answer;
	unsigned int pieces, i;
	size_t length = 0, last;
	char *command, *rest;

	if (ask_path(XS_READ, &end, "data/req/%lu/end", id, 0))
		return;
	pieces = strtoul(end.payload, &rest, 10);
	rest++;				/* the line's end */
	last = end.payload + end.header.len - rest;
	command = malloc((size_t)(pieces + 1) * XENSTORE_PAYLOAD_MAX);
	for (i = 0; command && i < pieces; i++) {
		if (ask_path(XS_READ, &answer, "data/req/%lu/%u", id, i))
			break;
		memcpy(command + length, answer.payload, answer.header.len);
		length += answer.header.len;
	}
	ask_path(XS_RM, &answer, "data/req/%lu", id, 0);
	if (command && i == pieces) {
		memcpy(command + length, rest, last);
		job_start(id, command, length + last);
	} else {
		say("request %lu lost piece %u of %u", id, i, pieces);
	}
	free(command);
}

static int take_requests(void)
{
	struct message answer;
	char *name;

	while (changed) {
		changed = 0;
		if (ask(XS_DIRECTORY, "data/req", sizeof("data/req"), &answer)) {
			if (errno)
				return -1;
			continue;	/* no request as yet */
		}
		for (name = answer.payload; name < answer.payload + answer.header.len;
		     name += strlen(name) + 1)
			take_request(strtoul(name, NULL, 10));
	}
	return 0;
}

int link_open(int argc, char **argv, int fds[2])
{
	static const char watch[] = "data/req\0requests";
	struct message answer;

	(void)argc;
	(void)argv;
	bus = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
	if (bus < 0 || ask(XS_WATCH, watch, sizeof(watch), &answer))
		return -1;
	fds[0] = bus;
	if (put("data/agent", "ready", 5))
		return -1;
	return take_requests();
}

int link_receive(void)
{
	struct pollfd ready = { .fd = bus, .events = POLLIN };
	struct message message;

	while (poll(&ready, 1, 0) > 0) {
		if (read_message(&message))
			return -1;
		changed |= message.header.type == XS_WATCH_EVENT;
	}
	return take_requests();
}

int link_reply(unsigned long id, int status, const char *out, size_t out_length,
	       const char *err, size_t err_length)
{
	size_t length = out_length + err_length, whole = length / PIECE, i;
	char path[64], end[96 + PIECE], *both = malloc(length + 1);
	int head;

	if (!both)
		return -1;
	memcpy(both, out, out_length);
	memcpy(both + out_length, err, err_length);
	for (i = 0; i < whole; i++) {
		snprintf(path, sizeof(path), "data/rep/%lu/%zu", id, i);
		if (put(path, both + i * PIECE, PIECE))
			say("reply %lu: piece %zu was refused", id, i);
	}
	head = snprintf(end, 96, "%zu %d %zu %zu\n", whole, status, out_length, err_length);
	memcpy(end + head, both + whole * PIECE, length % PIECE);
	free(both);
	snprintf(path, sizeof(path), "data/rep/%lu/end", id);
	if (put(path, end, head + length % PIECE))
		say("reply %lu was refused", id);
	return 0;
}

int link_tick(void)
{
	return take_requests();
}
