// How long an agent is away when a bad version comes: from the first crash of the new process to the start of the version
// before it, under each real supervisor, with the default of three tries.
//
//   npm run -s build && npx tsx bench/rollback-time.ts [--rounds 10] [--only systemd] [--json]
//
// As root, on Linux, with the packages that the slow tests of test/supervisors need. A new bad version is released for each
// round; times are from the agents' own log.

import { parseArgs } from 'node:util'

import { Scene } from '../test/helpers/moult.ts'
import { openPod } from '../test/supervisors/pod.ts'
import { openRunit } from '../test/supervisors/runit.ts'
import { openS6 } from '../test/supervisors/s6.ts'
import { Sensor, type Way, WAYS } from '../test/supervisors/sensor.ts'
import type { Supervisor } from '../test/supervisors/supervisor.ts'
import { openSupervisord } from '../test/supervisors/supervisord.ts'
import { openSystemd } from '../test/supervisors/systemd.ts'

const GOOD = '1.0.0'
const OPENERS: Readonly<Record<string, (scene: Scene) => Supervisor | Promise<Supervisor>>> = {
  systemd: openSystemd,
  runit: openRunit,
  s6: openS6,
  supervisord: openSupervisord,
  pod: openPod,
}

interface Row {
  readonly supervisor: string
  readonly way: Way
  readonly rounds: number
  readonly medianMs: number
  readonly worstMs: number
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
})
const rows: Row[] = []
for (const [name, open] of Object.entries(OPENERS)) {
  if (values.only !== undefined && values.only !== name) continue
  for (const way of WAYS) {
    const row = await measure(name, way, open, Number(values.rounds))
    rows.push(row)
    if (!values.json) {
      const { rounds, medianMs, worstMs } = row
      console.log(`| ${name} | ${way} | ${rounds} | ${seconds(medianMs)} | ${seconds(worstMs)} |`)
    }
  }
}
if (values.json) console.log(JSON.stringify(rows))

async function measure(
  name: string,
  way: Way,
  open: (scene: Scene) => Supervisor | Promise<Supervisor>,
  rounds: number,
): Promise<Row> {
  const scene = new Scene(`bench ${name}`)
  let supervisor: Supervisor | undefined
  try {
    supervisor = await open(scene)
    const sensor = new Sensor(scene, way)
    await sensor.begin(GOOD)
    await sensor.install(supervisor.kind, supervisor.unitPath)
    await supervisor.prepare?.(sensor)
    await supervisor.start()
    await sensor.untilLast(GOOD, 'starts', () => '')
    const times: number[] = []
    for (let round = 1; round <= rounds; round++) {
      const bad = `1.0.${round}`
      await sensor.release(bad, 'crashes')
      await sensor.untilQuarantined(bad, 'tries')
      await sensor.untilLast(GOOD, 'starts', () => '')
      times.push(sensor.rollbackMs(bad, GOOD))
    }
    times.sort((a, b) => a - b)
    return {
      supervisor: name,
      way,
      rounds,
      medianMs: times[Math.floor(times.length / 2)] ?? Number.NaN,
      worstMs: times.at(-1) ?? Number.NaN,
    }
  } finally {
    await supervisor?.close()
    await scene.close()
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
