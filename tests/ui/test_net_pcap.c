/*
 * Capture files: what other tools read in them, what is never overwritten, and a disk that is full.
 */
#include "ui/net_int.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char *folder, *file;
    struct nets nets;
};

/* nets.note has no argument for it. */
static GString *notes;
static unsigned note_count;

static void take_note(const char *text)
{
    g_string_append_printf(notes, "%s\n", text);
    note_count++;
}

static struct bench bench_new(void)
{
    struct bench b = {.folder = g_dir_make_tmp("candela-pcap-XXXXXX", NULL)};

    b.file = g_build_filename(b.folder, "nic0.pcap", NULL);
    b.nets.note = take_note;
    notes = g_string_new(NULL);
    return b;
}

static void bench_clear(struct bench *b)
{
    unlink(b->file);
    cr_expect_eq(rmdir(b->folder), 0, "something is left in %s", b->folder);
    g_free(b->folder);
    g_free(b->file);
    g_string_free(notes, TRUE);
}

static struct net_pcap *open_it(const char *path)
{
    GError *err = NULL;
    struct net_pcap *c = net_pcap_open(path, &err);

    cr_assert(c, "%s", err ? err->message : "");
    return c;
}

static void expect_refusal(const char *path, const char *why)
{
    GError *err = NULL;
    struct net_pcap *c = net_pcap_open(path, &err);

    cr_assert(!c, "%s is taken", path);
    cr_expect(err->domain == CANDELA_ERROR && err->code == CANDELA_ERROR_FILE);
    cr_expect(g_str_has_prefix(err->message, "capture file "), "%s", err->message);
    cr_expect(strstr(err->message, path) && strstr(err->message, why), "%s", err->message);
    g_error_free(err);
}

/* An ARP request, padded. */
static void make_arp(uint8_t *f, unsigned number)
{
    static const uint8_t start[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,  0x12,
                                    0x34, 0x56, 8,    6,    0,    1,    8,    0,    6,  4,
                                    0,    1,    0x52, 0x54, 0,    0x12, 0x34, 0x56, 10, 0,
                                    2,    15,   0,    0,    0,    0,    0,    0,    10, 0};

    memset(f, 0, 60);
    memcpy(f, start, sizeof start);
    st_be16(f + 40, (uint16_t)number);
}

/* Frames of a capture; they must be whole, and record `n` as long as `len` says. */
static unsigned count_records(const char *path)
{
    g_autofree char *data = NULL;
    unsigned n = 0;
    size_t size;

    cr_assert(g_file_get_contents(path, &data, &size, NULL));
    cr_assert_geq(size, 24);
    cr_expect_eq(ld_le32(data), 0xa1b2c3d4u);
    cr_expect_eq(ld_le32(data + 4), 0x00040002u);
    cr_expect_eq(ld_le32(data + 20), 1);
    for (size_t at = 24; at < size; n++) {
        uint32_t len;

        cr_assert_leq(at + 16, size, "record %u is cut off", n);
        len = ld_le32(data + at + 8);
        cr_expect_lt(ld_le32(data + at + 4), 1000000);
        cr_expect_leq(len, ld_le32(data + at + 12));
        at += 16 + len;
        cr_assert_leq(at, size, "record %u is cut off", n);
    }
    return n;
}

/* What a command prints, or NULL: there is no such program. */
static char *output_of(const char *const *argv)
{
    g_autofree char *program = g_find_program_in_path(argv[0]);
    char *out = NULL, *errors = NULL;
    int status = 0;

    if (!program) {
        g_message("%s is not installed", argv[0]);
        return NULL;
    }
    cr_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                           &errors, &status, NULL));
    cr_expect_eq(status, 0, "%s: %s", argv[0], errors);
    g_free(errors);
    return out;
}

static void expect_output(const char *const *argv, const char *text)
{
    g_autofree char *out = output_of(argv);

    if (out) {
        cr_expect(strstr(out, text), "%s: no \"%s\" in %s", argv[0], text, out);
    }
}

