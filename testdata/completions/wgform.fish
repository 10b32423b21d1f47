# fish completion for wgform. To try it: wgform completions fish | source

# Returns whether the command line so far is of this command: `state mv` for example.
function __wgform_command
    set -l commands 'plan' 'apply' 'destroy' 'drift' 'validate' 'fmt' 'show' 'output' 'state' 'state list' 'state show' 'state mv' 'state rm' 'import' 'force-unlock' 'schema' 'completions' 'man' 'version'
    set -l command
    set -l is_value no
    set -l words (commandline -opc)
    for word in $words[2..]
        if test $is_value = yes
            set is_value no
            continue
        end
        switch $word
            case -chdir --chdir -var --var -var-file --var-file -target --target -exclude --exclude -accept-new-device --accept-new-device -accept-loss --accept-loss -allow-new-key --allow-new-key -replace --replace -parallelism --parallelism -lock-timeout --lock-timeout -id --id -dir --dir
                set is_value yes
            case '-*' help
            case '*'
                set -l longer (string trim -- "$command $word")
                contains -- $longer $commands; and set command $longer
        end
    end
    test "$command" = "$argv"
end

# Offers directories, for a value in a word of its own or after a `=`.
function __wgform_directories
    __fish_complete_directories (string replace -r -- '^--?[a-z-]+=' '' (commandline -ct))
end

complete -c wgform -f

