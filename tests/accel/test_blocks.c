/*
 * The cache of decoded blocks against page tables and segments that change under it
 * (accel/blocks.c, interp.c).  Follows: SDM volume 3, 4.10 and 5.3.
 * Not modelled: code written by other processors.
 */
#include "tests/cpu/guest.h"
#include <criterion/criterion.h>

#define CODE(g, bytes) guest_code(g, bytes, sizeof(bytes) - 1)

enum { LA = 0x50000, NEXT_A = 0x60000, NEXT_B = 0x61000 };

static void map(struct guest *g, uint64_t la, uint64_t pa)
{
    guest_put64(g, guest_pte_at(la), pa | 7);
}

/*
 * LA+0xf00: jmp LA+0xffd; LA+0xffd: mov eax,imm32, of which the last two bytes are on the next
 * page; ret.  Main: call LA+0xf00; mov ebx,eax; write the next page's table entry; invlpg; call
 * again; hlt.
 */
static void crossing_program(struct guest *g, uint32_t entry)
{
    uint8_t code[64], *at = code;

    guest_long(g);
    map(g, LA + 0x1000, NEXT_A);
    memcpy(g->ram + LA + 0xf00, "\xe9\xf8\x00\x00\x00", 5);
    memcpy(g->ram + LA + 0xffd, "\xb8\x34\x12", 3);
    memcpy(g->ram + NEXT_A, "\xaa\xaa\xc3", 3);
    memcpy(g->ram + NEXT_B, "\xbb\xbb\xc3", 3);
    *at++ = 0xe8;
    st_le32(at, LA + 0xf00 - (G_CODE + 5));
    memcpy(at + 4, "\x89\xc3\xc7\x04\x25", 5); /* mov ebx,eax; mov dword [pte],entry */
    st_le32(at + 9, (uint32_t)guest_pte_at(LA + 0x1000));
    st_le32(at + 13, entry);
    memcpy(at + 17, "\x0f\x01\x3c\x25", 4); /* invlpg [LA + 0x1000] */
    st_le32(at + 21, LA + 0x1000);
    at += 25;
    *at++ = 0xe8;
    st_le32(at, LA + 0xf00 - (G_CODE + (uint32_t)(at + 4 - code)));
    at += 4;
    *at++ = 0xf4;
    guest_code(g, code, (size_t)(at - code));
}

Test(blocks, a_link_does_not_outlive_the_second_page_of_its_target)
{
    struct guest g;

    guest_init_linked(&g, "x86-64-v3");
    crossing_program(&g, NEXT_B | 7);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RBX], 0xaaaa1234);
    cr_assert_eq(g.c->r[R_RAX], 0xbbbb1234, "the bytes of the old page ran: %x",
                 (uint32_t)g.c->r[R_RAX]);

    g.c->halted = false;
    crossing_program(&g, NEXT_A | 6); /* not present */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), EXCP_PF);
    cr_assert_eq(g.c->cr2, LA + 0x1000);
    guest_free(&g);
}

/* Old protected-mode software reaches low memory through a base near 4 GiB. */
Test(blocks, instruction_addresses_wrap_at_4_gib)
{
    struct guest g;

    guest_init(&g, "x86-64-v3");
    guest_protected(&g);
    guest_desc(&g, S_FREE, 0xffff0000, ~0u, 0x9b | SEG_G | SEG_DB);
    CODE(&g, "\xea\x00\x00\x05\x00\x60\x00");          /* jmp S_FREE:0x50000: linear 0x40000 */
    memcpy(g.ram + G_DATA, "\x41\xeb\x00\x41\xf4", 5); /* inc ecx; jmp $+2; inc ecx; hlt */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->r[R_RCX], 2);
    cr_assert_eq(g.c->ip, 0x50005);
    guest_free(&g);
}

/* Displacements count from a block's start, where they may not fit: IP wraps in 32-bit code, and in
 * 64-bit code the instruction begins a block. */
Test(blocks, displacements_may_be_as_large_as_they_can)
{
    struct guest g;

    guest_init_linked(&g, "x86-64-v3");
    guest_protected(&g);
    CODE(&g, "\x90\x90\x39\xc0\x0f\x8c\xf4\xff\xff\x7f\xf4"); /* cmp eax,eax; jl; hlt */
    guest_run(&g);
    cr_expect_eq(guest_vector(&g), -1);
    guest_free(&g);

    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    CODE(&g, "\x90\x90\x48\x8d\x05\xf8\xff\xff\x7f\xf4"); /* lea rax,[rip + 0x7ffffff8] */
    guest_run(&g);
    cr_expect_eq(guest_vector(&g), -1);
    cr_expect_eq(g.c->r[R_RAX], G_CODE + 9 + 0x7ffffff8ull);
    guest_free(&g);
}

/* An opcode may be refused for its ModRM byte, which then is part of the block too. */
Test(blocks, a_store_can_give_an_invalid_opcode_a_meaning)
{
    struct guest g;

    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    /* mov byte [G_CODE + 9],0xc0; ff ff, which becomes inc eax; hlt */
    CODE(&g, "\xc6\x04\x25\x09\x00\x02\x00\xc0\xff\xff\xf4");
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1, "vector %d", guest_vector(&g));
    cr_assert_eq(g.c->r[R_RAX], 1);
    guest_free(&g);
}

