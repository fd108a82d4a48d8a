package main

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	maxManifestBytes = 262144
	lifetimeMaxMs    = 400 * 24 * 3600 * 1000
	aheadMaxMs       = 3650 * 24 * 3600 * 1000
)

// agentState is what an agent believes: it changes as SPEC.md says, also when a manifest is refused.
type agentState struct {
	root     *rootDocument
	channel  string
	sequence int64
	digest   string
}

// verify makes the checks of "Order of checks" in their order.
func (agent *agentState) verify(manifest []byte, now int64) *refusal {
	if len(manifest) > maxManifestBytes { // 1
		return refuse("ERR_MANIFEST_TOO_LARGE", "too many bytes")
	}
	value, err := parseStrict(manifest) // 2
	if err != nil {
		return refuse("ERR_MANIFEST_SYNTAX", err.Error())
	}
	release, isObject := value.(object) // 3
	if !isObject {
		return refuse("ERR_MANIFEST_SCHEMA", "not an object")
	}
	rollout, hasRollout := release["rollout"].(object)
	if release["format"] != "moult/1" || hasRollout && rollout["format"] != "moult-rollout/1" { // 4
		return refuse("ERR_MANIFEST_FORMAT", "another format")
	}
	trust, hasTrust := release["trust"]
	chain, isChain := trust.([]any)
	if !isRelease(release) || !hasRollout || !isRollout(rollout) || hasTrust && !isChain { // 5
		return refuse("ERR_MANIFEST_SCHEMA", "members of the manifest")
	}
	if refused := agent.followRoots(chain); refused != nil { // 6
		return refused
	}
	if agent.root.expires <= now { // 7
		return refuse("ERR_TRUST_ROOT_EXPIRED", "the newest root has expired")
	}
	unsigned := []string{"signatures", "rollout", "trust"}
	if refused := assertSigned(release, agent.root.roles["release"], unsigned...); refused != nil { // 8
		return refused
	}
	if refused := assertSigned(rollout, agent.root.roles["rollout"], "signatures"); refused != nil { // 9
		return refused
	}
	isTarget := release["name"] == agent.root.name && rollout["name"] == agent.root.name
	if !isTarget || rollout["channel"] != agent.channel { // 10
		return refuse("ERR_TRUST_TARGET", "for another agent or channel")
	}
	if rollout["release"] != digestOf(canonical(release, unsigned...)) { // 11
		return refuse("ERR_TRUST_BINDING", "of another release")
	}
	sequence, digest := rollout["sequence"].(int64), digestOf(canonical(rollout, "signatures"))
	if sequence < agent.sequence { // 12
		return refuse("ERR_TRUST_REPLAY", "behind the floor")
	}
	if sequence == agent.sequence && agent.digest != "" && digest != agent.digest { // 13
		return refuse("ERR_TRUST_EQUIVOCATION", "the same sequence with other content")
	}
	issued, _ := parseDate(rollout["issued"].(string))
	expires, _ := parseDate(rollout["expires"].(string))
	if expires <= issued || expires-issued > lifetimeMaxMs || issued > now+aheadMaxMs { // 14
		return refuse("ERR_TRUST_DATE", "implausible dates")
	}
	if expires <= now { // 15
		return refuse("ERR_TRUST_EXPIRED", "expired")
	}
	agent.sequence, agent.digest = sequence, digest
	return nil
}

func digestOf(bytes []byte) string {
	hash := sha256.Sum256(bytes)
	return hex.EncodeToString(hash[:])
}