complete -c wgform -n '__wgform_command' -a plan -d 'Shows what an apply would do, and changes nothing'
complete -c wgform -n '__wgform_command' -a apply -d 'Shows what differs and makes it so, after a yes'
complete -c wgform -n '__wgform_command' -a destroy -d 'Removes everything that wgform owns and nothing else, after a yes'
complete -c wgform -n '__wgform_command' -a drift -d 'Reports what was changed outside of wgform, and cannot change anything itself'
complete -c wgform -n '__wgform_command' -a validate -d 'Checks the configuration without asking any backend'
complete -c wgform -n '__wgform_command' -a fmt -d 'Lays the configuration\'s files out in the one common way'
complete -c wgform -n '__wgform_command' -a show -d 'Shows what wgform owns, as of the last apply'
complete -c wgform -n '__wgform_command' -a output -d 'Prints outputs, as of the last apply'
complete -c wgform -n '__wgform_command' -a state -d 'Looks at what wgform owns, or changes what it takes for its own'
complete -c wgform -n '__wgform_command' -a import -d 'Makes wgform the owner of something that is there already'
complete -c wgform -n '__wgform_command' -a force-unlock -d 'Takes the lock away from a run that died without giving it back, after a yes'
complete -c wgform -n '__wgform_command' -a schema -d 'Prints the reference of the language, or a JSON Schema of what wgform reads and writes'
complete -c wgform -n '__wgform_command' -a completions -d 'Prints what makes a shell complete commands and flags'
complete -c wgform -n '__wgform_command' -a man -d 'Prints the manual page, or writes one for each command'
complete -c wgform -n '__wgform_command' -a version -d 'Prints the version of wgform'
complete -c wgform -n '__wgform_command' -a help -d 'Shows the page of a command'
complete -c wgform -n '__wgform_command' -o version -l version -d 'Prints the version, as `wgform version` does'
complete -c wgform -n '__wgform_command' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command plan' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command plan' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command plan' -o target -l target -x -d 'Limits the run to a resource and what it depends on; may be given several times'
complete -c wgform -n '__wgform_command plan' -o exclude -l exclude -x -d 'Leaves out a resource, what depends on it, and the other end of its link; may be given several times'
complete -c wgform -n '__wgform_command plan' -o refresh -l refresh -a 'true false' -d 'Asks the backends first (the default); with false, takes the state for what is there'
complete -c wgform -n '__wgform_command plan' -o accept-new-device -l accept-new-device -x -d 'Takes a backend for the right one although its identity has changed'
complete -c wgform -n '__wgform_command plan' -o accept-loss -l accept-loss -x -d 'Believes that what is missing on a backend is gone, however much it is'
complete -c wgform -n '__wgform_command plan' -o allow-new-key -l allow-new-key -x -d 'Lets an interface get a new key, which every one of its peers must then learn'
complete -c wgform -n '__wgform_command plan' -o replace -l replace -x -d 'Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several times'
complete -c wgform -n '__wgform_command plan' -o refresh-only -l refresh-only -d 'Shows what changed outside of wgform since the last apply, and plans to undo nothing'
complete -c wgform -n '__wgform_command plan' -o destroy -l destroy -d 'Plans to destroy everything that wgform owns'
complete -c wgform -n '__wgform_command plan' -o detailed-exitcode -l detailed-exitcode -d 'Ends with exit code 2 when there are changes'
complete -c wgform -n '__wgform_command plan' -o parallelism -l parallelism -x -d 'Talks to at most so many backends at once; with 1, to one after another'
complete -c wgform -n '__wgform_command plan' -o input -l input -a 'true false' -d 'Never asks, which a plan never does: for scripts that say so to every command'
complete -c wgform -n '__wgform_command plan' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command plan' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command plan' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command plan' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command plan' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command apply' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command apply' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command apply' -o target -l target -x -d 'Limits the run to a resource and what it depends on; may be given several times'
complete -c wgform -n '__wgform_command apply' -o exclude -l exclude -x -d 'Leaves out a resource, what depends on it, and the other end of its link; may be given several times'
complete -c wgform -n '__wgform_command apply' -o refresh -l refresh -a 'true false' -d 'Asks the backends first (the default); with false, takes the state for what is there'
complete -c wgform -n '__wgform_command apply' -o destroy -l destroy -d 'Destroys everything that wgform owns, as `wgform destroy` does'
complete -c wgform -n '__wgform_command apply' -o accept-new-device -l accept-new-device -x -d 'Takes a backend for the right one although its identity has changed'
complete -c wgform -n '__wgform_command apply' -o accept-loss -l accept-loss -x -d 'Believes that what is missing on a backend is gone, however much it is'
complete -c wgform -n '__wgform_command apply' -o auto-approve -l auto-approve -d 'Does not ask for a yes'
complete -c wgform -n '__wgform_command apply' -o skip-unreachable -l skip-unreachable -d 'Leaves out what lives on backends that cannot be reached'
complete -c wgform -n '__wgform_command apply' -o heal -l heal -d 'Undoes drift although nobody can be asked'
complete -c wgform -n '__wgform_command apply' -o allow-new-key -l allow-new-key -x -d 'Lets an interface get a new key, which every one of its peers must then learn'
complete -c wgform -n '__wgform_command apply' -o replace -l replace -x -d 'Destroys a resource and makes it again, with the key it had; a pre-shared key is made anew. May be given several times'
complete -c wgform -n '__wgform_command apply' -o refresh-only -l refresh-only -d 'Records in the state what changed outside of wgform, after a yes, and writes to no device'
complete -c wgform -n '__wgform_command apply' -o parallelism -l parallelism -x -d 'Talks to at most so many backends at once; with 1, to one after another'
complete -c wgform -n '__wgform_command apply' -o input -l input -a 'true false' -d 'Asks for a yes (the default); with false, fails where it would ask'
complete -c wgform -n '__wgform_command apply' -o lock -l lock -a 'true false' -d 'Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work'
complete -c wgform -n '__wgform_command apply' -o lock-timeout -l lock-timeout -x -d 'Waits this long for a lock that another run holds'
complete -c wgform -n '__wgform_command apply' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command apply' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command apply' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command apply' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command apply' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command destroy' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command destroy' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command destroy' -o target -l target -x -d 'Limits the run to a resource and what it depends on; may be given several times'
complete -c wgform -n '__wgform_command destroy' -o exclude -l exclude -x -d 'Leaves out a resource, what depends on it, and the other end of its link; may be given several times'
complete -c wgform -n '__wgform_command destroy' -o refresh -l refresh -a 'true false' -d 'Asks the backends first (the default); with false, takes the state for what is there'
complete -c wgform -n '__wgform_command destroy' -o accept-new-device -l accept-new-device -x -d 'Takes a backend for the right one although its identity has changed'
complete -c wgform -n '__wgform_command destroy' -o accept-loss -l accept-loss -x -d 'Believes that what is missing on a backend is gone, however much it is'
complete -c wgform -n '__wgform_command destroy' -o auto-approve -l auto-approve -d 'Does not ask for a yes'
complete -c wgform -n '__wgform_command destroy' -o skip-unreachable -l skip-unreachable -d 'Leaves out what lives on backends that cannot be reached'
complete -c wgform -n '__wgform_command destroy' -o parallelism -l parallelism -x -d 'Talks to at most so many backends at once; with 1, to one after another'
complete -c wgform -n '__wgform_command destroy' -o input -l input -a 'true false' -d 'Asks for a yes (the default); with false, fails where it would ask'
complete -c wgform -n '__wgform_command destroy' -o lock -l lock -a 'true false' -d 'Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work'
complete -c wgform -n '__wgform_command destroy' -o lock-timeout -l lock-timeout -x -d 'Waits this long for a lock that another run holds'
complete -c wgform -n '__wgform_command destroy' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command destroy' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command destroy' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command destroy' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command destroy' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command drift' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command drift' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command drift' -o target -l target -x -d 'Limits the report to a resource; may be given several times'
complete -c wgform -n '__wgform_command drift' -o exclude -l exclude -x -d 'Leaves out a resource, what depends on it, and the other end of its link; may be given several times'
complete -c wgform -n '__wgform_command drift' -o parallelism -l parallelism -x -d 'Talks to at most so many backends at once; with 1, to one after another'
complete -c wgform -n '__wgform_command drift' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command drift' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command drift' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command drift' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command drift' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command validate' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command validate' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command validate' -o json -l json -d 'Prints one JSON document on stdout, in the shape of Terraform\'s, for an editor or a check of a merge request'
complete -c wgform -n '__wgform_command validate' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command validate' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command validate' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command validate' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command validate' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command fmt' -F
complete -c wgform -n '__wgform_command fmt' -o check -l check -d 'Writes nothing, and exits with 3 when a file would change'
complete -c wgform -n '__wgform_command fmt' -o diff -l diff -d 'Shows what changes'
complete -c wgform -n '__wgform_command fmt' -o recursive -l recursive -d 'Goes into the directories below, too; hidden ones are left out'
complete -c wgform -n '__wgform_command fmt' -o list -l list -a 'true false' -d 'Prints the names of the files that change (the default)'
complete -c wgform -n '__wgform_command fmt' -o write -l write -a 'true false' -d 'Writes to the files (the default); with false and nothing else to print, prints the texts'
complete -c wgform -n '__wgform_command fmt' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command fmt' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command fmt' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command fmt' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command fmt' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command show' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command show' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command show' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command show' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command show' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command output' -o json -l json -d 'Prints JSON'
complete -c wgform -n '__wgform_command output' -o raw -l raw -d 'Prints the bare text of one output, for use in a script'
complete -c wgform -n '__wgform_command output' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command output' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command output' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command output' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command output' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command state' -a list -d 'Lists the addresses of what wgform owns'
complete -c wgform -n '__wgform_command state' -a show -d 'Shows one resource as it was last written'
complete -c wgform -n '__wgform_command state' -a mv -d 'Gives a resource another address, after it was renamed in the configuration'
complete -c wgform -n '__wgform_command state' -a rm -d 'Forgets a resource, and leaves it on its device as it is'
complete -c wgform -n '__wgform_command state' -a help -d 'Shows the page of a command'
complete -c wgform -n '__wgform_command state' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command state' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command state' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command state' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command state' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command state list' -o id -l id -x -d 'Lists only what is found on its device by this: NAME for an interface, INTERFACE/PUBLIC_KEY for a peer'
complete -c wgform -n '__wgform_command state list' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command state list' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command state list' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command state list' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command state list' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command state show' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command state show' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command state show' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command state show' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command state show' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command state mv' -o dry-run -l dry-run -d 'Says what would happen, and changes nothing'
complete -c wgform -n '__wgform_command state mv' -o lock -l lock -a 'true false' -d 'Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work'
complete -c wgform -n '__wgform_command state mv' -o lock-timeout -l lock-timeout -x -d 'Waits this long for a lock that another run holds'
complete -c wgform -n '__wgform_command state mv' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command state mv' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command state mv' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command state mv' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command state mv' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command state rm' -o dry-run -l dry-run -d 'Says what would happen, and changes nothing'
complete -c wgform -n '__wgform_command state rm' -o lock -l lock -a 'true false' -d 'Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work'
complete -c wgform -n '__wgform_command state rm' -o lock-timeout -l lock-timeout -x -d 'Waits this long for a lock that another run holds'
complete -c wgform -n '__wgform_command state rm' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command state rm' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command state rm' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command state rm' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command state rm' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command import' -o var -l var -x -d 'Sets a variable; may be given several times'
complete -c wgform -n '__wgform_command import' -o var-file -l var-file -r -F -d 'Sets variables from a file; the later of -var and -var-file wins'
complete -c wgform -n '__wgform_command import' -o lock -l lock -a 'true false' -d 'Takes the lock (the default); with false, goes without it, which is safe only when nobody else is at work'
complete -c wgform -n '__wgform_command import' -o lock-timeout -l lock-timeout -x -d 'Waits this long for a lock that another run holds'
complete -c wgform -n '__wgform_command import' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command import' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command import' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command import' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command import' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command force-unlock' -o force -l force -d 'Does not ask for a yes'
complete -c wgform -n '__wgform_command force-unlock' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command force-unlock' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command force-unlock' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command force-unlock' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command force-unlock' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command schema' -a 'language state events validation reference'
complete -c wgform -n '__wgform_command schema' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command schema' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command schema' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command schema' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command schema' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command completions' -a 'bash zsh fish'
complete -c wgform -n '__wgform_command completions' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command completions' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command completions' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command completions' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command completions' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command man' -o dir -l dir -x -a '(__wgform_directories)' -d 'Writes a page for each command into this directory, which has to be there'
complete -c wgform -n '__wgform_command man' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command man' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command man' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command man' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command man' -o help -l help -d 'Shows the page of the command'

complete -c wgform -n '__wgform_command version' -o chdir -l chdir -x -a '(__wgform_directories)' -d 'Works in another directory, as if wgform had been started there'
complete -c wgform -n '__wgform_command version' -o no-color -l no-color -d 'Writes no colour; the same as a value in the environment\'s NO_COLOR'
complete -c wgform -n '__wgform_command version' -s v -d 'Says more about what is done'
complete -c wgform -n '__wgform_command version' -o compact-warnings -l compact-warnings -d 'Shows warnings in one line each, where there are no errors'
complete -c wgform -n '__wgform_command version' -o help -l help -d 'Shows the page of the command'
