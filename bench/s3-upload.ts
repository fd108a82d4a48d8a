// What a release to a bucket costs beside the bare minimum: four platforms of 100 MB, on a real gateway on this machine.
//
//   npx tsx bench/s3-upload.ts [--mb 100] [--rounds 3] [--json]
//
// Compared with the SDK alone uploading the same files, and with `sha256sum` and `cp` of them. A release does more than
// either: it copies and hashes what was built, signs, uploads, and reads everything back and hashes that. Needs the Debian
// packages of test/release/publishers/ceph-gateway.ts. The memory is the peak of the releasing process.

import { execFileSync, spawnSync } from 'node:child_process'
import { randomFillSync } from 'node:crypto'
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { initProject, release } from '../release/index.ts'
import { gatewayMissing, startGateway } from '../test/release/publishers/ceph-gateway.ts'
import { makeBucket, useTestCredentials } from '../test/release/publishers/s3-place.ts'

const PLATFORMS = ['linux-amd64', 'linux-arm64', 'darwin-arm64', 'windows-amd64']
const BUCKET = 'updates'
const RSS_MAX_MB = 300
const MB = 1024 * 1024

interface Measured {
  readonly ms: number
  readonly publishMs: number
  readonly readBackMs: number
  readonly rssMb: number
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mb: { type: 'string', default: '100' },
    rounds: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
    child: { type: 'string' },
  },
})
if (values.child === 'release') console.log(JSON.stringify(await measureRelease(positionals[0] ?? '')))
else if (values.child === 'sdk') console.log(JSON.stringify(await measureSdk(positionals)))
else await report()

