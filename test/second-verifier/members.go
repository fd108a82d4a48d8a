package main

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

type refusal struct{ code, reason string }

func refuse(code, reason string) *refusal {
	return &refusal{code, reason}
}

// check tells whether a value is what a member must be.
type check func(value any) bool

func matching(pattern string, maxUnits int) check {
	expression := regexp.MustCompile(`\A(?:` + pattern + `)\z`)
	return func(value any) bool {
		text, isText := value.(string)
		return isText && units(text) <= maxUnits && expression.MatchString(text)
	}
}

func integerOf(least, most int64) check {
	return func(value any) bool {
		number, isNumber := value.(int64)
		return isNumber && number >= least && number <= most
	}
}

func arrayOf(item check, least, most int) check {
	return func(value any) bool {
		items, isArray := value.([]any)
		if !isArray || len(items) < least || len(items) > most {
			return false
		}
		for _, element := range items {
			if !item(element) {
				return false
			}
		}
		return true
	}
}

func mapOf(name, item check, least, most int) check {
	return func(value any) bool {
		members, isObject := value.(object)
		if !isObject || len(members) < least || len(members) > most {
			return false
		}
		for key, element := range members {
			if !name(key) || !item(element) {
				return false
			}
		}
		return true
	}
}

// objectOf checks members by name; a name that ends in ? may be absent. Others are allowed unless it is closed.
func objectOf(closed bool, members map[string]check) check {
	return func(value any) bool {
		fields, isObject := value.(object)
		if !isObject {
			return false
		}
		known := 0
		for name, isGood := range members {
			bare := strings.TrimSuffix(name, "?")
			field, isThere := fields[bare]
			if isThere {
				known++
			}
			if isThere && !isGood(field) || !isThere && bare == name {
				return false
			}
		}
		return !closed || known == len(fields)
	}
}

func isBoolean(value any) bool {
	_, isBool := value.(bool)
	return isBool
}

func isDate(value any) bool {
	text, isText := value.(string)
	if !isText {
		return false
	}
	_, isGood := parseDate(text)
	return isGood
}

// units counts UTF-16 code units, as all limits of strings do.
func units(text string) int {
	return len(utf16.Encode([]rune(text)))
}

var (
	datePattern    = regexp.MustCompile(`\A(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?Z\z`)
	versionPattern = regexp.MustCompile(`\A(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
		`(?:-(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9]\d*|\d*[A-Za-z-][0-9A-Za-z-]*))*)?` +
		`(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?\z`)
)

// parseDate gives milliseconds since 1970.
func parseDate(text string) (int64, bool) {
	parts := datePattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(parts[i]); return n }
	milliseconds, _ := strconv.Atoi((parts[7] + "000")[:3])
	date := time.Date(number(1), time.Month(number(2)), number(3), number(4), number(5), number(6), 0, time.UTC)
	// time.Date carries 30 February over to March; a date that exists stays as it was.
	if date.Format("2006-01-02T15:04:05") != text[:19] {
		return 0, false
	}
	return date.Unix()*1000 + int64(milliseconds), true
}

func isVersion(value any) bool {
	text, isText := value.(string)
	if !isText || len(text) > 128 {
		return false
	}
	parts := versionPattern.FindStringSubmatch(text)
	if parts == nil {
		return false
	}
	for _, part := range parts[1:4] {
		if number, err := strconv.ParseInt(part, 10, 64); err != nil || number > maxInteger {
			return false
		}
	}
	return true
}

var (
	isName     = matching(`[a-z0-9][a-z0-9._-]{0,63}`, 64)
	isHash     = matching(`[0-9a-f]{64}`, 64)
	isURL      = matching(`[!-\[\]-~]+`, 2048)
	isSize     = integerOf(1, maxInteger)
	isEntry    = matching(`[A-Za-z0-9_+@.-]+(?:/[A-Za-z0-9_+@.-]+)*`, 512)
	isPlatform = matching(`[a-z0-9]{1,16}-[a-z0-9_]{1,16}`, 33)
	isDuration = matching(`(?:[0-9]{1,9}(?:ms|s|m|h|d))+`, 128)
)

func anyText(maxUnits int) check { return matching(`(?s:.*)`, maxUnits) }
func oneLine(maxUnits int) check { return matching(`[^\r\n]*`, maxUnits) }

func isEntryPath(value any) bool {
	if !isEntry(value) {
		return false
	}
	for _, part := range strings.Split(value.(string), "/") {
		if part == "." || part == ".." {
			return false
		}
	}
	return true
}

var isDownload = objectOf(false, map[string]check{
	"url": isURL, "size": isSize, "sha256": isHash, "encoding?": anyText(32), "from?": isHash,
})

var isHooks = objectOf(false, map[string]check{"pre_update?": isEntryPath, "post_update?": isEntryPath})

var isBinary = objectOf(false, map[string]check{
	"url": isURL, "sha256": isHash, "size": isSize, "unpack?": matching(`file|tar`, 4), "entry?": isEntryPath,
	"hooks?": isHooks, "downloads?": arrayOf(isDownload, 0, 32),
})

var isAttachment = objectOf(false, map[string]check{"url": isURL, "sha256": isHash, "size": isSize})

var isRelease = objectOf(false, map[string]check{
	"name": isName, "version": isVersion, "release_date": isDate, "min_version?": isVersion,
	"rollback_floor?": isVersion, "changelog?": anyText(16384), "container_image?": oneLine(512),
	"binaries":     mapOf(isPlatform, isBinary, 0, 64),
	"attachments?": mapOf(matching(`[a-z][a-z0-9_]{0,63}`, 64), isAttachment, 0, 16),
})

var isStage = objectOf(true, map[string]check{"at": isDate, "percent": integerOf(0, 100)})

var isRollout = objectOf(false, map[string]check{
	"name": isName, "channel": isName, "release": isHash, "sequence": integerOf(1, maxInteger), "issued": isDate,
	"expires": isDate, "stages": arrayOf(isStage, 1, 100), "paused?": isBoolean, "paused_since?": isDate,
	"spread?": isDuration, "rules?": arrayOf(isRule, 0, 100), "flags?": isFlags, "fallback?": isReference,
	"base?": matching(`(?:\.\./){1,8}`, 24), "salt?": oneLine(128), "poll?": isDuration,
	"rollback?": arrayOf(isVersion, 0, 64), "previous?": isHash,
})

var isRole = objectOf(true, map[string]check{"keys": arrayOf(isHash, 1, 64), "threshold": integerOf(1, 64)})

var isRoot = objectOf(false, map[string]check{
	"format": matching(`moult-root/1`, 12), "name": isName, "version": integerOf(1, maxInteger), "expires": isDate,
	"keys": mapOf(isHash, objectOf(false, map[string]check{
		"type": matching(`ed25519`, 7), "public": anyText(maxManifestBytes),
	}), 1, 64),
	"roles": objectOf(false, map[string]check{"root": isRole, "release": isRole, "rollout": isRole}),
})
