// SPDX-License-Identifier: BSD-2-Clause
// Port 0x92 and reset control: edges on their bits reset the VM.
// Specs: [PIIX4] "RC - Reset Control Register", "P92 - Port 92 Register".
#include "devices/reset_ports.h"
#include "vmm/lib/string.h"

#define P92_RESET 0x01U
#define P92_A20 0x02U
#define P92_STORED 0xfcU

#define RC_HARD 0x02U  /* SRST: hard rather than soft */
#define RC_RESET 0x04U /* RCPU: its rise is the reset */

static uint64_t p92_read(void *dev, uint64_t offset, unsigned width)
{
	struct reset_ports *r = dev;
	uint64_t value;

	(void)offset;
	(void)width;
	spin_lock(&r->lock);
	value = r->state.p92;
	spin_unlock(&r->lock);
	return value;
}

static void p92_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct reset_ports *r = dev;
	bool rise;

	(void)offset;
	(void)width;
	spin_lock(&r->lock);
	rise = !(r->state.p92 & P92_RESET) && (value & P92_RESET);
	/* A20 cannot be masked: EPT guests see all of memory, and nobody since the 386 minds. */
	r->state.p92 = (uint8_t)((value & (P92_STORED | P92_RESET)) | P92_A20);
	spin_unlock(&r->lock);
	if (rise) {
		vm_request(r->vm, VM_REQ_RESET, "port 0x92");
	}
}

static const struct io_ops p92_ops = {
        .name = "port 92",
        .read = p92_read,
        .write = p92_write,
};

static uint64_t rc_read(void *dev, uint64_t offset, unsigned width)
{
	struct reset_ports *r = dev;
	uint64_t value;

	(void)offset;
	(void)width;
	spin_lock(&r->lock);
	value = r->state.rc;
	spin_unlock(&r->lock);
	return value;
}

static void rc_write(void *dev, uint64_t offset, unsigned width, uint64_t value)
{
	struct reset_ports *r = dev;
	bool rise;

	(void)offset;
	(void)width;
	spin_lock(&r->lock);
	rise = !(r->state.rc & RC_RESET) && (value & RC_RESET);
	r->state.rc = (uint8_t)(value & (RC_HARD | RC_RESET));
	spin_unlock(&r->lock);
	/* Hard and soft alike: after either, the guest is loaded again. */
	if (rise) {
		vm_request(r->vm, VM_REQ_RESET, "port 0xcf9");
	}
}

const struct io_ops reset_control_ops = {
        .name = "reset control",
        .read = rc_read,
        .write = rc_write,
};

static const struct reset_ports_state power_on = {
        .version = RESET_PORTS_STATE_VERSION,
        .p92 = P92_A20,
};

void reset_ports_init(struct reset_ports *r)
{
	memset(r, 0, sizeof(*r));
	r->state = power_on;
}

int reset_ports_attach(struct reset_ports *r, struct vm *vm, uint16_t p92)
{
	r->vm = vm;
	r->p92 = (struct io_range){
	        .base = p92, .len = 1, .ops = &p92_ops, .dev = r, .kind = IO_FIXED};
	return io_bus_add(&vm->pio, &r->p92);
}

void reset_ports_reset(struct reset_ports *r)
{
	spin_lock(&r->lock);
	r->state = power_on;
	spin_unlock(&r->lock);
}

void reset_ports_dump(const struct reset_ports *r, struct out *out)
{
	out_print(out, "port 92 %02x, reset control %02x\n", r->state.p92, r->state.rc);
}
