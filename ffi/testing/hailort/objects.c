/*
 * Which objects does a caller hold, and did it use one that was released?
 *
 * The real library would crash or corrupt memory there. This one counts, so that a test can demand zero.
 */
#include <string.h>
#include "standin.h"

static struct object *first;
static long live[KINDS], misuses;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static const char *const names[KINDS] = { "device", "vdevice", "hef", "group", "activation", "input", "output" };

void object_add(struct object *object, enum kind kind)
{
  pthread_mutex_lock(&mutex);
  object->kind = kind;
  object->next = first;
  first = object;
  live[kind]++;
  pthread_mutex_unlock(&mutex);
}

int object_remove(struct object *object, enum kind kind)
{
  int found = 0;
  pthread_mutex_lock(&mutex);
  for (struct object **at = &first; *at; at = &(*at)->next) {
    if (*at != object || object->kind != kind) continue;
    *at = object->next;
    live[kind]--;
    found = 1;
    break;
  }
  if (!found) misuses++;
  pthread_mutex_unlock(&mutex);
  return found;
}

int object_is(const struct object *object, enum kind kind)
{
  int found = 0;
  pthread_mutex_lock(&mutex);
  for (const struct object *at = first; at && !found; at = at->next) found = at == object && at->kind == kind;
  pthread_mutex_unlock(&mutex);
  return found;
}

void count_misuse(void)
{
  pthread_mutex_lock(&mutex);
  misuses++;
  pthread_mutex_unlock(&mutex);
}

/* How many objects of a kind ("vdevice", "hef", "group", "input", "output", …), or of all for NULL, are not released yet. */
EXPORT int64_t standin_live(const char *kind)
{
  int64_t sum = 0;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < KINDS; i++) if (kind == NULL || strcmp(kind, names[i]) == 0) sum += live[i];
  pthread_mutex_unlock(&mutex);
  return sum;
}

/* How often a handle was used that is not one: released before, or of another kind. */
EXPORT int64_t standin_misuses(void)
{
  pthread_mutex_lock(&mutex);
  int64_t count = misuses;
  pthread_mutex_unlock(&mutex);
  return count;
}
