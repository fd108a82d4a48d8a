// The pure core: formats, canonical bytes, signatures, roots, verification, decision. No file system, no network, no
// environment and no clock of its own: bytes and `now` come in, verdicts go out.

export type { AgentFacts, HostPolicy, RolloutPosition } from './agent-facts.ts'
export { flagsFor } from './agent-flags.ts'
export {
  type Beacon,
  BEACON_EVENTS,
  BEACON_MAX_CHARS,
  BEACON_STATES,
  type BeaconEvent,
  type BeaconState,
  beaconWord,
  formatBeacon,
  parseBeacon,
  toldEvents,
} from './beacon.ts'
export { beaconIdOf } from './beacon-id.ts'
export { BUCKETS, type Draw, draw, isBelowShare, rolloutBucket } from './bucket.ts'
export { canonicalJson, sha256, signedBytes } from './canonical-json.ts'
export { type ContainerImage, parseContainerImage, parseImageReference } from './container-image.ts'
export { formatDate, parseDate } from './dates.ts'
export { decide, type Decision, type OtherReleases, type ReleaseNeeded, withOtherReleases } from './decide.ts'
export { formatDuration, parseDuration } from './durations.ts'
export { assertStrongPublicKey, PUBLIC_KEY_BYTES, SEED_BYTES, SIGNATURE_BYTES, verifySignature } from './ed25519.ts'
export {
  ERROR_CODES,
  type ErrorCode,
  EXIT_ALERTS,
  EXIT_UPDATED,
  isMoultError,
  MoultError,
  type MoultErrorOptions,
  toMoultError,
} from './errors.ts'
export { type FlagDefinition, FLAG_NAME, type Flags, type FlagValue, flagsShape, flagValues } from './flags.ts'
export { type Forecast, forecast } from './forecast.ts'
export { decodeBase64, decodePublicKey, encodeBase64, HEX_SHA256, type KeyId, keyIdOf } from './keys.ts'
export * from './limits.ts'
export {
  type Attachment,
  type Binary,
  DELTA_ENCODING,
  type Download,
  entryPathShape,
  type HookName,
  type Hooks,
  type Manifest,
  type Release,
  RELEASE_FORMAT,
  RELEASE_UNSIGNED,
  releaseShape,
  type Rollout,
  ROLLOUT_FORMAT,
  ROLLOUT_UNSIGNED,
  rolloutShape,
} from './manifest.ts'
export { nearestName } from './nearest-name.ts'
export { type Platform, PLATFORM_PATTERN, platformOf } from './platform.ts'
export { isPortablePath } from './portable-path.ts'
export {
  acceptRoots,
  assertSelfSigned,
  isRoleTightened,
  readRoot,
  type Root,
  ROOT_FORMAT,
  ROLE_NAMES,
  type RoleName,
} from './root.ts'
export {
  agentIdShape,
  LABEL_NAME,
  type Labels,
  labelsShape,
  labelValueShape,
  type ReleaseRef,
  type Rule,
  type RuleMatch,
  type RuleSubject,
  rulesShape,
  rulingFor,
  type Stage,
} from './rule.ts'
export * as shape from './shape.ts'
export {
  assertSigned,
  checkShape,
  dateShape,
  hashShape,
  nameShape,
  type Signature,
  signersOf,
  type SigningRole,
  statementDigest,
  versionShape,
} from './statement.ts'
export { type JsonObject, type JsonValue, parseStrictJson } from './strict-json.ts'
export { isEndingSoon } from './validity.ts'
export {
  type Floor,
  NO_FLOOR,
  type Trust,
  type Verdict,
  type Verified,
  verifyAsIssued,
  verifyManifest,
} from './verify-manifest.ts'
export { verifyRelease } from './verify-release.ts'
export { isInRange, versionRangeShape } from './version-range.ts'
export { compareVersions, isVersion, VERSION_MAX_CHARS } from './versions.ts'
export {
  isTimezone,
  isWindowOpen,
  type MaintenanceWindow,
  nextMeeting,
  nextOpening,
  signedWindowShape,
  WEEKDAYS,
  windowShape,
} from './window.ts'
