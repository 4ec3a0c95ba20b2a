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
/* ui/command_library.c */
void complete_run(struct completion *c, int argc, char *const *argv);
int command_create(int argc, char *const *argv);
void complete_create(struct completion *c, int argc, char *const *argv);
int command_list(int argc, char *const *argv);
void complete_list(struct completion *c, int argc, char *const *argv);
int command_show(int argc, char *const *argv);
void complete_show(struct completion *c, int argc, char *const *argv);
int command_set(int argc, char *const *argv);
void complete_set(struct completion *c, int argc, char *const *argv);
int command_clone(int argc, char *const *argv);
void complete_clone(struct completion *c, int argc, char *const *argv);
int command_rename(int argc, char *const *argv);
void complete_rename(struct completion *c, int argc, char *const *argv);
int command_delete(int argc, char *const *argv);
void complete_delete(struct completion *c, int argc, char *const *argv);
int command_start(int argc, char *const *argv);
void complete_start(struct completion *c, int argc, char *const *argv);
int command_stop(int argc, char *const *argv);
void complete_stop(struct completion *c, int argc, char *const *argv);
int command_pause(int argc, char *const *argv);
void complete_pause(struct completion *c, int argc, char *const *argv);
int command_resume(int argc, char *const *argv);
void complete_resume(struct completion *c, int argc, char *const *argv);
int command_ctl(int argc, char *const *argv);
void complete_ctl(struct completion *c, int argc, char *const *argv);

#endif
