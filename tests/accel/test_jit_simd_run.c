/*
 * Vector and x87 registers of a running guest under the translator: a loop that uses both while
 * page faults come, whose handler uses them for its own; interpreter and translator must end alike.
 *
 * Not modelled: other interrupts; they leave compiled code in the same way.
 */
#include "cpu/fpu.h"
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { FAULTS = 0x50000, SAVED = 0x60000, DATA = 0x70000, PTES = G_TABLES + 0x3000, ROUNDS = 300 };

/* RDI: DATA, RSI: rounds.  Every third round the data page goes away. */
extern const uint8_t loop_begin[], loop_end[], fault_begin[], fault_end[];
__asm__(".pushsection .rodata\n"
        "loop_begin: fninit\n fld1\n fldpi\n"
        "1: lea (%rsi,%rsi,2), %eax\n test $4, %al\n jnz 2f\n"
        "mov %rdi, %rcx\n shr $12, %rcx\n andq $-2, 0x13000(,%rcx,8)\n invlpg (%rdi)\n"
        "2: vpaddd (%rdi), %ymm2, %ymm2\n vpaddd %ymm2, %ymm3, %ymm3\n paddq %xmm3, %xmm4\n"
        "cvtsi2sd %rsi, %xmm5\n addsd %xmm5, %xmm6\n vperm2i128 $1, %ymm4, %ymm6, %ymm7\n"
        "fldl 64(%rdi)\n fadd %st(1)\n fmul %st(2)\n fstpl 64(%rdi)\n fxch\n"
        "test $1, %al\n jnz 3f\n"
        "mov %rdi, %rcx\n shr $12, %rcx\n andq $-2, 0x13000(,%rcx,8)\n invlpg (%rdi)\n"
        "3: vmovups %ymm3, 256(%rdi)\n fnstenv 128(%rdi)\n fldenv 128(%rdi)\n"
        "comisd %xmm5, %xmm6\n adc $0, %r9\n movdqu %xmm4, 300(%rdi)\n"
        "fistl 320(%rdi)\n vmovd %xmm7, %r10d\n add %r10, %r11\n vpxor %xmm7, %xmm7, %xmm8\n"
        "mov %cr0, %rcx\n fiaddl 328(%rdi)\n paddd %xmm4, %xmm8\n"
        "dec %rsi\n jnz 1b\n hlt\nloop_end:\n"
        "fault_begin: push %rax\n push %rcx\n push %rdx\n mov $7, %eax\n xor %edx, %edx\n"
        "xsave64 0x60000\n vpcmpeqd %ymm2, %ymm2, %ymm2\n vpcmpeqd %ymm15, %ymm15, %ymm15\n"
        "movaps %xmm2, %xmm4\n fninit\n fldl2e\n fld %st(0)\n incl 0x50000\n"
        "mov %cr2, %rcx\n shr $12, %rcx\n orq $7, 0x13000(,%rcx,8)\n"
        "mov $7, %eax\n xor %edx, %edx\n xrstor64 0x60000\n"
        "pop %rdx\n pop %rcx\n pop %rax\n add $8, %rsp\n iretq\nfault_end:\n"
        ".popsection\n");

struct result {
    uint64_t r[16];
    uint8_t ymm[16][32], fx[160], data[PAGE_BYTES];
    uint32_t faults, mxcsr;
    uint16_t fl;
};

static void run(const char *engine, struct result *out)
{
    struct guest g;
    uint32_t at = G_CODE + 0x800;

    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    g.c->cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
    g.c->fpu.xcr0 = 7;
    cpu_update_mode(g.c);
    guest_code(&g, loop_begin, (size_t)(loop_end - loop_begin));
    memcpy(g.ram + at, fault_begin, (size_t)(fault_end - fault_begin));
    g.ram[G_HANDLERS + 16 * EXCP_PF] = 0xe9;
    guest_put32(&g, G_HANDLERS + 16 * EXCP_PF + 1, at - (G_HANDLERS + 16 * EXCP_PF + 5));
    for (unsigned k = 0; k < PAGE_BYTES; k += 4) {
        guest_put32(&g, DATA + k, k * 0x9e3779b9u);
    }
    st_le64(g.ram + DATA + 64, 0x3ff8000000000000);
    g.c->r[R_RDI] = DATA;
    g.c->r[R_RSI] = ROUNDS;
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1, "%s: vector %d", engine, guest_vector(&g));
    *out =
        (struct result){.faults = guest_get32(&g, FAULTS), .mxcsr = g.c->fpu.mxcsr, .fl = g.c->fl};
    memcpy(out->r, g.c->r, sizeof out->r);
    memcpy(out->ymm, g.c->fpu.ymm, sizeof out->ymm);
    memcpy(out->fx, g.c->fpu.fxsave, sizeof out->fx);
    memcpy(out->data, g.ram + DATA, sizeof out->data);
    guest_free(&g);
}

Test(jit_simd_run, registers_survive_page_faults)
{
    static struct result interp, jit; /* large; one test process each */

    run("interp", &interp);
    run("jit", &jit);
    cr_assert_gt(interp.faults, ROUNDS / 2);
    cr_expect_eq(interp.faults, jit.faults);
    cr_expect_eq(interp.mxcsr, jit.mxcsr);
    cr_expect_eq(interp.fl, jit.fl);
    cr_expect_arr_eq(interp.r, jit.r, sizeof jit.r);
    cr_expect_arr_eq(interp.ymm, jit.ymm, sizeof jit.ymm);
    cr_expect_arr_eq(interp.fx, jit.fx, sizeof jit.fx);
    cr_expect_arr_eq(interp.data, jit.data, sizeof jit.data);
}
