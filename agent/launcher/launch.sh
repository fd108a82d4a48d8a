#!/bin/sh
# Moult's launcher. A supervisor starts `<home>/launch [args...]`; this starts the version that <home>/current names and
# counts the tries of one on trial. It has to work when that version does not: it needs a POSIX shell and cat, chmod,
# mv, rm, sleep and sync; sha256sum or shasum to notice damage; cp and mkdir for MOULT_VOLUME. Every fault below ends in
# some version running, as the agent's work never stops for an update.
# Exit status: that of the version; 78 when home holds nothing that can be started.
# MOULT_LAUNCH=stay: stay as the parent and start the next version after exit 100 (for pods, which count it as a crash).
# MOULT_VOLUME=<path>: this home is part of a container image and only the start; the one that is used lies there.
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

# Whether version $1 comes after $2: the order of Semantic Versioning, where build metadata does not count.
newer() {
  core=${1%%+*} than_core=${2%%+*} tags='' than_tags=''
  case $core in *-*) tags=${core#*-} core=${core%%-*} ;; esac
  case $than_core in *-*) than_tags=${than_core#*-} than_core=${than_core%%-*} ;; esac
  if [ "$core" != "$than_core" ]; then later "$core" "$than_core"; return; fi
  [ -n "$than_tags" ] || return 1
  [ -z "$tags" ] || later "$tags" "$than_tags"
}

# Whether the first part that differs in two dotted lists is greater in $1: numbers by value, and before words.
later() {
  left=$1. right=$2.
  while part=${left%%.*} than=${right%%.*} && [ "$part" = "$than" ]; do
    left=${left#*.} right=${right#*.}
    [ -n "$left$right" ] || return 1
  done
  [ -n "$right" ] || return 0
  [ -n "$left" ] || return 1
  case $part in *[!0123456789]*) word=1 ;; *) word=0 ;; esac
  case $than in *[!0123456789]*) than_word=1 ;; *) than_word=0 ;; esac
  [ "$word" = "$than_word" ] || return "$than_word"
  [ "$word" = 1 ] || [ "${#part}" -eq "${#than}" ] || { [ "${#part}" -gt "${#than}" ]; return; }
  # shellcheck disable=SC3012 # \>: in dash, busybox, bash and POSIX 2024
  [ "$part" \> "$than" ]
}

# Reads the launch record $1. Its last line is `end`, newline included: without that, or with anything behind it, or
# without a version, the record is damaged and nothing in it is believed. Of a repeated key the last one counts.
read_record() {
  version='' previous='' trial='' tries=3 failed='' reason='' ended=''
  parse_record "$1" && return
  version='' previous='' trial='' failed='' reason=''
  return 1
}

parse_record() {
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

# Whether version $1 of home (or of $2) can be started; sets program to the path of its executable.
usable() {
  directory=${2:-$MOULT_HOME}/versions/$1 entry='' sums='' artifact='' floor=''
  well_formed "$1" && [ -f "$directory/.receipt" ] && [ -r "$directory/.receipt" ] || return 1
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      entry=*) entry=${line#*=} ;;
      sums=*) sums=${line#*=} ;;
      sha256=*) artifact=${line#*=} ;;
      rollback_floor=*) floor=${line#*=} ;;
    esac
  done <"$directory/.receipt"
  case /$entry/ in //* | */../*) return 1 ;; esac
  program=$directory/$entry
  # An empty file is what a power cut leaves behind, and a shell would run it as a script that succeeds.
  [ -f "$program" ] && [ -s "$program" ] && [ -x "$program" ]
}

# Whether version $1, at which `usable` has just looked, has the files that were installed: by its list of hashes, and
# the receipt has the hash of the list, as the tools pass over a line that they cannot read. Taken for granted where no
# tool can tell, and of a version that was installed without a list.
intact() {
  case ,$damaged, in *",$1,"*) return 1 ;; esac
  list=$directory/.sha256sums
  [ -n "$sums" ] || [ -f "$list" ] || return 0
  if command -v sha256sum >/dev/null 2>&1; then
    tool=sha256sum
  elif command -v shasum >/dev/null 2>&1; then
    tool='shasum -a 256'
  else
    return 0
  fi
  if [ -f "$list" ] && [ -r "$list" ]; then
    digest=$($tool <"$list")
    [ "${digest%% *}" = "$sums" ] && (CDPATH='' cd -- "$directory" && $tool -c .sha256sums) >/dev/null 2>&1 && return
  fi
  say "version $1 is damaged: its files are not those that were installed"
  damaged=${damaged:+$damaged,}$1
  return 1
}

whole() {
  usable "$1" && intact "$1"
}

