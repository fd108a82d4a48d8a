package main

import (
	"crypto/sha256"
	"encoding/hex"
)

type role struct {
	threshold int
	keys      map[string][]byte
}

type rootDocument struct {
	document object
	name     string
	version  int64
	expires  int64
	roles    map[string]role
}

// readRoot checks a root document by the table of "Root documents"; its signatures are another matter.
func readRoot(value any) (*rootDocument, *refusal) {
	if !isRoot(value) {
		return nil, refuse("ERR_TRUST_ROOT", "members of the root")
	}
	document := value.(object)
	listed := map[string][]byte{}
	for id, entry := range document["keys"].(object) {
		key := decodeBase64(entry.(object)["public"].(string))
		if !isStrongKey(key) {
			return nil, refuse("ERR_TRUST_KEY", "a bad key")
		}
		if hash := sha256.Sum256(key); hex.EncodeToString(hash[:]) != id {
			return nil, refuse("ERR_TRUST_ROOT", "a key under another id")
		}
		listed[id] = key
	}
	root := &rootDocument{
		document: document,
		name:     document["name"].(string),
		version:  document["version"].(int64),
		roles:    map[string]role{},
	}
	root.expires, _ = parseDate(document["expires"].(string))
	for _, name := range []string{"root", "release", "rollout"} {
		fields := document["roles"].(object)[name].(object)
		own := role{threshold: int(fields["threshold"].(int64)), keys: map[string][]byte{}}
		for _, id := range fields["keys"].([]any) {
			key, isListed := listed[id.(string)]
			if _, isTwice := own.keys[id.(string)]; isTwice || !isListed {
				return nil, refuse("ERR_TRUST_ROOT", "a role with a key twice or unlisted")
			}
			own.keys[id.(string)] = key
		}
		if own.threshold > len(own.keys) {
			return nil, refuse("ERR_TRUST_ROOT", "a threshold beyond the keys")
		}
		root.roles[name] = own
	}
	return root, nil
}

var isSignature = objectOf(false, map[string]check{"key": isHash, "sig": anyText(128)})

// assertSigned counts the keys of a role that have signed the document without the named members.
func assertSigned(document object, signers role, without ...string) *refusal {
	entries, isArray := document["signatures"].([]any)
	if !isArray || len(entries) > 64 {
		return refuse("ERR_TRUST_UNSIGNED", "no array of at most 64 signatures")
	}
	message := canonical(document, without...)
	tries := map[string]int{}
	valid := map[string]bool{}
	isSigned := false
	for _, entry := range entries {
		if !isSignature(entry) {
			continue
		}
		isSigned = true
		id := entry.(object)["key"].(string)
		signature := decodeBase64(entry.(object)["sig"].(string))
		key, isOfRole := signers.keys[id]
		if !isOfRole || len(signature) != 64 || valid[id] || tries[id] == 2 {
			continue
		}
		tries[id]++
		valid[id] = isValidSignature(key, message, signature)
	}
	count := 0
	for _, isValid := range valid {
		if isValid {
			count++
		}
	}
	switch {
	case !isSigned:
		return refuse("ERR_TRUST_UNSIGNED", "no entry is a signature")
	case count == 0:
		return refuse("ERR_TRUST_SIGNATURE", "no valid signature")
	case count < signers.threshold:
		return refuse("ERR_TRUST_THRESHOLD", "too few keys")
	}
	return nil
}

// followRoots walks through the later roots; what is reached stays reached when a fault ends the walk.
func (agent *agentState) followRoots(chain []any) *refusal {
	accepted := 0
	for _, value := range chain {
		next, refused := readRoot(value)
		if refused != nil {
			return refused
		}
		if next.version <= agent.root.version {
			continue
		}
		if accepted == 64 {
			return nil
		}
		if next.version != agent.root.version+1 || next.name != agent.root.name {
			return refuse("ERR_TRUST_ROOT", "not the next root of this name")
		}
		for _, root := range []*rootDocument{agent.root, next} {
			if refused := assertSigned(next.document, root.roles["root"], "signatures"); refused != nil {
				return refused
			}
		}
		if isTightened(agent.root.roles["rollout"], next.roles["rollout"]) {
			agent.sequence, agent.digest = 0, ""
		}
		agent.root = next
		accepted++
	}
	return nil
}

func isTightened(before, after role) bool {
	for id := range before.keys {
		if _, isKept := after.keys[id]; !isKept {
			return true
		}
	}
	return after.threshold > before.threshold
}
