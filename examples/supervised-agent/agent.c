/* An agent that knows nothing of updates: Moult's supervisor keeps it up to date from outside.
 *
 *   cc -O2 -static -DVERSION='"1.0.0"' -o sensor-agent agent.c
 *   moult agent install --home /var/lib/sensor-agent --server https://updates.example --root 1.root.json \
 *     --program ./sensor-agent
 *   moult agent run --home /var/lib/sensor-agent
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "0.0.0-dev"
#endif

static volatile sig_atomic_t stopping = 0;

static void on_stop(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--version") == 0) {
    puts(VERSION);
    return 0;
  }
  signal(SIGTERM, on_stop);
  signal(SIGINT, on_stop);
  printf("sensor-agent %s starts\n", VERSION);
  fflush(stdout);
#ifdef CRASH
  return 3; /* a bug that only shows once the agent really runs */
#endif
  for (unsigned long reading = 1; !stopping; reading++) {
    printf("sensor-agent %s reading %lu\n", VERSION, reading);
    fflush(stdout);
    usleep(200 * 1000);
  }
  printf("sensor-agent %s stops\n", VERSION);
  return 0;
}
