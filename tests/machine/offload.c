// SPDX-License-Identifier: BSD-2-Clause
// A network adapter's offloads switched on and off, as ethtool -K does, for guests without it.
// offload eth0 on|off
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int set(int fd, const char *name, unsigned cmd, unsigned value)
{
	struct ethtool_value v = {.cmd = cmd, .data = value};
	struct ifreq req = {.ifr_data = (void *)&v};

	strncpy(req.ifr_name, name, sizeof(req.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &req);
}

/* The other flags stay as they are: most cannot be changed. */
static int set_lro(int fd, const char *name, unsigned on)
{
	struct ethtool_value v = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq req = {.ifr_data = (void *)&v};

	strncpy(req.ifr_name, name, sizeof(req.ifr_name) - 1);
	if (ioctl(fd, SIOCETHTOOL, &req)) {
		return -1;
	}
	return set(fd, name, ETHTOOL_SFLAGS,
	        on ? v.data | ETH_FLAG_LRO : v.data & ~(unsigned)ETH_FLAG_LRO);
}

int main(int argc, char *argv[])
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	unsigned on = argc == 3 && strcmp(argv[2], "on") == 0;
	int err;

	if (argc != 3 || fd < 0) {
		fputs("offload IF on|off\n", stderr);
		return 2;
	}
	/* Segmentation needs checksums: off in this order. */
	err = on ? 0 : set(fd, argv[1], ETHTOOL_STSO, 0);
	err |= set_lro(fd, argv[1], on);
	err |= set(fd, argv[1], ETHTOOL_SRXCSUM, on);
	err |= set(fd, argv[1], ETHTOOL_STXCSUM, on);
	err |= on ? set(fd, argv[1], ETHTOOL_STSO, 1) : 0;
	if (err) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
