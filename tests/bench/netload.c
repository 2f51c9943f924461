// SPDX-License-Identifier: BSD-2-Clause
/*
 * A load for a network, in the guest. The server takes one connection after the other on PORT and
 * does what its order says; both count time-stamp ticks and interrupts, and the server's clock
 * interrupts are its answer at the end.
 *
 * netload serve
 * netload send ADDRESS BYTES CHUNK     bulk, to the server; ends when it has said how much it got
 * netload take ADDRESS BYTES CHUNK     bulk, from the server
 * netload ping ADDRESS COUNT SIZE      so many bytes there and back, one after the other
 */
#include "tests/bench/irqs.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORT 7777
#define MAX_CHUNK 65536

/* What the client wants, as it travels. */
struct order {
	char what[8];
	uint64_t n;
	uint64_t size;
};

static char buf[MAX_CHUNK];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void all_in(int fd, uint64_t n)
{
	while (n > 0) {
		ssize_t got = read(fd, buf, n < MAX_CHUNK ? n : MAX_CHUNK);

		if (got <= 0) {
			die("read");
		}
		n -= (uint64_t)got;
	}
}

static void all_out(int fd, const char *at, uint64_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, at, n);

		if (put <= 0) {
			die("write");
		}
		at += put;
		n -= (uint64_t)put;
	}
}

static void send_bulk(int fd, const struct order *o)
{
	for (uint64_t left = o->n; left > 0;) {
		uint64_t n = left < o->size ? left : o->size;

		all_out(fd, buf, n);
		left -= n;
	}
}

static void take_bulk(int fd, const struct order *o)
{
	all_in(fd, o->n);
}

static void answer(int fd, const struct order *o)
{
	for (uint64_t i = 0; i < o->n; i++) {
		all_in(fd, o->size);
		all_out(fd, buf, o->size);
	}
}

static void ask(int fd, const struct order *o)
{
	for (uint64_t i = 0; i < o->n; i++) {
		all_out(fd, buf, o->size);
		all_in(fd, o->size);
	}
}

/* Since irqs_begin(). */
static uint64_t clock_interrupts(void)
{
	static struct irqs now;

	irqs_read(&now);
	for (unsigned i = 0; i < now.n; i++) {
		if (strcmp(now.lines[i].name, "HVS") == 0) {
			return irqs_grown(&now, i);
		}
	}
	return 0;
}

static const struct {
	const char *what;
	void (*client)(int fd, const struct order *o);
	void (*server)(int fd, const struct order *o);
} loads[] = {
        {"send", send_bulk, take_bulk},
        {"take", take_bulk, send_bulk},
        {"ping", ask, answer},
};
#define N_LOADS (sizeof(loads) / sizeof(loads[0]))

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))) {
		die("socket");
	}
	return fd;
}

static void serve(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int listener = tcp_socket();

	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1)) {
		die("listen");
	}
	for (;;) {
		struct order o;
		uint64_t clock;
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || read(fd, &o, sizeof(o)) != sizeof(o)) {
			close(fd);
			continue;
		}
		o.what[sizeof(o.what) - 1] = '\0';
		irqs_begin();
		for (unsigned i = 0; i < N_LOADS; i++) {
			if (strcmp(o.what, loads[i].what) == 0 && o.size <= MAX_CHUNK) {
				loads[i].server(fd, &o);
			}
		}
		clock = clock_interrupts();
		all_out(fd, (const char *)&clock, sizeof(clock));
		close(fd);
	}
}

static int call(const char *what, const char *address, struct order o)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int fd = tcp_socket();
	uint64_t clock;

	for (unsigned i = 0; i < N_LOADS; i++) {
		if (strcmp(what, loads[i].what) != 0) {
			continue;
		}
		snprintf(o.what, sizeof(o.what), "%s", what);
		if (inet_pton(AF_INET, address, &to.sin_addr) != 1 ||
		        connect(fd, (struct sockaddr *)&to, sizeof(to))) {
			die(address);
		}
		irqs_begin();
		all_out(fd, (const char *)&o, sizeof(o));
		loads[i].client(fd, &o);
		all_in(fd, sizeof(clock));
		memcpy(&clock, buf, sizeof(clock));
		irqs_end();
		printf("load: server %llu\n", (unsigned long long)clock);
		return 0;
	}
	return 2;
}

int main(int argc, char *argv[])
{
	struct order o = {.n = 0};

	if (argc == 2 && strcmp(argv[1], "serve") == 0) {
		serve();
	}
	if (argc == 5) {
		o.n = strtoull(argv[3], NULL, 0);
		o.size = strtoull(argv[4], NULL, 0);
	}
	if (argc != 5 || o.size < 1 || o.size > MAX_CHUNK) {
		fputs("netload serve | send|take|ping ADDRESS N SIZE\n", stderr);
		return 2;
	}
	return call(argv[1], argv[2], o);
}
