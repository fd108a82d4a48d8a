// Tells an operator an attack from an old copy from an outage: what a refusal means, and what to do about it.

import type { ErrorCode, MoultError } from '../manifests/index.ts'

/** `sound`: nothing was found. Each of the others is one kind of trouble, with its own next step. */
export type Finding = 'sound' | 'hostile' | 'stale' | 'expired' | 'malformed' | 'unreachable'

export interface Diagnosis {
  readonly finding: Exclude<Finding, 'sound'>
  /** One sentence: what was found, and what it means for agents. */
  readonly meaning: string
  /** One or two sentences: what to do. */
  readonly advice: string
}

const FORGED: Diagnosis = {
  finding: 'hostile',
  meaning:
    'What is served was not signed by the keys of this project, or was changed afterwards; agents refuse it and keep what they run.',
  advice:
    'Find out who can write to this place or to what lies between. Then publish again, and if a key may have leaked, replace it.',
}
const EQUIVOCAL: Diagnosis = {
  finding: 'hostile',
  meaning:
    'Two different statements with the same sequence are signed by the rollout key; agents keep the one that they saw first.',
  advice:
    'If nobody here signed both, the rollout key has leaked: replace it. Else give a new sequence: publish again.',
}
const MISPLACED: Diagnosis = {
  finding: 'hostile',
  meaning:
    'The parts are signed, but do not belong together or here (another project, channel or release); agents refuse them.',
  advice: 'If no configuration was mixed up here, somebody puts signed files where they do not belong. Publish again.',
}
const OTHER_BYTES: Diagnosis = {
  finding: 'hostile',
  meaning:
    'The manifest is authentic, but a file that it names has other bytes than were signed: tampering, damage, or a cache that mixes two releases. Agents never run them.',
  advice: 'Empty the caches and look again. If it stays, publish again, and find out who can write to this place.',
}
const OLDER: Diagnosis = {
  finding: 'stale',
  meaning: 'This is an authentic manifest, but older than one that is known; agents that saw the newer one refuse it.',
  advice:
    'For some minutes after a publish a cache may do this. If it lasts, the publish did not arrive, or someone holds updates back: publish again, and look from another network.',
}
const OUTDATED: Diagnosis = {
  finding: 'expired',
  meaning: 'Everything is authentic, but was not renewed in time; agents keep what they run and install nothing.',
  advice: 'Renew it with `moult refresh`. If that was done, the renewal does not arrive at this place.',
}
const OUTDATED_ROOT: Diagnosis = {
  ...OUTDATED,
  advice: 'Sign a new root document with `moult root`, and publish it.',
}
const IMPLAUSIBLE: Diagnosis = {
  finding: 'malformed',
  meaning: 'It is signed, but with dates that cannot be right; agents refuse it.',
  advice: 'Check the clock of the machine that publishes, and publish again. Then check the clock of this one.',
}
const NO_MANIFEST: Diagnosis = {
  finding: 'malformed',
  meaning: 'What is served is not a document of this format, such as an error page or half a file; agents refuse it.',
  advice:
    'Look at it with a browser: is this the right address, and does a proxy or portal answer instead? Publish again.',
}
const NO_ANSWER: Diagnosis = {
  finding: 'unreachable',
  meaning: 'A file could not be fetched, so nothing is known about it; agents keep what they run and try again.',
  advice: 'Check the address, the host and the network from here. If only one file is missing, publish again.',
}

const DIAGNOSES: Readonly<Partial<Record<ErrorCode, Diagnosis>>> = {
  ERR_NETWORK_UNREACHABLE: NO_ANSWER,
  ERR_NETWORK_TIMEOUT: NO_ANSWER,
  ERR_NETWORK_STATUS: NO_ANSWER,
  ERR_NETWORK_REDIRECT: NO_ANSWER,
  ERR_NETWORK_URL: NO_ANSWER,
  ERR_MANIFEST_TOO_LARGE: NO_MANIFEST,
  ERR_MANIFEST_SYNTAX: NO_MANIFEST,
  ERR_MANIFEST_SCHEMA: NO_MANIFEST,
  ERR_MANIFEST_FORMAT: NO_MANIFEST,
  ERR_TRUST_UNSIGNED: FORGED,
  ERR_TRUST_SIGNATURE: FORGED,
  ERR_TRUST_THRESHOLD: FORGED,
  ERR_TRUST_KEY: FORGED,
  ERR_TRUST_ROOT: FORGED,
  ERR_TRUST_ROOT_EXPIRED: OUTDATED_ROOT,
  ERR_TRUST_TARGET: MISPLACED,
  ERR_TRUST_BINDING: MISPLACED,
  ERR_TRUST_REPLAY: OLDER,
  ERR_TRUST_EQUIVOCATION: EQUIVOCAL,
  ERR_TRUST_EXPIRED: OUTDATED,
  ERR_TRUST_DATE: IMPLAUSIBLE,
  ERR_BYTES_SIZE: OTHER_BYTES,
  ERR_BYTES_HASH: OTHER_BYTES,
  ERR_BYTES_ENCODING: OTHER_BYTES,
}

/** Undefined for an error that says nothing about what is published, such as one of the configuration. */
export function diagnose(error: MoultError): Diagnosis | undefined {
  return DIAGNOSES[error.code]
}
