#compdef wgform

# zsh completion for wgform. To try it: source <(wgform completions zsh)

_wgform() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
        '-version[Prints the version, as `wgform version` does]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ': :->command' \
        '*:: :->arguments'
    case $state in
        command)
            local -a commands=(
                'plan:Shows what an apply would do, and changes nothing'
                'apply:Shows what differs and makes it so, after a yes'
                'destroy:Removes everything that wgform owns and nothing else, after a yes'
                'drift:Reports what was changed outside of wgform, and cannot change anything itself'
                'validate:Checks the configuration without asking any backend'
                'fmt:Lays the configuration'\''s files out in the one common way'
                'graph:Draws what depends on what, or the network, from the configuration alone'
                'console:Evaluates expressions with what the last apply recorded, typed or piped in'
                'show:Shows what wgform owns, as of the last apply'
                'output:Prints outputs, as of the last apply'
                'state:Looks at what wgform owns, or changes what it takes for its own'
                'import:Makes wgform the owner of something that is there already'
                'backend:Lists backends, or says what each has and lacks'
                'lock:Says who holds the lock of the state'
                'hold:Leaves resources alone for a time, without a change of the configuration'
                'adopt:Writes what was changed on a device into the configuration, after a yes'
                'force-unlock:Takes the lock away from a run that died without giving it back, after a yes'
                'simulate:Serves a device that is only pretended, for requests by hand and for tests'
                'schema:Prints the reference of the language, or a JSON Schema of what wgform reads and writes'
                'completions:Prints what makes a shell complete commands and flags'
                'man:Prints the manual page, or writes one for each command'
                'version:Prints the version of wgform'
                'help:Shows the page of a command'
            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
                plan) _wgform_plan ;;
                apply) _wgform_apply ;;
                destroy) _wgform_destroy ;;
                drift) _wgform_drift ;;
                validate) _wgform_validate ;;
                fmt) _wgform_fmt ;;
                graph) _wgform_graph ;;
                console) _wgform_console ;;
                show) _wgform_show ;;
                output) _wgform_output ;;
                state) _wgform_state ;;
                import) _wgform_import ;;
                backend) _wgform_backend ;;
                lock) _wgform_lock ;;
                hold) _wgform_hold ;;
                adopt) _wgform_adopt ;;
                force-unlock) _wgform_force_unlock ;;
                simulate) _wgform_simulate ;;
                schema) _wgform_schema ;;
                completions) _wgform_completions ;;
                man) _wgform_man ;;
                version) _wgform_version ;;
                help) _wgform ;;
            esac
            ;;
    esac
}

