/*
 * What the translator puts off: flags that are made again where an access faults
 * (accel/jit/flags.c) and the stack pointer in a run of pushes and pops.  The interpreter says what
 * is right.
 *
 * Not modelled: sequences nobody thought of (test_lockstep.c).
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

enum { ABSENT = 0x3000000, FRAME_FLAGS = 0x18 };

struct piece {
    const char *bytes;
    size_t len;
};
#define PIECE(s)                                                                                   \
    {                                                                                              \
        s, sizeof(s) - 1                                                                           \
    }

/* The registers, and the flags: those an exception stored, or those of the end; and the count of
 * instructions. */
struct outcome {
    int vector;
    uint64_t r[16], flags, icount;
};

static void run(const char *engine, const GByteArray *code, const uint64_t regs[4],
                struct outcome *out)
{
    struct guest g;

    g_setenv("CANDELA_TEST_ACCEL", engine, true);
    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    guest_code(&g, code->data, code->len);
    g.c->r[R_RAX] = regs[0];
    g.c->r[R_RDX] = regs[1];
    g.c->r[9] = regs[2];
    g.c->r[10] = regs[3];
    g.c->r[R_RSI] = G_DATA;
    g.c->r[R_RDI] = ABSENT;
    cr_assert_eq(guest_run(&g), VCPU_EXIT_HALT);
    out->vector = guest_vector(&g);
    memcpy(out->r, g.c->r, sizeof out->r);
    out->flags =
        out->vector == EXCP_PF ? guest_get64(&g, g.c->r[R_RSP] + FRAME_FLAGS) : cpu_get_eflags(g.c);
    out->icount = g.c->icount;
    guest_free(&g);
}

static void compare(const GByteArray *code, const uint64_t regs[4], int vector)
{
    struct outcome jit, interp;

    run("jit", code, regs, &jit);
    run("interp", code, regs, &interp);
    cr_assert_eq(jit.vector, vector);
    cr_assert_eq(interp.vector, vector);
    g_autofree char *text = g_strdup("");
    for (guint n = 0; n < code->len; n++) {
        char *more = g_strdup_printf("%s%02x ", text, code->data[n]);

        g_free(text);
        text = more;
    }
    cr_assert_eq(jit.flags, interp.flags, "%s: %#lx, not %#lx", text, jit.flags, interp.flags);
    cr_assert_eq(jit.icount, interp.icount, "%s: %lu instructions, not %lu", text, jit.icount,
                 interp.icount);
    for (unsigned n = 0; n < 16; n++) {
        cr_assert_eq(jit.r[n], interp.r[n], "%s: r%u %#lx, not %#lx", text, n, jit.r[n],
                     interp.r[n]);
    }
}

static const uint64_t values[][4] = {
    {0, 0, 0, 0},
    {0x80000000, 0x7fffffff, 0x8000000000000000, 1},
    {~0ull, 1, ~0ull, ~0ull},
    {0x7f80, 0x80, 0x10, 0x0f},
};

static void append(GByteArray *to, const struct piece *p)
{
    g_byte_array_append(to, (const guint8 *)p->bytes, (guint)p->len);
}

/* Programs that halt by themselves, with all values. */
static void compare_to_the_end(const struct piece *whole, size_t count)
{
    for (size_t n = 0; n < count * ARRAY_LEN(values); n++) {
        g_autoptr(GByteArray) code = g_byte_array_new();

        append(code, &whole[n / ARRAY_LEN(values)]);
        compare(code, values[n % ARRAY_LEN(values)], -1);
    }
}

