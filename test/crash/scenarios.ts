import type { Scenario } from './scenario.ts'
import { TRIAL_SCENARIOS } from './trial-scenarios.ts'
import { UPDATE_SCENARIOS } from './update-scenarios.ts'

export const SCENARIOS: readonly Scenario[] = [...UPDATE_SCENARIOS, ...TRIAL_SCENARIOS]
