package main

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Values of the strict profile are nil, bool, int64, string, []any and object.
type object map[string]any

const (
	maxDepth   = 32
	maxInteger = 1<<53 - 1
)

var reservedKeys = map[string]bool{
	"constructor": true, "hasOwnProperty": true, "isPrototypeOf": true, "propertyIsEnumerable": true,
	"toLocaleString": true, "toString": true, "valueOf": true, "__proto__": true, "__defineGetter__": true,
	"__defineSetter__": true, "__lookupGetter__": true, "__lookupSetter__": true,
}

type reader struct {
	text []byte
	at   int
}

// parseStrict reads one value of the strict profile (SPEC.md, "Bytes") and nothing else.
func parseStrict(text []byte) (any, error) {
	// Go refuses surrogates, overlong forms and code points beyond U+10FFFF here.
	if !utf8.Valid(text) {
		return nil, errors.New("not UTF-8")
	}
	r := &reader{text: text}
	value, err := r.value(0)
	if err != nil {
		return nil, err
	}
	r.skipSpace()
	if r.at != len(r.text) {
		return nil, r.fail("something after the value")
	}
	return value, nil
}

func (r *reader) fail(reason string) error {
	return fmt.Errorf("%s at byte %d", reason, r.at)
}

// peek gives the next byte, or 0 at the end: a NUL is nowhere allowed.
func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) skipSpace() {
	for r.at < len(r.text) && strings.IndexByte(" \t\n\r", r.text[r.at]) >= 0 {
		r.at++
	}
}

// value reads a value that lies in `depth` objects and arrays.
func (r *reader) value(depth int) (any, error) {
	r.skipSpace()
	switch c := r.peek(); {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return nil, r.fail("too deep")
		}
		if c == '{' {
			return r.object(depth)
		}
		return r.array(depth)
	case c == '"':
		return r.string()
	case c == '-' || c >= '0' && c <= '9':
		return r.integer()
	}
	for word, value := range map[string]any{"true": true, "false": false, "null": nil} {
		if strings.HasPrefix(string(r.text[r.at:min(len(r.text), r.at+5)]), word) {
			r.at += len(word)
			return value, nil
		}
	}
	return nil, r.fail("not a value")
}

func (r *reader) object(depth int) (any, error) {
	members := object{}
	r.at++
	if r.skipSpace(); r.peek() == '}' {
		r.at++
		return members, nil
	}
	for {
		r.skipSpace()
		if r.peek() != '"' {
			return nil, r.fail("not a key")
		}
		key, err := r.string()
		if err != nil {
			return nil, err
		}
		if key == "" || strings.IndexFunc(key, func(c rune) bool { return c < 0x20 || c > 0x7e }) >= 0 {
			return nil, r.fail("a key that is not printable ASCII")
		}
		if _, isThere := members[key]; isThere || reservedKeys[key] {
			return nil, r.fail("a repeated or reserved key")
		}
		if r.skipSpace(); r.peek() != ':' {
			return nil, r.fail("no colon")
		}
		r.at++
		if members[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
		r.skipSpace()
		end := r.peek()
		r.at++
		if end == '}' {
			return members, nil
		}
		if end != ',' {
			return nil, r.fail("no comma")
		}
	}
}

func (r *reader) array(depth int) (any, error) {
	items := []any{}
	r.at++
	if r.skipSpace(); r.peek() == ']' {
		r.at++
		return items, nil
	}
	for {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		r.skipSpace()
		end := r.peek()
		r.at++
		if end == ']' {
			return items, nil
		}
		if end != ',' {
			return nil, r.fail("no comma")
		}
	}
}

func (r *reader) string() (string, error) {
	var text strings.Builder
	r.at++
	for {
		c, size := utf8.DecodeRune(r.text[r.at:])
		switch {
		case size == 0:
			return "", r.fail("an unfinished string")
		case c == '"':
			r.at++
			return text.String(), nil
		case c == '\\':
			escaped, err := r.escape()
			if err != nil {
				return "", err
			}
			if isControl(escaped) && escaped != '\t' && escaped != '\n' && escaped != '\r' {
				return "", r.fail("a control character")
			}
			text.WriteRune(escaped)
		case isControl(c):
			return "", r.fail("a control character")
		default:
			text.WriteRune(c)
			r.at += size
		}
	}
}

func isControl(c rune) bool {
	return c < 0x20 || c >= 0x7f && c <= 0x9f
}

func (r *reader) escape() (rune, error) {
	r.at++
	c := r.peek()
	if c != 'u' {
		r.at++
		if plain := strings.IndexByte(`"\/bfnrt`, c); plain >= 0 && c != 0 {
			return rune("\"\\/\b\f\n\r\t"[plain]), nil
		}
		return 0, r.fail("an unknown escape")
	}
	first, err := r.unit()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if r.peek() != '\\' || r.at+1 >= len(r.text) || r.text[r.at+1] != 'u' {
		return 0, r.fail("a lone surrogate")
	}
	r.at++
	second, err := r.unit()
	if err != nil {
		return 0, err
	}
	both := utf16.DecodeRune(first, second)
	if both == utf8.RuneError {
		return 0, r.fail("a lone surrogate")
	}
	return both, nil
}

// unit reads `uXXXX`.
func (r *reader) unit() (rune, error) {
	r.at++
	if r.at+4 > len(r.text) {
		return 0, r.fail("a broken escape")
	}
	value := rune(0)
	for _, c := range r.text[r.at : r.at+4] {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, r.fail("a broken escape")
		}
		value = value<<4 | rune(digit)
	}
	r.at += 4
	return value, nil
}

func (r *reader) integer() (any, error) {
	start := r.at
	if r.peek() == '-' {
		r.at++
	}
	digits := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	text := string(r.text[start:r.at])
	count := r.at - digits
	if count == 0 || count > 16 || count > 1 && r.text[digits] == '0' || text == "-0" {
		return nil, r.fail("not a plain integer")
	}
	if strings.IndexByte(".eE", r.peek()) >= 0 && r.peek() != 0 {
		return nil, r.fail("not an integer")
	}
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || math.Abs(float64(value)) > maxInteger {
		return nil, r.fail("beyond the safe integers")
	}
	return value, nil
}

// canonical gives the canonical form; at the top, members of these names are left out.
func canonical(value any, without ...string) []byte {
	switch v := value.(type) {
	case nil:
		return []byte("null")
	case bool:
		return strconv.AppendBool(nil, v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case string:
		return canonicalString(v)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = string(canonical(item))
		}
		return []byte("[" + strings.Join(parts, ",") + "]")
	case object:
		var keys []string
		for key := range v {
			if !contains(without, key) {
				keys = append(keys, key)
			}
		}
		sort.Strings(keys)
		for i, key := range keys {
			keys[i] = string(canonicalString(key)) + ":" + string(canonical(v[key]))
		}
		return []byte("{" + strings.Join(keys, ",") + "}")
	}
	panic(fmt.Sprintf("not a value of the profile: %T", value))
}

func canonicalString(text string) []byte {
	escapes := strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`)
	return []byte(`"` + escapes.Replace(text) + `"`)
}

func contains(list []string, text string) bool {
	for _, item := range list {
		if item == text {
			return true
		}
	}
	return false
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
