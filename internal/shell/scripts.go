package shell

// completionScripts make a system shell complete commands. They ask the hidden
// command __complete, which is given the line up to the cursor, and prints a
// candidate and its help on each line.
var completionScripts = map[string]string{"bash": bashCompletion, "zsh": zshCompletion,
	"fish": fishCompletion}

// In bash, "=" and ":" break words: what of a candidate stands before the last
// break is on the line already.
const bashCompletion = `# bash completion for l2tpconfig
_l2tpconfig() {
	local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} whole before candidate help
	whole=${line##*[[:space:]]}
	[[ $cur == "=" || $cur == ":" ]] && cur=
	before=${whole%"$cur"}
	compopt -o nospace
	COMPREPLY=()
	while IFS=$'\t' read -r candidate help; do
		COMPREPLY+=("${candidate#"$before"}")
	done < <("${COMP_WORDS[0]}" __complete "$line" 2>/dev/null)
}
complete -F _l2tpconfig l2tpconfig
`

const zshCompletion = `#compdef l2tpconfig
# zsh completion for l2tpconfig
_l2tpconfig() {
	local -a values shown
	local candidate help
	while IFS=$'\t' read -r candidate help; do
		values+=("$candidate")
		shown+=("${candidate}${help:+-- $help}")
	done < <(l2tpconfig __complete "${BUFFER[1,CURSOR]}" 2>/dev/null)
	compadd -Q -U -S '' -l -d shown -- "${values[@]}"
}
if [ "$funcstack[1]" = "_l2tpconfig" ]; then
	_l2tpconfig "$@"
else
	compdef _l2tpconfig l2tpconfig
fi
`

// Fish puts a space behind a candidate itself, and a backslash before ours.
const fishCompletion = `# fish completion for l2tpconfig
function __l2tpconfig_candidates
	l2tpconfig __complete (commandline -cp | string collect) 2>/dev/null | string replace -r ' (?=\t|$)' ''
end
complete -c l2tpconfig -f -a '(__l2tpconfig_candidates)'
`
