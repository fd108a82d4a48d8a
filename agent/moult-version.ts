/** The version of this package; a test holds it equal to package.json, which a bundled agent does not carry. */
export const MOULT_VERSION = '0.1.0'
/** When this version was made: no clock that the agent runs under can be earlier. */
export const BUILT_AT_MS = Date.UTC(2026, 10, 21)
