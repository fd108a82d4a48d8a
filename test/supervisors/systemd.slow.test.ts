import { testLifeCycle } from './life-cycle.ts'
import { WAYS } from './sensor.ts'
import { missingPart } from './supervisor.ts'
import { openSystemd } from './systemd.ts'

// An agent that runs as another user than root is in service-page.slow.test.ts.
const skip = missingPart('systemd-nspawn', 'nsenter', 'unshare')
for (const way of WAYS) testLifeCycle({ title: 'an agent under systemd', way, skip, open: openSystemd })
