/*
 * struct cpu: the state of one x86 processor, the one format whichever engine runs, and the calls
 * that work on it.
 *
 * Follows: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM) volumes 1-3.
 *
 * Not modelled: SMM, VMX/SVM, performance counters, machine-check banks (MCA reads as no bank),
 * MPX, protection keys.
 *
 * Where the state stands while guest code runs (see also insn.h):
 *  - c->r[] are the general registers; r[R_ZERO] is always 0; r[R_BASE] is the IP (offset in CS) of
 * the first instruction of the block being executed.
 *  - Architectural IP of instruction i is r[R_BASE] + i->ofs (cut to the code size).  c->ip is
 * valid only outside blocks: before a block is entered and after the run loop got control back.
 *  - OF SF ZF AF PF CF live in c->fl in the layout of "lahf; seto %al": bit 0 OF, bits 15..8 SF ZF
 * 0 AF 0 PF 1 CF. All other flags live in c->eflags (the six arithmetic bits and bit 1 there are
 * unused).
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "hw/core/machine.h"
#include <setjmp.h>

enum {
    R_RAX,
    R_RCX,
    R_RDX,
    R_RBX,
    R_RSP,
    R_RBP,
    R_RSI,
    R_RDI,
    R_R8,
    R_R15 = 15,
    R_ZERO = 16,
    R_BASE = 17,
    R_COUNT
};
enum { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* Exception vectors (SDM vol. 3, table 6-1). */
enum {
    EXCP_DE = 0,
    EXCP_DB = 1,
    EXCP_NMI = 2,
    EXCP_BP = 3,
    EXCP_OF = 4,
    EXCP_BR = 5,
    EXCP_UD = 6,
    EXCP_NM = 7,
    EXCP_DF = 8,
    EXCP_TS = 10,
    EXCP_NP = 11,
    EXCP_SS = 12,
    EXCP_GP = 13,
    EXCP_PF = 14,
    EXCP_MF = 16,
    EXCP_AC = 17,
    EXCP_MC = 18,
    EXCP_XM = 19,
};

/* EFLAGS */
enum {
    FLAG_CF = BIT(0),
    FLAG_1 = BIT(1),
    FLAG_PF = BIT(2),
    FLAG_AF = BIT(4),
    FLAG_ZF = BIT(6),
    FLAG_SF = BIT(7),
    FLAG_TF = BIT(8),
    FLAG_IF = BIT(9),
    FLAG_DF = BIT(10),
    FLAG_OF = BIT(11),
    FLAG_IOPL = 3 << 12,
    FLAG_NT = BIT(14),
    FLAG_RF = BIT(16),
    FLAG_VM = BIT(17),
    FLAG_AC = BIT(18),
    FLAG_VIF = BIT(19),
    FLAG_VIP = BIT(20),
    FLAG_ID = BIT(21),
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF,
};
/* The same six in c->fl. */
enum {
    FL_OF = 0x0001,
    FL_CF = 0x0100,
    FL_PF = 0x0400,
    FL_AF = 0x1000,
    FL_ZF = 0x4000,
    FL_SF = 0x8000,
    FL_1 = 0x0200
};

enum {
    CR0_PE = BIT(0),
    CR0_MP = BIT(1),
    CR0_EM = BIT(2),
    CR0_TS = BIT(3),
    CR0_ET = BIT(4),
    CR0_NE = BIT(5),
    CR0_WP = BIT(16),
    CR0_AM = BIT(18),
    CR0_NW = BIT(29),
    CR0_CD = BIT(30),
};
#define CR0_PG BIT(31)
enum {
    CR4_VME = BIT(0),
    CR4_PVI = BIT(1),
    CR4_TSD = BIT(2),
    CR4_DE = BIT(3),
    CR4_PSE = BIT(4),
    CR4_PAE = BIT(5),
    CR4_MCE = BIT(6),
    CR4_PGE = BIT(7),
    CR4_PCE = BIT(8),
    CR4_OSFXSR = BIT(9),
    CR4_OSXMMEXCPT = BIT(10),
    CR4_UMIP = BIT(11),
    CR4_FSGSBASE = BIT(16),
    CR4_PCIDE = BIT(17),
    CR4_OSXSAVE = BIT(18),
    CR4_SMEP = BIT(20),
    CR4_SMAP = BIT(21),
};
enum { EFER_SCE = BIT(0), EFER_LME = BIT(8), EFER_LMA = BIT(10), EFER_NXE = BIT(11) };