_wgform_plan() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '*-target=[Limits the run to a resource, what it depends on, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-target-exact[Leaves the other ends of links out of `-target`]' \
        '*-exclude=[Leaves out a resource, what depends on it, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-refresh=-[Asks the backends first (the default); with false, takes the state for what is there]::value:(true false)' \
        '*-accept-new-device=[Takes a backend for the right one although its identity has changed]:ID: ' \
        '*-accept-loss=[Believes that what is missing on a backend is gone, however much it is]:ID: ' \
        '-max-destroy=[Refuses a plan that destroys or replaces more than so many resources, or than such a share of those that are owned]:N|P%: ' \
        '*-allow-lockout=[Lets a backend be cut off that is reached through a tunnel of the configuration]:ID: ' \
        '*-allow-new-key=[Lets an interface get a new key, which every one of its peers must then learn]:ADDRESS: ' \
        '*-replace=[Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several times]:ADDRESS: ' \
        '-refresh-only[Shows what changed outside of wgform since the last apply, and plans to undo nothing]' \
        '-destroy[Plans to destroy everything that wgform owns]' \
        '-validate-on-device[Asks each firewall whether it would take what is planned for it, which changes nothing there]' \
        '-detailed-exitcode[Ends with exit code 2 when there are changes]' \
        '-out=[Saves the plan, for `wgform apply FILE` to carry out exactly that and for `wgform show FILE`]:file:_files' \
        '-expect=[Ends with exit code 7 unless the plan has this digest, as an earlier one printed it]:DIGEST: ' \
        '-parallelism=[Talks to at most so many backends at once; with 1, to one after another]:N: ' \
        '-json[Prints what happens as JSON, one object a line, and nothing else; the last one has the exit code. Never asks]' \
        '-json-into=[Writes the lines of `-json` to a file, beside what is shown]:file:_files' \
        '-markdown-into=[Writes a comment for a pull request to a file]:file:_files' \
        '-summary-into=[Writes how the run went, in numbers, to a file]:file:_files' \
        '-gitlab-report-into=[Writes the counts that GitLab shows on a merge request to a file]:file:_files' \
        '-input=-[Never asks, which a plan never does: for scripts that say so to every command]::value:(true false)' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_apply() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '*-target=[Limits the run to a resource, what it depends on, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-target-exact[Leaves the other ends of links out of `-target`]' \
        '*-exclude=[Leaves out a resource, what depends on it, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-refresh=-[Asks the backends first (the default); with false, takes the state for what is there]::value:(true false)' \
        '-destroy[Destroys everything that wgform owns, as `wgform destroy` does]' \
        '*-accept-new-device=[Takes a backend for the right one although its identity has changed]:ID: ' \
        '*-accept-loss=[Believes that what is missing on a backend is gone, however much it is]:ID: ' \
        '-auto-approve=-[Does not ask for a yes; with kinds such as `create,update`, refuses a plan that does anything else. The kinds are create, update, replace, destroy, forget, import and move]::KINDS: ' \
        '-skip-unreachable[Leaves out what lives on backends that cannot be reached]' \
        '-max-destroy=[Refuses a plan that destroys or replaces more than so many resources, or than such a share of those that are owned]:N|P%: ' \
        '*-allow-lockout=[Lets a backend be cut off that is reached through a tunnel of the configuration]:ID: ' \
        '-heal[Undoes drift although nobody can be asked, or a guard refuses to]' \
        '*-allow-new-key=[Lets an interface get a new key, which every one of its peers must then learn]:ADDRESS: ' \
        '*-replace=[Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several times]:ADDRESS: ' \
        '-refresh-only[Records in the state what changed outside of wgform, after a yes, and writes to no device]' \
        '-expect=[Does nothing unless the plan has this digest, as `wgform plan` printed it]:DIGEST: ' \
        '-metrics-into=[Writes metrics into a file in Prometheus'\'' text format, also when the run fails]:file:_files' \
        '-parallelism=[Talks to at most so many backends at once; with 1, to one after another]:N: ' \
        '-input=-[Asks for a yes (the default); with false, fails where it would ask]::value:(true false)' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-json[Prints what happens as JSON, one object a line, and nothing else; the last one has the exit code. Never asks]' \
        '-json-into=[Writes the lines of `-json` to a file, beside what is shown]:file:_files' \
        '-markdown-into=[Writes a comment for a pull request to a file]:file:_files' \
        '-summary-into=[Writes how the run went, in numbers, to a file]:file:_files' \
        '-gitlab-report-into=[Writes the counts that GitLab shows on a merge request to a file]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':file:_files'
}

_wgform_destroy() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '*-target=[Limits the run to a resource, what it depends on, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-target-exact[Leaves the other ends of links out of `-target`]' \
        '*-exclude=[Leaves out a resource, what depends on it, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-refresh=-[Asks the backends first (the default); with false, takes the state for what is there]::value:(true false)' \
        '*-accept-new-device=[Takes a backend for the right one although its identity has changed]:ID: ' \
        '*-accept-loss=[Believes that what is missing on a backend is gone, however much it is]:ID: ' \
        '-auto-approve=-[Does not ask for a yes; with kinds such as `create,update`, refuses a plan that does anything else. The kinds are create, update, replace, destroy, forget, import and move]::KINDS: ' \
        '-skip-unreachable[Leaves out what lives on backends that cannot be reached]' \
        '-max-destroy=[Refuses a plan that destroys or replaces more than so many resources, or than such a share of those that are owned]:N|P%: ' \
        '*-allow-lockout=[Lets a backend be cut off that is reached through a tunnel of the configuration]:ID: ' \
        '-parallelism=[Talks to at most so many backends at once; with 1, to one after another]:N: ' \
        '-input=-[Asks for a yes (the default); with false, fails where it would ask]::value:(true false)' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-json[Prints what happens as JSON, one object a line, and nothing else; the last one has the exit code. Never asks]' \
        '-json-into=[Writes the lines of `-json` to a file, beside what is shown]:file:_files' \
        '-markdown-into=[Writes a comment for a pull request to a file]:file:_files' \
        '-summary-into=[Writes how the run went, in numbers, to a file]:file:_files' \
        '-gitlab-report-into=[Writes the counts that GitLab shows on a merge request to a file]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_drift() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '*-target=[Limits the run to a resource, what it depends on, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-target-exact[Leaves the other ends of links out of `-target`]' \
        '*-exclude=[Leaves out a resource, what depends on it, and the other end of its link; may be given several times]:ADDRESS: ' \
        '-from-state[Compares with what was last applied, without the configuration and its variables]' \
        '-state=[The state file for `-from-state`; without it, where the configuration says]:file:_files' \
        '-run-commands[With `-from-state`, asks the programs that the state names for passwords]' \
        '-metrics-into=[Writes metrics into a file in Prometheus'\'' text format, also when the run fails]:file:_files' \
        '-parallelism=[Talks to at most so many backends at once; with 1, to one after another]:N: ' \
        '-json[Prints what happens as JSON, one object a line, and nothing else; the last one has the exit code. Never asks]' \
        '-json-into=[Writes the lines of `-json` to a file, beside what is shown]:file:_files' \
        '-markdown-into=[Writes a comment for a pull request to a file]:file:_files' \
        '-summary-into=[Writes how the run went, in numbers, to a file]:file:_files' \
        '-gitlab-report-into=[Writes the counts that GitLab shows on a merge request to a file]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_validate() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-json[Prints one JSON document on stdout, in the shape of Terraform'\''s, for an editor or a check of a merge request]' \
        '-codequality-into=[Writes what is wrong to a file, in the form that GitLab shows beside the lines of a merge request]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_fmt() {
    _arguments \
        '-check[Writes nothing, and exits with 3 when a file would change]' \
        '-diff[Shows what changes]' \
        '-recursive[Goes into the directories below, too; hidden ones are left out]' \
        '-list=-[Prints the names of the files that change (the default)]::value:(true false)' \
        '-write=-[Writes to the files (the default); with false and nothing else to print, prints the texts]::value:(true false)' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':file:_files'
}

