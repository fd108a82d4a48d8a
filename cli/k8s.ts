import type { Command } from 'commander'

import { registerK8sSync } from './k8s/sync.ts'

export function registerK8sCommands(program: Command): void {
  const k8s = program.command('k8s').description('images of a Kubernetes cluster that follow the releases')
  registerK8sSync(k8s)
}
