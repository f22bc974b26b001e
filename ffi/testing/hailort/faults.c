/*
 * What did a test order to go wrong?
 *
 * Orders come from the environment as it was when the library was loaded (HAILO_STANDIN_<NAME>), and later from standin_set():
 *   DEVICES=n          devices that a scan finds (1)
 *   ARCH=hailo8|hailo8l|hailo15h|hailo10h
 *   STATUS=function:code[:nth][,…]   answer of a call: of every one, or of the nth since the order was given
 *   CRASH=function[:nth]             end the process in it, as a wild pointer does
 *   HOSTILE=function:way             hang, abort, exit, noise (words into every descriptor), close (of every descriptor) or daemon (a
 *                                    process without environment, session and parent) in it
 *   LATENCY_US=n       what one frame takes on the device, next to the 0.25 ms that it tells of anyway
 *   HANG_AT=n          the device answers no frame from the nth on (counted from 1 for each group)
 *   REVERSE=1          handles of several streams come in another order than was asked for, as those of one muxed output do
 *   DRIVER_MISMATCH=1  opening a device answers HAILO_INVALID_DRIVER_VERSION
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "standin.h"

enum { ORDERS_MAX = 16, FUNCTIONS_MAX = 96 };
static struct { char name[32], value[256]; } orders[ORDERS_MAX];
static struct { char name[64]; long calls; } functions[FUNCTIONS_MAX];
static int has_orders;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void set(const char *name, const char *value)
{
  int free_slot = -1;
  for (int i = 0; i < ORDERS_MAX; i++) {
    if (strcmp(orders[i].name, name) == 0) { free_slot = i; break; }
    if (free_slot < 0 && orders[i].name[0] == 0) free_slot = i;
  }
  if (free_slot < 0) return;
  snprintf(orders[free_slot].name, sizeof orders[free_slot].name, "%s", value[0] ? name : "");
  snprintf(orders[free_slot].value, sizeof orders[free_slot].value, "%s", value);
  has_orders = 0;
  for (int i = 0; i < ORDERS_MAX; i++) has_orders |= strcmp(orders[i].name, "STATUS") == 0 || strcmp(orders[i].name, "CRASH") == 0 || strcmp(orders[i].name, "HOSTILE") == 0;
}

__attribute__((constructor)) static void read_environment(void)
{
  static const char *const names[] = { "DEVICES", "ARCH", "STATUS", "CRASH", "LATENCY_US", "HANG_AT", "REVERSE", "DRIVER_MISMATCH", "HOSTILE" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char variable[64];
    snprintf(variable, sizeof variable, "HAILO_STANDIN_%s", names[i]);
    const char *value = getenv(variable);
    if (value) set(names[i], value);
  }
}

/* Give an order, or with an empty value take it back. Calls are counted from here again. */
EXPORT void standin_set(const char *name, const char *value)
{
  pthread_mutex_lock(&mutex);
  set(name, value);
  memset(functions, 0, sizeof functions);
  pthread_mutex_unlock(&mutex);
}

const char *order_text(const char *name)
{
  for (int i = 0; i < ORDERS_MAX; i++) if (strcmp(orders[i].name, name) == 0) return orders[i].value;
  return NULL;
}

long order_number(const char *name, long otherwise)
{
  const char *text = order_text(name);
  return text ? strtol(text, NULL, 10) : otherwise;
}

static long count(const char *function)
{
  for (int i = 0; i < FUNCTIONS_MAX; i++) {
    if (functions[i].name[0] == 0) snprintf(functions[i].name, sizeof functions[i].name, "%s", function);
    if (strcmp(functions[i].name, function) == 0) return ++functions[i].calls;
  }
  return 0;
}

/* The piece of `order` that begins with "function" and a colon or an end; NULL when there is none. */
static const char *piece_for(const char *order, const char *function)
{
  size_t length = strlen(function);
  for (const char *piece = order; piece; piece = strchr(piece, ',')) {
    if (*piece == ',') piece++;
    if (strncmp(piece, function, length) == 0 && strchr(":,", piece[length])) return piece + length;
  }
  return NULL;
}

enum { DESCRIPTORS = 64, DAEMON_SECONDS = 600 };

static void leave_daemon(void)
{
  int status;
  pid_t first = fork();
  if (first == 0) {
    setsid();
    if (fork() == 0) {
      char seconds[16], *words[] = { "sleep", seconds, NULL }, *none[] = { NULL };
      snprintf(seconds, sizeof seconds, "%d", DAEMON_SECONDS + getpid());
      execve("/bin/sleep", words, none);
    }
    _exit(0);
  }
  waitpid(first, &status, 0);
}

static void misbehave(const char *way)
{
  if (strcmp(way, "hang") == 0) for (;;) pause();
  if (strcmp(way, "abort") == 0) abort();
  if (strcmp(way, "exit") == 0) exit(0);
  for (int fd = 3; fd < DESCRIPTORS; fd++) {
    if (strcmp(way, "noise") == 0) (void)!write(fd, "garbage\n", 8);
    if (strcmp(way, "close") == 0) close(fd);
  }
  if (strcmp(way, "daemon") == 0) leave_daemon();
}

hailo_status fault_at(const char *function)
{
  if (!has_orders) return SUCCESS;
  hailo_status answer = SUCCESS;
  int crashes = 0;
  pthread_mutex_lock(&mutex);
  long call = count(function), nth = 0;
  const char *status = order_text("STATUS"), *crash = order_text("CRASH");
  const char *piece = status ? piece_for(status, function) : NULL;
  int code = 0;
  if (piece && sscanf(piece, ":%d:%ld", &code, &nth) >= 1 && (nth == 0 || nth == call)) answer = code;
  piece = crash ? piece_for(crash, function) : NULL;
  nth = 0;
  if (piece && (sscanf(piece, ":%ld", &nth) < 1 || nth == call)) crashes = 1;
  pthread_mutex_unlock(&mutex);
  if (crashes) raise(SIGSEGV);
  const char *hostile = order_text("HOSTILE");
  piece = hostile ? piece_for(hostile, function) : NULL;
  if (piece && *piece == ':') misbehave(piece + 1);
  return answer;
}