/* Segment attributes: bits 8..23 of a descriptor's second dword, moved down by 8 (limit bits 16-19
 * left zero). */
enum {
    SEG_TYPE = 15,
    SEG_A = BIT(0),
    SEG_W = BIT(1) /* data: writable; code: readable */,
    SEG_E = BIT(2) /* data: expand-down; code: conforming */,
    SEG_CODE = BIT(3),
    SEG_S = BIT(4),
    SEG_DPL = 3 << 5,
    SEG_P = BIT(7),
    SEG_AVL = BIT(12),
    SEG_L = BIT(13),
    SEG_DB = BIT(14),
    SEG_G = BIT(15),
};
#define SEG_DPL_SHIFT 5

struct seg {
    uint16_t sel;
    uint16_t attr;  /* SEG_*; P clear: unusable (null) */
    uint32_t limit; /* last byte's offset, granularity applied */
    uint64_t base;
};

struct dtable { /* GDTR, IDTR */
    uint64_t base;
    uint16_t limit;
};

enum feature {
    FEAT_NONE,
#define FEAT(id, name, leaf, sub, reg, bit) FEAT_##id,
#include "cpu/features.inc"
#undef FEAT
    FEAT_COUNT
};

/*
 * Execution mode: everything decoding depends on.  Part of the key of a decoded block.  Kept in
 * c->mode by cpu_update_mode, which everybody calls who changes CR0, CR4, EFER, XCR0, EFLAGS.VM or
 * a segment register.
 */
enum {
    MODE_CODE16 = 0,
    MODE_CODE32 = 1,
    MODE_CODE64 = 2,
    MODE_CODE = 3,         /* default operand/address size */
    MODE_STACK32 = BIT(2), /* SS.B: stack pointer is ESP (64-bit code always uses RSP) */
    MODE_FLAT =
        BIT(3), /* DS, ES, SS: base 0, limit 4 GiB - 1, writable, expand-up: no checks needed */
    MODE_CS_FLAT = BIT(4), /* CS: base 0, limit 4 GiB - 1 (or 64-bit code) */
    MODE_PE = BIT(5),      /* protected mode */
    MODE_V86 = BIT(6),
    MODE_FPU_NM = BIT(7),  /* x87 instructions raise #NM (CR0.EM or TS) */
    MODE_SSE_UD = BIT(8),  /* SSE raises #UD (CR0.EM, CR4.OSFXSR clear) */
    MODE_SSE_NM = BIT(9),  /* SSE raises #NM (CR0.TS) */
    MODE_AVX_UD = BIT(10), /* VEX-coded instructions raise #UD (OSXSAVE, XCR0, real or V86 mode) */
    MODE_FPU_CHECK =
        BIT(11), /* FCW unmasks an exception or one is pending: x87 rows take the checked path */
    MODE_SSE_CHECK = BIT(12), /* MXCSR unmasks an exception: SSE FP rows take the checked path */
    MODE_USER = BIT(13), /* CPL 3: in the key so that user jumps never find kernel translations */
    MODE_VIEW = BIT(14), /* memory is reached by a view (view.h) */
    MODE_BITS = 15,
    KEY_GEN_SHIFT = 16, /* of the keys of code: mode below, generation above */
};

/* The software TLB.  Three classes so that a change of CPL or AC only moves a pointer. */
enum tlb_class {
    TLB_KERNEL,
    TLB_KERNEL_AC /* SMAP off or EFLAGS.AC set */,
    TLB_USER,
    TLB_CLASSES,
    TLB_CHECKED = TLB_CLASSES, /* in force while accesses need a look each (#AC, data breakpoints):
                                  never filled */
};
enum { TLB_BITS = 12, TLB_SIZE = 1 << TLB_BITS, ITLB_SIZE = 256 };
/* And slots for what had to make room there (tlb_other). */
enum { TLB_OTHERS = 512, TLB_SLOTS = TLB_SIZE + TLB_OTHERS };

/*
 * A data TLB entry.  An access of n bytes at la hits when la - tag <= 4096 - n (unsigned), with
 * tag_r or tag_w the linear address of the page.  The write tag is absent where stores need the
 * slow path: read-only, not dirty, code pages, clean pages under dirty logging, device memory.
 * Absent: TLB_NO_TAG(slot), which no address can match.
 */
