/* SPDX-License-Identifier: BSD-2-Clause */
/* Candela's version. */
#ifndef VMM_LIB_VERSION_H
#define VMM_LIB_VERSION_H

#define CANDELA_VERSION "0.1"

#endif
