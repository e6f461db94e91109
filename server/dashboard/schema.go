package dashboard

import "encoding/json"

// Schema returns the format as a JSON Schema (2020-12), for editors that
// complete and check YAML as it is written. Parse checks more.
func Schema() []byte {
	type object = map[string]any
	text := func(most int, about string) object {
		return object{"type": []string{"string", "number", "boolean"}, "maxLength": most, "description": about}
	}
	whole := func(least, most int, about string) object {
		return object{"type": "integer", "minimum": least, "maximum": most, "description": about}
	}
	finite := func(about string) object { return object{"type": "number", "description": about} }
	several := func(item object, most int, about string) object { // one, or a list
		return object{"description": about, "anyOf": []object{item, {"type": "array", "items": item, "minItems": 1, "maxItems": most}}}
	}
	word := object{"type": "string"}
	legend := object{"enum": []string{"last", "min", "max", "avg"}}
	threshold := object{
		"type": "object", "additionalProperties": false, "required": []string{"at", "level"},
		"properties": object{
			"at":    finite("the value from which on the level is reached"),
			"level": object{"enum": []string{Warn, Critical}},
			"below": object{"type": "boolean", "description": "reached at or below the value"},
			"name":  text(MaxTitle, "what the panel says then"),
		},
	}
	panel := object{
		"type": "object", "additionalProperties": false, "required": []string{"title"},
		"properties": object{
			"title":      text(MaxTitle, "what the panel is called"),
			"kind":       object{"enum": append([]Kind{"auto"}, kinds...), "description": "what it draws; automatic without"},
			"topics":     several(word, MaxTopics, "topics and selectors, such as cpu{host=*}"),
			"columns":    several(word, MaxColumns, "which values, in this order"),
			"unit":       text(32, "stands in for the unit of the values"),
			"min":        finite("lower end of the axis"),
			"max":        finite("upper end of the axis"),
			"decimals":   whole(0, MaxDecimals, "digits after the point"),
			"names":      object{"type": "object", "additionalProperties": text(MaxTitle, "what to call the column"), "description": "what to call columns"},
			"note":       text(MaxTitle, "a few words beside the title"),
			"thresholds": object{"type": "array", "items": threshold, "minItems": 1, "maxItems": MaxThresholds},
			"legend":     several(legend, 4, "figures beside the name of each line"),
			"limit":      whole(1, MaxLimit, "lines or rows at most, largest first"),
			"link":       object{"type": "string", "maxLength": MaxLink, "pattern": "^(https?://|/)", "description": "where the title leads"},
			"text":       object{"type": "string", "maxLength": MaxText, "description": "markdown, for kind text"},
			"width":      whole(1, MaxWidth, "columns of the board"),
			"height":     whole(1, MaxHeight, "rows of 32 px"),
		},
	}
	schema := object{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Readout dashboard",
		"type": "object", "additionalProperties": false, "required": []string{"readout", "title", "panels"},
		"properties": object{
			"readout":     object{"const": Format, "description": "version of the format"},
			"title":       text(MaxTitle, "what the dashboard is called"),
			"description": text(MaxTitle, "one line about it"),
			"window":      object{"type": "string", "description": "time that the charts cover, 1m to 744h; 5m without"},
			"panels":      object{"type": "array", "items": panel, "minItems": 1, "maxItems": MaxPanels},
		},
	}
	b, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(err) // of nothing but texts and numbers
	}
	return append(b, '\n')
}
