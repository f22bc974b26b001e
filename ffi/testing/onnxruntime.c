/*
 * A library that says it is ONNX Runtime, as far as the canaries ask.
 *
 * It has no inference. By definitions it lies in one way at a time, so that a test can see each lie refused:
 * VERSION (a string), NULL_BASE, NULL_TABLE, WILD_TABLE, EMPTY_SLOT (a slot that is null), STRAY_SLOT (a slot that points out of
 * the library), SHIFTED (the table from slot 3 on is one slot late), WRONG_WORDS, WRONG_CODE, NEVER_FAILS.
 * LOG_FILE names a file that gets one line for each table that is asked for.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "1.30.0"
#endif

enum { SLOTS = 300, INVALID_ARGUMENT = 2, GET_BUILD_INFO = 254 };

struct status {
  int code;
  char message[100];
};

static struct status *create_status(int code, const char *message) {
  struct status *status = calloc(1, sizeof *status);
#ifdef WRONG_CODE
  code += 1;
#endif
  status->code = code;
#ifdef WRONG_WORDS
  message = "something else";
#endif
  strncpy(status->message, message, sizeof status->message - 1);
  return status;
}

static int get_error_code(const struct status *status) { return status->code; }
static const char *get_error_message(const struct status *status) { return status->message; }
static void release_status(struct status *status) { free(status); }

static struct status *create_session_options(void **out) {
  *out = malloc(1);
  return NULL;
}

static void release_session_options(void *options) { free(options); }

static struct status *set_optimization(void *options, int level) {
  (void)options;
  (void)level;
#ifdef NEVER_FAILS
  return NULL;
#else
  return create_status(INVALID_ARGUMENT, "graph_optimization_level is not valid");
#endif
}

static const char *build_info(void) { return "ORT Build Info: a stand-in"; }
static const char *nothing(void) { return "nothing"; }

static void *table[SLOTS + 1];

static const void *get_api(uint32_t version) {
#ifdef LOG_FILE
  FILE *log = fopen(LOG_FILE, "a");
  if (log) {
    fprintf(log, "%u\n", (unsigned)version);
    fclose(log);
  }
#endif
#ifdef NULL_TABLE
  return NULL;
#elif defined(WILD_TABLE)
  return (const void *)(uintptr_t)0x10;
#endif
  (void)version;
  for (int i = 0; i < SLOTS; i++) table[i] = (void *)nothing;
  table[0] = (void *)create_status;
  table[1] = (void *)get_error_code;
  table[2] = (void *)get_error_message;
  table[10] = (void *)create_session_options;
  table[23] = (void *)set_optimization;
  table[93] = (void *)release_status;
  table[100] = (void *)release_session_options;
  table[GET_BUILD_INFO] = (void *)build_info;
#ifdef SHIFTED
  memmove(&table[4], &table[3], (SLOTS - 3) * sizeof table[0]);
#endif
#ifdef EMPTY_SLOT
  table[EMPTY_SLOT] = NULL;
#endif
#ifdef STRAY_SLOT
  table[STRAY_SLOT] = (void *)getenv;
#endif
  return table;
}

static const char *get_version(void) { return VERSION; }

const void *OrtGetApiBase(void);
const void *OrtGetApiBase(void) {
  static const void *const base[2] = {(const void *)get_api, (const void *)get_version};
#ifdef NULL_BASE
  return base[0] == NULL ? base : NULL;
#else
  return base;
#endif
}
