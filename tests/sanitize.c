/*
 * What the leak checker is told in builds with the address sanitizer: blocks that Criterion's own
 * runner keeps are not ours.
 *
 * Not modelled: anything.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:libcriterion\n";
}

const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
