# SPDX-License-Identifier: MIT
#
# awk -f ffi.awk HEADER...: a C file in which each inline of these headers that has kernel-doc is a
# function of the same name, for languages that cannot compile the headers.
# awk -v header=1 -f ffi.awk HEADER...: a header that declares these functions, and has no inlines.
#
# The inlines get another name, by a macro, before the headers are read.

# @text: "static inline int spscring_push(struct spscring_producer *p, ...)", up to the brace
function take(text,	name, type, rest, arguments, parameter, n, i) {
	gsub(/[ \t\n]+/, " ", text)
	sub(/^ ?static (SPSCRING_INLINE|inline) /, "", text)
	match(text, /spscring_[a-z0-9_]+\(/)
	name = substr(text, RSTART, RLENGTH - 1)
	type = substr(text, 1, RSTART - 1)
	rest = substr(text, RSTART + RLENGTH - 1)
	declarations = declarations type name rest ";\n"
	# a parameter that is a function: int (*copy)(void *to, const void *rec, __u32 length)
	while (match(rest, /\(\*[a-z_]+\)\([^()]*\)/)) {
		i = substr(rest, RSTART + 2, RLENGTH - 2)
		sub(/\).*/, "", i)
		rest = substr(rest, 1, RSTART - 1) i substr(rest, RSTART + RLENGTH)
	}
	gsub(/^\(|\) *$/, "", rest)
	n = split(rest, parameter, /, */)
	for (i = 1; i <= n; i++) {
		sub(/.*[ *]/, "", parameter[i])
		arguments = arguments (i > 1 ? ", " : "") parameter[i]
	}
	renames = renames "#define " name "(...) inline_" name "(__VA_ARGS__)\n"
	undefines = undefines "#undef " name "\n"
	sub(/;\n$/, "", declarations)
	bodies = bodies substr(declarations, last + 1) "\n{\n\t" \
		(type ~ /^void $/ ? "" : "return ") "inline_" name "(" arguments ");\n}\n\n"
	declarations = declarations ";\n"
	last = length(declarations)
}

# the sizes of the handles, whose fields are none of the callers' concern
function sizes(	n, i, handle) {
	n = split("producer consumer record_producer record_consumer", handle, " ")
	for (i = 1; i <= n; i++) {
		declarations = declarations "size_t spscring_sizeof_" handle[i] "(void);\n"
		bodies = bodies "size_t spscring_sizeof_" handle[i] "(void)\n{\n\treturn " \
			"sizeof(struct spscring_" handle[i] ");\n}\n\n"
	}
}

/^\/\*\*$/ { documented = 1 }
/^ \*\/$/ && documented { documented = 2; next }
documented == 2 && /^static / { text = ""; taking = 1 }
documented == 2 && !taking { documented = 0 }
taking && /^\{$/ { take(text); taking = 0; documented = 0 }
taking { text = text " " $0 }

END {
	sizes()
	print "/* SPDX-License-Identifier: MIT */"
	if (header) {
		print "/*"
		print " * What libspscring-ffi exports beside libspscring: the inlines of <spscring.h>, as"
		print " * functions.  C and C++ have no use for it.  The handles are opaque here: give them"
		print " * memory of the size that spscring_sizeof_*() returns, aligned to 64 bytes."
		print " */"
		print "#ifndef _SPSCRING_FFI_H\n#define _SPSCRING_FFI_H\n"
		print "#include <stddef.h>\n#include <linux/spscring.h>\n"
		print "struct spscring_producer;\nstruct spscring_consumer;"
		print "struct spscring_record_producer;\nstruct spscring_record_consumer;"
		print "struct spscring_record;\nstruct spscring_blocks;\n"
		printf "%s\n#endif\n", declarations
		exit
	}
	print "/* Made by ffi.awk from the headers. */"
	printf "%s", renames
	print "#include <spscring.h>"
	printf "%s\n%s", undefines, bodies
}
