/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One IDE channel: the registers of two drives, their commands, and the bus master that moves data.
 *
 * A drive is an ATA disk or an ATAPI CD-ROM over a backend. One command at a time is under way on
 * a channel: the register that selects a drive cannot be written while the selected one is busy.
 *
 * Who does what:
 *   ide_channel.c   ports, task file, interrupt, resets
 *   ide_ata.c       commands of a disk
 *   ide_atapi.c     commands of a CD-ROM drive, its packets
 *   ide_mmc.c       what packets answer with
 *   ide_identify.c  IDENTIFY and SMART data
 *   ide_xfer.c      a command's data: buffer and backend; the end of the command
 *   ide_port.c      the data port
 *   ide_dma.c       bus-master registers, and the memory that PRD tables describe
 *
 * The backend is called with no lock held; its answer may come within the call or at any later
 * time on any CPU. Nobody waits for it: until then the drive is busy.
 *
 * Specs: [ATA6] "Interface register definitions and descriptions", "General operational
 * requirements"; [BMIDE].
 */
#ifndef DEVICES_IDE_H
#define DEVICES_IDE_H

#include "devices/backend/blk.h"
#include "devices/device.h"

#define IDE_DRIVES 2U
#define IDE_SECTOR 512U
#define IDE_CD_BLOCK 2048U
#define IDE_MAX_MULTIPLE 16U
#define IDE_PACKET_LEN 12U
#define IDE_BUF_LEN 16384U
#define IDE_BUF_ALIGN 512U /* a backend may want no more */
#define IDE_MAX_SEGS 64U

/* A command moves so much in one go; it goes on a little later, so that others have their turn. */
#define IDE_BURST (1U << 20)
#define IDE_PAUSE_NS 100000U

#define IDE_COMMAND_PORTS 8U
#define IDE_BM_PORTS 8U /* of one channel */

/* Offsets of the command block. Written and read names differ at 1 and 7. */
enum ide_reg {
	IDE_DATA = 0,
	IDE_FEATURES = 1, /* read: error */
	IDE_NSECT = 2,    /* of a packet command: interrupt reason */
	IDE_LBAL = 3,
	IDE_LBAM = 4, /* of a packet command: byte count, low and high */
	IDE_LBAH = 5,
	IDE_DEVICE = 6,
	IDE_STATUS = 7, /* written: command */
};

#define IDE_ST_BSY 0x80U
#define IDE_ST_DRDY 0x40U
#define IDE_ST_DF 0x20U
#define IDE_ST_DSC 0x10U
#define IDE_ST_DRQ 0x08U
#define IDE_ST_ERR 0x01U /* CHK of a packet command */
#define IDE_ST_GOOD (IDE_ST_DRDY | IDE_ST_DSC)

#define IDE_ERR_UNC 0x40U
#define IDE_ERR_IDNF 0x10U
#define IDE_ERR_ABRT 0x04U

#define IDE_DEV_LBA 0x40U
#define IDE_DEV_DEV 0x10U
#define IDE_DEV_FIXED 0xa0U /* obsolete bits that read 1 */

#define IDE_CTL_HOB 0x80U
#define IDE_CTL_SRST 0x04U
#define IDE_CTL_NIEN 0x02U

#define IDE_CD 0x01U /* interrupt reason: command or status, not data */
#define IDE_IO 0x02U /* to the host */

enum ide_kind { IDE_NONE, IDE_DISK, IDE_CDROM };

/* What the command under way is at. */
enum ide_phase {
	IDE_IDLE,    /* there is none */
	IDE_RESET,   /* not a command: SRST is set, or the backend still has a request */
	IDE_NO_DATA, /* the backend works, and then it is done */
	IDE_PACKET,  /* a packet comes through the data port */
	IDE_PIO_IN,
	IDE_PIO_OUT,
	IDE_DMA_IN,
	IDE_DMA_OUT,
};

