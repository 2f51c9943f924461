/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * candela.cfg: what its owner wrote, parsed. docs/config.md is the manual.
 *
 * The loader parses the file before it leaves boot services and hands the result
 * to the core by value (boot/boot_info.h); nothing is parsed twice. No pointers inside.
 */
#ifndef VMM_LIB_CONFIG_H
#define VMM_LIB_CONFIG_H

#include "vmm/lib/limits.h"
#include "vmm/lib/log.h"
#include "vmm/lib/types.h"

/* Optional VMX controls, as [host] vmx = -name,+name,... lists them; bit = 1U << value. */
enum vmx_option {
	VMX_OPT_VPID,      /* vpid */
	VMX_OPT_TPR,       /* tpr: TPR shadow */
	VMX_OPT_APICACC,   /* apicacc: virtualize APIC accesses */
	VMX_OPT_APICREG,   /* apicreg: APIC-register virtualization */
	VMX_OPT_X2APIC,    /* x2apic: virtualize x2APIC mode */
	VMX_OPT_VID,       /* vid: virtual-interrupt delivery */
	VMX_OPT_MSRBITMAP, /* msrbitmap */
	VMX_OPT_IOBITMAP,  /* iobitmap */
	VMX_OPT_TIMER,     /* timer: preemption timer */
	VMX_OPT_PLE,       /* ple: pause-loop exit */
	VMX_OPT_INVPCID,   /* invpcid */
	VMX_OPT_RDTSCP,    /* rdtscp */
	VMX_OPT_XSAVES,    /* xsaves */
	VMX_OPT_TSCSCALE,  /* tscscale */
	VMX_OPT_EPT2M,     /* ept2m: large EPT pages */
	VMX_OPT_EPT1G,     /* ept1g */
	VMX_OPT_EPTAD,     /* eptad: accessed and dirty flags */
	VMX_OPT_L1DFLUSH,  /* l1dflush: L1 data cache flushed at each entry, where L1TF needs it */
	VMX_OPT_COUNT
};

/* Short names as written in the file; index is enum vmx_option. */
extern const char *const vmx_option_names[VMX_OPT_COUNT];

/* Parts of the Hyper-V interface, as a VM's hyperv = on,-name,+name lists them; bit = 1U << value.
 */
enum hv_feature {
	HV_VP_RUNTIME,                 /* vpruntime: MSR */
	HV_REF_COUNT,                  /* refcount: reference time by MSR */
	HV_REF_TSC,                    /* reftsc: reference time by a page */
	HV_FREQ_MSRS,                  /* freq: TSC and APIC frequency MSRs */
	HV_INVARIANT_TSC,              /* invtsc: only where the host's is */
	HV_APIC_MSRS,                  /* apic: EOI, ICR, TPR, VP assist MSRs */
	HV_RESET,                      /* reset: MSR */
	HV_IDLE,                       /* idle: guest idle MSR */
	HV_CRASH,                      /* crash: panic MSRs */
	HV_SYNIC,                      /* synic */
	HV_STIMER,                     /* stimer: synthetic timers */
	HV_STIMER_DIRECT_MODE,         /* direct: of those */
	HV_POST,                       /* post: message hypercall */
	HV_SIGNAL,                     /* signal: event hypercall */
	HV_XMM,                        /* xmm: fast input in XMM registers */
	HV_TLB_FLUSH,                  /* tlbflush: hypercalls, and the hint to use them */
	HV_IPI,                        /* ipi: hypercalls, and the hint */
	HV_EX_MASKS,                   /* exmasks: the forms for more than 64 VPs */
	HV_RELAXED,                    /* relaxed: hint about watchdogs */
	HV_NO_AUTO_EOI,                /* noautoeoi: hint */
	HV_SPIN_WAIT,                  /* spinwait: long spin notification */
	HV_EXT_CALLS,                  /* extcall: extended hypercalls */
	HV_EOI_ASSIST,                 /* eoiassist: only where every EOI exits; and the hint */
	HV_DEFAULT_COUNT,              /* those above are on by default */
	HV_VP_REGS = HV_DEFAULT_COUNT, /* vpregs: get and set VP registers */
	HV_START_VP,                   /* startvp */
	HV_APIC_HINT,                  /* apichint: recommend the APIC MSRs */
	HV_FEATURE_COUNT
};

/* Short names as written in the file; index is enum hv_feature. */
extern const char *const hv_feature_names[HV_FEATURE_COUNT];

enum smbios_strings { SMBIOS_CANDELA, SMBIOS_HYPERV };

enum disk_bus { DISK_STORVSC, DISK_IDE, DISK_BUS_COUNT };
#define MAX_IDE_DISKS 4 /* two channels of two drives */