# Flushes one file or directory; with -f the file system that it is on. Where sync takes no argument (old coreutils,
# BSD, macOS) it flushes everything instead. A real failure MUST NOT be followed by another flush of the same file: that
# one succeeds though the bytes are lost.
flush() {
  sync "$@" 2>/dev/null && return
  sync / 2>/dev/null && return 1
  sync
}

# Replaces file $1 of home, with mode $2, by the lines given: after a crash there is the old one or the new one, whole.
replace() (
  umask 077
  set -C # with the rm: never write through a link or into a pipe that lies in wait under that name
  file=$MOULT_HOME/$1 mode=$2
  shift 2
  rm -f "$file.new" && printf '%s\n' "$@" >"$file.new" && chmod "$mode" "$file.new" && flush "$file.new" &&
    mv -f "$file.new" "$file" && flush "$MOULT_HOME" && exit 0
  rm -f "$file.new" 2>/dev/null
  exit 1
)

write_record() {
  replace current 644 "$@" end
}

# Prints the choice: `<try or -> <is it on record> <damaged versions or -> <version> <program>`, for version $1 at which
# `usable` has just looked.
answer() {
  printf '%s %s %s %s %s' "${2:--}" "${3:-no}" "${damaged:--}" "$1" "$program"
}

# Sets found to a version that was confirmed before `version` and is whole. One below the rollback floor of a release
# that has run may not understand its data: it is none to go back to, though better than nothing (`fall_back`).
proven() {
  limit=''
  for found in "$previous" "$confirmed" "$confirmed_before"; do
    if [ "$found" = "$version" ] || { [ -n "$limit" ] && newer "$limit" "$found"; }; then continue; fi
    whole "$found" && return
    [ -z "$floor" ] || { [ -n "$limit" ] && newer "$limit" "$floor"; } || limit=$floor
  done
  return 1
}

# Version `found` runs in place of `version`, which has failed for the reason `fault`.
go_back() {
  say "version $version has failed ($fault), going back to $found"
  write_record "version=$found" "failed=$version" "reason=$fault" || say 'cannot write that down'
  answer "$found"
}

# Answers for a version on trial, which is not started before the try is on record. Sets fault when it has failed.
try_version() {
  try=$((trial + 1))
  if ! usable "$version"; then
    fault=missing
  elif ! intact "$version"; then
    fault=damaged
  elif [ "$trial" -ge "$tries" ]; then
    fault=tries
  elif write_record "version=$version" ${previous:+"previous=$previous"} "trial=$try" "tries=$tries" \
    ${failed:+"failed=$failed"} ${reason:+"reason=$reason"}; then
    answer "$version" "$try" yes
    return
  else
    say "cannot count a try of version $version: one that was confirmed runs, or else this one uncounted"
    if proven; then answer "$found"; else usable "$version" && answer "$version" "$try"; fi
    return
  fi
  if proven; then go_back && return; fi
  [ "$fault" = tries ] || return 1
  say "version $version has used up its tries and goes on, as there is none to go back to"
  usable "$version" && answer "$version" "$try"
}

# Sets found to what comes closest to the version that is lost, among those that are $1: whole, or at least usable.
closest() {
  for found in "$previous" "$confirmed"; do "$1" "$found" && return; done
  newest=''
  for receipt in "$MOULT_HOME"/versions/*/.receipt; do
    found=${receipt%/.receipt}
    found=${found##*/}
    # shellcheck disable=SC3013 # -nt: in dash, busybox, bash and POSIX 2024
    if [ -z "$newest" ] || [ "$receipt" -nt "$MOULT_HOME/versions/$newest/.receipt" ]; then
      "$1" "$found" && newest=$found
    fi
  done
  found=$newest
  usable "$found"
}

# Any version is better than none, and a damaged one better than no agent. Without a fault `current` is left as it is,
# for the updater to repair.
fall_back() {
  if closest whole || { [ -z "$launch_image" ] && closest usable; }; then
    if [ -n "$fault" ] && [ "$found" != "$version" ]; then go_back && return; fi
    say "falling back to version $found"
    answer "$found"
  elif [ -n "$launch_image" ]; then
    say "no version on the volume is whole: version $image of the image runs"
    [ -z "$fault" ] || failed=$version reason=$fault
    adopt '' || usable "$image" "$launch_image"
    answer "$image"
  else
    return 1
  fi
}