/* An instruction that sets flags, what stands before the next one that does, and that. */
Test(jit_flags, are_right_where_an_access_faults)
{
    static const struct piece set[] = {
        PIECE("\x48\x39\xd0"), /* cmp rax,rdx */
        PIECE("\x83\xf8\x05"), /* cmp eax,5 */
        PIECE("\x3d\x00\x00\x80"
              "\x00"),             /* cmp eax,0x800000 */
        PIECE("\x48\x85\xd0"),     /* test rax,rdx */
        PIECE("\x4d\x85\xc9"),     /* test r9,r9 */
        PIECE("\x49\x39\xc1"),     /* cmp r9,rax */
        PIECE("\x38\xd0"),         /* cmp al,dl */
        PIECE("\x38\xd4"),         /* cmp ah,dl */
        PIECE("\x66\x39\xd0"),     /* cmp ax,dx */
        PIECE("\x48\x01\xd0"),     /* add rax,rdx */
        PIECE("\x4d\x01\xd1"),     /* add r9,r10 */
        PIECE("\x01\xc0"),         /* add eax,eax */
        PIECE("\x83\xc0\x7f"),     /* add eax,0x7f */
        PIECE("\x48\x03\xc2"),     /* add rax,rdx, the other form */
        PIECE("\x48\x29\xc2"),     /* sub rdx,rax */
        PIECE("\x49\x83\xe9\x08"), /* sub r9,8 */
        PIECE("\x44\x2b\xc8"),     /* sub r9d,eax */
        PIECE("\x21\xd0"),         /* and eax,edx */
        PIECE("\x49\x09\xc2"),     /* or r10,rax */
        PIECE("\x31\xd0"),         /* xor eax,edx */
        PIECE("\x31\xc0"),         /* xor eax,eax */
        PIECE("\x4d\x31\xc9"),     /* xor r9,r9 */
        PIECE("\x48\xff\xc0"),     /* inc rax */
        PIECE("\x48\xd1\xe0"),     /* shl rax,1 */
        PIECE("\x48\xf7\xd8"),     /* neg rax */
    };
    static const struct piece between[] = {
        PIECE("\x48\x8b\x0f"),                             /* mov rcx,[rdi] */
        PIECE("\x48\x8b\x06\x48\x8b\x0f"),                 /* mov rax,[rsi]; mov rcx,[rdi] */
        PIECE("\x74\x00\x48\x8b\x0f"),                     /* je on; mov rcx,[rdi] */
        PIECE("\x48\x8b\x1e\x72\x00\x4c\x8b\x17"),         /* mov rbx,[rsi]; jb on; mov r10,[rdi] */
        PIECE("\x4c\x8b\x0e\x4c\x8b\x56\x08\x48\x89\x0f"), /* r9, r10; mov [rdi],rcx */
        PIECE("\x48\x03\x0f"),                             /* add rcx,[rdi] */
        PIECE("\x50\x5b\x48\x8b\x0f"),                     /* push rax; pop rbx; mov rcx,[rdi] */
        PIECE("\x48\x8b\x1e\x48\x11\xd3\x48\x8b\x0f"),     /* rbx; adc rbx,rdx; mov rcx,[rdi] */
    };
    /* So that accesses to that page do not take the slow path, which sets all right. */
    static const struct piece begin =
        PIECE("\x48\x8b\x1c\x25\x00\x00\x04\x00");             /* mov rbx,[G_DATA] */
    static const struct piece end = PIECE("\x48\x39\xc9\xf4"); /* cmp rcx,rcx; hlt */

    for (unsigned s = 0; s < ARRAY_LEN(set); s++) {
        for (unsigned b = 0; b < ARRAY_LEN(between); b++) {
            g_autoptr(GByteArray) code = g_byte_array_new();

            append(code, &begin);
            append(code, &set[s]);
            append(code, &between[b]);
            append(code, &end);
            compare(code, values[(s + b) % ARRAY_LEN(values)], EXCP_PF);
        }
    }
}

/* Flags that no access is in the way of, but somebody wants later. */
Test(jit_flags, are_there_for_who_reads_them_later)
{
    static const struct piece whole[] = {
        /* cmp rax,rdx; mov rbx,[rsi]; setb cl; mov rbx,[rsi+64]; adc r8,r9 */
        PIECE("\x48\x39\xd0\x48\x8b\x1e\x0f\x92\xc1\x48\x8b\x5e\x40\x4d\x11\xc8\xf4"),
        /* add r9,r10; mov [rsi],rax; cmovo rax,rdx; pushf; pop rcx */
        PIECE("\x4d\x01\xd1\x48\x89\x06\x48\x0f\x40\xc2\x9c\x59\xf4"),
        /* test r9,r9; mov rbx,[rsi]; lahf; mov rcx,rax */
        PIECE("\x4d\x85\xc9\x48\x8b\x1e\x9f\x48\x89\xc1\xf4"),
        /* sub rdx,rax; mov rdx,[rsi]; pushf; pop rcx */
        PIECE("\x48\x29\xc2\x48\x8b\x16\x9c\x59\xf4"),
        /* and eax,edx; mov rcx,[rsi]; inc rcx; pushf; pop rbx */
        PIECE("\x21\xd0\x48\x8b\x0e\x48\xff\xc1\x9c\x5b\xf4"),
    };

    compare_to_the_end(whole, ARRAY_LEN(whole));
}

/* Branches lead straight to code that wants the flags, or does not (any more: the last one changes
 * what it jumps to); the instructions are counted before them. */