/* Where the one request to the backend is. */
enum ide_req_state {
	IDE_REQ_NONE,
	IDE_REQ_READY,  /* prepared */
	IDE_REQ_FULL,   /* refused; ready() makes it READY */
	IDE_REQ_FLYING, /* the backend has it */
	IDE_REQ_DONE,   /* answered; nobody has looked yet */
};

/* Sense data in short: key, additional code, its qualifier. */
struct ide_sense {
	uint8_t key, asc, ascq;
};

struct ide_drive_state {
	/* Task file, [0] as written last, [1] before that: two bytes for 48-bit commands. */
	uint8_t reg[IDE_LBAH + 1][2];
	uint8_t device, error, status;
	bool intrq;         /* INTRQ asserted, whether or not it gets out */
	uint8_t dma_mode;   /* SET FEATURES: 0x20 + n or 0x40 + n */
	uint8_t multiple;   /* sectors of a block of READ and WRITE MULTIPLE; 0 = off */
	uint8_t heads, spt; /* current translation */
	bool write_cache, look_ahead, smart, standby;
	bool reverts; /* SET FEATURES: a software reset brings back the settings at power-on */
	/* CD-ROM */
	struct ide_sense sense;
	uint8_t attention; /* additional code of a UNIT ATTENTION to come; 0 = none */
	uint8_t event;     /* media event that GET EVENT STATUS has not told yet */
	bool tray_open;
	bool locked; /* PREVENT */
};

struct ide_command {
	uint8_t drive;     /* whose, 0 or 1 */
	uint8_t phase;     /* enum ide_phase */
	uint8_t resetting; /* IDE_RESET: bit for each drive */
	bool lba48;        /* how an error's address is told */
	uint64_t lba;      /* next block at the backend */
	uint32_t left;     /* bytes that the backend still gives or takes */
	uint32_t drq;      /* bytes of a block at the data port, at most */
	uint32_t buf_pos, buf_len, drq_end;
};

/* A place in a PRD table. */
struct ide_cursor {
	uint32_t next; /* gpa of the next entry */
	uint32_t base; /* of the current region, what is left of it */
	uint32_t count;
	bool last; /* the current region is the last one */
};

struct ide_bm_state {
	uint8_t command, status;
	uint32_t table; /* PRD table pointer */
	struct ide_cursor at;
};

#define IDE_STATE_VERSION 1U

/* What a snapshot would keep, once nothing is at the backend: no pointers. */
struct ide_state {
	uint32_t version;
	uint8_t control; /* device control */
	uint8_t selected;
	bool bm_enabled; /* the function may master the bus */
	struct ide_drive_state drives[IDE_DRIVES];
	struct ide_command cmd;
	struct ide_bm_state bm;
	uint8_t buf[IDE_BUF_LEN] __attribute__((aligned(IDE_BUF_ALIGN)));
};

struct ide_drive {
	enum ide_kind kind;        /* (c) */
	struct blk *blk;           /* (c) */
	struct ide_channel *owner; /* (c) */
};

struct ide_channel {
	struct spinlock lock;
	struct vm *vm;                    /* (c) */
	const char *name;                 /* (c) "primary" */
	struct irq_source irq;            /* (c) */
	struct io_range command, control; /* places of the two blocks; enabled by the function */
	struct vm_timer timer;            /* a long transfer goes on */
	hpa_t buf_hpa;                    /* (c) of s.buf, for backends that move data themselves */
	struct ide_drive drives[IDE_DRIVES]; /* (c) once attached */
	struct ide_state s;                  /* [lock] */
	bool line;                           /* [lock] level of INTRQ as the host sees it */
	bool quiet;                          /* [lock] quiesced: nothing goes to a backend */
	bool pumping;                        /* [lock] somebody is in ide_pump_locked() */
	bool room;                           /* [lock] ready() was called since the submit began */
	uint8_t req_state;                   /* [lock] enum ide_req_state */
	uint8_t req_status;                  /* [lock] enum blk_status, when DONE */
	uint32_t moved;                      /* [lock] bytes in this go */
	uint32_t buf_limit;                  /* [lock] of a request with the buffer */
	struct ide_cursor req_cursor;        /* [lock] the table after a request by DMA */
	bool req_direct;                     /* [lock] its segments are the guest's memory */
	struct blk_req req;                  /* [lock], the backend's while FLYING */
	struct io_seg segs[IDE_MAX_SEGS];    /* likewise */
};

