package settings

import (
	"bytes"
	"fmt"
	"strings"
)

// Init is a settings file to begin with: every setting with its help and default, commented out but for those that are required.
func Init() []byte {
	var b bytes.Buffer
	b.WriteString("# Settings of voicemail-relay. What is commented out is the default. Each can be given as a variable (RELAY_WAIT_FIRST)\n# or flag (--wait.first) too; voicemail-relay config shows what is in effect, and where it came from.\n")
	d := newLoader(Source{})
	d.check() // fills in the defaults that depend on others
	group := ""
	for _, l := range tree() {
		parts := strings.Split(l.path, ".")
		leaf, groups := parts[len(parts)-1], parts[:len(parts)-1]
		indent := strings.Repeat("  ", len(groups))
		if g := strings.Join(groups, "."); g != group {
			if len(groups) <= 1 {
				b.WriteString("\n")
			}
			if len(groups) > 0 && !strings.HasPrefix(group, g+".") { // back from a deeper group: its heading stands above
				fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", len(groups)-1), groups[len(groups)-1])
			}
			group = g
		}
		value, comment := l.get(&d.e.Settings), "#"
		if value == "" {
			value = `""`
		}
		if l.example != "" {
			value, comment = l.example, ""
		}
		fmt.Fprintf(&b, "%s# %s\n%s%s%s: %s\n", indent, l.help, indent, comment, leaf, value)
	}
	b.WriteString(`
# Further accounts: each serves the bots that its patterns match, first match wins; smartassist above serves all others. An account
# begins with the defaults, not with what is set above: accounts share nothing.
#accounts:
#  - name: sales
#    bots: ["st-b110*"]
#    base_url: https://smartassist.kore.ai
#    app_id: cs-00000000-0000-0000-0000-000000000000
#    app_secret_file: /run/secrets/sales
`)
	return b.Bytes()
}