struct tlb_entry {
    uint64_t tag_r, tag_w;
    uint64_t addend; /* host address = la + addend */
    uint64_t pa;     /* physical page address | TLB_GLOBAL */
};
#define TLB_NO_TAG(slot) (0x8000000000000000ull | ((uint64_t)((slot) ^ 1) << PAGE_SHIFT))
enum {
    TLB_GLOBAL = 1,
    TLB_WRITABLE = 2, /* stores are permitted and D is set, whether or not the write tag is there */
    TLB_LARGE = 4,    /* part of a page larger than 4 KiB */
};

struct itlb_entry {
    uint64_t tag;  /* linear page address | 1 | 2 for CPL 3; bit 0 clear: empty */
    uint64_t pa;   /* physical page address */
    uint8_t *host; /* host address of the page, or NULL (code in device memory) */
    struct ram *ram;
    uint64_t ram_page;
    bool global;
};

/* The slot that a page has of its own. */
static inline unsigned tlb_own(uint64_t la)
{
    return la >> PAGE_SHIFT & (TLB_SIZE - 1);
}

struct tlb {
    struct tlb_entry e[TLB_SLOTS];
    uint16_t filled[2][TLB_SLOTS]; /* slots in use (0: not global, 1: global), so that a flush costs
                                     what was filled */
    unsigned nfilled[2];
    uint8_t in_list[TLB_SLOTS]; /* bit n: in filled[n] */
};

/* The x87/SSE register file.  Guest values; when they live in host registers meanwhile is
 * cpu/native.c's business. */
struct fpu {
    uint8_t fxsave[512]
        __attribute__((aligned(64))); /* FXSAVE64 image: x87 part authoritative here unless live */
    uint8_t ymm[16][32] __attribute__((aligned(64))); /* authoritative XMM/YMM registers */
    uint32_t mxcsr;
    uint64_t xcr0;
    bool x87_live; /* the x87 registers stand in the host's own (only on the vCPU thread inside run)
                    */
    bool sse_live; /* the guest's MXCSR is loaded */
    /* Last non-control x87 instruction */
    uint16_t fop, fcs, fds;
    uint64_t fip, fdp;
    bool ferr; /* FERR# output: exception pending with CR0.NE = 0 */
};

struct insn;
struct cpu;
struct decoder;

/* What an instruction reaches that lies outside of the CPU and RAM, and so cannot be taken back. */
enum cpu_outside {
    OUTSIDE_DEVICE, /* memory that is not plain RAM */
    OUTSIDE_PORT,
    OUTSIDE_APIC, /* the local APIC by registers */
    OUTSIDE_TIME,
    OUTSIDE_RANDOM,
    OUTSIDE_FERR,
    OUTSIDE_TLB,    /* a flush */
    OUTSIDE_FAULT,  /* the same by a page fault, where code was fetched from that page */
    OUTSIDE_FETCH,  /* the rest are the engine's: an instruction that is in no block */
    OUTSIDE_RAISED, /* an exception, whose delivery would not stop */
    OUTSIDE_KVM,    /* what is not compared with KVM */
    OUTSIDE_PAGES,  /* more pages than it keeps copies of */
    OUTSIDE_COUNT
};
/*
 * For an engine that runs instructions and may take them back (accel/check.c); c->watch is NULL
 * with all others.  While there is one, a TLB entry gets its write tag only for a store.
 */
struct cpu_watch {
    /* A page of RAM is about to be stored to; not told again while a write tag for it is there. */
    void (*store)(struct cpu *c, struct ram *ram, uint64_t page);
    /* A walk has set accessed or dirty bits in an entry of a page table (told by `store` too). */
    void (*marked)(struct cpu *c, void *host, uint64_t old, uint64_t val, unsigned width);
    /* `size` bytes of a data or instruction TLB entry are about to change. */
    void (*tlb)(struct cpu *c, void *entry, size_t size);
    /* About to do what cannot be taken back.  Need not return. */
    void (*outside)(struct cpu *c, enum cpu_outside what);
};
typedef void op_fn(struct cpu *c, const struct insn *i);

enum { JCACHE_SIZE = 1 << 15 };
/* Where an indirect branch finds its target: valid when address and one of the keys match. */
struct jcache_entry {
    uint64_t at;  /* the target: IP | CS base << 32, since compiled code is for one IP */
    uint64_t key; /* c->jkey or, where the page is a global one, c->gkey at fill */
    const struct insn *first;
    const void *code; /* compiled code of the block, or what leads from there to `first` */
};

