// SPEC.md is what people write other clients from, so its tables and examples are held equal to the code here.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, describe, test } from 'node:test'

import { homeAt, loadSettings, settingsShape } from '../agent/index.ts'
import {
  decodeBase64,
  encodeBase64,
  ERROR_CODES,
  EXIT_ALERTS,
  EXIT_UPDATED,
  isMoultError,
  type JsonObject,
  keyIdOf,
  parseDuration,
  parseStrictJson,
  RELEASE_UNSIGNED,
  releaseShape,
  rolloutBucket,
  rolloutShape,
  SEED_BYTES,
  type shape,
  sha256,
  signedBytes,
} from '../manifests/index.ts'
import { publicKeyOfSeed, signWithSeed } from '../release/signers/ed25519-seed.ts'
import * as limits from '../manifests/limits.ts'
import { makeRoot } from './fixtures/signed-manifest.ts'

const SPEC = readFileSync(new URL('../SPEC.md', import.meta.url), 'utf8')
const scratch = mkdtempSync(join(tmpdir(), 'moult-spec-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** The text from a heading to the next one. */
function section(heading: string): string {
  const [, text] = SPEC.split(new RegExp(`^#{2,3} ${heading}$`, 'm'))
  assert.ok(text !== undefined, `no such heading: ${heading}`)
  return text.split(/^#{2,3} /m)[0] ?? ''
}

/** The rows of the table of a section whose first column has this title, without the marks for code. */
function rows(heading: string, title: string): string[][] {
  const tables = section(heading).split(/\n(?!\|)/)
  const table = tables.map((text) => text.trim().split('\n')).find(([head]) => head?.startsWith(`| ${title} |`))
  assert.ok(table !== undefined, `no table of ${title} below ${heading}`)
  return table.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  )
}

function block(heading: string, language: string): string {
  const text = new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'ms').exec(section(heading))?.[1]
  assert.ok(text !== undefined, `no block of ${language} below ${heading}`)
  return text
}

describe('SPEC.md', () => {
  test('has the table of errors', () => {
    const facts = Object.entries(ERROR_CODES).map(([code, { exit, retryable, summary }]) => {
      return [code, String(exit), retryable ? 'yes' : 'no', summary]
    })
    assert.deepEqual(rows('7. Exit status and errors', 'code'), facts)
  })

  test('has each exit status, and names no code that does not exist', () => {
    const listed = rows('7. Exit status and errors', 'exit').map(([exit]) => Number(exit))
    const used = new Set([0, ...Object.values(ERROR_CODES).map(({ exit }) => exit), EXIT_ALERTS, EXIT_UPDATED])
    // 78 is the launcher's own.
    assert.deepEqual(
      listed,
      [...used, 78].toSorted((a, b) => a - b),
    )
    for (const [code] of SPEC.matchAll(/\bERR_[A-Z_]*[A-Z]\b(?!_)/g)) {
      assert.ok(code in ERROR_CODES || `${code}_` === 'ERR_BYTES_', code)
    }
  })

  test('has the limits of the format', () => {
    const listed = rows('Limits of the format', 'limit').map(([name, value]) => [name, Number(value)])
    assert.deepEqual(Object.fromEntries(listed), { ...limits })
  })

  test('has the members of the signed documents', () => {
    const binary = releaseShape.schema['properties'] as Schema
    const binaryMembers = at(binary, 'binaries', 'additionalProperties')
    const documents: readonly (readonly [string, Schema])[] = [
      ['Release', releaseShape.schema],
      ['Binary', binaryMembers],
      ['Download', at(binaryMembers, 'properties', 'downloads', 'items')],
      ['Rollout', rolloutShape.schema],
    ]
    const rule = at(rolloutShape.schema, 'properties', 'rules', 'items')
    const conditions = Object.keys(at(rule, 'properties', 'match', 'properties')).map((name) => `match.${name}`)
    const effects = Object.keys(at(rule, 'properties')).filter((name) => name !== 'match')
    assert.deepEqual(
      rows('Rules', 'member').map(([name]) => name),
      ['match', ...conditions, ...effects],
    )
    for (const [heading, schema] of documents) {
      const required = schema['required'] as string[]
      const members = Object.keys(schema['properties'] as Schema).map((name) => [name, required.includes(name)])
      const listed = rows(heading, 'member').map(([name, isRequired]) => [name, isRequired === 'yes'])
      assert.deepEqual(listed, members, heading)
    }
  })

  test('has a row for each course that the decision can take', () => {
    const courses = rows('Decision', '#').map(([number, , course = '']) => [number, course])
    assert.deepEqual(
      courses.map(([number]) => Number(number)),
      courses.map((_, index) => index + 1),
    )
    const source = readFileSync(new URL('../manifests/rollout-course.ts', import.meta.url), 'utf8')
    const union = source.slice(0, source.indexOf('export function courseOf'))
    const known = [...union.matchAll(/reason: (.*)$/gm)].flatMap(([, names = '']) => [
      ...names.matchAll(/'([a-z-]+)'/g),
    ])
    const told = courses.map(([, course]) => course).join(' ')
    assert.ok(known.length > 8)
    for (const [, reason = ''] of known) assert.match(told, new RegExp(`\\b${reason}\\b`))
  })

  test('has bucket examples that the code gives', () => {
    const examples = rows('Decision', 'salt')
    assert.equal(examples.length, 3)
    for (const [salt = '', id = '', bucket] of examples) assert.equal(rolloutBucket(salt, id), Number(bucket))
  })

  test('lists the keys that the strict profile refuses', () => {
    const reserved = /These keys are refused:(.*?)\.\n/s.exec(section('Bytes'))?.[1]?.match(/(?<=`)\w+(?=`)/g)
    assert.deepEqual(reserved?.toSorted(), Object.getOwnPropertyNames(Object.prototype).toSorted())
  })

  test('lists the files of a home', () => {
    const { path, disk: _, ...files } = homeAt(join(scratch, 'home'))
    const listed = rows('Home', 'path').map(([name]) => name)
    assert.deepEqual(
      listed,
      Object.values(files).map((file) => relative(path, file)),
    )
  })
})

describe('the worked example of SPEC.md', () => {
  const source = block('Worked example', 'json')
  const text = block('Worked example', 'text').replace(/\n$/, '')
  const values = new Map(rows('Worked example', 'value').map(([name = '', value = '']) => [name, value]))
  const document = parseStrictJson(new TextEncoder().encode(source)) as JsonObject
  const bytes = signedBytes(document, RELEASE_UNSIGNED)

  test('has the bytes and the digest that the code gives', () => {
    assert.ok(releaseShape.check(document, ''))
    assert.equal(new TextDecoder().decode(bytes), text)
    assert.equal(values.get('digest'), sha256(bytes))
    assert.match(section('Worked example'), new RegExp(`\\b${bytes.length} of them\\b`))
  })

  test('has the key and the signature that the code gives', () => {
    const seed = decodeBase64(values.get('seed') ?? '', SEED_BYTES)
    assert.ok(seed !== undefined)
    const publicKey = publicKeyOfSeed(seed)
    assert.equal(values.get('public key'), encodeBase64(publicKey))
    assert.equal(values.get('key id'), keyIdOf(publicKey))
    assert.equal(values.get('signature'), encodeBase64(signWithSeed(bytes, seed)))
  })

  test('is checked by the commands that stand there', (t) => {
    const tools = [
      ['jq', '--version'],
      ['openssl', 'version'],
    ] as const
    if (tools.some(([tool, flag]) => spawnSync(tool, [flag]).status !== 0)) {
      return t.skip('jq or openssl is not installed: the commands were NOT run')
    }
    const [key = '', sig = ''] = [values.get('key id'), values.get('signature')]
    const root = { keys: { [key]: { type: 'ed25519', public: values.get('public key') } } }
    writeFileSync(join(scratch, 'version.json'), JSON.stringify({ ...document, signatures: [{ key, sig }] }))
    writeFileSync(join(scratch, '1.root.json'), JSON.stringify(root))
    const script = `set -e\n${block('Checking by hand', 'sh')}`
    const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { cwd: scratch, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    assert.ok(stdout.includes('Signature Verified Successfully') && stdout.includes(sha256(bytes)), stdout)
  })
})

describe('the settings of SPEC.md', () => {
  const listed = rows('6. Settings', 'name')

  test('are those of the settings file', () => {
    const names = Object.keys(settingsShape.schema['properties'] as Schema)
    assert.deepEqual(
      listed.map(([name]) => name),
      names,
    )
  })

  test('have the defaults that stand there', () => {
    writeFileSync(join(scratch, 'root.json'), JSON.stringify(makeRoot()))
    const settings = new Map<string, unknown>(Object.entries(loadSettings(scratch, {}, { server: 'http://127.0.0.1' })))
    let compared = 0
    for (const [name = '', , text = ''] of listed) {
      const value = settings.get(name) ?? settings.get(`${name}Ms`) ?? settings.get(name.replace('Timeout', 'Ms'))
      if (typeof value !== 'number') continue
      const isMultiple = text === 'ten times `probation`'
      assert.equal(value, isMultiple ? 600_000 : (parseDuration(text) ?? Number(text)), name)
      compared += 1
    }
    assert.equal(compared, 13)
    assert.deepEqual(settings.get('preflight'), JSON.parse(listed.find(([name]) => name === 'preflight')?.[2] ?? ''))
    assert.equal(settings.get('channel'), 'stable')
  })

  test('have the names of the environment that the code reads', () => {
    const names = (text: string): string[] => [...new Set(text.match(/\bUPDATE_[A-Z_]*[A-Z]\b/g))].toSorted()
    const code = readFileSync(new URL('../agent/settings/settings-environment.ts', import.meta.url), 'utf8')
    assert.deepEqual(names(section('6. Settings')), names(code))
  })

  test('refuse an interval below the one that stands there', () => {
    const tooShort = { server: 'http://127.0.0.1', interval: '999ms' }
    assert.throws(
      () => loadSettings(scratch, {}, tooShort),
      (error) => isMoultError(error) && error.code === 'ERR_CONFIG_INVALID',
    )
    assert.equal(loadSettings(scratch, {}, { ...tooShort, interval: '1s' }).intervalMs, 1000)
  })
})

type Schema = shape.JsonSchema

function at(schema: Schema, ...path: readonly string[]): Schema {
  return path.reduce((inner, name) => inner[name] as Schema, schema)
}
