# Option ROMs (pc-bios/optionrom/README.md). Included by the top Makefile, which sets SRC (top
# source folder), CC, WARN_FLAGS, and `say` and Q, which keep commands quiet without V=1. Gives:
# OPTIONROMS (the images, in the build folder), target optionrom, OPTIONROM_CLEAN (what `make
# clean` removes).
OPTIONROM_DIR := pc-bios/optionrom
OPTIONROMS := $(addprefix $(OPTIONROM_DIR)/,linuxboot.bin multiboot.bin netboot.bin)
OPTIONROM_CLEAN := $(OPTIONROM_DIR)/*.bin $(OPTIONROM_DIR)/*.o $(OPTIONROM_DIR)/*.elf \
	$(OPTIONROM_DIR)/*.raw $(OPTIONROM_DIR)/romsum
OPTIONROM_LD ?= ld
OPTIONROM_OBJCOPY ?= objcopy

.PHONY: optionrom
optionrom: $(OPTIONROMS)

$(OPTIONROM_DIR)/romsum: $(SRC)/pc-bios/optionrom/romsum.c
	@mkdir -p $(@D)
	$(call say,CC,pc-bios/optionrom/romsum.c)$(CC) -std=gnu11 -O1 $(WARN_FLAGS) -o $@ $<

$(OPTIONROM_DIR)/%.o: $(SRC)/pc-bios/optionrom/%.S $(SRC)/pc-bios/optionrom/common.inc
	@mkdir -p $(@D)
	$(call say,AS,pc-bios/optionrom/$*.S)$(CC) -m32 -march=i486 -x assembler-with-cpp \
		-I$(SRC)/pc-bios/optionrom -c -o $@ $<

$(OPTIONROM_DIR)/%.elf: $(OPTIONROM_DIR)/%.o $(SRC)/pc-bios/optionrom/rom.ld
	$(call say,LD,$@)$(OPTIONROM_LD) -m elf_i386 --build-id=none -T $(SRC)/pc-bios/optionrom/rom.ld -o $@ $<

$(OPTIONROM_DIR)/%.bin: $(OPTIONROM_DIR)/%.elf $(OPTIONROM_DIR)/romsum
	$(Q)$(OPTIONROM_OBJCOPY) -O binary -j .text $< $(@:.bin=.raw)
	$(Q)$(OPTIONROM_DIR)/romsum $(@:.bin=.raw) $@

$(OPTIONROM_DIR)/netboot.o: $(SRC)/pc-bios/optionrom/linuxboot.S

# Make would delete these, and say so.
.SECONDARY: $(OPTIONROMS:.bin=.o) $(OPTIONROMS:.bin=.elf)
