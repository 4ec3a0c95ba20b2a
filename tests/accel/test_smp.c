/*
 * Several processors: atomic operations wherever the operand lies, code that another one writes,
 * table entries and descriptors that the processor itself changes, accesses in one piece.
 * Follows: SDM volume 3, chapter 9 (multiple-processor management).
 * Not modelled: interrupts (test_smp_apic.c), memory order (test_litmus.c).
 */
#include "tests/accel/smp_rig.h"
#include <criterion/criterion.h>

enum { CPUS = 4, ROUNDS = 3000 };

/*
 * Each round adds one to every counter, with each instruction that must be atomic; the counters lie
 * on lines of their own, across lines, across pages, and in the page of the code.
 */
SMP_PROGRAM(counters, "mov $3000, %r12d\n"
                      "1: lock incl (%rbx)\n"
                      "lock addw $1, 0x40(%rbx)\n"
                      "mov $1, %eax\n lock xaddq %rax, 0x80(%rbx)\n"
                      "lock incl 0xfe(%rbx)\n"  /* across lines */
                      "lock incl 0xffe(%rbx)\n" /* across pages */
                      "lock addq $1, 0x1ffd(%rbx)\n"
                      "lock incl 0x100f00\n" /* with the code */
                      "lock incl 0x100ffe\n" /* half of it */
                      "mov 0x140(%rbx), %eax\n"
                      "2: lea 1(%rax), %ecx\n lock cmpxchgl %ecx, 0x140(%rbx)\n jnz 2b\n"
                      "mov 0x3ffe(%rbx), %eax\n"
                      "3: lea 1(%rax), %ecx\n lock cmpxchgl %ecx, 0x3ffe(%rbx)\n jnz 3b\n"
                      "mov $1, %eax\n"
                      "4: xchg %eax, 0x180(%rbx)\n test %eax, %eax\n jz 5f\n pause\n jmp 4b\n"
                      "5: incl 0x1c0(%rbx)\n" /* under a lock */
                      "movl $0, 0x180(%rbx)\n"
                      "mov %rbx, %r15\n"
                      "mov 0x200(%r15), %eax\n mov 0x204(%r15), %edx\n"
                      "6: mov %eax, %ebx\n mov %edx, %ecx\n add $1, %ebx\n adc $2, %ecx\n"
                      "lock cmpxchg8b 0x200(%r15)\n jnz 6b\n"
                      "mov 0x240(%r15), %rax\n mov 0x248(%r15), %rdx\n"
                      "7: mov %rax, %rbx\n mov %rdx, %rcx\n add $1, %rbx\n add $3, %rcx\n"
                      "lock cmpxchg16b 0x240(%r15)\n jnz 7b\n"
                      "mov 0x100f80, %rax\n mov 0x100f88, %rdx\n" /* with the code */
                      "8: mov %rax, %rbx\n mov %rdx, %rcx\n add $1, %rbx\n add $3, %rcx\n"
                      "lock cmpxchg16b 0x100f80\n jnz 8b\n"
                      "mov %r15, %rbx\n"
                      "dec %r12d\n jnz 1b\n" SMP_END);

Test(smp, atomic_operations_are_atomic_wherever_the_operand_lies, .timeout = 200)
{
    static const struct {
        uint64_t at;
        uint64_t step;
        bool wide;
    } cells[] = {
        {SMP_DATA, 1, false},          {SMP_DATA + 0x40, 1, false},  {SMP_DATA + 0x80, 1, true},
        {SMP_DATA + 0xfe, 1, false},   {SMP_DATA + 0xffe, 1, false}, {SMP_DATA + 0x1ffd, 1, true},
        {SMP_CODE + 0xf00, 1, false},  {SMP_CODE + 0xffe, 1, false}, {SMP_DATA + 0x140, 1, false},
        {SMP_DATA + 0x3ffe, 1, false}, {SMP_DATA + 0x1c0, 1, false}, {SMP_DATA + 0x200, 1, false},
        {SMP_DATA + 0x204, 2, false},  {SMP_DATA + 0x240, 1, true},  {SMP_DATA + 0x248, 3, true},
        {SMP_CODE + 0xf80, 1, true},   {SMP_CODE + 0xf88, 3, true}};
    struct smp_rig r;

    SMP_BEGIN(&r, CPUS, counters);
    smp_run(&r);
    for (unsigned i = 0; i < ARRAY_LEN(cells); i++) {
        uint64_t got = cells[i].wide ? smp_get64(&r, cells[i].at) : smp_get32(&r, cells[i].at);

        cr_expect_eq(got, cells[i].step * CPUS * ROUNDS, "%#llx: %llu",
                     (unsigned long long)cells[i].at, (unsigned long long)got);
    }
    smp_free(&r);
}

/*
 * Processor 0 writes a function that returns the round's number, then the number; the others wait
 * for the number, serialise, and call it twice, once straight on behind CPUID.  The words of data
 * beside the function are everybody's.  Wrong results are counted.
 */
