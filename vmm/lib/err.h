/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Error numbers: functions that can fail return 0 or one of these, negated.
 * Freestanding code uses the names; the values are Linux's, so that hosted
 * tests may include <errno.h> beside this file.
 */
#ifndef VMM_LIB_ERR_H
#define VMM_LIB_ERR_H

#if __STDC_HOSTED__
#include <errno.h>
#else
#define EPERM 1
#define ENOENT 2
#define EIO 5
#define E2BIG 7
#define ENOEXEC 8
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define ENXIO 6
#define ENODEV 19
#define EINVAL 22
#define ENOSPC 28
#define ERANGE 34
#define ENOSYS 38
#define EPROTO 71
#define EOVERFLOW 75
#define EOPNOTSUPP 95
#define ENOTCONN 107
#define ETIMEDOUT 110
#endif

#endif
