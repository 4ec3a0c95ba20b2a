# Candela's lab guest (pc-bios/lab/README.md). Included by the top Makefile, which sets SRC (top
# source folder), CC, WARN_FLAGS, and `say` and Q, which keep commands quiet without V=1. Gives:
# LAB_IMG (the floppy image, in the build folder), target lab, LAB_CLEAN (what `make clean`
# removes).
LAB_DIR := pc-bios/lab
LAB_SRC := $(SRC)/pc-bios/lab
LAB_IMG := $(LAB_DIR)/lab.img
LAB_C := main text console cpu pci acpi irq apic timers disk bench report screen power
LAB_LD ?= ld
LAB_OBJCOPY ?= objcopy

# A freestanding program: no C library, no start-up files, no SIMD or x87 registers (nobody set
# those units up).
LAB_CFLAGS := -std=gnu11 -Os $(WARN_FLAGS) -ffreestanding -nostdlib -fno-pic -fno-pie \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fno-strict-aliasing \
	-fcf-protection=none -mgeneral-regs-only -MMD -MP
LAB_LDFLAGS := --build-id=none --no-warn-rwx-segments
LAB_CFLAGS_32 := -m32 -march=i486
LAB_CFLAGS_64 := -m64 -march=x86-64 -mno-red-zone
LAB_OBJ_32 := $(LAB_DIR)/32/start.o $(LAB_C:%=$(LAB_DIR)/32/%.o)
LAB_OBJ_64 := $(LAB_DIR)/64/start.o $(LAB_C:%=$(LAB_DIR)/64/%.o)
LAB_OBJ_BOOT := $(LAB_DIR)/boot.o $(LAB_DIR)/entry.o $(LAB_DIR)/long.o
LAB_CLEAN := $(LAB_IMG) $(LAB_DIR)/*.o $(LAB_DIR)/*.d $(LAB_DIR)/*.elf $(LAB_DIR)/*.bin \
	$(LAB_DIR)/*/*.o $(LAB_DIR)/*/*.d

.PHONY: lab
lab: $(LAB_IMG)

$(LAB_DIR)/32/%.o: $(LAB_SRC)/%.c
	@mkdir -p $(@D)
	$(call say,CC32,pc-bios/lab/$*.c)$(CC) $(LAB_CFLAGS) $(LAB_CFLAGS_32) -c -o $@ $<

$(LAB_DIR)/32/%.o: $(LAB_SRC)/%.S
	@mkdir -p $(@D)
	$(call say,AS32,pc-bios/lab/$*.S)$(CC) $(LAB_CFLAGS) $(LAB_CFLAGS_32) -c -o $@ $<

$(LAB_DIR)/64/%.o: $(LAB_SRC)/%.c
	@mkdir -p $(@D)
	$(call say,CC64,pc-bios/lab/$*.c)$(CC) $(LAB_CFLAGS) $(LAB_CFLAGS_64) -c -o $@ $<

$(LAB_DIR)/64/%.o: $(LAB_SRC)/%.S
	@mkdir -p $(@D)
	$(call say,AS64,pc-bios/lab/$*.S)$(CC) $(LAB_CFLAGS) $(LAB_CFLAGS_64) -c -o $@ $<

$(LAB_DIR)/lab32.elf: $(LAB_OBJ_32) $(LAB_SRC)/lab32.ld
	$(call say,LD,$@)$(LAB_LD) -m elf_i386 $(LAB_LDFLAGS) -T $(LAB_SRC)/lab32.ld -o $@ $(LAB_OBJ_32)

$(LAB_DIR)/lab64.elf: $(LAB_OBJ_64) $(LAB_SRC)/lab64.ld
	$(call say,LD,$@)$(LAB_LD) -m elf_x86_64 $(LAB_LDFLAGS) -T $(LAB_SRC)/lab64.ld -o $@ $(LAB_OBJ_64)

$(LAB_DIR)/%.bin: $(LAB_DIR)/%.elf
	$(Q)$(LAB_OBJCOPY) -O binary -j .text $< $@

$(LAB_OBJ_BOOT): $(LAB_DIR)/%.o: $(LAB_SRC)/%.S
	@mkdir -p $(@D)
	$(call say,AS,pc-bios/lab/$*.S)$(CC) -m32 -march=i486 -MMD -MP -Wa,-I$(LAB_DIR) -c -o $@ $<

# long.S takes the two programs in with .incbin.
$(LAB_DIR)/long.o: $(LAB_DIR)/lab32.bin $(LAB_DIR)/lab64.bin

$(LAB_DIR)/image.elf: $(LAB_OBJ_BOOT) $(LAB_SRC)/image.ld
	$(call say,LD,$@)$(LAB_LD) -m elf_i386 $(LAB_LDFLAGS) -T $(LAB_SRC)/image.ld -o $@ $(LAB_OBJ_BOOT)

# Boot sector, then the rest, padded to a 1.44 MB floppy.
$(LAB_IMG): $(LAB_DIR)/image.elf
	$(call say,IMG,$@)$(LAB_OBJCOPY) -O binary -j .boot $< $(LAB_DIR)/boot.bin
	$(Q)$(LAB_OBJCOPY) -O binary -j .rest $< $(LAB_DIR)/rest.bin
	$(Q)cat $(LAB_DIR)/boot.bin $(LAB_DIR)/rest.bin > $@.tmp
	$(Q)truncate -s 1474560 $@.tmp
	$(Q)mv $@.tmp $@

-include $(wildcard $(LAB_DIR)/*.d $(LAB_DIR)/32/*.d $(LAB_DIR)/64/*.d)