async function report(): Promise<void> {
  const missing = gatewayMissing()
  if (missing !== false) throw new Error(missing)
  useTestCredentials()
  const dir = mkdtempSync(join(tmpdir(), 'moult-bench-'))
  try {
    const files = makeFiles(dir, Number(values.mb) * MB)
    const rounds: { moult: Measured; sdkMs: number; copyMs: number; sdkRssMb: number }[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      const copyMs = measureCopy(files, join(dir, 'copy'))
      const sdk = await onFreshGateway((endpoint) => inChild('sdk', [endpoint, ...files]))
      const moult = await onFreshGateway(async (endpoint) => inChild('release', [await makeProject(dir, endpoint)]))
      rounds.push({ moult, sdkMs: sdk.ms, sdkRssMb: sdk.rssMb, copyMs })
    }
    print(rounds)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function print(rounds: readonly { moult: Measured; sdkMs: number; sdkRssMb: number; copyMs: number }[]): void {
  const median = (of: (round: (typeof rounds)[number]) => number): number =>
    rounds.map(of).toSorted((a, b) => a - b)[rounds.length >> 1] ?? Number.NaN
  const [ms, sdkMs, copyMs] = [median(({ moult }) => moult.ms), median((r) => r.sdkMs), median((r) => r.copyMs)]
  const publishMs = median(({ moult }) => moult.publishMs)
  const readBackMs = median(({ moult }) => moult.readBackMs)
  const rssMb = Math.max(...rounds.map(({ moult }) => moult.rssMb))
  const figures = {
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
    files: `${PLATFORMS.length} x ${values.mb} MB`,
    releaseMs: Math.round(ms),
    publishMs: Math.round(publishMs),
    readBackMs: Math.round(readBackMs),
    sdkMs: Math.round(sdkMs),
    copyMs: Math.round(copyMs),
    releaseToSdk: Number((ms / sdkMs).toFixed(2)),
    publishToSdk: Number((publishMs / sdkMs).toFixed(2)),
    releaseToCopy: Number((ms / copyMs).toFixed(2)),
    rssMb: Math.round(rssMb),
    sdkRssMb: Math.round(Math.max(...rounds.map((round) => round.sdkRssMb))),
    isWithin: rssMb < RSS_MAX_MB,
  }
  if (values.json) console.log(JSON.stringify(figures))
  else {
    console.log(`Node ${figures.node}, ${figures.cpu}: ${figures.files}, median of ${rounds.length}\n`)
    console.log(`release, all of it            ${(ms / 1000).toFixed(1)} s, at most ${figures.rssMb} MB of memory`)
    console.log(`  of it publishing            ${(publishMs / 1000).toFixed(1)} s`)
    console.log(`  of it reading back          ${(readBackMs / 1000).toFixed(1)} s`)
    console.log(`the SDK alone, uploading      ${(sdkMs / 1000).toFixed(1)} s, ${figures.sdkRssMb} MB`)
    console.log(`sha256sum and cp              ${(copyMs / 1000).toFixed(1)} s\n`)
    console.log(
      `release / SDK ${figures.releaseToSdk}, publishing / SDK ${figures.publishToSdk}, release / copy ${figures.releaseToCopy}`,
    )
  }
  if (!figures.isWithin) process.exitCode = 1
}

/** The gateway keeps what was deleted for hours; a new one is there in seconds. */
async function onFreshGateway<T>(work: (endpoint: string) => T | Promise<T>): Promise<T> {
  const gateway = await startGateway()
  try {
    await makeBucket(gateway.endpoint, BUCKET)
    return await work(gateway.endpoint)
  } finally {
    await gateway.close()
  }
}

function makeFiles(dir: string, bytes: number): string[] {
  mkdirSync(join(dir, 'bin'))
  return PLATFORMS.map((platform) => {
    const file = join(dir, 'bin', `agent-${platform}`)
    writeFileSync(file, randomFillSync(Buffer.allocUnsafe(bytes)), { mode: 0o755 })
    return file
  })
}

async function makeProject(dir: string, endpoint: string): Promise<string> {
  const project = mkdtempSync(join(dir, 'project-'))
  await initProject({ dir: project, name: 'probe', type: 'files', agent: join(dir, 'bin/agent-{platform}') })
  const config = {
    name: 'probe',
    platforms: PLATFORMS,
    build: { type: 'files', path: join(dir, 'bin/agent-{platform}') },
    compress: false,
    smoke: false,
    publish: { s3: { bucket: BUCKET, endpoint, prefix: 'probe' } },
  }
  writeFileSync(join(project, 'moult.config.json'), JSON.stringify(config))
  return join(project, 'moult.config.json')
}

function inChild(kind: 'release' | 'sdk', args: readonly string[]): Measured {
  const argv = ['--import', 'tsx', fileURLToPath(import.meta.url), '--child', kind, '--', ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Measured
}

async function measureRelease(config: string): Promise<Measured> {
  const marks: Record<string, { first: number; last: number }> = {}
  const startedAt = performance.now()
  await release(
    { config, version: '1.0.0' },
    {
      on: ({ kind, ...event }) => {
        if (kind !== 'step' || !('step' in event)) return
        const now = performance.now()
        marks[event.step] = { first: marks[event.step]?.first ?? now, last: now }
      },
    },
  )
  const spanOf = (step: string): number => (marks[step]?.last ?? 0) - (marks[step]?.first ?? 0)
  const ms = performance.now() - startedAt
  return { ms, publishMs: spanOf('publish'), readBackMs: spanOf('read back'), rssMb: peakMb() }
}

async function measureSdk([endpoint = '', ...files]: readonly string[]): Promise<Measured> {
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
  const startedAt = performance.now()
  const { S3Client } = await import('@aws-sdk/client-s3')
  const { Upload } = await import('@aws-sdk/lib-storage')
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  for (const file of files) {
    const params = { Bucket: BUCKET, Key: file.slice(1), Body: createReadStream(file) }
    await new Upload({ client, params, partSize: 8 * MB, queueSize: 4 }).done()
  }
  return { ms: performance.now() - startedAt, publishMs: 0, readBackMs: 0, rssMb: peakMb() }
}

function measureCopy(files: readonly string[], target: string): number {
  mkdirSync(target, { recursive: true })
  const startedAt = performance.now()
  execFileSync('sha256sum', files)
  execFileSync('cp', [...files, target])
  const ms = performance.now() - startedAt
  rmSync(target, { recursive: true })
  return ms
}

function peakMb(): number {
  return process.resourceUsage().maxRSS / 1024
}