/* --- ide_channel.c --- */

void ide_channel_init(struct ide_channel *ch, const char *name);
/* Before the VM starts; *blk lives as long. -EINVAL when the backend's blocks are not what IDE has,
 * -EEXIST when there is a drive already. */
__must_check int ide_channel_add(struct ide_channel *ch, unsigned drive, struct blk *blk);
/* Registers ports (off until ide_channel_decode()) and the line. Undoes itself. */
__must_check int ide_channel_attach(
        struct ide_channel *ch, struct vm *vm, uint16_t command, uint16_t control, unsigned gsi);
void ide_channel_detach(struct ide_channel *ch);
/* What configuration space says: do the ports answer, and may the bus master work? */
void ide_channel_decode(struct ide_channel *ch, bool ports, bool bm);
void ide_channel_reset(struct ide_channel *ch);
/* Cancels and drains: afterwards no backend has anything of this channel. */
void ide_channel_quiesce(struct ide_channel *ch);
void ide_channel_dump(const struct ide_channel *ch, struct out *out);

/* The drive that has the command; its registers. */
static inline struct ide_drive_state *ide_regs(struct ide_channel *ch)
{
	return &ch->s.drives[ch->s.cmd.drive];
}

static inline struct blk *ide_blk(const struct ide_channel *ch)
{
	return ch->drives[ch->s.cmd.drive].blk;
}

/* Is it a drive that takes packets? */
static inline bool ide_is_packet(const struct ide_channel *ch)
{
	return ch->drives[ch->s.cmd.drive].kind == IDE_CDROM;
}

void ide_set_intrq_locked(struct ide_channel *ch, unsigned drive, bool on);
/* Signature, diagnostic code, status: the end of a reset of the drives in mask. */
void ide_end_reset_locked(struct ide_channel *ch, unsigned mask);
/* Registers 2-5 as a reset and an aborted IDENTIFY leave them. */
void ide_put_signature(struct ide_drive_state *d, enum ide_kind kind);

/* --- ide_xfer.c: all with the channel's lock held; ide_pump_locked() drops it for a while --- */

/* Let everything happen that can. After each change of phase, outside of the functions below. */
void ide_pump_locked(struct ide_channel *ch);
/* The command is over. */
void ide_complete_locked(struct ide_channel *ch);
void ide_fail_locked(struct ide_channel *ch, uint8_t error);
/* The drive asks the host for a packet. */
void ide_want_packet_locked(struct ide_channel *ch);
/* The host gets len bytes that are in the buffer, at most drq at once. */
void ide_reply_locked(struct ide_channel *ch, uint32_t len, uint32_t drq, bool dma);
/* Blocks of the disk move; phase says how. */
void ide_transfer_locked(
        struct ide_channel *ch, enum ide_phase phase, uint64_t lba, uint32_t len, uint32_t drq);
void ide_flush_locked(struct ide_channel *ch);
/* For struct blk_req and struct blk; arg is the drive. Takes the lock. */
void ide_req_done(struct blk_req *req, enum blk_status status);
void ide_blk_ready(void *arg);
/* Timer: the rest of a long transfer. Takes the lock. */
void ide_go_on(void *arg);

/* --- ide_port.c --- */

/* A block of len bytes of the buffer begins; intrq: the guest is told by interrupt. */
void ide_open_port_locked(struct ide_channel *ch, uint32_t len, bool intrq);
/* width 1, 2 or 4. */
uint32_t ide_data_read_locked(struct ide_channel *ch, unsigned width);
void ide_data_write_locked(struct ide_channel *ch, unsigned width, uint32_t value);

