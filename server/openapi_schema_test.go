package server_test

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// check returns what of a value is not as a schema of the document says. It
// knows the keywords that the document uses; another one is a mistake itself,
// so that none is passed over in silence.
func (d openAPI) check(schema, value any) []string {
	return d.checkAt("", schema, value)
}

func (d openAPI) checkAt(where string, schema, value any) []string {
	s := object(d.resolve(schema))
	if s == nil {
		return []string{where + ": no schema"}
	}
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, where+": "+fmt.Sprintf(format, args...)) }
	for keyword, rule := range s {
		switch keyword {
		case "description", "examples", "default", "additionalProperties", "prefixItems":
		case "type":
			if !isType(rule, value) {
				say("%v is not of type %v", value, rule)
			}
		case "const":
			if rule != value {
				say("%v is not %v", value, rule)
			}
		case "enum":
			if list, _ := rule.([]any); !slices.Contains(list, value) {
				say("%v is none of %v", value, rule)
			}
		case "oneOf":
			list, _ := rule.([]any)
			fit, whys := 0, []string{}
			for _, one := range list {
				why := d.checkAt(where, one, value)
				if whys = append(whys, why...); len(why) == 0 {
					fit++
				}
			}
			if fit != 1 {
				say("%v fits %d of %d: %s", value, fit, len(list), strings.Join(whys, "; "))
			}
		case "required":
			list, _ := rule.([]any)
			for _, name := range list {
				if _, ok := object(value)[fmt.Sprint(name)]; !ok {
					say("%v is missing", name)
				}
			}
		case "properties":
			for name, part := range object(value) {
				if rule, ok := object(rule)[name]; ok {
					wrong = append(wrong, d.checkAt(where+"/"+name, rule, part)...)
				}
			}
		case "items":
			list, _ := value.([]any)
			first, _ := s["prefixItems"].([]any)
			for i, part := range list {
				if i < len(first) {
					wrong = append(wrong, d.checkAt(fmt.Sprintf("%s/%d", where, i), first[i], part)...)
				} else {
					wrong = append(wrong, d.checkAt(fmt.Sprintf("%s/%d", where, i), rule, part)...)
				}
			}
		case "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties":
			size, bounded := sizeOf(keyword, value)
			bound, _ := rule.(float64)
			if bounded && (keyword[:3] == "min" && size < bound || keyword[:3] == "max" && size > bound) {
				say("%v is beyond %s %v", value, keyword, bound)
			}
		case "pattern":
			text, ok := value.(string)
			if expression, _ := rule.(string); ok && !regexp.MustCompile(expression).MatchString(text) {
				say("%q does not match %s", text, expression)
			}
		default:
			say("the keyword %s is not known to this test", keyword)
		}
	}
	if rule, ok := s["additionalProperties"]; ok {
		for name, part := range object(value) {
			if _, named := object(s["properties"])[name]; named {
				continue
			}
			if rule == false {
				say("%s is not documented", name)
			} else if object(rule) != nil {
				wrong = append(wrong, d.checkAt(where+"/"+name, rule, part)...)
			}
		}
	}
	return wrong
}

func isType(rule, value any) bool {
	if list, ok := rule.([]any); ok {
		return slices.ContainsFunc(list, func(one any) bool { return isType(one, value) })
	}
	switch v := value.(type) {
	case nil:
		return rule == "null"
	case bool:
		return rule == "boolean"
	case float64:
		return rule == "number" || rule == "integer" && v == math.Trunc(v)
	case string:
		return rule == "string"
	case []any:
		return rule == "array"
	case map[string]any:
		return rule == "object"
	}
	return false
}

// sizeOf is what a bound is about; false when it is about other types of value.
func sizeOf(keyword string, value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, keyword[3:] == "imum"
	case string:
		return float64(utf8.RuneCountInString(v)), keyword[3:] == "Length"
	case []any:
		return float64(len(v)), keyword[3:] == "Items"
	case map[string]any:
		return float64(len(v)), keyword[3:] == "Properties"
	}
	return 0, false
}
