import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import { describe, test, type TestContext } from 'node:test'

import { type Home, homeAt } from '../../../agent/home/home.ts'
import { loadSettings, type Settings } from '../../../agent/settings/settings.ts'
import { settingsFromEnvironment } from '../../../agent/settings/settings-environment.ts'
import { keyIdOf, ROLE_NAMES } from '../../../manifests/index.ts'
import { defaultKeys, makeKey, makeRoot } from '../../fixtures/signed-manifest.ts'
import { failureOf, makeDir } from '../field.ts'

const SERVER = 'https://updates.example.com/agent'

function makeHome(t: TestContext, config: unknown = { server: SERVER }): Home {
  const home = homeAt(makeDir(t))
  fs.writeFileSync(home.root, JSON.stringify(makeRoot()))
  if (config !== undefined) fs.writeFileSync(home.config, typeof config === 'string' ? config : JSON.stringify(config))
  return home
}

describe('settings', () => {
  test('have the documented defaults', (t) => {
    const home = makeHome(t)
    const { root, home: _, url, ...settings } = loadSettings(home.path, { DEPLOYMENT_MODE: 'vm' })
    assert.equal(root.name, 'heartbeat-agent')
    assert.equal(url.href, `${SERVER}/version.json`)
    assert.deepEqual(settings, {
      channel: 'stable',
      enabled: true,
      mode: 'auto',
      deployment: { kind: 'vm', evidence: 'the settings say so' },
      autoInstall: true,
      policy: { needsApproval: false, windows: [] },
      intervalMs: 300_000,
      headers: {},
      beacon: true,
      downloadTimeoutMs: 1_800_000,
      stallMs: 30_000,
      retries: 5,
      deltas: true,
      maxPackageSize: 2 ** 30,
      preflight: ['--version'],
      installTimeoutMs: 600_000,
      tries: 3,
      probationMs: 60_000,
      probationDeadlineMs: 600_000,
      health: {},
      labels: {},
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      hasOwnInterval: false,
      keepVersions: 3,
      keepDays: 7,
      restart: { method: 'exit', signal: 'SIGHUP', timeoutMs: 30_000 },
      stopTimeoutMs: 30_000,
      drainTimeoutMs: 30_000,
    })
  })

  test('come from the file, then the environment, then the caller', (t) => {
    const home = makeHome(t, { server: SERVER, interval: '1h', retries: 1, tries: 5 })
    const env = { UPDATE_INTERVAL: '2h', UPDATE_MAX_RETRIES: '2' }
    const { intervalMs, retries, tries } = loadSettings(home.path, env, { interval: '3h' })
    assert.deepEqual([intervalMs, retries, tries], [3 * 3_600_000, 2, 5])
  })

  // Name, text, and what it comes to in the settings, beside its own default there.
  const NAMES: readonly (readonly [
    name: string,
    text: string,
    read: (settings: Settings) => unknown,
    value: unknown,
  ])[] = [
    ['UPDATE_SERVER', 'https://other.example.com', ({ url }) => url.host, 'other.example.com'],
    ['UPDATE_INTERVAL', '1h', ({ intervalMs }) => intervalMs, 3_600_000],
    ['UPDATE_MODE', 'signal-only', ({ mode }) => mode, 'signal-only'],
    ['UPDATE_MODE', 'vm-only', ({ mode }) => mode, 'vm-only'],
    ['UPDATE_MODE', 'disabled', ({ enabled }) => enabled, false],
    ['DEPLOYMENT_MODE', 'container', ({ deployment }) => deployment.kind, 'container'],
    ['DEPLOYMENT_MODE', 'kubernetes', ({ deployment }) => deployment.kind, 'pod'],
    ['UPDATE_ENABLED', 'no', ({ enabled }) => enabled, false],
    ['UPDATE_AUTO_INSTALL', 'false', ({ autoInstall }) => autoInstall, false],
    ['UPDATE_AUTO_APPROVE', 'FALSE', ({ policy }) => policy.needsApproval, true],
    ['UPDATE_ROLLOUT_PERCENT', '10', ({ policy }) => policy.percentCap, 10],
    ['UPDATE_PIN', '>=1.2.0 <2.0.0', ({ policy }) => policy.pin, '>=1.2.0 <2.0.0'],
    ['UPDATE_LABELS', 'ring=canary, site=berlin', ({ labels }) => labels, { ring: 'canary', site: 'berlin' }],
    ['UPDATE_BEACON', 'no', ({ beacon }) => beacon, false],
    ['UPDATE_INTERVAL', '5m', ({ hasOwnInterval }) => hasOwnInterval, true],
    ['UPDATE_DOWNLOAD_TIMEOUT', '300s', ({ downloadTimeoutMs }) => downloadTimeoutMs, 300_000],
    ['UPDATE_INSTALL_TIMEOUT', '30s', ({ installTimeoutMs }) => installTimeoutMs, 30_000],
    ['UPDATE_DELTAS', 'no', ({ deltas }) => deltas, false],
    ['UPDATE_MAX_RETRIES', '3', ({ retries }) => retries, 3],
    ['UPDATE_MAX_PACKAGE_SIZE', '1000', ({ maxPackageSize }) => maxPackageSize, 1000],
    ['UPDATE_MAX_PACKAGE_SIZE', '100MB', ({ maxPackageSize }) => maxPackageSize, 100_000_000],
    ['UPDATE_MAX_PACKAGE_SIZE', '2 GiB', ({ maxPackageSize }) => maxPackageSize, 2 ** 31],
    ['UPDATE_BACKUP_RETENTION', '4', ({ keepVersions }) => keepVersions, 4],
    ['UPDATE_RESTART_METHOD', 'systemd', ({ restart }) => restart.method, 'systemd'],
  ]
  for (const [name, text, read, value] of NAMES) {
    test(`obey the environment, as older systems have it: ${name}=${text}`, (t) => {
      const home = makeHome(t)
      assert.deepEqual(read(loadSettings(home.path, { [name]: text, UNRELATED: 'x' })), value)
      assert.notDeepEqual(read(loadSettings(home.path, {})), value)
      assert.notDeepEqual(read(loadSettings(home.path, { [name]: '' })), value)
    })
  }

  test('obey every name that operators use, and nothing else that begins like one', (t) => {
    const windows = ['UPDATE_MAINTENANCE_WINDOW_START', 'UPDATE_MAINTENANCE_WINDOW_END']
    const tested = new Set([...NAMES.map(([name]) => name), ...windows, 'UPDATE_SIGNATURE_REQUIRED'])
    const code = fs.readFileSync(new URL('../../../agent/settings/settings-environment.ts', import.meta.url), 'utf8')
    assert.deepEqual(new Set(code.match(/\b(?:UPDATE|DEPLOYMENT)_[A-Z_]*[A-Z]\b/g)), tested)
    const home = makeHome(t)
    assert.deepEqual(loadSettings(home.path, { UPDATE_STORAGE_TYPE: 's3' }), loadSettings(home.path, {}))
  })

  test('take a window a day from the environment, in the zone of the machine, in place of those of the file', async (t) => {
    const windows = [
      { start: '12:00', end: '13:00', days: ['mon'], timezone: 'Asia/Tokyo' },
      { start: '22:00', end: '02:00' },
    ]
    const home = makeHome(t, { server: SERVER, windows })
    const { timeZone: timezone } = Intl.DateTimeFormat().resolvedOptions()
    assert.deepEqual(loadSettings(home.path, {}).policy.windows, [windows[0], { ...windows[1], timezone }])
    const night = { UPDATE_MAINTENANCE_WINDOW_START: '02:00', UPDATE_MAINTENANCE_WINDOW_END: '04:00' }
    const { policy } = loadSettings(home.path, night)
    assert.deepEqual(policy.windows, [{ start: '02:00', end: '04:00', timezone }])
    for (const half of Object.keys(night)) {
      const error = await failureOf(() => loadSettings(home.path, { ...night, [half]: '' }))
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.match(error.hint ?? '', new RegExp(`Set ${half} as well`))
    }
    const late = await failureOf(() => loadSettings(home.path, { ...night, UPDATE_MAINTENANCE_WINDOW_END: '4 am' }))
    assert.match(late.message, /windows\[0\]\.end: expected a time of day/)
  })

  test('take UTC for a window without a zone on a machine whose TZ is empty', (t) => {
    const home = makeHome(t, { server: SERVER, windows: [{ start: '02:00', end: '02:00' }] })
    const script = `
      import { loadSettings } from ${JSON.stringify(import.meta.resolve('../../../agent/settings/settings.ts'))}
      import { isWindowOpen } from ${JSON.stringify(import.meta.resolve('../../../manifests/window.ts'))}
      console.log(isWindowOpen(loadSettings(${JSON.stringify(home.path)}, {}).policy.windows, Date.now()))`
    const options = { encoding: 'utf8', env: { ...process.env, TZ: '' } } as const
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', script],
      options,
    )
    assert.equal(stdout, 'true\n', stderr)
  })

  test('keep what belongs to a restart when only its method comes from elsewhere', (t) => {
    const restart = { method: 'signal', unit: 'sensor.service', signal: 'SIGUSR2', pidFile: 'run/pid', timeout: '5s' }
    const home = makeHome(t, { server: SERVER, restart })
    const { restart: merged } = loadSettings(home.path, { UPDATE_RESTART_METHOD: 'systemd' })
    const pidFile = `${home.path}/run/pid`
    assert.deepEqual(merged, { method: 'systemd', unit: 'sensor.service', signal: 'SIGUSR2', pidFile, timeoutMs: 5000 })
    assert.equal(
      loadSettings(home.path, { UPDATE_RESTART_METHOD: 'exec' }, { restart: { method: 'exit' } }).restart.method,
      'exit',
    )
  })

  test('refuse to do without signatures, and what an older name cannot mean', async (t) => {
    for (const off of ['false', '0', 'no', 'False']) {
      const error = await failureOf(() => settingsFromEnvironment({ UPDATE_SIGNATURE_REQUIRED: off }))
      assert.equal(error.code, 'ERR_CONFIG_INVALID')
      assert.match(error.hint ?? '', /[Uu]nsigned/)
    }
    assert.deepEqual(settingsFromEnvironment({ UPDATE_SIGNATURE_REQUIRED: 'true' }), {})
    const home = makeHome(t)
    for (const [name, value] of [
      ['UPDATE_ENABLED', 'maybe'],
      ['UPDATE_AUTO_APPROVE', 'soon'],
      ['UPDATE_MODE', 'manual'],
      ['DEPLOYMENT_MODE', 'cloud'],
      ['UPDATE_ROLLOUT_PERCENT', '101'],
      ['UPDATE_ROLLOUT_PERCENT', '-1'],
      ['UPDATE_ROLLOUT_PERCENT', '5.5'],
      ['UPDATE_PIN', 'newest'],
      ['UPDATE_PIN', '1.x'],
      ['UPDATE_BEACON', 'off'],
      ['UPDATE_DELTAS', 'off'],
      ['UPDATE_LABELS', 'canary'],
      ['UPDATE_LABELS', 'ring=canary,'],
      ['UPDATE_MAX_RETRIES', 'many'],
      ['UPDATE_MAX_PACKAGE_SIZE', '1e99'],
      ['UPDATE_MAX_PACKAGE_SIZE', '5 parsecs'],
      ['UPDATE_BACKUP_RETENTION', '-1'],
      ['UPDATE_INSTALL_TIMEOUT', '10'],
      ['UPDATE_RESTART_METHOD', 'reboot'],
    ] as const) {
      const error = await failureOf(() => loadSettings(home.path, { [name]: value }))
      assert.equal(error.code, 'ERR_CONFIG_INVALID', `${name}=${value}`)
      assert.equal(error.exitCode, 2)
      assert.ok(error.message.includes(value), error.message)
    }
  })

  test('name the nearest key to an unknown one', async (t) => {
    const error = await failureOf(() => loadSettings(makeHome(t, { server: SERVER, intervall: '1h' }).path, {}))
    assert.equal(error.code, 'ERR_CONFIG_INVALID')
    assert.equal(error.details['nearest'], 'interval')
    assert.match(error.hint ?? '', /interval/)
  })

  test('are refused with the path of what is wrong', async (t) => {
    const bad: [unknown, RegExp][] = [
      ['not JSON', /not JSON/],
      ['', /not JSON/],
      [[], /server/],
      [{}, /server/],
      [{ server: 'ftp://example.com' }, /server/],
      [{ server: 'nowhere' }, /server/],
      [{ server: 'https://user:secret@example.com/' }, /without credentials/],
      [{ server: SERVER, interval: '5 minutes' }, /interval/],
      [{ server: SERVER, interval: '10ms' }, /interval/],
      [{ server: SERVER, tries: 0 }, /tries/],
      [{ server: SERVER, retries: -1 }, /retries/],
      [{ server: SERVER, mode: 'manual' }, /mode/],
      [{ server: SERVER, channel: '../beta' }, /channel/],
      [{ server: SERVER, deployment: 'kubernetes' }, /deployment/],
      [{ server: SERVER, windows: [] }, /windows/],
      [{ server: SERVER, windows: [{ start: '02:00' }] }, /windows\[0\]\.end/],
      [{ server: SERVER, windows: [{ start: '02:00', end: '04:00', days: ['monday'] }] }, /windows\[0\]\.days\[0\]/],
      [{ server: SERVER, windows: [{ start: '02:00', end: '04:00', timezone: 'Mars' }] }, /windows\[0\]\.timezone/],
      [{ server: SERVER, restart: { method: 'reboot' } }, /restart\.method/],
      [{ server: SERVER, restart: { unit: '--now' } }, /restart\.unit/],
      [{ server: SERVER, restart: { signal: 'SIGKILL' } }, /restart\.signal/],
      [{ server: SERVER, headers: { 'x y': 'z' } }, /headers/],
      [{ server: SERVER, headers: { token: 'line\nbreak' } }, /headers\.token/],
      [{ server: SERVER, health: { command: [] } }, /health\.command/],
      [{ server: SERVER, keepVersions: 1 }, /keepVersions/],
    ]
    for (const [config, says] of bad) {
      const error = await failureOf(() => loadSettings(makeHome(t, config).path, {}))
      assert.equal(error.code, 'ERR_CONFIG_INVALID', JSON.stringify(config))
      assert.match(error.message, says)
      assert.doesNotMatch(error.message, /secret/)
    }
    assert.equal((await failureOf(() => loadSettings(makeDir(t), {}))).code, 'ERR_CONFIG_MISSING')
  })

  test('guess what an address without a scheme means, and tell no password', async (t) => {
    const errorOf = (server: string) => failureOf(() => loadSettings(makeHome(t, { server }).path, {}))
    for (const [server, meant] of [
      ['localhost:8090', 'http://localhost:8090'],
      ['127.0.0.1:8090/agent', 'http://127.0.0.1:8090/agent'],
      ['updates.example.com', 'https://updates.example.com'],
      ['updates:8080', 'https://updates:8080'],
    ] as const) {
      const { message, hint } = await errorOf(server)
      assert.ok(message.endsWith(`got "${server}"`), message)
      assert.equal(hint, `Did you mean ${meant}?`)
    }
    for (const server of ['ftp://example.com', 'nowhere', 'user:secret@example.com', 'ftp://user:secret@x/']) {
      const { message, hint } = await errorOf(server)
      assert.equal(hint, undefined)
      assert.doesNotMatch(message, /secret/)
    }
  })

  test('that cannot be read do not pass for absent ones', async (t) => {
    const home = makeHome(t)
    // Root may read everything, so it steps down for a moment.
    const asStranger = async (work: () => unknown) => {
      const uid = process.geteuid?.()
      return failureOf(() => {
        if (uid === 0) process.seteuid?.(65_534)
        try {
          work()
        } finally {
          if (uid === 0) process.seteuid?.(0)
        }
      })
    }
    fs.chmodSync(home.path, 0o755)
    for (const path of [home.config, home.root]) {
      fs.chmodSync(path, 0o000)
      const error = await asStranger(() => loadSettings(home.path, {}))
      fs.chmodSync(path, 0o644)
      assert.deepEqual([error.code, error.message], ['ERR_CONFIG_INVALID', `cannot be read: ${path}`])
      assert.match(error.hint ?? '', /as the user that owns it/)
    }
    fs.rmSync(home.config)
    fs.mkdirSync(home.config)
    const error = await failureOf(() => loadSettings(home.path, {}))
    assert.deepEqual([error.message, error.hint], [`cannot be read: ${home.config}`, undefined])
  })

  test('never hold a time that a timer would take for none', (t) => {
    const long = {
      interval: '400d',
      downloadTimeout: '400d',
      stallTimeout: '400d',
      installTimeout: '400d',
      probation: '400d',
      stopTimeout: '400d',
      drainTimeout: '400d',
    }
    const settings = loadSettings(makeHome(t, { server: SERVER, ...long }).path, {})
    for (const [name, value] of Object.entries(settings)) {
      if (name.endsWith('Ms') && name !== 'probationDeadlineMs') assert.equal(value, 2 ** 31 - 1, name)
    }
  })

  test('leave a short probation time for its first poll', (t) => {
    const deadline = (probation: string): number =>
      loadSettings(makeHome(t, { server: SERVER, probation }).path, {}).probationDeadlineMs
    assert.deepEqual(['0s', '1s', '10m'].map(deadline), [60_000, 60_000, 6_000_000])
  })

  test('pin a root that is signed by itself, at a path relative to home or absolute', async (t) => {
    const home = makeHome(t)
    const elsewhere = makeHome(t).root
    assert.equal(loadSettings(home.path, {}, { root: elsewhere }).root.version, 1)
    fs.renameSync(home.root, `${home.path}/other.json`)
    assert.equal(loadSettings(home.path, {}, { root: 'other.json' }).root.version, 1)
    const codes: [string | Buffer, string][] = [
      ['{', 'ERR_TRUST_ROOT'],
      ['', 'ERR_TRUST_ROOT'],
      ['null', 'ERR_TRUST_ROOT'],
      ['{}', 'ERR_TRUST_ROOT'],
      [JSON.stringify({ ...makeRoot(), signatures: [] }), 'ERR_TRUST_UNSIGNED'],
      [JSON.stringify(makeRoot({ signers: [makeKey('thief')] })), 'ERR_TRUST_SIGNATURE'],
    ]
    for (const [content, code] of codes) {
      fs.writeFileSync(home.root, content)
      const error = await failureOf(() => loadSettings(home.path, {}))
      assert.equal(error.code, code)
      assert.equal(error.exitCode, 22)
    }
  })

  test('case 8: with a weak key in the pinned root are refused as they are read', async (t) => {
    const home = makeHome(t)
    const strong = loadSettings(home.path, {}).root
    assert.equal(strong.version, 1)
    const small = new Uint8Array([1, ...new Uint8Array(31)])
    const aboveThePrime = new Uint8Array([0xee, ...new Uint8Array(30).fill(0xff), 0x7f])
    for (const publicKey of [small, aboveThePrime, small.subarray(1)]) {
      const weak = { ...makeKey('weak'), id: keyIdOf(publicKey), publicKey }
      for (const role of ROLE_NAMES) {
        const keys = { ...defaultKeys(), [role]: [...defaultKeys()[role], weak] }
        fs.writeFileSync(home.root, JSON.stringify(makeRoot({ keys, signers: defaultKeys().root })))
        assert.equal((await failureOf(() => loadSettings(home.path, {}))).code, 'ERR_TRUST_KEY')
      }
    }
    const keys = { ...defaultKeys(), release: [makeKey('release'), makeKey('strong')] }
    fs.writeFileSync(home.root, JSON.stringify(makeRoot({ keys })))
    assert.equal(loadSettings(home.path, {}).root.roles.release.keys.size, 2)
  })

  test('are in force or not by enabled and mode', (t) => {
    const enabled = (given: object): boolean => loadSettings(makeHome(t, { server: SERVER, ...given }).path, {}).enabled
    assert.deepEqual([{}, { enabled: false }, { mode: 'disabled' }, { mode: 'auto' }].map(enabled), [
      true,
      false,
      false,
      true,
    ])
  })
})