/* Names as written in the file; index is enum disk_bus. */
extern const char *const disk_bus_names[DISK_BUS_COUNT];

/*
 * One disk of a VM. Its place on its controller - the synthetic SCSI controller's unit, the IDE
 * controller's channel and drive - is its place among the disks of that bus.
 */
struct config_disk {
	uint32_t line;
	uint32_t bus;            /* enum disk_bus */
	char path[MAX_PATH_LEN]; /* image on the boot volume; "" = empty at the beginning */
	uint64_t size;           /* bytes, of an empty one */
	uint32_t block_size;     /* 512, 4096, or 2048 of a DVD */
	bool read_only;
	bool dvd;
};

/* One network adapter of a VM. */
struct config_nic {
	uint32_t line;
	char sw[MAX_NAME_LEN]; /* the switch it is connected to; "" = none: its link is down */
	uint64_t mac;          /* first byte on the wire highest; different from all others */
	uint32_t queues;       /* channels at most; 0 = as many as there are vCPUs, up to a limit */
};

struct config_vm {
	char name[MAX_NAME_LEN];
	uint32_t line;             /* of its section header */
	uint32_t vcpus;            /* 1..MAX_VCPUS */
	uint64_t memory;           /* bytes, a multiple of 2 MiB */
	char kernel[MAX_PATH_LEN]; /* Linux bzImage or multiboot ELF; required */
	uint32_t kernel_line;
	char initrd[MAX_PATH_LEN]; /* "" = none; for multiboot: the first module */
	uint32_t initrd_line;
	char cmdline[MAX_CMDLINE_LEN];
	enum smbios_strings smbios;
	bool manual;          /* autostart = no: the operator starts it */
	uint32_t manual_line; /* of that key */
	bool testdev;         /* the devices test kernels look for: docs/hardware.md */
	uint64_t cpu_mask;    /* physical CPUs its vCPUs may run on, by index; 0 = any */
	uint32_t cpu_line;    /* of that key */
	bool hyperv;          /* the Hyper-V interface is there */
	uint32_t hv_features; /* 1U << enum hv_feature */
	uint32_t n_disks;
	struct config_disk disks[MAX_DISKS];
	uint32_t n_nics;
	struct config_nic nics[MAX_NICS];
	uint32_t vmbus;      /* its highest version, CONFIG_VMBUS(); 0 = there is none */
	uint32_t vmbus_line; /* of that key; 0 = not given */
	uint32_t weight; /* share of a contended CPU, against other VMs': 1..CONFIG_WEIGHT_MAX */
};

#define CONFIG_HV_DEFAULT ((1U << HV_DEFAULT_COUNT) - 1) /* hyperv = on */

/* As VMBUS_VERSION() of vmbus/proto.h. */
#define CONFIG_VMBUS(major, minor) ((uint32_t)(major) << 16 | (minor))
#define CONFIG_VMBUS_MAX CONFIG_VMBUS(5, 3) /* vmbus = on */

#define CONFIG_WEIGHT_DEFAULT 100U
#define CONFIG_WEIGHT_MAX 10000U
#define CONFIG_MONITOR_KEY 0x1dU /* Ctrl-] */

struct config {
	enum log_level log_level;
	uint8_t monitor_key; /* control character that goes to the monitor and back; 0 = none */
	uint32_t vmx_off;    /* 1U << enum vmx_option: -name, do without */
	uint32_t vmx_force;  /* +name: use it although this processor is known to do it wrong */
	uint32_t n_vms;      /* 1..MAX_VMS after a successful parse */
	struct config_vm vms[MAX_VMS];
};

/* Where and why: "candela.cfg:12: unknown key 'memroy' (did you mean 'memory'?)". */
struct config_error {
	char text[256];
};

/*
 * Parse len bytes of text into *cfg. Returns 0, or -EINVAL with a sentence in *err that
 * begins with "file_name:line: ". Work is bounded by len; text need not be terminated.
 */
__must_check int config_parse(struct config *cfg, const char *file_name, const char *text,
        size_t len, struct config_error *err);

/* How many disks of a VM are on this bus. */
uint32_t config_disks_on(const struct config_vm *vm, enum disk_bus bus);
/*
 * Does this disk need memory of its own beside its image? An empty one does; one that can be
 * written does when anything else of any VM is made of the same file.
 */
bool config_disk_is_private(const struct config *cfg, const struct config_disk *disk);
/* How much, in whole 2 MiB pieces; image_len: of its file. 0 = none. */
uint64_t config_disk_memory(
        const struct config *cfg, const struct config_disk *disk, uint64_t image_len);

/* Print the parsed result with log_info(), one line a key. */
void config_log(const struct config *cfg);

#endif
