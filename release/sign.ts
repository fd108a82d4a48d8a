import { encodeBase64, type JsonObject, MoultError, signedBytes, verifySignature } from '../manifests/index.ts'
import type { Signer } from './signers/signer.ts'

/**
 * The document with a signature by each signer. What a signer answers is verified before it is used: a wrong key behind
 * an external command would otherwise be noticed by the fleet.
 * @param unsigned members that signatures do not cover
 * @throws MoultError ERR_TRUST_SIGNATURE
 */
export async function signDocument<T extends JsonObject>(
  document: T,
  unsigned: readonly string[],
  signers: readonly Signer[],
): Promise<T & { signatures: { key: string; sig: string }[] }> {
  const bytes = signedBytes(document, unsigned)
  const signatures: { key: string; sig: string }[] = []
  for (const signer of signers) {
    const signature = await signer.sign(bytes)
    if (!verifySignature(bytes, signature, signer.publicKey)) {
      throw new MoultError('ERR_TRUST_SIGNATURE', `the signer's answer does not verify: key ${signer.keyId}`, {
        details: { key: signer.keyId },
      })
    }
    signatures.push({ key: signer.keyId, sig: encodeBase64(signature) })
  }
  return { ...document, signatures }
}