# Brings home up to date with the image, once for each image: what home has decided since, such as a rollback, MUST NOT
# be undone at its next start. Fails when the image's version is to run and cannot be copied.
follow_image() {
  umask 022
  if ! read_record "$launch_image/current" || ! usable "$version" "$launch_image"; then
    say "no version in the image can be started: $launch_image"
    launch_image=''
    return 0
  fi
  image=$version image_artifact=$artifact image_mark="$version $artifact"
  (mkdir -p "$MOULT_HOME/versions" && umask 077 && mkdir -p "$MOULT_HOME/staging") 2>/dev/null
  # A kubelet with an fsGroup opens all of it to a group at each mount, and the updater takes no home like that.
  chmod -R go-w "$MOULT_HOME" 2>/dev/null
  renew root.json 644
  renew agent.json 600
  renew launch 755
  read_record "$MOULT_HOME/current" || read_record "$MOULT_HOME/confirmed" || :
  if ! home_wins; then
    # What is on trial has proved nothing: the way back stays the one before it.
    [ -n "$trial" ] || [ "$version" = "$image" ] || previous=$version
    adopt "$previous" || return 1
    say "version $image comes with the image and runs from now on"
  fi
  [ "$(cat "$MOULT_HOME/image" 2>/dev/null)" = "$image_mark" ] || replace image 644 "$image_mark" || :
}

home_wins() {
  [ -n "$version" ] || return 1
  if [ "${version%%+*}" = "${image%%+*}" ]; then usable "$version"; return; fi
  newer "$image" "$version" || return 0
  [ "$(cat "$MOULT_HOME/image" 2>/dev/null)" != "$image_mark" ] || return 0
  [ "$failed" = "$image" ] || quarantined || return 1
  say "version $image of the image has failed here before: $version stays"
}

# Whether the list `quarantine` in the state has the hash of the image's artifact. Others are there, of other things.
quarantined() {
  for file in "$MOULT_HOME/state.json" "$MOULT_HOME/state.json.bak"; do
    [ -f "$file" ] || continue
    listed=''
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in *'"quarantine":'*) listed=yes ;; esac
      case $listed$line in yes*"\"${image_artifact:-none}\""*) return 0 ;; esac
      case $line in *']'*) listed='' ;; esac
    done <"$file"
  done
  return 1
}

# Replaces a file of home, with mode $2, by that of the image if they differ.
renew() {
  [ -e "$launch_image/$1" ] || return 0
  text=$(cat "$launch_image/$1") || return
  [ "$text" = "$(cat "$MOULT_HOME/$1" 2>/dev/null)" ] || replace "$1" "$2" "$text" || say "cannot renew $MOULT_HOME/$1"
}

# Copies the image's version into home and makes it the one that runs, with $1 to go back to. It is not on trial: it was
# the operator who chose the image. Until the record names the copy, that is only what lies about in home.
adopt() {
  place=$MOULT_HOME/versions/$image copy=$MOULT_HOME/staging/$image.staged
  rm -rf "$copy" "$copy.old" && cp -R "$launch_image/versions/$image" "$copy" && flush -f "$copy" &&
    { [ ! -e "$place" ] || mv "$place" "$copy.old"; } && mv "$copy" "$place" && flush "$MOULT_HOME/versions" &&
    usable "$image" && (damaged='' && intact "$image") && write_record "version=$image" ${1:+"previous=$1"} ${failed:+"failed=$failed"} \
    ${reason:+"reason=$reason"} && rm -rf "$copy.old" && return
  rm -rf "$copy" 2>/dev/null
  return 1
}

# Prints the answer.
choose() {
  LC_ALL=C damaged='' fault='' confirmed='' confirmed_before=''
  if [ -n "$launch_image" ] && ! follow_image; then
    say "version $image runs straight from the image, as it cannot be copied to $MOULT_HOME"
    usable "$image" "$launch_image" && answer "$image" && return
  fi
  if read_record "$MOULT_HOME/confirmed"; then confirmed=$version confirmed_before=$previous; fi
  if ! read_record "$MOULT_HOME/current"; then
    say 'the launch record is absent or damaged'
  elif [ -n "$trial" ]; then
    try_version && return
  else
    usable "$version" && answer "$version" && return
    say "version $version cannot be started"
  fi
  fall_back && return
  say "no version in $MOULT_HOME can be started (if called through a symbolic link, set MOULT_HOME)"
  return 78
}

# $1 is the signal to pass on, $2 the exit status if it is one that stops: a stop MUST win over any restart.
on_signal() {
  launch_woken=yes launch_stop=${launch_stop:-$2}
  [ -z "$launch_child" ] || kill -s "$1" "$launch_child" 2>/dev/null
}

# The child says by an ALRM that it has got rid of these traps: shells lose a signal that comes before (dash almost
# always, bash hardly ever). So a stop waits until then. Both values are taken at one stroke, as another trap can run
# between any two commands.
on_ready() {
  launch_woken=yes launch_child=$! launch_early=$launch_stop
  [ -z "$launch_early" ] || kill "$launch_child" 2>/dev/null
}

