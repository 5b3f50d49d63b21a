# fish completion of aedb.

function __aedb_in
	__fish_seen_subcommand_from $argv
end

set -l commands init mount umount get put del mv ls scan dump load table snapshot backup restore batch stats status \
	changes grant revoke grants checkpoint compact verify show help
complete -c aedb -n "not __aedb_in $commands" -f
for pair in 'init:Make a database' 'mount:Mount one' 'umount:Unmount, and wait' \
	'get:Print a value' 'put:Store a value' 'del:Delete' 'mv:Rename' \
	'ls:List one level' 'scan:List keys' \
	'dump:Print a database as lines of JSON' 'load:Make of a dump what it is of' \
	'table:Typed tables and their rows' \
	'snapshot:Take, list, compare and delete snapshots' \
	'backup:Make, list, verify and prune backups' 'restore:Make a database of backups' \
	'grant:Let a caller do what it may not yet' 'revoke:Take back what was granted' \
	'grants:List what is granted' \
	'batch:Run a command whose changes are committed at once' 'stats:Tell what a database consists of' \
	'status:Tell what a mount does' 'changes:Print what was committed' \
	'checkpoint:Move what the log holds into segments' 'compact:Give space back' \
	'verify:Check all files' 'show:Print a file of a database' \
	'help:Explain a command'
	set -l words (string split -m 1 : $pair)
	complete -c aedb -n "not __aedb_in $commands" -a $words[1] -d $words[2]
end
complete -c aedb -n "not __aedb_in $commands" -l version -d 'Print the version'
complete -c aedb -l json -d 'Results as JSON'
complete -c aedb -l help -d 'Explain the command'
complete -c aedb -n '__aedb_in help' -x -a "$commands"
complete -c aedb -n '__aedb_in table' -a 'list create describe alter rename drop put get delete scan'
complete -c aedb -n '__aedb_in table' -s f -l file -r -d 'Schema, change or rows'
complete -c aedb -n '__aedb_in table' -l batch -x -d 'So many rows a commit'
complete -c aedb -n '__aedb_in table' -l insert -d 'Refuse rows that are there'
complete -c aedb -n '__aedb_in table' -l update -d 'Change rows that are there'
complete -c aedb -n '__aedb_in table' -l where -x -d 'Rows that meet a condition'
complete -c aedb -n '__aedb_in table' -l order -x -d 'In this order'
complete -c aedb -n '__aedb_in table' -l select -x -d 'Only these columns'
complete -c aedb -n '__aedb_in table' -l limit -x -d 'At most so many'
complete -c aedb -n '__aedb_in table' -l cursor -x -d 'Go on behind it'
complete -c aedb -n '__aedb_in table' -l explain -d 'How the rows would be found'
complete -c aedb -n '__aedb_in table' -l snapshot -x -d 'As in that one'
complete -c aedb -n '__aedb_in snapshot' -x -a 'list create delete rename diff'
complete -c aedb -n '__aedb_in snapshot' -s l -l long -d 'With times'
complete -c aedb -n '__aedb_in backup' -a 'full incremental archive list verify prune'
for period in hourly daily weekly monthly yearly
	complete -c aedb -n '__aedb_in backup' -l keep-$period -x -d "The last one of each, so many $period ones"
end
complete -c aedb -n '__aedb_in backup' -l keep-last -x -d 'The last so many'
complete -c aedb -n '__aedb_in backup' -l keep-within -x -d 'No older than that'
complete -c aedb -n '__aedb_in backup' -s n -l dry-run -d 'Remove nothing'
complete -c aedb -n '__aedb_in backup' -l to -r -d 'Directory of backups'
complete -c aedb -n '__aedb_in backup' -l archive -r -d 'As one file, or -'
complete -c aedb -n '__aedb_in backup' -l keep -d 'Also in the directory'
complete -c aedb -n '__aedb_in restore' -l to -r -d 'The new database'
complete -c aedb -n '__aedb_in restore' -l at-seq -x -d 'As it was with this commit'
complete -c aedb -n '__aedb_in restore' -l at-time -x -d 'As it was then'
complete -c aedb -n '__aedb_in restore' -s n -l dry-run -d 'Verify only'
complete -c aedb -n '__aedb_in restore' -l key-fd -x -d 'Descriptor that gives the key'
complete -c aedb -n '__aedb_in backup restore' -l archive-key-file -r -d 'Key of archives'
complete -c aedb -n '__aedb_in backup' -l key-fd -x -d 'Descriptor that gives the key'
complete -c aedb -n '__aedb_in batch' -l retry -x -d 'Again after a conflict, so often'
complete -c aedb -n '__aedb_in batch' -l list -d 'List the open batches'
complete -c aedb -n '__aedb_in changes' -l from -x -d 'From this number on'
complete -c aedb -n '__aedb_in changes' -l follow -d 'Go on with what comes'
complete -c aedb -n '__aedb_in mount' -s f -d 'Stay in the foreground'
complete -c aedb -n '__aedb_in mount' -s o -x -d 'Options of the mount'
complete -c aedb -n '__aedb_in umount' -s l -l lazy -d 'Although files are open'
complete -c aedb -n '__aedb_in umount' -s t -l timeout -x -d 'Wait so many seconds'
complete -c aedb -n '__aedb_in get put del mv ls scan' -s x -l hex -d 'Keys are hexadecimal'
complete -c aedb -n '__aedb_in init get put del mv ls scan dump load table snapshot backup restore grant revoke grants stats changes checkpoint compact verify' \
	-l key-file -r -d 'Key of a signed database'
complete -c aedb -n '__aedb_in get ls scan dump' -l permissive -d 'Also of a damaged database'
complete -c aedb -n '__aedb_in put' -s f -l file -r -d 'The value'
complete -c aedb -n '__aedb_in put' -s n -l new -d 'Only if there is none'
complete -c aedb -n '__aedb_in put' -s p -l parents -d 'Make project and scope'
complete -c aedb -n '__aedb_in del' -s r -l recursive -d 'Everything inside'
complete -c aedb -n '__aedb_in del scan' -l prefix -x -d 'Keys that begin with it'
complete -c aedb -n '__aedb_in ls scan' -s l -l long -d 'With size, version and time'
complete -c aedb -n '__aedb_in ls scan' -s 0 -l null -d 'Names ended by NUL bytes'
complete -c aedb -n '__aedb_in scan' -l from -x -d 'First key'
complete -c aedb -n '__aedb_in scan' -l to -x -d 'Key to stop before'
complete -c aedb -n '__aedb_in scan' -s r -l reverse -d 'Last key first'
complete -c aedb -n '__aedb_in scan' -l limit -x -d 'At most so many'
complete -c aedb -n '__aedb_in scan' -l values -d 'With the values'
complete -c aedb -n '__aedb_in dump' -l snapshot -x -d 'As in that one'
complete -c aedb -n '__aedb_in dump' -s o -l output -r -d 'To a file'
complete -c aedb -n '__aedb_in dump' -l comparable -d 'Without what copies differ in'
complete -c aedb -n '__aedb_in dump' -l no-tables -d 'Without tables'
complete -c aedb -n '__aedb_in dump load' -l no-grants -d 'Without what is granted'
complete -c aedb -n '__aedb_in load' -l replace -d 'Drop scopes that are there'
complete -c aedb -n '__aedb_in load' -l merge -d 'Put keys over those that are there'
