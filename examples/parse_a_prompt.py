"""Parse a prompt without torch. Prints each piece with its weight, and which bracket is open."""

from clipcond.prompt import Break, parse

for part in parse("a (red:1.3) cat, [blurry] BREAK on a mat").parts:
    print("BREAK" if isinstance(part, Break) else f"{part.weight:<6.4g} {part.text!r}")

parsed = parse("a (red cat on a mat")
for issue in parsed.issues:
    print(f"{issue.message}, at {issue.position}: {parsed.source[issue.position :]!r}")
