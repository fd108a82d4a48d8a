// A second verifier of Moult's manifests, written from SPEC.md alone and with Go's standard library only, so that a rule
// which the specification leaves open, or the first implementation gets wrong, shows as a disagreement.
//
//	second-verifier vector.json...
//	second-verifier -buckets buckets.json
//	second-verifier -flags flags.json
//
// For each vector it prints one line: the name, the verdict, and what the agent has afterwards (version of the root,
// sequence floor, digest at the floor), or `-` where the pinned root is of no use. It compares nothing.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type vectorFile struct {
	Comment string `json:"comment"`
	Expect  string `json:"expect"`
	Twin    string `json:"twin"`
	Now     string `json:"now"`
	Trust   struct {
		Root    json.RawMessage `json:"root"`
		Channel string          `json:"channel"`
	} `json:"trust"`
	State struct {
		Root     json.RawMessage `json:"root"`
		Sequence int64           `json:"sequence"`
		Digest   string          `json:"digest"`
	} `json:"state"`
	Manifest json.RawMessage `json:"manifest"`
	After    json.RawMessage `json:"after"`
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: second-verifier vector.json...")
		os.Exit(2)
	}
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "-") {
		if err := runRollouts(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	for _, path := range os.Args[1:] {
		line, err := runVector(path)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			os.Exit(1)
		}
		fmt.Printf("%s %s\n", strings.TrimSuffix(filepath.Base(path), ".json"), line)
	}
}

// runRollouts prints a line for each agent: its bucket and place, or its flags.
func runRollouts(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	value, err := parseStrict(text)
	if err != nil {
		return err
	}
	switch list := value.(type) {
	case []any:
		for _, item := range list {
			agent := item.(object)
			bucket, place := draw(agent["salt"].(string), agent["id"].(string))
			fmt.Printf("%d %d\n", bucket, place)
		}
	case object:
		if !isFlags(list["flags"]) {
			return fmt.Errorf("no flags: %s", path)
		}
		for _, item := range list["agents"].([]any) {
			line, err := json.Marshal(flagsOf(list["flags"].(object), item.(object)["id"].(string)))
			if err != nil {
				return err
			}
			fmt.Println(string(line))
		}
	}
	return nil
}

func runVector(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var file vectorFile
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&file); err != nil {
		return "", err
	}
	now, isDate := parseDate(file.Now)
	if !isDate {
		return "", fmt.Errorf("not a date: %s", file.Now)
	}
	manifest, err := manifestBytes(file.Manifest)
	if err != nil {
		return "", err
	}

	pinned, refused := readPinnedRoot(file.Trust.Root)
	if refused != nil {
		return refused.code + " -", nil
	}
	agent := agentState{root: pinned, channel: file.Trust.Channel, sequence: file.State.Sequence, digest: file.State.Digest}
	if file.State.Root != nil {
		stored, refused := readRootText(file.State.Root)
		if refused != nil {
			return "", fmt.Errorf("the accepted root: %s", refused.code)
		}
		// "The pinned one wins if its name differs or its version is higher."
		if stored.name == pinned.name && stored.version >= pinned.version {
			agent.root = stored
		}
	}
	verdict := "ok"
	if refused := agent.verify(manifest, now); refused != nil {
		verdict = refused.code
	}
	digest := agent.digest
	if digest == "" {
		digest = "none"
	}
	return fmt.Sprintf("%s root=%d sequence=%d digest=%s", verdict, agent.root.version, agent.sequence, digest), nil
}

// manifestBytes gives the bytes of a manifest that stands in a vector as text or as {"base64": ...}.
func manifestBytes(raw json.RawMessage) ([]byte, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return []byte(text), nil
	}
	var wrapped struct {
		Base64 string `json:"base64"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&wrapped); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(wrapped.Base64)
}

func readPinnedRoot(text []byte) (*rootDocument, *refusal) {
	pinned, refused := readRootText(text)
	if refused != nil {
		return nil, refused
	}
	return pinned, assertSigned(pinned.document, pinned.roles["root"], "signatures")
}

func readRootText(text []byte) (*rootDocument, *refusal) {
	value, err := parseStrict(text)
	if err != nil {
		return nil, refuse("ERR_TRUST_ROOT", err.Error())
	}
	return readRoot(value)
}