enum cpu_begun { CPU_BEGUN_NOTHING, CPU_BEGUN_INTERRUPT, CPU_BEGUN_FAULT, CPU_BEGUN_FAULT_ERROR };

/* What compiled code looks at before it jumps across pages, at one go: a generation, as much of it
 * as fits, and whether there were requests since it looked at them last (vcpu.look). */
struct cpu_due {
    uint32_t gen;
    _Atomic bool look;
};
enum { CPU_DUE_GEN = INT32_MAX };

struct cpu {
    /* hot */
    uint64_t r[R_COUNT];
    uint16_t fl;
    uint16_t mode;
    uint32_t eflags;       /* all but the arithmetic bits */
    struct tlb_entry *tlb; /* class in force: tlbs[tlb_class].e */
    /* Of the translator, for views: the highest piece (view_slots), and addresses.  Where they
     * stand is part of its code (accel/jit/view.c). */
    uint64_t slot_max, low_max, high_max;
    uint64_t jkey;         /* map_gen << KEY_GEN_SHIFT | mode (cpu_update_keys) */
    uint64_t gkey;         /* global_gen << KEY_GEN_SHIFT | mode */
    struct cpu_due due[2]; /* beside jkey's generation, and gkey's */
    uint64_t cs_base; /* base of CS; 0 in 64-bit code: linear IP = ip + cs_base (cpu_update_mode) */
    struct jcache_entry *jcache;
    uint64_t ip;
    /* Of the translator (accel/jit).  `left`: instructions until it looks at the requests again;
     * what has retired is icount - left at any time.  0 outside compiled code. */
    int32_t left;
    int32_t quantum;    /* what `left` begins with */
    bool went_on;       /* the handler called from compiled code went on to the next instruction */
    bool code_dropped;  /* blocks were dropped: the compiled code that runs may be stale */
    bool inside;        /* compiled code runs, or has called what runs */
    bool vec_live;      /* the guest's vector registers stand in the host's, not in fpu.ymm */
    uint32_t tlb_mask;  /* of what is the offset of a TLB entry but for that */
    uint64_t window[4]; /* host address less linear address, of the block's windows */
    uint64_t page_fit[4]; /* the last offset in a page for an access of 1, 2, 4, 8 bytes */
    uint64_t icount;      /* instructions retired in blocks */
    struct vcpu *v;
    const struct insn *
        cur; /* instruction being executed, set before anything that may raise; NULL: c->ip holds */
    void *host_base;  /* compiled code's frame on the host's stack: below it, guest calls */
    void *host_limit; /* no more of them */
    void *r15; /* what compiled code has there: tlb, or with a view where low addresses begin */
    uint64_t sp_max;          /* of the stack pointer in compiled code */
    uint64_t view_slots[128]; /* VIEW_SLOTS: what is to be added to have the host address */
    int32_t relink;           /* jumps across pages that miss until one is linked anew */
    struct seg seg[SEG_COUNT];
    /* Outside 64-bit code, by segment, for reading and for writing: an access of n bytes at an
     * offset is allowed when offset + n <= span; 0: look at the segment (cpu_update_mode). */
    uint64_t span[SEG_GS + 1][2];
    uint8_t cpl;
    uint8_t tlb_class;
    bool inhibit; /* interrupt shadow of STI, MOV SS, POP SS: next instruction first */
    bool slow;    /* TF, armed breakpoints or insn trace: one instruction per block, checked */

    /* engine hooks: set by accel/, called by branch handlers (insn.h) */
    void (*link)(struct cpu *c,
                 const struct insn *i); /* direct branch not yet linked: r[R_BASE] is the target */
    void (*lookup)(struct cpu *c);      /* no jcache hit: c->ip is the target; continues there */
    void (*code_written)(struct cpu *c, struct ram *ram, uint64_t off,
                         uint64_t len); /* store into a code page */
    const struct cpu_watch *watch;      /* or NULL */

    /* control */
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t efer;
    uint64_t dr[8];
    struct dtable gdtr, idtr;
    uint64_t pdpte[4]; /* PAE: loaded with CR3 */
    uint64_t a20_mask, phys_mask;