_wgform_graph() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-type=[The language of the graph: dot for graphviz, mermaid for Markdown]:value:(dot mermaid)' \
        '-topology[Draws the network: backends, interfaces and the links between them. An arrow is at the end that is dialled]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_console() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_show() {
    _arguments \
        '-json[Prints one JSON document, in the shape of Terraform'\''s]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':file:_files'
}

_wgform_output() {
    _arguments \
        '-json[Prints JSON]' \
        '-raw[Prints the bare text of one output, for use in a script]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':NAME: '
}

_wgform_state() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ': :->command' \
        '*:: :->arguments'
    case $state in
        command)
            local -a commands=(
                'list:Lists the addresses of what wgform owns'
                'show:Shows resources as they were last written'
                'mv:Gives a resource or a module another address, after it was renamed in the configuration'
                'rm:Forgets resources, and leaves them on their devices as they are'
                'pull:Prints the state as JSON, opened where it is sealed'
                'push:Puts a state from a file into the store'
                'history:Lists earlier writes of the state that can be restored'
                'restore:Writes an earlier state once more'
                'reseal:Writes the state once more, sealed for those who are to read it now'
                'migrate:Moves the state from another place to the one that the configuration names'
                'help:Shows the page of a command'
            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
                list) _wgform_state_list ;;
                show) _wgform_state_show ;;
                mv) _wgform_state_mv ;;
                rm) _wgform_state_rm ;;
                pull) _wgform_state_pull ;;
                push) _wgform_state_push ;;
                history) _wgform_state_history ;;
                restore) _wgform_state_restore ;;
                reseal) _wgform_state_reseal ;;
                migrate) _wgform_state_migrate ;;
                help) _wgform_state ;;
            esac
            ;;
    esac
}

_wgform_state_list() {
    _arguments \
        '-id=[Lists only what is found on its device by this: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer]:ID: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: '
}

_wgform_state_show() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: '
}

_wgform_state_mv() {
    _arguments \
        '-dry-run[Says what would happen, and changes nothing]' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':FROM: ' \
        ':TO: '
}

_wgform_state_rm() {
    _arguments \
        '-dry-run[Says what would happen, and changes nothing]' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: '
}

_wgform_state_pull() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_state_push() {
    _arguments \
        '-force[Replaces the state also by an older one, or by another]' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':file:_files'
}

_wgform_state_history() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_state_restore() {
    _arguments \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':SERIAL: '
}

_wgform_state_reseal() {
    _arguments \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_state_migrate() {
    _arguments \
        '-from=[Where the state was: a state file, or a file with the old block]:file:_files' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_import() {
    _arguments \
        '-all=[Writes a configuration of everything on a backend that nobody owns, and changes nothing]:BACKEND: ' \
        '-out=[Writes it into this new file, and not to standard output]:file:_files' \
        '-as=[Writes peers as `blocks`, one for each, or as a `map` for each interface]:value:(blocks map)' \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: ' \
        ':ID: '
}

_wgform_backend() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ': :->command' \
        '*:: :->arguments'
    case $state in
        command)
            local -a commands=(
                'list:Lists the backends that are declared, and those that only the state knows'
                'test:Contacts backends, and says what each has for the work and what it lacks; changes nothing'
                'help:Shows the page of a command'
            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
                list) _wgform_backend_list ;;
                test) _wgform_backend_test ;;
                help) _wgform_backend ;;
            esac
            ;;
    esac
}

