package main

import (
	"net/http"
	"strconv"
	"strings"
)

// fieldsOf lists the fields of an object schema, including nested objects. For an array, it lists the fields of one
// element.
func fieldsOf(schema node) []field {
	if schema.at("type").text() == "array" {
		return nestedFields("[].", schema.at("items"))
	}
	return nestedFields("", schema)
}

// nestedFields lists fields with their paths. In a path, "." separates names, "[]" stands for an element of an array,
// and "*" stands for any key.
func nestedFields(prefix string, schema node) []field {
	var fields []field
	required := schema.at("required").words()
	for name, property := range schema.at("properties").pairs() {
		property = property.resolved()
		made := field{Name: prefix + name, Type: typeOf(property), Text: markdown(property.at("description").text())}
		for _, each := range required {
			made.Required = made.Required || each == name
		}
		fields = append(fields, made)
		fields = append(fields, nestedFields(prefix+name+".", property)...)
		fields = append(fields, nestedFields(prefix+name+".*.", property.at("additionalProperties"))...)
		if items := property.at("items"); items.exists() {
			fields = append(fields, nestedFields(prefix+name+"[].", items)...)
		}
	}
	return fields
}

// parameterField converts a parameter of the path, the query or a header.
func parameterField(parameter node) field {
	parameter = parameter.resolved()
	return field{
		Name:     parameter.at("name").text(),
		In:       parameter.at("in").text(),
		Type:     typeOf(parameter.at("schema")),
		Required: parameter.at("required").isTrue(),
		Text:     markdown(parameter.at("description").text()),
	}
}

// typeOf describes the type and the limits of a value in English.
func typeOf(schema node) string {
	var kind string
	switch name := schema.at("type").text(); name {
	case "array":
		kind = "list of " + plural(typeOf(schema.at("items")))
	case "boolean":
		kind = "true or false"
	case "integer":
		kind = "whole number" + bounds(schema, "minimum", "maximum", "")
	case "object":
		kind = "object"
		if more := schema.at("additionalProperties"); more.at("type").exists() {
			kind += " of " + plural(typeOf(more))
		}
	case "string":
		kind = stringType(schema)
	default:
		kind = "any JSON"
		if schema.at("oneOf").exists() {
			kind = "string or whole number"
		}
	}
	if schema.at("nullable").isTrue() && !strings.HasSuffix(kind, "null") {
		kind += " or null"
	}
	return kind
}

// stringType describes a string by its enum, its format or its length.
func stringType(schema node) string {
	var words []string
	for _, word := range schema.at("enum").words() {
		words = append(words, strings.TrimSpace(word))
	}
	switch {
	case len(words) > 12:
		return "one of the actions" // a list this long would not fit
	case len(words) == 1:
		return "always " + words[0]
	case len(words) > 1:
		return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	}
	switch schema.at("format").text() {
	case "uuid":
		return "UUID"
	case "date-time":
		return "time, RFC 3339"
	}
	return "string" + bounds(schema, "minLength", "maxLength", " characters")
}

// bounds describes the limits of a length or a number. It omits a minimum length of 1.
func bounds(schema node, least, most, unit string) string {
	from, to := schema.at(least).text(), schema.at(most).text()
	if unit != "" && from == "1" && to == "" {
		return ""
	}
	switch {
	case from != "" && to != "":
		return ", " + from + "–" + grouped(to) + unit
	case from != "":
		return ", from " + from + unit
	case to != "":
		return ", up to " + grouped(to) + unit
	}
	return ""
}

// grouped inserts commas between thousands.
func grouped(number string) string {
	if len(number) <= 3 {
		return number
	}
	return grouped(number[:len(number)-3]) + "," + number[len(number)-3:]
}

// plural returns the plural of a type's description. typeOf describes an array as "list of" and the plural of its
// elements.
func plural(kind string) string {
	word, rest, _ := strings.Cut(kind, ",")
	switch word {
	case "string", "object", "UUID":
		word += "s"
	}
	if rest != "" {
		word += "," + rest
	}
	return word
}

// statusText returns the standard text of a status code, or "" for an unknown code.
func statusText(status string) string {
	number, _ := strconv.Atoi(status)
	return http.StatusText(number)
}

// segments splits a path after each slash. The page allows a line break after each segment.
func segments(path string) []segment {
	var cut []segment
	for part := range strings.SplitAfterSeq(path, "/") {
		if part != "" {
			cut = append(cut, segment{Text: part, Parameter: strings.HasPrefix(part, "{")})
		}
	}
	return cut
}

// slug returns the anchor of a section.
func slug(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), " ", "-")
}
