# bash completion for wgform. To try it: source <(wgform completions bash)

_wgform() {
    local cur=${COMP_WORDS[COMP_CWORD]} flag='' before='' command='' word line i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # `=` is a word of its own, and what follows it is a value.
        [[ $word == [-=]* || $word == help || ${COMP_WORDS[i-1]} == '=' ]] && continue
        _wgform_takes_value "${COMP_WORDS[i-1]}" && continue
        case "$command $word" in
            ' plan' | ' apply' | ' destroy' | ' drift' | ' validate' | ' fmt' | ' graph' | ' console' | ' show' | ' output' | ' state' | 'state list' | 'state show' | 'state mv' | 'state rm' | 'state pull' | 'state push' | 'state history' | 'state restore' | 'state reseal' | 'state migrate' | ' import' | ' backend' | 'backend list' | 'backend test' | ' lock' | 'lock show' | ' hold' | ' adopt' | ' force-unlock' | ' simulate' | 'simulate routeros' | 'simulate pfsense' | ' schema' | ' completions' | ' man' | ' version') command="${command:+$command }$word" ;;
        esac
    done

    word=${COMP_WORDS[COMP_CWORD-1]}
    if [[ $cur == '=' ]]; then
        flag=$word cur=''
    elif [[ $word == '=' ]]; then
        flag=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $cur == -*=* ]]; then
        # Where COMP_WORDBREAKS is without `=`.
        flag=${cur%%=*} before=$flag= cur=${cur#*=}
    elif _wgform_takes_value "$word"; then
        flag=$word
    fi
    [[ $flag == --* ]] && flag=${flag#-}

    COMPREPLY=()
    if [[ -n $flag ]]; then
        case $flag in
            -chdir) _wgform_paths -d ;;
            -var-file) _wgform_paths -f ;;
            -refresh) _wgform_words 'true false' ;;
            -out) _wgform_paths -f ;;
            -json-into) _wgform_paths -f ;;
            -markdown-into) _wgform_paths -f ;;
            -summary-into) _wgform_paths -f ;;
            -gitlab-report-into) _wgform_paths -f ;;
            -input) _wgform_words 'true false' ;;
            -metrics-into) _wgform_paths -f ;;
            -lock) _wgform_words 'true false' ;;
            -state) _wgform_paths -f ;;
            -codequality-into) _wgform_paths -f ;;
            -list) _wgform_words 'true false' ;;
            -write) _wgform_words 'true false' ;;
            -type) _wgform_words 'dot mermaid' ;;
            -from) _wgform_paths -f ;;
            -as) _wgform_words 'blocks map' ;;
            -version) _wgform_words '7.11 7.12 7.15 7.16 7.17 7.21 7.24' ;;
            -dir) _wgform_paths -d ;;
        esac
    elif [[ $cur == -* ]]; then
        # One dash or two.
        [[ $cur == --* ]] && before=- cur=${cur#-}
        case $command in
            '') _wgform_words '-version -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'plan') _wgform_words '-var= -var-file= -target= -target-exact -exclude= -refresh -accept-new-device= -accept-loss= -max-destroy= -allow-lockout= -allow-new-key= -replace= -refresh-only -destroy -validate-on-device -detailed-exitcode -out= -expect= -parallelism= -json -json-into= -markdown-into= -summary-into= -gitlab-report-into= -input -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'apply') _wgform_words '-var= -var-file= -target= -target-exact -exclude= -refresh -destroy -accept-new-device= -accept-loss= -auto-approve -skip-unreachable -max-destroy= -allow-lockout= -heal -allow-new-key= -replace= -refresh-only -expect= -metrics-into= -parallelism= -input -lock -lock-timeout= -json -json-into= -markdown-into= -summary-into= -gitlab-report-into= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'destroy') _wgform_words '-var= -var-file= -target= -target-exact -exclude= -refresh -accept-new-device= -accept-loss= -auto-approve -skip-unreachable -max-destroy= -allow-lockout= -parallelism= -input -lock -lock-timeout= -json -json-into= -markdown-into= -summary-into= -gitlab-report-into= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'drift') _wgform_words '-var= -var-file= -target= -target-exact -exclude= -from-state -state= -run-commands -metrics-into= -parallelism= -json -json-into= -markdown-into= -summary-into= -gitlab-report-into= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'validate') _wgform_words '-var= -var-file= -json -codequality-into= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'fmt') _wgform_words '-check -diff -recursive -list -write -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'graph') _wgform_words '-var= -var-file= -type= -topology -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'console') _wgform_words '-var= -var-file= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'show') _wgform_words '-json -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'output') _wgform_words '-json -raw -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state list') _wgform_words '-id= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state show') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state mv') _wgform_words '-dry-run -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state rm') _wgform_words '-dry-run -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state pull') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state push') _wgform_words '-force -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state history') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state restore') _wgform_words '-lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state reseal') _wgform_words '-lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'state migrate') _wgform_words '-from= -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'import') _wgform_words '-all= -out= -as= -var= -var-file= -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'backend') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'backend list') _wgform_words '-var= -var-file= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'backend test') _wgform_words '-var= -var-file= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'lock') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'lock show') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'hold') _wgform_words '-for= -reason= -attribute= -list -release -lock -lock-timeout= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'adopt') _wgform_words '-attribute= -print -auto-approve -input -var= -var-file= -parallelism= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'force-unlock') _wgform_words '-force -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'simulate') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'simulate routeros') _wgform_words '-version= -user= -listen= -tls -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'simulate pfsense') _wgform_words '-version= -listen= -tls -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'schema') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'completions') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'man') _wgform_words '-dir= -chdir= -workspace= -no-color -v -compact-warnings -help' ;;
            'version') _wgform_words '-chdir= -workspace= -no-color -v -compact-warnings -help' ;;
        esac
        [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace
    else
        case $command in
            '') _wgform_words 'plan apply destroy drift validate fmt graph console show output state import backend lock hold adopt force-unlock simulate schema completions man version help' ;;
            'apply') _wgform_paths -f ;;
            'fmt') _wgform_paths -f ;;
            'show') _wgform_paths -f ;;
            'state') _wgform_words 'list show mv rm pull push history restore reseal migrate help' ;;
            'state push') _wgform_paths -f ;;
            'backend') _wgform_words 'list test help' ;;
            'lock') _wgform_words 'show help' ;;
            'simulate') _wgform_words 'routeros pfsense help' ;;
            'schema') _wgform_words 'language state plan sealed events shown-state shown-plan summary validation reference lint' ;;
            'completions') _wgform_words 'bash zsh fish' ;;
        esac
    fi
}

# Returns whether the word after this flag is its value.
_wgform_takes_value() {
    case ${1/#--/-} in
        -chdir | -workspace | -var | -var-file | -target | -exclude | -accept-new-device | -accept-loss | -max-destroy | -allow-lockout | -allow-new-key | -replace | -out | -expect | -parallelism | -json-into | -markdown-into | -summary-into | -gitlab-report-into | -metrics-into | -lock-timeout | -state | -codequality-into | -type | -id | -from | -all | -as | -for | -reason | -attribute | -version | -user | -listen | -dir) return 0 ;;
    esac
    return 1
}

# Offers words.
_wgform_words() {
    while IFS= read -r line; do COMPREPLY+=("$before$line"); done < <(compgen -W "$1" -- "$cur")
}

# Offers directories (-d) or files (-f).
_wgform_paths() {
    compopt -o filenames
    while IFS= read -r line; do COMPREPLY+=("$before$line"); done < <(compgen "$1" -- "$cur")
}

complete -F _wgform wgform