/* The count of instructions is right where a block is left behind its last one: 31 NOPs and a store
 * over the first. */
Test(blocks, instructions_count_where_a_block_ends_by_its_own_store)
{
    struct guest g;
    uint8_t code[64];

    guest_init_linked(&g, "x86-64-v3");
    guest_long(&g);
    memset(code, 0x90, sizeof code);
    memcpy(code + 31, "\xc6\x04\x25\x00\x00\x02\x00\x90\xf4", 9); /* movb $0x90, G_CODE */
    guest_code(&g, code, sizeof code);
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1);
    cr_assert_eq(g.c->icount, 33, "%" G_GUINT64_FORMAT, g.c->icount);
    guest_free(&g);
}

/* A page of code is called, mapped elsewhere, and called again. */
static void remap_program(struct guest *g, uint32_t flags, const char *change, size_t len)
{
    uint8_t code[96], *at = code;

    guest_put64(g, guest_pte_at(LA), NEXT_A | flags);
    memcpy(g->ram + NEXT_A, "\xb8\xaa\x00\x00\x00\xc3", 6); /* mov eax,0xaa; ret */
    memcpy(g->ram + NEXT_B, "\xb8\xbb\x00\x00\x00\xc3", 6);
    memcpy(at, "\xbe\x08\x00\x00\x00\xbd", 6); /* mov esi,8; mov ebp,LA */
    st_le32(at + 6, LA);
    memcpy(at + 10, "\xff\xd5\xff\xce\x75\xfa\x89\xc3\xc7\x04\x25",
           11); /* again: call rbp; dec esi; jnz again; mov ebx,eax; mov dword [pte],NEXT_B */
    st_le32(at + 21, (uint32_t)guest_pte_at(LA));
    st_le32(at + 25, NEXT_B | flags);
    memcpy(at + 29, change, len);
    at += 29 + len;
    memcpy(at, "\xff\xd5\xf4", 3); /* call rbp; hlt */
    guest_code(g, code, (size_t)(at + 3 - code));
}

Test(blocks, code_that_is_mapped_elsewhere_is_not_run_any_more)
{
    static const struct {
        uint32_t flags;
        const char *change;
        uint8_t len;
        bool pcid;
    } cases[] = {
        {7, "\x0f\x01\x7d\x00", 4, false},     /* invlpg [rbp] */
        {0x107, "\x0f\x01\x7d\x00", 4, false}, /* the same for a global page */
        {7, "\x0f\x20\xd8\x0f\x22\xd8", 6, false},
        /* or rax,5 between: another context */
        {0x107, "\x0f\x20\xd8\x48\x83\xc8\x05\x0f\x22\xd8\x0f\x01\x7d\x00", 14, true},
        /* mov rax,cr4; xor al,0x80 (PGE); mov cr4,rax */
        {0x107, "\x0f\x20\xe0\x34\x80\x0f\x22\xe0", 8, false},
    };

    for (unsigned n = 0; n < ARRAY_LEN(cases); n++) {
        struct guest g;

        guest_init_linked(&g, "x86-64-v3");
        guest_long(&g);
        cpu_set_cr4(g.c, g.c->cr4 | CR4_PGE | (cases[n].pcid ? CR4_PCIDE : 0));
        remap_program(&g, cases[n].flags, cases[n].change, cases[n].len);
        guest_run(&g);
        cr_assert_eq(guest_vector(&g), -1, "case %u: vector %d", n, guest_vector(&g));
        cr_assert_eq(g.c->r[R_RBX], 0xaa, "case %u", n);
        cr_assert_eq(g.c->r[R_RAX], 0xbb, "case %u: the old page ran", n);
        guest_free(&g);
    }
}

/* In real mode one linear address has many IPs: what code says of its own is the present one. */
Test(blocks, code_at_one_address_is_run_at_the_ip_it_is_reached_by)
{
    struct guest g;
    uint8_t *at;

    guest_init_linked(&g, "x86-64-v3");
    /* mov si,50; again: call 2800:0; dec si; jnz again; mov bx,ax; call 27f0:100; hlt */
    CODE(&g, "\xbe\x32\x00\x9a\x00\x00\x00\x28\x4e\x75\xf8\x89\xc3\x9a\x00\x01\xf0\x27\xf4");
    at = g.ram + 0x28000;
    memset(at, 0x41, 40);                       /* inc cx: more than one block */
    memcpy(at + 40, "\xe8\x00\x00\x58\xcb", 5); /* call $+3; pop ax; retf */
    guest_run(&g);
    cr_assert_eq(guest_vector(&g), -1, "vector %d", guest_vector(&g));
    cr_assert_eq((uint16_t)g.c->r[R_RBX], 43);
    cr_assert_eq((uint16_t)g.c->r[R_RAX], 0x100 + 43, "ax=%x", (unsigned)g.c->r[R_RAX]);
    guest_free(&g);
}
