# bash completion for smscli. The program's output is never evaluated.
# shellcheck shell=bash

_smscli() {
  local line=${COMP_LINE:0:COMP_POINT} tab=$'\t' taken value description quoted
  local -a words=() values=() descriptions=()

  # bash also splits words at signs such as = and @: split the line again, at blanks only.
  # Without -r, a backslash keeps its blank.
  # shellcheck disable=SC2162
  IFS=$' \t\n' read -d '' -a words <<<"$line"
  [[ $line == *[[:space:]] && $line != *\\[[:space:]] ]] && words+=('')

  # bash replaces $2, which is the word from its last such sign on.
  taken=${words[${#words[@]} - 1]}
  taken=${taken%"$2"}

  while IFS=$tab read -r value description; do
    if [[ $value == / ]]; then
      compopt -o default 2>/dev/null
      continue
    fi
    printf -v quoted '%q' "${value#"$taken"}"
    values+=("$quoted")
    descriptions+=("$description")
  done < <(command smscli __complete "${words[@]:1}" 2>/dev/null)

  COMPREPLY=("${values[@]}")
  # In a list of several (? and !: second TAB and show-all-if-ambiguous) each has its description; a single one
  # is inserted, and must be the value alone.
  [[ ${COMP_TYPE:-} == 63 || ${COMP_TYPE:-} == 33 ]] && ((${#values[@]} > 1)) || return 0
  local at
  for at in "${!values[@]}"; do
    [[ -n ${descriptions[at]} ]] && COMPREPLY[at]="${values[at]}  (${descriptions[at]})"
  done
  return 0
}

complete -F _smscli smscli
