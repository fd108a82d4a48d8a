import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { type BundleScriptOptions, bundleScript } from '../../../release/build/bundle-script.ts'

const run = promisify(execFile)

// What agents do in practice: ES imports, a CommonJS dependency, `require` made by hand, a dynamic import, the usual
// `__dirname` of ES modules, and the check for the main module by `process.argv`.
const AGENT = `#!/usr/bin/env -S node --no-warnings
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { greet } from 'greeter'
import { add } from './add.ts'
declare const __MOULT_VERSION__: string
const __dirname = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
async function main(): Promise<void> {
  const os = await import('node:os')
  console.log(JSON.stringify({
    version: __MOULT_VERSION__,
    url: import.meta.url,
    filename: import.meta.filename,
    dirname: import.meta.dirname,
    own: __dirname,
    firstLine: readFileSync(import.meta.filename, 'utf8').split('\\n')[0],
    greeting: greet('ü'),
    sum: add(1, 2),
    required: require('node:path').sep.length,
    imported: typeof os.hostname(),
    isMain: process.argv[1] === fileURLToPath(import.meta.url),
    isStrict: (function (this: unknown) { return this === undefined })(),
    secret: SECRET,
  }))
}
declare const SECRET: string
void main()
`
const GREETER = `const { EOL } = require('node:os')
exports.greet = (name) => 'hello ' + name + EOL.length + typeof __dirname + typeof require
`

let directory = ''
let project = ''
before(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), 'moult-bundle-')))
  project = await makeProject(join(directory, 'project'))
})
after(() => rm(directory, { recursive: true, force: true }))

async function makeProject(path: string): Promise<string> {
  const files = {
    'package.json': '{"type":"module"}',
    'src/agent.ts': AGENT,
    'src/add.ts': 'export const add = (a: number, b: number): number => a + b\n',
    'node_modules/greeter/package.json': '{"main":"index.js"}',
    'node_modules/greeter/index.js': GREETER,
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true })
    await writeFile(join(path, name), text)
  }
  return path
}

function bundle(options: Partial<BundleScriptOptions> = {}): Promise<string> {
  return bundleScript({
    entry: 'src/agent.ts',
    version: '1.2.3',
    platform: 'linux-amd64',
    cwd: project,
    define: { SECRET: '"x"' },
    ...options,
  })
}

async function install(text: string, where: string, packageJson?: string): Promise<string> {
  const target = join(directory, where)
  await mkdir(target, { recursive: true })
  if (packageJson !== undefined) await writeFile(join(target, 'package.json'), packageJson)
  await writeFile(join(target, 'agent'), text)
  await chmod(join(target, 'agent'), 0o755)
  return join(target, 'agent')
}

const SURROUNDINGS: Array<[name: string, packageJson: string | undefined]> = [
  ['module', '{"type":"module"}'],
  ['commonjs', '{"type":"commonjs"}'],
  ['none', undefined],
]

for (const minify of [false, true]) {
  for (const [name, packageJson] of SURROUNDINGS) {
    test(`the ${minify ? 'minified' : 'plain'} bundle runs as an executable file, package.json type: ${name}`, async () => {
      const path = await install(await bundle({ minify }), `${name} ${minify}`, packageJson)
      const { stdout, stderr } = await run(path, [], { cwd: '/' })
      assert.equal(stderr, '')
      assert.deepEqual(JSON.parse(stdout), {
        version: '1.2.3',
        url: pathToFileURL(path).href,
        filename: path,
        dirname: join(path, '..'),
        own: join(path, '..'),
        firstLine: '#!/usr/bin/env node',
        greeting: 'hello ü1stringfunction',
        sum: 3,
        required: 1,
        imported: 'string',
        isMain: true,
        isStrict: true,
        secret: 'x',
      })
    })
  }
}

test('through a symbolic link the bundle sees its real path, in both module types', async () => {
  for (const [name, packageJson] of SURROUNDINGS) {
    const path = await install(await bundle(), `linked ${name}`, packageJson)
    await symlink(path, join(directory, `current-${name}`))
    const { stdout } = await run(join(directory, `current-${name}`))
    const seen: unknown = JSON.parse(stdout)
    assert.ok(typeof seen === 'object' && seen !== null && 'filename' in seen)
    assert.equal(seen.filename, path)
  }
})

test('the same project in another place gives the same bytes, and no path of the machine is in them', async () => {
  const first = await bundle()
  const copy = join(directory, 'some', 'other', 'place')
  await cp(project, copy, { recursive: true })
  await symlink(copy, join(directory, 'link'))
  assert.equal(await bundle({ cwd: copy }), first)
  assert.equal(await bundle({ cwd: join(directory, 'link') }), first)
  assert.equal(await bundle({ entry: join(project, 'src/agent.ts') }), first)
  assert.ok(!first.includes(directory))
})

async function bundleText(name: string, text: string, options: Partial<BundleScriptOptions> = {}): Promise<string> {
  await writeFile(join(project, 'src', name), text)
  return bundle({ entry: join('src', name), ...options })
}

test('top-level await is an error that says where it is and what to do', async () => {
  await assert.rejects(bundleText('await.ts', 'const a = 1\nexport const b = await a\n'), (error: unknown) => {
    assert.ok(error instanceof Error && 'code' in error && 'hint' in error)
    assert.equal(error.code, 'ERR_BUILD_FAILED')
    assert.match(error.message, /^cannot bundle src\/await\.ts: src\/await\.ts:2:18: Top-level await/)
    assert.match(String(error.hint), /async function main/)
    return true
  })
})

test('every error of the bundler is in the message, with its place, and formatted in the details', async () => {
  const source = "import 'nowhere'\nimport './nothing.ts'\n"
  await assert.rejects(bundleText('broken.ts', source), (error: unknown) => {
    assert.ok(error instanceof Error && 'details' in error)
    assert.match(
      error.message,
      /src\/broken\.ts:1:8: Could not resolve "nowhere"; src\/broken\.ts:2:8: Could not resolve "\.\/nothing/,
    )
    assert.match(JSON.stringify(error.details), /import 'nowhere'/)
    return true
  })
  await assert.rejects(bundle({ entry: 'src/absent.ts' }), { code: 'ERR_BUILD_FAILED', message: /absent\.ts/ })
})

test('import.meta.main in the main file is an error, because the agent would do nothing', async () => {
  await assert.rejects(bundleText('main.ts', 'if (import.meta.main) console.log(1)\n'), {
    code: 'ERR_BUILD_FAILED',
    message: /src\/main\.ts:1:5/,
  })
})

test('warnings go to the log', async () => {
  const lines: string[] = []
  await bundleText('warn.ts', 'console.log(typeof import.meta.resolve, NaN === NaN)\n', {
    log: (line) => lines.push(line),
  })
  assert.match(lines.join('\n'), /warn\.ts:1/)
})

test('the version cannot be replaced by a define', async () => {
  const text = await bundleText(
    'version.ts',
    'declare const __MOULT_VERSION__: string\nconsole.log(__MOULT_VERSION__)\n',
    {
      version: '7.0.0-a"b',
      define: { __MOULT_VERSION__: '"0.0.0"' },
    },
  )
  assert.equal((await run(await install(text, 'version'))).stdout, '7.0.0-a"b\n')
})

test('the entry file is not changed', async () => {
  assert.equal(await readFile(join(project, 'src/agent.ts'), 'utf8'), AGENT)
})
