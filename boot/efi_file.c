// SPDX-License-Identifier: BSD-2-Clause
// Files on the volume that the loader came from.
// Specs: [UEFI] "Loaded Image Protocol", "Simple File System Protocol", "EFI File Protocol".
#include "boot/efi_file.h"
#include "boot/efi_console.h"
#include "boot/efi_mem.h"
#include "vmm/lib/fmt.h"
#include "vmm/lib/string.h"

#define READ_CHUNK (4ULL << 20) /* some firmware fails on very long reads */

static EFI_GUID loaded_image_protocol = LOADED_IMAGE_PROTOCOL;
static EFI_GUID file_system_protocol = SIMPLE_FILE_SYSTEM_PROTOCOL;
static EFI_GUID file_info_id = EFI_FILE_INFO_ID;

static EFI_FILE *root;
static char loader_dir[FILE_PATH_MAX] = "\\EFI\\BOOT";
static char loader_name[FILE_PATH_MAX] = "BOOTX64";

const char *file_loader_dir(void)
{
	return loader_dir;
}

const char *file_loader_name(void)
{
	return loader_name;
}

static bool is_separator(char c)
{
	return c == '\\' || c == '/';
}

/* The file path nodes of the loaded image, as one ASCII string; false when it is not to be had. */
static bool image_path(char out[FILE_PATH_MAX], const EFI_DEVICE_PATH *node)
{
	size_t n = 0;

	for (unsigned i = 0; node && i < 32 && !IsDevicePathEndType(node); i++) {
		size_t len = DevicePathNodeLength(node);
		const uint8_t *p = (const uint8_t *)node + sizeof(*node);

		if (len < sizeof(*node)) {
			return false;
		}
		if (DevicePathType(node) == MEDIA_DEVICE_PATH &&
		        DevicePathSubType(node) == MEDIA_FILEPATH_DP) {
			if (n == 0 || out[n - 1] != '\\') {
				out[n++] = '\\';
			}
			for (size_t at = sizeof(*node); at + 2 <= len; at += 2, p += 2) {
				if (p[0] == 0 && p[1] == 0) {
					break;
				}
				if (p[1] != 0 || p[0] >= 0x80 || n + 2 >= FILE_PATH_MAX) {
					return false;
				}
				/* A node may or may not begin with a separator. */
				if (!(is_separator((char)p[0]) && out[n - 1] == '\\')) {
					out[n++] = is_separator((char)p[0]) ? '\\' : (char)p[0];
				}
			}
		}
		node = NextDevicePathNode(node);
	}
	out[n] = '\0';
	return n > 1;
}

/* "\EFI\BOOT\BOOTX64.EFI" into "\EFI\BOOT" and "BOOTX64". */
static void split_path(const char *path)
{
	size_t slash = 0, dot, len = strlen(path);

	for (size_t i = 0; i < len; i++) {
		slash = path[i] == '\\' ? i : slash;
	}
	dot = len;
	for (size_t i = slash + 1; i < len; i++) {
		dot = path[i] == '.' ? i : dot;
	}
	memcpy(loader_dir, path, slash);
	loader_dir[slash] = '\0';
	memcpy(loader_name, path + slash + 1, dot - slash - 1);
	loader_name[dot - slash - 1] = '\0';
}

EFI_STATUS file_init(void)
{
	EFI_LOADED_IMAGE *image = NULL;
	EFI_FILE_IO_INTERFACE *volume = NULL;
	char path[FILE_PATH_MAX];
	EFI_STATUS status;

	status = efi_bs->HandleProtocol(efi_image, &loaded_image_protocol, (void **)&image);
	if (!EFI_ERROR(status)) {
		status = efi_bs->HandleProtocol(
		        image->DeviceHandle, &file_system_protocol, (void **)&volume);
	}
	if (!EFI_ERROR(status)) {
		status = volume->OpenVolume(volume, &root);
	}
	if (EFI_ERROR(status)) {
		return con_fail(status, "cannot read the volume this loader was started from: %s",
		        con_status(status));
	}
	if (image_path(path, image->FilePath)) {
		split_path(path);
	}
	return EFI_SUCCESS;
}

bool file_join(char out[FILE_PATH_MAX], const char *dir, const char *path)
{
	size_t need = is_separator(path[0]) ? fmt_print(out, FILE_PATH_MAX, "%s", path)
	                                    : fmt_print(out, FILE_PATH_MAX, "%s\\%s", dir, path);

	for (char *c = out; *c != '\0'; c++) {
		*c = is_separator(*c) ? '\\' : *c;
	}
	return need < FILE_PATH_MAX;
}

static EFI_STATUS file_size(EFI_FILE *file, uint64_t *len, char *why, size_t why_size)
{
	union {
		EFI_FILE_INFO info;
		uint8_t room[sizeof(EFI_FILE_INFO) + 1024]; /* the name follows */
	} u;
	UINTN size = sizeof(u);
	EFI_STATUS status = file->GetInfo(file, &file_info_id, &size, &u);

	if (EFI_ERROR(status)) {
		fmt_print(why, why_size, "cannot be read: %s", con_status(status));
		return status;
	}
	if (u.info.Attribute & EFI_FILE_DIRECTORY) {
		fmt_print(why, why_size, "is a directory");
		return EFI_LOAD_ERROR;
	}
	if (u.info.FileSize == 0) {
		fmt_print(why, why_size, "is empty");
		return EFI_LOAD_ERROR;
	}
	*len = u.info.FileSize;
	return EFI_SUCCESS;
}

static EFI_STATUS read_all(EFI_FILE *file, uint64_t base, uint64_t len, char *why, size_t why_size)
{
	for (uint64_t done = 0; done < len;) {
		UINTN n = len - done < READ_CHUNK ? len - done : READ_CHUNK;
		EFI_STATUS status = file->Read(file, &n, (void *)(base + done));

		if (!EFI_ERROR(status) && n == 0) {
			status = EFI_VOLUME_CORRUPTED;
		}
		if (EFI_ERROR(status)) {
			fmt_print(why, why_size, "cannot be read: %s", con_status(status));
			return status;
		}
		done += n;
	}
	return EFI_SUCCESS;
}

EFI_STATUS file_read(const char *path, uint64_t *base, uint64_t *len, char *why, size_t why_size)
{
	CHAR16 wide[FILE_PATH_MAX];
	EFI_FILE *file = NULL;
	EFI_STATUS status;
	size_t n = 0;

	for (; path[n] != '\0' && n < FILE_PATH_MAX - 1; n++) {
		wide[n] = (unsigned char)path[n];
	}
	wide[n] = 0;
	status = root->Open(root, &file, wide, EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(status)) {
		/* Firmware says either for a name that cannot be a file's. */
		status = status == EFI_INVALID_PARAMETER ? EFI_NOT_FOUND : status;
		fmt_print(why, why_size, "cannot be opened: %s", con_status(status));
		return status;
	}
	status = file_size(file, len, why, why_size);
	if (!EFI_ERROR(status)) {
		*base = mem_alloc(*len, PAGE_SIZE, MEM_ANYWHERE);
		if (*base == 0) {
			fmt_print(why, why_size, "is larger than the free memory: it has %llu KiB",
			        (unsigned long long)(*len >> 10));
			status = EFI_OUT_OF_RESOURCES;
		} else {
			status = read_all(file, *base, *len, why, why_size);
		}
	}
	file->Close(file);
	return status;
}