    /* exceptions */
    jmp_buf jmp;
    struct {
        unsigned vector;
        uint32_t error;
        bool has_error;
    } excp;
    uint64_t pending_dr6; /* debug conditions met by the current instruction */
    bool ext;       /* delivery of an event the program did not ask for: EXT bit in error codes */
    bool step;      /* EFLAGS.TF as the present instruction began (cpu_debug_fetch) */
    bool ss_shadow; /* MOV SS/POP SS while `slow`: no debug exception before the next instruction */
    int delivering; /* vector whose delivery is under way, -1: none (double faults) */
    bool shutdown;  /* triple fault */
    bool halted;
    /* An interrupt or exception that an engine has taken and not delivered (kvm_state.c): comes
     * before everything else. */
    uint8_t begun; /* enum cpu_begun */
    uint8_t begun_vector;
    uint32_t begun_error;
    bool nmi_masked;
    uint8_t nmi_pending;             /* to be delivered: one is kept while one is served */
    uint64_t intr_taken, excp_taken; /* counts, for --stats */
    struct { /* the last exceptions and interrupts, for the triple-fault report */
        uint64_t ip, cr2;
        uint32_t error;
        uint16_t cs;
        uint8_t vector;
    } recent[8];
    unsigned recent_at;

    /* MSRs */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint32_t sysenter_cs;
    uint64_t sysenter_esp, sysenter_eip;
    uint32_t tsc_khz; /* rate of the TSC: CPU_TSC_KHZ, or an accelerator's */
    uint64_t tsc_offset, tsc_adjust, tsc_aux;
    uint64_t pat, misc_enable, mtrr_def_type, mtrr_fix[11], mtrr_base[8], mtrr_mask[8], mcg_status;
    uint64_t spec_ctrl, debugctl;

    struct fpu fpu;

    /* model (cpuid.c) */
    const struct cpu_model *model;
    uint64_t feat[(FEAT_COUNT + 63) / 64];
    struct cpu_host *host; /* of the model "host" (model.h); NULL: nothing */
    const struct decoder *decoder;
    void *native; /* cpu/native.c: stub cache */
    void *engine; /* accel's own */

    /* memory */
    uint64_t bounce[8] __attribute__((aligned(16))); /* value of a read-modify-write that has no
                                                        host page (mem.h) */
    uint64_t bus_pa[2]; /* of the locked operation under way in `bounce`: its page or pages */
    bool bus_held;      /* the bus lock is this vCPU's (smp.c) */
    uint8_t writer_bit; /* of RAM_PAGE_WRITERS; 0: the only vCPU */
    struct tlb *tlbs;   /* [TLB_CLASSES] */
    struct itlb_entry *itlb;
    uint64_t map_gen;    /* new when code may lie elsewhere in the context in force */
    uint64_t global_gen; /* new when code in global pages may */
    uint64_t monitor_addr;
    unsigned pauses; /* PAUSEs since this vCPU last gave its host processor away */
    bool trace_excp;
    struct mmu *mmu;     /* cpu/mmu.c: one TLB set per PCID in use */
    struct view *view;   /* cpu/view.c; NULL: none */
    const char *no_view; /* why there is none */
    uint8_t random[256]; /* RDRAND: bytes got from the host in one go */
    unsigned random_left;
};

/* --- state and modes (cpu/state.c) --- */

/* New CPU for vCPU v with the model and features of `model` text ("x86-64-v3,-avx2"); CONFIG error
 * names what is wrong. */
struct cpu *cpu_new(struct vcpu *v, const char *model, GError **err);
void cpu_free(struct cpu *c);
/* Power-on state (SDM vol. 3 table 9-1); init: INIT keeps what an INIT keeps. */
void cpu_reset(struct cpu *c, bool init);
/* Recompute c->mode, the keys, CPL-dependent TLB class, `slow` from CR0, CR4, EFER, EFLAGS,
 * segments, FPU control. */
void cpu_update_mode(struct cpu *c);
/* The whole EFLAGS; set the bits in `mask` from `val` (calls cpu_update_mode when VM, AC or TF
 * change). */
uint32_t cpu_get_eflags(const struct cpu *c);
void cpu_set_eflags(struct cpu *c, uint32_t val, uint32_t mask);
/* IP of the instruction that runs now or next: also on a processor that waits in the middle of a
 * device access, where c->ip is not valid. */
