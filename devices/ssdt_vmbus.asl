// SPDX-License-Identifier: BSD-2-Clause
// The VMBus as ACPI sees it, in machines that have one: where its drivers look for it, and the
// addresses that they may give to its devices.
// Specs: Linux drivers/hv/vmbus_drv.c, vmbus_acpi_add(): the window belongs to an ancestor of the
// device, as in Hyper-V, and the device needs a _CRS of its own.
#include "devices/platform_map.h"

DefinitionBlock ("", "SSDT", 2, "CANDEL", "VMBUS", 1)
{
	Scope (\_SB)
	{
		Device (VMOD)
		{
			Name (_HID, "ACPI0004")
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate () {
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0, PLAT_VMBUS_WINDOW, PLAT_VMBUS_WINDOW_LAST, 0,
					PLAT_VMBUS_WINDOW_LEN)
			})

			Device (VMBS)
			{
				Name (_HID, "VMBUS")
				Name (_UID, 0)
				Name (_CRS, ResourceTemplate () { })
			}
		}
	}
}
