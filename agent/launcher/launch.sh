#!/bin/sh
# Moult's launcher. A supervisor starts `<home>/launch [args...]`; this starts the version that <home>/current names and
# counts the tries of one on trial. It has to work when that version does not: it needs a POSIX shell and cat, chmod,
# mv, rm, sleep and sync. Every fault below ends in some version running, as the agent's work never stops for an update.
# Exit status: that of the version; 78 when home holds nothing that can be started.
# MOULT_LAUNCH=stay: stay as the parent and start the next version after exit 100 (for pods, which count it as a crash).
#
# The choice is made in a subshell and the main part calls its variables launch_*: a variable that the supervisor has
# exported, say `version`, would otherwise reach the agent with our value in it.

# In a subshell, and never a failure: when nobody reads the log any more, SIGPIPE ends only that.
say() {
  (printf 'moult-launch: %s\n' "$*" >&2) || :
}

# Characters are spelled out, as a range such as a-z holds more than ASCII in some locales.
well_formed() {
  [ "${#1}" -le 128 ] || return 1
  case $1 in '' | .* | *[!0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.+-]*) return 1 ;; esac
}

# Sets number to $1, or to $2 when $1 is not a plain number of at most four digits (08 is octal to some shells).
number() {
  case $1 in '' | *[!0123456789]* | 0?* | ?????*) number=$2 ;; *) number=$1 ;; esac
}

# Reads the launch record $1. Its last line is `end`, newline included: without that, or with anything behind it, or
# without a version, the record is damaged and nothing in it is believed. Of a repeated key the last one counts.
read_record() {
  version='' previous='' trial='' tries=3 failed='' reason='' ended=''
  [ -f "$1" ] && [ -r "$1" ] || return 1
  while IFS= read -r line; do
    [ -z "$ended" ] || return 1
    case $line in
      end) ended=yes ;;
      version=*) version=${line#*=} ;;
      previous=*) previous=${line#*=} ;;
      # A count that cannot be read starts again from 0: a version on trial MUST NOT run uncounted for ever.
      trial=*) number "${line#*=}" 0 && trial=$number ;;
      tries=*) number "${line#*=}" 3 && tries=$number ;;
      failed=*) failed=${line#*=} ;;
      reason=*) reason=${line#*=} ;;
    esac
  done <"$1"
  [ -n "$ended" ] && [ -z "$line" ] && well_formed "$version" || return 1
  well_formed "$previous" && [ "$previous" != "$version" ] || previous=''
  well_formed "$failed" || failed='' reason=''
}

# Whether version $1 can be started; sets program to the path of its executable.
usable() {
  well_formed "$1" || return 1
  receipt=$MOULT_HOME/versions/$1/.receipt entry=''
  [ -f "$receipt" ] && [ -r "$receipt" ] || return 1
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in entry=*) entry=${line#*=} ;; esac
  done <"$receipt"
  case /$entry/ in //* | */../*) return 1 ;; esac
  program=$MOULT_HOME/versions/$1/$entry
  # An empty file is what a power cut leaves behind, and a shell would run it as a script that succeeds.
  [ -f "$program" ] && [ -s "$program" ] && [ -x "$program" ]
}

# Flushes one file or directory. Where sync takes no argument (old coreutils, BSD, macOS) it flushes everything instead.
# A real failure MUST NOT be followed by another flush of the same file: that one succeeds though the bytes are lost.
flush() {
  sync "$1" 2>/dev/null && return
  sync / 2>/dev/null && return 1
  sync
}

# Replaces `current` by the lines given: after a crash there is the old record or the new one, whole.
write_record() (
  umask 077
  set -C # with the rm: never write through a link or into a pipe that lies in wait under that name
  new=$MOULT_HOME/current.new
  rm -f "$new" && printf '%s\n' "$@" end >"$new" && chmod 644 "$new" && flush "$new" &&
    mv -f "$new" "$MOULT_HOME/current" && flush "$MOULT_HOME" && exit 0
  rm -f "$new" 2>/dev/null
  exit 1
)

# Answers `<try or -> <is it on record> <version> <program>` for version $1, if that can be started.
pick() {
  usable "$1" && printf '%s %s %s %s' "${2:--}" "${3:-no}" "$1" "$program"
}

pick_on_trial() {
  fault='' try=$((trial + 1))
  if ! usable "$version"; then fault=missing; elif [ "$trial" -ge "$tries" ]; then fault=tries; fi
  if [ -n "$fault" ] && usable "$previous"; then
    say "version $version has failed ($fault), going back to $previous"
    write_record "version=$previous" "failed=$version" "reason=$fault" || say 'cannot write that down'
    pick "$previous"
  elif [ -n "$fault" ]; then
    pick "$version" "$try" && say "version $version has used up its tries and goes on, as no previous one is usable"
  elif write_record "version=$version" "trial=$try" "tries=$tries" ${previous:+"previous=$previous"} \
    ${failed:+"failed=$failed"} ${reason:+"reason=$reason"}; then
    pick "$version" "$try" yes
  else
    say "cannot count a try of version $version: the previous one runs, or else this one uncounted"
    pick "$previous" || pick "$version" "$try"
  fi
}

