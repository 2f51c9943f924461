# The DSDT and an SSDT, from ASL to C arrays that acpi_build.c includes.

# Guests know the VMBus by a name that is none in ACPI's sense, and want an empty list there.
IASL_ssdt_vmbus := -vw 6033 -vw 3150

$(B)/gen/%.asl: devices/%.asl devices/platform_map.h
	@mkdir -p $(@D)
	$(CC) -E -P -x c -I. -o $@ $<

$(B)/gen/%.aml: $(B)/gen/%.asl
	iasl -we -vs $(IASL_$*) -p $(basename $@) $< > $(basename $@).log || { cat $(basename $@).log; rm -f $@; false; }

$(B)/gen/%_aml.h: $(B)/gen/%.aml
	od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' > $@

$(B)/core/devices/acpi_build.o $(B)/hosted/devices/acpi_build.o: $(B)/gen/dsdt_aml.h $(B)/gen/ssdt_vmbus_aml.h
