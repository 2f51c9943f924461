// SPDX-License-Identifier: BSD-2-Clause
// Commands of an ATA disk.
// Specs: [ATA6] "Command descriptions", "Addressing of data sectors", "48-bit Address feature set",
// "SMART feature set", "Power Management feature set".
#include "devices/ide.h"
#include "vmm/lib/string.h"

#define LBA28_SECTORS (1ULL << 28)
#define NATIVE_HEADS 16U
#define NATIVE_SPT 63U

/* [ATA6] "SET FEATURES". */
enum feature {
	FEAT_WRITE_CACHE_ON = 0x02,
	FEAT_TRANSFER_MODE = 0x03,
	FEAT_LOOK_AHEAD_OFF = 0x55,
	FEAT_REVERT_OFF = 0x66,
	FEAT_WRITE_CACHE_OFF = 0x82,
	FEAT_LOOK_AHEAD_ON = 0xaa,
	FEAT_REVERT_ON = 0xcc,
};

/* [ATA6] "SMART": features, and what LBA Mid and High must hold. */
enum smart {
	SMART_READ_DATA = 0xd0,
	SMART_READ_THRESHOLDS = 0xd1,
	SMART_AUTOSAVE = 0xd2,
	SMART_OFFLINE = 0xd4,
	SMART_READ_LOG = 0xd5,
	SMART_ENABLE = 0xd8,
	SMART_DISABLE = 0xd9,
	SMART_RETURN_STATUS = 0xda,
};
#define SMART_MID 0x4fU
#define SMART_HIGH 0xc2U

#define POWER_ACTIVE 0xffU
#define POWER_STANDBY 0x00U

/* What the data of a command does, and how it is addressed. */
struct row {
	void (*fn)(struct ide_channel *ch, const struct row *row);
	uint8_t phase; /* enum ide_phase */
	bool ext;      /* 48-bit */
	bool multiple; /* blocks as SET MULTIPLE MODE says */
};

static struct ide_drive_state *regs(struct ide_channel *ch)
{
	return ide_regs(ch);
}

static uint64_t n_sectors(const struct ide_channel *ch)
{
	return ide_blk(ch)->size / IDE_SECTOR;
}

/* --- addresses --- */

static uint64_t lba_low24(const struct ide_drive_state *d, unsigned age)
{
	return (uint64_t)d->reg[IDE_LBAL][age] | (uint64_t)d->reg[IDE_LBAM][age] << 8 |
	       (uint64_t)d->reg[IDE_LBAH][age] << 16;
}

/* false = there is no such sector: CHS beyond the translation. */
static bool address(const struct ide_drive_state *d, bool ext, uint64_t *lba)
{
	uint32_t head = d->device & 0x0fU, cylinder, sector;

	if (ext) {
		*lba = lba_low24(d, 0) | lba_low24(d, 1) << 24;
		return d->device & IDE_DEV_LBA;
	}
	if (d->device & IDE_DEV_LBA) {
		*lba = lba_low24(d, 0) | (uint64_t)head << 24;
		return true;
	}
	cylinder = (uint32_t)d->reg[IDE_LBAM][0] | (uint32_t)d->reg[IDE_LBAH][0] << 8;
	sector = d->reg[IDE_LBAL][0];
	*lba = ((uint64_t)cylinder * d->heads + head) * d->spt + sector - 1;
	return sector >= 1 && sector <= d->spt && head < d->heads;
}

static void put_lba(struct ide_drive_state *d, bool ext, uint64_t lba)
{
	for (unsigned i = 0; i < 3; i++) {
		d->reg[IDE_LBAL + i][0] = (uint8_t)(lba >> (8 * i));
		if (ext) {
			d->reg[IDE_LBAL + i][1] = (uint8_t)(lba >> (24 + 8 * i));
		}
	}
	if (!ext) {
		d->device = (uint8_t)((d->device & 0xf0U) | (lba >> 24 & 0x0f));
	}
}

/* The address of a sector that failed, in the form the command used. */
static void put_address(struct ide_drive_state *d, bool ext, uint64_t lba)
{
	uint64_t track = lba / d->spt, cylinder = track / d->heads;

	if (ext || (d->device & IDE_DEV_LBA)) {
		put_lba(d, ext, lba);
		return;
	}
	d->reg[IDE_LBAL][0] = (uint8_t)(lba % d->spt + 1);
	d->reg[IDE_LBAM][0] = (uint8_t)cylinder;
	d->reg[IDE_LBAH][0] = (uint8_t)(cylinder >> 8);
	d->device = (uint8_t)((d->device & 0xf0U) | (track % d->heads));
}

