// SPDX-License-Identifier: BSD-2-Clause
// Messages for the person in front of the machine: the firmware's console, and COM1 when the
// firmware does not write there itself.
// Specs: [UEFI] "Simple Text Output Protocol", "Device Path Protocol"; [16550] data sheet.
#include "boot/efi_console.h"
#include "boot/loader_hw.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"
#include <stdarg.h>

#define COM1 0x3f8U
#define UART_THR 0U /* with DLAB: divisor low */
#define UART_IER 1U /* with DLAB: divisor high */
#define UART_FCR 2U
#define UART_LCR 3U
#define UART_MCR 4U
#define UART_LSR 5U
#define UART_SCRATCH 7U
#define LCR_8N1 0x03U
#define LCR_DLAB 0x80U
#define LSR_THRE BIT(5)
#define THRE_TRIES 1000000U

#define LINE_MAX 640U

/* [UEFI] EFI_CONSOLE_OUT_DEVICE_GUID: marks the handles the console writes to. */
static EFI_GUID console_out_device = {
        0xd3b36f2c, 0xd551, 0x11d4, {0x9a, 0x46, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}};
static EFI_GUID device_path_protocol = DEVICE_PATH_PROTOCOL;

static bool com1_ours;

/* PNP0501 with a unit number of 1 or more is COM2 and so on; anything else with a UART is taken
 * for COM1, because writing everything twice is worse than one line too few. */
static bool path_is_com1(const EFI_DEVICE_PATH *node)
{
	bool uart = false, other_unit = false;

	for (unsigned i = 0; i < 32 && !IsDevicePathEndType(node); i++) {
		if (DevicePathType(node) == ACPI_DEVICE_PATH &&
		        DevicePathSubType(node) == ACPI_DP) {
			const ACPI_HID_DEVICE_PATH *acpi = (const ACPI_HID_DEVICE_PATH *)node;

			other_unit = acpi->HID == EISA_PNP_ID(0x501) && acpi->UID != 0;
		}
		uart |= DevicePathType(node) == MESSAGING_DEVICE_PATH &&
		        DevicePathSubType(node) == MSG_UART_DP;
		if (DevicePathNodeLength(node) < 4) {
			break;
		}
		node = NextDevicePathNode(node);
	}
	return uart && !other_unit;
}

static bool firmware_writes_com1(void)
{
	EFI_HANDLE *handles = NULL;
	UINTN n = 0;
	bool found = false;

	if (EFI_ERROR(efi_bs->LocateHandleBuffer(
	            ByProtocol, &console_out_device, NULL, &n, &handles))) {
		return false;
	}
	for (UINTN i = 0; i < n; i++) {
		void *path = NULL;

		if (!EFI_ERROR(efi_bs->HandleProtocol(handles[i], &device_path_protocol, &path)) &&
		        path && path_is_com1(path)) {
			found = true;
		}
	}
	efi_bs->FreePool(handles);
	return found;
}

/* A UART answers at its scratch register; a floating bus does not. */
static bool com1_present(void)
{
	hw_out8(COM1 + UART_SCRATCH, 0x5a);
	return hw_in8(COM1 + UART_SCRATCH) == 0x5a;
}

static void com1_init(void)
{
	hw_out8(COM1 + UART_IER, 0);
	hw_out8(COM1 + UART_LCR, LCR_8N1 | LCR_DLAB);
	hw_out8(COM1 + UART_THR, 1); /* 115200 */
	hw_out8(COM1 + UART_IER, 0);
	hw_out8(COM1 + UART_LCR, LCR_8N1);
	hw_out8(COM1 + UART_FCR, 0x07);
	hw_out8(COM1 + UART_MCR, 0x03);
}

static void com1_putc(char c)
{
	for (unsigned i = 0; i < THRE_TRIES; i++) {
		if (hw_in8(COM1 + UART_LSR) & LSR_THRE) {
			break;
		}
	}
	hw_out8(COM1 + UART_THR, (uint8_t)c);
}

void con_init(void)
{
	com1_ours = !firmware_writes_com1() && com1_present();
	if (com1_ours) {
		com1_init();
	}
}

static void con_text(const char *text)
{
	CHAR16 wide[LINE_MAX + 1];
	size_t n = 0;

	for (; *text != '\0' && n < LINE_MAX; text++, n++) {
		unsigned char c = (unsigned char)*text;

		wide[n] = c < 0x80 ? c : '?';
		if (com1_ours) {
			com1_putc(*text);
		}
	}
	wide[n] = 0;
	if (efi_st->ConOut) {
		efi_st->ConOut->OutputString(efi_st->ConOut, wide);
	}
}

__printf(1, 0) static void con_vline(const char *fmt, va_list ap)
{
	char line[LINE_MAX - 2];

	fmt_vprint(line, sizeof(line), fmt, ap);
	con_text(line);
	con_text("\r\n");
}

void con_line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	con_vline(fmt, ap);
	va_end(ap);
}

EFI_STATUS con_fail(EFI_STATUS status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	con_vline(fmt, ap);
	va_end(ap);
	return status;
}

const char *con_status(EFI_STATUS status)
{
	switch (status) {
	case EFI_NOT_FOUND:
		return "not found";
	case EFI_DEVICE_ERROR:
		return "device error";
	case EFI_VOLUME_CORRUPTED:
		return "the file system is damaged";
	case EFI_OUT_OF_RESOURCES:
		return "out of memory";
	case EFI_ACCESS_DENIED:
		return "access denied";
	case EFI_NO_MEDIA:
		return "no medium";
	case EFI_MEDIA_CHANGED:
		return "the medium was changed";
	case EFI_UNSUPPORTED:
		return "not supported";
	default:
		return "refused by the firmware";
	}
}
