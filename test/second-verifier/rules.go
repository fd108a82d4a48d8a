package main

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
)

// What SPEC.md says in "Rules", "Flags" and, of buckets, in "Decision".

var isReference = objectOf(false, map[string]check{"version": isVersion, "release": isHash, "url": isURL})

var (
	isLabelName  = matching(`[a-z0-9](?:[a-z0-9._/-]{0,61}[a-z0-9])?`, 63)
	isLabelValue = matching(`[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?`, 63)
	isTimeOfDay  = matching(`(?:[01][0-9]|2[0-3]):[0-5][0-9]`, 5)
)

// isRange takes a version, or up to four comparators that are divided by single spaces.
func isRange(value any) bool {
	text, isText := value.(string)
	if !isText {
		return false
	}
	parts := strings.Split(text, " ")
	if len(parts) > 4 {
		return false
	}
	for _, part := range parts {
		if rest := strings.TrimPrefix(strings.TrimPrefix(part, "<"), ">"); len(part)-len(rest) == 1 {
			part = strings.TrimPrefix(rest, "=")
		}
		if !isVersion(part) {
			return false
		}
	}
	return true
}

var isMatch = objectOf(true, map[string]check{
	"labels?": mapOf(func(name any) bool { return isLabelName(name) }, arrayOf(isLabelValue, 1, 64), 1, 32),
	"ids?":    arrayOf(oneLine(128), 1, 1000), "platforms?": arrayOf(isPlatform, 1, 64),
	"versions?": arrayOf(isRange, 1, 16),
})

var isWindow = objectOf(true, map[string]check{
	"start": isTimeOfDay, "end": isTimeOfDay, "days?": arrayOf(matching(`mon|tue|wed|thu|fri|sat|sun`, 3), 1, 7),
	"timezone?": matching(`[A-Za-z0-9_+/:-]+`, 64),
})

var isRuleObject = objectOf(true, map[string]check{
	"match": isMatch, "stages?": arrayOf(isStage, 1, 100), "pin?": isReference, "hold?": isBoolean,
	"windows?": arrayOf(isWindow, 1, 16), "flags?": isFlags,
})

func isRule(value any) bool {
	if !isRuleObject(value) {
		return false
	}
	rule, moves := value.(object), 0
	for _, name := range []string{"stages", "pin"} {
		if _, isThere := rule[name]; isThere {
			moves++
		}
	}
	if rule["hold"] == true {
		moves++
	}
	return moves < 2
}

func isFlagValue(value any) bool {
	switch value.(type) {
	case bool, int64:
		return true
	}
	return oneLine(256)(value)
}

var isShare = objectOf(true, map[string]check{"value": isFlagValue, "percent": integerOf(0, 100)})

var isFlagObject = objectOf(true, map[string]check{"shares": arrayOf(isShare, 1, 16), "salt?": oneLine(128)})

func isFlag(value any) bool {
	if !isFlagObject(value) {
		return false
	}
	sum := int64(0)
	for _, share := range value.(object)["shares"].([]any) {
		sum += share.(object)["percent"].(int64)
	}
	return sum <= 100
}

var isFlags = mapOf(isName, isFlag, 0, 100)

// draw gives the bucket of an agent, and the integer of its place.
func draw(salt, id string) (bucket, place uint32) {
	hash := sha256.Sum256([]byte(salt + "\n" + id))
	return binary.BigEndian.Uint32(hash[0:4]) % 10000, binary.BigEndian.Uint32(hash[4:8])
}

// flagsOf gives the values of flags for an agent.
func flagsOf(flags object, id string) object {
	values := object{}
	for name, flag := range flags {
		salt, hasSalt := flag.(object)["salt"].(string)
		if !hasSalt {
			salt = "flag:" + name
		}
		bucket, _ := draw(salt, id)
		reached := int64(0)
		for _, share := range flag.(object)["shares"].([]any) {
			reached += share.(object)["percent"].(int64)
			if reached*100 > int64(bucket) {
				values[name] = share.(object)["value"]
				break
			}
		}
	}
	return values
}