uint64_t cpu_ip(const struct cpu *c);
/* The state table of the architectural state, for info, save and the engines' comparison. */
extern const struct state_field cpu_state[];
/* "RAX=... ..." as `info registers` shows it. */
void cpu_print(const struct cpu *c, GString *out);

static inline void cpu_outside(struct cpu *c, enum cpu_outside what)
{
    if (unlikely(c->watch)) {
        c->watch->outside(c, what);
    }
}
static inline bool cpu_has(const struct cpu *c, enum feature f)
{
    return f == FEAT_NONE || (c->feat[f / 64] >> (f % 64) & 1);
}
static inline bool cpu_is_64(const struct cpu *c)
{
    return (c->mode & MODE_CODE) == MODE_CODE64;
}
/* 16, 32 or 64. */
static inline unsigned cpu_code_bits(const struct cpu *c)
{
    return 16u << (c->mode & MODE_CODE);
}
static inline bool cpu_is_long(const struct cpu *c)
{
    return c->efer & EFER_LMA;
}
/* Protected mode without V86: selectors name descriptors. */
static inline bool cpu_is_protected(const struct cpu *c)
{
    return (c->mode & (MODE_PE | MODE_V86)) == MODE_PE;
}
static inline unsigned cpu_iopl(const struct cpu *c)
{
    return c->eflags >> 12 & 3;
}
/* All ones in the width of IP for the present code size. */
static inline uint64_t cpu_ip_mask(const struct cpu *c)
{
    unsigned code = c->mode & MODE_CODE;
    return code == MODE_CODE64 ? ~0ull : code == MODE_CODE32 ? 0xffffffffull : 0xffffull;
}
static inline bool cpu_is_canonical(uint64_t la)
{
    return (uint64_t)(((int64_t)(la << 16)) >> 16) == la;
}
/* Whether requests to the vCPU are to be shown in c->due. */
void cpu_show_requests(struct cpu *c, bool shown);
/* After a change of mode, slow or one of the generations. */
static inline void cpu_update_keys(struct cpu *c)
{
    uint64_t low = c->mode | (c->slow ? BIT64(63) : 0);

    c->jkey = c->map_gen << KEY_GEN_SHIFT | low;
    c->gkey = c->global_gen << KEY_GEN_SHIFT | low;
    c->due[0].gen = c->map_gen & CPU_DUE_GEN;
    c->due[1].gen = c->global_gen & CPU_DUE_GEN;
}
enum { CPU_TSC_KHZ = 1000000 };
/* Guest TSC: ticks of virtual time (nanoseconds, at 1 GHz) + offset. */
uint64_t cpu_tsc(struct cpu *c);
/* The ticks alone that have passed at `ns` of virtual time. */
uint64_t cpu_tsc_ticks(const struct cpu *c, int64_t ns);
/* A deadline as the guest gives it, in counts of its TSC, and as the APIC keeps it, in ns of
 * virtual time; 0 is none in both. */
uint64_t cpu_deadline_to_tsc(const struct cpu *c, uint64_t ns);
uint64_t cpu_deadline_to_ns(const struct cpu *c, uint64_t val);

/* --- exceptions (cpu/excp.c) --- */

/* Raise: does not return; longjmp to the run loop, which calls cpu_deliver_exception.  c->cur must
 * be set. */
G_NORETURN void cpu_raise(struct cpu *c, unsigned vector);
G_NORETURN void cpu_raise_error(struct cpu *c, unsigned vector, uint32_t error);
G_NORETURN void cpu_raise_pf(struct cpu *c, uint64_t la, uint32_t error); /* sets CR2 */
/*
 * Run loop, after a raise: put c->ip at the faulting instruction, then deliver c->excp with double-
 * and triple-fault rules.  Returns false on shutdown (triple fault).  Itself catches faults of the
 * delivery.
 */
bool cpu_deliver_exception(struct cpu *c);
/* Deliver an external interrupt or NMI at c->ip (cur NULL).  Same result. */
bool cpu_deliver_interrupt(struct cpu *c, unsigned vector);
bool cpu_deliver_nmi(struct cpu *c);
/* c->begun, if it is something.  Same result. */
bool cpu_deliver_begun(struct cpu *c);
/* INT n, INT3, INTO, INT1 from a handler (software interrupts, may raise; return ip = next
 * instruction). */