/* --- ide_ata.c, ide_atapi.c: a command for the drive cmd.drive --- */

void ide_ata_command_locked(struct ide_channel *ch, uint8_t command);
void ide_ata_error_locked(struct ide_channel *ch, enum blk_status status);
/* SET FEATURES, transfer mode; false = there is no such mode. */
bool ide_set_mode(struct ide_drive_state *d, uint8_t mode);
void ide_ata_power_on(struct ide_drive_state *d);
/* The settings that commands change, as at power-on. */
void ide_ata_defaults(struct ide_drive_state *d);
void ide_atapi_command_locked(struct ide_channel *ch, uint8_t command);
/* Power-on: the first command hears of it. */
void ide_atapi_reset(struct ide_drive_state *d);
/* The packet is in the buffer. */
void ide_atapi_packet_locked(struct ide_channel *ch);
void ide_atapi_error_locked(struct ide_channel *ch, enum blk_status status);

/* --- ide_mmc.c: replies, written to buf (256 bytes are enough); their length, 0 = a field of the
 * packet is not supported --- */

uint32_t ide_mmc_inquiry(uint8_t *buf);
uint32_t ide_mmc_sense(uint8_t *buf, struct ide_sense sense);
uint32_t ide_mmc_capacity(uint8_t *buf, const struct blk *blk);
uint32_t ide_mmc_toc(uint8_t *buf, const uint8_t *packet, const struct blk *blk);
uint32_t ide_mmc_configuration(
        uint8_t *buf, const uint8_t *packet, const struct blk *blk, bool media);
uint32_t ide_mmc_mode_sense(uint8_t *buf, const uint8_t *packet, bool locked, bool media);
/* [MMC] "GET EVENT STATUS NOTIFICATION": media class. */
enum ide_media_event { IDE_EVENT_NONE = 0, IDE_EVENT_NEW = 2, IDE_EVENT_REMOVAL = 3 };
#define IDE_CLASS_MEDIA BIT(4)
uint32_t ide_mmc_event(uint8_t *buf, const uint8_t *packet, uint8_t event, bool media);
uint32_t ide_mmc_disc_info(uint8_t *buf);

/* --- ide_identify.c: 512 bytes each --- */

void ide_identify_disk(
        uint8_t *buf, const struct ide_drive_state *d, const struct blk *blk, unsigned drive);
void ide_identify_cdrom(
        uint8_t *buf, const struct ide_drive_state *d, const struct blk *blk, unsigned drive);
void ide_smart_data(uint8_t *buf);
void ide_smart_thresholds(uint8_t *buf);
/* false = there is no such log. */
bool ide_smart_log(uint8_t *buf, uint8_t address);

/* --- ide_dma.c: all with the lock held --- */

uint32_t ide_bm_read_locked(const struct ide_channel *ch, unsigned offset, unsigned width);
/* true = the bus master was started: the caller pumps. */
bool ide_bm_write_locked(struct ide_channel *ch, unsigned offset, unsigned width, uint32_t value);
/* The drive's interrupt line rose. */
void ide_bm_interrupt(struct ide_channel *ch);
/* May data move in the direction of this phase? */
bool ide_dma_active(const struct ide_channel *ch);
/*
 * Fill ch->segs with guest memory for at most max bytes in whole blocks; returns how many, 0 = not
 * without the buffer. The table stays where it is until ide_dma_moved().
 */
uint32_t ide_dma_gather(struct ide_channel *ch, uint32_t max, unsigned *n_segs);
void ide_dma_moved(struct ide_channel *ch);
/* Between buffer and guest memory, until either ends; returns how much moved. */
uint32_t ide_dma_copy(struct ide_channel *ch, uint8_t *buf, uint32_t len, bool to_guest);

#endif