Test(jit_flags, go_with_branches)
{
    static const struct piece whole[] = {
        /* cmp rax,rdx; jb 1f; nop; 1: adc r8,r9; pushf; pop rcx */
        PIECE("\x48\x39\xd0\x72\x01\x90\x4d\x11\xc8\x9c\x59\xf4"),
        /* mov ecx,9000; 1: lea r8,[r8+rcx]; cmp rdx,rax; ja 2f; add r9,rcx; 2: sub ecx,1; jnz 1b;
         * pushf; pop rbx */
        PIECE("\xb9\x28\x23\x00\x00\x4d\x8d\x04\x08\x48\x39\xc2\x77\x03\x49\x01\xc9"
              "\x83\xe9\x01\x75\xef\x9c\x5b\xf4"),
        /* mov ecx,5000; 1: add r8,[rsi]; cmp [rsi+64],rax; je 2f; adc r9,r10; 2: cmp r8d,edx;
         * jb 3f; jne 3f; inc r10; 3: dec ecx; jnz 1b; pushf; pop rbx */
        PIECE("\xb9\x88\x13\x00\x00\x4c\x03\x06\x48\x39\x46\x40\x74\x03\x4d\x11\xd1"
              "\x41\x39\xd0\x72\x05\x75\x03\x49\xff\xc2\xff\xc9\x75\xe6\x9c\x5b\xf4"),
        /* mov ecx,100; 1: test r9,r9; js 2f; jz 3f; add r10,1; 2: add r8,3; 3: sub ecx,1; jnz 1b;
         * setc bl */
        PIECE("\xb9\x64\x00\x00\x00\x4d\x85\xc9\x78\x06\x74\x08\x49\x83\xc2\x01"
              "\x49\x83\xc0\x03\x83\xe9\x01\x75\xec\x0f\x92\xc3\xf4"),
        /* xor edi,edi; restart: mov ecx,100; again: cmp rdx,rax; jne t; jmp t; t: test r9,r9;
         * movzx r8d,bl; sub ecx,1; jnz again; cmp edi,1; je end; mov edi,1;
         * mov dword [t],(adc bl,0; ...); jmp restart; end: */
        PIECE("\x31\xff\xb9\x64\x00\x00\x00\x48\x39\xc2\x75\x02\xeb\x00\x4d\x85\xc9"
              "\x44\x0f\xb6\xc3\x83\xe9\x01\x75\xed\x83\xff\x01\x74\x11\xbf\x01\x00\x00\x00"
              "\xc7\x05\xe0\xff\xff\xff\x80\xd3\x00\x44\xeb\xd2\xf4"),
    };
    /* cmp rax,rdx; jne 1f; nop; 1: mov rbx,[rdi] */
    static const struct piece faults = PIECE("\x48\x39\xd0\x75\x01\x90\x48\x8b\x1f\xf4");

    compare_to_the_end(whole, ARRAY_LEN(whole));
    for (size_t n = 0; n < ARRAY_LEN(values); n++) {
        g_autoptr(GByteArray) code = g_byte_array_new();

        append(code, &faults);
        compare(code, values[n], EXCP_PF);
    }
}

Test(jit_flags, the_stack_pointer_is_right_wherever_it_is_looked_at)
{
    static const struct piece whole[] = {
        /* push rax; push rdx; mov rbp,rsp; push r9; pop rbx; pop rcx; pop r8 */
        PIECE("\x50\x52\x48\x89\xe5\x41\x51\x5b\x59\x41\x58\xf4"),
        /* push rax; push rsp; push r10; pop rcx; pop rbx; pop rdx */
        PIECE("\x50\x54\x41\x52\x59\x5b\x5a\xf4"),
        /* push rax; push rdx; pop rsp; push r9 */
        PIECE("\x50\x52\x68\x00\x00\x03\x00\x5c\x41\x51\xf4"),
        /* push rax; push rdx; lea rcx,[rsp+8]; mov rbx,[rsp]; push 5; cmp [rsp],rax; pop r8 */
        PIECE("\x50\x52\x48\x8d\x4c\x24\x08\x48\x8b\x1c\x24\x6a\x05\x48\x39\x04\x24\x41\x58\xf4"),
        /* push rax; movzx ecx,spl; push rdx; mov bl,spl; push r9; add rsp,24 */
        PIECE("\x50\x40\x0f\xb6\xcc\x52\x40\x88\xe3\x41\x51\x48\x83\xc4\x18\xf4"),
        /* push rax; push rdx; cmp rax,rdx; je on; push r9; call next; pop rcx; pop rbx */
        PIECE("\x50\x52\x48\x39\xd0\x74\x02\x41\x51\xe8\x00\x00\x00\x00\x59\x5b\xf4"),
        /* push rax; push 16 bits of it; pop rcx; pop dx */
        PIECE("\x50\x66\x50\x59\x66\x5a\xf4"),
        /* push rax; push rdx; test r9,r9; adc rcx,r9; xor r10d,r10d; pop r10; pop r9 */
        PIECE("\x50\x52\x4d\x85\xc9\x4c\x11\xc9\x45\x31\xd2\x41\x5a\x41\x59\xf4"),
    };

    compare_to_the_end(whole, ARRAY_LEN(whole));
}