SMP_PROGRAM(modify, "mov $1, %r12d\n"
                    "lea 0x10000(%rbx), %r13\n" /* the function's page */
                    "dec %esi\n"
                    "1: test %edi, %edi\n jnz 5f\n"
                    "movb $0xb8, (%r13)\n movl %r12d, 1(%r13)\n movb $0xc3, 5(%r13)\n"
                    "incl 0x800(%r13)\n"
                    "mov %r12d, (%rbx)\n"
                    "2: mov 0x40(%rbx), %eax\n cmp %esi, %eax\n je 3f\n pause\n jmp 2b\n"
                    "3: movl $0, 0x40(%rbx)\n"
                    "mov %r12d, 0x80(%rbx)\n jmp 9f\n"
                    "5: cmp %r12d, (%rbx)\n je 6f\n pause\n jmp 5b\n"
                    "6: mov %rbx, %r15\n xor %eax, %eax\n cpuid\n mov %r15, %rbx\n"
                    "call *%r13\n"
                    "cmp %r12d, %eax\n je 7f\n lock incl 0xc0(%rbx)\n"
                    "7: lock incl 0x840(%r13)\n"
                    "call *%r13\n"
                    "cmp %r12d, %eax\n je 8f\n lock incl 0xc0(%rbx)\n"
                    "8: lock incl 0x40(%rbx)\n"
                    "4: cmp %r12d, 0x80(%rbx)\n je 9f\n pause\n jmp 4b\n"
                    "9: inc %r12d\n cmp $3000, %r12d\n jbe 1b\n" SMP_END);

static void check_modify(unsigned cpus)
{
    struct smp_rig r;

    SMP_BEGIN(&r, cpus, modify);
    smp_run(&r);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0xc0), 0, "%u calls of %u ran old code",
                 smp_get32(&r, SMP_DATA + 0xc0), 2 * ROUNDS * (cpus - 1));
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0x10800), ROUNDS);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0x10840), ROUNDS * (cpus - 1));
    smp_free(&r);
}

Test(smp, code_that_another_processor_writes_is_what_runs, .timeout = 200)
{
    check_modify(2);
    check_modify(4);
}

/*
 * The same without a serialising instruction, as compilers at run time rely on it: who has seen a
 * store that came after the code, and then branches, runs the new code.
 */
SMP_PROGRAM(publish, "mov $1, %r12d\n"
                     "lea 0x10000(%rbx), %r13\n"
                     "1: test %edi, %edi\n jnz 5f\n"
                     "movl %r12d, 1(%r13)\n"
                     "mov %r12d, (%rbx)\n"
                     "2: cmp %r12d, 0x40(%rbx)\n je 9f\n pause\n jmp 2b\n"
                     "5: lock incl 0x2000(%rbx)\n cmp %r12d, (%rbx)\n jne 5b\n"
                     "call *%r13\n"
                     "cmp %r12d, %eax\n je 8f\n incl 0xc0(%rbx)\n"
                     "8: mov %r12d, 0x40(%rbx)\n"
                     "9: inc %r12d\n cmp $3000, %r12d\n jbe 1b\n" SMP_END);

Test(smp, code_that_a_later_store_tells_of_is_new, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 2, publish);
    memcpy(r.ram->host + SMP_DATA + 0x10000, "\xb8\0\0\0\0\xc3", 6); /* mov $0, %eax; ret */
    smp_run(&r);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0xc0), 0, "%u of %u", smp_get32(&r, SMP_DATA + 0xc0),
                 ROUNDS);
    smp_free(&r);
}

/*
 * The same for an instruction in the path: the writer changes the immediate of a MOV that stands
 * right behind the reader's CPUID, no branch in between.
 */
SMP_PROGRAM(inline_code, "mov $1, %r12d\n"
                         "lea 7f(%rip), %r13\n"
                         "1: test %edi, %edi\n jnz 5f\n"
                         "movl %r12d, 2(%r13)\n" /* of mov $imm32, %r8d */
                         "mov %r12d, (%rbx)\n"
                         "2: cmp %r12d, 0x40(%rbx)\n je 9f\n pause\n jmp 2b\n"
                         "5: cmp %r12d, (%rbx)\n je 6f\n pause\n jmp 5b\n"
                         "6: mov %rbx, %r15\n xor %eax, %eax\n cpuid\n"
                         "7: mov $0, %r8d\n"
                         "mov %r15, %rbx\n"
                         "cmp %r12d, %r8d\n je 8f\n incl 0xc0(%rbx)\n"
                         "8: mov %r12d, 0x40(%rbx)\n"
                         "9: inc %r12d\n cmp $3000, %r12d\n jbe 1b\n" SMP_END);

Test(smp, code_right_behind_a_serialising_instruction_is_new, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, 2, inline_code);
    smp_run(&r);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0xc0), 0, "%u of %u", smp_get32(&r, SMP_DATA + 0xc0),
                 ROUNDS);
    smp_free(&r);
}