/* 0 in the registers is the most there can be. */
static uint32_t sector_count(const struct ide_drive_state *d, bool ext)
{
	uint32_t n = d->reg[IDE_NSECT][0];

	if (ext) {
		n |= (uint32_t)d->reg[IDE_NSECT][1] << 8;
		return n ? n : 65536;
	}
	return n ? n : 256;
}

static void abort_command(struct ide_channel *ch)
{
	ide_fail_locked(ch, IDE_ERR_ABRT);
}

/* The sectors that a command names; false = told the guest that they are not all there. */
static bool range(struct ide_channel *ch, bool ext, uint64_t *lba, uint32_t *n)
{
	struct ide_drive_state *d = regs(ch);
	uint64_t end = n_sectors(ch);
	bool valid = address(d, ext, lba);

	*n = sector_count(d, ext);
	if (valid && *lba < end && *n <= end - *lba) {
		return true;
	}
	/* The first one that does not exist. */
	if (valid) {
		put_address(d, ext, *lba < end ? end : *lba);
	}
	ide_fail_locked(ch, IDE_ERR_IDNF);
	return false;
}

/* --- data --- */

static void transfer(struct ide_channel *ch, const struct row *row)
{
	bool write = row->phase == IDE_PIO_OUT || row->phase == IDE_DMA_OUT;
	struct ide_drive_state *d = regs(ch);
	uint32_t n, drq = IDE_SECTOR;
	uint64_t lba;

	if ((row->multiple && !d->multiple) || (write && ide_blk(ch)->read_only)) {
		abort_command(ch);
		return;
	}
	if (!range(ch, row->ext, &lba, &n)) {
		return;
	}
	d->standby = false;
	if (row->multiple) {
		drq *= d->multiple;
	}
	ch->s.cmd.lba48 = row->ext;
	ide_transfer_locked(ch, (enum ide_phase)row->phase, lba, n * IDE_SECTOR, drq);
}

/* READ VERIFY: there is no medium that could have gone bad. SEEK: one sector, wherever it is. */
static void verify(struct ide_channel *ch, const struct row *row)
{
	uint64_t lba;
	uint32_t n;

	if (range(ch, row->ext, &lba, &n)) {
		regs(ch)->standby = false;
		ide_complete_locked(ch);
	}
}

static void seek(struct ide_channel *ch, const struct row *row)
{
	regs(ch)->reg[IDE_NSECT][0] = 1;
	verify(ch, row);
}

static void flush(struct ide_channel *ch, const struct row *row)
{
	ch->s.cmd.lba48 = row->ext;
	ide_flush_locked(ch);
}

/* Called for what the backend says; the address is that of the request. */
void ide_ata_error_locked(struct ide_channel *ch, enum blk_status status)
{
	struct ide_command *c = &ch->s.cmd;
	struct ide_drive_state *d = regs(ch);
	bool write = ch->req.op != BLK_READ;
	uint8_t error = write ? IDE_ERR_ABRT : IDE_ERR_UNC;

	if (status == BLK_OUT_OF_RANGE) {
		error = IDE_ERR_IDNF;
	} else if (status == BLK_READ_ONLY || status == BLK_CANCELLED) {
		error = IDE_ERR_ABRT;
	}
	put_address(d, c->lba48, c->lba);
	d->reg[IDE_NSECT][0] = (uint8_t)(c->left / IDE_SECTOR);
	d->reg[IDE_NSECT][1] = (uint8_t)(c->left / IDE_SECTOR >> 8);
	ide_fail_locked(ch, error);
	if (write && (status == BLK_IO_ERROR || status == BLK_NO_SPACE)) {
		d->status |= IDE_ST_DF;
	}
}

/* --- what the disk tells --- */

static void reply_sector(struct ide_channel *ch)
{
	ide_reply_locked(ch, IDE_SECTOR, IDE_SECTOR, false);
}

static void identify(struct ide_channel *ch, const struct row *row)
{
	(void)row;
	ide_identify_disk(ch->s.buf, regs(ch), ide_blk(ch), ch->s.cmd.drive);
	reply_sector(ch);
}

static void native_max(struct ide_channel *ch, const struct row *row)
{
	struct ide_drive_state *d = regs(ch);
	uint64_t last = n_sectors(ch) - 1;

	if (!(d->device & IDE_DEV_LBA)) {
		abort_command(ch);
		return;
	}
	if (!row->ext && last >= LBA28_SECTORS) {
		last = LBA28_SECTORS - 1;
	}
	put_lba(d, row->ext, last);
	ide_complete_locked(ch);
}

