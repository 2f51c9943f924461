// SPDX-License-Identifier: BSD-2-Clause
// The storage protocol: what each packet of the guest asks of the SCSI controller, and its answer.
// Specs: Linux drivers/scsi/storvsc_drv.c.
#include "vmbus/storvsp_priv.h"
#include "vmm/lib/bits.h"
#include "vmm/lib/string.h"

static void answer(struct storvsp_slot *slot, uint32_t status)
{
	slot->packet.operation = VSTOR_COMPLETE_IO;
	slot->packet.flags = 0;
	slot->packet.status = status;
	if (status != VSTOR_SUCCESS) {
		storvsp_count(&slot->sc->s->stats.refused);
	}
	storvsp_finish(slot, false);
}

static void srb_done(struct scsi_req *req)
{
	struct storvsp_slot *slot = container_of(req, struct storvsp_slot, scsi);
	struct vstor_srb *srb = &slot->packet.srb;

	slot->packet.operation = VSTOR_COMPLETE_IO;
	slot->packet.flags = 0;
	slot->packet.status = VSTOR_SUCCESS;
	srb->srb_status = SRB_SUCCESS;
	srb->scsi_status = (uint8_t)req->status;
	srb->data_len = req->moved;
	srb->sense_len = req->sense_len;
	if (req->status == SCSI_CHECK_CONDITION) {
		srb->srb_status = SRB_AUTOSENSE | (req->no_lun ? SRB_INVALID_LUN : SRB_ERROR);
		memset(srb->cdb, 0, sizeof(srb->cdb));
		memcpy(srb->cdb, req->sense, req->sense_len);
	}
	storvsp_finish(slot, true);
}

static void srb_refuse(struct storvsp_slot *slot)
{
	struct vstor_srb *srb = &slot->packet.srb;

	srb->srb_status = SRB_INVALID_REQUEST;
	srb->scsi_status = 0;
	srb->data_len = 0;
	srb->sense_len = 0;
	storvsp_count(&slot->sc->s->stats.refused);
	answer(slot, VSTOR_SUCCESS);
}

/* Segments of the data that the packet names; false = they make no sense. */
static bool map_data(struct storvsp_slot *slot, const struct vmbus_packet *packet)
{
	struct scsi_req *req = &slot->scsi;
	int n;

	if (packet->type != RING_PACKET_GPA_DIRECT) {
		return true;
	}
	n = channel_segs(&slot->sc->ch, packet, slot->segs, STORVSP_MAX_SEGS);
	if (n < 0) {
		return false;
	}
	req->data_len = packet->ranges_len;
	if (req->data_len > slot->packet.srb.data_len) {
		req->data_len = slot->packet.srb.data_len;
	}
	req->n_segs = io_segs_trim(slot->segs, (unsigned)n, req->data_len);
	return true;
}

static void execute_srb(struct storvsp_slot *slot, const struct vmbus_packet *packet)
{
	struct storvsp *s = slot->sc->s;
	const struct vstor_srb *srb = &slot->packet.srb;
	const uint32_t present = __atomic_load_n(&s->present, __ATOMIC_ACQUIRE);
	/* Linux says path 0 of an IDE disk on any channel. */
	const bool here = (s->ide || srb->path == 0) && srb->target == s->target;
	struct scsi_lun *lun = NULL;

	slot->scsi = (struct scsi_req){
	        .segs = slot->segs,
	        .max_segs = STORVSP_MAX_SEGS,
	        .buf = slot->buf,
	        .luns = here ? present : 0,
	        .done = srb_done,
	};
	if (srb->cdb_len > VSTOR_CDB_LEN || !map_data(slot, packet)) {
		srb_refuse(slot);
		return;
	}
	slot->scsi.cdb_len = srb->cdb_len;
	memcpy(slot->scsi.cdb, srb->cdb, srb->cdb_len);
	if (here && srb->lun < s->n_luns && (present & BIT(srb->lun))) {
		lun = &s->luns[srb->lun];
	}
	spin_lock(&s->lock);
	slot->sc->executing++;
	spin_unlock(&s->lock);
	scsi_execute(lun, &slot->scsi);
}

static bool version_is_known(uint16_t version)
{
	/* Windows Server 2008, 2008 R2, 8, 8.1, 10. */
	static const uint16_t known[] = {0x0200, 0x0402, 0x0501, 0x0600, 0x0602};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (version == known[i]) {
			return true;
		}
	}
	return false;
}

