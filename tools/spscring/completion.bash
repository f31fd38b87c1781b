# SPDX-License-Identifier: GPL-2.0
# bash completion of spscring: install it as .../bash-completion/completions/spscring.

# The options of a subcommand, as its own help names them.
_spscring_options()
{
	"$1" "$2" --help 2>/dev/null | grep -oE -- '(^|[ ,])--[a-z][a-z-]*' | tr -d ' ,' | sort -u
}

# Ids of rings, and names without blanks, if this user may read the list.
_spscring_rings()
{
	"$1" list --no-heading 2>/dev/null | awk '{
		print $1
		if ($2 != "-" && NF - ($4 == "(broken)") == 8)
			print $2
	}'
}

_spscring()
{
	local command=${COMP_WORDS[0]} sub=${COMP_WORDS[1]-} cur=${COMP_WORDS[COMP_CWORD]}
	local prev=${COMP_WORDS[COMP_CWORD - 1]} words=''

	# bash makes a word of its own of the "=" in --sort=rate
	if [[ $cur = "=" ]]; then
		cur=
	elif [[ $prev = "=" ]]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="list show top cat send trace bench doctor demo help --help --version"
	elif [[ $cur = -* ]]; then
		words=$(_spscring_options "$command" "$sub")
	else
		case $sub:$prev in
		top:--sort | top:-o)
			words="id name producer consumer rate bytes fill sleeps wakes lost" ;;
		cat:--framing | cat:-f | send:--framing | send:-f)
			words="raw lines length" ;;
		*:--count | *:--delay | *:--capacity | *:--element-size | *:--name | *:--type-tag | \
			*:--seconds | *:--buffer | *:--runs)
			return ;;
		show:*) words=$(_spscring_rings "$command") ;;
		trace:trace) words=$(_spscring_rings "$command") ;;
		cat:* | send:* | trace:--output | trace:-o | trace:--report | trace:-r | bench:--output | bench:-o)
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
			;;
		esac
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -o filenames -F _spscring spscring
