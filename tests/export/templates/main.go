// Renders Go templates with the data that Ollama gives them, many conversations per start.
//
// Reads one JSON request per line and answers each with one line, {"text": …} or {"error": …}. The data follows what
// Ollama's template and api packages pass: turns of one role in a row are merged (but for tools' results), system
// prompts are also collected in .System, numbers are read as 64-bit floats, keys of arguments and of tools' properties
// come in alphabetical order, and unknown names beside .Messages are empty. An "older" server's messages have no
// .Thinking, and beside them stand neither .Think nor .IsThinkSet.
package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"text/template"
)

type arguments map[string]any

func (a arguments) String() string { return encoded(a) }

type callFunction struct {
	Index     int       `json:"-"`
	Name      string    `json:"name"`
	Arguments arguments `json:"arguments"`
}

type toolCall struct {
	ID       string       `json:"id"`
	Function callFunction `json:"function"`
}

type olderMessage struct {
	Role      string
	Content   string
	ToolCalls []toolCall
}

type message struct {
	Role      string     `json:"role"`
	Content   string     `json:"content"`
	Thinking  string     `json:"reasoning_content"`
	ToolCalls []toolCall `json:"tool_calls"`
	ToolName  string     `json:"tool_name"`
}

// A type is one word or several.
type propertyType []string

func (p *propertyType) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*p = propertyType{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(p))
}

func (p propertyType) MarshalJSON() ([]byte, error) {
	if len(p) == 1 {
		return json.Marshal(p[0])
	}
	return json.Marshal([]string(p))
}

type property struct {
	Type        propertyType `json:"type,omitempty"`
	Items       any          `json:"items,omitempty"`
	Description string       `json:"description,omitempty"`
	Enum        []any        `json:"enum,omitempty"`
}

type parameters struct {
	Type       string              `json:"type"`
	Required   []string            `json:"required,omitempty"`
	Properties map[string]property `json:"properties"`
}

type toolFunction struct {
	Name        string     `json:"name"`
	Description string     `json:"description"`
	Parameters  parameters `json:"parameters"`
}

type tool struct {
	Type     string       `json:"type"`
	Function toolFunction `json:"function"`
}

type request struct {
	Template string    `json:"template"`
	Messages []message `json:"messages"`
	Tools    []tool    `json:"tools"`
	Think    *bool     `json:"think"`
	Older    bool      `json:"older"`
}

func encoded(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}

func merged(given []message) (string, []message) {
	var systems []string
	var turns []message
	for _, next := range given {
		if next.Role == "system" {
			systems = append(systems, next.Content)
		}
		last := len(turns) - 1
		if last >= 0 && turns[last].Role == next.Role && next.Role != "tool" {
			turns[last].Content += "\n\n" + next.Content
		} else {
			turns = append(turns, next)
		}
	}
	return strings.Join(systems, "\n\n"), turns
}

func data(asked request) map[string]any {
	system, turns := merged(asked.Messages)
	values := map[string]any{"System": system, "Tools": asked.Tools, "Response": ""}
	if asked.Older {
		var known []*olderMessage
		for _, turn := range turns {
			known = append(known, &olderMessage{turn.Role, turn.Content, turn.ToolCalls})
		}
		values["Messages"] = known
		return values
	}
	var known []*message
	for index := range turns {
		known = append(known, &turns[index])
	}
	values["Messages"] = known
	values["Think"] = asked.Think != nil && *asked.Think
	values["IsThinkSet"] = asked.Think != nil
	return values
}

func rendered(asked request) (string, error) {
	functions := template.FuncMap{"json": encoded}
	parsed, err := template.New("").Option("missingkey=zero").Funcs(functions).Parse(asked.Template)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	err = parsed.Execute(&text, data(asked))
	return text.String(), err
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		line, end := lines.ReadBytes('\n')
		if end != nil {
			return
		}
		var asked request
		err := json.Unmarshal(line, &asked)
		text := ""
		if err == nil {
			text, err = rendered(asked)
		}
		if err != nil {
			answers.Encode(map[string]string{"error": err.Error()})
		} else {
			answers.Encode(map[string]string{"text": text})
		}
	}
}
