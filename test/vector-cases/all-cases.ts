import { ROOT_CASES } from './root-cases.ts'
import { ROTATION_CASES } from './rotation-cases.ts'
import { RULE_CASES } from './rule-cases.ts'
import { SCHEMA_CASES } from './schema-cases.ts'
import { SIGNATURE_CASES } from './signature-cases.ts'
import { STATEMENT_CASES } from './statement-cases.ts'
import { SYNTAX_CASES } from './syntax-cases.ts'
import { type VectorCase, vectorFile } from './vector.ts'

export const VECTOR_CASES: readonly VectorCase[] = [
  ...SYNTAX_CASES,
  ...SCHEMA_CASES,
  ...RULE_CASES,
  ...SIGNATURE_CASES,
  ...ROOT_CASES,
  ...ROTATION_CASES,
  ...STATEMENT_CASES,
]

/** File names of test/vectors and their texts. */
export function vectorFiles(): Map<string, string> {
  const files = new Map(VECTOR_CASES.map((vector) => [`${vector.name}.json`, vectorFile(vector)]))
  if (files.size !== VECTOR_CASES.length) throw new Error('two vectors of one name')
  return files
}
