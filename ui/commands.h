/*
 * The subcommands of candela.  Each takes the words after its name and gives the exit code.
 */
#ifndef CANDELA_UI_COMMANDS_H
#define CANDELA_UI_COMMANDS_H

int command_run(int argc, char *const *argv);
int command_demo(int argc, char *const *argv);
int command_doctor(int argc, char *const *argv);
int command_disk(int argc, char *const *argv);

#endif
