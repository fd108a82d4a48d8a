// The seed under a passphrase: scrypt, then AES-256-GCM over the seed, with everything else in the file as associated
// data. So a changed parameter, public half or byte of the box is found by the same check as a wrong passphrase.

import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'

import { canonicalJson, decodeBase64, encodeBase64, type JsonObject, SEED_BYTES } from '../../manifests/index.ts'

export const PASSPHRASE_MIN_CHARS = 8

const KDF = 'scrypt'
const CIPHER = 'aes-256-gcm'
/** 128 MiB and about half a second a guess: what RFC 7914 and OWASP advise for a file that may be stolen. */
const SCRYPT_N = 2 ** 17
/** A file from elsewhere must neither take all memory nor claim a protection that is none. */
const SCRYPT_N_MIN = 2 ** 16
const SCRYPT_N_MAX = 2 ** 18
const SCRYPT_R = 8
const SCRYPT_P = 1
/** scrypt takes 128 * N * r bytes, and Node refuses to take more than it is told. */
const SCRYPT_MEMORY_MAX_BYTES = 2 * 128 * SCRYPT_N_MAX * SCRYPT_R
const SALT_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** What the member `encrypted` of a key file holds. A type and no interface: it is part of a canonical document. */
export type SealedSeed = {
  readonly kdf: typeof KDF
  readonly n: number
  readonly r: number
  readonly p: number
  /** Base64 of 32 random bytes, new with each encryption; so no key and nonce are ever used twice. */
  readonly salt: string
  readonly cipher: typeof CIPHER
  readonly nonce: string
  /** Base64 of the encrypted seed and the tag. */
  readonly data: string
}

/** @param header the other members of the file, which are authenticated too */
export async function sealSeed(seed: Uint8Array, passphrase: string, header: JsonObject): Promise<SealedSeed> {
  const salt = randomBytes(SALT_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const parameters = {
    kdf: KDF,
    n: SCRYPT_N,
    r: SCRYPT_R,
    p: SCRYPT_P,
    salt: encodeBase64(salt),
    cipher: CIPHER,
    nonce: encodeBase64(nonce),
  } as const
  const cipher = createCipheriv(CIPHER, await stretch(passphrase, salt, parameters.n), nonce)
  cipher.setAAD(canonicalJson({ ...header, encrypted: parameters }))
  const data = Buffer.concat([cipher.update(seed), cipher.final(), cipher.getAuthTag()])
  return { ...parameters, data: encodeBase64(data) }
}

/** Undefined for a wrong passphrase and for a changed file: nobody but the owner can tell the two apart. */
export async function openSeed(
  sealed: SealedSeed,
  passphrase: string,
  header: JsonObject,
): Promise<Uint8Array | undefined> {
  const { data, ...parameters } = sealed
  const salt = decodeBase64(sealed.salt, SALT_BYTES)
  const nonce = decodeBase64(sealed.nonce, NONCE_BYTES)
  const box = decodeBase64(data, SEED_BYTES + TAG_BYTES)
  if (salt === undefined || nonce === undefined || box === undefined) return undefined
  const key = await stretch(passphrase, salt, sealed.n)
  try {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAAD(canonicalJson({ ...header, encrypted: parameters }))
    decipher.setAuthTag(box.subarray(SEED_BYTES))
    return new Uint8Array(Buffer.concat([decipher.update(box.subarray(0, SEED_BYTES)), decipher.final()]))
  } catch {
    return undefined
  }
}

/** Undefined for anything but the parameters that this version makes or knows to be sound. */
export function readSealedSeed(value: unknown): SealedSeed | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { kdf, n, r, p, salt, cipher, nonce, data, ...others } = value as Record<string, unknown>
  const isKnown = kdf === KDF && cipher === CIPHER && r === SCRYPT_R && p === SCRYPT_P
  if (!isKnown || !isSoundN(n) || Object.keys(others).length > 0) return undefined
  if (decodeBase64(String(salt), SALT_BYTES) === undefined) return undefined
  if (decodeBase64(String(nonce), NONCE_BYTES) === undefined) return undefined
  if (decodeBase64(String(data), SEED_BYTES + TAG_BYTES) === undefined) return undefined
  return value as SealedSeed
}

function isSoundN(n: unknown): n is number {
  return typeof n === 'number' && n >= SCRYPT_N_MIN && n <= SCRYPT_N_MAX && Number.isInteger(Math.log2(n))
}

/** Normalized, because keyboards of different systems give different code points for the same accented letter. */
function stretch(passphrase: string, salt: Uint8Array, n: number): Promise<Buffer> {
  const options = { N: n, r: SCRYPT_R, p: SCRYPT_P, maxmem: SCRYPT_MEMORY_MAX_BYTES }
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) => {
      if (error === null) resolve(key)
      else reject(error)
    })
  })
}
