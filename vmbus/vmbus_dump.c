// SPDX-License-Identifier: BSD-2-Clause
// The bus for the monitor: its channels as lsvmbus lists them, with rings and counters.
// Specs: docs/monitor.md "vmbus".
#include "vmbus/channel_run.h"
#include "vmbus/vmbus.h"
#include "vmm/lib/fmt.h"
#include "vmm/vm.h"

static const char *const state_names[] = {
        [CHANNEL_ABSENT] = "absent",
        [CHANNEL_HIDDEN] = "not offered yet",
        [CHANNEL_OFFERED] = "offered",
        [CHANNEL_OPEN] = "open",
        [CHANNEL_RESCINDED] = "taken away",
};

/* What is printed of a channel, taken with its locks held; printing may take its time. */
struct look {
	enum vmbus_channel_state state;
	bool broken;
	uint32_t vp;
	struct ring in, out;
	uint32_t in_fill, out_fill;
	struct vmbus_channel_stats stats;
};

static unsigned long long llu(uint64_t v)
{
	return v;
}

/* NULL = nothing there. */
static struct vmbus_channel *look_at(struct vmbus *bus, unsigned i, struct look *l)
{
	struct vmbus_channel *ch;

	spin_lock(&bus->lock);
	ch = __atomic_load_n(&bus->channels[i], __ATOMIC_ACQUIRE);
	if (!ch || ch->relid != i + 1) {
		spin_unlock(&bus->lock);
		return NULL;
	}
	l->state = vmbus_server_state(&bus->server, ch);
	spin_lock(&ch->lock);
	l->broken = ch->broken;
	l->vp = ch->target_vp;
	l->stats = ch->stats;
	if (ch->is_open) {
		l->in = ch->in;
		l->out = ch->out;
		l->in_fill = ring_fill(&ch->in, true);
		l->out_fill = ring_fill(&ch->out, false);
	} else if (l->state == CHANNEL_OPEN) {
		l->state = CHANNEL_OFFERED;
	}
	channel_unlock(ch);
	spin_unlock(&bus->lock);
	return ch;
}

static void print_rings(struct out *out, const struct look *l)
{
	const struct vmbus_channel_stats *s = &l->stats;
	char vp[24] = "no interrupts";

	if (l->vp != VMBUS_NO_VP) {
		fmt_print(vp, sizeof(vp), "VP %u", l->vp);
	}
	out_print(out, "    in  %u KiB at %#x, %u bytes wait%s: %llu packets, %llu bytes\n",
	        l->in.size >> 10, l->in.own, l->in_fill, l->in.masked ? ", masked" : "",
	        llu(s->packets_in), llu(s->bytes_in));
	out_print(out, "        %llu signals, %llu drains, %llu rounds of work\n",
	        llu(s->signals_in), llu(s->drains), llu(s->rounds));
	out_print(out, "    out %u KiB at %#x, %u bytes wait%s: %llu packets, %llu bytes\n",
	        l->out.size >> 10, l->out.own, l->out_fill, l->out.wanted ? ", room is wanted" : "",
	        llu(s->packets_out), llu(s->bytes_out));
	out_print(out, "        %s, %llu interrupts, %llu times full\n", vp, llu(s->signals_out),
	        llu(s->full));
}

/* A device's lines, below those of its channel. */
struct indented {
	struct out out;
	struct out *to;
};

static void write_indented(struct out *out, const char *text, size_t n)
{
	struct out *to = container_of(out, struct indented, out)->to;

	while (n != 0) {
		size_t line = 1;

		while (line < n && text[line - 1] != '\n') {
			line++;
		}
		to->write(to, "    ", 4);
		to->write(to, text, line);
		text += line;
		n -= line;
	}
}

static void print_channel(struct out *out, struct vmbus_channel *ch, const struct look *l)
{
	char sub[16] = "";

	if (ch->offer.sub_index != 0) {
		fmt_print(sub, sizeof(sub), " (%u)", ch->offer.sub_index);
	}
	out_print(out, "%2u: %s%s: %s%s\n", ch->relid, ch->offer.name, sub, state_names[l->state],
	        l->broken ? ", its ring makes no sense" : "");
	if (l->state == CHANNEL_OPEN) {
		print_rings(out, l);
	}
	if (ch->ops->dump && ch->offer.sub_index == 0) {
		struct indented below = {.out.write = write_indented, .to = out};

		ch->ops->dump(ch, &below.out);
	}
}

void vmbus_dump(struct vmbus *bus, struct out *out)
{
	uint32_t version = vmbus_server_version(&bus->server);

	if (version == 0) {
		out_print(out, "not connected\n");
	} else {
		out_print(out, "version %u.%u, messages to VP %u\n", version >> 16,
		        version & 0xffff, bus->server.vp);
	}
	for (unsigned i = 0; i < VMBUS_MAX_CHANNELS; i++) {
		struct look l = {.state = CHANNEL_ABSENT};
		struct vmbus_channel *ch = look_at(bus, i, &l);

		if (ch) {
			print_channel(out, ch, &l);
		}
	}
}