/*
 * Processor 0 counts in the spare bits of a page's table entry, and clears A and D there; the
 * others make the processor set them again.  No count may get lost.  (The entry is at guest_pte_at
 * of 0x600000 = 0x16000; bits 52 up.)
 */
SMP_PROGRAM(dirty, "mov $2000, %r12d\n mov $0x600000, %r13d\n mov $0x16000, %r14d\n"
                   "mov $1, %r8d\n shl $52, %r8\n"
                   "1: test %edi, %edi\n jnz 2f\n"
                   "lock addq %r8, (%r14)\n lock btrl $5, (%r14)\n lock btrl $6, (%r14)\n"
                   "jmp 3f\n"
                   "2: invlpg (%r13)\n mov (%r13), %eax\n invlpg (%r13)\n mov %edi, (%r13,%rdi,4)\n"
                   "3: dec %r12d\n jnz 1b\n" SMP_END);

Test(smp, accessed_and_dirty_bits_lose_no_other_change, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, CPUS, dirty);
    cr_assert_eq(guest_pte_at(0x600000), 0x16000);
    smp_run(&r);
    cr_expect_eq(smp_get64(&r, 0x16000) >> 52, 2000);
    cr_expect_eq(smp_get64(&r, 0x16000) & 0xfffffffff000, 0x600000);
    for (unsigned i = 1; i < CPUS; i++) {
        cr_expect_eq(smp_get32(&r, 0x600000 + 4 * i), i);
    }
    smp_free(&r);
}

/* The same with a descriptor's accessed bit: processor 0 turns another bit of the byte. */
SMP_PROGRAM(accessed, "mov $2001, %r12d\n"
                      "1: test %edi, %edi\n jnz 2f\n"
                      "lock xorb $2, 0x1065\n lock andb $0xfe, 0x1065\n" /* selector 0x60 */
                      "jmp 3f\n"
                      "2: mov $0x60, %eax\n mov %eax, %es\n"
                      "3: dec %r12d\n jnz 1b\n" SMP_END);

Test(smp, descriptors_lose_no_other_change, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, CPUS, accessed);
    struct guest g = {.ram = r.ram->host};
    guest_desc(&g, S_FREE, 0, ~0u, 0x90 | SEG_G | SEG_DB);
    smp_run(&r);
    cr_expect_eq(r.ram->host[G_GDT + S_FREE + 5] & 0xfe, 0x92);
    smp_free(&r);
}

/*
 * One processor stores all zeros and all ones in turn, in one piece; the others never see a mixture
 * of both.  At 0x800 of the code's page stores take the slow path.
 */
SMP_PROGRAM(pieces, "mov $20000, %r12d\n xor %eax, %eax\n lea 0x100800, %r13\n"
                    "pxor %xmm0, %xmm0\n"
                    "1: test %edi, %edi\n jnz 2f\n"
                    "not %rax\n mov %rax, (%rbx)\n mov %rax, (%r13)\n mov %eax, 0x44(%rbx)\n"
                    "mov %ax, 0x82(%r13)\n"
                    "movq %rax, %xmm0\n punpcklqdq %xmm0, %xmm0\n"
                    "movdqa %xmm0, 0x100(%rbx)\n movdqa %xmm0, 0x100(%r13)\n"
                    "movq %xmm0, 0x140(%r13)\n jmp 9f\n"
                    "2: mov (%rbx), %rcx\n lea 1(%rcx), %rdx\n cmp $1, %rdx\n ja 8f\n"
                    "mov (%r13), %rcx\n lea 1(%rcx), %rdx\n cmp $1, %rdx\n ja 8f\n"
                    "mov 0x140(%r13), %rcx\n lea 1(%rcx), %rdx\n cmp $1, %rdx\n ja 8f\n"
                    "mov 0x44(%rbx), %ecx\n lea 1(%rcx), %edx\n cmp $1, %edx\n ja 8f\n"
                    "movzwl 0x82(%r13), %ecx\n inc %cx\n cmp $1, %cx\n ja 8f\n"
                    "movdqa 0x100(%rbx), %xmm1\n movq %xmm1, %rcx\n psrldq $8, %xmm1\n"
                    "movq %xmm1, %rdx\n cmp %rcx, %rdx\n jne 8f\n"
                    "movdqa 0x100(%r13), %xmm1\n movq %xmm1, %rcx\n psrldq $8, %xmm1\n"
                    "movq %xmm1, %rdx\n cmp %rcx, %rdx\n je 9f\n"
                    "8: lock incl 0x800(%rbx)\n"
                    "9: dec %r12d\n jnz 1b\n" SMP_END);

Test(smp, aligned_accesses_are_in_one_piece, .timeout = 200)
{
    struct smp_rig r;

    SMP_BEGIN(&r, CPUS, pieces);
    for (unsigned i = 0; i < CPUS; i++) {
        struct cpu *c = r.m->vcpus[i]->cpu;

        c->cr4 |= CR4_OSFXSR;
        cpu_update_mode(c);
    }
    smp_run(&r);
    cr_expect_eq(smp_get32(&r, SMP_DATA + 0x800), 0);
    smp_free(&r);
}