static void put_properties(const struct storvsp *s, struct vstor_packet *p)
{
	memset(p->bytes, 0, sizeof(p->bytes));
	p->properties.max_sub_channels = (uint16_t)s->max_sub;
	p->properties.flags = s->max_sub > 0 ? VSTOR_MULTI_CHANNEL : 0;
	p->properties.max_transfer = SCSI_MAX_TRANSFER;
}

/* No number can be answered. Who is promised several takes those that are offered; who gets none
 * must hear it. */
static uint32_t create_sub_channels(struct storvsp *s, unsigned n)
{
	unsigned added = 0;

	if (n > s->max_sub) {
		return VSTOR_INVALID_PARAMETER;
	}
	while (added < n && channel_add_sub(&s->channels[0].ch, &s->channels[1 + added].ch)) {
		added++;
	}
	return added == 0 && n > 0 ? VSTOR_NO_RESOURCES : VSTOR_SUCCESS;
}

/* A step of the handshake, on the primary channel; its status. */
static uint32_t negotiate(struct storvsp *s, struct vstor_packet *p)
{
	switch (p->operation) {
	case VSTOR_BEGIN_INITIALIZATION:
		/* A new driver finds the units as at power-on, and looks for them by itself. */
		for (unsigned i = 0; i < s->n_luns; i++) {
			scsi_lun_reset(&s->luns[i]);
		}
		__atomic_store_n(&s->announce, 0, __ATOMIC_RELAXED);
		storvsp_set_state(s, STORVSP_BEGUN);
		return VSTOR_SUCCESS;
	case VSTOR_QUERY_PROTOCOL_VERSION:
		if (storvsp_state(s) != STORVSP_BEGUN && storvsp_state(s) != STORVSP_VERSION) {
			return VSTOR_INVALID_STATE;
		}
		if (!version_is_known(p->version)) {
			return VSTOR_REVISION_MISMATCH;
		}
		s->version = p->version;
		storvsp_set_state(s, STORVSP_VERSION);
		return VSTOR_SUCCESS;
	case VSTOR_QUERY_PROPERTIES:
		if (storvsp_state(s) < STORVSP_VERSION) {
			return VSTOR_INVALID_STATE;
		}
		put_properties(s, p);
		return VSTOR_SUCCESS;
	case VSTOR_END_INITIALIZATION:
		if (storvsp_state(s) < STORVSP_VERSION) {
			return VSTOR_INVALID_STATE;
		}
		storvsp_set_state(s, STORVSP_READY);
		return VSTOR_SUCCESS;
	case VSTOR_CREATE_SUB_CHANNELS:
		/* Windows asks before the end of the handshake, Linux after it. */
		if (storvsp_state(s) < STORVSP_VERSION) {
			return VSTOR_INVALID_STATE;
		}
		return create_sub_channels(s, p->sub_channels);
	default:
		return VSTOR_INVALID_PARAMETER;
	}
}

/* The answer to a reset comes after those of what this channel asked before. */
static void reset(struct storvsp_slot *slot)
{
	struct storvsp_channel *sc = slot->sc;
	bool now;

	slot->packet.operation = VSTOR_COMPLETE_IO;
	slot->packet.flags = 0;
	slot->packet.status = VSTOR_SUCCESS;
	spin_lock(&sc->s->lock);
	now = sc->executing == 0;
	if (!now) {
		sc->barrier = slot;
	}
	spin_unlock(&sc->s->lock);
	if (now) {
		storvsp_finish(slot, false);
	}
}

void storvsp_handle(struct storvsp_slot *slot, const struct vmbus_packet *packet)
{
	struct storvsp_channel *sc = slot->sc;
	struct vstor_packet *p = &slot->packet;
	uint32_t len = packet->payload_len < sizeof(*p) ? packet->payload_len : sizeof(*p);

	memset(p, 0, sizeof(*p));
	memcpy(p, packet->payload, len);
	if (len < VSTOR_PACKET_MIN ||
	        (packet->type != RING_PACKET_INBAND && packet->type != RING_PACKET_GPA_DIRECT)) {
		answer(slot, VSTOR_INVALID_PARAMETER);
		return;
	}
	switch (p->operation) {
	case VSTOR_EXECUTE_SRB:
		if (storvsp_state(sc->s) == STORVSP_READY) {
			execute_srb(slot, packet);
		} else {
			answer(slot, VSTOR_INVALID_STATE);
		}
		break;
	case VSTOR_RESET_LUN:
	case VSTOR_RESET_ADAPTER:
	case VSTOR_RESET_BUS:
		reset(slot);
		break;
	default:
		answer(slot,
		        storvsp_is_primary(sc) ? negotiate(sc->s, p) : VSTOR_INVALID_PARAMETER);
	}
}
