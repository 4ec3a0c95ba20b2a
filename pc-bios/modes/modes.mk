# The video mode guest (pc-bios/modes/README.md).  Included by the top Makefile after lab.mk, whose
# boot sector, console and tools it uses.  Gives: MODES_IMG (floppy images, in the build folder),
# target modes, MODES_CLEAN (what `make clean` removes).
MODES_DIR := pc-bios/modes
MODES_SRC := $(SRC)/pc-bios/modes
MODES_IMG := $(MODES_DIR)/modes.img $(MODES_DIR)/echo.img
MODES_C := main board vga text graphics packed ops vbe
MODES_OBJ := $(LAB_DIR)/boot.o $(MODES_DIR)/entry.o $(MODES_C:%=$(MODES_DIR)/%.o) \
	$(LAB_DIR)/32/console.o $(LAB_DIR)/32/text.o
MODES_CLEAN := $(MODES_IMG) $(MODES_DIR)/*.o $(MODES_DIR)/*.d $(MODES_DIR)/*.elf $(MODES_DIR)/*.bin

.PHONY: modes
modes: $(MODES_IMG)

$(MODES_DIR)/%.o: $(MODES_SRC)/%.c
	@mkdir -p $(@D)
	$(call say,CC32,pc-bios/modes/$*.c)$(CC) $(LAB_CFLAGS) $(LAB_CFLAGS_32) -I$(SRC) -c -o $@ $<

$(MODES_DIR)/entry.o $(MODES_DIR)/echo.o: $(MODES_DIR)/%.o: $(MODES_SRC)/%.S
	@mkdir -p $(@D)
	$(call say,AS,pc-bios/modes/$*.S)$(CC) -m32 -march=i486 -MMD -MP -c -o $@ $<

$(MODES_DIR)/image.elf: $(MODES_OBJ) $(MODES_SRC)/image.ld
	$(call say,LD,$@)$(LAB_LD) -m elf_i386 $(LAB_LDFLAGS) -z noexecstack -T $(MODES_SRC)/image.ld -o $@ $(MODES_OBJ)

$(MODES_DIR)/modes.img: $(MODES_DIR)/image.elf
	$(call say,IMG,$@)$(LAB_OBJCOPY) -O binary -j .boot $< $(MODES_DIR)/boot.bin
	$(Q)$(LAB_OBJCOPY) -O binary -j .rest $< $(MODES_DIR)/rest.bin
	$(Q)cat $(MODES_DIR)/boot.bin $(MODES_DIR)/rest.bin > $@.tmp
	$(Q)truncate -s 1474560 $@.tmp
	$(Q)mv $@.tmp $@

$(MODES_DIR)/echo.img: $(MODES_DIR)/echo.o
	$(call say,IMG,$@)$(LAB_LD) -m elf_i386 $(LAB_LDFLAGS) -z noexecstack -Ttext 0x7c00 \
		--section-start=.boot=0x7c00 -e boot_start -o $(MODES_DIR)/echo.elf $<
	$(Q)$(LAB_OBJCOPY) -O binary -j .boot $(MODES_DIR)/echo.elf $@.tmp
	$(Q)truncate -s 1474560 $@.tmp
	$(Q)mv $@.tmp $@

-include $(wildcard $(MODES_DIR)/*.d)
