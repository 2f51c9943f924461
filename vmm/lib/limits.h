/* SPDX-License-Identifier: BSD-2-Clause */
/* Every compile-time limit of the hypervisor, in one place. */
#ifndef VMM_LIB_LIMITS_H
#define VMM_LIB_LIMITS_H

#define MAX_CPUS 64 /* physical processors used; more are left parked */
#define MAX_VMS 16
#define MAX_VCPUS 16         /* per VM */
#define MAX_BOOT_FILES 64    /* files named in candela.cfg */
#define MAX_PATH_LEN 128     /* of such a file, with the terminator */
#define MAX_NAME_LEN 32      /* of a VM, with the terminator */
#define MAX_CMDLINE_LEN 2048 /* Linux's own limit on x86, with the terminator */
#define MAX_DISKS 8          /* per VM */
#define MAX_NICS 4           /* per VM */
#define MAX_NIC_QUEUES 8     /* channels of one */
#define MAX_SWITCHES 16      /* that nics name */
#define MAX_MEM_RANGES 512   /* of the firmware's memory map, after merging */

#endif