_wgform_backend_list() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_backend_test() {
    _arguments \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ID: '
}

_wgform_lock() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ': :->command' \
        '*:: :->arguments'
    case $state in
        command)
            local -a commands=(
                'show:Says who holds the lock of the state, and which devices are locked'
                'help:Shows the page of a command'
            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
                show) _wgform_lock_show ;;
                help) _wgform_lock ;;
            esac
            ;;
    esac
}

_wgform_lock_show() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_hold() {
    _arguments \
        '-for=[How long, such as `10h` or `2d`]:DURATION: ' \
        '-reason=[Why; plans and reports say it]:TEXT: ' \
        '*-attribute=[Holds only this attribute; may be given several times]:NAME: ' \
        '-list[Lists what is held]' \
        '-release[Ends the holds on these resources]' \
        '-lock=-[Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work]::value:(true false)' \
        '-lock-timeout=[Waits this long for a lock that another run holds]:DURATION: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: '
}

_wgform_adopt() {
    _arguments \
        '*-attribute=[Adopts only this attribute; may be given several times]:NAME: ' \
        '-print[Prints a patch for `git apply` or `patch -p1`, and writes nothing]' \
        '-auto-approve[Does not ask for a yes]' \
        '-input=-[Asks for a yes (the default); with false, fails where it would ask]::value:(true false)' \
        '*-var=[Sets a variable; may be given several times]:NAME=VALUE: ' \
        '*-var-file=[Sets variables from a file; the later of -var and -var-file wins]:file:_files' \
        '-parallelism=[Talks to at most so many backends at once; with 1, to one after another]:N: ' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':ADDRESS: '
}

_wgform_force_unlock() {
    _arguments \
        '-force[Does not ask for a yes]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':LOCK_ID: '
}

_wgform_simulate() {
    local curcontext=$curcontext state line
    typeset -A opt_args
    _arguments -C \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ': :->command' \
        '*:: :->arguments'
    case $state in
        command)
            local -a commands=(
                'routeros:Serves a strict simulated router over REST on this host, until Ctrl-C'
                'pfsense:Serves a strict simulated firewall with the REST API package on this host, until Ctrl-C'
                'help:Shows the page of a command'
            )
            _describe -t commands command commands
            ;;
        arguments)
            case $words[1] in
                routeros) _wgform_simulate_routeros ;;
                pfsense) _wgform_simulate_pfsense ;;
                help) _wgform_simulate ;;
            esac
            ;;
    esac
}

_wgform_simulate_routeros() {
    _arguments \
        '-version=[Makes it a router of this version; a new one has the newest]:value:(7.11 7.12 7.15 7.16 7.17 7.21 7.24)' \
        '-user=[Lets this user do everything; `admin` when nothing else is said]:USER: ' \
        '-listen=[Listens at this address; on a port that is free when nothing else is said]:ADDRESS\:PORT: ' \
        '-tls[Speaks TLS, with a certificate that the router has signed itself]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':NAME: '
}

_wgform_simulate_pfsense() {
    _arguments \
        '-version=[Gives it this version of the REST API package; a new one has the newest]:value:(v2.3.0 v2.4.3 v2.7.0 v2.8.0 v2.8.2 v2.9.0 v2.10.0)' \
        '-listen=[Listens at this address; on a port that is free when nothing else is said]:ADDRESS\:PORT: ' \
        '-tls[Speaks TLS, with a certificate that the firewall has signed itself]' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':NAME: '
}

_wgform_schema() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':value:(language state plan sealed events shown-state shown-plan summary validation reference lint)'
}

_wgform_completions() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]' \
        ':value:(bash zsh fish)'
}

_wgform_man() {
    _arguments \
        '-dir=[Writes a page for each command into this directory, which has to be there]:directory:_files -/' \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

_wgform_version() {
    _arguments \
        '-chdir=[Works in another directory, as if wgform had been started there]:directory:_files -/' \
        '-workspace=[Works in this workspace, which has a state and simulated systems of its own; the same as the environment'\''s WGFORM_WORKSPACE]:NAME: ' \
        '-no-color[Writes no colour; the same as a value in the environment'\''s NO_COLOR]' \
        '-v[Says more about what is done]' \
        '-compact-warnings[Shows warnings in one line each, where there are no errors]' \
        '-help[Shows the page of the command]'
}

if [[ $funcstack[1] == _wgform ]]; then
    _wgform "$@"
else
    compdef _wgform wgform
fi
