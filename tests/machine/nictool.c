// SPDX-License-Identifier: BSD-2-Clause
// What ethtool does with a network adapter, for guests without it:
//   nictool eth0 rx|tx|tso|lro on|off    one offload
//   nictool eth0 all on|off              all of them
//   nictool eth0 queues [N]              channels: how many there are, how many there may be; set
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int fd;
static const char *name;

static int call(void *command)
{
	struct ifreq req = {.ifr_data = command};

	strncpy(req.ifr_name, name, sizeof(req.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &req);
}

static int set(unsigned cmd, unsigned value)
{
	struct ethtool_value v = {.cmd = cmd, .data = value};

	return call(&v);
}

/* The other flags stay as they are: most cannot be changed. */
static int set_lro(unsigned on)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};

	if (call(&v)) {
		return -1;
	}
	return set(ETHTOOL_SFLAGS, on ? v.data | ETH_FLAG_LRO : v.data & ~(unsigned)ETH_FLAG_LRO);
}

static int offload(const char *what, unsigned on)
{
	int err = 0, all = strcmp(what, "all") == 0, known = all;

	/* Segmentation needs checksums: off before they are, on after them. */
	if (!on && (all || strcmp(what, "tso") == 0)) {
		err |= set(ETHTOOL_STSO, 0);
		known = 1;
	}
	if (all || strcmp(what, "lro") == 0) {
		err |= set_lro(on);
		known = 1;
	}
	if (all || strcmp(what, "rx") == 0) {
		err |= set(ETHTOOL_SRXCSUM, on);
		known = 1;
	}
	if (all || strcmp(what, "tx") == 0) {
		err |= set(ETHTOOL_STXCSUM, on);
		known = 1;
	}
	if (on && (all || strcmp(what, "tso") == 0)) {
		err |= set(ETHTOOL_STSO, 1);
		known = 1;
	}
	return known ? err : -1;
}

static int queues(const char *wanted)
{
	struct ethtool_channels c = {.cmd = ETHTOOL_GCHANNELS};

	if (call(&c)) {
		return -1;
	}
	if (!wanted) {
		printf("%u of %u\n", c.combined_count, c.max_combined);
		return 0;
	}
	c.cmd = ETHTOOL_SCHANNELS;
	c.combined_count = (unsigned)atoi(wanted);
	return call(&c);
}

int main(int argc, char *argv[])
{
	int err;

	fd = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc < 3 || fd < 0 || (argc < 4 && strcmp(argv[2], "queues") != 0)) {
		fputs("nictool IF queues [N] | rx|tx|tso|lro|all on|off\n", stderr);
		return 2;
	}
	name = argv[1];
	if (strcmp(argv[2], "queues") == 0) {
		err = queues(argc > 3 ? argv[3] : NULL);
	} else {
		err = offload(argv[2], strcmp(argv[3], "on") == 0);
	}
	if (err) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