static void smart_status(struct ide_channel *ch)
{
	/* These two say that no threshold was passed; turned round they would say it was. */
	regs(ch)->reg[IDE_LBAM][0] = SMART_MID;
	regs(ch)->reg[IDE_LBAH][0] = SMART_HIGH;
	ide_complete_locked(ch);
}

static void smart(struct ide_channel *ch, const struct row *row)
{
	struct ide_drive_state *d = regs(ch);
	uint8_t what = d->reg[IDE_FEATURES][0];

	(void)row;
	if (d->reg[IDE_LBAM][0] != SMART_MID || d->reg[IDE_LBAH][0] != SMART_HIGH ||
	        (!d->smart && what != SMART_ENABLE)) {
		abort_command(ch);
		return;
	}
	switch (what) {
	case SMART_READ_DATA:
		ide_smart_data(ch->s.buf);
		reply_sector(ch);
		break;
	case SMART_READ_THRESHOLDS:
		ide_smart_thresholds(ch->s.buf);
		reply_sector(ch);
		break;
	case SMART_READ_LOG:
		if (d->reg[IDE_NSECT][0] != 1 || !ide_smart_log(ch->s.buf, d->reg[IDE_LBAL][0])) {
			abort_command(ch);
			break;
		}
		reply_sector(ch);
		break;
	case SMART_ENABLE:
	case SMART_DISABLE:
		d->smart = what == SMART_ENABLE;
		ide_complete_locked(ch);
		break;
	case SMART_AUTOSAVE:
	case SMART_OFFLINE: /* a self-test is over as soon as it has begun */
		ide_complete_locked(ch);
		break;
	case SMART_RETURN_STATUS:
		smart_status(ch);
		break;
	default:
		abort_command(ch);
		break;
	}
}

/* --- settings --- */

static void set_multiple(struct ide_channel *ch, const struct row *row)
{
	uint8_t n = regs(ch)->reg[IDE_NSECT][0];

	(void)row;
	if (n > IDE_MAX_MULTIPLE || (n && !is_pow2(n))) {
		abort_command(ch);
		return;
	}
	regs(ch)->multiple = n;
	ide_complete_locked(ch);
}

/* "Set transfer mode": PIO default, PIO 0-4, multiword DMA 0-2, Ultra DMA 0-5. */
bool ide_set_mode(struct ide_drive_state *d, uint8_t mode)
{
	if (mode <= 0x01 || (mode >= 0x08 && mode <= 0x0c)) {
		return true;
	}
	if ((mode >= 0x20 && mode <= 0x22) || (mode >= 0x40 && mode <= 0x45)) {
		d->dma_mode = mode;
		return true;
	}
	return false;
}

static void set_features(struct ide_channel *ch, const struct row *row)
{
	struct ide_drive_state *d = regs(ch);
	uint8_t what = d->reg[IDE_FEATURES][0];

	(void)row;
	switch (what) {
	case FEAT_WRITE_CACHE_ON:
	case FEAT_WRITE_CACHE_OFF:
		d->write_cache = what == FEAT_WRITE_CACHE_ON;
		break;
	case FEAT_LOOK_AHEAD_ON:
	case FEAT_LOOK_AHEAD_OFF:
		d->look_ahead = what == FEAT_LOOK_AHEAD_ON;
		break;
	case FEAT_TRANSFER_MODE:
		if (!ide_set_mode(d, d->reg[IDE_NSECT][0])) {
			abort_command(ch);
			return;
		}
		break;
	case FEAT_REVERT_OFF:
	case FEAT_REVERT_ON:
		d->reverts = what == FEAT_REVERT_ON;
		break;
	default:
		abort_command(ch);
		return;
	}
	ide_complete_locked(ch);
}

static void set_translation(struct ide_channel *ch, const struct row *row)
{
	struct ide_drive_state *d = regs(ch);

	(void)row;
	if (d->reg[IDE_NSECT][0] == 0) {
		abort_command(ch);
		return;
	}
	d->spt = d->reg[IDE_NSECT][0];
	d->heads = (uint8_t)((d->device & 0x0f) + 1);
	ide_complete_locked(ch);
}

static void active(struct ide_channel *ch, const struct row *row)
{
	(void)row;
	regs(ch)->standby = false;
	ide_complete_locked(ch);
}

