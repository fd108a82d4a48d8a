#!/usr/bin/env bash
# What the step of action.yml runs. The inputs are in INPUT_*, and what it found out goes to GITHUB_OUTPUT.
set -euo pipefail

# A key that is no secret of the repository would be shown wherever something prints it.
for secret in "${INPUT_KEY:-}" "${INPUT_PASSPHRASE:-}"; do
  if [[ -n $secret ]]; then printf '::add-mask::%s\n' "$secret"; fi
done
# Set only if given: an empty MOULT_KEY would hide the one of the job.
if [[ -n ${INPUT_KEY:-} ]]; then export MOULT_KEY=$INPUT_KEY; fi
if [[ -n ${INPUT_PASSPHRASE:-} ]]; then export MOULT_PASSPHRASE=$INPUT_PASSPHRASE; fi
unset INPUT_KEY INPUT_PASSPHRASE

args=(release)
if [[ -n ${INPUT_VERSION:-} ]]; then args+=("$INPUT_VERSION"); fi
for option in channel percent stages expires notes-file min-version rollback-floor container-image base-url delta-fleet config; do
  # Not ${option^^}: macOS has a bash of 2007.
  name=INPUT_$(printf '%s' "$option" | tr 'a-z-' 'A-Z_')
  if [[ -n ${!name:-} ]]; then args+=("--$option=${!name}"); fi
done
flag() {
  case $1 in
    true | True | TRUE) return 0 ;;
    false | False | FALSE | '') return 1 ;;
  esac
  printf '::error::expected true or false, got %q\n' "$1"
  exit 2
}
if ! flag "${INPUT_DELTA:-true}"; then args+=(--no-delta); fi
if ! flag "${INPUT_ROLLOUT:-true}"; then args+=(--no-rollout); fi
if flag "${INPUT_PLAN:-false}"; then args+=(--plan); fi

# The moult of the project, of this folder or one above. Another one only by its exact version: this step holds the key.
find_moult() {
  local dir=$PWD parent
  while [[ ! -x $dir/node_modules/.bin/moult ]]; do
    parent=$(dirname "$dir")
    if [[ $parent == "$dir" ]]; then
      command -v moult
      return
    fi
    dir=$parent
  done
  printf '%s\n' "$dir/node_modules/.bin/moult"
}
if found=$(find_moult); then
  moult=("$found")
elif [[ ${INPUT_MOULT_VERSION:-} =~ ^[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]+)?$ ]]; then
  moult=(npx --yes "moult@$INPUT_MOULT_VERSION")
else
  echo '::error::moult is not installed: run npm ci before, or give its exact version as moult-version'
  exit 2
fi

result=$(mktemp)
trap 'rm -f "$result"' EXIT
status=0
"${moult[@]}" "${args[@]}" --json > "$result" || status=$?

node --input-type=module - "$result" <<'JS'
import { appendFileSync, readFileSync } from 'node:fs'

const text = readFileSync(process.argv[2], 'utf8').trim()
const result = text === '' ? {} : JSON.parse(text)
// One line each: JSON has no line ends of its own, and the members are names, versions and numbers.
const outputs = result.error === undefined
  ? { kind: result.kind, version: result.version, channel: result.channel, sequence: result.rollout?.sequence, result: text }
  : { 'error-code': result.error.code }
const lines = Object.entries(outputs).map(([name, value]) => `${name}=${value ?? ''}\n`)
if (process.env.GITHUB_OUTPUT) appendFileSync(process.env.GITHUB_OUTPUT, lines.join(''))
const { error } = result
// The runner takes a line end for the end of a command, and `%` for the beginning of an escape.
const escape = (line) => line.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
if (error !== undefined) {
  if (typeof error.details?.output === 'string') console.log(error.details.output.trimEnd())
  console.log(`::error::${escape(`${error.message} (${error.code})${error.hint === undefined ? '' : `. ${error.hint}`}`)}`)
} else {
  console.log(`${result.kind}: ${result.name} ${result.version} on ${result.channel} in ${result.target}`)
  for (const { action, path, size } of result.files ?? []) console.log(`  ${action.padEnd(5)} ${path}  ${size} bytes`)
}
JS
exit "$status"
