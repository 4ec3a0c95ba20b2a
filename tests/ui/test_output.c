/*
 * Files the run writes: whole or not at all, and what stands there already is not destroyed.
 */
#include "tests/rig.h"
#include "ui/output.h"
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    char *folder, *file, *link;
};

static struct bench bench_new(void)
{
    struct bench b = {.folder = g_dir_make_tmp("candela-output-XXXXXX", NULL)};

    b.file = g_build_filename(b.folder, "file", NULL);
    b.link = g_build_filename(b.folder, "link", NULL);
    return b;
}

static void bench_clear(struct bench *b)
{
    unlink(b->file);
    unlink(b->link);
    cr_expect_eq(rmdir(b->folder), 0, "something is left in %s", b->folder);
    g_free(b->folder);
    g_free(b->file);
    g_free(b->link);
}

static void expect_contents(const char *path, const char *text)
{
    g_autofree char *is = NULL;

    cr_assert(g_file_get_contents(path, &is, NULL, NULL), "%s", path);
    cr_expect_str_eq(is, text);
}

static void expect_link(const char *path)
{
    struct stat st;

    cr_expect(!lstat(path, &st) && S_ISLNK(st.st_mode), "%s is no link any more", path);
}

static void write_text(const char *path, const char *text)
{
    GError *err = NULL;

    cr_expect(output_check("--stats", path, &err), "%s", err ? err->message : "");
    cr_expect(output_write("--stats", path, text, strlen(text), &err), "%s",
              err ? err->message : "");
}

Test(output, a_link_is_written_through)
{
    struct bench b = bench_new();

    cr_assert_eq(symlink("file", b.link), 0);
    write_text(b.link, "one, and long");
    expect_contents(b.file, "one, and long");
    write_text(b.link, "two");
    expect_contents(b.file, "two");
    expect_link(b.link);
    bench_clear(&b);
}

/* As /dev/stdout, with standard output in a file that has something already. */
Test(output, standard_output_is_gone_on_with)
{
    struct bench b = bench_new();
    int saved = dup(STDOUT_FILENO), fd = open(b.file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_eq(symlink("/proc/self/fd/1", b.link), 0);
    dup2(fd, STDOUT_FILENO);
    cr_assert_eq(write(STDOUT_FILENO, "before ", 7), 7);
    write_text(b.link, "behind ");
    write_text(b.file, "it");
    fd = output_open(b.link, false);
    cr_assert(fd >= 0 && write(fd, "!", 1) == 1);
    dup2(saved, STDOUT_FILENO);
    expect_contents(b.file, "before behind it!");
    expect_link(b.link);
    bench_clear(&b);
}

Test(output, a_file_is_replaced_whole)
{
    struct bench b = bench_new();
    struct stat before, after;

    write_text(b.file, "one, and long");
    cr_assert_eq(stat(b.file, &before), 0);
    write_text(b.file, "two");
    cr_assert_eq(stat(b.file, &after), 0);
    expect_contents(b.file, "two");
    cr_expect_neq(before.st_ino, after.st_ino);
    bench_clear(&b);
}

Test(output, a_named_pipe_without_a_reader_is_not_waited_for)
{
    struct bench b = bench_new();

    cr_assert_eq(mkfifo(b.file, 0600), 0);
    cr_expect_eq(output_open(b.file, false), -1);
    bench_clear(&b);
}