# Prints the answer. A fallback leaves `current` as it is, for the updater to repair.
choose() {
  if read_record "$MOULT_HOME/current"; then
    if [ -n "$trial" ]; then pick_on_trial && return; else pick "$version" && return; fi
    say "version $version cannot be started"
  else
    say 'the launch record is absent or damaged'
    previous=''
  fi
  set -- "$previous"
  ! read_record "$MOULT_HOME/confirmed" || set -- "$@" "$version"
  newest=''
  for candidate in "$MOULT_HOME"/versions/*/.receipt; do
    name=${candidate%/.receipt}
    name=${name##*/}
    usable "$name" || continue
    # shellcheck disable=SC3013 # -nt: in dash, busybox, bash and POSIX 2024
    if [ -z "$newest" ] || [ "$candidate" -nt "$MOULT_HOME/versions/$newest/.receipt" ]; then newest=$name; fi
  done
  for version in "$@" "$newest"; do
    pick "$version" && say "falling back to version $version" && return
  done
  say "no version in $MOULT_HOME can be started (if called through a symbolic link, set MOULT_HOME)"
  return 78
}

# $1 is the signal to pass on, $2 the exit status if it is one that stops: a stop MUST win over any restart.
on_signal() {
  launch_woken=yes launch_stop=${launch_stop:-$2}
  [ -z "$launch_child" ] || kill -s "$1" "$launch_child" 2>/dev/null
}

# Waits for the child, however many signals interrupt that. 127 after an interrupted wait: it had ended already.
wait_for_child() {
  launch_child=$!
  launch_status=''
  [ -z "$launch_stop" ] || kill "$launch_child" 2>/dev/null # the signal came before the child had a number
  while launch_woken=''; do
    wait "$launch_child"
    launch_code=$?
    [ "$launch_code" -eq 127 ] && [ -n "$launch_status" ] || launch_status=$launch_code
    [ -n "$launch_woken" ] || break
  done
  launch_child=''
}

# In the background, as a shell runs no trap while it waits for a foreground command.
pause() {
  sleep "$1" >/dev/null 2>&1 9<&- &
  wait_for_child
}

case $0 in */*) launch_home=${0%/*}/ ;; *) launch_home=. ;; esac
# Only then: an agent that starts another agent's launcher hands it its own MOULT_HOME.
if [ -h "$0" ] && [ -n "$MOULT_HOME" ]; then launch_home=$MOULT_HOME; fi
MOULT_HOME=$(CDPATH='' cd -- "$launch_home" && pwd -P) || exit 78
export MOULT_HOME MOULT_VERSION MOULT_LAUNCHER=1

launch_child='' launch_stop='' launch_delay=0
if [ "${MOULT_LAUNCH:-}" = stay ]; then
  # A shell starts background programs with INT and QUIT ignored, so these reach the version as TERM.
  trap 'on_signal TERM 143' TERM
  trap 'on_signal TERM 130' INT
  trap 'on_signal TERM 131' QUIT
  trap 'on_signal HUP' HUP
  trap 'on_signal USR1' USR1
  trap 'on_signal USR2' USR2
  # It also gives them /dev/null as standard input: the real one is kept as 9.
  (: 9<&0) 2>/dev/null || exec </dev/null
  exec 9<&0
fi

while :; do
  launch_choice=$(choose) || exit "${launch_stop:-$?}"
  MOULT_TRIAL=${launch_choice%% *} launch_choice=${launch_choice#* }
  launch_on_record=${launch_choice%% *} launch_choice=${launch_choice#* }
  MOULT_VERSION=${launch_choice%% *} launch_program=${launch_choice#* }
  if [ "$MOULT_TRIAL" = - ]; then unset MOULT_TRIAL; else export MOULT_TRIAL; fi
  [ "${MOULT_LAUNCH:-}" = stay ] || exec "$launch_program" "$@"

  launch_record=$(cat "$MOULT_HOME/current" 2>/dev/null)
  [ -z "$launch_stop" ] || exit "$launch_stop"
  (exec "$launch_program" "$@") <&9 9<&- &
  wait_for_child
  [ -z "$launch_stop" ] || exit "$launch_status"
  launch_changed=no
  [ "$launch_record" = "$(cat "$MOULT_HOME/current" 2>/dev/null)" ] || launch_changed=yes
  case $launch_status:$launch_changed:$launch_on_record in
    100:yes:*) launch_delay=0 ;;
    100:no:*)
      launch_delay=$((launch_delay == 0 ? 1 : launch_delay < 30 ? launch_delay * 2 : 60))
      say "exit 100, but the launch record is the same: next start in $launch_delay s"
      pause "$launch_delay"
      ;;
    0:* | 129:*) exit "$launch_status" ;; # 129: by a HUP, which is no crash
    *:no:yes) pause 1 ;;                  # a failed try; one that is not on record would repeat for ever
    *) exit "$launch_status" ;;
  esac
  [ -z "$launch_stop" ] || exit "$launch_stop"
done