ready() {
  [ -z "$launch_hears" ] || kill -s ALRM "$$"
}

# Waits for the child, however many signals interrupt that. 127 after an interrupted wait: it had ended already.
wait_for_child() {
  launch_status=''
  [ -n "$launch_hears" ] || on_ready
  # bash forgets the status of a child that ends while a trap interrupts `wait`: there the ALRM comes before.
  while [ -n "${BASH_VERSION:-}" ] && [ -z "$launch_child" ] && kill -s 0 "$!" 2>/dev/null; do :; done
  while launch_woken=''; do
    wait "$!"
    launch_code=$?
    [ "$launch_code" -eq 127 ] && [ -n "$launch_status" ] || launch_status=$launch_code
    [ -n "$launch_woken" ] || break
  done
  launch_child=''
}

# In the background, as a shell runs no trap while it waits for a foreground command.
pause() {
  (ready; sleep "$1") >/dev/null 2>&1 9<&- &
  wait_for_child
}

case $0 in */*) launch_home=${0%/*}/ ;; *) launch_home=. ;; esac
# Only then: an agent that starts another agent's launcher hands it its own MOULT_HOME.
if [ -h "$0" ] && [ -n "$MOULT_HOME" ]; then launch_home=$MOULT_HOME; fi
MOULT_HOME=$(CDPATH='' cd -- "$launch_home" && pwd -P) || exit 78
launch_image=''
if [ -n "${MOULT_VOLUME:-}" ]; then
  launch_image=$MOULT_HOME
  # Not the volume's own top: that is writable for everybody.
  (umask 022 && mkdir -p -- "$MOULT_VOLUME")
  MOULT_HOME=$(CDPATH='' cd -- "$MOULT_VOLUME" && pwd -P) || MOULT_HOME=$MOULT_VOLUME
  # Where others can write to the volume, they can be the first to make it, and would choose what runs.
  # shellcheck disable=SC3067 # -O: in dash, busybox and bash
  if [ -d "$MOULT_HOME" ] && [ ! -O "$MOULT_HOME" ]; then
    say "$MOULT_HOME belongs to another user and is not used"
    MOULT_HOME=$launch_image
  fi
  [ "$MOULT_HOME" != "$launch_image" ] || launch_image=''
fi
unset MOULT_VOLUME # it is not meant for the launcher of another agent that this one starts
export MOULT_HOME MOULT_VERSION MOULT_LAUNCHER=1

# The choice is not left half-done by a stop: beside the next start it would go on alone.
launch_child='' launch_stop='' launch_delay=0
trap 'on_signal TERM 143' TERM
trap 'on_signal TERM 130' INT
if [ "${MOULT_LAUNCH:-}" = stay ]; then
  # A shell starts background programs with INT and QUIT ignored, so these reach the version as TERM.
  trap 'on_signal TERM 131' QUIT
  trap 'on_signal HUP' HUP
  trap 'on_signal USR1' USR1
  trap 'on_signal USR2' USR2
  launch_hears='' # nothing, if the supervisor has made us ignore ALRM
  trap 'launch_hears=yes' ALRM
  kill -s ALRM "$$"
  trap on_ready ALRM
  # It also gives them /dev/null as standard input: the real one is kept as 9.
  (: 9<&0) 2>/dev/null || exec </dev/null
  exec 9<&0
fi

while :; do
  launch_choice=$(choose) || exit "${launch_stop:-$?}"
  MOULT_TRIAL=${launch_choice%% *} launch_choice=${launch_choice#* }
  launch_on_record=${launch_choice%% *} launch_choice=${launch_choice#* }
  MOULT_DAMAGED=${launch_choice%% *} launch_choice=${launch_choice#* }
  MOULT_VERSION=${launch_choice%% *} launch_program=${launch_choice#* }
  if [ "$MOULT_TRIAL" = - ]; then unset MOULT_TRIAL; else export MOULT_TRIAL; fi
  if [ "$MOULT_DAMAGED" = - ]; then unset MOULT_DAMAGED; else export MOULT_DAMAGED; fi
  if [ "${MOULT_LAUNCH:-}" != stay ]; then
    trap - TERM INT
    [ -z "$launch_stop" ] || exit "$launch_stop"
    exec "$launch_program" "$@"
  fi

  launch_record=$(cat "$MOULT_HOME/current" 2>/dev/null)
  [ -z "$launch_stop" ] || exit "$launch_stop"
  (ready; exec "$launch_program" "$@") <&9 9<&- &
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