static void standby(struct ide_channel *ch, const struct row *row)
{
	(void)row;
	regs(ch)->standby = true;
	ide_complete_locked(ch);
}

static void check_power(struct ide_channel *ch, const struct row *row)
{
	struct ide_drive_state *d = regs(ch);

	(void)row;
	d->reg[IDE_NSECT][0] = d->standby ? POWER_STANDBY : POWER_ACTIVE;
	ide_complete_locked(ch);
}

static void recalibrate(struct ide_channel *ch, const struct row *row)
{
	(void)row;
	ide_complete_locked(ch);
}

/* What is not here is aborted: NOP (00), the features IDENTIFY does not announce, what is no
 * command. */
static const struct row commands[256] = {
        [0x10] = {.fn = recalibrate},
        [0x20] = {.fn = transfer, .phase = IDE_PIO_IN},              /* READ SECTORS */
        [0x21] = {.fn = transfer, .phase = IDE_PIO_IN},              /* without retry */
        [0x24] = {.fn = transfer, .phase = IDE_PIO_IN, .ext = true}, /* EXT */
        [0x25] = {.fn = transfer, .phase = IDE_DMA_IN, .ext = true}, /* READ DMA EXT */
        [0x27] = {.fn = native_max, .ext = true},                    /* EXT */
        [0x29] = {.fn = transfer, .phase = IDE_PIO_IN, .ext = true, .multiple = true},
        [0x30] = {.fn = transfer, .phase = IDE_PIO_OUT},              /* WRITE SECTORS */
        [0x31] = {.fn = transfer, .phase = IDE_PIO_OUT},              /* without retry */
        [0x34] = {.fn = transfer, .phase = IDE_PIO_OUT, .ext = true}, /* EXT */
        [0x35] = {.fn = transfer, .phase = IDE_DMA_OUT, .ext = true}, /* WRITE DMA EXT */
        [0x39] = {.fn = transfer, .phase = IDE_PIO_OUT, .ext = true, .multiple = true},
        [0x40] = {.fn = verify},              /* READ VERIFY */
        [0x41] = {.fn = verify},              /* without retry */
        [0x42] = {.fn = verify, .ext = true}, /* EXT */
        [0x70] = {.fn = seek},
        [0x91] = {.fn = set_translation}, /* INITIALIZE DEVICE PARAMETERS */
        [0xb0] = {.fn = smart},
        [0xc4] = {.fn = transfer, .phase = IDE_PIO_IN, .multiple = true},  /* READ MULTIPLE */
        [0xc5] = {.fn = transfer, .phase = IDE_PIO_OUT, .multiple = true}, /* WRITE MULTIPLE */
        [0xc6] = {.fn = set_multiple},
        [0xc8] = {.fn = transfer, .phase = IDE_DMA_IN},  /* READ DMA */
        [0xc9] = {.fn = transfer, .phase = IDE_DMA_IN},  /* without retry */
        [0xca] = {.fn = transfer, .phase = IDE_DMA_OUT}, /* WRITE DMA */
        [0xcb] = {.fn = transfer, .phase = IDE_DMA_OUT}, /* without retry */
        [0xe0] = {.fn = standby},                        /* STANDBY IMMEDIATE */
        [0xe1] = {.fn = active},                         /* IDLE IMMEDIATE */
        [0xe2] = {.fn = standby},                        /* STANDBY */
        [0xe3] = {.fn = active},                         /* IDLE */
        [0xe5] = {.fn = check_power},
        [0xe6] = {.fn = standby}, /* SLEEP: wakes without a reset, too */
        [0xe7] = {.fn = flush},
        [0xea] = {.fn = flush, .ext = true},
        [0xec] = {.fn = identify},
        [0xef] = {.fn = set_features},
        [0xf8] = {.fn = native_max},
};

void ide_ata_command_locked(struct ide_channel *ch, uint8_t command)
{
	const struct row *row = &commands[command];

	if (!row->fn) {
		abort_command(ch);
		return;
	}
	row->fn(ch, row);
}

void ide_ata_defaults(struct ide_drive_state *d)
{
	d->dma_mode = 0x42;
	d->multiple = 0;
	d->heads = NATIVE_HEADS;
	d->spt = NATIVE_SPT;
	d->write_cache = true;
	d->look_ahead = true;
}

/* No reset but this one changes whether SMART is on. */
void ide_ata_power_on(struct ide_drive_state *d)
{
	ide_ata_defaults(d);
	d->smart = true;
}
