# The DSDT, from ASL to a C array that acpi_build.c includes.

$(B)/gen/dsdt.asl: devices/dsdt.asl devices/platform_map.h
	@mkdir -p $(@D)
	$(CC) -E -P -x c -I. -o $@ $<

$(B)/gen/dsdt.aml: $(B)/gen/dsdt.asl
	iasl -we -vs -p $(basename $@) $< > $(basename $@).log || { cat $(basename $@).log; rm -f $@; false; }

$(B)/gen/dsdt_aml.h: $(B)/gen/dsdt.aml
	od -An -v -tx1 $< | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' > $@

$(B)/core/devices/acpi_build.o $(B)/hosted/devices/acpi_build.o: $(B)/gen/dsdt_aml.h
