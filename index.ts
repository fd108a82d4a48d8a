// What every part shares: the formats, their verification and the decision. The sides have entries of their own:
// `moult/agent` and `moult/release`.

export * from './manifests/index.ts'
