// What a release defines in a bundled agent: `/// <reference types="moult/globals" />`, or "moult/globals" in "types".

/** The version of the release that holds this program. */
declare const __MOULT_VERSION__: string