Test(net_pcap, other_tools_read_it)
{
    struct bench b = bench_new();
    struct net_pcap *c = open_it(b.file);
    const char *tcpdump[] = {"tcpdump", "-e", "-n", "-t", "-r", b.file, NULL};
    const char *file[] = {"file", b.file, NULL};
    const char *capinfos[] = {"capinfos", b.file, NULL};
    uint8_t frame[60];

    for (unsigned i = 0; i < 3; i++) {
        make_arp(frame, 0x0200 + i);
        net_pcap_write(c, frame, sizeof frame);
    }
    net_pcap_flush(c, &b.nets);
    cr_expect_eq(count_records(b.file), 3, "while it runs");
    expect_output(tcpdump, "52:54:00:12:34:56 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length "
                           "60: Request who-has 10.0.2.2 tell 10.0.2.15");
    expect_output(file, "capture file");
    expect_output(file, "version 2.4 (Ethernet");
    expect_output(capinfos, "Ethernet");
    net_pcap_write(c, frame, sizeof frame);
    net_pcap_close(c);
    cr_expect_eq(count_records(b.file), 4, "what was buffered is written at the end");
    bench_clear(&b);
}

Test(net_pcap, the_longest_and_many_frames)
{
    struct bench b = bench_new();
    struct net_pcap *c = open_it(b.file);
    static uint8_t frame[NET_FRAME_MAX + 4];

    for (unsigned i = 0; i < 2000; i++) {
        net_pcap_write(c, frame, NET_HEADER + (i * 7919) % (sizeof frame - NET_HEADER + 1));
    }
    net_pcap_write(c, frame, sizeof frame);
    cr_expect_eq(count_records(b.file), 0, "the disk is for flush");
    net_pcap_close(c);
    cr_expect_eq(count_records(b.file), 2001);
    cr_expect_eq(note_count, 0);
    bench_clear(&b);
}

Test(net_pcap, a_capture_is_begun_anew)
{
    struct bench b = bench_new();
    struct net_pcap *c = open_it(b.file);
    uint8_t frame[60];

    make_arp(frame, 0);
    net_pcap_write(c, frame, sizeof frame);
    net_pcap_close(c);
    cr_expect_eq(count_records(b.file), 1);
    c = open_it(b.file);
    cr_expect_eq(count_records(b.file), 0);
    net_pcap_close(c);
    cr_expect_eq(count_records(b.file), 0);
    bench_clear(&b);
}

Test(net_pcap, what_is_no_capture_is_left_alone)
{
    struct bench b = bench_new();
    g_autofree char *deep = g_build_filename(b.folder, "no", "folder", NULL);
    g_autofree char *is = NULL;

    cr_assert(g_file_set_contents(b.file, "a disk image, for example", -1, NULL));
    expect_refusal(b.file, "no capture");
    cr_assert(g_file_get_contents(b.file, &is, NULL, NULL));
    cr_expect_str_eq(is, "a disk image, for example");
    expect_refusal(b.folder, "folder");
    expect_refusal(deep, "No such file");
    expect_refusal("/dev/null", "regular");
    unlink(b.file);
    cr_assert_eq(mkfifo(b.file, 0600), 0);
    expect_refusal(b.file, "regular");
    bench_clear(&b);
}

Test(net_pcap, two_captures_do_not_share_a_file)
{
    struct bench b = bench_new();
    struct net_pcap *c = open_it(b.file);

    expect_refusal(b.file, "another card");
    net_pcap_close(c);
    net_pcap_close(open_it(b.file));
    bench_clear(&b);
}

Test(net_pcap, a_full_disk_ends_the_capture_with_one_note)
{
    struct rlimit limit = {100000, 100000};
    struct bench b = bench_new();
    struct net_pcap *c = open_it(b.file);
    static uint8_t frame[1514];

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (unsigned i = 0; i < 1000; i++) {
        net_pcap_write(c, frame, sizeof frame);
        net_pcap_flush(c, &b.nets);
    }
    cr_expect_eq(note_count, 1, "%s", notes->str);
    cr_expect(strstr(notes->str, b.file) && strstr(notes->str, "ends"), "%s", notes->str);
    cr_expect_eq(count_records(b.file), 65);
    net_pcap_close(c);
    cr_expect_eq(count_records(b.file), 65);
    bench_clear(&b);
}

Test(net_pcap, closing_nothing_is_fine)
{
    net_pcap_close(NULL);
}
