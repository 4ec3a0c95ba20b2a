/*
 * The subcommands of candela.  Each takes the words after its name and gives the exit code; what
 * completes them (ui/complete.h) takes the same words, the last one being what is to be completed.
 */
#ifndef CANDELA_UI_COMMANDS_H
#define CANDELA_UI_COMMANDS_H

struct completion;

int command_run(int argc, char *const *argv);
int command_demo(int argc, char *const *argv);
int command_doctor(int argc, char *const *argv);
int command_disk(int argc, char *const *argv);
void complete_disk(struct completion *c, int argc, char *const *argv);
void complete_doctor(struct completion *c, int argc, char *const *argv);

#endif
