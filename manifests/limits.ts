// Bounds of the format (SPEC.md, "Limits"). A document beyond one of them is refused before anything in it is believed.

export const MANIFEST_MAX_BYTES = 256 * 1024
export const JSON_MAX_DEPTH = 32
export const ROOTS_PER_POLL_MAX = 64
export const SIGNATURES_MAX = 64
/** Signatures are not signed: a host can add bad ones by good keys, and each costs milliseconds of the agent's time. */
export const SIGNATURE_TRIES_PER_KEY_MAX = 2
export const KEYS_MAX = 64
export const PLATFORMS_MAX = 64
export const DOWNLOADS_MAX = 32
export const ATTACHMENTS_MAX = 16
export const STAGES_MAX = 100
export const RULES_MAX = 100
export const RULE_IDS_MAX = 1000
export const LABELS_MAX = 32
export const FLAGS_MAX = 100
export const CHANGELOG_MAX_CHARS = 16 * 1024

const DAY_MS = 24 * 60 * 60 * 1000
/** The longest life of one rollout statement: a stolen one dies by itself within it. */
export const ROLLOUT_LIFETIME_MAX_MS = 400 * DAY_MS
/** How far ahead of the agent's clock a statement may be dated before it is taken for the work of a broken clock. */
export const ISSUED_AHEAD_MAX_MS = 10 * 365 * DAY_MS
