import { encodeBase64, formatDate, type JsonObject, ROLE_NAMES, ROOT_FORMAT } from '../manifests/index.ts'
import { signDocument } from './sign.ts'
import type { Signer } from './signers/signer.ts'

const ROOT_LIFETIME_MS = 5 * 365 * 24 * 60 * 60 * 1000

/** The first root of a project: one key in every role, signed by itself. */
export function makeRoot(name: string, signer: Signer, now: number): Promise<JsonObject> {
  const role = { keys: [signer.keyId], threshold: 1 }
  const document: JsonObject = {
    format: ROOT_FORMAT,
    name,
    version: 1,
    expires: formatDate(now + ROOT_LIFETIME_MS),
    keys: { [signer.keyId]: { type: 'ed25519', public: encodeBase64(signer.publicKey) } },
    roles: Object.fromEntries(ROLE_NAMES.map((roleName) => [roleName, role])),
  }
  return signDocument(document, ['signatures'], [signer])
}
