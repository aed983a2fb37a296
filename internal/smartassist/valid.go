package smartassist

// mostNested is how deep encoding/json follows lists and objects.
const mostNested = 10_000

// valid is json.Valid, which FuzzValid holds it to, in a quarter of the time: that one takes every byte through a state machine, and nearly all
// of an answer is text that nobody asked for.
func valid(b []byte) bool {
	open := make([]byte, 0, 16) // the ends of the lists and objects that have begun, the innermost last
	i := spaces(b, 0)
	for {
		if i >= len(b) {
			return false
		}
		switch c := b[i]; c { // a value begins
		case '{', '[':
			end := c + 2 // in ASCII
			if len(open) == mostNested {
				return false
			}
			open = append(open, end)
			if i = spaces(b, i+1); i < len(b) && b[i] != end {
				if i = validName(b, i, end); i < 0 {
					return false
				}
				continue
			}
		default:
			if i = validScalar(b, i); i < 0 {
				return false
			}
		}
		for more := false; !more; { // it has ended, and perhaps what it stands in
			i = spaces(b, i)
			switch {
			case len(open) == 0:
				return i == len(b)
			case i >= len(b):
				return false
			case b[i] == open[len(open)-1]:
				open = open[:len(open)-1]
				i++
			case b[i] == ',':
				if i = validName(b, spaces(b, i+1), open[len(open)-1]); i < 0 {
					return false
				}
				more = true
			default:
				return false
			}
		}
	}
}

// Each of these returns the index behind what begins at i, or -1 where none of its kind does.

// validName takes what stands before a value: its name and the colon in an object, nothing in a list.
func validName(b []byte, i int, end byte) int {
	if end != '}' {
		return i
	}
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	if i = validString(b, i); i < 0 {
		return -1
	}
	if i = spaces(b, i); i >= len(b) || b[i] != ':' {
		return -1
	}
	return spaces(b, i+1)
}

func validScalar(b []byte, i int) int {
	switch b[i] {
	case '"':
		return validString(b, i)
	case 't':
		return validWord(b, i, "true")
	case 'f':
		return validWord(b, i, "false")
	case 'n':
		return validWord(b, i, "null")
	}
	return validNumber(b, i)
}

func validString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			i++
			if i >= len(b) {
				return -1
			}
			switch b[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(b) || !isHex(b[i]) {
						return -1
					}
				}
			default:
				return -1
			}
		}
	}
	return -1
}

func validNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	whole := i
	if i = digits(b, i); i == whole || b[whole] == '0' && i > whole+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = digits(b, from); i == from {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = digits(b, from); i == from {
			return -1
		}
	}
	return i
}

func validWord(b []byte, i int, word string) int {
	if end := i + len(word); end <= len(b) && string(b[i:end]) == word {
		return end
	}
	return -1
}

func digits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}

func spaces(b []byte, i int) int {
	for i < len(b) && space(b[i]) {
		i++
	}
	return i
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