void cpu_soft_interrupt(struct cpu *c, unsigned vector, uint64_t next_ip, bool int_n);
void cpu_iret(struct cpu *c, unsigned opsize); /* 0: 16, 1: 32, 2: 64; sets c->ip */
/*
 * The run loop while c->slow, around each instruction, c->ip valid and cur NULL.  Before it:
 * cpu_debug_fetch notes TF, takes RF and looks for a code breakpoint at c->ip.  After it:
 * cpu_debug_pending looks for single step, data and I/O breakpoints.  True: #DB stands in c->excp,
 * call cpu_deliver_exception.
 */
bool cpu_debug_fetch(struct cpu *c);
bool cpu_debug_pending(struct cpu *c);

/* --- segmentation (cpu/seg.c, task.c) --- */

/* MOV/POP/Lxx sreg: checks, loads, sets accessed.  Raises. */
void cpu_load_seg(struct cpu *c, unsigned seg, uint16_t sel);
/* Real/V86 style load: base = sel << 4. */
void cpu_load_seg_real(struct cpu *c, unsigned seg, uint16_t sel);
/* Far transfers from a handler; set CS and c->ip.  opsize 0,1,2 = 16,32,64; next_ip: the return
 * address. */
void cpu_far_jump(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize);
void cpu_far_call(struct cpu *c, uint16_t sel, uint64_t off, unsigned opsize, uint64_t next_ip);
void cpu_far_return(struct cpu *c, unsigned opsize, uint16_t pop_bytes);
enum task_cause { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_INT };
void cpu_task_switch(struct cpu *c, uint16_t tss_sel, enum task_cause cause, uint64_t next_ip,
                     bool has_error, uint32_t error);
/* I/O permission: CPL/IOPL or the TSS bitmap; raises #GP(0). */
void cpu_check_io(struct cpu *c, uint16_t port, unsigned size);
/* Notes the I/O breakpoints that an access meets (cpu/debug.c); cpu_debug_pending finds them. */
void debug_check_io(struct cpu *c, uint16_t port, unsigned size);

/* --- control registers, MSRs, CPUID (cpu/op_sys.c, msr.c, cpuid.c) --- */

void cpu_set_cr0(struct cpu *c, uint64_t val); /* raise #GP where the SDM says so */
void cpu_set_cr3(struct cpu *c, uint64_t val);
void cpu_set_cr4(struct cpu *c, uint64_t val);
bool cpu_rdmsr(struct cpu *c, uint32_t msr, uint64_t *val); /* false: #GP */
bool cpu_wrmsr(struct cpu *c, uint32_t msr, uint64_t val);
void cpu_cpuid(struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4]);
/* Names and titles of the models, for help. */
void cpu_model_help(GString *out);

/* --- memory management (cpu/mmu.c); accesses are in mem.h --- */

/* Empty all TLBs; `global`: also global entries.  Bumps map_gen, and global_gen then. */
void mmu_flush(struct cpu *c, bool global);
void mmu_invlpg(struct cpu *c, uint64_t la);
/* A page fault at la is about to be raised: no translation of its page is left (SDM 4.10.4.1). */
void mmu_faulted(struct cpu *c, uint64_t la);
/* Drop the write tag of every entry for the page of RAM at `host`.  On the vCPU's thread, or while
 * it is out of guest code. */
void mmu_write_protect(struct cpu *c, const uint8_t *host);
/*
 * Before the flush that ram_test_clear_dirty asks for: pages whose stores are logged and that the
 * TLB let stores through to are dirty; one may have come between the clearing and now.
 */
void mmu_note_direct_stores(struct cpu *c);
/*
 * A page of RAM is about to be read as code: from now on every store to it, by whichever vCPU, is
 * told (hw/core/code.h).  May wait for other vCPUs to leave guest code; call it without the lock.
 */
void mmu_claim_code(struct cpu *c, struct ram *ram, uint64_t page);
/* What a debugger reads at la: no faults, no rights asked, no accessed bits, no device.  Gives how
 * many of `len` bytes are there.  On the vCPU's thread, or while it is parked. */
unsigned mmu_peek(struct cpu *c, uint64_t la, void *buf, unsigned len);
/* Translate for instruction fetch at CPL: fills the ITLB; raises #PF.  Outside 64-bit code `la` is
 * cut to 32 bits. */
const struct itlb_entry *mmu_fetch(struct cpu *c, uint64_t la);

#endif
